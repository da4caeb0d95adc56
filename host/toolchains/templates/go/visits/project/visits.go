package main

import (
	"errors"
	"net/http"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/state"
	"berth.dev/sdk/web"
)

var visits = state.Open("statestore")

const (
	visitsKey   = "visits"
	attemptsMax = 100
)

// POST /visits counts one more, GET /visits tells how many there were.
func init() {
	http.HandleFunc("POST /visits", answerVisits(countVisit))
	http.HandleFunc("GET /visits", answerVisits(readVisits))
}

func answerVisits(of func() (int, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		count, err := of()
		if err != nil {
			fail(w, http.StatusServiceUnavailable, err.Error())
			return
		}
		web.WriteJSON(w, http.StatusOK, map[string]int{"visits": count})
	}
}

func readVisits() (count int, err error) {
	_, err = visits.GetJSON(visitsKey, &count)
	return count, err
}

// countVisit reads a number and writes it again: what others write in between is lost, unless the etag says that nobody did.
func countVisit() (int, error) {
	for range attemptsMax {
		entry, err := visits.Get(visitsKey)
		if err != nil {
			return 0, err
		}
		count, unchanged := 0, state.IfAbsent()
		if entry != nil {
			unchanged = state.IfETag(entry.ETag)
			if err := entry.JSON(&count); err != nil {
				return 0, err
			}
		}
		err = visits.SetJSON(visitsKey, count+1, unchanged)
		if !errors.Is(err, berth.Conflict) {
			return count + 1, err
		}
	}
	return 0, errors.New("others count all the time")
}
