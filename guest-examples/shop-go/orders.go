package main

import (
	"errors"
	"net/http"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/state"
)

var store = state.Open("statestore")

// placeOrder takes an order.
//
// Each step can be repeated and the answer comes last. Whoever hears nothing, because the host died between any two steps, sends
// the order again, and it goes on where it stopped: stock is reserved once per order ID, the order is stored once, and it is
// announced until it is known to be.
func placeOrder(w http.ResponseWriter, r *http.Request) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	placed, err := readOrder(body, false)
	if err != nil {
		return err
	}
	if err := checkPayment(); err != nil {
		return err
	}
	known, err := findOrder(placed.OrderID)
	if err == nil && known == nil {
		known, err = reserveAndSave(placed)
	}
	if err != nil {
		return err
	}
	if known.Status == "placed" {
		known.Status = "confirmed"
		if err := announce(known); err != nil {
			return err
		}
		if err := store.SetJSON(orderKey(known.OrderID), known); err != nil {
			return err
		}
	}
	return reply(w, http.StatusCreated, known)
}

func showOrder(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "orderId")
	if err != nil {
		return err
	}
	found, err := findOrder(id)
	if err != nil {
		return err
	}
	if found == nil {
		return notFound("there is no order " + id)
	}
	return reply(w, http.StatusOK, found)
}

func reserveAndSave(placed *order) (*order, error) {
	if err := reserveStock(placed); err != nil {
		return nil, err
	}
	err := store.SetJSON(orderKey(placed.OrderID), placed, state.IfAbsent())
	if !errors.Is(err, berth.Conflict) {
		return placed, err
	}
	// The same order came twice at once; the other one was stored first.
	stored, err := findOrder(placed.OrderID)
	if err == nil && stored == nil {
		err = unavailable("the order is being changed")
	}
	return stored, err
}

func findOrder(id string) (*order, error) {
	found := new(order)
	exists, err := store.GetJSON(orderKey(id), found)
	if err != nil || !exists {
		return nil, err
	}
	return found, nil
}

func orderKey(id string) string { return "order-" + id }
