//! Answers every request with `Hello, world!`, as `wasi:http@0.3.0` has it.

use bindings::exports::wasi::http::handler::Guest;
use bindings::wasi::http::types::{ErrorCode, Fields, Request, Response};
use bindings::{wit_future, wit_stream};

mod bindings {
    wit_bindgen::generate!({ path: "wit", generate_all });
}

struct Hello;

bindings::export!(Hello with_types_in bindings);

impl Guest for Hello {
    async fn handle(_request: Request) -> Result<Response, ErrorCode> {
        let (mut body, contents) = wit_stream::new();
        let (trailers_done, trailers) = wit_future::new(|| Ok(None));
        let (response, _sent) = Response::new(Fields::new(), Some(contents), trailers);
        // The body is written while the host sends the response.
        wit_bindgen::spawn_local(async move {
            body.write_all(b"Hello, world!\n".to_vec()).await;
            drop(body);
            // The caller may have gone away, which is no concern of the guest.
            let _ = trailers_done.write(Ok(None)).await;
        });
        Ok(response)
    }
}
