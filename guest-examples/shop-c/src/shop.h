// What the files of the shop share.
#ifndef SHOP_H
#define SHOP_H

#include "berth.h"

#define STORE "statestore"

// An answer that is not a success: a status, and a body with a short code for programs and a sentence for people. NULL: there
// is none.
typedef struct {
  uint16_t status;
  berth_json *body;
} failure_t;

failure_t *fail(uint16_t status, const char *code, const char *message);
// 400: the caller must change this field, such as `items[0].qty`.
failure_t *fail_invalid(const char *field, const char *message);
failure_t *fail_not_found(const char *message);
failure_t *fail_conflict(const char *message);
// 503: nothing is wrong with the request; it may be sent again.
failure_t *fail_unavailable(const char *message);
// What another service answered, passed on as it is.
failure_t *fail_as_told(uint16_t status, berth_bytes body);
// The last call of a block failed so.
failure_t *fail_of(berth_error error);
const char *failure_code(const failure_t *failure);
const char *failure_message(const failure_t *failure);

// Gives up on a write that others keep winning, after a pause that grows. False: enough.
bool try_again(unsigned attempt);

// An identifier that is safe in a path and in a key.
failure_t *check_id(const char *field, const char *id);
// Reads the JSON object that a body should be.
failure_t *read_object(berth_bytes body, berth_json **object);
// Reads an order out of a body; one without an ID gets a new one if it may.
failure_t *read_order(berth_bytes body, bool may_lack_id, berth_json **order);
const char *order_text(const berth_json *order, const char *name);
// `{"orderId": ..., "items": ...}`, as inventory-service wants it.
berth_bytes reservation_of(const berth_json *order);

// A stored JSON document; NULL if there is none.
failure_t *find(const char *key, berth_json **document, const char **etag);

// An answer in JSON.
void reply(berth_response *response, uint16_t status, const berth_json *body);

failure_t *ask_inventory(const char *method, const berth_json *order);
failure_t *announce(const berth_json *order);

failure_t *orders_place(const berth_request *request, berth_response *response);
failure_t *orders_show(const char *id, berth_response *response);
failure_t *carts_put(const char *user, const berth_request *request, berth_response *response);
failure_t *carts_show(const char *user, berth_response *response);
failure_t *carts_patch(const char *user, const berth_request *request, berth_response *response);
failure_t *sagas_start(const berth_request *request, berth_response *response);
failure_t *sagas_show(const char *id, berth_response *response);
failure_t *sagas_approve(const char *id, berth_response *response);
failure_t *sagas_cancel(const char *id, berth_response *response);
failure_t *sagas_ledger(const char *id, berth_response *response);
failure_t *reviews_show(const char *id, berth_response *response);

// Notes that an activity has had its effect, once for each key.
failure_t *ledger_note(const char *order_id, const char *effect, const char *idempotency_key);
failure_t *ledger_read(const char *order_id, berth_json **ledger);

// The event that lets a large order go on.
#define APPROVED "approved"
#define SAGA "order"

#endif
