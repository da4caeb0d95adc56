#include "checks.h"

#include <stdio.h>
#include <string.h>

service_string_t run_key(const run_t *run, const char *name) {
  return concat(run->id, "-", name, NULL);
}

outcome_t refused_as(unsigned tag, service_string_t text) {
  char prefix[32];
  snprintf(prefix, sizeof prefix, "refused as case %u: ", tag);
  text_t detail = {0};
  text_add(&detail, prefix);
  text_add_bytes(&detail, text.ptr, text.len);
  text_add_bytes(&detail, "", 1);
  return detail.bytes;
}

static void add_result(text_t *body, const check_t *check, const run_t *run) {
  outcome_t failure = check->body(run);
  const char *detail = failure == NULL ? "" : failure;
  text_add(body, body->len == 1 ? "{\"check\":" : ",{\"check\":");
  text_add_json(body, check->name, strlen(check->name));
  text_add(body, failure == NULL ? ",\"ok\":true,\"detail\":" : ",\"ok\":false,\"detail\":");
  text_add_json(body, detail, strlen(detail));
  text_add(body, "}");
}

static run_t run_of(const request_t *request) {
  run_t run = {.id = "run", .app_id = string("contract")};
  const service_string_t *header = request_header(request, "x-run-id");
  if (header != NULL) {
    text_t id = {0};
    text_add_bytes(&id, header->ptr, header->len);
    text_add_bytes(&id, "", 1);
    run.id = id.bytes;
  }
  header = request_header(request, "x-app-id");
  if (header != NULL) run.app_id = *header;
  return run;
}

response_t checks_answer(const request_t *request) {
  const check_t *const lists[] = {state_checks, pubsub_checks, invocation_checks, secrets_checks, telemetry_checks};
  const run_t run = run_of(request);
  response_t response = {.status = 200};
  text_add(&response.body, "[");
  for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
    for (const check_t *check = lists[i]; check->name != NULL; check++) add_result(&response.body, check, &run);
  }
  text_add(&response.body, "]");
  return response;
}
