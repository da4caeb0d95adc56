package web

import (
	"encoding/json"
	"net/http"
)

// WriteJSON answers with a value as JSON.
func WriteJSON(w http.ResponseWriter, status int, value any) {
	text, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(text)
}

// ReadJSON reads the body of a request, of at most so many bytes.
func ReadJSON(w http.ResponseWriter, r *http.Request, maxBytes int64, into any) error {
	return json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBytes)).Decode(into)
}
