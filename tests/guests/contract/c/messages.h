// The subscription, what arrives through it, and /received/{id}.
#ifndef MESSAGES_H
#define MESSAGES_H

#include "http.h"

response_t messages_answer(service_string_t id);

#endif
