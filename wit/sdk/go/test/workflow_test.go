package test

import (
	"errors"
	"testing"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/berthtest"
	"berth.dev/sdk/workflow"
	"berth.dev/sdk/workflow/client"
)

func init() {
	workflow.DefineActivity("double", func(task *workflow.Task, number int) (int, error) {
		if number > 100 {
			return 0, &workflow.Failure{Kind: "too-much", Message: "no", NonRetryable: true}
		}
		return 2 * number, nil
	})
	workflow.Define("double-it", func(ctx *workflow.Context, number int) (int, error) {
		if err := ctx.Sleep(time.Minute); err != nil {
			return 0, err
		}
		first, err := ctx.ScheduleActivity("double", number)
		if err != nil {
			return 0, err
		}
		var doubled int
		if err := first.Wait(&doubled); err != nil {
			return 0, err
		}
		more, err := workflow.Await[int](ctx, "more", workflow.WithTimeout(time.Hour))
		return doubled + more, err
	})
}

func TestAWorkflowRunsInTheWorldOfATest(t *testing.T) {
	w := berthtest.New(t)
	w.Event("more", 5)
	var result int
	must(t, workflow.Run("double-it", 4, &result))
	if result != 13 || len(w.Asked()) != 3 {
		t.Fatal(result, w.Asked())
	}
}

func TestFailuresKeepTheirKind(t *testing.T) {
	w := berthtest.New(t)
	var failure *workflow.Failure
	err := workflow.Run("double-it", 101, nil)
	if !errors.As(err, &failure) || failure.Kind != "too-much" || !failure.NonRetryable {
		t.Fatal(err)
	}
	if !errors.Is(err, berth.Failed) {
		t.Fatal(err)
	}
	err = workflow.Run("double-it", 1, nil)
	if !errors.As(err, &failure) || failure.Kind != "timeout" {
		t.Fatal(err)
	}
	if w.Now().Hour() != 1 {
		t.Fatal(w.Now())
	}
	w.Activity("double", func([]byte) (any, error) { return nil, errors.New("down") })
	err = workflow.Run("double-it", 1, nil)
	if !errors.As(err, &failure) || failure.Kind != "error" || failure.NonRetryable {
		t.Fatal(err)
	}
	err = workflow.Run("double-it", "a text", nil)
	if !errors.As(err, &failure) || failure.Kind != "input" {
		t.Fatal(err)
	}
}

func TestStartingOnceIsSafeToRepeat(t *testing.T) {
	w := berthtest.New(t)
	for range 2 {
		id, err := client.Start("double-it", 1, client.Once("17"))
		if id != "17" || err != nil {
			t.Fatal(id, err)
		}
	}
	_, err := client.Start("double-it", 1, client.WithID("17"))
	fails(t, err, berth.Exists)
	must(t, client.Raise("17", "more", 1))
	if w.Instance("17").Events[0] != "more" {
		t.Fatal(w.Instance("17"))
	}
	fails(t, client.Raise("18", "more", 1), berth.NotFound)
}
