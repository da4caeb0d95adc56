// Counts visits in the state store.

#include "app.h"

#define KEY "visits"

enum { ATTEMPTS_MAX = 100 };

static berth_error read_visits(uint64_t *visits, berth_entry *entry) {
  *visits = 0;
  berth_error error = berth_state_get(STORE, KEY, entry);
  if (!error && entry->found) berth_json_as_whole(berth_json_read(entry->value), visits);
  return error;
}

// Whoever reads a number and writes it again loses what others wrote in between, unless the etag says that nobody did.
static berth_error count(uint64_t *visits) {
  berth_error error = BERTH_CONFLICT;
  for (int attempt = 0; attempt < ATTEMPTS_MAX && error == BERTH_CONFLICT; attempt++) {
    berth_entry entry;
    error = read_visits(visits, &entry);
    if (error) return error;
    berth_write how = {.if_absent = !entry.found, .if_etag = entry.etag};
    error = berth_state_set(STORE, KEY, berth_json_write(berth_json_whole(++*visits)), &how);
  }
  return error;
}

// `POST /visits` counts one more, `GET /visits` tells how many there were.
bool visits_answer(const berth_request *request, berth_response *response) {
  berth_entry entry;
  berth_error error;
  uint64_t visits;
  if (is(request, "POST", "/visits")) {
    error = count(&visits);
  } else if (is(request, "GET", "/visits")) {
    error = read_visits(&visits, &entry);
  } else {
    return false;
  }
  if (error) return refuse(response, 503, berth_error_message());
  berth_json *answer = berth_json_new(BERTH_OBJECT);
  berth_json_put(answer, "visits", berth_json_whole(visits));
  return reply(response, 200, answer);
}
