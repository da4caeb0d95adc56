// Requests and responses in one piece, over the streams of wasi:http.
#ifndef HTTP_H
#define HTTP_H

#include "text.h"

typedef struct {
  service_string_t verb;
  service_string_t path;
  service_string_t query;
  service_list_u8_t body;
  wasi_http_types_list_tuple2_field_name_field_value_t headers;
} request_t;

typedef struct {
  uint16_t status;
  text_t body;
} response_t;

request_t request_read(wasi_http_types_own_incoming_request_t incoming);
// The value of a header, or NULL.
const service_string_t *request_header(const request_t *request, const char *name);

response_t not_found(void);
void response_send(response_t response, wasi_http_types_own_response_outparam_t outparam);

#endif
