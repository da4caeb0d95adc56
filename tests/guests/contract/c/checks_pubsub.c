// berth:pubsub.

#include "checks.h"

typedef berth_pubsub_publisher_error_t error_t;
typedef berth_pubsub_publisher_message_t message_t;
typedef berth_pubsub_publisher_publish_options_t options_t;

static message_t message(const char *data, const char *content_type) {
  return (message_t){bytes(data), some(string(content_type))};
}

static message_t hello(void) {
  return message("hello", "text/plain");
}

static bool publish(const char *pubsub, const char *topic, message_t message, options_t options, error_t *error) {
  service_string_t pubsub_name = string(pubsub), topic_name = string(topic);
  return berth_pubsub_publisher_publish(&pubsub_name, &topic_name, &message, &options, error);
}

static outcome_t check_publish(const run_t *run) {
  error_t error;
  service_tuple2_string_string_t id = {string("cloudevent.id"), run_key(run, "plain")};
  options_t options = {.metadata = {&id, 1}};
  DONE(publish("pubsub", "contract", hello(), options, &error), error);
  return NULL;
}

static outcome_t check_publish_special(const run_t *run) {
  error_t error;
  service_tuple2_string_string_t attributes[] = {
      {string("cloudevent.id"), run_key(run, "special")},
      {string("cloudevent.type"), string("special")},
  };
  options_t options = {.metadata = {attributes, 2}};
  DONE(publish("pubsub", "contract", message("{\"n\":1}", "application/json"), options, &error), error);
  return NULL;
}

static outcome_t check_publish_cloudevent(const run_t *run) {
  error_t error;
  service_string_t event = concat("{\"specversion\":\"1.0\",\"id\":\"", run->id,
                                  "-whole\",\"source\":\"elsewhere\",\"type\":\"special\","
                                  "\"datacontenttype\":\"text/plain\",\"data\":\"whole\"}", NULL);
  message_t whole = message((const char *)event.ptr, "application/cloudevents+json");
  DONE(publish("pubsub", "contract", whole, (options_t){0}, &error), error);
  return NULL;
}

static outcome_t check_publish_raw(const run_t *run) {
  static uint8_t raw[] = {0, 255, 10};
  error_t error;
  message_t message = {.data = {raw, sizeof raw}};
  options_t options = {.raw = true, .ttl_seconds = {true, 60}, .partition_key = some(string(run->id))};
  DONE(publish("pubsub", "contract-raw", message, options, &error), error);
  return NULL;
}

static outcome_t check_publish_unknown(const run_t *run) {
  (void)run;
  error_t error;
  EXPECT_REFUSED(publish("no-such-pubsub", "contract", hello(), (options_t){0}, &error), error,
                 BERTH_PUBSUB_TYPES_ERROR_NOT_FOUND);
  return NULL;
}

static outcome_t check_publish_empty_topic(const run_t *run) {
  (void)run;
  error_t error;
  EXPECT_REFUSED(publish("pubsub", "", hello(), (options_t){0}, &error), error, BERTH_PUBSUB_TYPES_ERROR_INVALID);
  return NULL;
}

static outcome_t check_publish_zero_ttl(const run_t *run) {
  (void)run;
  error_t error;
  options_t options = {.ttl_seconds = {true, 0}};
  EXPECT_REFUSED(publish("pubsub", "contract", hello(), options, &error), error, BERTH_PUBSUB_TYPES_ERROR_INVALID);
  return NULL;
}

// Publishes two entries with these IDs.
static bool bulk_publish(const run_t *run, const char *const entry_ids[2],
                         berth_pubsub_publisher_list_bulk_failure_t *failures, error_t *error) {
  service_tuple2_string_string_t ids[2];
  berth_pubsub_publisher_bulk_message_t messages[2];
  for (size_t i = 0; i < 2; i++) {
    ids[i] = (service_tuple2_string_string_t){string("cloudevent.id"), concat(run->id, "-bulk-", entry_ids[i], NULL)};
    messages[i] = (berth_pubsub_publisher_bulk_message_t){string(entry_ids[i]), hello(), {&ids[i], 1}};
  }
  service_string_t pubsub = string("pubsub"), topic = string("contract");
  berth_pubsub_publisher_list_bulk_message_t list = {messages, 2};
  options_t options = {0};
  return berth_pubsub_publisher_bulk_publish(&pubsub, &topic, &list, &options, failures, error);
}

static outcome_t check_bulk_publish(const run_t *run) {
  static const char *const entry_ids[] = {"1", "2"};
  error_t error;
  berth_pubsub_publisher_list_bulk_failure_t failures;
  DONE(bulk_publish(run, entry_ids, &failures, &error), error);
  EXPECT(failures.len == 0, REFUSED(failures.ptr[0].error));
  return NULL;
}

static outcome_t check_bulk_publish_duplicate(const run_t *run) {
  static const char *const entry_ids[] = {"1", "1"};
  error_t error;
  berth_pubsub_publisher_list_bulk_failure_t failures;
  EXPECT_REFUSED(bulk_publish(run, entry_ids, &failures, &error), error, BERTH_PUBSUB_TYPES_ERROR_INVALID);
  return NULL;
}

const check_t pubsub_checks[] = {
    {"pubsub.publish", check_publish},
    {"pubsub.publish-special", check_publish_special},
    {"pubsub.publish-cloudevent", check_publish_cloudevent},
    {"pubsub.publish-raw", check_publish_raw},
    {"pubsub.publish-unknown", check_publish_unknown},
    {"pubsub.publish-empty-topic", check_publish_empty_topic},
    {"pubsub.publish-zero-ttl", check_publish_zero_ttl},
    {"pubsub.bulk-publish", check_bulk_publish},
    {"pubsub.bulk-publish-duplicate", check_bulk_publish_duplicate},
    {NULL, NULL},
};
