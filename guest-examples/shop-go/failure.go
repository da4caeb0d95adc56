package main

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"

	"berth.dev/sdk/berth"
)

// failure is an answer that is no success: a status, a short code for programs, a sentence for people.
type failure struct {
	status        int
	code, message string
	more          map[string]any
}

func (f *failure) Error() string { return f.message }

func (f *failure) body() map[string]any {
	body := map[string]any{"error": f.code, "message": f.message}
	maps.Copy(body, f.more)
	return body
}

// isFinal says whether the world refuses it, and will refuse it again; everything else may pass.
func (f *failure) isFinal() bool { return f.status >= 400 && f.status < 500 }

// invalid is for a field that the caller must change, such as `items[0].qty`.
func invalid(field, message string) *failure {
	return &failure{400, "invalid", message, map[string]any{"field": field}}
}

func notFound(message string) *failure { return &failure{404, "not-found", message, nil} }

func conflict(message string) *failure { return &failure{409, "conflict", message, nil} }

// unavailable: nothing is wrong with the request; it may be sent again.
func unavailable(message string) *failure { return &failure{503, "unavailable", message, nil} }

// passedOn is what another service answered, as it is.
func passedOn(status int, body []byte) *failure {
	answered := map[string]any{}
	json.Unmarshal(body, &answered)
	code, _ := answered["error"].(string)
	message, _ := answered["message"].(string)
	return &failure{status, code, message, answered}
}

// failureOf is what an error means to the caller.
func failureOf(err error) *failure {
	var known *failure
	if errors.As(err, &known) {
		return known
	}
	message := err.Error()
	switch berth.KindOf(err) {
	case berth.Conflict, berth.Exists, berth.NotAllowed:
		return conflict(message)
	case berth.Invalid:
		return &failure{400, "invalid", message, nil}
	case berth.TooLarge:
		return &failure{413, "too-large", message, nil}
	case berth.Unavailable:
		return unavailable(message)
	case berth.Timeout:
		return &failure{http.StatusGatewayTimeout, "timeout", message, nil}
	}
	// The operator's to mend, not the caller's: a store that is missing, or that this app must not use.
	return &failure{500, "internal", message, nil}
}
