// `/carts`: any JSON object, kept for an hour after its last change.

#include <string.h>

#include "shop.h"

enum { TTL_SECONDS = 3600 };

static const char *key_of(const char *user) {
  return berth_format("cart-%s", user);
}

static failure_t *find_cart(const char *user, berth_json **cart, const char **etag) {
  failure_t *failure = find(key_of(user), cart, etag);
  if (failure == NULL && *cart == NULL) failure = fail_not_found(berth_format("%s has no cart", user));
  return failure;
}

static failure_t *changed(const char *user) {
  return fail_conflict(
      berth_format("the cart of %s was changed by somebody else: read it again, then decide", user));
}

// The version that a caller insists on: `"17"`, `W/"17"` or a bare `17`. NULL: any version.
static const char *expected_etag(const berth_request *request) {
  const char *given = berth_header(request->headers, "if-match");
  if (given == NULL) return NULL;
  given += strspn(given, " ");
  if (strncmp(given, "W/", 2) == 0) given += 2;
  given += strspn(given, "\"");
  const char *etag = berth_format("%.*s", (int)strcspn(given, "\" "), given);
  return strcmp(etag, "*") == 0 ? NULL : etag;
}

// JSON merge patch, RFC 7396: objects are merged, null removes, anything else replaces.
static berth_json *merged(berth_json *target, const berth_json *patch) {
  if (patch->kind != BERTH_OBJECT) {
    berth_json *copy = berth_json_new(patch->kind);
    *copy = *patch;
    copy->next = NULL;
    return copy;
  }
  if (target == NULL || target->kind != BERTH_OBJECT) target = berth_json_new(BERTH_OBJECT);
  for (const berth_json *change = patch->first; change != NULL; change = change->next) {
    bool removes = change->kind == BERTH_NULL;
    berth_json *value = removes ? NULL : merged(berth_json_get(target, change->name), change);
    berth_json_put(target, change->name, value);
  }
  return target;
}

// Replaces the cart, whatever it held: the last writer wins.
failure_t *carts_put(const char *user, const berth_request *request, berth_response *response) {
  berth_json *cart;
  failure_t *failure = read_object(request->body, &cart);
  if (failure != NULL) return failure;
  berth_write how = {.ttl_seconds = TTL_SECONDS};
  berth_error error = berth_state_set(STORE, key_of(user), berth_json_write(cart), &how);
  if (error) return fail_of(error);
  reply(response, 200, cart);
  return NULL;
}

// Shows the cart, and its version in `ETag`.
failure_t *carts_show(const char *user, berth_response *response) {
  berth_json *cart;
  const char *etag;
  failure_t *failure = find_cart(user, &cart, &etag);
  if (failure != NULL) return failure;
  berth_pair *headers = berth_alloc(2 * sizeof *headers);
  headers[0] = (berth_pair){"etag", berth_format("\"%s\"", etag)};
  response->headers = headers;
  reply(response, 200, cart);
  return NULL;
}

// Merges changes into the cart. The first writer wins: a cart that changed since the version in `If-Match`, or since it was
// read here, is a conflict.
failure_t *carts_patch(const char *user, const berth_request *request, berth_response *response) {
  berth_json *changes, *cart;
  const char *etag, *expected = expected_etag(request);
  failure_t *failure = read_object(request->body, &changes);
  if (failure == NULL) failure = find_cart(user, &cart, &etag);
  if (failure != NULL) return failure;
  if (expected != NULL && strcmp(expected, etag) != 0) return changed(user);
  cart = merged(cart, changes);
  berth_write how = {.if_etag = etag, .ttl_seconds = TTL_SECONDS};
  berth_error error = berth_state_set(STORE, key_of(user), berth_json_write(cart), &how);
  if (error == BERTH_CONFLICT) return changed(user);
  if (error) return fail_of(error);
  reply(response, 200, cart);
  return NULL;
}
