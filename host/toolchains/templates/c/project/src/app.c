// {{name}}: what it answers.

#include "app.h"

#include <stdio.h>
#include <string.h>

void berth_on_request(const berth_request *request, berth_response *response) {
  if ({{part}}_answer(request, response)) return;
  refuse(response, 404, "nothing answers this");
}

bool is(const berth_request *request, const char *verb, const char *form) {
  if (strcmp(request->verb, verb) != 0) return false;
  for (size_t place = 0;; place++) {
    const char *wanted = berth_segment(form, place), *found = berth_segment(request->path, place);
    if (wanted == NULL || found == NULL) return wanted == found;
    if (strcmp(wanted, "*") != 0 && strcmp(wanted, found) != 0) return false;
  }
}

bool reply(berth_response *response, uint16_t status, const berth_json *body) {
  response->status = status;
  response->body = berth_json_write(body);
  return true;
}

bool refuse(berth_response *response, uint16_t status, const char *message) {
  if (status >= 500) fprintf(stderr, "%s\n", message);
  berth_json *body = berth_json_new(BERTH_OBJECT);
  berth_json_put(body, "error", berth_json_string(message));
  return reply(response, status, body);
}
