//go:build !wasip1

// Package world is what a program calls outside of a host: a world in memory, which tests look into through package berthtest.
package world

import (
	"net/http"
	"strconv"
	"time"

	"berth.dev/sdk/berth"
)

// World is everything that the blocks remember.
type World struct {
	// The error of every call, if it is not nil.
	Broken error
	// By store and key.
	Stores    map[string]map[string]Value
	Published []Message
	// By store, name and field.
	Secrets map[string]map[string]map[string]string
	Apps    map[string]http.Handler
	// By ID.
	Instances map[string]*Instance
	// What workflows find: events, by name and in order; what takes the place of activities and children.
	Events     map[string][][]byte
	Activities map[string]func(input []byte) ([]byte, error)
	Children   map[string]func(input []byte) ([]byte, error)
	// What they did.
	Asked  []string
	Status string
	Now    time.Time
	// How often something was written: the etags.
	writes int
}

// Value is what a key holds.
type Value struct {
	Data              []byte
	ETag, ContentType string
}

// Message is one that was published.
type Message struct {
	Pubsub, Topic, ContentType string
	Data                       []byte
	Metadata                   map[string]string
}

// Instance is a workflow that was started.
type Instance struct {
	ID, Workflow string
	Input        []byte
	Status       string
	// Names of the events that it was sent.
	Events []string
}

// Current is the world of the calls that follow.
var Current = New()

// New is an empty one.
func New() *World {
	return &World{
		Stores:     map[string]map[string]Value{},
		Secrets:    map[string]map[string]map[string]string{},
		Apps:       map[string]http.Handler{},
		Instances:  map[string]*Instance{},
		Events:     map[string][][]byte{},
		Activities: map[string]func([]byte) ([]byte, error){},
		Children:   map[string]func([]byte) ([]byte, error){},
		Now:        time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC),
	}
}

// Store gives the keys of a store.
func (w *World) Store(name string) map[string]Value {
	if w.Stores[name] == nil {
		w.Stores[name] = map[string]Value{}
	}
	return w.Stores[name]
}

// NextETag gives one that nothing had.
func (w *World) NextETag() string {
	w.writes++
	return strconv.Itoa(w.writes)
}

// Fail is an error of the host.
func Fail(kind berth.Kind, message string) error { return &berth.Error{Kind: kind, Message: message} }
