// Package workflow defines durable workflows and their activities. Package workflow/client starts them. A program that imports
// it has workflows.
//
//	func init() {
//		workflow.Define("greet", func(ctx *workflow.Context, name string) (string, error) {
//			return workflow.Call[string](ctx, "say", "Hello "+name)
//		})
//		workflow.DefineActivity("say", func(task *workflow.Task, text string) (string, error) { ... })
//	}
//
// A workflow does nothing but what its Context offers: it is run again from the beginning after a crash, and must do the same
// again. It starts no goroutines, and where the order matters it does not range over a map.
package workflow

import (
	"encoding/json"
	"errors"

	"berth.dev/sdk/berth"
)

// Failure is why an activity or a workflow failed, as it is recorded.
type Failure struct {
	// What retry policies match: a name of the application's own, or one of the host's, which begin with "berth.".
	Kind string
	// For people.
	Message string
	// Another attempt cannot help.
	NonRetryable bool
}

func (f *Failure) Error() string { return f.Message }

// Is makes errors.Is(err, berth.Failed) true.
func (f *Failure) Is(target error) bool { return target == berth.Failed }

// failureOf is how an error of a workflow or activity is recorded: under its own kind, if it has one.
func failureOf(err error) *Failure {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	var coded *berth.Error
	if errors.As(err, &coded) {
		return &Failure{Kind: string(coded.Kind), Message: err.Error()}
	}
	return &Failure{Kind: "error", Message: err.Error()}
}

// Task is one attempt of an activity.
type Task struct {
	// The workflow that asked for it, and its app.
	InstanceID, AppID string
	// Names the activity within the run of the workflow.
	ID string
	// 1 for the first attempt.
	Attempt uint32
	// The same for all attempts of this activity, and for no other activity: what others may use to do a thing once.
	IdempotencyKey string
	Metadata       map[string]string
}

type (
	// Workflow and activity, with input and output as they are stored.
	runner         func(*Context, []byte) ([]byte, error)
	activityRunner func(*Task, []byte) ([]byte, error)
)

var (
	workflows  = map[string]runner{}
	activities = map[string]activityRunner{}
)

// Define defines a workflow. It belongs into init or a variable of a package: the host asks when the guest is loaded. Input and
// output are JSON; json.RawMessage takes them as they are.
func Define[I, O any](name string, run func(*Context, I) (O, error)) {
	workflows[name] = func(ctx *Context, input []byte) ([]byte, error) {
		return coded(input, func(input I) (O, error) { return run(ctx, input) })
	}
}

// DefineActivity defines an activity: what has an effect. It runs at least once.
func DefineActivity[I, O any](name string, run func(*Task, I) (O, error)) {
	activities[name] = func(task *Task, input []byte) ([]byte, error) {
		return coded(input, func(input I) (O, error) { return run(task, input) })
	}
}

func coded[I, O any](text []byte, run func(I) (O, error)) ([]byte, error) {
	var input I
	if err := read(text, &input); err != nil {
		return nil, &Failure{Kind: "input", Message: "the input is wrong: " + err.Error(), NonRetryable: true}
	}
	output, err := run(input)
	if err != nil {
		return nil, err
	}
	return json.Marshal(output)
}

// read reads JSON; nothing at all leaves the value as it is.
func read(text []byte, into any) error {
	if len(text) == 0 || into == nil {
		return nil
	}
	return json.Unmarshal(text, into)
}

func runWorkflow(name string, input []byte) ([]byte, error) {
	run := workflows[name]
	if run == nil {
		return nil, &Failure{Kind: "unknown", Message: "there is no workflow " + name, NonRetryable: true}
	}
	return run(&Context{}, input)
}

func runActivity(task *Task, name string, input []byte) ([]byte, error) {
	run := activities[name]
	if run == nil {
		return nil, &Failure{Kind: "unknown", Message: "there is no activity " + name, NonRetryable: true}
	}
	return run(task, input)
}
