// Package client starts workflows and looks after them, from anywhere but a workflow: those of this app, unless an option names
// another.
package client

import (
	"encoding/json"
	"iter"
	"time"

	"berth.dev/sdk/berth"
)

// Status is how far an instance is.
type Status uint8

// In the order of the WIT enum.
const (
	// Created, has not run.
	Pending Status = iota
	Running
	// Takes nothing in until it is resumed.
	Suspended
	// Its code does not fit its history, or broke a rule: it goes on when the code is changed.
	Stalled
	Completed
	Failed
	// Ended with an error after it was asked to cancel.
	Canceled
	// Ended from outside.
	Terminated
)

var statusNames = []string{
	"pending", "running", "suspended", "stalled", "completed", "failed", "canceled", "terminated",
}

func (s Status) String() string { return statusNames[s] }

// HasEnded says whether an instance is done, however.
func (s Status) HasEnded() bool { return s >= Completed }

// Failure is why an instance failed.
type Failure struct {
	Kind, Message string
	NonRetryable  bool
}

func (f *Failure) Error() string { return f.Message }

// Instance is one run of a workflow.
type Instance struct {
	ID, App, Workflow string
	Status            Status
	CustomStatus      string
	// What it waits for, such as `activity "charge"`, and since when.
	WaitingOn    string
	WaitingSince time.Time
	// Why it is stalled.
	Problem string
	// JSON; nil in lists, and unless it completed.
	Output []byte
	// Nil in lists, and unless it failed, was canceled or terminated.
	Failure              *Failure
	CreatedAt, UpdatedAt time.Time
	Metadata             map[string]string
}

// JSON reads the output.
func (i *Instance) JSON(into any) error { return json.Unmarshal(i.Output, into) }

// Option changes a call. Those that do not apply have no effect.
type Option func(*options)

type options struct {
	app         string
	instanceID  string
	startAt     time.Time
	reuse       *Reuse
	conflict    *Conflict
	eventID     string
	isRecursive bool
	isForced    bool
	timeout     time.Duration
	workflow    string
	statuses    []Status
	limit       uint32
	token       string
	input       []byte
	inputErr    error
	metadata    map[string]string
}

func optionsOf(given []Option) (o options) {
	for _, option := range given {
		option(&o)
	}
	return o
}

// Reuse is whether the ID of an instance that has ended may be used again.
type Reuse uint8

// In the order of the WIT enum.
const (
	// However it ended.
	IfEnded Reuse = iota
	// If it did not complete.
	IfFailed
	Never
)

// Conflict is what happens when the ID belongs to an instance that may not be replaced.
type Conflict uint8

// In the order of the WIT enum.
const (
	// The error berth.Exists.
	Fail Conflict = iota
	// The existing instance is the answer.
	UseExisting
	// One that runs is terminated first.
	TerminateExisting
)

// InApp names the app of the workflow or instance.
func InApp(app string) Option { return func(o *options) { o.app = app } }

// WithID gives a new instance an ID; without it, it is a UUID.
func WithID(id string) Option { return func(o *options) { o.instanceID = id } }

// Once starts an instance of this ID, unless there is or was one: whoever does not know whether a start went through may
// repeat it.
func Once(id string) Option {
	return func(o *options) {
		WithID(id)(o)
		WithReuse(Never)(o)
		OnConflict(UseExisting)(o)
	}
}

// StartAt is when it first runs.
func StartAt(at time.Time) Option { return func(o *options) { o.startAt = at } }

// WithReuse says whether the ID may be used again; without it, IfEnded.
func WithReuse(reuse Reuse) Option { return func(o *options) { o.reuse = &reuse } }

// OnConflict says what happens if it may not; without it, Fail.
func OnConflict(conflict Conflict) Option { return func(o *options) { o.conflict = &conflict } }

// EventID makes an event one: a second with the same ID is dropped.
func EventID(id string) Option { return func(o *options) { o.eventID = id } }

