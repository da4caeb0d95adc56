package main

import (
	"fmt"
	"slices"

	"berth.dev/sdk/berth"
)

// run is what one run of the checks is called, so that runs over one store do not meet.
type run struct{ id, app string }

func (r run) key(name string) string { return r.id + "-" + name }

type check struct {
	name string
	do   func(run)
}

type result struct {
	Check  string `json:"check"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
}

// In the order of the README.
var checks = slices.Concat(stateChecks, pubsubChecks, invocationChecks, secretsChecks, telemetryChecks)

// failed is what a check panics with.
type failed string

func (c check) result(run run) (outcome result) {
	defer func() {
		if why := recover(); why != nil {
			outcome = result{c.name, false, fmt.Sprint(why)}
		}
	}()
	c.do(run)
	return result{c.name, true, ""}
}

// expect checks that something holds.
func expect(holds bool, detail any) {
	if !holds {
		panic(failed(fmt.Sprintf("%+v", detail)))
	}
}

// must checks that a call succeeds.
func must(err error) { expect(err == nil, err) }

// given is the value of a call that succeeds.
func given[T any](value T, err error) T {
	must(err)
	return value
}

// refused checks that a call is refused as this kind.
func refused(err error, kind berth.Kind) {
	expect(err != nil, "not refused")
	expect(berth.KindOf(err) == kind, fmt.Sprintf("%s: %v", berth.KindOf(err), err))
}
