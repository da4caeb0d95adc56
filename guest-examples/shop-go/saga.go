package main

import (
	"errors"
	"math"
	"slices"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/workflow"
)

const (
	sagaName = "order"
	// The event that lets a large order go on.
	approved   = "approved"
	largeCents = 100_000
	approval   = 24 * time.Hour
)

var (
	// A few attempts; then the order fails, and what was done is undone.
	usual = workflow.WithRetry(workflow.Retry{MaxAttempts: 4, FirstInterval: 200 * time.Millisecond})
	// What is to be undone has to be undone, however long it takes.
	patient = workflow.WithRetry(workflow.Retry{
		MaxAttempts: math.MaxUint32, FirstInterval: 200 * time.Millisecond, MaxInterval: time.Minute,
	})
)

type confirmation struct {
	OrderID string `json:"orderId"`
	Status  string `json:"status"`
}

func init() { workflow.Define(sagaName, saga) }

// saga is an order's: reserve, have a large one approved, pay, fulfil; and if a step fails, undo what was done, the last step
// first. The workflow decides; what has an effect is an activity.
func saga(ctx *workflow.Context, o order) (*confirmation, error) {
	var undo []string
	if err := sagaSteps(ctx, o, &undo); err != nil {
		ctx.SetStatus("undoing")
		for _, activity := range slices.Backward(undo) {
			if err := ctx.CallActivity(activity, o, nil, patient); err != nil {
				return nil, err
			}
		}
		ctx.SetStatus("undone")
		return nil, err
	}
	ctx.SetStatus("confirmed")
	return &confirmation{o.OrderID, "confirmed"}, nil
}

// What undoes a step is noted before it: whether the step had an effect when it fails is unknown, and undoing nothing is
// harmless.
func sagaSteps(ctx *workflow.Context, o order, undo *[]string) error {
	ctx.SetStatus("reserving")
	*undo = append(*undo, "release")
	if err := ctx.CallActivity("reserve", o, nil, usual); err != nil {
		return err
	}
	if o.TotalCents >= largeCents {
		ctx.SetStatus("waiting for approval")
		err := ctx.WaitEvent(approved, nil, workflow.WithTimeout(approval))
		if errors.Is(err, berth.Timeout) {
			return &workflow.Failure{Kind: "not-approved", Message: err.Error(), NonRetryable: true}
		}
		if err != nil {
			return err
		}
	}
	ctx.SetStatus("paying")
	*undo = append(*undo, "refund")
	if err := ctx.CallActivity("pay", o, nil, usual); err != nil {
		return err
	}
	ctx.SetStatus("fulfilling")
	return ctx.CallActivity("fulfil", o, nil, usual)
}
