// Keeps the messages of a topic.

#include "app.h"

#include <stdio.h>

const berth_subscription berth_subscriptions[] = {
    {.pubsub = "pubsub", .topic = "messages"},
    {0},
};

static const char *key_of(const char *id) {
  return berth_format("message-%s", id);
}

// A message may come more than once: to write the same again does no harm. One whose handler asks for it comes again.
berth_outcome berth_on_message(const berth_message *message) {
  const char *id = berth_json_text(berth_json_get(berth_json_read(message->data), "id"));
  if (id == NULL) return BERTH_DROP;
  if (berth_state_set(STORE, key_of(id), message->data, NULL)) {
    fprintf(stderr, "message %s must wait: %s\n", id, berth_error_message());
    return BERTH_RETRY;
  }
  printf("received %s\n", id);
  return BERTH_DONE;
}

// `GET /messages/{id}` shows a message that has come.
bool messages_answer(const berth_request *request, berth_response *response) {
  if (!is(request, "GET", "/messages/*")) return false;
  berth_entry entry;
  if (berth_state_get(STORE, key_of(berth_segment(request->path, 1)), &entry)) {
    return refuse(response, 503, berth_error_message());
  }
  if (!entry.found) return refuse(response, 404, "no such message");
  response->body = entry.value;
  return true;
}
