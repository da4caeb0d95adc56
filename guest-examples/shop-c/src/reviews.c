// Reviews, which come as messages on the topic `reviews`: `{"id": "1", "text": "..."}`.
//
// Some texts break the handler, to show what becomes of such a message: `hesitate` fails once, `throw` always, `trap` ends the
// instance, `loop` never ends by itself. All but the first are dead letters after the attempts that the shop's resiliency policy
// allows.

#include <stdio.h>
#include <string.h>

#include "shop.h"

const berth_subscription berth_subscriptions[] = {
    {.pubsub = "pubsub", .topic = "reviews", .dead_letter_topic = "reviews-dlq"},
    {0},
};

static const char *key_of(const char *id) {
  return berth_format("review-%s", id);
}

// Keeps a review, and counts how often it came.
static failure_t *keep(const char *id, const char *text, uint64_t *deliveries) {
  for (unsigned attempt = 0; try_again(attempt); attempt++) {
    berth_json *before;
    const char *etag = NULL;
    failure_t *failure = find(key_of(id), &before, &etag);
    if (failure != NULL) return failure;
    *deliveries = 0;
    berth_json_as_whole(berth_json_get(before, "deliveries"), deliveries);
    berth_json *kept = berth_json_new(BERTH_OBJECT);
    berth_json_put(kept, "id", berth_json_string(id));
    berth_json_put(kept, "text", berth_json_string(text));
    berth_json_put(kept, "deliveries", berth_json_whole(++*deliveries));
    berth_write how = {.if_absent = before == NULL, .if_etag = etag};
    berth_error error = berth_state_set(STORE, key_of(id), berth_json_write(kept), &how);
    if (error != BERTH_CONFLICT) return error ? fail_of(error) : NULL;
  }
  return fail_unavailable("the review is being written by others");
}

berth_outcome berth_on_message(const berth_message *message) {
  berth_json *review = berth_json_read(message->data);
  const char *id = berth_json_text(berth_json_get(review, "id"));
  const char *text = berth_json_text(berth_json_get(review, "text"));
  if (id == NULL || text == NULL) {
    fprintf(stderr, "event %s holds no review and never will\n", message->event_id);
    return BERTH_DROP;
  }
  uint64_t deliveries;
  failure_t *failure = keep(id, text, &deliveries);
  if (failure != NULL) {
    fprintf(stderr, "review %s must wait: %s\n", id, failure_message(failure));
    return BERTH_RETRY;
  }
  if (strcmp(text, "hesitate") == 0 && deliveries == 1) return BERTH_RETRY;
  if (strcmp(text, "throw") == 0) return BERTH_RETRY;
  if (strcmp(text, "trap") == 0) __builtin_trap();
  if (strcmp(text, "loop") == 0) for (;;) continue;
  return BERTH_DONE;
}

// Shows a review that has come.
failure_t *reviews_show(const char *id, berth_response *response) {
  berth_json *kept;
  failure_t *failure = find(key_of(id), &kept, NULL);
  if (failure != NULL) return failure;
  if (kept == NULL) return fail_not_found(berth_format("there is no review %s", id));
  reply(response, 200, kept);
  return NULL;
}
