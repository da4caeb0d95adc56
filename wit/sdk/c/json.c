// JSON, as RFC 8259 has it. Numbers keep the form in which they were written.
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

// Deeper than any document of a sound mind; bounds the stack.
enum { DEPTH_MAX = 128 };

typedef struct {
  const char *at;
  const char *end;
  int depth;
} reader_t;

static berth_json *read_value(reader_t *reader);

static void skip_space(reader_t *reader) {
  while (reader->at < reader->end && strchr(" \t\r\n", *reader->at) != NULL && *reader->at != 0) reader->at++;
}

static bool take(reader_t *reader, char wanted) {
  skip_space(reader);
  if (reader->at >= reader->end || *reader->at != wanted) return false;
  reader->at++;
  return true;
}

static berth_json *word(reader_t *reader, const char *text, berth_json_kind kind, bool truth) {
  size_t len = strlen(text);
  if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, text, len) != 0) return NULL;
  reader->at += len;
  berth_json *value = berth_json_new(kind);
  value->truth = truth;
  return value;
}

static size_t digits(reader_t *reader) {
  const char *from = reader->at;
  while (reader->at < reader->end && isdigit((unsigned char)*reader->at)) reader->at++;
  return (size_t)(reader->at - from);
}

static berth_json *read_number(reader_t *reader) {
  const char *from = reader->at;
  if (*reader->at == '-') reader->at++;
  bool zero = reader->at < reader->end && *reader->at == '0';
  size_t whole = digits(reader);
  if (whole == 0 || (zero && whole > 1)) return NULL;
  if (reader->at < reader->end && *reader->at == '.') {
    reader->at++;
    if (digits(reader) == 0) return NULL;
  }
  if (reader->at < reader->end && (*reader->at == 'e' || *reader->at == 'E')) {
    reader->at++;
    if (reader->at < reader->end && (*reader->at == '+' || *reader->at == '-')) reader->at++;
    if (digits(reader) == 0) return NULL;
  }
  berth_json *value = berth_json_new(BERTH_NUMBER);
  value->text = berth_copy(from, (size_t)(reader->at - from));
  return value;
}

static bool hex4(reader_t *reader, uint32_t *unit) {
  if (reader->end - reader->at < 4) return false;
  *unit = 0;
  for (int i = 0; i < 4; i++) {
    char digit = *reader->at++;
    if (!isxdigit((unsigned char)digit)) return false;
    *unit = *unit * 16 + (uint32_t)(isdigit((unsigned char)digit) ? digit - '0' : tolower(digit) - 'a' + 10);
  }
  return true;
}

