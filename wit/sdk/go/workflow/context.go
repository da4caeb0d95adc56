package workflow

import (
	"encoding/json"
	"time"

	"berth.dev/sdk/berth"
)

// Context is what a workflow can do.
type Context struct{}

// Operation is something that was begun and ends some time later: an activity, a timer, an event, a child.
type Operation struct{ handle uint32 }

// Wait waits for the end and reads the result into a value, if it is not nil. May be called again.
func (o *Operation) Wait(into any) error {
	result, err := o.wait()
	if err != nil {
		return err
	}
	return read(result, into)
}

// HasEnded says whether it has, as far as this workflow has waited.
func (o *Operation) HasEnded() bool { return o.hasEnded() }

// Retry is when a failed activity or child is attempted again.
type Retry struct {
	// In all. 0: three. 1: no second attempt.
	MaxAttempts uint32
	// Pause after the first. 0: one second.
	FirstInterval time.Duration
	// Factor from each pause to the next. 0: 2.
	Backoff float64
	// Longest pause. 0: no bound.
	MaxInterval time.Duration
	// No attempt begins later than this. 0: no bound.
	Total time.Duration
	// Kinds of failure that are final.
	NonRetryable []string
}

// Option changes how an activity, a child or a wait for an event is begun. Those that do not apply have no effect.
type Option func(*options)

type options struct {
	retry         *Retry
	app           string
	instanceID    string
	timeout       time.Duration
	isQueued      bool
	recordsIntent bool
	metadata      map[string]string
}

func optionsOf(given []Option) (o options) {
	for _, option := range given {
		option(&o)
	}
	return o
}

// WithRetry attempts a failed activity or child again. Without it: three attempts of an activity, one of a child.
func WithRetry(retry Retry) Option { return func(o *options) { o.retry = &retry } }

// InApp names the app that has the activity or child; else it is this one.
func InApp(app string) Option { return func(o *options) { o.app = app } }

// WithID gives a child an instance ID of the caller's choice.
func WithID(id string) Option { return func(o *options) { o.instanceID = id } }

// WithTimeout is the longest time of one attempt of an activity, or the time to wait for an event.
func WithTimeout(timeout time.Duration) Option { return func(o *options) { o.timeout = timeout } }

// Queued runs an activity through a durable queue, on whichever host has its app.
func Queued() Option { return func(o *options) { o.isQueued = true } }

// RecordIntent records each attempt of an activity before it begins: one whose host ended meanwhile has failed, with the
// kind "berth.lost".
func RecordIntent() Option { return func(o *options) { o.recordsIntent = true } }

// WithMetadata is passed on.
func WithMetadata(metadata map[string]string) Option {
	return func(o *options) { o.metadata = metadata }
}

// Call runs an activity and gives its result.
func Call[O any](ctx *Context, name string, input any, given ...Option) (output O, err error) {
	err = ctx.CallActivity(name, input, &output, given...)
	return output, err
}

// Await waits for an event and gives its data. With WithTimeout, berth.Timeout is the error of one that does not come.
func Await[D any](ctx *Context, name string, given ...Option) (data D, err error) {
	err = ctx.WaitEvent(name, &data, given...)
	return data, err
}

// InstanceID is this workflow's.
func (*Context) InstanceID() string { return instanceID() }

// CallActivity runs an activity, waits for it, and reads its result into a value, if it is not nil. A *Failure is why it
// failed, all attempts made.
func (*Context) CallActivity(name string, input, into any, given ...Option) error {
	return called(callActivity, name, input, into, given)
}

// ScheduleActivity begins an activity. Those that are begun before the first is waited for run side by side.
func (*Context) ScheduleActivity(name string, input any, given ...Option) (*Operation, error) {
	return scheduled(scheduleActivity, name, input, given)
}

// CallChild starts another workflow, waits for it, and reads its result into a value.
func (*Context) CallChild(name string, input, into any, given ...Option) error {
	return called(callChild, name, input, into, given)
}

// ScheduleChild starts another workflow.
func (*Context) ScheduleChild(name string, input any, given ...Option) (*Operation, error) {
	return scheduled(scheduleChild, name, input, given)
}

func called(call func(string, []byte, options) ([]byte, error), name string, input, into any, given []Option) error {
	text, err := json.Marshal(input)
	if err != nil {
		return err
	}
	result, err := call(name, text, optionsOf(given))
	if err != nil {
		return err
	}
	return read(result, into)
}

func scheduled(schedule func(string, []byte, options) (*Operation, error), name string, input any, given []Option) (*Operation, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return nil, err
	}
	return schedule(name, text, optionsOf(given))
}

// Sleep waits.
func (*Context) Sleep(duration time.Duration) error { return sleep(milliseconds(duration)) }

// ScheduleTimer begins a timer.
func (*Context) ScheduleTimer(duration time.Duration) (*Operation, error) {
	return scheduleTimer(milliseconds(duration))
}

// WaitEvent waits for an event and reads its data into a value, if it is not nil.
func (*Context) WaitEvent(name string, into any, given ...Option) error {
	data, err := waitEvent(name, optionsOf(given))
	if err != nil {
		return err
	}
	return read(data, into)
}

// ScheduleEvent begins to wait for an event.
func (*Context) ScheduleEvent(name string, given ...Option) (*Operation, error) {
	return scheduleEvent(name, optionsOf(given))
}

// WaitAny waits for the first that ends and gives its place.
func (*Context) WaitAny(operations ...*Operation) (int, error) { return waitAny(operations) }

// WaitAll waits until all have ended, well or not: Wait gives each result at once.
func (*Context) WaitAll(operations ...*Operation) error { return waitAll(operations) }

// ContinueAsNew lets the instance begin again with this input and an empty history, when the workflow returns. Events that
// nobody has waited for are kept if keepEvents is set.
func (*Context) ContinueAsNew(input any, keepEvents bool) error {
	text, err := json.Marshal(input)
	if err != nil {
		return err
	}
	return continueAsNew(text, keepEvents)
}

// Now is the time of the last thing that this workflow was given: the same in every replay.
func (*Context) Now() time.Time { return time.UnixMilli(int64(nowMs())).UTC() }

// Random gives bytes that are the same in every replay.
func (*Context) Random(count uint32) ([]byte, error) { return random(count) }

// UUID gives one that is the same in every replay.
func (*Context) UUID() string { return uuid() }

// SetStatus shows a text beside the status of the instance.
func (*Context) SetStatus(text string) error { return setStatus(text) }

// Patched says whether code that was changed while instances were running takes the new path.
func (*Context) Patched(id string) (bool, error) { return patched(id) }

// IsReplaying says whether this place was passed before.
func (*Context) IsReplaying() bool { return isReplaying() }

// Level is how important a line of the log is.
type Level uint8

// In the order of the WIT enum.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

// Log writes a line for the host's log; it is left out while replaying.
func (*Context) Log(level Level, message string) { log(level, message) }

func milliseconds(duration time.Duration) uint64 { return uint64(max(0, duration.Milliseconds())) }

// In the order of the WIT variant; the first case is a Failure.
var contextKinds = []berth.Kind{
	berth.Failed, berth.Timeout, berth.Canceled, berth.Invalid, berth.TooLarge, berth.Other,
}
