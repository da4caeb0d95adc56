// A workflow: greets, waits for an answer, and thanks for it. It survives the host.

#include "app.h"

#include <stdio.h>
#include <string.h>

#define GREETING "greeting"
#define SAY "say"
#define ANSWER "answer"

const char *const berth_workflows[] = {GREETING, NULL};
const char *const berth_activities[] = {SAY, NULL};

static const uint64_t ANSWER_MS = 24ull * 3600 * 1000;

static berth_bytes string(const char *text) {
  return berth_json_write(berth_json_string(text));
}

// A workflow does nothing but what its part of berth.h offers: the host refuses everything else.
bool berth_on_workflow(const char *name, berth_bytes input, berth_bytes *output, berth_failure *failure) {
  (void)name;
  const char *who = berth_json_text(berth_json_read(input));
  berth_bytes data;
  if (berth_call_activity(SAY, string(berth_format("Hello %s", who)), NULL, NULL, failure)) return false;
  if (berth_wait_event(ANSWER, ANSWER_MS, &data)) {
    *failure = (berth_failure){"unanswered", berth_error_message(), true};
    return false;
  }
  const char *answer = berth_json_text(berth_json_read(data));
  const char *thanks = berth_format("Thank you for \"%s\"", answer == NULL ? "nothing" : answer);
  if (berth_call_activity(SAY, string(thanks), NULL, NULL, failure)) return false;
  berth_json *said = berth_json_new(BERTH_OBJECT);
  berth_json_put(said, "said", berth_json_string(thanks));
  *output = berth_json_write(said);
  return true;
}

// Effects belong into activities. An activity runs at least once, so it must be safe to repeat.
bool berth_on_activity(const berth_task *task, const char *name, berth_bytes input, berth_bytes *output,
                       berth_failure *failure) {
  (void)task, (void)name, (void)failure;
  printf("%s\n", berth_json_text(berth_json_read(input)));
  *output = input;
  return true;
}

static bool start(const berth_request *request, berth_response *response) {
  berth_json *body = berth_json_read(request->body);
  const char *id = berth_json_text(berth_json_get(body, "id")), *name = berth_json_text(berth_json_get(body, "name"));
  if (id == NULL || name == NULL) return refuse(response, 400, "id and name are texts");
  if (berth_start(GREETING, string(name), id, NULL)) return refuse(response, 503, berth_error_message());
  berth_json *answer = berth_json_new(BERTH_OBJECT);
  berth_json_put(answer, "id", berth_json_string(id));
  return reply(response, 200, answer);
}

static bool answer(const berth_request *request, const char *id, berth_response *response) {
  const char *text = berth_json_text(berth_json_get(berth_json_read(request->body), "text"));
  if (text == NULL) return refuse(response, 400, "text is a text");
  if (berth_raise_event(id, ANSWER, string(text), NULL)) return refuse(response, 503, berth_error_message());
  response->body = berth_text("{\"sent\":true}");
  return true;
}

static bool show(const char *id, berth_response *response) {
  berth_instance instance;
  if (berth_get_instance(id, &instance)) return refuse(response, 503, berth_error_message());
  if (!instance.found) return refuse(response, 404, "no such greeting");
  berth_json *report = berth_json_new(BERTH_OBJECT), *output = NULL;
  if (instance.output.data != NULL) output = berth_json_read(instance.output);
  berth_json_put(report, "state", berth_json_string(instance.status));
  berth_json_put(report, "output", output == NULL ? berth_json_new(BERTH_NULL) : output);
  return reply(response, 200, report);
}

// `POST /greetings` starts one, `POST /greetings/{id}/answer` answers it, `GET /greetings/{id}` shows it.
bool greetings_answer(const berth_request *request, berth_response *response) {
  const char *id = berth_segment(request->path, 1);
  if (is(request, "POST", "/greetings")) return start(request, response);
  if (is(request, "POST", "/greetings/*/answer")) return answer(request, id, response);
  if (is(request, "GET", "/greetings/*")) return show(id, response);
  return false;
}
