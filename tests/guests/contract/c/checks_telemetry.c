// berth:telemetry.

#include <string.h>

#include "checks.h"

typedef berth_telemetry_tracing_value_t value_t;

enum { TRACE_ID = 3, SPAN_ID = 36, TEXT_LEN = 55 };

// The traceparent of where the guest stands.
static service_string_t here(void) {
  service_string_t text;
  berth_telemetry_tracing_traceparent(&text);
  return text;
}

static bool same(service_string_t a, service_string_t b, size_t from, size_t to) {
  return a.len == TEXT_LEN && b.len == TEXT_LEN && memcmp(a.ptr + from, b.ptr + from, to - from) == 0;
}

static outcome_t check_recorded(const run_t *run) {
  (void)run;
  EXPECT(berth_telemetry_tracing_is_recorded(), "nothing is recorded");
  service_string_t text = here();
  EXPECT(text.len == TEXT_LEN && memcmp(text.ptr, "00-", 3) == 0, "the traceparent is none");
  return NULL;
}

static void set(berth_telemetry_tracing_own_span_t span, const char *name, value_t value) {
  service_string_t name_string = string(name);
  berth_telemetry_tracing_method_span_set_attribute(berth_telemetry_tracing_borrow_span(span), &name_string, &value);
}

static outcome_t check_span(const run_t *run) {
  (void)run;
  service_string_t before = here(), name = string("contract-span"), event = string("checked");
  berth_telemetry_tracing_own_span_t span = berth_telemetry_tracing_static_span_start(&name);
  set(span, "text", (value_t){.tag = BERTH_TELEMETRY_TRACING_VALUE_TEXT, .val.text = string("t")});
  set(span, "integer", (value_t){.tag = BERTH_TELEMETRY_TRACING_VALUE_INTEGER, .val.integer = 2});
  set(span, "number", (value_t){.tag = BERTH_TELEMETRY_TRACING_VALUE_NUMBER, .val.number = 0.5});
  set(span, "boolean", (value_t){.tag = BERTH_TELEMETRY_TRACING_VALUE_BOOLEAN, .val.boolean = true});
  berth_telemetry_tracing_tuple2_string_value_t attribute = {
      .f0 = string("n"), .f1 = {.tag = BERTH_TELEMETRY_TRACING_VALUE_INTEGER, .val.integer = 1}};
  berth_telemetry_tracing_list_tuple2_string_value_t attributes = {.ptr = &attribute, .len = 1};
  berth_telemetry_tracing_method_span_add_event(berth_telemetry_tracing_borrow_span(span), &event, &attributes);
  service_string_t within = here();
  berth_telemetry_tracing_span_drop_own(span);
  EXPECT(same(before, within, TRACE_ID, SPAN_ID), "another trace");
  EXPECT(!same(before, within, SPAN_ID, TEXT_LEN), "no span of its own");
  EXPECT(same(before, here(), 0, TEXT_LEN), "the span has not ended");
  return NULL;
}

static outcome_t check_request(const run_t *run) {
  service_string_t name = string("contract"), event = string("contract-event");
  value_t value = {.tag = BERTH_TELEMETRY_TRACING_VALUE_TEXT, .val.text = string(run->id)};
  berth_telemetry_tracing_set_attribute(&name, &value);
  berth_telemetry_tracing_list_tuple2_string_value_t attributes = {0};
  berth_telemetry_tracing_add_event(&event, &attributes);
  return NULL;
}

const check_t telemetry_checks[] = {
    {"telemetry.recorded", check_recorded},
    {"telemetry.span", check_span},
    {"telemetry.request", check_request},
    {NULL, NULL},
};
