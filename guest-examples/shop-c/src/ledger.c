// What was done in the world for an order: each effect once, however often its activity ran.

#include <string.h>

#include "shop.h"

static const char *key_of(const char *order_id) {
  return berth_format("ledger-%s", order_id);
}

static berth_json *empty(void) {
  berth_json *ledger = berth_json_new(BERTH_OBJECT);
  berth_json_put(ledger, "entries", berth_json_new(BERTH_ARRAY));
  return ledger;
}

// Notes an attempt; a key that is known is the same effect once more.
static void add(berth_json *ledger, const char *effect, const char *key) {
  berth_json *entries = berth_json_get(ledger, "entries");
  for (berth_json *entry = entries->first; entry != NULL; entry = entry->next) {
    const char *known = berth_json_text(berth_json_get(entry, "key"));
    uint64_t attempts = 0;
    if (known == NULL || strcmp(known, key) != 0) continue;
    berth_json_as_whole(berth_json_get(entry, "attempts"), &attempts);
    berth_json_put(entry, "attempts", berth_json_whole(attempts + 1));
    return;
  }
  berth_json *entry = berth_json_new(BERTH_OBJECT);
  berth_json_put(entry, "effect", berth_json_string(effect));
  berth_json_put(entry, "key", berth_json_string(key));
  berth_json_put(entry, "attempts", berth_json_whole(1));
  berth_json_add(entries, entry);
}

failure_t *ledger_note(const char *order_id, const char *effect, const char *idempotency_key) {
  for (unsigned attempt = 0; try_again(attempt); attempt++) {
    berth_json *ledger;
    const char *etag = NULL;
    failure_t *failure = find(key_of(order_id), &ledger, &etag);
    if (failure != NULL) return failure;
    berth_write how = {.if_absent = ledger == NULL, .if_etag = etag};
    if (ledger == NULL) ledger = empty();
    add(ledger, effect, idempotency_key);
    berth_error error = berth_state_set(STORE, key_of(order_id), berth_json_write(ledger), &how);
    if (error != BERTH_CONFLICT) return error ? fail_of(error) : NULL;
  }
  return fail_unavailable("the ledger is being written by others");
}

failure_t *ledger_read(const char *order_id, berth_json **ledger) {
  failure_t *failure = find(key_of(order_id), ledger, NULL);
  if (failure == NULL && *ledger == NULL) *ledger = empty();
  return failure;
}
