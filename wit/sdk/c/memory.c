// Memory that lives as long as a call, and texts in it.
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

typedef struct block {
  struct block *before;
  max_align_t data[];
} block_t;

static block_t *last;

void *berth_alloc(size_t size) {
  block_t *block = calloc(1, sizeof *block + size);
  // A guest without memory ends: the host tells its caller.
  if (block == NULL) abort();
  block->before = last;
  last = block;
  return block->data;
}

void berth_free_all(void) {
  while (last != NULL) {
    block_t *before = last->before;
    free(last);
    last = before;
  }
}

char *berth_format(const char *format, ...) {
  va_list values;
  va_start(values, format);
  int len = vsnprintf(NULL, 0, format, values);
  va_end(values);
  char *text = berth_alloc(len < 0 ? 1 : (size_t)len + 1);
  va_start(values, format);
  if (len >= 0) vsnprintf(text, (size_t)len + 1, format, values);
  va_end(values);
  return text;
}

berth_bytes berth_text(const char *text) {
  return (berth_bytes){text, text == NULL ? 0 : strlen(text)};
}

char *berth_copy(const void *data, size_t len) {
  char *copy = berth_alloc(len + 1);
  if (len > 0) memcpy(copy, data, len);
  return copy;
}
