// What a caller is told when something went wrong.

#include <time.h>

#include "shop.h"

failure_t *fail(uint16_t status, const char *code, const char *message) {
  failure_t *failure = berth_alloc(sizeof *failure);
  failure->status = status;
  failure->body = berth_json_new(BERTH_OBJECT);
  berth_json_put(failure->body, "error", berth_json_string(code));
  berth_json_put(failure->body, "message", berth_json_string(message));
  return failure;
}

failure_t *fail_invalid(const char *field, const char *message) {
  failure_t *failure = fail(400, "invalid", message);
  berth_json_put(failure->body, "field", berth_json_string(field));
  return failure;
}

failure_t *fail_not_found(const char *message) {
  return fail(404, "not-found", message);
}

failure_t *fail_conflict(const char *message) {
  return fail(409, "conflict", message);
}

failure_t *fail_unavailable(const char *message) {
  return fail(503, "unavailable", message);
}

failure_t *fail_as_told(uint16_t status, berth_bytes body) {
  failure_t *failure = fail(status, "unknown", "");
  berth_json *told = berth_json_read(body);
  if (told != NULL && told->kind == BERTH_OBJECT) failure->body = told;
  return failure;
}

failure_t *fail_of(berth_error error) {
  const char *message = berth_error_message();
  switch (error) {
    case BERTH_CONFLICT:
    case BERTH_EXISTS:
    case BERTH_NOT_ALLOWED: return fail_conflict(message);
    case BERTH_INVALID: return fail(400, "invalid", message);
    case BERTH_TOO_LARGE: return fail(413, "too-large", message);
    case BERTH_UNAVAILABLE: return fail_unavailable(message);
    case BERTH_TIMEOUT: return fail(504, "timeout", message);
    // The operator's to mend, not the caller's: a store that is missing, or that this app must not use.
    default: return fail(500, berth_error_name(error), message);
  }
}

const char *failure_code(const failure_t *failure) {
  const char *code = berth_json_text(berth_json_get(failure->body, "error"));
  return code == NULL ? "unknown" : code;
}

const char *failure_message(const failure_t *failure) {
  const char *message = berth_json_text(berth_json_get(failure->body, "message"));
  return message == NULL ? "no reason was given" : message;
}

bool try_again(unsigned attempt) {
  enum { ATTEMPTS_MAX = 100, PAUSE_GROWTH_MS = 2, PAUSE_MS_MAX = 20 };
  long pause_ms = attempt * PAUSE_GROWTH_MS < PAUSE_MS_MAX ? attempt * PAUSE_GROWTH_MS : PAUSE_MS_MAX;
  struct timespec pause = {.tv_nsec = pause_ms * 1000000};
  if (attempt > 0) nanosleep(&pause, NULL);
  return attempt < ATTEMPTS_MAX;
}
