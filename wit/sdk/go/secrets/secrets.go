// Package secrets reads the secrets that an app may read.
package secrets

import "berth.dev/sdk/berth"

// Secret is one value under its own name, or several fields.
type Secret map[string]string

// Option changes how a secret is read.
type Option func(*options)

type options struct{ metadata map[string]string }

// Metadata is passed on to the store, such as "version_id".
func Metadata(metadata map[string]string) Option { return func(o *options) { o.metadata = metadata } }

func optionsOf(given []Option) (o options) {
	for _, option := range given {
		option(&o)
	}
	return o
}

// Get gives a secret.
func Get(store, name string, given ...Option) (Secret, error) {
	return get(store, name, optionsOf(given))
}

// Value gives the value of a secret that has one, under its own name.
func Value(store, name string, given ...Option) (string, error) {
	secret, err := Get(store, name, given...)
	if err != nil {
		return "", err
	}
	value, found := secret[name]
	if !found {
		return "", &berth.Error{Kind: berth.NotFound, Message: name + " has fields, and no value under its own name"}
	}
	return value, nil
}

// All gives all secrets of a store that this app may read, by their names.
func All(store string, given ...Option) (map[string]Secret, error) {
	return all(store, optionsOf(given))
}