// Recursive terminates or purges children, too.
func Recursive() Option { return func(o *options) { o.isRecursive = true } }

// Force purges also an instance that runs.
func Force() Option { return func(o *options) { o.isForced = true } }

// Timeout is how long Wait waits; without it, as long as the host allows.
func Timeout(timeout time.Duration) Option { return func(o *options) { o.timeout = timeout } }

// OfWorkflow lists only instances of this workflow.
func OfWorkflow(name string) Option { return func(o *options) { o.workflow = name } }

// InStatus lists only instances in one of these.
func InStatus(statuses ...Status) Option { return func(o *options) { o.statuses = statuses } }

// Page is the size of a page, at most 1,000, and where it begins: "" for the first.
func Page(limit uint32, token string) Option {
	return func(o *options) { o.limit, o.token = limit, token }
}

// Input takes the place of the input of the event that Rerun runs again, or for event 0 of the workflow.
func Input(input any) Option {
	return func(o *options) { o.input, o.inputErr = json.Marshal(input) }
}

// Metadata is passed on.
func Metadata(metadata map[string]string) Option { return func(o *options) { o.metadata = metadata } }

// Start starts a workflow and gives the ID of its instance, which is stored then and will run.
func Start(workflow string, input any, given ...Option) (string, error) {
	text, err := json.Marshal(input)
	if err != nil {
		return "", err
	}
	return start(workflow, text, optionsOf(given))
}

// Get gives an instance; nil if there is none.
func Get(id string, given ...Option) (*Instance, error) { return get(id, optionsOf(given)) }

// Wait waits until an instance has ended; berth.Timeout is the error if it has not by then.
func Wait(id string, given ...Option) (*Instance, error) { return wait(id, optionsOf(given)) }

// Raise sends an event. It waits if the workflow does not; one to an instance that has ended is dropped.
func Raise(id, event string, data any, given ...Option) error {
	text, err := json.Marshal(data)
	if err != nil {
		return err
	}
	return raise(id, event, text, optionsOf(given))
}

// Cancel asks a workflow to cancel: what it waits for ends with berth.Canceled, what it begins after that works.
func Cancel(id, reason string, given ...Option) error { return cancel(id, reason, optionsOf(given)) }

// Suspend lets nothing more happen until Resume.
func Suspend(id, reason string, given ...Option) error { return suspend(id, reason, optionsOf(given)) }

// Resume lets it go on.
func Resume(id, reason string, given ...Option) error { return resume(id, reason, optionsOf(given)) }

// Terminate ends an instance at once.
func Terminate(id, reason string, given ...Option) error {
	return terminate(id, reason, optionsOf(given))
}

// Purge removes an instance that has ended, with everything that belongs to it. False: there was none.
func Purge(id string, given ...Option) (bool, error) { return purge(id, optionsOf(given)) }

// List gives a page of the instances whose ID begins with a prefix, newest first, and the token of the next page; "" at the end.
func List(prefix string, given ...Option) (instances []*Instance, next string, err error) {
	return list(prefix, optionsOf(given))
}

// All gives the instances whose ID begins with a prefix, page by page. After an error there is no further one.
func All(prefix string, given ...Option) iter.Seq2[*Instance, error] {
	return func(yield func(*Instance, error) bool) {
		o := optionsOf(given)
		for {
			instances, next, err := list(prefix, o)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, instance := range instances {
				if !yield(instance, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			o.token = next
		}
	}
}

// Rerun starts a new instance with the history of another up to an event, which is run again, and gives its ID.
func Rerun(id string, event uint64, given ...Option) (string, error) {
	o := optionsOf(given)
	if o.inputErr != nil {
		return "", o.inputErr
	}
	return rerun(id, event, o)
}

// In the order of the WIT variant.
var kinds = []berth.Kind{
	berth.NotFound, berth.Exists, berth.Denied, berth.Invalid, berth.NotAllowed,
	berth.Unavailable, berth.Timeout, berth.TooLarge, berth.Other,
}
