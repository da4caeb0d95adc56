#include "text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void text_add_bytes(text_t *text, const void *added, size_t len) {
  if (text->len + len > text->capacity) {
    text->capacity = 2 * (text->len + len);
    text->bytes = realloc(text->bytes, text->capacity);
    if (text->bytes == NULL) abort();
  }
  memcpy(text->bytes + text->len, added, len);
  text->len += len;
}

void text_add(text_t *text, const char *added) {
  text_add_bytes(text, added, strlen(added));
}

void text_add_number(text_t *text, unsigned number) {
  char digits[16];
  snprintf(digits, sizeof digits, "%u", number);
  text_add(text, digits);
}

void text_add_json(text_t *text, const void *added, size_t len) {
  const unsigned char *byte = added;
  text_add(text, "\"");
  for (size_t i = 0; i < len; i++) {
    if (byte[i] == '"' || byte[i] == '\\') {
      text_add(text, "\\");
      text_add_bytes(text, byte + i, 1);
    } else if (byte[i] < 0x20) {
      char escape[8];
      snprintf(escape, sizeof escape, "\\u%04x", byte[i]);
      text_add(text, escape);
    } else {
      text_add_bytes(text, byte + i, 1);
    }
  }
  text_add(text, "\"");
}

service_string_t concat(const char *first, ...) {
  text_t text = {0};
  va_list parts;
  va_start(parts, first);
  for (const char *part = first; part != NULL; part = va_arg(parts, const char *)) text_add(&text, part);
  va_end(parts);
  text_add_bytes(&text, "", 1);
  return (service_string_t){(uint8_t *)text.bytes, text.len - 1};
}

service_string_t string(const char *text) {
  return (service_string_t){(uint8_t *)text, strlen(text)};
}

service_list_u8_t bytes(const char *text) {
  return (service_list_u8_t){(uint8_t *)text, strlen(text)};
}

service_option_string_t some(service_string_t text) {
  return (service_option_string_t){true, text};
}

bool equals(service_string_t found, const char *expected) {
  return found.len == strlen(expected) && memcmp(found.ptr, expected, found.len) == 0;
}

bool holds_text(service_list_u8_t found, const char *expected) {
  return equals((service_string_t){found.ptr, found.len}, expected);
}
