package main

import (
	"fmt"
	"net/http"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/secrets"
)

const (
	secretStore = "secretstore"
	secretName  = "stripe-secret-key"
)

// checkPayment makes sure that an order could be paid. A real shop would now send the amount and the key to
// https://api.stripe.com, which its manifest would have to allow; this one only reads the key.
func checkPayment() error {
	secret, err := secrets.Get(secretStore, secretName)
	switch berth.KindOf(err) {
	case berth.NotFound, berth.Denied, berth.Invalid:
		return secretMissing(err.Error())
	}
	if err != nil {
		return unavailable("the secret store " + secretStore + " cannot be read: " + err.Error())
	}
	for _, value := range secret {
		if value != "" {
			return nil
		}
	}
	// A store of environment variables answers an unset one with an empty value.
	return secretMissing("it is empty")
}

func secretMissing(reason string) error {
	message := fmt.Sprintf("no order can be paid without the secret %s of %s: %s", secretName, secretStore, reason)
	return &failure{http.StatusServiceUnavailable, "secret-missing", message, nil}
}
