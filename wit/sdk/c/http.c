// Requests: from the generated bindings to berth_on_request, and back.
#ifdef BERTH_OFFERS_HTTP
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "bindings.h"

// blocking-write-and-flush takes no more at once.
enum { WRITE_MAX = 4096, READ_MAX = 65536 };

// What the host breaks here is no matter of the guest's, which ends.
static void must(bool holds) {
  if (!holds) abort();
}

static const char *verb_of(wasi_http_types_borrow_incoming_request_t incoming) {
  static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  wasi_http_types_method_t method;
  wasi_http_types_method_incoming_request_method(incoming, &method);
  return method.tag == WASI_HTTP_TYPES_METHOD_OTHER ? berth_from_string(method.val.other) : names[method.tag];
}

static int digit(char hex) {
  return isdigit((unsigned char)hex) ? hex - '0' : tolower(hex) - 'a' + 10;
}

// Resolves `%41`.
static const char *decoded(const char *text) {
  char *copy = berth_copy(text, strlen(text)), *to = copy;
  for (; *text != 0; text++) {
    if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
      *to++ = (char)(digit(text[1]) * 16 + digit(text[2]));
      text += 2;
    } else {
      *to++ = *text;
    }
  }
  *to = 0;
  return copy;
}

static void read_target(wasi_http_types_borrow_incoming_request_t incoming, berth_request *request) {
  guest_string_t target;
  request->path = "/";
  request->query = "";
  if (!wasi_http_types_method_incoming_request_path_with_query(incoming, &target)) return;
  char *path = berth_copy(target.ptr, target.len);
  char *mark = strchr(path, '?');
  if (mark != NULL) {
    *mark = 0;
    request->query = mark + 1;
  }
  request->path = decoded(path);
}

static const berth_pair *read_headers(wasi_http_types_borrow_incoming_request_t incoming) {
  wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_request_headers(incoming);
  wasi_http_types_list_tuple2_field_name_field_value_t all;
  wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(headers), &all);
  berth_pair *pairs = berth_alloc((all.len + 1) * sizeof *pairs);
  for (size_t i = 0; i < all.len; i++) {
    pairs[i].name = berth_from_string(all.ptr[i].f0);
    pairs[i].value = berth_copy(all.ptr[i].f1.ptr, all.ptr[i].f1.len);
  }
  wasi_http_types_list_tuple2_field_name_field_value_free(&all);
  wasi_http_types_fields_drop_own(headers);
  return pairs;
}

static berth_bytes read_body(wasi_http_types_borrow_incoming_request_t incoming) {
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  must(wasi_http_types_method_incoming_request_consume(incoming, &body));
  must(wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream));
  size_t len = 0, capacity = 0;
  char *data = berth_copy(NULL, 0);
  guest_list_u8_t chunk;
  wasi_io_streams_stream_error_t error;
  while (wasi_io_streams_method_input_stream_blocking_read(wasi_io_streams_borrow_input_stream(stream), READ_MAX, &chunk,
                                                           &error)) {
    if (len + chunk.len > capacity) {
      capacity = 2 * (len + chunk.len);
      char *larger = berth_alloc(capacity + 1);
      memcpy(larger, data, len);
      data = larger;
    }
    memcpy(data + len, chunk.ptr, chunk.len);
    len += chunk.len;
    guest_list_u8_free(&chunk);
  }
  must(error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED);
  wasi_io_streams_input_stream_drop_own(stream);
  wasi_http_types_incoming_body_drop_own(body);
  data[len] = 0;
  return (berth_bytes){data, len};
}

static void add_header(wasi_http_types_borrow_fields_t fields, const char *name, const char *value) {
  guest_string_t header = berth_to_string(name);
  wasi_http_types_field_value_t bytes = {(uint8_t *)value, strlen(value)};
  wasi_http_types_header_error_t error;
  // One that is no legal header is left out.
  wasi_http_types_method_fields_append(fields, &header, &bytes, &error);
}

static void write_body(wasi_http_types_borrow_outgoing_body_t body, berth_bytes bytes) {
  wasi_http_types_own_output_stream_t stream;
  must(wasi_http_types_method_outgoing_body_write(body, &stream));
  for (size_t start = 0; start < bytes.len; start += WRITE_MAX) {
    size_t rest = bytes.len - start;
    guest_list_u8_t chunk = {(uint8_t *)bytes.data + start, rest < WRITE_MAX ? rest : WRITE_MAX};
    wasi_io_streams_stream_error_t error;
    // The caller may have gone away, which is no concern of the guest.
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(stream), &chunk,
                                                                       &error)) {
      break;
    }
  }
  wasi_io_streams_output_stream_drop_own(stream);
}

static void send(const berth_response *response, wasi_http_types_own_response_outparam_t outparam) {
  wasi_http_types_own_fields_t headers = wasi_http_types_constructor_fields();
  wasi_http_types_borrow_fields_t fields = wasi_http_types_borrow_fields(headers);
  if (response->content_type != NULL) add_header(fields, "content-type", response->content_type);
  add_header(fields, "content-length", berth_format("%zu", response->body.len));
  for (const berth_pair *header = response->headers; header != NULL && header->name != NULL; header++) {
    add_header(fields, header->name, header->value);
  }
  wasi_http_types_own_outgoing_response_t outgoing = wasi_http_types_constructor_outgoing_response(headers);
  wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(outgoing);
  wasi_http_types_own_outgoing_body_t body;
  must(wasi_http_types_method_outgoing_response_set_status_code(borrowed, response->status));
  must(wasi_http_types_method_outgoing_response_body(borrowed, &body));
  wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val.ok = outgoing};
  wasi_http_types_static_response_outparam_set(outparam, &result);
  write_body(wasi_http_types_borrow_outgoing_body(body), response->body);
  wasi_http_types_error_code_t error;
  wasi_http_types_static_outgoing_body_finish(body, NULL, &error);
}

void exports_wasi_http_incoming_handler_handle(exports_wasi_http_incoming_handler_own_incoming_request_t incoming,
                                               exports_wasi_http_incoming_handler_own_response_outparam_t outparam) {
  wasi_http_types_borrow_incoming_request_t borrowed = wasi_http_types_borrow_incoming_request(incoming);
  berth_request request = {.verb = verb_of(borrowed), .headers = read_headers(borrowed)};
  read_target(borrowed, &request);
  request.body = read_body(borrowed);
  wasi_http_types_incoming_request_drop_own(incoming);
  berth_response response = {.status = 200, .content_type = "application/json"};
  berth_on_request(&request, &response);
  send(&response, outparam);
  berth_free_all();
}
#endif
