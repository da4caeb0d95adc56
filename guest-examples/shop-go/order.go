package main

import "crypto/rand"

const (
	itemsMax          = 100
	qtyMax            = 1_000_000
	totalCentsMax     = 100_000_000_000
	customerLengthMax = 128
)

// order is one as it is stored, announced and answered: `placed` is stored, but perhaps nobody has been told; `confirmed` has
// been announced on the topic.
type order struct {
	OrderID    string `json:"orderId"`
	CustomerID string `json:"customerId"`
	Items      []item `json:"items"`
	TotalCents int64  `json:"totalCents"`
	Status     string `json:"status"`
}

type item struct {
	SKU string `json:"sku"`
	Qty int64  `json:"qty"`
}

// readOrder reads an order out of a request's body. One without an ID gets a new one, or is refused.
func readOrder(body any, needsID bool) (*order, error) {
	read := &order{Status: "placed"}
	return read, check(body, "", func(body field) {
		body.object()
		id := body.get("orderId")
		switch {
		case !id.isAbsent():
			read.OrderID = id.id()
		case needsID:
			// An order without an ID could not be asked for again.
			id.refuse("orderId is missing")
		default:
			read.OrderID = rand.Text()
		}
		read.CustomerID = body.get("customerId").text(customerLengthMax)
		for _, element := range body.get("items").list(1, itemsMax) {
			read.Items = append(read.Items, item{element.get("sku").id(), element.get("qty").whole(1, qtyMax)})
		}
		read.TotalCents = body.get("totalCents").whole(0, totalCentsMax)
	})
}
