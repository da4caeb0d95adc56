// The blocks, over the generated bindings.
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "bindings.h"

static const char *message = "";

const char *berth_error_message(void) {
  return message;
}

const char *berth_error_name(berth_error error) {
  static const char *const names[] = {
      "ok",          "not-found",   "conflict",  "exists",    "denied",   "invalid", "not-allowed",
      "unavailable", "timeout",     "too-large", "canceled",  "failed",   "other",
  };
  return names[error];
}

berth_error berth_failed(berth_error kind, guest_string_t text) {
  message = berth_from_string(text);
  return kind;
}

guest_string_t berth_to_string(const char *text) {
  return (guest_string_t){(uint8_t *)text, strlen(text)};
}

guest_option_string_t berth_to_option(const char *text) {
  return (guest_option_string_t){.is_some = text != NULL, .val = berth_to_string(text == NULL ? "" : text)};
}

const char *berth_from_string(guest_string_t text) {
  return berth_copy(text.ptr, text.len);
}

guest_list_u8_t berth_to_list(berth_bytes bytes) {
  return (guest_list_u8_t){(uint8_t *)bytes.data, bytes.len};
}

berth_bytes berth_from_list(guest_list_u8_t bytes) {
  return (berth_bytes){berth_copy(bytes.ptr, bytes.len), bytes.len};
}

guest_list_tuple2_string_string_t berth_to_pairs(const berth_pair *pairs) {
  size_t len = 0;
  while (pairs != NULL && pairs[len].name != NULL) len++;
  guest_list_tuple2_string_string_t list = {berth_alloc((len + 1) * sizeof *list.ptr), len};
  for (size_t i = 0; i < len; i++) {
    list.ptr[i].f0 = berth_to_string(pairs[i].name);
    list.ptr[i].f1 = berth_to_string(pairs[i].value);
  }
  return list;
}

const char *berth_header(const berth_pair *headers, const char *name) {
  for (; headers != NULL && headers->name != NULL; headers++) {
    if (strcasecmp(headers->name, name) == 0) return headers->value;
  }
  return NULL;
}

const char *berth_segment(const char *path, size_t place) {
  for (;; place--) {
    path += strspn(path, "/");
    size_t len = strcspn(path, "/");
    if (len == 0) return NULL;
    if (place == 0) return berth_copy(path, len);
    path += len;
  }
}

// -- State

// The cases of the WIT, in its order.
static berth_error state_failed(berth_state_store_error_t error) {
  static const berth_error kinds[] = {BERTH_NOT_FOUND, BERTH_CONFLICT, BERTH_DENIED,    BERTH_INVALID,
                                      BERTH_UNAVAILABLE, BERTH_TIMEOUT, BERTH_TOO_LARGE, BERTH_OTHER};
  return berth_failed(kinds[error.tag], error.val.other);
}

static berth_error open_store(const char *name, berth_state_store_own_store_t *store) {
  berth_state_store_error_t error;
  guest_string_t text = berth_to_string(name);
  return berth_state_store_open(&text, store, &error) ? BERTH_OK : state_failed(error);
}

static berth_state_store_option_concurrency_t concurrency(const berth_write *how) {
  bool first = how != NULL && (how->if_absent || how->if_etag != NULL);
  return (berth_state_store_option_concurrency_t){
      .is_some = true,
      .val = first ? BERTH_STATE_STORE_CONCURRENCY_FIRST_WRITE : BERTH_STATE_STORE_CONCURRENCY_LAST_WRITE,
  };
}

berth_error berth_state_get(const char *store, const char *key, berth_entry *entry) {
  *entry = (berth_entry){0};
  berth_state_store_own_store_t opened;
  berth_error refused = open_store(store, &opened);
  if (refused) return refused;
  guest_string_t text = berth_to_string(key);
  berth_state_store_get_options_t options = {0};
  berth_state_store_option_entry_t found;
  berth_state_store_error_t error;
  bool done = berth_state_store_method_store_get(berth_state_store_borrow_store(opened), &text, &options, &found, &error);
  berth_state_store_store_drop_own(opened);
  if (!done) return state_failed(error);
  if (found.is_some) {
    *entry = (berth_entry){true, berth_from_list(found.val.value), berth_from_string(found.val.etag)};
    berth_state_store_option_entry_free(&found);
  }
  return BERTH_OK;
}

berth_error berth_state_set(const char *store, const char *key, berth_bytes value, const berth_write *how) {
  berth_state_store_own_store_t opened;
  berth_error refused = open_store(store, &opened);
  if (refused) return refused;
  guest_string_t text = berth_to_string(key);
  guest_list_u8_t bytes = berth_to_list(value);
  berth_state_store_set_options_t options = {
      .etag = berth_to_option(how == NULL ? NULL : how->if_etag),
      .concurrency = concurrency(how),
      .ttl_seconds = {.is_some = how != NULL && how->ttl_seconds > 0, .val = how == NULL ? 0 : how->ttl_seconds},
      .content_type = berth_to_option("application/json"),
  };
  berth_state_store_error_t error;
  bool done = berth_state_store_method_store_set(berth_state_store_borrow_store(opened), &text, &bytes, &options, &error);
  berth_state_store_store_drop_own(opened);
  return done ? BERTH_OK : state_failed(error);
}

