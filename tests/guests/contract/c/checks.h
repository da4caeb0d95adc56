// /contract: every check, in the order of the README.
#ifndef CHECKS_H
#define CHECKS_H

#include "http.h"

// What one run of the checks is called, so that runs over one store do not meet.
typedef struct {
  const char *id;
  service_string_t app_id;
} run_t;

// NULL when the check holds, else what was wrong.
typedef const char *outcome_t;

typedef struct {
  const char *name;
  outcome_t (*body)(const run_t *run);
} check_t;

// Each list ends with an entry without a name.
extern const check_t state_checks[];
extern const check_t pubsub_checks[];
extern const check_t invocation_checks[];
extern const check_t secrets_checks[];
extern const check_t telemetry_checks[];

service_string_t run_key(const run_t *run, const char *name);

outcome_t refused_as(unsigned tag, service_string_t text);

// Every error of the contract is a case number and a text.
#define REFUSED(error) refused_as((error).tag, (error).val.other)

// Leave the check at the first thing that does not hold.
#define EXPECT(holds, detail) do { if (!(holds)) return (detail); } while (0)
#define DONE(call, error) EXPECT(call, REFUSED(error))
#define TRY(call) do { outcome_t failure = (call); if (failure != NULL) return failure; } while (0)
#define EXPECT_REFUSED(call, error, expected) \
  do { \
    EXPECT(!(call), "not refused"); \
    EXPECT((error).tag == (expected), REFUSED(error)); \
  } while (0)

response_t checks_answer(const request_t *request);

#endif
