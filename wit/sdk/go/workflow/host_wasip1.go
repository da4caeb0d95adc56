package workflow

import (
	"time"
	"unsafe"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/abi"
)

//go:wasmimport berth:workflow/context@0.1.0 [method]operation.wait
func wasmWait(operation uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 [method]operation.has-ended
func wasmHasEnded(operation uint32) bool

//go:wasmimport berth:workflow/context@0.1.0 instance-id
func wasmInstanceID(result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 schedule-activity
func wasmScheduleActivity(parameters, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 call-activity
func wasmCallActivity(parameters, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 schedule-timer
func wasmScheduleTimer(ms uint64, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 sleep
func wasmSleep(ms uint64, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 schedule-event
func wasmScheduleEvent(name string, hasTimeout bool, timeout uint64, metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 wait-event
func wasmWaitEvent(name string, hasTimeout bool, timeout uint64, metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 schedule-child
func wasmScheduleChild(parameters, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 call-child
func wasmCallChild(parameters, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 wait-any
func wasmWaitAny(operations, operationsLen uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 wait-all
func wasmWaitAll(operations, operationsLen uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 continue-as-new
func wasmContinueAsNew(data, dataLen uint32, hasContentType bool, contentType string, keepEvents bool,
	metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 now-ms
func wasmNowMs() uint64

//go:wasmimport berth:workflow/context@0.1.0 random
func wasmRandom(count uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 uuid
func wasmUUID(result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 set-custom-status
func wasmSetStatus(text string, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 patched
func wasmPatched(id string, result unsafe.Pointer)

//go:wasmimport berth:workflow/context@0.1.0 is-replaying
func wasmIsReplaying() bool

//go:wasmimport berth:workflow/context@0.1.0 log
func wasmLog(level uint32, message string)

type (
	// Every case has a text, but the first, which has a failure.
	wireError struct {
		_       abi.Layout
		kind    uint8
		failure abi.WorkflowFailure
	}
	wireRetry struct {
		_               abi.Layout
		maxAttempts     uint32
		firstIntervalMs uint64
		backoff         float64
		maxIntervalMs   abi.Option[uint64]
		totalMs         abi.Option[uint64]
		nonRetryable    abi.List
	}
	wireActivityOptions struct {
		_              abi.Layout
		retry          abi.Option[wireRetry]
		startToCloseMs abi.Option[uint64]
		app            abi.Option[abi.Text]
		dispatch       abi.Option[uint8]
		recordIntent   bool
		metadata       abi.List
	}
	wireChildOptions struct {
		_          abi.Layout
		instanceID abi.Option[abi.Text]
		app        abi.Option[abi.Text]
		retry      abi.Option[wireRetry]
		metadata   abi.List
	}
	wireActivity struct {
		_       abi.Layout
		name    abi.Text
		input   abi.Payload
		options wireActivityOptions
	}
	wireChild struct {
		_       abi.Layout
		name    abi.Text
		input   abi.Payload
		options wireChildOptions
	}
)

func (e *wireError) err() error {
	if e.kind == 0 {
		return &Failure{e.failure.Kind.String(), e.failure.Message.String(), e.failure.NonRetryable}
	}
	return &berth.Error{Kind: contextKinds[e.kind], Message: e.failure.Kind.String()}
}

// asked makes a call whose result may be an error, and lifts it.
func asked[W, T any](call func(*abi.Call, unsafe.Pointer), lift func(*W) T) (value T, err error) {
	c := abi.Begin()
	defer c.End()
	result := new(abi.Result[W, wireError])
	call(c, abi.Place(c, result))
	given, failure := result.Get()
	if failure != nil {
		return value, failure.err()
	}
	return lift(given), nil
}

func liftPayload(payload *abi.Payload) []byte { return payload.Data.Bytes() }

func liftOperation(handle *uint32) *Operation { return &Operation{*handle} }

func liftNothing(*abi.Nothing) struct{} { return struct{}{} }

func text(call func(unsafe.Pointer)) string {
	c := abi.Begin()
	defer c.End()
	result := new(abi.Text)
	call(abi.Place(c, result))
	return result.String()
}

func optionalMs(duration time.Duration) abi.Option[uint64] {
	return abi.Option[uint64]{IsSome: duration > 0, Value: milliseconds(duration)}
}

func (o *options) lowerRetry(c *abi.Call) abi.Option[wireRetry] {
	retry := o.retry
	if retry == nil {
		return abi.Option[wireRetry]{}
	}
	return abi.Some(wireRetry{
		maxAttempts:     retry.MaxAttempts,
		firstIntervalMs: milliseconds(retry.FirstInterval),
		backoff:         retry.Backoff,
		maxIntervalMs:   optionalMs(retry.MaxInterval),
		totalMs:         optionalMs(retry.Total),
		nonRetryable:    abi.LowerAll(c, retry.NonRetryable, c.Text),
	})
}

func lowerActivity(c *abi.Call, name string, input []byte, o options) unsafe.Pointer {
	// Case 1 is the queue.
	return abi.Place(c, &wireActivity{name: c.Text(name), input: c.JSON(input), options: wireActivityOptions{
		retry:          o.lowerRetry(c),
		startToCloseMs: optionalMs(o.timeout),
		app:            c.Optional(o.app),
		dispatch:       abi.Option[uint8]{IsSome: o.isQueued, Value: 1},
		recordIntent:   o.recordsIntent,
		metadata:       c.Pairs(o.metadata),
	}})
}

func lowerChild(c *abi.Call, name string, input []byte, o options) unsafe.Pointer {
	return abi.Place(c, &wireChild{name: c.Text(name), input: c.JSON(input), options: wireChildOptions{
		instanceID: c.Optional(o.instanceID),
		app:        c.Optional(o.app),
		retry:      o.lowerRetry(c),
		metadata:   c.Pairs(o.metadata),
	}})
}

func callActivity(name string, input []byte, o options) ([]byte, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		wasmCallActivity(lowerActivity(c, name, input, o), result)
	}, liftPayload)
}

func scheduleActivity(name string, input []byte, o options) (*Operation, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		wasmScheduleActivity(lowerActivity(c, name, input, o), result)
	}, liftOperation)
}

func callChild(name string, input []byte, o options) ([]byte, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		wasmCallChild(lowerChild(c, name, input, o), result)
	}, liftPayload)
}

func scheduleChild(name string, input []byte, o options) (*Operation, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		wasmScheduleChild(lowerChild(c, name, input, o), result)
	}, liftOperation)
}

func waitEvent(name string, o options) ([]byte, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		metadata, metadataLen := c.Pairs(o.metadata).Flat()
		wasmWaitEvent(name, o.timeout > 0, milliseconds(o.timeout), metadata, metadataLen, result)
	}, liftPayload)
}

func scheduleEvent(name string, o options) (*Operation, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		metadata, metadataLen := c.Pairs(o.metadata).Flat()
		wasmScheduleEvent(name, o.timeout > 0, milliseconds(o.timeout), metadata, metadataLen, result)
	}, liftOperation)
}

func (o *Operation) wait() ([]byte, error) {
	return asked(func(_ *abi.Call, result unsafe.Pointer) { wasmWait(o.handle, result) }, liftPayload)
}

func (o *Operation) hasEnded() bool { return wasmHasEnded(o.handle) }

func sleep(ms uint64) error {
	_, err := asked(func(_ *abi.Call, result unsafe.Pointer) { wasmSleep(ms, result) }, liftNothing)
	return err
}

func scheduleTimer(ms uint64) (*Operation, error) {
	return asked(func(_ *abi.Call, result unsafe.Pointer) { wasmScheduleTimer(ms, result) }, liftOperation)
}

func lowerOperations(c *abi.Call, operations []*Operation) (start, length uint32) {
	return abi.LowerAll(c, operations, func(o *Operation) uint32 { return o.handle }).Flat()
}

func waitAny(operations []*Operation) (int, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		start, length := lowerOperations(c, operations)
		wasmWaitAny(start, length, result)
	}, func(place *uint32) int { return int(*place) })
}

func waitAll(operations []*Operation) error {
	_, err := asked(func(c *abi.Call, result unsafe.Pointer) {
		start, length := lowerOperations(c, operations)
		wasmWaitAll(start, length, result)
	}, liftNothing)
	return err
}

func continueAsNew(input []byte, keepEvents bool) error {
	_, err := asked(func(c *abi.Call, result unsafe.Pointer) {
		data, dataLen := c.Bytes(input).Flat()
		wasmContinueAsNew(data, dataLen, true, "application/json", keepEvents, 0, 0, result)
	}, liftNothing)
	return err
}

func random(count uint32) ([]byte, error) {
	return asked(func(_ *abi.Call, result unsafe.Pointer) {
		wasmRandom(count, result)
	}, func(list *abi.List) []byte { return list.Bytes() })
}

func setStatus(status string) error {
	_, err := asked(func(_ *abi.Call, result unsafe.Pointer) { wasmSetStatus(status, result) }, liftNothing)
	return err
}

func patched(id string) (bool, error) {
	return asked(func(_ *abi.Call, result unsafe.Pointer) { wasmPatched(id, result) },
		func(isPatched *bool) bool { return *isPatched })
}

func instanceID() string { return text(wasmInstanceID) }

func uuid() string { return text(wasmUUID) }

func nowMs() uint64 { return wasmNowMs() }

func isReplaying() bool { return wasmIsReplaying() }

func log(level Level, message string) { wasmLog(uint32(level), message) }
