// What an order is, and what it takes to be one: JSON that was read by a stranger's program, checked field by field.

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "shop.h"

// Largest request body that the shop reads.
enum { BODY_BYTES_MAX = 1024 * 1024 };
// Longest identifier, and shortest limit of every store that the shop may run on.
enum { ID_LENGTH_MAX = 128, CUSTOMER_LENGTH_MAX = 128, ITEMS_MAX = 100 };
static const uint64_t QTY_MAX = 1000000, TOTAL_CENTS_MAX = 100000000000;

failure_t *check_id(const char *field, const char *id) {
  static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-:@";
  size_t len = id == NULL ? 0 : strlen(id);
  if (len >= 1 && len <= ID_LENGTH_MAX && strspn(id, safe) == len) return NULL;
  return fail_invalid(field, "must be a text of 1 to 128 letters, digits and `.`, `_`, `-`, `:`, `@`");
}

// A member that is null is absent.
static berth_json *member(const berth_json *object, const char *name) {
  berth_json *value = berth_json_get(object, name);
  return value == NULL || value->kind == BERTH_NULL ? NULL : value;
}

static failure_t *check_whole(const char *field, const berth_json *value, uint64_t min, uint64_t max) {
  uint64_t number;
  if (berth_json_as_whole(value, &number) && number >= min && number <= max) return NULL;
  return fail_invalid(field, berth_format("must be a whole number from %llu to %llu", (unsigned long long)min,
                                          (unsigned long long)max));
}

static failure_t *check_customer(const berth_json *value) {
  const char *text = berth_json_text(value);
  size_t characters = 0;
  // Continuing bytes of UTF-8 begin no character.
  for (const char *byte = text; byte != NULL && *byte != 0; byte++) characters += (*byte & 0xc0) != 0x80;
  bool blank = text == NULL || strspn(text, " \t\r\n") == strlen(text);
  if (!blank && characters <= CUSTOMER_LENGTH_MAX) return NULL;
  return fail_invalid("customerId", "must be a text of 1 to 128 characters");
}

static failure_t *read_items(const berth_json *items, berth_json **read) {
  *read = berth_json_new(BERTH_ARRAY);
  size_t len = 0;
  const berth_json *first = items != NULL && items->kind == BERTH_ARRAY ? items->first : NULL;
  for (const berth_json *item = first; item != NULL; item = item->next, len++) {
    berth_json *sku = member(item, "sku"), *qty = member(item, "qty");
    failure_t *failure = check_id(berth_format("items[%zu].sku", len), berth_json_text(sku));
    if (failure == NULL) failure = check_whole(berth_format("items[%zu].qty", len), qty, 1, QTY_MAX);
    if (failure != NULL) return failure;
    uint64_t number = 0;
    berth_json_as_whole(qty, &number);
    berth_json *line = berth_json_new(BERTH_OBJECT);
    berth_json_put(line, "sku", berth_json_string(sku->text));
    berth_json_put(line, "qty", berth_json_whole(number));
    berth_json_add(*read, line);
  }
  return len >= 1 && len <= ITEMS_MAX ? NULL : fail_invalid("items", "must be a list of 1 to 100 elements");
}

static const char *new_id(void) {
  unsigned char random[16] = {0};
  getentropy(random, sizeof random);
  char *id = berth_alloc(2 * sizeof random + 1);
  for (size_t i = 0; i < sizeof random; i++) {
    id[2 * i] = "0123456789abcdef"[random[i] >> 4];
    id[2 * i + 1] = "0123456789abcdef"[random[i] & 15];
  }
  return id;
}

failure_t *read_object(berth_bytes bytes, berth_json **object) {
  if (bytes.len > BODY_BYTES_MAX) {
    return fail(413, "too-large", berth_format("the body exceeds %d bytes", BODY_BYTES_MAX));
  }
  *object = berth_json_read(bytes);
  if (*object == NULL) return fail_invalid("body", "must be JSON");
  return (*object)->kind == BERTH_OBJECT ? NULL : fail_invalid("body", "must be a JSON object");
}

failure_t *read_order(berth_bytes bytes, bool may_lack_id, berth_json **order) {
  berth_json *body, *items = NULL;
  failure_t *failure = read_object(bytes, &body);
  if (failure != NULL) return failure;
  berth_json *id = member(body, "orderId"), *customer = member(body, "customerId"), *total = member(body, "totalCents");
  if (id == NULL && !may_lack_id) return fail_invalid("orderId", "orderId is missing");
  failure = id == NULL ? NULL : check_id("orderId", berth_json_text(id));
  if (failure == NULL) failure = check_customer(customer);
  if (failure == NULL) failure = read_items(member(body, "items"), &items);
  if (failure == NULL) failure = check_whole("totalCents", total, 0, TOTAL_CENTS_MAX);
  if (failure != NULL) return failure;
  uint64_t cents = 0;
  berth_json_as_whole(total, &cents);
  *order = berth_json_new(BERTH_OBJECT);
  berth_json_put(*order, "orderId", berth_json_string(id == NULL ? new_id() : id->text));
  berth_json_put(*order, "customerId", berth_json_string(customer->text));
  berth_json_put(*order, "items", items);
  berth_json_put(*order, "totalCents", berth_json_whole(cents));
  berth_json_put(*order, "status", berth_json_string("placed"));
  return NULL;
}

const char *order_text(const berth_json *order, const char *name) {
  const char *text = berth_json_text(berth_json_get(order, name));
  return text == NULL ? "" : text;
}

berth_bytes reservation_of(const berth_json *order) {
  const berth_json *items = berth_json_get(order, "items");
  berth_json *asked = berth_json_new(BERTH_OBJECT), *copy = berth_json_new(BERTH_ARRAY);
  if (items != NULL) *copy = *items;
  berth_json_put(asked, "orderId", berth_json_string(order_text(order, "orderId")));
  berth_json_put(asked, "items", copy);
  return berth_json_write(asked);
}
