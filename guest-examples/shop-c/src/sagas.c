// `/sagas`: the instance of an order is named after it, so that an order has one saga, whoever asks and how often.

#include "shop.h"

static failure_t *refused(berth_error error) {
  const char *message = berth_error_message();
  switch (error) {
    case BERTH_NOT_FOUND: return fail_not_found(message);
    case BERTH_DENIED: return fail(403, "denied", message);
    case BERTH_INVALID: return fail_invalid("orderId", message);
    case BERTH_TIMEOUT:
    case BERTH_OTHER: return fail_unavailable(message);
    default: return fail_of(error);
  }
}

static failure_t *accepted(const char *id, berth_response *response) {
  berth_json *answer = berth_json_new(BERTH_OBJECT);
  berth_json_put(answer, "instanceId", berth_json_string(id));
  reply(response, 202, answer);
  return NULL;
}

// Starts the saga of an order, or finds it. An order without an ID could not be asked for again.
failure_t *sagas_start(const berth_request *request, berth_response *response) {
  berth_json *order;
  const char *id;
  failure_t *failure = read_order(request->body, false, &order);
  if (failure != NULL) return failure;
  berth_error error = berth_start(SAGA, berth_json_write(order), order_text(order, "orderId"), &id);
  if (error) return refused(error);
  berth_pair *headers = berth_alloc(2 * sizeof *headers);
  headers[0] = (berth_pair){"location", berth_format("/sagas/%s", id)};
  response->headers = headers;
  return accepted(id, response);
}

// How far a saga has come.
failure_t *sagas_show(const char *id, berth_response *response) {
  berth_instance instance;
  berth_error error = berth_get_instance(id, &instance);
  if (error) return refused(error);
  if (!instance.found) return fail_not_found(berth_format("there is no saga of order %s", id));
  berth_json *report = berth_json_new(BERTH_OBJECT);
  const char *step = instance.custom_status;
  berth_json_put(report, "orderId", berth_json_string(id));
  berth_json_put(report, "status", berth_json_string(instance.status));
  berth_json_put(report, "step", step == NULL ? berth_json_new(BERTH_NULL) : berth_json_string(step));
  if (instance.output.data != NULL) {
    berth_json *result = berth_json_read(instance.output);
    berth_json_put(report, "result", result == NULL ? berth_json_new(BERTH_NULL) : result);
  }
  if (instance.failure != NULL) {
    berth_json *failure = berth_json_new(BERTH_OBJECT);
    berth_json_put(failure, "error", berth_json_string(instance.failure->kind));
    berth_json_put(failure, "message", berth_json_string(instance.failure->message));
    berth_json_put(report, "failure", failure);
  }
  reply(response, 200, report);
  return NULL;
}

// Lets a large order go on.
failure_t *sagas_approve(const char *id, berth_response *response) {
  berth_error error = berth_raise_event(id, APPROVED, berth_text("null"), APPROVED);
  return error ? refused(error) : accepted(id, response);
}

// Asks a saga to stop and undo what it did. One that has ended stays as it is.
failure_t *sagas_cancel(const char *id, berth_response *response) {
  berth_error error = berth_cancel(id, "the customer changed their mind");
  return error ? refused(error) : accepted(id, response);
}

// What was done in the world.
failure_t *sagas_ledger(const char *id, berth_response *response) {
  berth_json *ledger;
  failure_t *failure = ledger_read(id, &ledger);
  if (failure == NULL) reply(response, 200, ledger);
  return failure;
}
