//go:build !wasip1

package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/world"
)

// A workflow in berthtest's world runs to its end at once: each activity once, where it is asked for; events are there or time
// out; nobody waits.

// Run runs a workflow that Define has defined, and reads its result into a value, if it is not nil; for tests.
func Run(name string, input, into any) error {
	return ran(name, input, into, runWorkflow)
}

// RunActivity runs one attempt of an activity that DefineActivity has defined; for tests.
func RunActivity(task *Task, name string, input, into any) error {
	return ran(name, input, into, func(name string, text []byte) ([]byte, error) { return runActivity(task, name, text) })
}

func ran(name string, input, into any, run func(string, []byte) ([]byte, error)) error {
	text, err := json.Marshal(input)
	if err != nil {
		return err
	}
	output, err := run(name, text)
	if err != nil {
		return failureOf(err)
	}
	return read(output, into)
}

type ended struct {
	result []byte
	err    error
}

// What was begun has ended; an operation's handle is its place here, counted from 1.
var operations []ended

func begun(result []byte, err error) (*Operation, error) {
	operations = append(operations, ended{result, err})
	return &Operation{uint32(len(operations))}, nil
}

func (o *Operation) wait() ([]byte, error) {
	end := operations[o.handle-1]
	return end.result, end.err
}

func (o *Operation) hasEnded() bool { return true }

func asked(format string, values ...any) {
	world.Current.Asked = append(world.Current.Asked, fmt.Sprintf(format, values...))
}

func callActivity(name string, input []byte, o options) ([]byte, error) {
	asked("activity %s", name)
	if stub := world.Current.Activities[name]; stub != nil {
		return asFailure(stub(input))
	}
	task := &Task{InstanceID: instanceID(), ID: name, Attempt: 1, IdempotencyKey: instanceID() + "-" + name}
	return asFailure(runActivity(task, name, input))
}

func callChild(name string, input []byte, o options) ([]byte, error) {
	asked("child %s", name)
	if stub := world.Current.Children[name]; stub != nil {
		return asFailure(stub(input))
	}
	return asFailure(runWorkflow(name, input))
}

// What the host would refuse a workflow stays as it is, anything else is a failure.
func asFailure(output []byte, err error) ([]byte, error) {
	var refused *berth.Error
	if err == nil || errors.As(err, &refused) && refused.Kind == berth.Canceled {
		return output, err
	}
	return nil, failureOf(err)
}

func waitEvent(name string, o options) ([]byte, error) {
	asked("event %s", name)
	w := world.Current
	if waiting := w.Events[name]; len(waiting) > 0 {
		w.Events[name] = waiting[1:]
		return waiting[0], nil
	}
	w.Now = w.Now.Add(o.timeout)
	return nil, world.Fail(berth.Timeout, "the event "+name+" did not come")
}

func scheduleActivity(name string, input []byte, o options) (*Operation, error) {
	return begun(callActivity(name, input, o))
}

func scheduleChild(name string, input []byte, o options) (*Operation, error) {
	return begun(callChild(name, input, o))
}

func scheduleEvent(name string, o options) (*Operation, error) { return begun(waitEvent(name, o)) }

func sleep(ms uint64) error {
	asked("timer %d ms", ms)
	world.Current.Now = world.Current.Now.Add(time.Duration(ms) * time.Millisecond)
	return nil
}

func scheduleTimer(ms uint64) (*Operation, error) { return begun(nil, sleep(ms)) }

// The first whose wait would not fail for want of an event.
func waitAny(operations []*Operation) (int, error) {
	if len(operations) == 0 {
		return 0, world.Fail(berth.Invalid, "nothing to wait for")
	}
	for i, operation := range operations {
		if _, err := operation.wait(); !errors.Is(err, berth.Timeout) {
			return i, nil
		}
	}
	return 0, nil
}

func waitAll([]*Operation) error { return nil }

func continueAsNew(input []byte, _ bool) error {
	asked("again %s", input)
	return nil
}

func setStatus(text string) error {
	world.Current.Status = text
	return nil
}

func random(count uint32) ([]byte, error) { return make([]byte, count), nil }
func instanceID() string                  { return "instance" }
func uuid() string                        { return "00000000-0000-4000-8000-000000000000" }
func nowMs() uint64                       { return uint64(world.Current.Now.UnixMilli()) }
func patched(string) (bool, error)        { return true, nil }
func isReplaying() bool                   { return false }
func log(Level, string)                   {}
