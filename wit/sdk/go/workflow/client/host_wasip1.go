package client

import (
	"time"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

//go:wasmimport berth:workflow/client@0.1.0 start
func wasmStart(parameters, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 get
func wasmGet(id string, hasApp bool, app string, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 wait
func wasmWait(id string, hasApp bool, app string, hasTimeout bool, timeout uint64, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 raise-event
func wasmRaise(parameters, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 cancel
func wasmCancel(id string, hasApp bool, app, reason string, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 suspend
func wasmSuspend(id string, hasApp bool, app, reason string, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 resume
func wasmResume(id string, hasApp bool, app, reason string, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 terminate
func wasmTerminate(id string, hasApp bool, app, reason string, recursive bool, metadata, metadataLen uint32,
	result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 purge
func wasmPurge(id string, hasApp bool, app string, force, recursive bool, metadata, metadataLen uint32,
	result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 list-instances
func wasmList(hasApp bool, app string, hasWorkflow bool, workflow string, statuses, statusesLen uint32, prefix string,
	limit uint32, hasToken bool, token string, metadata, metadataLen uint32, result unsafe.Pointer)

//go:wasmimport berth:workflow/client@0.1.0 rerun-from-event
func wasmRerun(parameters, result unsafe.Pointer)

type (
	wireTarget struct {
		_   abi.Layout
		id  abi.Text
		app abi.Option[abi.Text]
	}
	wireStart struct {
		_        abi.Layout
		workflow abi.Text
		input    abi.Payload
		options  wireStartOptions
	}
	wireStartOptions struct {
		_          abi.Layout
		instanceID abi.Option[abi.Text]
		app        abi.Option[abi.Text]
		startAtMs  abi.Option[uint64]
		reuse      abi.Option[uint8]
		conflict   abi.Option[uint8]
		metadata   abi.List
	}
	wireRaise struct {
		_        abi.Layout
		target   wireTarget
		name     abi.Text
		data     abi.Payload
		eventID  abi.Option[abi.Text]
		metadata abi.List
	}
	wireRerun struct {
		_             abi.Layout
		target        wireTarget
		event         uint64
		newInstanceID abi.Option[abi.Text]
		input         abi.Option[abi.Payload]
		metadata      abi.List
	}
	wireInstance struct {
		_                        abi.Layout
		id, app, workflow        abi.Text
		status                   uint8
		customStatus             abi.Option[abi.Text]
		waitingOn                abi.Option[abi.Text]
		waitingSinceMs           abi.Option[uint64]
		problem                  abi.Option[abi.Text]
		output                   abi.Option[abi.Payload]
		failure                  abi.Option[abi.WorkflowFailure]
		createdAtMs, updatedAtMs uint64
		metadata                 abi.List
	}
	wirePage struct {
		_         abi.Layout
		instances abi.List
		next      abi.Option[abi.Text]
	}
)

// asked makes a call whose result may be an error, and lifts it.
func asked[W, T any](call func(*abi.Call, unsafe.Pointer), lift func(*W) T) (value T, err error) {
	c := abi.Begin()
	defer c.End()
	result := new(abi.Result[W, abi.Failure])
	call(c, abi.Place(c, result))
	given, failure := result.Get()
	if failure != nil {
		return value, failure.Err(kinds)
	}
	return lift(given), nil
}

func done(call func(*abi.Call, unsafe.Pointer)) error {
	_, err := asked(call, func(*abi.Nothing) struct{} { return struct{}{} })
	return err
}

func lowerTarget(c *abi.Call, id string, o options) wireTarget {
	return wireTarget{id: c.Text(id), app: c.Optional(o.app)}
}

func lowerCase[C ~uint8](chosen *C) abi.Option[uint8] {
	if chosen == nil {
		return abi.Option[uint8]{}
	}
	return abi.Some(uint8(*chosen))
}

func liftTime(ms uint64) time.Time { return time.UnixMilli(int64(ms)).UTC() }

func liftInstance(given *wireInstance) *Instance {
	instance := &Instance{
		ID:           given.id.String(),
		App:          given.app.String(),
		Workflow:     given.workflow.String(),
		Status:       Status(given.status),
		CustomStatus: abi.Optional(given.customStatus),
		WaitingOn:    abi.Optional(given.waitingOn),
		Problem:      abi.Optional(given.problem),
		CreatedAt:    liftTime(given.createdAtMs),
		UpdatedAt:    liftTime(given.updatedAtMs),
		Metadata:     given.metadata.Pairs(),
	}
	if given.waitingSinceMs.IsSome {
		instance.WaitingSince = liftTime(given.waitingSinceMs.Value)
	}
	if given.output.IsSome {
		instance.Output = given.output.Value.Data.Bytes()
	}
	if given.failure.IsSome {
		failure := &given.failure.Value
		instance.Failure = &Failure{failure.Kind.String(), failure.Message.String(), failure.NonRetryable}
	}
	return instance
}

func start(workflow string, input []byte, o options) (string, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		wasmStart(abi.Place(c, &wireStart{workflow: c.Text(workflow), input: c.JSON(input), options: wireStartOptions{
			instanceID: c.Optional(o.instanceID),
			app:        c.Optional(o.app),
			startAtMs:  abi.Option[uint64]{IsSome: !o.startAt.IsZero(), Value: uint64(o.startAt.UnixMilli())},
			reuse:      lowerCase(o.reuse),
			conflict:   lowerCase(o.conflict),
			metadata:   c.Pairs(o.metadata),
		}}), result)
	}, (*abi.Text).String)
}

func get(id string, o options) (*Instance, error) {
	return asked(func(_ *abi.Call, result unsafe.Pointer) { wasmGet(id, o.app != "", o.app, result) },
		func(found *abi.Option[wireInstance]) *Instance {
			if !found.IsSome {
				return nil
			}
			return liftInstance(&found.Value)
		})
}

func wait(id string, o options) (*Instance, error) {
	return asked(func(_ *abi.Call, result unsafe.Pointer) {
		wasmWait(id, o.app != "", o.app, o.timeout > 0, uint64(o.timeout.Milliseconds()), result)
	}, liftInstance)
}

func raise(id, event string, data []byte, o options) error {
	return done(func(c *abi.Call, result unsafe.Pointer) {
		wasmRaise(abi.Place(c, &wireRaise{
			target:   lowerTarget(c, id, o),
			name:     c.Text(event),
			data:     c.JSON(data),
			eventID:  c.Optional(o.eventID),
			metadata: c.Pairs(o.metadata),
		}), result)
	})
}

func cancel(id, reason string, o options) error {
	return done(func(_ *abi.Call, result unsafe.Pointer) { wasmCancel(id, o.app != "", o.app, reason, result) })
}

func suspend(id, reason string, o options) error {
	return done(func(_ *abi.Call, result unsafe.Pointer) { wasmSuspend(id, o.app != "", o.app, reason, result) })
}

func resume(id, reason string, o options) error {
	return done(func(_ *abi.Call, result unsafe.Pointer) { wasmResume(id, o.app != "", o.app, reason, result) })
}

func terminate(id, reason string, o options) error {
	return done(func(c *abi.Call, result unsafe.Pointer) {
		metadata, metadataLen := c.Pairs(o.metadata).Flat()
		wasmTerminate(id, o.app != "", o.app, reason, o.isRecursive, metadata, metadataLen, result)
	})
}

func purge(id string, o options) (bool, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		metadata, metadataLen := c.Pairs(o.metadata).Flat()
		wasmPurge(id, o.app != "", o.app, o.isForced, o.isRecursive, metadata, metadataLen, result)
	}, func(wasThere *bool) bool { return *wasThere })
}

func list(prefix string, o options) (instances []*Instance, next string, err error) {
	instances, err = asked(func(c *abi.Call, result unsafe.Pointer) {
		statuses, statusesLen := abi.Lower(c, o.statuses).Flat()
		metadata, metadataLen := c.Pairs(o.metadata).Flat()
		wasmList(o.app != "", o.app, o.workflow != "", o.workflow, statuses, statusesLen, prefix,
			o.limit, o.token != "", o.token, metadata, metadataLen, result)
	}, func(page *wirePage) []*Instance {
		next = abi.Optional(page.next)
		return abi.Lift(page.instances, liftInstance)
	})
	return instances, next, err
}

func rerun(id string, event uint64, o options) (string, error) {
	return asked(func(c *abi.Call, result unsafe.Pointer) {
		parameters := &wireRerun{
			target:        lowerTarget(c, id, o),
			event:         event,
			newInstanceID: c.Optional(o.instanceID),
			metadata:      c.Pairs(o.metadata),
		}
		if o.input != nil {
			parameters.input = abi.Some(c.JSON(o.input))
		}
		wasmRerun(abi.Place(c, parameters), result)
	}, (*abi.Text).String)
}
