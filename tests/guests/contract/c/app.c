// The contract guest in C. tests/guests/contract/README.md says what it does.

#include <string.h>

#include "checks.h"
#include "http.h"
#include "messages.h"

static response_t echo(const request_t *request) {
  static const char *const echoed[] = {"content-type", "x-contract"};
  response_t response = {.status = 201};
  text_t *body = &response.body;
  text_add(body, "{\"verb\":");
  text_add_json(body, request->verb.ptr, request->verb.len);
  text_add(body, ",\"path\":");
  text_add_json(body, request->path.ptr, request->path.len);
  text_add(body, ",\"query\":");
  text_add_json(body, request->query.ptr, request->query.len);
  text_add(body, ",\"body\":");
  text_add_json(body, request->body.ptr, request->body.len);
  text_add(body, ",\"headers\":{");
  const char *separator = "";
  for (size_t i = 0; i < 2; i++) {
    const service_string_t *value = request_header(request, echoed[i]);
    if (value == NULL) continue;
    text_add(body, separator);
    text_add_json(body, echoed[i], strlen(echoed[i]));
    text_add(body, ":");
    text_add_json(body, value->ptr, value->len);
    separator = ",";
  }
  text_add(body, "}}");
  return response;
}

static response_t route(const request_t *request) {
  static const char received[] = "/received/";
  const size_t prefix = sizeof received - 1;
  if (equals(request->path, "/contract")) return checks_answer(request);
  if (equals(request->path, "/echo")) return echo(request);
  if (request->path.len > prefix && memcmp(request->path.ptr, received, prefix) == 0) {
    return messages_answer((service_string_t){request->path.ptr + prefix, request->path.len - prefix});
  }
  return not_found();
}

void exports_wasi_http_incoming_handler_handle(exports_wasi_http_incoming_handler_own_incoming_request_t incoming,
                                               exports_wasi_http_incoming_handler_own_response_outparam_t outparam) {
  request_t request = request_read(incoming);
  response_send(route(&request), outparam);
}
