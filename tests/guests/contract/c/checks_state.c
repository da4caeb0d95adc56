// berth:state.

#include <string.h>

#include "checks.h"

typedef berth_state_store_borrow_store_t store_t;
typedef berth_state_store_error_t error_t;
typedef berth_state_store_entry_t entry_t;
typedef berth_state_store_set_options_t set_options_t;
typedef berth_state_store_delete_options_t delete_options_t;

static berth_state_store_get_options_t read_options;

static outcome_t open_store(store_t *store) {
  // One handle serves all checks of the instance.
  static berth_state_store_own_store_t opened;
  static bool is_open;
  error_t error;
  service_string_t name = string("statestore");
  if (!is_open) DONE(berth_state_store_open(&name, &opened, &error), error);
  is_open = true;
  *store = berth_state_store_borrow_store(opened);
  return NULL;
}

static bool set(store_t store, service_string_t key, const char *value, set_options_t options, error_t *error) {
  service_list_u8_t list = bytes(value);
  return berth_state_store_method_store_set(store, &key, &list, &options, error);
}

static outcome_t write(store_t store, service_string_t key, const char *value, set_options_t options) {
  error_t error;
  DONE(set(store, key, value, options, &error), error);
  return NULL;
}

static outcome_t write_plain(store_t store, service_string_t key, const char *value) {
  return write(store, key, value, (set_options_t){0});
}

static outcome_t remove_plain(store_t store, service_string_t key) {
  error_t error;
  delete_options_t options = {0};
  DONE(berth_state_store_method_store_delete(store, &key, &options, &error), error);
  return NULL;
}

static outcome_t find(store_t store, service_string_t key, berth_state_store_option_entry_t *found) {
  error_t error;
  DONE(berth_state_store_method_store_get(store, &key, &read_options, found, &error), error);
  return NULL;
}

static outcome_t entry(store_t store, service_string_t key, entry_t *found) {
  berth_state_store_option_entry_t option;
  TRY(find(store, key, &option));
  EXPECT(option.is_some, "the key is absent");
  *found = option.val;
  return NULL;
}

static outcome_t absent(store_t store, service_string_t key) {
  berth_state_store_option_entry_t option;
  TRY(find(store, key, &option));
  EXPECT(!option.is_some, "the key is there");
  return NULL;
}

static outcome_t holds(store_t store, service_string_t key, const char *value) {
  entry_t found;
  TRY(entry(store, key, &found));
  EXPECT(holds_text(found.value, value), "the key holds another value");
  return NULL;
}

// Writes a key twice and returns the etag of the first write, which is stale then.
static outcome_t stale(store_t store, service_string_t key, service_option_string_t *etag) {
  entry_t first;
  TRY(write_plain(store, key, "old"));
  TRY(entry(store, key, &first));
  TRY(write_plain(store, key, "new"));
  *etag = some(first.etag);
  return NULL;
}

static bool same(service_string_t left, service_string_t right) {
  return left.len == right.len && memcmp(left.ptr, right.ptr, left.len) == 0;
}

static bool expires(entry_t found) {
  for (size_t i = 0; i < found.metadata.len; i++) {
    if (equals(found.metadata.ptr[i].f0, "ttlExpireTime")) return true;
  }
  return false;
}

static outcome_t check_open(const run_t *run) {
  (void)run;
  store_t store;
  return open_store(&store);
}

static outcome_t check_open_unknown(const run_t *run) {
  (void)run;
  error_t error;
  berth_state_store_own_store_t store;
  service_string_t name = string("no-such-store");
  EXPECT_REFUSED(berth_state_store_open(&name, &store, &error), error, BERTH_STATE_STORE_ERROR_NOT_FOUND);
  return NULL;
}

static outcome_t check_set(const run_t *run) {
  store_t store;
  TRY(open_store(&store));
  return write_plain(store, run_key(run, "a"), "one");
}

static outcome_t check_get(const run_t *run) {
  store_t store;
  entry_t found;
  TRY(open_store(&store));
  TRY(entry(store, run_key(run, "a"), &found));
  EXPECT(holds_text(found.value, "one"), "the value is another");
  EXPECT(found.etag.len > 0, "the etag is empty");
  return NULL;
}

