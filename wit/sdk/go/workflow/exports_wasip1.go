package workflow

import (
	"maps"
	"slices"
	"unsafe"

	"berth.dev/sdk/internal/abi"
)

type (
	wireTask struct {
		_                 abi.Layout
		instanceID, appID abi.Text
		id                abi.Text
		attempt           uint32
		idempotencyKey    abi.Text
		metadata          abi.List
	}
	wireActivityParameters struct {
		_     abi.Layout
		task  wireTask
		name  abi.Text
		input abi.Payload
	}
	wireEnded struct {
		_     abi.Layout
		isErr bool
		// Of both payload and failure; the longer one is the failure.
		payload [1]abi.WorkflowFailure
	}
)

// What the host reads after an export has returned.
var returning abi.Call

func names[R any](defined map[string]R) unsafe.Pointer {
	list := abi.LowerAll(&returning, slices.Sorted(maps.Keys(defined)), returning.Text)
	return abi.Place(&returning, &list)
}

//go:wasmexport berth:workflow/registry@0.1.0#workflows
func listWorkflows() unsafe.Pointer { return names(workflows) }

//go:wasmexport berth:workflow/registry@0.1.0#activities
func listActivities() unsafe.Pointer { return names(activities) }

// The parameters are the name and the payload, field by field.
//
//go:wasmexport berth:workflow/workflows@0.1.0#run
func exportRun(name, nameLen, data, dataLen uint32, _ bool, _, _ uint32) unsafe.Pointer {
	done := abi.Reading()
	text, input := abi.TextAt(name, nameLen), abi.ListAt(data, dataLen)
	workflow, bytes := text.String(), input.Bytes()
	done()
	return ended(runWorkflow(workflow, bytes))
}

//go:wasmexport berth:workflow/activities@0.1.0#run
func exportRunActivity(place unsafe.Pointer) unsafe.Pointer {
	return ended(runActivity(liftActivity(place)))
}

func liftActivity(place unsafe.Pointer) (*Task, string, []byte) {
	defer abi.Reading()()
	given := (*wireActivityParameters)(place)
	task := &given.task
	return &Task{
		InstanceID:     task.instanceID.String(),
		AppID:          task.appID.String(),
		ID:             task.id.String(),
		Attempt:        task.attempt,
		IdempotencyKey: task.idempotencyKey.String(),
		Metadata:       task.metadata.Pairs(),
	}, given.name.String(), given.input.Data.Bytes()
}

func ended(output []byte, err error) unsafe.Pointer {
	call := &returning
	call.Forget()
	result := &wireEnded{isErr: err != nil}
	if err == nil {
		*(*abi.Payload)(unsafe.Pointer(&result.payload)) = call.JSON(output)
	} else {
		failure := failureOf(err)
		result.payload[0] = abi.WorkflowFailure{
			Kind: call.Text(failure.Kind), Message: call.Text(failure.Message), NonRetryable: failure.NonRetryable,
		}
	}
	return abi.Place(call, result)
}
