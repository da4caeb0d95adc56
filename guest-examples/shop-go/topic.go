package main

import "berth.dev/sdk/pubsub"

// announce publishes an order on the topic orders. Repeating it is harmless: the event's ID is the order's, and whoever receives
// it must expect it more than once anyway.
func announce(o *order) error {
	err := pubsub.PublishJSON("pubsub", "orders", o, pubsub.ID("order-"+o.OrderID), pubsub.Type("order.confirmed"))
	if err != nil {
		return unavailable("the order is stored but could not be announced: " + err.Error())
	}
	return nil
}
