package main

import (
	"errors"
	"net/http"
	"os"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/state"
	"berth.dev/sdk/subscriptions"
)

// Somebody else writes the same key, again and again.
const attemptsMax = 100

type review struct {
	ID         string `json:"id"`
	Text       string `json:"text"`
	Deliveries int    `json:"deliveries"`
}

func init() {
	subscriptions.Handle(subscriptions.Topic{
		Pubsub: "pubsub", Name: "reviews", DeadLetterTopic: "reviews-dlq",
	}, keepReview)
}

// keepReview keeps reviews, which come as messages: {"id": "1", "text": "..."}.
//
// Some texts break it, to show what becomes of such a message: `hesitate` fails once, `throw` panics always, `trap` ends the
// guest, `loop` never ends by itself. All but the first are dead letters after the attempts that the shop's resiliency policy
// allows.
func keepReview(m *subscriptions.Message) error {
	var came review
	if err := m.JSON(&came); err != nil || came.ID == "" {
		return subscriptions.Drop(errors.New("this is no review, and never will be"))
	}
	kept, err := countReview(came)
	if err != nil {
		return err
	}
	switch kept.Text {
	case "hesitate":
		if kept.Deliveries == 1 {
			return errors.New("a second thought")
		}
	case "throw":
		panic("this review is never kept")
	case "trap":
		os.Exit(1)
	case "loop":
		for {
		}
	}
	return nil
}

// countReview notes that it came once more.
func countReview(came review) (*review, error) {
	for range attemptsMax {
		entry, err := store.Get(reviewKey(came.ID))
		if err != nil {
			return nil, err
		}
		kept, how := came, state.IfAbsent()
		kept.Deliveries = 1
		if entry != nil {
			var known review
			if err := entry.JSON(&known); err != nil {
				return nil, err
			}
			kept.Deliveries, how = known.Deliveries+1, state.IfETag(entry.ETag)
		}
		err = store.SetJSON(reviewKey(came.ID), kept, how)
		if !errors.Is(err, berth.Conflict) {
			return &kept, err
		}
	}
	return nil, unavailable("the review is being written by others")
}

// showReview shows a review that has come.
func showReview(w http.ResponseWriter, r *http.Request) error {
	id, err := pathID(r, "reviewId")
	if err != nil {
		return err
	}
	var kept review
	found, err := store.GetJSON(reviewKey(id), &kept)
	if err != nil {
		return err
	}
	if !found {
		return notFound("there is no review " + id)
	}
	return reply(w, http.StatusOK, kept)
}

func reviewKey(id string) string { return "review-" + id }
