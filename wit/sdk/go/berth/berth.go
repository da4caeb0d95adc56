// Package berth says why calls fail, for all the packages of the SDK.
package berth

import "errors"

// Kind is what a program can do about a failure. As an error it is what errors.Is compares with:
//
//	if errors.Is(err, berth.Conflict) { ... }
type Kind string

const (
	// NotFound: the store, topic, app, secret or instance is not there, or not for this app.
	NotFound Kind = "not-found"
	// Conflict: the etag is stale, or the key is there already. Read again, then decide.
	Conflict Kind = "conflict"
	// Exists: the ID of the workflow's instance is taken.
	Exists Kind = "exists"
	// Denied: a scope or policy forbids it. Another attempt will not help.
	Denied Kind = "denied"
	// Invalid: the request is wrong.
	Invalid Kind = "invalid"
	// NotAllowed: the workflow's instance is not in a state that allows this.
	NotAllowed Kind = "not-allowed"
	// Unavailable: the backend cannot be reached or is overloaded. Another attempt may help.
	Unavailable Kind = "unavailable"
	// Timeout: it did not happen in time, as far as is known.
	Timeout Kind = "timeout"
	// TooLarge: something exceeds a limit; the message gives both sizes.
	TooLarge Kind = "too-large"
	// Canceled: the workflow was asked to cancel while this was pending.
	Canceled Kind = "canceled"
	// Failed: the activity or child failed; the error is a *workflow.Failure.
	Failed Kind = "failed"
	// Other: anything else.
	Other Kind = "other"
)

func (k Kind) Error() string { return string(k) }

// Error is a call that failed.
type Error struct {
	Kind Kind
	// What happened, for people.
	Message string
}

func (e *Error) Error() string { return e.Message }

// Is makes errors.Is compare the kind.
func (e *Error) Is(target error) bool { return target == e.Kind }

// KindOf gives the kind of an error; Other if it is none of the host's.
func KindOf(err error) Kind {
	var own *Error
	if errors.As(err, &own) {
		return own.Kind
	}
	var kind Kind
	if errors.As(err, &kind) {
		return kind
	}
	return Other
}
