//! {{name}}: what it offers. The functions that are named here run once in each instance.

mod {{part}};

use berth_sdk::http::Router;

berth_sdk::guest! {
    http: routes,
{{doors.rs}}}

fn routes() -> Router {
    Router::new()
        .merge({{part}}::routes())
}