static char *add_utf8(char *to, uint32_t point) {
  if (point < 0x80) {
    *to++ = (char)point;
  } else if (point < 0x800) {
    *to++ = (char)(0xc0 | point >> 6);
    *to++ = (char)(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    *to++ = (char)(0xe0 | point >> 12);
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  } else {
    *to++ = (char)(0xf0 | point >> 18);
    *to++ = (char)(0x80 | (point >> 12 & 0x3f));
    *to++ = (char)(0x80 | (point >> 6 & 0x3f));
    *to++ = (char)(0x80 | (point & 0x3f));
  }
  return to;
}

// A pair of surrogates is one character; one by itself is none.
static bool read_escape(reader_t *reader, char **to) {
  static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
  if (reader->at >= reader->end) return false;
  char escaped = *reader->at++;
  if (escaped == 'u') {
    uint32_t unit, low;
    if (!hex4(reader, &unit)) return false;
    if (unit >= 0xd800 && unit < 0xdc00) {
      if (reader->end - reader->at < 2 || reader->at[0] != '\\' || reader->at[1] != 'u') return false;
      reader->at += 2;
      if (!hex4(reader, &low) || low < 0xdc00 || low > 0xdfff) return false;
      unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
    } else if (unit >= 0xdc00 && unit < 0xe000) {
      return false;
    }
    // Texts here end in a zero byte, so none can hold one.
    if (unit == 0) return false;
    *to = add_utf8(*to, unit);
    return true;
  }
  const char *place = strchr(from, escaped);
  if (escaped == 0 || place == NULL) return false;
  *(*to)++ = into[place - from];
  return true;
}

static const char *read_string(reader_t *reader) {
  if (!take(reader, '"')) return NULL;
  // What is decoded is never longer than what was written.
  char *text = berth_alloc((size_t)(reader->end - reader->at) + 1), *to = text;
  while (reader->at < reader->end) {
    char byte = *reader->at++;
    if (byte == '"') return text;
    if ((unsigned char)byte < 0x20) return NULL;
    if (byte != '\\') {
      *to++ = byte;
    } else if (!read_escape(reader, &to)) {
      return NULL;
    }
  }
  return NULL;
}

static berth_json *read_list(reader_t *reader, berth_json_kind kind, char end) {
  berth_json *list = berth_json_new(kind), **next = &list->first;
  if (take(reader, end)) return list;
  do {
    const char *name = NULL;
    if (kind == BERTH_OBJECT && ((name = read_string(reader)) == NULL || !take(reader, ':'))) return NULL;
    berth_json *value = read_value(reader);
    if (value == NULL) return NULL;
    if (kind == BERTH_OBJECT) {
      berth_json_put(list, name, value);
    } else {
      *next = value;
      next = &value->next;
    }
  } while (take(reader, ','));
  return take(reader, end) ? list : NULL;
}

static berth_json *read_some(reader_t *reader) {
  skip_space(reader);
  if (reader->at >= reader->end) return NULL;
  switch (*reader->at) {
    case 'n': return word(reader, "null", BERTH_NULL, false);
    case 't': return word(reader, "true", BERTH_BOOL, true);
    case 'f': return word(reader, "false", BERTH_BOOL, false);
    case '[': reader->at++; return read_list(reader, BERTH_ARRAY, ']');
    case '{': reader->at++; return read_list(reader, BERTH_OBJECT, '}');
    case '"': {
      const char *text = read_string(reader);
      return text == NULL ? NULL : berth_json_string(text);
    }
    default: return *reader->at == '-' || isdigit((unsigned char)*reader->at) ? read_number(reader) : NULL;
  }
}

static berth_json *read_value(reader_t *reader) {
  if (++reader->depth > DEPTH_MAX) return NULL;
  berth_json *value = read_some(reader);
  reader->depth--;
  return value;
}

berth_json *berth_json_read(berth_bytes bytes) {
  reader_t reader = {bytes.data, bytes.data + bytes.len, 0};
  berth_json *value = bytes.len == 0 ? NULL : read_value(&reader);
  skip_space(&reader);
  return reader.at == reader.end ? value : NULL;
}

typedef struct {
  char *data;
  size_t len, capacity;
} writer_t;

static void add(writer_t *writer, const char *text, size_t len) {
  if (writer->len + len > writer->capacity) {
    writer->capacity = 2 * (writer->len + len) + 64;
    char *larger = berth_alloc(writer->capacity + 1);
    if (writer->len > 0) memcpy(larger, writer->data, writer->len);
    writer->data = larger;
  }
  memcpy(writer->data + writer->len, text, len);
  writer->len += len;
}

static void add_text(writer_t *writer, const char *text) {
  add(writer, text, strlen(text));
}

static void add_string(writer_t *writer, const char *text) {
  add_text(writer, "\"");
  for (; *text != 0; text++) {
    char escape[8];
    if (*text == '"' || *text == '\\') {
      snprintf(escape, sizeof escape, "\\%c", *text);
    } else if ((unsigned char)*text < 0x20) {
      snprintf(escape, sizeof escape, "\\u%04x", (unsigned)*text);
    } else {
      snprintf(escape, sizeof escape, "%c", *text);
    }
    add_text(writer, escape);
  }
  add_text(writer, "\"");
}

static void add_value(writer_t *writer, const berth_json *value) {
  switch (value->kind) {
    case BERTH_NULL: add_text(writer, "null"); return;
    case BERTH_BOOL: add_text(writer, value->truth ? "true" : "false"); return;
    case BERTH_NUMBER: add_text(writer, value->text); return;
    case BERTH_STRING: add_string(writer, value->text); return;
    case BERTH_ARRAY:
    case BERTH_OBJECT: break;
  }
  bool object = value->kind == BERTH_OBJECT;
  add_text(writer, object ? "{" : "[");
  for (const berth_json *member = value->first; member != NULL; member = member->next) {
    if (member != value->first) add_text(writer, ",");
    if (object) {
      add_string(writer, member->name);
      add_text(writer, ":");
    }
    add_value(writer, member);
  }
  add_text(writer, object ? "}" : "]");
}

berth_bytes berth_json_write(const berth_json *value) {
  writer_t writer = {0};
  add_value(&writer, value);
  writer.data[writer.len] = 0;
  return (berth_bytes){writer.data, writer.len};
}

berth_json *berth_json_get(const berth_json *object, const char *name) {
  if (object == NULL || object->kind != BERTH_OBJECT) return NULL;
  for (berth_json *member = object->first; member != NULL; member = member->next) {
    if (strcmp(member->name, name) == 0) return member;
  }
  return NULL;
}

void berth_json_put(berth_json *object, const char *name, berth_json *value) {
  berth_json **place = &object->first;
  while (*place != NULL && strcmp((*place)->name, name) != 0) place = &(*place)->next;
  berth_json *rest = *place == NULL ? NULL : (*place)->next;
  if (value == NULL) {
    *place = rest;
    return;
  }
  value->name = name;
  value->next = rest;
  *place = value;
}

void berth_json_add(berth_json *array, berth_json *value) {
  berth_json **place = &array->first;
  while (*place != NULL) place = &(*place)->next;
  value->next = NULL;
  *place = value;
}

berth_json *berth_json_new(berth_json_kind kind) {
  berth_json *value = berth_alloc(sizeof *value);
  value->kind = kind;
  return value;
}

berth_json *berth_json_string(const char *text) {
  berth_json *value = berth_json_new(BERTH_STRING);
  value->text = text;
  return value;
}

berth_json *berth_json_whole(uint64_t number) {
  berth_json *value = berth_json_new(BERTH_NUMBER);
  value->text = berth_format("%" PRIu64, number);
  return value;
}

const char *berth_json_text(const berth_json *value) {
  return value != NULL && value->kind == BERTH_STRING ? value->text : NULL;
}

bool berth_json_as_whole(const berth_json *value, uint64_t *number) {
  if (value == NULL || value->kind != BERTH_NUMBER) return false;
  size_t len = strlen(value->text);
  // Longer ones do not fit into 64 bits.
  if (strspn(value->text, "0123456789") != len || len > 19) return false;
  *number = strtoull(value->text, NULL, 10);
  return true;
}
