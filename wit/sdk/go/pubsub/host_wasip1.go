package pubsub

import (
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport berth:pubsub/publisher@0.1.0 publish
func wasmPublish(parameters, result unsafe.Pointer)

//go:wasmimport berth:pubsub/publisher@0.1.0 bulk-publish
func wasmBulkPublish(pubsub, topic string, messages, messagesLen uint32, raw, hasTTL bool, ttl uint32,
	hasPartitionKey bool, partitionKey string, metadata, metadataLen uint32, result unsafe.Pointer)

type (
	wireMessage struct {
		_           abi.Layout
		data        abi.List
		contentType abi.Option[abi.Text]
	}
	wireOptions struct {
		_            abi.Layout
		raw          bool
		ttlSeconds   abi.Option[uint32]
		partitionKey abi.Option[abi.Text]
		metadata     abi.List
	}
	wirePublishing struct {
		_             abi.Layout
		pubsub, topic abi.Text
		message       wireMessage
		options       wireOptions
	}
	wireBulkMessage struct {
		_        abi.Layout
		entryID  abi.Text
		message  wireMessage
		metadata abi.List
	}
	wireBulkFailure struct {
		_       abi.Layout
		entryID abi.Text
		err     abi.Failure
	}
)

func publish(pubsub, topic string, data []byte, o options) error {
	call := abi.Begin()
	defer call.End()
	publishing := &wirePublishing{
		pubsub:  call.Text(pubsub),
		topic:   call.Text(topic),
		message: wireMessage{data: call.Bytes(data), contentType: call.Optional(o.contentType)},
		options: wireOptions{
			raw:          o.raw,
			ttlSeconds:   o.lowerTTL(),
			partitionKey: call.Optional(o.partitionKey),
			metadata:     call.Pairs(o.metadata),
		},
	}
	result := new(abi.Result[abi.Nothing, abi.Failure])
	wasmPublish(abi.Place(call, publishing), abi.Place(call, result))
	return abi.Done(result, abi.Common)
}

func (o *options) lowerTTL() abi.Option[uint32] {
	if o.ttlSeconds == nil {
		return abi.Option[uint32]{}
	}
	return abi.Some(*o.ttlSeconds)
}

func bulkPublish(pubsub, topic string, messages []Message, o options) ([]BulkFailure, error) {
	call := abi.Begin()
	defer call.End()
	list, listLen := abi.LowerAll(call, messages, func(message Message) wireBulkMessage {
		contentType := message.ContentType
		if contentType == "" {
			contentType = o.contentType
		}
		return wireBulkMessage{
			entryID:  call.Text(message.EntryID),
			message:  wireMessage{data: call.Bytes(message.Data), contentType: call.Optional(contentType)},
			metadata: call.Pairs(message.Metadata),
		}
	}).Flat()
	metadata, metadataLen := call.Pairs(o.metadata).Flat()
	result := new(abi.Result[abi.List, abi.Failure])
	ttl := o.lowerTTL()
	wasmBulkPublish(pubsub, topic, list, listLen, o.raw, ttl.IsSome, ttl.Value, o.partitionKey != "", o.partitionKey,
		metadata, metadataLen, abi.Place(call, result))
	failures, failure := result.Get()
	if failure != nil {
		return nil, failure.Err(abi.Common)
	}
	return abi.Lift(*failures, func(failed *wireBulkFailure) BulkFailure {
		return BulkFailure{failed.entryID.String(), failed.err.Err(abi.Common)}
	}), nil
}
