//! Messages that break their handler.

use crate::bindings::exports::berth::pubsub::subscriber::{Delivery, Guest, Outcome};
use crate::{Hostile, exhaustion};
use std::thread;
use std::time::Duration;

impl Guest for Hostile {
    fn handle(delivery: Delivery) -> Outcome {
        let data = String::from_utf8_lossy(&delivery.event.data);
        match data.as_ref() {
            "crash" => exhaustion::trap(),
            "loop" => exhaustion::compute(),
            data => wait(data.strip_prefix("slow:")),
        }
        println!("handled {}", delivery.event.id);
        Outcome::Success
    }
}

fn wait(ms: Option<&str>) {
    if let Some(ms) = ms.and_then(|ms| ms.parse().ok()) {
        thread::sleep(Duration::from_millis(ms));
    }
}
