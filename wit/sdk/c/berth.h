// Guests of berth in C: a small layer over the bindings that `berth build` generates from the WIT.
//
// A guest offers what its berth.toml lists under `offers`, and implements for each:
//
//   "http"           berth_on_request
//   "subscriptions"  berth_subscriptions, berth_on_message
//   "workflows"      berth_workflows, berth_activities, berth_on_workflow, berth_on_activity
//
// Texts end in a zero byte, and so do bytes, after their length. What a guest is given, and what functions here return, lives
// until the function that the guest implements returns: nothing is freed by hand. The generated bindings, in guest.h, are there
// for what this header does not cover.
#ifndef BERTH_H
#define BERTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Bytes of any kind. Absent: `data` is NULL.
typedef struct {
  const char *data;
  size_t len;
} berth_bytes;

// A name and a value. Lists of them end in one without a name, and may be NULL.
typedef struct {
  const char *name;
  const char *value;
} berth_pair;

// What a program can do about a call that failed. BERTH_OK is 0: `if (berth_state_set(...)) return failed();`
typedef enum {
  BERTH_OK,
  BERTH_NOT_FOUND,
  BERTH_CONFLICT,     // the etag is stale, or the key is there already
  BERTH_EXISTS,       // the instance ID is taken
  BERTH_DENIED,       // another attempt will not help
  BERTH_INVALID,      // the request is wrong
  BERTH_NOT_ALLOWED,  // the instance is not in a state that allows this
  BERTH_UNAVAILABLE,  // another attempt may help
  BERTH_TIMEOUT,      // whether it happened is unknown
  BERTH_TOO_LARGE,
  BERTH_CANCELED,     // the workflow was asked to cancel
  BERTH_FAILED,       // the activity or child failed; see berth_failure
  BERTH_OTHER,
} berth_error;

// What happened in the last call that failed, for people.
const char *berth_error_message(void);
// The name of a kind of error, such as "not-found".
const char *berth_error_name(berth_error error);

// Memory that lives until the function returns that the guest implements. Never NULL.
void *berth_alloc(size_t size);
// As printf, into such memory.
__attribute__((format(printf, 1, 2))) char *berth_format(const char *format, ...);
// The bytes of a text.
berth_bytes berth_text(const char *text);

// -- HTTP

typedef struct {
  const char *verb;   // such as "POST"
  const char *path;   // decoded, without the query string
  const char *query;  // as it came, without the question mark; "" if there is none
  const berth_pair *headers;
  berth_bytes body;
} berth_request;

typedef struct {
  uint16_t status;            // 200 unless it is set
  const char *content_type;   // "application/json" unless it is set
  const berth_pair *headers;
  berth_bytes body;
} berth_response;

// Answers a request from outside, or a call of another app. Implemented by the guest.
void berth_on_request(const berth_request *request, berth_response *response);

// The segment of a path at a place, counted from 0: 1 of "/orders/17" is "17". NULL: it has no such.
const char *berth_segment(const char *path, size_t place);
// The first header of this name. NULL: there is none.
const char *berth_header(const berth_pair *headers, const char *name);

// -- State

typedef struct {
  bool found;
  berth_bytes value;
  const char *etag;
} berth_entry;

typedef struct {
  bool if_absent;        // only if the key is absent
  const char *if_etag;   // only if the stored value has this etag
  uint32_t ttl_seconds;  // 0: for good
} berth_write;

// The value of a key. One that is absent or expired is not found, which is no error.
berth_error berth_state_get(const char *store, const char *key, berth_entry *entry);
// Writes JSON. Without `how`, whatever is there.
berth_error berth_state_set(const char *store, const char *key, berth_bytes value, const berth_write *how);
// Deletes a key. One that is absent is no error, unless `how` has an etag.
berth_error berth_state_delete(const char *store, const char *key, const berth_write *how);

// -- Topics

typedef struct {
  const char *id;             // the same for a message that is published again; NULL: one is made
  const char *event_type;     // NULL: the host's default
  const char *content_type;   // NULL: "application/json"
  const berth_pair *metadata;
} berth_publishing;

// Publishes a message. Without `how`: JSON.
berth_error berth_publish(const char *pubsub, const char *topic, berth_bytes data, const berth_publishing *how);

// A topic to which the guest subscribes. Lists of them end in one without a topic.
typedef struct {
  const char *pubsub;
  const char *topic;
  const char *dead_letter_topic;  // NULL: none
} berth_subscription;

typedef struct {
  const char *pubsub;
  const char *topic;
  const char *route;      // that the subscription's rules chose; of a topic in berth_subscriptions: "/" and the topic
  uint32_t attempt;       // 1 for the first, where the broker counts
  const char *event_id;
  const char *event_type;
  berth_bytes data;
} berth_message;

typedef enum { BERTH_DONE, BERTH_RETRY, BERTH_DROP } berth_outcome;

// What the guest subscribes to. Implemented by the guest; an empty list if documents say it.
extern const berth_subscription berth_subscriptions[];
// Handles a message. It may come more than once. Implemented by the guest.
berth_outcome berth_on_message(const berth_message *message);

