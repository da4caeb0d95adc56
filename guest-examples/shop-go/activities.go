package main

import (
	"fmt"
	"net/http"

	"berth.dev/sdk/workflow"
)

// The customer whose card is always refused, and the one who has moved, so that nothing can be sent.
const (
	broke = "broke"
	moved = "moved"
)

// What the steps of the saga do to the world. An activity runs at least once: each is harmless when it is repeated, since the
// others know it by the order's ID, and the ledger by the idempotency key.
func init() {
	for name, effect := range map[string]func(*order) error{
		"reserve": reserveStock,
		"release": releaseStock,
		"pay":     pay,
		"refund":  func(*order) error { return nil },
		"fulfil":  fulfil,
	} {
		workflow.DefineActivity(name, func(task *workflow.Task, o order) (any, error) {
			if err := effect(&o); err != nil {
				return nil, recorded(err)
			}
			return nil, noteEffect(o.OrderID, name, task.IdempotencyKey)
		})
	}
}

// A real shop would charge a card here, and give the idempotency key to whoever does it.
func pay(o *order) error {
	if o.CustomerID == broke {
		message := fmt.Sprintf("%d cents are more than there is", o.TotalCents)
		return &failure{http.StatusPaymentRequired, "payment-refused", message, nil}
	}
	return nil
}

func fulfil(o *order) error {
	if o.CustomerID == moved {
		return &failure{http.StatusGone, "no-address", "nobody knows where to send it", nil}
	}
	o.Status = "confirmed"
	return announce(o)
}

// recorded is a failure as the workflow sees it.
func recorded(err error) error {
	failed := failureOf(err)
	return &workflow.Failure{Kind: failed.code, Message: failed.message, NonRetryable: failed.isFinal()}
}
