//! The same from Rust.

use crate::{KIT, guest};
use berth_testkit::World;
use serde_json::json;
use std::time::Duration;

#[test]
fn a_month_passes_in_a_moment() {
    let mut world = World::of(&KIT, &guest("worker")).unwrap();
    let month = Duration::from_secs(30 * 24 * 3600);
    let steps = json!([{ "sleep": month.as_millis() as u64 }]);
    world.start("program", "p1", &steps).unwrap();
    assert_eq!(world.workflow("p1").unwrap().status, "RUNNING");
    world.pass(month).unwrap();
    assert_eq!(world.workflow("p1").unwrap().status, "COMPLETED");
}
