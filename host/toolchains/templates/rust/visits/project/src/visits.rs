//! Counts visits in the state store.

use berth_sdk::{
    Result,
    http::{Json, Request, Router},
    state::Store,
};
use serde::Serialize;

const STORE: &str = "statestore";
const KEY: &str = "visits";

#[derive(Serialize)]
struct Visits {
    visits: u64,
}

/// `POST /visits` counts one more, `GET /visits` tells how many there were.
pub fn routes() -> Router {
    Router::new().post("/visits", count).get("/visits", show)
}

// Whoever reads a number and writes it again loses what others wrote in between. `update` reads again if somebody did.
fn count(_: Request) -> Result<Json<Visits>> {
    let visits = Store::open(STORE)?.update(KEY, one_more)?;
    Ok(Json(Visits { visits }))
}

fn show(_: Request) -> Result<Json<Visits>> {
    let visits = Store::open(STORE)?.get(KEY)?.unwrap_or(0);
    Ok(Json(Visits { visits }))
}

fn one_more(before: Option<u64>) -> u64 {
    before.unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_visit_is_one() {
        assert_eq!(one_more(None), 1);
        assert_eq!(one_more(Some(1)), 2);
    }
}
