package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/web"
	"berth.dev/sdk/workflow"
	"berth.dev/sdk/workflow/client"
)

const (
	greeting = "greeting"
	answered = "answer"
	aDay     = 24 * time.Hour
	bodyMax  = 1 << 16
)

// A workflow: greets, waits for an answer, and thanks for it. It survives the host.
//
// POST /greetings starts one, POST /greetings/{id}/answer answers it, GET /greetings/{id} shows it.
func init() {
	workflow.Define(greeting, greet)
	workflow.DefineActivity("say", say)
	http.HandleFunc("POST /greetings", startGreeting)
	http.HandleFunc("POST /greetings/{id}/answer", answerGreeting)
	http.HandleFunc("GET /greetings/{id}", showGreeting)
}

type thanks struct {
	Said string `json:"said"`
}

// A workflow does nothing but what ctx offers: the host refuses everything else.
func greet(ctx *workflow.Context, name string) (*thanks, error) {
	if err := ctx.CallActivity("say", "Hello "+name, nil); err != nil {
		return nil, err
	}
	answer, err := workflow.Await[string](ctx, answered, workflow.WithTimeout(aDay))
	if err != nil {
		return nil, err
	}
	said, err := workflow.Call[string](ctx, "say", fmt.Sprintf("Thank you for %q", answer))
	return &thanks{said}, err
}

// Effects belong into activities. An activity runs at least once, so it must be safe to repeat.
func say(task *workflow.Task, text string) (string, error) {
	fmt.Println(text)
	return text, nil
}

func startGreeting(w http.ResponseWriter, r *http.Request) {
	var asked struct{ ID, Name string }
	if err := web.ReadJSON(w, r, bodyMax, &asked); err != nil || asked.ID == "" || asked.Name == "" {
		fail(w, http.StatusBadRequest, "id and name are texts")
		return
	}
	id, err := client.Start(greeting, asked.Name, client.Once(asked.ID))
	if err != nil {
		fail(w, http.StatusServiceUnavailable, err.Error())
		return
	}
	web.WriteJSON(w, http.StatusOK, map[string]string{"id": id})
}

func answerGreeting(w http.ResponseWriter, r *http.Request) {
	var answer struct{ Text string }
	if err := web.ReadJSON(w, r, bodyMax, &answer); err != nil {
		fail(w, http.StatusBadRequest, "text is a text")
		return
	}
	err := client.Raise(r.PathValue("id"), answered, answer.Text)
	switch {
	case errors.Is(err, berth.NotFound):
		fail(w, http.StatusNotFound, "no such greeting")
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err.Error())
	default:
		web.WriteJSON(w, http.StatusOK, map[string]bool{"sent": true})
	}
}

func showGreeting(w http.ResponseWriter, r *http.Request) {
	found, err := client.Get(r.PathValue("id"))
	switch {
	case err != nil:
		fail(w, http.StatusServiceUnavailable, err.Error())
	case found == nil:
		fail(w, http.StatusNotFound, "no such greeting")
	default:
		web.WriteJSON(w, http.StatusOK, map[string]any{
			"state": found.Status.String(), "output": json.RawMessage(found.Output),
		})
	}
}
