#include "http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

// blocking-write-and-flush takes no more at once.
enum { MAX_WRITE = 4096, MAX_READ = 65536 };

static void must(bool holds) {
  if (!holds) abort();
}

static service_string_t verb(wasi_http_types_method_t method) {
  static const char *const names[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};
  return method.tag == WASI_HTTP_TYPES_METHOD_OTHER ? method.val.other : string(names[method.tag]);
}

static void split_target(service_string_t target, request_t *request) {
  const uint8_t *mark = memchr(target.ptr, '?', target.len);
  size_t path_len = mark == NULL ? target.len : (size_t)(mark - target.ptr);
  size_t query_start = mark == NULL ? target.len : path_len + 1;
  request->path = (service_string_t){target.ptr, path_len};
  request->query = (service_string_t){target.ptr + query_start, target.len - query_start};
}

static service_list_u8_t read_body(wasi_http_types_borrow_incoming_request_t incoming) {
  text_t text = {0};
  wasi_http_types_own_incoming_body_t body;
  wasi_http_types_own_input_stream_t stream;
  must(wasi_http_types_method_incoming_request_consume(incoming, &body));
  must(wasi_http_types_method_incoming_body_stream(wasi_http_types_borrow_incoming_body(body), &stream));

  service_list_u8_t chunk;
  wasi_io_streams_stream_error_t error;
  while (wasi_io_streams_method_input_stream_blocking_read(wasi_io_streams_borrow_input_stream(stream), MAX_READ,
                                                           &chunk, &error)) {
    text_add_bytes(&text, chunk.ptr, chunk.len);
  }
  must(error.tag == WASI_IO_STREAMS_STREAM_ERROR_CLOSED);

  wasi_io_streams_input_stream_drop_own(stream);
  wasi_http_types_future_trailers_drop_own(wasi_http_types_static_incoming_body_finish(body));
  return (service_list_u8_t){(uint8_t *)text.bytes, text.len};
}

request_t request_read(wasi_http_types_own_incoming_request_t incoming) {
  wasi_http_types_borrow_incoming_request_t borrowed = wasi_http_types_borrow_incoming_request(incoming);
  request_t request = {0};

  wasi_http_types_method_t method;
  wasi_http_types_method_incoming_request_method(borrowed, &method);
  request.verb = verb(method);

  service_string_t target = {0};
  if (wasi_http_types_method_incoming_request_path_with_query(borrowed, &target)) split_target(target, &request);

  wasi_http_types_own_headers_t headers = wasi_http_types_method_incoming_request_headers(borrowed);
  wasi_http_types_method_fields_entries(wasi_http_types_borrow_fields(headers), &request.headers);
  wasi_http_types_fields_drop_own(headers);

  request.body = read_body(borrowed);
  wasi_http_types_incoming_request_drop_own(incoming);
  return request;
}

const service_string_t *request_header(const request_t *request, const char *name) {
  static service_string_t value;
  for (size_t i = 0; i < request->headers.len; i++) {
    service_string_t given = request->headers.ptr[i].f0;
    if (given.len == strlen(name) && strncasecmp((const char *)given.ptr, name, given.len) == 0) {
      value = (service_string_t){request->headers.ptr[i].f1.ptr, request->headers.ptr[i].f1.len};
      return &value;
    }
  }
  return NULL;
}

response_t not_found(void) {
  response_t response = {.status = 404};
  text_add(&response.body, "{\"error\":\"not found\"}");
  return response;
}

static wasi_http_types_own_fields_t json_headers(void) {
  service_list_u8_t media_type = bytes("application/json");
  wasi_http_types_tuple2_field_name_field_value_t field = {
      string("content-type"), {media_type.ptr, media_type.len}};
  wasi_http_types_list_tuple2_field_name_field_value_t fields = {&field, 1};
  wasi_http_types_own_fields_t headers;
  wasi_http_types_header_error_t error;
  must(wasi_http_types_static_fields_from_list(&fields, &headers, &error));
  return headers;
}

static void write_body(wasi_http_types_borrow_outgoing_body_t body, const text_t *text) {
  wasi_http_types_own_output_stream_t stream;
  must(wasi_http_types_method_outgoing_body_write(body, &stream));
  for (size_t start = 0; start < text->len; start += MAX_WRITE) {
    size_t rest = text->len - start;
    service_list_u8_t chunk = {(uint8_t *)text->bytes + start, rest < MAX_WRITE ? rest : MAX_WRITE};
    wasi_io_streams_stream_error_t error;
    // The caller may have gone away, which is no concern of the guest.
    if (!wasi_io_streams_method_output_stream_blocking_write_and_flush(wasi_io_streams_borrow_output_stream(stream),
                                                                       &chunk, &error)) {
      break;
    }
  }
  wasi_io_streams_output_stream_drop_own(stream);
}

void response_send(response_t response, wasi_http_types_own_response_outparam_t outparam) {
  wasi_http_types_own_outgoing_response_t outgoing = wasi_http_types_constructor_outgoing_response(json_headers());
  wasi_http_types_borrow_outgoing_response_t borrowed = wasi_http_types_borrow_outgoing_response(outgoing);
  wasi_http_types_own_outgoing_body_t body;
  must(wasi_http_types_method_outgoing_response_set_status_code(borrowed, response.status));
  must(wasi_http_types_method_outgoing_response_body(borrowed, &body));

  wasi_http_types_result_own_outgoing_response_error_code_t result = {.is_err = false, .val.ok = outgoing};
  wasi_http_types_static_response_outparam_set(outparam, &result);

  write_body(wasi_http_types_borrow_outgoing_body(body), &response.body);
  wasi_http_types_error_code_t error;
  wasi_http_types_static_outgoing_body_finish(body, NULL, &error);
}
