package main

import (
	"net/http"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/invocation"
	"berth.dev/sdk/pubsub"
	"berth.dev/sdk/secrets"
)

var (
	hello = []byte("hello")
	plain = pubsub.ContentType("text/plain")
)

var pubsubChecks = []check{
	{"pubsub.publish", func(r run) {
		must(pubsub.Publish("pubsub", "contract", hello, plain, pubsub.ID(r.key("plain"))))
	}},
	{"pubsub.publish-special", func(r run) {
		value := map[string]int{"n": 1}
		must(pubsub.PublishJSON("pubsub", "contract", value, pubsub.ID(r.key("special")), pubsub.Type("special")))
	}},
	{"pubsub.publish-cloudevent", func(r run) {
		event := text(map[string]string{
			"specversion": "1.0", "id": r.key("whole"), "source": "elsewhere", "type": "special",
			"datacontenttype": "text/plain", "data": "whole",
		})
		must(pubsub.Publish("pubsub", "contract", []byte(event), pubsub.ContentType("application/cloudevents+json")))
	}},
	{"pubsub.publish-raw", func(r run) {
		options := []pubsub.Option{pubsub.Raw(), pubsub.TTL(time.Minute), pubsub.PartitionKey(r.id)}
		must(pubsub.Publish("pubsub", "contract-raw", []byte{0, 255, 10}, options...))
	}},
	{"pubsub.publish-unknown", func(run) {
		refused(pubsub.Publish("no-such-pubsub", "contract", hello, plain), berth.NotFound)
	}},
	{"pubsub.publish-empty-topic", func(run) {
		refused(pubsub.Publish("pubsub", "", hello, plain), berth.Invalid)
	}},
	{"pubsub.publish-zero-ttl", func(run) {
		refused(pubsub.Publish("pubsub", "contract", hello, plain, pubsub.TTL(0)), berth.Invalid)
	}},
	{"pubsub.bulk-publish", func(r run) {
		failures := given(pubsub.BulkPublish("pubsub", "contract", bulk(r, "1", "2")))
		expect(len(failures) == 0, failures)
	}},
	{"pubsub.bulk-publish-duplicate", func(r run) {
		_, err := pubsub.BulkPublish("pubsub", "contract", bulk(r, "1", "1"))
		refused(err, berth.Invalid)
	}},
}

func bulk(r run, entryIDs ...string) (messages []pubsub.Message) {
	for _, id := range entryIDs {
		messages = append(messages, pubsub.Message{
			EntryID: id, Data: hello, ContentType: "text/plain",
			Metadata: map[string]string{"cloudevent.id": r.key("bulk-" + id)},
		})
	}
	return messages
}

var invocationChecks = []check{
	{"invocation.invoke", func(r run) {
		answer := given(invocation.Invoke(r.app, invocation.Request{
			Path: "echo", Query: "x=1", Body: []byte("ping"), Timeout: 5 * time.Second,
			Header: http.Header{"Content-Type": {"text/plain"}, "X-Contract": {"yes"}},
		}))
		wanted := echoed{"POST", "/echo", "x=1", "ping", echoedHeaders{"text/plain", "yes"}}
		expect(answer.Status == http.StatusCreated && string(answer.Body) == text(wanted), answer)
	}},
	{"invocation.status", func(r run) {
		answer := given(invocation.Get(r.app, "nowhere"))
		expect(answer.Status == http.StatusNotFound, answer)
	}},
	{"invocation.unknown-app", func(run) {
		_, err := invocation.Get("no-such-app", "echo")
		refused(err, berth.NotFound)
	}},
	{"invocation.bad-verb", func(r run) {
		_, err := invocation.Invoke(r.app, invocation.Request{Path: "echo", Verb: "NO VERB"})
		refused(err, berth.Invalid)
	}},
}

const secretName = "contract-secret"

var secretsChecks = []check{
	{"secrets.get", func(run) {
		secret := given(secrets.Get("secretstore", secretName))
		expect(secret[secretName] == "s3cret", secret)
	}},
	{"secrets.get-unknown", func(run) {
		_, err := secrets.Get("secretstore", "no-such-secret")
		refused(err, berth.NotFound)
	}},
	{"secrets.get-unknown-store", func(run) {
		_, err := secrets.Get("no-such-store", secretName)
		refused(err, berth.NotFound)
	}},
	{"secrets.get-bulk", func(run) {
		all := given(secrets.All("secretstore"))
		// The store may hold secrets of others, which are not for a log.
		expect(all[secretName][secretName] == "s3cret", len(all))
	}},
}