static outcome_t check_get_missing(const run_t *run) {
  store_t store;
  TRY(open_store(&store));
  return absent(store, run_key(run, "missing"));
}

static outcome_t check_etag(const run_t *run) {
  store_t store;
  entry_t first, second;
  service_string_t key = run_key(run, "etag");
  TRY(open_store(&store));
  TRY(write_plain(store, key, "one"));
  TRY(entry(store, key, &first));
  TRY(write(store, key, "two", (set_options_t){.etag = some(first.etag)}));
  TRY(entry(store, key, &second));
  EXPECT(!same(first.etag, second.etag), "the etag is still the same");
  return NULL;
}

static outcome_t check_stale_etag(const run_t *run) {
  store_t store;
  error_t error;
  set_options_t options = {0};
  service_string_t key = run_key(run, "etag");
  TRY(open_store(&store));
  TRY(stale(store, key, &options.etag));
  EXPECT_REFUSED(set(store, key, "three", options, &error), error, BERTH_STATE_STORE_ERROR_CONFLICT);
  return holds(store, key, "new");
}

static outcome_t check_first_write(const run_t *run) {
  store_t store;
  error_t error;
  set_options_t options = {.concurrency = {true, BERTH_STATE_STORE_CONCURRENCY_FIRST_WRITE}};
  service_string_t key = run_key(run, "first");
  TRY(open_store(&store));
  TRY(remove_plain(store, key));
  TRY(write(store, key, "first", options));
  EXPECT_REFUSED(set(store, key, "second", options, &error), error, BERTH_STATE_STORE_ERROR_CONFLICT);
  return holds(store, key, "first");
}

static outcome_t check_last_write(const run_t *run) {
  store_t store;
  set_options_t options = {.concurrency = {true, BERTH_STATE_STORE_CONCURRENCY_LAST_WRITE}};
  service_string_t key = run_key(run, "last");
  TRY(open_store(&store));
  TRY(stale(store, key, &options.etag));
  TRY(write(store, key, "last", options));
  return holds(store, key, "last");
}

static outcome_t refused_key(service_string_t key) {
  store_t store;
  error_t error;
  TRY(open_store(&store));
  EXPECT_REFUSED(set(store, key, "x", (set_options_t){0}, &error), error, BERTH_STATE_STORE_ERROR_INVALID);
  return NULL;
}

static outcome_t check_empty_key(const run_t *run) {
  (void)run;
  return refused_key(string(""));
}

static outcome_t check_reserved_key(const run_t *run) {
  return refused_key(run_key(run, "a||b"));
}

static outcome_t check_ttl(const run_t *run) {
  store_t store;
  entry_t found;
  service_string_t key = run_key(run, "ttl");
  TRY(open_store(&store));
  TRY(write(store, key, "x", (set_options_t){.ttl_seconds = {true, 3600}}));
  TRY(entry(store, key, &found));
  EXPECT(expires(found), "no ttlExpireTime");
  TRY(write_plain(store, key, "x"));
  TRY(entry(store, key, &found));
  EXPECT(!expires(found), "still ttlExpireTime");
  return NULL;
}

static outcome_t check_content_type(const run_t *run) {
  static uint8_t raw[] = {0, 255, 10};
  static const char media_type[] = "application/octet-stream";
  store_t store;
  entry_t found;
  error_t error;
  service_string_t key = run_key(run, "bytes");
  service_list_u8_t value = {raw, sizeof raw};
  set_options_t options = {.content_type = some(string(media_type))};
  TRY(open_store(&store));
  DONE(berth_state_store_method_store_set(store, &key, &value, &options, &error), error);
  TRY(entry(store, key, &found));
  EXPECT(found.value.len == sizeof raw && memcmp(found.value.ptr, raw, sizeof raw) == 0, "the bytes differ");
  EXPECT(!found.content_type.is_some || equals(found.content_type.val, media_type), "another content type");
  return NULL;
}

static outcome_t check_delete(const run_t *run) {
  store_t store;
  service_string_t key = run_key(run, "delete");
  TRY(open_store(&store));
  TRY(write_plain(store, key, "x"));
  TRY(remove_plain(store, key));
  TRY(absent(store, key));
  return remove_plain(store, key);
}

