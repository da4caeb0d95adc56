package main

import (
	"errors"
	"net/http"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/state"
)

// ledger is what was done in the world for an order: each effect once, however often its activity ran.
type ledger struct {
	Entries []*effectEntry `json:"entries"`
}

type effectEntry struct {
	Effect   string `json:"effect"`
	Key      string `json:"key"`
	Attempts int    `json:"attempts"`
}

// noteEffect notes that an activity has had its effect; a key that is known is the same effect once more.
func noteEffect(orderID, effect, idempotencyKey string) error {
	for range attemptsMax {
		entry, err := store.Get(ledgerKey(orderID))
		if err != nil {
			return err
		}
		written, how := ledger{}, state.IfAbsent()
		if entry != nil {
			how = state.IfETag(entry.ETag)
			if err := entry.JSON(&written); err != nil {
				return err
			}
		}
		written.note(effect, idempotencyKey)
		err = store.SetJSON(ledgerKey(orderID), written, how)
		if !errors.Is(err, berth.Conflict) {
			return err
		}
	}
	return unavailable("the ledger is being written by others")
}

func (l *ledger) note(effect, key string) {
	for _, known := range l.Entries {
		if known.Key == key {
			known.Attempts++
			return
		}
	}
	l.Entries = append(l.Entries, &effectEntry{effect, key, 1})
}

// showLedger shows what was done for an order.
func showLedger(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "orderId")
	if err != nil {
		return err
	}
	found := ledger{Entries: []*effectEntry{}}
	if _, err := store.GetJSON(ledgerKey(id), &found); err != nil {
		return err
	}
	return reply(w, http.StatusOK, found)
}

func ledgerKey(orderID string) string { return "ledger-" + orderID }
