package subscriptions

import (
	"fmt"
	"os"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

type (
	wireRule struct {
		_           abi.Layout
		match, path abi.Text
	}
	wireBulk struct {
		_                       abi.Layout
		enabled                 bool
		maxMessages, maxAwaitMs uint32
	}
	wireSubscription struct {
		_               abi.Layout
		pubsub, topic   abi.Text
		rules           abi.List
		defaultRoute    abi.Option[abi.Text]
		deadLetterTopic abi.Option[abi.Text]
		bulk            abi.Option[wireBulk]
		metadata        abi.List
	}
	wireEvent struct {
		_                                  abi.Layout
		id, source, eventType, specVersion abi.Text
		subject, time, contentType         abi.Option[abi.Text]
		data                               abi.List
		extensions                         abi.List
	}
	wireDelivery struct {
		_                    abi.Layout
		pubsub, topic, route abi.Text
		attempt              uint32
		event                wireEvent
		metadata             abi.List
	}
)

// What the host reads after declare has returned.
var declaring abi.Call

//go:wasmexport berth:pubsub/subscriptions@0.1.0#declare
func declare() unsafe.Pointer {
	call := &declaring
	list := abi.LowerAll(call, declared, func(s subscription) wireSubscription {
		topic := s.topic
		lowered := wireSubscription{
			pubsub:          call.Text(topic.Pubsub),
			topic:           call.Text(topic.Name),
			deadLetterTopic: call.Optional(topic.DeadLetterTopic),
			metadata:        call.Pairs(topic.Metadata),
		}
		if s.handle != nil {
			lowered.defaultRoute = abi.Some(call.Text(topic.route()))
		}
		if topic.Bulk != nil {
			lowered.bulk = abi.Some(wireBulk{
				enabled: true, maxMessages: topic.Bulk.MaxMessages, maxAwaitMs: topic.Bulk.MaxAwaitMs,
			})
		}
		rules := make([]wireRule, len(topic.Rules))
		for i, rule := range topic.Rules {
			rules[i] = wireRule{match: call.Text(rule.Match), path: call.Text(topic.ruleRoute(i))}
		}
		lowered.rules = abi.Lower(call, rules)
		return lowered
	})
	return abi.Place(call, &list)
}

//go:wasmexport berth:pubsub/subscriber@0.1.0#handle
func handle(place unsafe.Pointer) uint32 {
	message := lift(place)
	outcome, err := deliver(message)
	if err != nil {
		fmt.Fprintf(os.Stderr, "message %s of %s: %v\n", message.ID, message.Topic, err)
	}
	return uint32(outcome)
}

func lift(place unsafe.Pointer) *Message {
	defer abi.Reading()()
	delivery := (*wireDelivery)(place)
	event := &delivery.event
	return &Message{
		Pubsub:      delivery.pubsub.String(),
		Topic:       delivery.topic.String(),
		Route:       delivery.route.String(),
		Attempt:     delivery.attempt,
		ID:          event.id.String(),
		Source:      event.source.String(),
		Type:        event.eventType.String(),
		SpecVersion: event.specVersion.String(),
		Subject:     abi.Optional(event.subject),
		Time:        abi.Optional(event.time),
		ContentType: abi.Optional(event.contentType),
		Data:        event.data.Bytes(),
		Extensions:  event.extensions.Pairs(),
		Metadata:    delivery.metadata.Pairs(),
	}
}
