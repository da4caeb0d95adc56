package main

import (
	"regexp"
	"strings"

	"berth.dev/sdk/telemetry"
)

var traceparent = regexp.MustCompile("^00-[0-9a-f]{32}-[0-9a-f]{16}-01$")

var telemetryChecks = []check{
	{"telemetry.recorded", func(run) {
		expect(telemetry.IsRecorded(), "nothing is recorded")
		expect(traceparent.MatchString(telemetry.Traceparent()), telemetry.Traceparent())
	}},
	{"telemetry.span", func(run) {
		before := here()
		span := telemetry.Start("contract-span")
		span.Set("text", "t")
		span.Set("integer", 2)
		span.Set("number", 0.5)
		span.Set("boolean", true)
		span.Event("checked", map[string]any{"n": 1})
		within := here()
		span.End()
		expect(before.trace == within.trace && before.span != within.span, within)
		expect(here() == before, before)
	}},
	{"telemetry.request", func(r run) {
		telemetry.Set("contract", r.id)
		telemetry.Event("contract-event", nil)
	}},
}

type place struct{ trace, span string }

// here is where the guest stands.
func here() place {
	parts := strings.Split(telemetry.Traceparent(), "-")
	return place{parts[1], parts[2]}
}
