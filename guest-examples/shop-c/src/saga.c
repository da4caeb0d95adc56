// The saga: one step after the other, and back again when one fails; and its activities.
//
// The workflow may be run again from its beginning, on another day and host: it does nothing but what its part of berth.h offers.

#include <string.h>

#include "shop.h"

const char *const berth_workflows[] = {SAGA, NULL};
const char *const berth_activities[] = {"reserve", "release", "pay", "refund", "fulfil", NULL};

// From here on somebody has to approve.
static const uint64_t LARGE_CENTS = 100000;
// How long that may take.
static const uint64_t APPROVAL_MS = 24ull * 3600 * 1000;
// A few attempts; then the order fails, and what was done is undone.
static const berth_retry usual = {.max_attempts = 4, .first_interval_ms = 200};
// What is to be undone has to be undone, however long it takes.
static const berth_retry patient = {.max_attempts = UINT32_MAX, .first_interval_ms = 200, .max_interval_ms = 60000};

// Steps that were begun, by what undoes them.
typedef struct {
  const char *undo[2];
  size_t len;
} begun_t;

static berth_error step(const char *activity, berth_bytes order, berth_failure *failure) {
  return berth_call_activity(activity, order, &usual, NULL, failure);
}

static berth_error approval(berth_failure *failure) {
  berth_set_status("waiting for approval");
  berth_error error = berth_wait_event(APPROVED, APPROVAL_MS, NULL);
  const char *kind = error == BERTH_TIMEOUT ? "not-approved" : berth_error_name(error);
  if (error) *failure = (berth_failure){kind, berth_error_message(), true};
  return error;
}

// What undoes a step is noted before it: whether the step had an effect when it fails is unknown, and undoing nothing is
// harmless.
static berth_error steps(berth_bytes order, uint64_t cents, begun_t *begun, berth_failure *failure) {
  berth_set_status("reserving");
  begun->undo[begun->len++] = "release";
  berth_error error = step("reserve", order, failure);
  if (!error && cents >= LARGE_CENTS) error = approval(failure);
  if (error) return error;
  berth_set_status("paying");
  begun->undo[begun->len++] = "refund";
  error = step("pay", order, failure);
  if (error) return error;
  berth_set_status("fulfilling");
  return step("fulfil", order, failure);
}

bool berth_on_workflow(const char *name, berth_bytes input, berth_bytes *output, berth_failure *failure) {
  (void)name;
  berth_json *order = berth_json_read(input);
  uint64_t cents = 0;
  if (!berth_json_as_whole(berth_json_get(order, "totalCents"), &cents)) {
    *failure = (berth_failure){"malformed", "the input is no order", true};
    return false;
  }
  begun_t begun = {0};
  if (steps(input, cents, &begun, failure)) {
    berth_set_status("undoing");
    berth_failure again;
    while (begun.len > 0) {
      if (!berth_call_activity(begun.undo[--begun.len], input, &patient, NULL, &again)) continue;
      *failure = again;
      return false;
    }
    berth_set_status("undone");
    return false;
  }
  berth_set_status("confirmed");
  berth_json *done = berth_json_new(BERTH_OBJECT);
  berth_json_put(done, "orderId", berth_json_string(order_text(order, "orderId")));
  berth_json_put(done, "status", berth_json_string("confirmed"));
  *output = berth_json_write(done);
  return true;
}

// A real shop would charge a card here, and give the idempotency key to whoever does it.
static failure_t *pay(const berth_json *order) {
  if (strcmp(order_text(order, "customerId"), "broke") != 0) return NULL;
  const berth_json *cents = berth_json_get(order, "totalCents");
  return fail(402, "payment-refused", berth_format("%s cents are more than there is", cents->text));
}

// Tells everybody on the topic `orders`.
static failure_t *fulfil(berth_json *order) {
  if (strcmp(order_text(order, "customerId"), "moved") == 0) return fail(410, "no-address", "nobody knows where to send it");
  berth_json_put(order, "status", berth_json_string("confirmed"));
  return announce(order);
}

static failure_t *act(const char *name, berth_json *order) {
  if (strcmp(name, "reserve") == 0 || strcmp(name, "release") == 0) return ask_inventory(name, order);
  if (strcmp(name, "pay") == 0) return pay(order);
  if (strcmp(name, "fulfil") == 0) return fulfil(order);
  return NULL;
}

// An activity runs at least once: each is harmless when it is repeated, since the others know it by the order's ID, and the
// ledger by the idempotency key. What the world refuses it will refuse again; everything else may pass.
bool berth_on_activity(const berth_task *task, const char *name, berth_bytes input, berth_bytes *output,
                       berth_failure *failure) {
  (void)output;
  berth_json *order = berth_json_read(input);
  if (order == NULL) {
    *failure = (berth_failure){"malformed", "the input is no order", true};
    return false;
  }
  failure_t *failed = act(name, order);
  if (failed == NULL) failed = ledger_note(order_text(order, "orderId"), name, task->idempotency_key);
  if (failed == NULL) return true;
  bool final = failed->status >= 400 && failed->status < 500;
  *failure = (berth_failure){failure_code(failed), failure_message(failed), final};
  return false;
}
