// {{name}}: what it answers stands beside this file.
package main

import (
	"net/http"

	"berth.dev/sdk/web"
)

// fail tells the caller that something is not there, is wrong or went wrong.
func fail(w http.ResponseWriter, status int, message string) {
	web.WriteJSON(w, status, map[string]string{"error": message})
}

// Never runs: the host calls what init has registered.
func main() {}
