//! `wasi:config/store`: what the manifest grants as environment, the same names and values.

use crate::{bindings::standards::config::store as wit, instance::GuestState};

impl wit::Host for GuestState {
    async fn get(&mut self, key: String) -> wasmtime::Result<Result<Option<String>, wit::Error>> {
        Ok(Ok(self.app.app.allow.env.get(&key).cloned()))
    }

    async fn get_all(&mut self) -> wasmtime::Result<Result<Vec<(String, String)>, wit::Error>> {
        let all = self
            .app
            .app
            .allow
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.clone()));
        Ok(Ok(all.collect()))
    }
}
