package main

import (
	"net/http/httptest"
	"testing"

	"berth.dev/sdk/berthtest"
	"berth.dev/sdk/subscriptions"
	"berth.dev/sdk/web"
)

func TestAMessageIsKept(t *testing.T) {
	berthtest.New(t)
	data := `{"id": "1", "text": "hello"}`
	message := &subscriptions.Message{Pubsub: "pubsub", Topic: "messages", Data: []byte(data)}
	if err := subscriptions.Deliver(message); err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	web.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/messages/1", nil))
	if answer.Body.String() != data {
		t.Fatal(answer.Body)
	}
}

func TestWhatIsNoMessageIsDropped(t *testing.T) {
	berthtest.New(t)
	err := subscriptions.Deliver(&subscriptions.Message{Pubsub: "pubsub", Topic: "messages", Data: []byte("{}")})
	if !subscriptions.IsDropped(err) {
		t.Fatal(err)
	}
}
