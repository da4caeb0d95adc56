package main

import (
	"errors"
	"fmt"
	"net/http"

	"berth.dev/sdk/state"
	"berth.dev/sdk/subscriptions"
)

var messages = state.Open("statestore")

// Keeps the messages of a topic; GET /messages/{id} shows one that has come.
func init() {
	subscriptions.Handle(subscriptions.Topic{Pubsub: "pubsub", Name: "messages"}, keepMessage)
	http.HandleFunc("GET /messages/{id}", showMessage)
}

// A message may come more than once: to write the same again does no harm. One whose handler returns an error comes again.
func keepMessage(m *subscriptions.Message) error {
	var message struct{ ID string }
	if err := m.JSON(&message); err != nil || message.ID == "" {
		return subscriptions.Drop(errors.New("this has no id, and never will"))
	}
	if err := messages.Set(messageKey(message.ID), m.Data); err != nil {
		return err
	}
	fmt.Println("received", message.ID)
	return nil
}

func showMessage(w http.ResponseWriter, r *http.Request) {
	entry, err := messages.Get(messageKey(r.PathValue("id")))
	switch {
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err.Error())
	case entry == nil:
		fail(w, http.StatusNotFound, "no such message")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.Write(entry.Value)
	}
}

func messageKey(id string) string { return "message-" + id }
