package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"berth.dev/sdk/invocation"
)

// Leaves this service time to answer within its own limit of five seconds.
const inventoryTimeout = 3 * time.Second

// reserveStock sets an order's items aside: once, however often it is asked.
func reserveStock(o *order) error {
	return askInventory("/reserve", map[string]any{"orderId": o.OrderID, "items": o.Items})
}

// releaseStock puts them back: once, too.
func releaseStock(o *order) error {
	return askInventory("/release", map[string]any{"orderId": o.OrderID})
}

func askInventory(path string, question any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	answer, err := invocation.Invoke("inventory-service", invocation.Request{
		Path:    path,
		Header:  http.Header{"Content-Type": {"application/json"}},
		Body:    body,
		Timeout: inventoryTimeout,
	})
	switch {
	case err != nil:
		return unavailable("inventory-service cannot be asked: " + err.Error())
	case answer.OK():
		return nil
	case answer.Status == http.StatusConflict || answer.Status == http.StatusServiceUnavailable:
		// Out of stock, or too busy: inventory-service has said it best.
		return passedOn(answer.Status, answer.Body)
	}
	return unavailable(fmt.Sprintf("inventory-service answered %d: %s", answer.Status, answer.Body))
}