static outcome_t check_delete_stale_etag(const run_t *run) {
  store_t store;
  error_t error;
  delete_options_t options = {0};
  service_string_t key = run_key(run, "delete-etag");
  TRY(open_store(&store));
  TRY(stale(store, key, &options.etag));
  EXPECT_REFUSED(berth_state_store_method_store_delete(store, &key, &options, &error), error,
                 BERTH_STATE_STORE_ERROR_CONFLICT);
  return holds(store, key, "new");
}

static outcome_t check_bulk_set(const run_t *run) {
  store_t store;
  error_t error;
  berth_state_store_set_request_t requests[] = {
      {.key = run_key(run, "bulk-1"), .value = bytes("1")},
      {.key = run_key(run, "bulk-2"), .value = bytes("2")},
  };
  berth_state_store_list_set_request_t list = {requests, 2};
  berth_state_store_list_bulk_failure_t failures;
  TRY(open_store(&store));
  DONE(berth_state_store_method_store_bulk_set(store, &list, &failures, &error), error);
  EXPECT(failures.len == 0, REFUSED(failures.ptr[0].error));
  TRY(holds(store, requests[0].key, "1"));
  return holds(store, requests[1].key, "2");
}

static outcome_t check_bulk_set_partial(const run_t *run) {
  store_t store;
  error_t error;
  berth_state_store_set_request_t requests[] = {
      {.key = run_key(run, "bulk-stale"), .value = bytes("x")},
      {.key = run_key(run, "bulk-good"), .value = bytes("x")},
  };
  berth_state_store_list_set_request_t list = {requests, 2};
  berth_state_store_list_bulk_failure_t failures;
  TRY(open_store(&store));
  TRY(stale(store, requests[0].key, &requests[0].options.etag));
  TRY(remove_plain(store, requests[1].key));
  DONE(berth_state_store_method_store_bulk_set(store, &list, &failures, &error), error);
  EXPECT(failures.len == 1 && same(failures.ptr[0].key, requests[0].key), "not the one failure expected");
  EXPECT(failures.ptr[0].error.tag == BERTH_STATE_STORE_ERROR_CONFLICT, REFUSED(failures.ptr[0].error));
  return holds(store, requests[1].key, "x");
}

static outcome_t check_bulk_get(const run_t *run) {
  static const char *const values[] = {"2", NULL, "1"};
  store_t store;
  error_t error;
  service_string_t keys[] = {run_key(run, "bulk-2"), run_key(run, "missing"), run_key(run, "bulk-1")};
  service_list_string_t list = {keys, 3};
  berth_state_store_list_bulk_entry_t found;
  TRY(open_store(&store));
  DONE(berth_state_store_method_store_bulk_get(store, &list, &read_options, &found, &error), error);
  EXPECT(found.len == 3, "not three results");
  for (size_t i = 0; i < found.len; i++) {
    berth_state_store_bulk_entry_t *one = &found.ptr[i];
    EXPECT(same(one->key, keys[i]), "the order is another");
    EXPECT(!one->error.is_some, REFUSED(one->error.val));
    EXPECT(one->entry.is_some == (values[i] != NULL), "absent and present are mixed up");
    EXPECT(values[i] == NULL || holds_text(one->entry.val.value, values[i]), "the value is another");
  }
  return NULL;
}

static outcome_t check_bulk_delete(const run_t *run) {
  store_t store;
  error_t error;
  berth_state_store_delete_request_t requests[] = {{.key = run_key(run, "bulk-1")}, {.key = run_key(run, "bulk-2")}};
  berth_state_store_list_delete_request_t list = {requests, 2};
  berth_state_store_list_bulk_failure_t failures;
  TRY(open_store(&store));
  DONE(berth_state_store_method_store_bulk_delete(store, &list, &failures, &error), error);
  EXPECT(failures.len == 0, REFUSED(failures.ptr[0].error));
  TRY(absent(store, requests[0].key));
  return absent(store, requests[1].key);
}

