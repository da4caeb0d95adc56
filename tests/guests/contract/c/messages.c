#include "messages.h"

#include <stdlib.h>

// What an export returns is freed after the call, so every part of it must be allocated.
static service_string_t owned(const char *text) {
  service_string_t copy;
  service_string_dup(&copy, text);
  return copy;
}

void exports_berth_pubsub_subscriptions_declare(exports_berth_pubsub_subscriptions_list_subscription_t *ret) {
  ret->len = 1;
  ret->ptr = calloc(1, sizeof *ret->ptr);
  ret->ptr->pubsub = owned("pubsub");
  ret->ptr->topic = owned("contract");
  ret->ptr->default_route = some(owned("default"));
  ret->ptr->dead_letter_topic = some(owned("contract-dlq"));
  ret->ptr->rules.len = 1;
  ret->ptr->rules.ptr = calloc(1, sizeof *ret->ptr->rules.ptr);
  ret->ptr->rules.ptr->match = owned("event.type == \"special\"");
  ret->ptr->rules.ptr->path = owned("special");
}

static service_string_t key(service_string_t event_id) {
  text_t text = {0};
  text_add(&text, "received-");
  text_add_bytes(&text, event_id.ptr, event_id.len);
  return (service_string_t){(uint8_t *)text.bytes, text.len};
}

static text_t received(const exports_berth_pubsub_subscriber_delivery_t *delivery) {
  const exports_berth_pubsub_subscriber_event_t *event = &delivery->event;
  text_t text = {0};
  text_add(&text, "{\"id\":");
  text_add_json(&text, event->id.ptr, event->id.len);
  text_add(&text, ",\"type\":");
  text_add_json(&text, event->event_type.ptr, event->event_type.len);
  text_add(&text, ",\"source\":");
  text_add_json(&text, event->source.ptr, event->source.len);
  text_add(&text, ",\"route\":");
  text_add_json(&text, delivery->route.ptr, delivery->route.len);
  text_add(&text, ",\"attempt\":");
  text_add_number(&text, delivery->attempt);
  text_add(&text, ",\"data\":");
  text_add_json(&text, event->data.ptr, event->data.len);
  text_add(&text, "}");
  return text;
}

static bool remember(const exports_berth_pubsub_subscriber_delivery_t *delivery) {
  berth_state_store_error_t error;
  berth_state_store_own_store_t store;
  service_string_t name = string("statestore");
  if (!berth_state_store_open(&name, &store, &error)) return false;

  text_t text = received(delivery);
  service_list_u8_t value = {(uint8_t *)text.bytes, text.len};
  service_string_t event_key = key(delivery->event.id);
  berth_state_store_set_options_t options = {.content_type = some(string("application/json"))};
  bool done = berth_state_store_method_store_set(berth_state_store_borrow_store(store), &event_key, &value, &options,
                                                 &error);
  berth_state_store_store_drop_own(store);
  return done;
}

exports_berth_pubsub_subscriber_outcome_t exports_berth_pubsub_subscriber_handle(
    exports_berth_pubsub_subscriber_delivery_t *delivery) {
  if (!remember(delivery)) return EXPORTS_BERTH_PUBSUB_SUBSCRIBER_OUTCOME_RETRY;
  if (holds_text(delivery->event.data, "drop")) return EXPORTS_BERTH_PUBSUB_SUBSCRIBER_OUTCOME_DROP;
  if (holds_text(delivery->event.data, "retry")) return EXPORTS_BERTH_PUBSUB_SUBSCRIBER_OUTCOME_RETRY;
  return EXPORTS_BERTH_PUBSUB_SUBSCRIBER_OUTCOME_SUCCESS;
}

static response_t failed(berth_state_store_error_t error) {
  response_t response = {.status = 500};
  text_add(&response.body, "{\"error\":");
  text_add_json(&response.body, error.val.other.ptr, error.val.other.len);
  text_add(&response.body, "}");
  return response;
}

response_t messages_answer(service_string_t id) {
  berth_state_store_error_t error;
  berth_state_store_own_store_t store;
  service_string_t name = string("statestore");
  if (!berth_state_store_open(&name, &store, &error)) return failed(error);

  service_string_t event_key = key(id);
  berth_state_store_get_options_t options = {0};
  berth_state_store_option_entry_t entry;
  bool done = berth_state_store_method_store_get(berth_state_store_borrow_store(store), &event_key, &options, &entry,
                                                 &error);
  berth_state_store_store_drop_own(store);
  if (!done) return failed(error);
  if (!entry.is_some) return not_found();
  response_t response = {.status = 200};
  text_add_bytes(&response.body, entry.val.value.ptr, entry.val.value.len);
  return response;
}
