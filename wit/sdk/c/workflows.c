// Workflows and activities: what the guest has, what a workflow can do, and the client.
#ifdef BERTH_OFFERS_WORKFLOWS
#include <stdlib.h>
#include <string.h>

#include "bindings.h"

typedef berth_workflow_types_payload_t payload_t;
typedef berth_workflow_types_failure_t failure_t;

static payload_t to_payload(berth_bytes bytes) {
  return (payload_t){.data = berth_to_list(bytes), .content_type = berth_to_option("application/json")};
}

static berth_failure from_failure(const failure_t *failure) {
  return (berth_failure){berth_from_string(failure->kind), berth_from_string(failure->message), failure->non_retryable};
}

// -- What the guest has

static guest_string_t owned(const char *text) {
  guest_string_t copy;
  guest_string_dup(&copy, text == NULL ? "" : text);
  return copy;
}

static void list_names(const char *const *names, guest_list_string_t *list) {
  size_t len = 0;
  while (names[len] != NULL) len++;
  list->len = len;
  list->ptr = calloc(len + 1, sizeof *list->ptr);
  if (list->ptr == NULL) abort();
  for (size_t i = 0; i < len; i++) list->ptr[i] = owned(names[i]);
}

void exports_berth_workflow_registry_workflows(guest_list_string_t *list) {
  list_names(berth_workflows, list);
}

void exports_berth_workflow_registry_activities(guest_list_string_t *list) {
  list_names(berth_activities, list);
}

// What an export returns is freed after the call, so it is allocated by malloc.
static bool ended(bool done, berth_bytes output, const berth_failure *failure, payload_t *result, failure_t *why) {
  if (done) {
    char *data = malloc(output.len + 1);
    if (data == NULL) abort();
    if (output.len > 0) memcpy(data, output.data, output.len);
    *result = (payload_t){
        .data = {(uint8_t *)data, output.len},
        .content_type = {.is_some = true, .val = owned("application/json")},
    };
  } else {
    *why = (failure_t){owned(failure->kind), owned(failure->message), failure->final};
  }
  berth_free_all();
  return done;
}

bool exports_berth_workflow_workflows_run(guest_string_t *name, exports_berth_workflow_workflows_payload_t *input,
                                          exports_berth_workflow_workflows_payload_t *ret,
                                          exports_berth_workflow_workflows_failure_t *err) {
  berth_bytes output = berth_text("null");
  berth_failure failure = {0};
  bool done = berth_on_workflow(berth_from_string(*name), berth_from_list(input->data), &output, &failure);
  return ended(done, output, &failure, ret, err);
}

bool exports_berth_workflow_activities_run(exports_berth_workflow_activities_task_t *task, guest_string_t *name,
                                           exports_berth_workflow_activities_payload_t *input,
                                           exports_berth_workflow_activities_payload_t *ret,
                                           exports_berth_workflow_activities_failure_t *err) {
  berth_task given = {
      .instance_id = berth_from_string(task->instance_id),
      .app_id = berth_from_string(task->app_id),
      .attempt = task->attempt,
      .idempotency_key = berth_from_string(task->idempotency_key),
  };
  berth_bytes output = berth_text("null");
  berth_failure failure = {0};
  bool done = berth_on_activity(&given, berth_from_string(*name), berth_from_list(input->data), &output, &failure);
  return ended(done, output, &failure, ret, err);
}

// -- Inside a workflow

static berth_error context_failed(const berth_workflow_context_error_t *error, berth_failure *failure) {
  static const berth_error kinds[] = {BERTH_FAILED,  BERTH_TIMEOUT,   BERTH_CANCELED,
                                      BERTH_INVALID, BERTH_TOO_LARGE, BERTH_OTHER};
  berth_error kind = kinds[error->tag];
  if (kind != BERTH_FAILED) {
    berth_failed(kind, error->val.other);
    if (failure != NULL) *failure = (berth_failure){berth_error_name(kind), berth_error_message(), true};
    return kind;
  }
  berth_failure why = from_failure(&error->val.failed);
  if (failure != NULL) *failure = why;
  return berth_failed(kind, error->val.failed.message);
}

berth_error berth_call_activity(const char *name, berth_bytes input, const berth_retry *retry, berth_bytes *output,
                                berth_failure *failure) {
  guest_string_t activity = berth_to_string(name);
  payload_t payload = to_payload(input), result;
  berth_workflow_context_activity_options_t options = {0};
  if (retry != NULL) {
    options.retry.is_some = true;
    options.retry.val.max_attempts = retry->max_attempts;
    options.retry.val.first_interval_ms = retry->first_interval_ms;
    options.retry.val.backoff = retry->backoff;
    options.retry.val.max_interval_ms.is_some = retry->max_interval_ms > 0;
    options.retry.val.max_interval_ms.val = retry->max_interval_ms;
  }
  berth_workflow_context_error_t error;
  if (!berth_workflow_context_call_activity(&activity, &payload, &options, &result, &error)) {
    return context_failed(&error, failure);
  }
  if (output != NULL) *output = berth_from_list(result.data);
  return BERTH_OK;
}

