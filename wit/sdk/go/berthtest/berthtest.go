//go:build !wasip1

// Package berthtest is the world around a program in `go test`: stores, topics, secrets and apps in memory.
//
//	func TestCount(t *testing.T) {
//		w := berthtest.New(t)
//		answer := httptest.NewRecorder()
//		web.Handler().ServeHTTP(answer, httptest.NewRequest("POST", "/visits", nil))
//		...
//	}
//
// Tests that use it do not run in parallel. subscriptions.Deliver, workflow.Run and workflow.RunActivity are there for them, too.
package berthtest

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
	"time"

	"berth.dev/sdk/internal/world"
)

// World is what the blocks remember.
type World struct{ inner *world.World }

// Message is one that was published.
type Message = world.Message

// Instance is a workflow that was started.
type Instance = world.Instance

// New makes an empty world, which the program has until the test ends.
func New(t testing.TB) *World {
	t.Helper()
	before := world.Current
	world.Current = world.New()
	t.Cleanup(func() { world.Current = before })
	return &World{world.Current}
}

// Break lets every call fail, until it is called with nil.
func (w *World) Break(err error) { w.inner.Broken = err }

// Secret puts a secret into a store.
func (w *World) Secret(store, name string, fields map[string]string) {
	if w.inner.Secrets[store] == nil {
		w.inner.Secrets[store] = map[string]map[string]string{}
	}
	w.inner.Secrets[store][name] = fields
}

// App lets a handler answer what an app is asked.
func (w *World) App(id string, handler http.Handler) { w.inner.Apps[id] = handler }

// Published gives the messages that were published, in order.
func (w *World) Published() []Message { return slices.Clone(w.inner.Published) }

// Instance gives a workflow that was started; nil if none was under this ID.
func (w *World) Instance(id string) *Instance { return w.inner.Instances[id] }

// Event puts an event where workflow.Run finds it.
func (w *World) Event(name string, data any) {
	text, err := json.Marshal(data)
	if err != nil {
		panic(err)
	}
	w.inner.Events[name] = append(w.inner.Events[name], text)
}

// Activity takes the place of an activity that workflows call.
func (w *World) Activity(name string, run func(input []byte) (any, error)) {
	w.inner.Activities[name] = encoded(run)
}

// Child takes the place of a workflow that workflows start.
func (w *World) Child(name string, run func(input []byte) (any, error)) {
	w.inner.Children[name] = encoded(run)
}

func encoded(run func([]byte) (any, error)) func([]byte) ([]byte, error) {
	return func(input []byte) ([]byte, error) {
		output, err := run(input)
		if err != nil {
			return nil, err
		}
		return json.Marshal(output)
	}
}

// Asked gives what workflows asked for, in order, such as "activity charge" and "event approved".
func (w *World) Asked() []string { return slices.Clone(w.inner.Asked) }

// Status is what workflows showed last.
func (w *World) Status() string { return w.inner.Status }

// Now is the time of workflows, which their timers move.
func (w *World) Now() time.Time { return w.inner.Now }
