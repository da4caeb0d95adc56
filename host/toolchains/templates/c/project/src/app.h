// What the files of {{name}} share.
#ifndef APP_H
#define APP_H

#include "berth.h"

#define STORE "statestore"

// Each answers the requests that are its own; false: this is none.
bool {{part}}_answer(const berth_request *request, berth_response *response);

// Whether a request has this verb and a path of this form, `*` for any segment.
bool is(const berth_request *request, const char *verb, const char *form);
// Answers in JSON.
bool reply(berth_response *response, uint16_t status, const berth_json *body);
// Answers that something was not found, is wrong or went wrong.
bool refuse(berth_response *response, uint16_t status, const char *message);

#endif
