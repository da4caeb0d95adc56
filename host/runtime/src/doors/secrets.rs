//! `berth:secrets/store`.

use crate::{bindings::berth::secrets::store as wit, instance::GuestState};
use berth_blocks::secrets as block;

type Answer<T> = wasmtime::Result<Result<T, wit::Error>>;

impl wit::Host for GuestState {
    async fn get(
        &mut self,
        store: String,
        name: String,
        options: wit::GetOptions,
    ) -> Answer<wit::Secret> {
        let found = self
            .blocks
            .secrets(&self.caller, &store)
            .get(&name, options.metadata)
            .await;
        Ok(found.map(|fields| secret(name, fields)).map_err(Into::into))
    }

    async fn get_bulk(
        &mut self,
        store: String,
        options: wit::GetOptions,
    ) -> Answer<Vec<wit::Secret>> {
        let found = self
            .blocks
            .secrets(&self.caller, &store)
            .bulk(options.metadata)
            .await;
        let all = |found: std::collections::BTreeMap<_, _>| {
            found.into_iter().map(|(name, f)| secret(name, f)).collect()
        };
        Ok(found.map(all).map_err(Into::into))
    }
}

fn secret(name: String, fields: block::SecretFields) -> wit::Secret {
    let values = fields
        .into_iter()
        .map(|(field, value)| (field, value.reveal().to_owned()))
        .collect();
    wit::Secret { name, values }
}

impl From<block::SecretError> for wit::Error {
    fn from(error: block::SecretError) -> Self {
        use block::SecretError as E;
        match error {
            E::NotConfigured(text) | E::NotFound(text) => Self::NotFound(text),
            E::Denied(text) => Self::Denied(text),
            E::Invalid(text) => Self::Invalid(text),
            E::Unavailable(text) => Self::Unavailable(text),
            E::Timeout(text) => Self::Timeout(text),
            E::Other(text) => Self::Other(text),
        }
    }
}
