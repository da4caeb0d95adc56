//! `berth:script/program`: what the engine of an interpreted guest runs.

use crate::{bindings::berth::script::program as wit, instance::GuestState};

impl wit::Host for GuestState {
    async fn source(&mut self) -> wasmtime::Result<String> {
        // A guest without one is not loaded.
        Ok(self.app.script.as_deref().unwrap_or_default().to_owned())
    }
}
