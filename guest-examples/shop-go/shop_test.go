package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"testing"

	"berth.dev/sdk/berthtest"
	"berth.dev/sdk/web"
	"berth.dev/sdk/workflow"
)

// A world in which orders can be paid and stock is there.
func newWorld(t *testing.T) *berthtest.World {
	w := berthtest.New(t)
	w.Secret(secretStore, secretName, map[string]string{secretName: "key"})
	w.App("inventory-service", http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	return w
}

func ask(verb, path, body string, header ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(verb, path, strings.NewReader(body))
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	web.Handler().ServeHTTP(answer, request)
	return answer
}

const teaOrder = `{"orderId": "o1", "customerId": "ada", "items": [{"sku": "tea", "qty": 2}], "totalCents": 100}`

func TestAnOrderIsPlacedOnceAndAnnounced(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		if answer := ask("POST", "/orders", teaOrder); answer.Code != 201 || !strings.Contains(answer.Body.String(), `"confirmed"`) {
			t.Fatal(answer.Code, answer.Body)
		}
	}
	if published := w.Published(); len(published) != 1 || published[0].Metadata["cloudevent.id"] != "order-o1" {
		t.Fatal(published)
	}
	if answer := ask("GET", "/orders/o1", ""); answer.Code != 200 {
		t.Fatal(answer.Body)
	}
}

func TestWhatIsWrongWithAnOrderIsNamed(t *testing.T) {
	newWorld(t)
	for change, field := range map[string]string{
		`"sku": "tea"`:        "items[0].sku",
		`"qty": 2`:            "items[0].qty",
		`"customerId": "ada"`: "customerId",
		`"totalCents": 100`:   "totalCents",
	} {
		answer := ask("POST", "/orders", strings.Replace(teaOrder, change, `"x": 1.5`, 1))
		var refused map[string]any
		json.Unmarshal(answer.Body.Bytes(), &refused)
		if answer.Code != 400 || refused["field"] != field {
			t.Fatal(field, answer.Body)
		}
	}
}

func TestTheFirstWriterOfACartWins(t *testing.T) {
	newWorld(t)
	ask("PUT", "/carts/ada", `{"items": ["tea"], "note": "x"}`)
	etag := ask("GET", "/carts/ada", "").Header().Get("ETag")
	answer := ask("PATCH", "/carts/ada", `{"note": null, "gift": {"to": "bob"}}`, "If-Match", etag)
	if answer.Code != 200 || answer.Body.String() != `{"gift":{"to":"bob"},"items":["tea"]}` {
		t.Fatal(answer.Code, answer.Body)
	}
	if again := ask("PATCH", "/carts/ada", `{}`, "If-Match", etag); again.Code != 409 {
		t.Fatal(again.Code, again.Body)
	}
}

func TestAMergePatchChangesWhatItNames(t *testing.T) {
	before := map[string]any{"a": "b", "c": map[string]any{"d": "e", "f": "g"}}
	after := merge(before, map[string]any{"a": "z", "c": map[string]any{"f": nil}})
	if want := map[string]any{"a": "z", "c": map[string]any{"d": "e"}}; !reflect.DeepEqual(after, want) {
		t.Fatal(after)
	}
	if before["a"] != "b" {
		t.Fatal("the target is left alone")
	}
}

var tea = order{"o1", "ada", []item{{"tea", 2}}, 100, "placed"}

func done([]byte) (any, error) { return nil, nil }

func stubbed(t *testing.T) *berthtest.World {
	w := newWorld(t)
	for _, name := range []string{"reserve", "release", "pay", "refund", "fulfil"} {
		w.Activity(name, done)
	}
	return w
}

func TestAnOrderIsReservedPaidAndFulfilled(t *testing.T) {
	w := stubbed(t)
	if err := workflow.Run(sagaName, tea, nil); err != nil {
		t.Fatal(err)
	}
	asked := []string{"activity reserve", "activity pay", "activity fulfil"}
	if !slices.Equal(w.Asked(), asked) || w.Status() != "confirmed" {
		t.Fatal(w.Asked(), w.Status())
	}
}

func TestWhenAStepFailsWhatWasDoneIsUndoneTheLastFirst(t *testing.T) {
	for step, undone := range map[string][]string{
		"reserve": {"activity release"},
		"pay":     {"activity refund", "activity release"},
		"fulfil":  {"activity refund", "activity release"},
	} {
		w := stubbed(t)
		w.Activity(step, func([]byte) (any, error) { return nil, errors.New("no") })
		if err := workflow.Run(sagaName, tea, nil); err == nil {
			t.Fatal(step)
		}
		asked := w.Asked()
		if after := asked[slices.Index(asked, "activity "+step)+1:]; !slices.Equal(after, undone) || w.Status() != "undone" {
			t.Fatal(step, after, w.Status())
		}
	}
}

func TestALargeOrderWaitsForItsApproval(t *testing.T) {
	w := stubbed(t)
	large := tea
	large.TotalCents = largeCents
	w.Event(approved, nil)
	if err := workflow.Run(sagaName, large, nil); err != nil {
		t.Fatal(err)
	}
	var failed *workflow.Failure
	if err := workflow.Run(sagaName, large, nil); !errors.As(err, &failed) || failed.Kind != "not-approved" {
		t.Fatal(err)
	}
}

func TestWhatTheWorldRefusesIsFinalWhatIsDownIsNot(t *testing.T) {
	w := newWorld(t)
	attempt := func(name string, o order) (failed *workflow.Failure) {
		errors.As(workflow.RunActivity(&workflow.Task{IdempotencyKey: name}, name, o, nil), &failed)
		return failed
	}
	if failed := attempt("pay", order{OrderID: "o2", CustomerID: broke}); failed.Kind != "payment-refused" || !failed.NonRetryable {
		t.Fatal(failed)
	}
	w.App("inventory-service", http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		http.Error(out, "oops", http.StatusInternalServerError)
	}))
	if failed := attempt("reserve", tea); failed.NonRetryable {
		t.Fatal(failed)
	}
}

func TestAnEffectIsInTheLedgerOnceHoweverOftenItsActivityRan(t *testing.T) {
	newWorld(t)
	for range 2 {
		if err := workflow.RunActivity(&workflow.Task{IdempotencyKey: "k"}, "pay", tea, nil); err != nil {
			t.Fatal(err)
		}
	}
	if got := ask("GET", "/sagas/o1/ledger", "").Body.String(); got != `{"entries":[{"effect":"pay","key":"k","attempts":2}]}` {
		t.Fatal(got)
	}
}