// -- Other apps

typedef struct {
  const char *verb;          // NULL: "POST"
  const char *query;         // NULL: none
  const char *content_type;  // NULL: "application/json"
  const berth_pair *headers;
  uint32_t timeout_ms;       // 0: the host's limit
} berth_calling;

// Calls an app and waits for its whole answer. An answer, 500 included, is no error.
berth_error berth_invoke(const char *app_id, const char *path, berth_bytes body, const berth_calling *how,
                         berth_response *answer);

// -- Secrets

// The value of a secret that has one.
berth_error berth_secret(const char *store, const char *name, const char **value);

// -- Workflows

// Why an activity or a workflow failed.
typedef struct {
  const char *kind;     // what retry policies match
  const char *message;  // for people
  bool final;           // another attempt cannot help
} berth_failure;

typedef struct {
  const char *instance_id;      // the workflow that asked for it
  const char *app_id;           // the app of that workflow
  uint32_t attempt;             // 1 for the first
  const char *idempotency_key;  // the same for all attempts, and for no other activity
} berth_task;

// What the guest has; each list ends in NULL. Implemented by the guest.
extern const char *const berth_workflows[];
extern const char *const berth_activities[];
// Runs a workflow: once for each start, and again when it is replayed. It calls nothing but the functions of this part.
// True: `output` is the result. False: `failure` is. Implemented by the guest.
bool berth_on_workflow(const char *name, berth_bytes input, berth_bytes *output, berth_failure *failure);
// Runs an attempt of an activity. Implemented by the guest.
bool berth_on_activity(const berth_task *task, const char *name, berth_bytes input, berth_bytes *output,
                       berth_failure *failure);

// A retry policy. NULL in its place: three attempts, from one second on, doubling.
typedef struct {
  uint32_t max_attempts;       // in all; 0: three
  uint64_t first_interval_ms;  // 0: one second
  double backoff;              // 0: 2
  uint64_t max_interval_ms;    // 0: no bound
} berth_retry;

// Inside a workflow: runs an activity and waits for its result. BERTH_FAILED: `failure` says why.
berth_error berth_call_activity(const char *name, berth_bytes input, const berth_retry *retry, berth_bytes *output,
                                berth_failure *failure);
// Inside a workflow: waits for an event. A time of 0 has no end.
berth_error berth_wait_event(const char *name, uint64_t timeout_ms, berth_bytes *data);
// Inside a workflow: waits.
berth_error berth_sleep(uint64_t ms);
// Inside a workflow: its instance ID, the time (milliseconds since 1970) and a UUID, the same in every replay.
const char *berth_instance_id(void);
uint64_t berth_now_ms(void);
const char *berth_uuid(void);
// Inside a workflow: shows a text beside the status of the instance.
void berth_set_status(const char *text);

// Elsewhere: starts a workflow. With an ID, there is one instance of it for ever, and starting it again changes nothing.
berth_error berth_start(const char *workflow, berth_bytes input, const char *instance_id, const char **started_id);

typedef struct {
  bool found;
  const char *status;         // such as "running"
  const char *custom_status;  // NULL: none
  berth_bytes output;         // absent unless it completed
  const berth_failure *failure;  // NULL unless it failed
} berth_instance;

// Elsewhere: how far an instance has come. One that is not there is not found, which is no error.
berth_error berth_get_instance(const char *instance_id, berth_instance *instance);
// Elsewhere: sends an event. A second one with the same event ID is dropped; NULL: every event counts.
berth_error berth_raise_event(const char *instance_id, const char *name, berth_bytes data, const char *event_id);
// Elsewhere: asks it to cancel.
berth_error berth_cancel(const char *instance_id, const char *reason);

// -- JSON

typedef struct berth_json berth_json;
typedef enum { BERTH_NULL, BERTH_BOOL, BERTH_NUMBER, BERTH_STRING, BERTH_ARRAY, BERTH_OBJECT } berth_json_kind;

// A value, or a member of an array or object. Members are linked in order.
struct berth_json {
  berth_json_kind kind;
  const char *name;        // of a member of an object
  const char *text;        // of a string, decoded; of a number, as it is written
  bool truth;
  berth_json *first;       // of an array or object
  berth_json *next;
};

// Reads JSON. NULL: it is none.
berth_json *berth_json_read(berth_bytes bytes);
// Writes JSON.
berth_bytes berth_json_write(const berth_json *value);
// A member of an object; NULL if there is none, or if it is no object.
berth_json *berth_json_get(const berth_json *object, const char *name);
// Puts a member into an object, in the place of one of the same name; NULL removes it.
void berth_json_put(berth_json *object, const char *name, berth_json *value);
// Adds to an array.
void berth_json_add(berth_json *array, berth_json *value);
// New values.
berth_json *berth_json_new(berth_json_kind kind);
berth_json *berth_json_string(const char *text);
berth_json *berth_json_whole(uint64_t number);
// The text of a string; NULL if it is none.
const char *berth_json_text(const berth_json *value);
// A whole number that is not negative; false if it is none.
bool berth_json_as_whole(const berth_json *value, uint64_t *number);

#endif
