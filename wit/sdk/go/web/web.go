// Package web answers HTTP by a handler of net/http, and sends requests by net/http's client. A program that imports it answers
// HTTP.
//
//	func init() {
//		http.HandleFunc("GET /orders/{id}", show)
//	}
package web

import "net/http"

// Nil: http.DefaultServeMux.
var handler http.Handler

// Handle gives all requests to a handler, instead of http.DefaultServeMux. It belongs into init.
func Handle(all http.Handler) { handler = all }

// Handler is what answers requests, such as for tests with net/http/httptest.
func Handler() http.Handler {
	if handler == nil {
		return http.DefaultServeMux
	}
	return handler
}
