// berth:invocation.

#include "checks.h"

typedef berth_invocation_invoker_error_t error_t;
typedef berth_invocation_invoker_request_t invocation_t;
typedef berth_invocation_invoker_response_t answer_t;

static invocation_t request(const char *verb, const char *method) {
  return (invocation_t){.verb = string(verb), .method = string(method)};
}

static bool invoke(service_string_t app_id, invocation_t request, answer_t *answer, error_t *error) {
  return berth_invocation_invoker_invoke(&app_id, &request, answer, error);
}

static outcome_t check_invoke(const run_t *run) {
  error_t error;
  answer_t answer;
  service_tuple2_string_string_t headers[] = {
      {string("content-type"), string("text/plain")},
      {string("x-contract"), string("yes")},
  };
  invocation_t ping = request("POST", "echo");
  ping.headers = (service_list_tuple2_string_string_t){headers, 2};
  ping.query = some(string("x=1"));
  ping.body = bytes("ping");
  ping.timeout_ms = (service_option_u32_t){true, 5000};
  DONE(invoke(run->app_id, ping, &answer, &error), error);
  EXPECT(answer.status == 201, "the status is another");
  EXPECT(holds_text(answer.body, "{\"verb\":\"POST\",\"path\":\"/echo\",\"query\":\"x=1\",\"body\":\"ping\","
                                 "\"headers\":{\"content-type\":\"text/plain\",\"x-contract\":\"yes\"}}"),
         "the body is another");
  return NULL;
}

static outcome_t check_status(const run_t *run) {
  error_t error;
  answer_t answer;
  DONE(invoke(run->app_id, request("GET", "nowhere"), &answer, &error), error);
  EXPECT(answer.status == 404, "the status is another");
  return NULL;
}

static outcome_t check_unknown_app(const run_t *run) {
  (void)run;
  error_t error;
  answer_t answer;
  EXPECT_REFUSED(invoke(string("no-such-app"), request("GET", "echo"), &answer, &error), error,
                 BERTH_INVOCATION_INVOKER_ERROR_NOT_FOUND);
  return NULL;
}

static outcome_t check_bad_verb(const run_t *run) {
  error_t error;
  answer_t answer;
  EXPECT_REFUSED(invoke(run->app_id, request("NO VERB", "echo"), &answer, &error), error,
                 BERTH_INVOCATION_INVOKER_ERROR_INVALID);
  return NULL;
}

const check_t invocation_checks[] = {
    {"invocation.invoke", check_invoke},
    {"invocation.status", check_status},
    {"invocation.unknown-app", check_unknown_app},
    {"invocation.bad-verb", check_bad_verb},
    {NULL, NULL},
};
