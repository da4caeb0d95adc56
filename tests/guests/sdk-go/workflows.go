package main

import (
	"errors"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/workflow"
	"berth.dev/sdk/workflow/client"
)

func init() {
	workflow.Define("context", everything)
	workflow.Define("child", func(_ *workflow.Context, number int) (int, error) { return number + 1, nil })
	workflow.Define("wait", func(ctx *workflow.Context, _ any) (string, error) {
		return workflow.Await[string](ctx, "go")
	})
	workflow.Define("again", func(ctx *workflow.Context, left int) (int, error) {
		if left == 0 {
			return 0, nil
		}
		return left, ctx.ContinueAsNew(left-1, false)
	})
	workflow.DefineActivity("double", func(_ *workflow.Task, number int) (int, error) { return 2 * number, nil })
	workflow.DefineActivity("refuse", func(task *workflow.Task, _ any) (any, error) {
		if task.Attempt == 1 {
			return nil, errors.New("once more")
		}
		return nil, &workflow.Failure{Kind: "refused", Message: "never", NonRetryable: true}
	})
}

// everything calls each function of a context.
func everything(ctx *workflow.Context, _ any) (done report, err error) {
	done = report{"id": ctx.InstanceID()}
	ctx.SetStatus("at it")
	ctx.Log(workflow.Info, "everything")
	steps := []func(*workflow.Context, report) error{values, activities, children, timers, events}
	for _, step := range steps {
		if err := step(ctx, done); err != nil {
			return nil, err
		}
	}
	return done, nil
}

func values(ctx *workflow.Context, done report) error {
	bytes, err := ctx.Random(5)
	if err != nil {
		return err
	}
	done["bytes"], done["uuid"], done["year"] = len(bytes), len(ctx.UUID()), ctx.Now().Year() > 2000
	done["patched"], err = ctx.Patched("new")
	ctx.IsReplaying()
	return err
}

func activities(ctx *workflow.Context, done report) error {
	first, err := ctx.ScheduleActivity("double", 1, workflow.Queued(), workflow.RecordIntent())
	if err != nil {
		return err
	}
	second, err := ctx.ScheduleActivity("double", 2, workflow.WithTimeout(time.Minute))
	if err != nil {
		return err
	}
	if err := ctx.WaitAll(first, second); err != nil {
		return err
	}
	var one, two int
	if err := errors.Join(first.Wait(&one), second.Wait(&two)); err != nil {
		return err
	}
	done["doubled"], done["ended"] = []int{one, two}, first.HasEnded()
	retry := workflow.Retry{
		MaxAttempts: 5, FirstInterval: time.Millisecond, Backoff: 1, MaxInterval: time.Second, Total: time.Minute,
		NonRetryable: []string{"fatal"},
	}
	var failure *workflow.Failure
	if err := ctx.CallActivity("refuse", nil, nil, workflow.WithRetry(retry)); !errors.As(err, &failure) {
		return err
	}
	done["refused"] = failure.Kind + " " + failure.Message
	return nil
}

func children(ctx *workflow.Context, done report) error {
	var number int
	if err := ctx.CallChild("child", 1, &number); err != nil {
		return err
	}
	named, err := ctx.ScheduleChild("child", number, workflow.WithID(ctx.InstanceID()+"-child"))
	if err != nil {
		return err
	}
	err = named.Wait(&number)
	done["child"] = number
	return err
}

func timers(ctx *workflow.Context, done report) error {
	if err := ctx.Sleep(time.Millisecond); err != nil {
		return err
	}
	short, err := ctx.ScheduleTimer(time.Millisecond)
	if err != nil {
		return err
	}
	long, err := ctx.ScheduleTimer(time.Hour)
	if err != nil {
		return err
	}
	done["first"], err = ctx.WaitAny(long, short)
	return err
}

func events(ctx *workflow.Context, done report) error {
	waiting, err := ctx.ScheduleEvent("go")
	if err != nil {
		return err
	}
	var said string
	if err := waiting.Wait(&said); err != nil {
		return err
	}
	done["said"] = said
	done["late"] = kind(ctx.WaitEvent("never", nil, workflow.WithTimeout(time.Millisecond)))
	return nil
}

func runContext() (report, error) {
	id, err := client.Start("context", nil)
	if err != nil {
		return nil, err
	}
	if err := client.Raise(id, "go", "hi", client.EventID("1")); err != nil {
		return nil, err
	}
	ended, err := client.Wait(id, client.Timeout(time.Minute))
	if err != nil {
		return nil, err
	}
	if ended.Failure != nil {
		return nil, ended.Failure
	}
	var done report
	if err := ended.JSON(&done); err != nil {
		return nil, err
	}
	done["id"], done["status"] = done["id"] == id, ended.CustomStatus
	again, err := client.Start("again", 2)
	if err != nil {
		return nil, err
	}
	ended, err = client.Wait(again)
	if err != nil {
		return nil, err
	}
	done["again"] = string(ended.Output)
	return done, nil
}

// runClient calls each function of the client, on instances that wait.
func runClient() (report, error) {
	for _, id := range []string{"c-1", "c-2", "c-3"} {
		if _, err := client.Start("wait", nil, client.WithID(id), client.WithReuse(client.IfEnded)); err != nil {
			return nil, err
		}
	}
	_, exists := client.Start("wait", nil, client.WithID("c-1"), client.OnConflict(client.Fail))
	_, unknown := client.Start("nothing", nil)
	done := report{"exists": kind(exists), "unknown": kind(unknown)}
	_, late := client.Wait("c-1", client.Timeout(time.Millisecond))
	done["late"] = kind(late)
	missing, err := client.Get("c-9")
	done["missing"] = missing == nil && err == nil
	done["nobody"] = kind(client.Raise("c-9", "go", nil))
	for _, step := range []func() error{
		func() error { return client.Suspend("c-1", "a pause") },
		func() error { return client.Resume("c-1", "go on") },
		func() error { return client.Raise("c-1", "go", "done") },
		func() error { return client.Cancel("c-2", "no more") },
		func() error { return client.Terminate("c-3", "at once", client.Recursive()) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	statuses := []string{}
	for _, id := range []string{"c-1", "c-2", "c-3"} {
		ended, err := client.Wait(id)
		if err != nil {
			return nil, err
		}
		statuses = append(statuses, ended.Status.String())
	}
	done["statuses"] = statuses
	return done, lookAfter(done)
}

func lookAfter(done report) error {
	page, next, err := client.List("c-", client.Page(2, ""), client.OfWorkflow("wait"))
	if err != nil {
		return err
	}
	done["page"], done["more"] = len(page), next != ""
	count := 0
	for instance, err := range client.All("c-", client.InStatus(client.Completed, client.Canceled)) {
		if err != nil {
			return err
		}
		if instance.App == "sdk-go" && instance.Workflow == "wait" && !instance.CreatedAt.IsZero() {
			count++
		}
	}
	done["listed"] = count
	rerun, err := client.Rerun("c-1", 0, client.WithID("c-4"), client.Input("again"))
	if err != nil {
		return err
	}
	done["rerun"] = rerun
	forced, err := client.Purge("c-4", client.Force())
	if err != nil {
		return err
	}
	again, err := client.Purge("c-4")
	done["purged"] = []bool{forced, again}
	if errors.Is(err, berth.NotFound) {
		err = nil
	}
	return err
}