berth_error berth_wait_event(const char *name, uint64_t timeout_ms, berth_bytes *data) {
  guest_string_t event = berth_to_string(name);
  berth_workflow_context_event_options_t options = {.timeout_ms = {.is_some = timeout_ms > 0, .val = timeout_ms}};
  payload_t payload;
  berth_workflow_context_error_t error;
  if (!berth_workflow_context_wait_event(&event, &options, &payload, &error)) return context_failed(&error, NULL);
  if (data != NULL) *data = berth_from_list(payload.data);
  return BERTH_OK;
}

berth_error berth_sleep(uint64_t ms) {
  berth_workflow_context_error_t error;
  return berth_workflow_context_sleep(ms, &error) ? BERTH_OK : context_failed(&error, NULL);
}

const char *berth_instance_id(void) {
  guest_string_t id;
  berth_workflow_context_instance_id(&id);
  return berth_from_string(id);
}

uint64_t berth_now_ms(void) {
  return berth_workflow_context_now_ms();
}

const char *berth_uuid(void) {
  guest_string_t uuid;
  berth_workflow_context_uuid(&uuid);
  return berth_from_string(uuid);
}

void berth_set_status(const char *text) {
  guest_string_t status = berth_to_string(text);
  berth_workflow_context_error_t error;
  // One that is longer than the host allows is not shown.
  berth_workflow_context_set_custom_status(&status, &error);
}

// -- Elsewhere

static berth_error client_failed(const berth_workflow_client_error_t *error) {
  static const berth_error kinds[] = {BERTH_NOT_FOUND,   BERTH_EXISTS,      BERTH_DENIED,  BERTH_INVALID, BERTH_NOT_ALLOWED,
                                      BERTH_UNAVAILABLE, BERTH_TIMEOUT, BERTH_TOO_LARGE, BERTH_OTHER};
  return berth_failed(kinds[error->tag], error->val.other);
}

static berth_workflow_client_target_t target_of(const char *instance_id) {
  return (berth_workflow_client_target_t){.instance_id = berth_to_string(instance_id)};
}

berth_error berth_start(const char *workflow, berth_bytes input, const char *instance_id, const char **started_id) {
  guest_string_t name = berth_to_string(workflow), started;
  payload_t payload = to_payload(input);
  berth_workflow_client_start_options_t options = {.instance_id = berth_to_option(instance_id)};
  if (instance_id != NULL) {
    options.reuse.is_some = true;
    options.reuse.val = BERTH_WORKFLOW_CLIENT_REUSE_POLICY_NEVER;
    options.conflict.is_some = true;
    options.conflict.val = BERTH_WORKFLOW_CLIENT_CONFLICT_POLICY_USE_EXISTING;
  }
  berth_workflow_client_error_t error;
  if (!berth_workflow_client_start(&name, &payload, &options, &started, &error)) return client_failed(&error);
  if (started_id != NULL) *started_id = berth_from_string(started);
  return BERTH_OK;
}

berth_error berth_get_instance(const char *instance_id, berth_instance *instance) {
  static const char *const names[] = {"pending",   "running", "suspended", "stalled",
                                      "completed", "failed",  "canceled",  "terminated"};
  *instance = (berth_instance){0};
  berth_workflow_client_target_t target = target_of(instance_id);
  berth_workflow_client_option_instance_t found;
  berth_workflow_client_error_t error;
  if (!berth_workflow_client_get(&target, &found, &error)) return client_failed(&error);
  if (!found.is_some) return BERTH_OK;
  instance->found = true;
  instance->status = names[found.val.status];
  if (found.val.custom_status.is_some) instance->custom_status = berth_from_string(found.val.custom_status.val);
  if (found.val.output.is_some) instance->output = berth_from_list(found.val.output.val.data);
  if (found.val.failure.is_some) {
    berth_failure *failure = berth_alloc(sizeof *failure);
    *failure = from_failure(&found.val.failure.val);
    instance->failure = failure;
  }
  berth_workflow_client_option_instance_free(&found);
  return BERTH_OK;
}

berth_error berth_raise_event(const char *instance_id, const char *name, berth_bytes data, const char *event_id) {
  berth_workflow_client_target_t target = target_of(instance_id);
  guest_string_t event = berth_to_string(name);
  payload_t payload = to_payload(data);
  berth_workflow_client_event_options_t options = {.event_id = berth_to_option(event_id)};
  berth_workflow_client_error_t error;
  bool done = berth_workflow_client_raise_event(&target, &event, &payload, &options, &error);
  return done ? BERTH_OK : client_failed(&error);
}

berth_error berth_cancel(const char *instance_id, const char *reason) {
  berth_workflow_client_target_t target = target_of(instance_id);
  guest_string_t text = berth_to_string(reason);
  berth_workflow_client_error_t error;
  return berth_workflow_client_cancel(&target, &text, &error) ? BERTH_OK : client_failed(&error);
}
#endif
