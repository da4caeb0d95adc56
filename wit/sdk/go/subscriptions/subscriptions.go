// Package subscriptions receives messages. A program that imports it is a subscriber.
//
//	func init() {
//		subscriptions.Handle(subscriptions.Topic{Pubsub: "pubsub", Name: "orders"}, func(m *subscriptions.Message) error {
//			...
//		})
//	}
package subscriptions

import (
	"encoding/json"
	"errors"
	"fmt"
)

// Message is one delivery of an event. The same event may come more than once.
type Message struct {
	Pubsub, Topic string
	// That the subscription's rules chose.
	Route string
	// 1 for the first delivery, where the broker counts.
	Attempt uint32
	// Of the CloudEvent.
	ID, Source, Type, SpecVersion, Subject, Time, ContentType string
	Data                                                      []byte
	// Every other attribute.
	Extensions map[string]string
	// What the broker says.
	Metadata map[string]string
}

// JSON reads the data.
func (m *Message) JSON(into any) error { return json.Unmarshal(m.Data, into) }

// Handler handles a message. An error asks for it again, as the retry policy says, and then it is a dead letter; Drop makes
// it one at once. A panic ends the instance, and counts as an error.
type Handler func(*Message) error

type dropped struct{ why error }

func (d dropped) Error() string { return d.why.Error() }
func (d dropped) Unwrap() error { return d.why }

// Drop is the error of a message that must not come again: a dead letter, or discarded where there is no topic for them.
func Drop(why error) error {
	if why == nil {
		why = errors.New("dropped")
	}
	return dropped{why}
}

// Topic is what a guest subscribes to.
type Topic struct {
	Pubsub, Name string
	// What Message.Route is then. "" is one made from the name.
	Route string
	// "" is none.
	DeadLetterTopic string
	// Tried in order; messages that none matches go to the handler of the topic.
	Rules []Rule
	// Where the broker can, messages come many at a time to the host; the handler has them one by one.
	Bulk     *Bulk
	Metadata map[string]string
}

// Rule gives messages a handler of their own.
type Rule struct {
	// CEL over event, such as `event.type == "order.created"`.
	Match   string
	Handler Handler
	// As that of a topic.
	Route string
}

// Bulk is how many messages are fetched at once, and how long to wait for them.
type Bulk struct{ MaxMessages, MaxAwaitMs uint32 }

// Routes are named within a topic.
type routeOf struct{ pubsub, topic, route string }

// The route of messages that no rule matched, and of those that a document routes otherwise.
const anyRoute = ""

type subscription struct {
	topic  Topic
	handle Handler
}

var (
	declared []subscription
	routes   = map[routeOf]Handler{}
	fallback Handler
)

// Handle subscribes to a topic. It belongs into init or a variable of a package: the host asks when the guest is loaded. A nil
// handler drops what no rule matches.
func Handle(topic Topic, handler Handler) {
	declared = append(declared, subscription{topic, handler})
	if handler != nil {
		routes[routeOf{topic.Pubsub, topic.Name, anyRoute}] = handler
	}
	for i, rule := range topic.Rules {
		routes[routeOf{topic.Pubsub, topic.Name, topic.ruleRoute(i)}] = rule.Handler
	}
}

// HandleAll handles the messages of subscriptions that documents declare.
func HandleAll(handler Handler) { fallback = handler }

func (t *Topic) route() string {
	if t.Route != "" {
		return t.Route
	}
	return "/" + t.Pubsub + "/" + t.Name
}

func (t *Topic) ruleRoute(i int) string {
	if t.Rules[i].Route != "" {
		return t.Rules[i].Route
	}
	return fmt.Sprintf("%s/%d", t.route(), i)
}

func handlerOf(m *Message) Handler {
	for _, route := range []string{m.Route, anyRoute} {
		if handler := routes[routeOf{m.Pubsub, m.Topic, route}]; handler != nil {
			return handler
		}
	}
	return fallback
}

type outcome uint32

// In the order of the WIT enum.
const (
	success outcome = iota
	retry
	drop
)

func deliver(m *Message) (outcome, error) {
	handle := handlerOf(m)
	if handle == nil {
		return drop, fmt.Errorf("nothing handles the route %s of %s/%s", m.Route, m.Pubsub, m.Topic)
	}
	err := handle(m)
	switch {
	case err == nil:
		return success, nil
	case errors.As(err, new(dropped)):
		return drop, err
	default:
		return retry, err
	}
}
