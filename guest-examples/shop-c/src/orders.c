// `/orders`.

#include <string.h>

#include "shop.h"

#define SECRETS "secretstore"
#define SECRET "stripe-secret-key"

// Leaves this service time to answer within its own limit of five seconds.
enum { TIMEOUT_MS = 3000 };

static const char *key_of(const char *order_id) {
  return berth_format("order-%s", order_id);
}

failure_t *find(const char *key, berth_json **document, const char **etag) {
  berth_entry entry;
  *document = NULL;
  berth_error error = berth_state_get(STORE, key, &entry);
  if (error) return fail_of(error);
  if (!entry.found) return NULL;
  if (etag != NULL) *etag = entry.etag;
  *document = berth_json_read(entry.value);
  if (*document != NULL) return NULL;
  return fail(500, "unreadable", berth_format("the document `%s` is not what it should be", key));
}

// Makes sure that an order could be paid. A real shop would now send the amount and the key to `https://api.stripe.com`, which
// its manifest would have to allow; this one only reads the key.
static failure_t *check_payment(void) {
  const char *key = "", *reason = "it is empty";
  berth_error error = berth_secret(SECRETS, SECRET, &key);
  if (error == BERTH_OK && *key != 0) return NULL;
  if (error) reason = berth_error_message();
  if (error == BERTH_OK || error == BERTH_NOT_FOUND || error == BERTH_DENIED || error == BERTH_INVALID) {
    return fail(503, "secret-missing",
                berth_format("no order can be paid without the secret %s of %s: %s", SECRET, SECRETS, reason));
  }
  return fail_unavailable(berth_format("the secret store %s cannot be read: %s", SECRETS, reason));
}

failure_t *ask_inventory(const char *method, const berth_json *order) {
  berth_response answer;
  berth_calling how = {.timeout_ms = TIMEOUT_MS};
  berth_error error = berth_invoke("inventory-service", method, reservation_of(order), &how, &answer);
  if (error) return fail_unavailable(berth_format("inventory-service cannot be asked: %s", berth_error_message()));
  return answer.status == 200 ? NULL : fail_as_told(answer.status, answer.body);
}

// Repeating it is harmless: the event's ID is the order's, and whoever receives it must expect it more than once anyway.
failure_t *announce(const berth_json *order) {
  berth_publishing how = {
      .id = berth_format("order-%s", order_text(order, "orderId")),
      .event_type = "order.confirmed",
  };
  if (berth_publish("pubsub", "orders", berth_json_write(order), &how) == BERTH_OK) return NULL;
  return fail_unavailable(berth_format("the order is stored but could not be announced: %s", berth_error_message()));
}

// Out of stock, or too busy: inventory-service has said it best. Any other answer is worth another attempt.
static failure_t *reserve(const berth_json *order) {
  failure_t *failure = ask_inventory("reserve", order);
  if (failure == NULL || failure->status == 409 || failure->status == 503) return failure;
  return fail_unavailable(berth_format("inventory-service answered %d: %s", failure->status, failure_message(failure)));
}

static failure_t *reserve_and_save(const char *key, berth_json **order) {
  failure_t *failure = reserve(*order);
  if (failure != NULL) return failure;
  berth_write first = {.if_absent = true};
  berth_error error = berth_state_set(STORE, key, berth_json_write(*order), &first);
  if (error != BERTH_CONFLICT) return error ? fail_of(error) : NULL;
  // The same order came twice at once; the other one was stored first.
  failure = find(key, order, NULL);
  if (failure == NULL && *order == NULL) failure = fail_unavailable("the order is being changed");
  return failure;
}

// Each step can be repeated and the answer comes last. Whoever hears nothing, because the host died between any two steps,
// sends the order again, and it goes on where it stopped: stock is reserved once per order ID, the order is stored once, and it
// is announced until it is known to be.
failure_t *orders_place(const berth_request *request, berth_response *response) {
  berth_json *order, *known;
  failure_t *failure = read_order(request->body, true, &order);
  if (failure == NULL) failure = check_payment();
  if (failure != NULL) return failure;
  const char *key = key_of(order_text(order, "orderId"));
  failure = find(key, &known, NULL);
  if (failure != NULL) return failure;
  if (known == NULL) {
    failure = reserve_and_save(key, &order);
    if (failure != NULL) return failure;
  } else {
    order = known;
  }
  if (strcmp(order_text(order, "status"), "placed") == 0) {
    berth_json_put(order, "status", berth_json_string("confirmed"));
    failure = announce(order);
    if (failure != NULL) return failure;
    berth_error error = berth_state_set(STORE, key, berth_json_write(order), NULL);
    if (error) return fail_of(error);
  }
  reply(response, 201, order);
  return NULL;
}

failure_t *orders_show(const char *id, berth_response *response) {
  berth_json *order;
  failure_t *failure = find(key_of(id), &order, NULL);
  if (failure != NULL) return failure;
  if (order == NULL) return fail_not_found(berth_format("there is no order %s", id));
  reply(response, 200, order);
  return NULL;
}
