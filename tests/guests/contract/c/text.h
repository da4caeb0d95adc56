// Text that grows, and JSON written into it.
//
// Nothing here or in the other files frees memory: an instance serves one request, and its memory goes with it.
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "service.h"

typedef struct {
  char *bytes;
  size_t len;
  size_t capacity;
} text_t;

void text_add(text_t *text, const char *added);
void text_add_bytes(text_t *text, const void *bytes, size_t len);
void text_add_number(text_t *text, unsigned number);
// Adds a JSON string, quotes included.
void text_add_json(text_t *text, const void *bytes, size_t len);

// The parts, up to a null pointer, as one string. Ends in a zero byte as well.
service_string_t concat(const char *first, ...);

service_string_t string(const char *text);
service_list_u8_t bytes(const char *text);
service_option_string_t some(service_string_t text);
bool equals(service_string_t found, const char *expected);
bool holds_text(service_list_u8_t found, const char *expected);

#endif
