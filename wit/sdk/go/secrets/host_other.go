//go:build !wasip1

package secrets

import (
	"maps"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/internal/world"
)

// Stores of berthtest's world.

func get(store, name string, _ options) (Secret, error) {
	w := world.Current
	if w.Broken != nil {
		return nil, w.Broken
	}
	secret, found := w.Secrets[store][name]
	if !found {
		return nil, world.Fail(berth.NotFound, "there is no secret "+name+" in "+store)
	}
	return maps.Clone(secret), nil
}

func all(store string, o options) (map[string]Secret, error) {
	secrets := map[string]Secret{}
	for name := range world.Current.Secrets[store] {
		secret, err := get(store, name, o)
		if err != nil {
			return nil, err
		}
		secrets[name] = secret
	}
	return secrets, world.Current.Broken
}
