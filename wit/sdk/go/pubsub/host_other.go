//go:build !wasip1

package pubsub

import (
	"maps"
	"slices"

	"berth.dev/sdk/internal/world"
)

// Topics of berthtest's world: what is published is remembered.

func publish(pubsub, topic string, data []byte, o options) error {
	w := world.Current
	if w.Broken != nil {
		return w.Broken
	}
	w.Published = append(w.Published, world.Message{
		Pubsub: pubsub, Topic: topic, ContentType: o.contentType,
		Data: slices.Clone(data), Metadata: maps.Clone(o.metadata),
	})
	return nil
}

func bulkPublish(pubsub, topic string, messages []Message, o options) (failures []BulkFailure, err error) {
	for _, message := range messages {
		own := o
		Metadata(message.Metadata)(&own)
		if message.ContentType != "" {
			own.contentType = message.ContentType
		}
		if err := publish(pubsub, topic, message.Data, own); err != nil {
			failures = append(failures, BulkFailure{message.EntryID, err})
		}
	}
	return failures, nil
}
