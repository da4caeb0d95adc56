// Package telemetry adds to the traces that the host records: spans, attributes, events. Where none are recorded, it does
// nothing.
package telemetry

import "fmt"

// Span is a part of what the guest does now: what it asks of the host until End nests below it.
type Span struct{ handle uint32 }

// Start begins a span below the innermost one that is open. End ends it:
//
//	defer telemetry.Start("price the order").End()
func Start(name string) *Span { return start(name) }

// Set sets an attribute: a text, number or truth; of anything else how fmt prints it.
func (s *Span) Set(name string, value any) { s.set(name, valueOf(value)) }

// Event notes that something happened now.
func (s *Span) Event(name string, attributes map[string]any) { s.event(name, valuesOf(attributes)) }

// Fail says that it failed. The message goes to the exporters: it should hold no personal data.
func (s *Span) Fail(message string) { s.fail(message) }

// End ends it.
func (s *Span) End() { s.end() }

// Set sets an attribute of the innermost span that is open.
func Set(name string, value any) { set(name, valueOf(value)) }

// Event notes that something happened now, in the same span.
func Event(name string, attributes map[string]any) { event(name, valuesOf(attributes)) }

// Traceparent is the W3C traceparent of the innermost span, for what does not go through the host.
func Traceparent() string { return traceparent() }

// IsRecorded says whether spans are recorded, so that costly attributes are worth their making.
func IsRecorded() bool { return isRecorded() }

type kind uint8

// In the order of the cases of the WIT variant.
const (
	text kind = iota
	integer
	number
	boolean
)

type value struct {
	kind    kind
	text    string
	integer int64
	number  float64
	boolean bool
}

func valueOf(given any) value {
	switch given := given.(type) {
	case string:
		return value{kind: text, text: given}
	case bool:
		return value{kind: boolean, boolean: given}
	case int:
		return value{kind: integer, integer: int64(given)}
	case int32:
		return value{kind: integer, integer: int64(given)}
	case int64:
		return value{kind: integer, integer: given}
	case uint32:
		return value{kind: integer, integer: int64(given)}
	case float32:
		return value{kind: number, number: float64(given)}
	case float64:
		return value{kind: number, number: given}
	default:
		return value{kind: text, text: fmt.Sprint(given)}
	}
}

func valuesOf(attributes map[string]any) map[string]value {
	values := make(map[string]value, len(attributes))
	for name, given := range attributes {
		values[name] = valueOf(given)
	}
	return values
}
