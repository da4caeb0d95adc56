// berth:secrets.

#include "checks.h"

typedef berth_secrets_store_error_t error_t;
typedef berth_secrets_store_secret_t secret_t;

static const char store_name[] = "secretstore";
static const char secret_name[] = "contract-secret";

static bool get(const char *store, const char *name, secret_t *secret, error_t *error) {
  service_string_t store_string = string(store), name_string = string(name);
  berth_secrets_store_get_options_t options = {0};
  return berth_secrets_store_get(&store_string, &name_string, &options, secret, error);
}

static bool holds_the_value(const secret_t *secret) {
  if (!equals(secret->name, secret_name)) return false;
  for (size_t i = 0; i < secret->values.len; i++) {
    service_tuple2_string_string_t field = secret->values.ptr[i];
    if (equals(field.f0, secret_name) && equals(field.f1, "s3cret")) return true;
  }
  return false;
}

static outcome_t check_get(const run_t *run) {
  (void)run;
  error_t error;
  secret_t secret;
  DONE(get(store_name, secret_name, &secret, &error), error);
  EXPECT(holds_the_value(&secret), "the value is another");
  return NULL;
}

static outcome_t check_get_unknown(const run_t *run) {
  (void)run;
  error_t error;
  secret_t secret;
  EXPECT_REFUSED(get(store_name, "no-such-secret", &secret, &error), error, BERTH_SECRETS_STORE_ERROR_NOT_FOUND);
  return NULL;
}

static outcome_t check_get_unknown_store(const run_t *run) {
  (void)run;
  error_t error;
  secret_t secret;
  EXPECT_REFUSED(get("no-such-store", secret_name, &secret, &error), error, BERTH_SECRETS_STORE_ERROR_NOT_FOUND);
  return NULL;
}

static outcome_t check_get_bulk(const run_t *run) {
  (void)run;
  error_t error;
  service_string_t store = string(store_name);
  berth_secrets_store_get_options_t options = {0};
  berth_secrets_store_list_secret_t secrets;
  DONE(berth_secrets_store_get_bulk(&store, &options, &secrets, &error), error);
  for (size_t i = 0; i < secrets.len; i++) {
    if (holds_the_value(&secrets.ptr[i])) return NULL;
  }
  return "the secret is not among them";
}

const check_t secrets_checks[] = {
    {"secrets.get", check_get},
    {"secrets.get-unknown", check_get_unknown},
    {"secrets.get-unknown-store", check_get_unknown_store},
    {"secrets.get-bulk", check_get_bulk},
    {NULL, NULL},
};