berth_error berth_state_delete(const char *store, const char *key, const berth_write *how) {
  berth_state_store_own_store_t opened;
  berth_error refused = open_store(store, &opened);
  if (refused) return refused;
  guest_string_t text = berth_to_string(key);
  berth_state_store_delete_options_t options = {
      .etag = berth_to_option(how == NULL ? NULL : how->if_etag),
      .concurrency = concurrency(how),
  };
  berth_state_store_error_t error;
  bool done = berth_state_store_method_store_delete(berth_state_store_borrow_store(opened), &text, &options, &error);
  berth_state_store_store_drop_own(opened);
  return done ? BERTH_OK : state_failed(error);
}

// -- Topics

berth_error berth_publish(const char *pubsub, const char *topic, berth_bytes data, const berth_publishing *how) {
  static const berth_publishing plain;
  if (how == NULL) how = &plain;
  size_t len = 0;
  while (how->metadata != NULL && how->metadata[len].name != NULL) len++;
  berth_pair *metadata = berth_alloc((len + 3) * sizeof *metadata), *next = metadata;
  for (size_t i = 0; i < len; i++) *next++ = how->metadata[i];
  if (how->id != NULL) *next++ = (berth_pair){"cloudevent.id", how->id};
  if (how->event_type != NULL) *next++ = (berth_pair){"cloudevent.type", how->event_type};

  guest_string_t backend = berth_to_string(pubsub), to = berth_to_string(topic);
  berth_pubsub_publisher_message_t sent = {
      .data = berth_to_list(data),
      .content_type = berth_to_option(how->content_type == NULL ? "application/json" : how->content_type),
  };
  berth_pubsub_publisher_publish_options_t options = {.metadata = berth_to_pairs(metadata)};
  berth_pubsub_publisher_error_t error;
  if (berth_pubsub_publisher_publish(&backend, &to, &sent, &options, &error)) return BERTH_OK;
  static const berth_error kinds[] = {BERTH_NOT_FOUND, BERTH_DENIED,    BERTH_INVALID, BERTH_UNAVAILABLE,
                                      BERTH_TIMEOUT,   BERTH_TOO_LARGE, BERTH_OTHER};
  return berth_failed(kinds[error.tag], error.val.other);
}

// -- Other apps

berth_error berth_invoke(const char *app_id, const char *path, berth_bytes body, const berth_calling *how,
                         berth_response *answer) {
  static const berth_calling plain;
  if (how == NULL) how = &plain;
  size_t len = 0;
  while (how->headers != NULL && how->headers[len].name != NULL) len++;
  berth_pair *headers = berth_alloc((len + 2) * sizeof *headers);
  for (size_t i = 0; i < len; i++) headers[i] = how->headers[i];
  headers[len] = (berth_pair){"content-type", how->content_type == NULL ? "application/json" : how->content_type};

  guest_string_t app = berth_to_string(app_id);
  berth_invocation_invoker_request_t request = {
      .method = berth_to_string(path),
      .verb = berth_to_string(how->verb == NULL ? "POST" : how->verb),
      .headers = berth_to_pairs(headers),
      .query = berth_to_option(how->query),
      .body = berth_to_list(body),
      .timeout_ms = {.is_some = how->timeout_ms > 0, .val = how->timeout_ms},
  };
  berth_invocation_invoker_response_t response;
  berth_invocation_invoker_error_t error;
  if (!berth_invocation_invoker_invoke(&app, &request, &response, &error)) {
    static const berth_error kinds[] = {BERTH_NOT_FOUND, BERTH_DENIED,    BERTH_INVALID, BERTH_UNAVAILABLE,
                                        BERTH_TIMEOUT,   BERTH_TOO_LARGE, BERTH_OTHER};
    return berth_failed(kinds[error.tag], error.val.other);
  }
  berth_pair *answered = berth_alloc((response.headers.len + 1) * sizeof *answered);
  for (size_t i = 0; i < response.headers.len; i++) {
    answered[i].name = berth_from_string(response.headers.ptr[i].f0);
    answered[i].value = berth_from_string(response.headers.ptr[i].f1);
  }
  *answer = (berth_response){
      .status = response.status,
      .content_type = berth_header(answered, "content-type"),
      .headers = answered,
      .body = berth_from_list(response.body),
  };
  guest_list_tuple2_string_string_free(&response.headers);
  guest_list_u8_free(&response.body);
  return BERTH_OK;
}

// -- Secrets

berth_error berth_secret(const char *store, const char *name, const char **value) {
  guest_string_t of = berth_to_string(store), key = berth_to_string(name);
  berth_secrets_store_get_options_t options = {0};
  berth_secrets_store_secret_t secret;
  berth_secrets_store_error_t error;
  if (!berth_secrets_store_get(&of, &key, &options, &secret, &error)) {
    static const berth_error kinds[] = {BERTH_NOT_FOUND, BERTH_DENIED,    BERTH_INVALID, BERTH_UNAVAILABLE,
                                        BERTH_TIMEOUT,   BERTH_TOO_LARGE, BERTH_OTHER};
    return berth_failed(kinds[error.tag], error.val.other);
  }
  *value = NULL;
  for (size_t i = 0; i < secret.values.len; i++) {
    const char *field = berth_from_string(secret.values.ptr[i].f0);
    if (secret.values.len == 1 || strcmp(field, name) == 0) *value = berth_from_string(secret.values.ptr[i].f1);
  }
  berth_secrets_store_secret_free(&secret);
  if (*value != NULL) return BERTH_OK;
  return berth_failed(BERTH_OTHER, berth_to_string("the secret has several fields, none of them named like it"));
}
