// Messages: from the generated bindings to berth_on_message. What an export returns is freed after the call, so every part of
// it is allocated by malloc.
#ifdef BERTH_OFFERS_SUBSCRIPTIONS
#include <stdlib.h>

#include "bindings.h"

static guest_string_t owned(const char *text) {
  guest_string_t copy;
  guest_string_dup(&copy, text);
  return copy;
}

void exports_berth_pubsub_subscriptions_declare(exports_berth_pubsub_subscriptions_list_subscription_t *list) {
  size_t len = 0;
  while (berth_subscriptions[len].topic != NULL) len++;
  list->len = len;
  list->ptr = calloc(len + 1, sizeof *list->ptr);
  if (list->ptr == NULL) abort();
  for (size_t i = 0; i < len; i++) {
    const berth_subscription *declared = &berth_subscriptions[i];
    list->ptr[i].pubsub = owned(declared->pubsub);
    list->ptr[i].topic = owned(declared->topic);
    list->ptr[i].default_route.is_some = true;
    list->ptr[i].default_route.val = owned(berth_format("/%s", declared->topic));
    list->ptr[i].dead_letter_topic.is_some = declared->dead_letter_topic != NULL;
    if (declared->dead_letter_topic != NULL) list->ptr[i].dead_letter_topic.val = owned(declared->dead_letter_topic);
  }
  berth_free_all();
}

exports_berth_pubsub_subscriber_outcome_t exports_berth_pubsub_subscriber_handle(
    exports_berth_pubsub_subscriber_delivery_t *delivery) {
  berth_message message = {
      .pubsub = berth_from_string(delivery->pubsub),
      .topic = berth_from_string(delivery->topic),
      .route = berth_from_string(delivery->route),
      .attempt = delivery->attempt,
      .event_id = berth_from_string(delivery->event.id),
      .event_type = berth_from_string(delivery->event.event_type),
      .data = berth_from_list(delivery->event.data),
  };
  exports_berth_pubsub_subscriber_delivery_free(delivery);
  berth_outcome outcome = berth_on_message(&message);
  berth_free_all();
  switch (outcome) {
    case BERTH_DONE: return EXPORTS_BERTH_PUBSUB_SUBSCRIBER_OUTCOME_SUCCESS;
    case BERTH_DROP: return EXPORTS_BERTH_PUBSUB_SUBSCRIBER_OUTCOME_DROP;
    case BERTH_RETRY: break;
  }
  return EXPORTS_BERTH_PUBSUB_SUBSCRIBER_OUTCOME_RETRY;
}
#endif