static outcome_t check_transact(const run_t *run) {
  store_t store;
  error_t error;
  service_string_t added = run_key(run, "added"), removed = run_key(run, "removed");
  berth_state_store_operation_t operations[] = {
      {.tag = BERTH_STATE_STORE_OPERATION_SET, .val.set = {.key = added, .value = bytes("added")}},
      {.tag = BERTH_STATE_STORE_OPERATION_DELETE, .val.delete_ = {.key = removed}},
  };
  berth_state_store_list_operation_t list = {operations, 2};
  service_list_tuple2_string_string_t metadata = {0};
  TRY(open_store(&store));
  TRY(write_plain(store, removed, "x"));
  DONE(berth_state_store_method_store_transact(store, &list, &metadata, &error), error);
  TRY(holds(store, added, "added"));
  return absent(store, removed);
}

static outcome_t check_transact_conflict(const run_t *run) {
  store_t store;
  error_t error;
  service_string_t first = run_key(run, "untouched"), second = run_key(run, "contested");
  berth_state_store_operation_t operations[] = {
      {.tag = BERTH_STATE_STORE_OPERATION_SET, .val.set = {.key = first, .value = bytes("x")}},
      {.tag = BERTH_STATE_STORE_OPERATION_SET, .val.set = {.key = second, .value = bytes("x")}},
  };
  berth_state_store_list_operation_t list = {operations, 2};
  service_list_tuple2_string_string_t metadata = {0};
  TRY(open_store(&store));
  TRY(stale(store, second, &operations[1].val.set.options.etag));
  TRY(remove_plain(store, first));
  EXPECT_REFUSED(berth_state_store_method_store_transact(store, &list, &metadata, &error), error,
                 BERTH_STATE_STORE_ERROR_CONFLICT);
  TRY(absent(store, first));
  return holds(store, second, "new");
}

// Notes in `seen` which of the keys `{prefix}a` to `{prefix}e` are on the page.
static outcome_t note_keys(berth_state_store_key_page_t page, service_string_t prefix, unsigned seen[5]) {
  for (size_t i = 0; i < page.keys.len; i++) {
    service_string_t key = page.keys.ptr[i];
    EXPECT(key.len == prefix.len + 1 && memcmp(key.ptr, prefix.ptr, prefix.len) == 0, "a key of another prefix");
    unsigned index = key.ptr[prefix.len] - 'a';
    EXPECT(index < 5 && seen[index]++ == 0, "a key that was not written, or one twice");
  }
  return NULL;
}

static outcome_t check_list_keys(const run_t *run) {
  static const size_t sizes[] = {2, 2, 1};
  store_t store;
  error_t error;
  unsigned seen[5] = {0};
  service_string_t prefix = run_key(run, "list-");
  berth_state_store_page_t page = {.limit = 2};
  TRY(open_store(&store));
  for (const char *name = "abcde"; *name != 0; name++) {
    TRY(write_plain(store, concat((const char *)prefix.ptr, (char[]){*name, 0}, NULL), "x"));
  }
  for (size_t i = 0; i < 3; i++) {
    berth_state_store_key_page_t found;
    DONE(berth_state_store_method_store_list_keys(store, &prefix, &page, &found, &error), error);
    EXPECT(found.keys.len == sizes[i], "a page of another size");
    EXPECT(found.next.is_some == (i < 2), "a token too many or too few");
    TRY(note_keys(found, prefix, seen));
    page.token = found.next;
  }
  return NULL;
}

const check_t state_checks[] = {
    {"state.open", check_open},
    {"state.open-unknown", check_open_unknown},
    {"state.set", check_set},
    {"state.get", check_get},
    {"state.get-missing", check_get_missing},
    {"state.etag", check_etag},
    {"state.stale-etag", check_stale_etag},
    {"state.first-write", check_first_write},
    {"state.last-write", check_last_write},
    {"state.empty-key", check_empty_key},
    {"state.reserved-key", check_reserved_key},
    {"state.ttl", check_ttl},
    {"state.content-type", check_content_type},
    {"state.delete", check_delete},
    {"state.delete-stale-etag", check_delete_stale_etag},
    {"state.bulk-set", check_bulk_set},
    {"state.bulk-set-partial", check_bulk_set_partial},
    {"state.bulk-get", check_bulk_get},
    {"state.bulk-delete", check_bulk_delete},
    {"state.transact", check_transact},
    {"state.transact-conflict", check_transact_conflict},
    {"state.list-keys", check_list_keys},
    {NULL, NULL},
};
