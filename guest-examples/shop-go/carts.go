package main

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"berth.dev/sdk/berth"
	"berth.dev/sdk/state"
)

// A cart lives for so long after its last change.
var forAnHour = state.TTL(time.Hour)

// putCart replaces the cart, whatever it held: the last writer wins.
func putCart(w http.ResponseWriter, r *http.Request) error {
	user, cart, err := readCart(w, r)
	if err != nil {
		return err
	}
	if err := store.SetJSON(cartKey(user), cart, forAnHour); err != nil {
		return err
	}
	return reply(w, http.StatusOK, cart)
}

// showCart shows the cart, and its version in ETag.
func showCart(w http.ResponseWriter, r *http.Request) error {
	user, err := pathID(r, "userId")
	if err != nil {
		return err
	}
	cart, etag, err := findCart(user)
	if err != nil {
		return err
	}
	w.Header().Set("ETag", `"`+etag+`"`)
	return reply(w, http.StatusOK, cart)
}

// patchCart merges changes into the cart. The first writer wins: a cart that changed since the version in If-Match, or since it
// was read here, is a conflict.
func patchCart(w http.ResponseWriter, r *http.Request) error {
	user, changes, err := readCart(w, r)
	if err != nil {
		return err
	}
	cart, etag, err := findCart(user)
	if err != nil {
		return err
	}
	if expected := expectedETag(r.Header.Get("If-Match")); expected != "" && expected != etag {
		return cartChanged(user)
	}
	merged := merge(cart, changes)
	err = store.SetJSON(cartKey(user), merged, state.IfETag(etag), forAnHour)
	if errors.Is(err, berth.Conflict) {
		return cartChanged(user)
	}
	if err != nil {
		return err
	}
	return reply(w, http.StatusOK, merged)
}

func readCart(w http.ResponseWriter, r *http.Request) (user string, cart map[string]any, err error) {
	if user, err = pathID(r, "userId"); err != nil {
		return "", nil, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return "", nil, err
	}
	err = check(body, "", func(body field) { cart = body.object() })
	return user, cart, err
}

func findCart(user string) (cart any, etag string, err error) {
	entry, err := store.Get(cartKey(user))
	if err != nil {
		return nil, "", err
	}
	if entry == nil {
		return nil, "", notFound(user + " has no cart")
	}
	cart, err = parse(entry.Value)
	return cart, entry.ETag, err
}

// expectedETag is the version that a caller insists on: `"17"`, `W/"17"` or a bare `17`; none if any will do.
func expectedETag(ifMatch string) string {
	etag := strings.Trim(strings.TrimPrefix(strings.TrimSpace(ifMatch), "W/"), `"`)
	if etag == "*" {
		return ""
	}
	return etag
}

// merge changes a value as a JSON merge patch says (RFC 7396): objects are merged, null removes, anything else replaces.
func merge(target, patch any) any {
	changes, isObject := patch.(map[string]any)
	if !isObject {
		return patch
	}
	merged := map[string]any{}
	if before, isObject := target.(map[string]any); isObject {
		for name, value := range before {
			merged[name] = value
		}
	}
	for name, change := range changes {
		if change == nil {
			delete(merged, name)
		} else {
			merged[name] = merge(merged[name], change)
		}
	}
	return merged
}

func cartChanged(user string) error {
	return conflict("the cart of " + user + " was changed by somebody else: read it again, then decide")
}

func cartKey(user string) string { return "cart-" + user }
