// Package test uses the SDK as a program does, in berthtest's world.
package test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/berthtest"
	"berth.dev/sdk/invocation"
	"berth.dev/sdk/pubsub"
	"berth.dev/sdk/secrets"
	"berth.dev/sdk/state"
	"berth.dev/sdk/subscriptions"
)

var store = state.Open("statestore")

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func fails(t *testing.T, err error, kind berth.Kind) {
	t.Helper()
	if !errors.Is(err, kind) || berth.KindOf(err) != kind {
		t.Fatalf("%v is not %s", err, kind)
	}
}

func TestStateIsGuardedByEtags(t *testing.T) {
	berthtest.New(t)
	absent, err := store.Get("tea")
	if absent != nil || err != nil {
		t.Fatal(absent, err)
	}
	must(t, store.SetJSON("tea", 1, state.IfAbsent(), state.TTL(time.Hour)))
	fails(t, store.SetJSON("tea", 2, state.IfAbsent()), berth.Conflict)
	entry, err := store.Get("tea")
	must(t, err)
	must(t, store.SetJSON("tea", 3, state.IfETag(entry.ETag)))
	fails(t, store.SetJSON("tea", 4, state.IfETag(entry.ETag)), berth.Conflict)
	fails(t, store.Delete("tea", state.IfETag(entry.ETag)), berth.Conflict)
	var qty int
	found, err := store.GetJSON("tea", &qty)
	if !found || err != nil || qty != 3 {
		t.Fatal(found, err, qty)
	}
}

func TestATransactionIsAllOrNothing(t *testing.T) {
	berthtest.New(t)
	set := state.SetOp("a", []byte("1"))
	fails(t, store.Transact(set, state.DeleteOp("b", state.IfETag("stale"))), berth.Conflict)
	must(t, store.Transact(set, state.SetOp("b", nil), state.DeleteOp("b")))
	var keys []string
	for key, err := range store.Keys("") {
		must(t, err)
		keys = append(keys, key)
	}
	if !slices.Equal(keys, []string{"a"}) {
		t.Fatal(keys)
	}
}

func TestBulkCallsSayWhatFailed(t *testing.T) {
	berthtest.New(t)
	failures, err := store.BulkSet(state.SetOp("a", []byte("1")), state.SetOp("", nil))
	must(t, err)
	if len(failures) != 1 || failures[0].Key != "" {
		t.Fatal(failures)
	}
	fails(t, failures[0].Err, berth.Invalid)
	entries, err := store.BulkGet([]string{"a", "b"})
	must(t, err)
	if string(entries[0].Entry.Value) != "1" || entries[1].Entry != nil {
		t.Fatal(entries)
	}
}

func TestMessagesArePublishedWithTheirAttributes(t *testing.T) {
	w := berthtest.New(t)
	must(t, pubsub.PublishJSON("pubsub", "orders", 17, pubsub.ID("17"), pubsub.Type("order")))
	published := w.Published()
	if len(published) != 1 || string(published[0].Data) != "17" || published[0].ContentType != "application/json" {
		t.Fatal(published)
	}
	if published[0].Metadata["cloudevent.id"] != "17" || published[0].Metadata["cloudevent.type"] != "order" {
		t.Fatal(published[0].Metadata)
	}
}

func TestHandlersAnswerForTheirMessages(t *testing.T) {
	berthtest.New(t)
	var seen []string
	note := func(name string, err error) subscriptions.Handler {
		return func(*subscriptions.Message) error {
			seen = append(seen, name)
			return err
		}
	}
	topic := subscriptions.Topic{Pubsub: "pubsub", Name: "tested", Rules: []subscriptions.Rule{
		{Match: `event.type == "large"`, Handler: note("large", nil)},
	}}
	subscriptions.Handle(topic, note("default", subscriptions.Drop(errors.New("no"))))
	err := subscriptions.Deliver(&subscriptions.Message{Pubsub: "pubsub", Topic: "tested"})
	if !subscriptions.IsDropped(err) {
		t.Fatal(err)
	}
	must(t, subscriptions.Deliver(&subscriptions.Message{Pubsub: "pubsub", Topic: "tested", Route: "/pubsub/tested/0"}))
	if !slices.Equal(seen, []string{"default", "large"}) {
		t.Fatal(seen)
	}
}

func TestAppsAndSecretsAreAsked(t *testing.T) {
	w := berthtest.New(t)
	w.App("stock", http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		out.WriteHeader(http.StatusConflict)
		out.Write([]byte(r.URL.Path))
	}))
	answer, err := invocation.PostJSON("stock", "/reserve", 1)
	must(t, err)
	if answer.OK() || answer.Err() == nil || string(answer.Body) != "/reserve" {
		t.Fatal(answer)
	}
	_, err = invocation.Get("nobody", "/")
	fails(t, err, berth.NotFound)
	w.Secret("secretstore", "key", map[string]string{"key": "s3cret"})
	value, err := secrets.Value("secretstore", "key")
	if value != "s3cret" || err != nil {
		t.Fatal(value, err)
	}
	w.Break(&berth.Error{Kind: berth.Unavailable, Message: "down"})
	_, err = secrets.All("secretstore")
	fails(t, err, berth.Unavailable)
}
