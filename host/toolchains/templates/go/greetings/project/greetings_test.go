package main

import (
	"testing"

	"berth.dev/sdk/berthtest"
	"berth.dev/sdk/workflow"
)

func TestAnAnswerIsThankedFor(t *testing.T) {
	w := berthtest.New(t)
	w.Event(answered, "hi")
	var result thanks
	if err := workflow.Run(greeting, "Ada", &result); err != nil {
		t.Fatal(err)
	}
	if result.Said != `Thank you for "hi"` {
		t.Fatal(result)
	}
}

func TestWhoDoesNotAnswerIsNotThanked(t *testing.T) {
	w := berthtest.New(t)
	if err := workflow.Run(greeting, "Ada", nil); err == nil {
		t.Fatal("nobody has answered")
	}
	if len(w.Asked()) != 2 {
		t.Fatal(w.Asked())
	}
}
