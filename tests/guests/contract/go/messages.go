package main

import (
	"errors"
	"net/http"

	"berth.dev/sdk/state"
	"berth.dev/sdk/subscriptions"
)

var store = state.Open("statestore")

func init() {
	special := subscriptions.Rule{Match: `event.type == "special"`, Route: "special", Handler: receive}
	subscriptions.Handle(subscriptions.Topic{
		Pubsub: "pubsub", Name: "contract", Route: "default", DeadLetterTopic: "contract-dlq",
		Rules: []subscriptions.Rule{special},
	}, receive)
}

type received struct {
	ID      string `json:"id"`
	Type    string `json:"type"`
	Source  string `json:"source"`
	Route   string `json:"route"`
	Attempt uint32 `json:"attempt"`
	Data    string `json:"data"`
}

func receive(m *subscriptions.Message) error {
	seen := received{m.ID, m.Type, m.Source, m.Route, m.Attempt, string(m.Data)}
	if err := store.SetJSON(receivedKey(m.ID), seen); err != nil {
		return err
	}
	switch seen.Data {
	case "drop":
		return subscriptions.Drop(errors.New("asked to drop it"))
	case "retry":
		return errors.New("asked to have it again")
	}
	return nil
}

func showReceived(w http.ResponseWriter, r *http.Request) {
	entry, err := store.Get(receivedKey(r.PathValue("id")))
	switch {
	case err != nil:
		http.Error(w, err.Error(), http.StatusInternalServerError)
	case entry == nil:
		http.NotFound(w, r)
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(entry.Value)
	}
}

func receivedKey(id string) string { return "received-" + id }
