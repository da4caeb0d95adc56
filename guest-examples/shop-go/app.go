// order-service takes orders and keeps carts.
//
//	POST /orders                     reserve the stock, save the order, announce it; safe to send again
//	GET /orders/{id}                 the order
//	PUT, GET /carts/{user}           a cart that lives for an hour
//	PATCH /carts/{user}              merge changes into it, unless somebody else was faster
//	POST /sagas                      takes an order by a workflow: 202, and the same again for the same orderId
//	GET /sagas/{id}                  how far it has come
//	POST /sagas/{id}/approve         lets a large order go on, which waits for that
//	DELETE /sagas/{id}               cancels it, and undoes what was done
//	GET /sagas/{id}/ledger           what was done in the world, and how often
//	GET /reviews/{id}                a review, which came as a message on the topic reviews
package main

import (
	"net/http"

	"berth.dev/sdk/web"
)

func init() {
	routes := http.NewServeMux()
	for pattern, handle := range map[string]handler{
		"POST /orders":             placeOrder,
		"GET /orders/{id}":         showOrder,
		"PUT /carts/{id}":          putCart,
		"GET /carts/{id}":          showCart,
		"PATCH /carts/{id}":        patchCart,
		"POST /sagas":              startSaga,
		"GET /sagas/{id}":          showSaga,
		"DELETE /sagas/{id}":       cancelSaga,
		"POST /sagas/{id}/approve": approveSaga,
		"GET /sagas/{id}/ledger":   showLedger,
		"GET /reviews/{id}":        showReview,
		"/":                        unmatched,
	} {
		routes.Handle(pattern, handle)
	}
	web.Handle(routes)
}

func unmatched(_ http.ResponseWriter, r *http.Request) error {
	return notFound("nothing answers " + r.Method + " " + r.URL.Path)
}

// Never runs: the host calls what init has registered.
func main() {}
