// Between the types of berth.h and those of the generated bindings.
#ifndef BERTH_BINDINGS_H
#define BERTH_BINDINGS_H

#include "guest.h"
#include "memory.h"

// What is passed to the host is lent, what is taken from it is copied.
guest_string_t berth_to_string(const char *text);
guest_option_string_t berth_to_option(const char *text);
guest_list_u8_t berth_to_list(berth_bytes bytes);
guest_list_tuple2_string_string_t berth_to_pairs(const berth_pair *pairs);
const char *berth_from_string(guest_string_t text);
berth_bytes berth_from_list(guest_list_u8_t bytes);
// Notes what happened, and gives the kind.
berth_error berth_failed(berth_error kind, guest_string_t text);

#endif
