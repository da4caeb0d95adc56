// Package pubsub publishes messages. Package subscriptions receives them.
package pubsub

import (
	"encoding/json"
	"maps"
	"time"
)

// Option changes how a message is published.
type Option func(*options)

type options struct {
	contentType  string
	raw          bool
	ttlSeconds   *uint32
	partitionKey string
	metadata     map[string]string
}

func optionsOf(given []Option) (o options) {
	for _, option := range given {
		option(&o)
	}
	return o
}

// ContentType says what the data is; without it, text. "application/cloudevents+json": a whole CloudEvent.
func ContentType(mediaType string) Option { return func(o *options) { o.contentType = mediaType } }

// ID is the event's: the same for a message that is published again.
func ID(id string) Option { return Metadata(map[string]string{"cloudevent.id": id}) }

// Type is the event's, which rules of subscriptions match, such as "order.created".
func Type(eventType string) Option {
	return Metadata(map[string]string{"cloudevent.type": eventType})
}

// Raw sends the data as it is, without an envelope.
func Raw() Option { return func(o *options) { o.raw = true } }

// TTL is how long the message is delivered, in whole seconds, rounded up. 0 is refused.
func TTL(after time.Duration) Option {
	seconds := uint32((after + time.Second - 1) / time.Second)
	return func(o *options) { o.ttlSeconds = &seconds }
}

// PartitionKey keeps messages with the same key in order, where the broker can.
func PartitionKey(key string) Option { return func(o *options) { o.partitionKey = key } }

// Metadata is passed on: what the broker understands, or attributes such as "cloudevent.subject".
func Metadata(metadata map[string]string) Option {
	return func(o *options) {
		all := maps.Clone(o.metadata)
		if all == nil {
			all = map[string]string{}
		}
		maps.Copy(all, metadata)
		o.metadata = all
	}
}

// Publish publishes a message. When it returns, the broker has taken it as durably as it can.
func Publish(pubsub, topic string, data []byte, given ...Option) error {
	return publish(pubsub, topic, data, optionsOf(given))
}

// PublishJSON publishes a value as JSON.
func PublishJSON(pubsub, topic string, value any, given ...Option) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return Publish(pubsub, topic, data, append([]Option{ContentType("application/json")}, given...)...)
}

// Message is one of many.
type Message struct {
	// Names it in the answer; unique within the call.
	EntryID     string
	Data        []byte
	ContentType string
	// For this message alone.
	Metadata map[string]string
}

// BulkFailure is a message that was not taken.
type BulkFailure struct {
	EntryID string
	Err     error
}

// BulkPublish publishes many messages, each on its own, and gives those that failed.
func BulkPublish(pubsub, topic string, messages []Message, given ...Option) ([]BulkFailure, error) {
	return bulkPublish(pubsub, topic, messages, optionsOf(given))
}
