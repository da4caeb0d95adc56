// order-service: takes orders and keeps carts.
//
// | request | what happens |
// |---|---|
// | `POST /orders` | reserve the stock, save the order, announce it; safe to send again |
// | `GET /orders/{id}` | the order |
// | `PUT`, `GET /carts/{userId}` | a cart that lives for an hour |
// | `PATCH /carts/{userId}` | merge changes into it, unless somebody else was faster |
// | `POST /sagas` | takes an order by a workflow: 202, and the same again for the same `orderId` |
// | `GET /sagas/{orderId}` | how far it has come |
// | `POST /sagas/{orderId}/approve` | lets a large order go on, which waits for that |
// | `DELETE /sagas/{orderId}` | cancels it, and undoes what was done |
// | `GET /sagas/{orderId}/ledger` | what was done in the world, and how often |
// | `GET /reviews/{id}` | a review, which came as a message on the topic `reviews` |

#include <stdio.h>
#include <string.h>

#include "shop.h"

// Whether a request has this verb and a path of this form, `*` for any segment, which is then the ID.
static bool is(const berth_request *request, const char *verb, const char *form, const char **id) {
  if (strcmp(request->verb, verb) != 0) return false;
  for (size_t place = 0;; place++) {
    const char *wanted = berth_segment(form, place), *found = berth_segment(request->path, place);
    if (wanted == NULL || found == NULL) return wanted == found;
    if (strcmp(wanted, "*") == 0) {
      *id = found;
    } else if (strcmp(wanted, found) != 0) {
      return false;
    }
  }
}

static failure_t *route(const berth_request *request, berth_response *response) {
  const char *id = NULL;
  if (is(request, "POST", "/orders", &id)) return orders_place(request, response);
  if (is(request, "POST", "/sagas", &id)) return sagas_start(request, response);

  bool cart = is(request, "PUT", "/carts/*", &id) || is(request, "GET", "/carts/*", &id) ||
              is(request, "PATCH", "/carts/*", &id);
  failure_t *failure = id == NULL ? NULL : check_id("userId", id);
  if (failure != NULL) return failure;
  if (cart && strcmp(request->verb, "PUT") == 0) return carts_put(id, request, response);
  if (cart && strcmp(request->verb, "GET") == 0) return carts_show(id, response);
  if (cart) return carts_patch(id, request, response);

  failure_t *(*const shows[])(const char *, berth_response *) = {
      orders_show, sagas_show, sagas_approve, sagas_cancel, sagas_ledger, reviews_show,
  };
  const char *const forms[][2] = {
      {"GET", "/orders/*"},   {"GET", "/sagas/*"},        {"POST", "/sagas/*/approve"},
      {"DELETE", "/sagas/*"}, {"GET", "/sagas/*/ledger"}, {"GET", "/reviews/*"},
  };
  for (size_t i = 0; i < sizeof shows / sizeof *shows; i++) {
    if (!is(request, forms[i][0], forms[i][1], &id)) continue;
    failure = check_id("orderId", id);
    return failure != NULL ? failure : shows[i](id, response);
  }
  return fail_not_found(berth_format("nothing answers %s %s", request->verb, request->path));
}

void berth_on_request(const berth_request *request, berth_response *response) {
  failure_t *failure = route(request, response);
  if (failure == NULL) return;
  if (failure->status >= 500) {
    fprintf(stderr, "%s %s: %d %s\n", request->verb, request->path, failure->status, failure_message(failure));
  }
  reply(response, failure->status, failure->body);
  static const berth_pair soon[] = {{"retry-after", "1"}, {0}};
  if (failure->status == 503) response->headers = soon;
}

void reply(berth_response *response, uint16_t status, const berth_json *body) {
  response->status = status;
  response->body = berth_json_write(body);
}
