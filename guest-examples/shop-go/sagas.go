package main

import (
	"encoding/json"
	"errors"
	"net/http"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/workflow/client"
)

// The instance of an order is named after it, so that an order has one saga, whoever asks and how often.

// startSaga starts the saga of an order, or finds it.
func startSaga(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	placed, err := readOrder(body, true)
	if err != nil {
		return err
	}
	id, err := client.Start(sagaName, placed, client.Once(placed.OrderID))
	if err != nil {
		return err
	}
	w.Header().Set("Location", "/sagas/"+id)
	return accepted(w, id)
}

type sagaReport struct {
	OrderID string          `json:"orderId"`
	Status  string          `json:"status"`
	Step    *string         `json:"step"`
	Result  json.RawMessage `json:"result,omitempty"`
	Failure map[string]any  `json:"failure,omitempty"`
	Problem string          `json:"problem,omitempty"`
}

// showSaga shows how far a saga has come.
func showSaga(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "orderId")
	if err != nil {
		return err
	}
	found, err := client.Get(id)
	if err != nil {
		return err
	}
	if found == nil {
		return notFound("there is no saga of order " + id)
	}
	report := sagaReport{OrderID: id, Status: found.Status.String(), Result: found.Output, Problem: found.Problem}
	if found.CustomStatus != "" {
		report.Step = &found.CustomStatus
	}
	if found.Failure != nil {
		report.Failure = map[string]any{"error": found.Failure.Kind, "message": found.Failure.Message}
	}
	return reply(w, http.StatusOK, report)
}

// approveSaga lets a large order go on.
func approveSaga(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "orderId")
	if err != nil {
		return err
	}
	if err := client.Raise(id, approved, nil, client.EventID(approved)); err != nil {
		return sagaFailure(err)
	}
	return accepted(w, id)
}

// cancelSaga asks a saga to stop and undo what it did. One that has ended stays as it is.
func cancelSaga(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "orderId")
	if err != nil {
		return err
	}
	if err := client.Cancel(id, "the customer changed their mind"); err != nil {
		return sagaFailure(err)
	}
	return accepted(w, id)
}

func accepted(w http.ResponseWriter, id string) error {
	return reply(w, http.StatusAccepted, map[string]string{"instanceId": id})
}

// sagaFailure: what is not there is the caller's mistake.
func sagaFailure(err error) error {
	if errors.Is(err, berth.NotFound) {
		return notFound(err.Error())
	}
	return err
}
