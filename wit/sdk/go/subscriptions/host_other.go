//go:build !wasip1

package subscriptions

import "errors"

// Deliver gives a message to its handler, as the host would; for tests. Its route may be left out.
func Deliver(m *Message) error {
	_, err := deliver(m)
	return err
}

// IsDropped says whether an error of a handler makes the message a dead letter at once; for tests.
func IsDropped(err error) bool { return errors.As(err, new(dropped)) }
