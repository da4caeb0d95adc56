//! Secrets as doors call them.

use crate::{
    Blocks, Caller,
    backend::{Block, Grant},
    limits::SECRET_NAME_BYTES_MAX,
    pipeline::{Operation, call},
    secrets::{SecretError, SecretFields, SecretStore},
};
use std::{collections::BTreeMap, sync::Arc};

/// A secret store for one caller.
#[derive(Clone)]
pub struct Secrets {
    blocks: Blocks,
    caller: Arc<Caller>,
    store: Box<str>,
}

impl Secrets {
    pub(crate) fn new(blocks: Blocks, caller: Arc<Caller>, store: &str) -> Self {
        Self {
            blocks,
            caller,
            store: store.into(),
        }
    }

    /// Whether the store exists for this caller.
    ///
    /// # Errors
    /// `NotFound` if not, `Unavailable` if it could not be opened.
    pub fn check(&self) -> Result<(), SecretError> {
        self.grant().map(drop)
    }

    /// One secret.
    ///
    /// # Errors
    /// `Denied` if a scope forbids it, `NotFound` if there is none.
    pub async fn get(
        &self,
        name: &str,
        metadata: Vec<(String, String)>,
    ) -> Result<SecretFields, SecretError> {
        let grant = self.grant()?;
        let metadata = &metadata;
        let get = |grant: Arc<Grant>, ()| async move { store(&grant)?.get(name, metadata).await };
        self.run(&grant, Operation::SecretGet, may_read(&grant, name), get)
            .await
    }

    /// All secrets that the caller may read.
    ///
    /// # Errors
    /// What the guest can do about it.
    pub async fn bulk(
        &self,
        metadata: Vec<(String, String)>,
    ) -> Result<BTreeMap<String, SecretFields>, SecretError> {
        let grant = self.grant()?;
        let metadata = &metadata;
        let bulk = |grant: Arc<Grant>, ()| async move {
            let mut all = store(&grant)?.bulk(metadata).await?;
            all.retain(|name, _| grant.secrets.check(name).is_ok());
            Ok(all)
        };
        self.run(&grant, Operation::SecretBulk, Ok(()), bulk).await
    }

    fn grant(&self) -> Result<Arc<Grant>, SecretError> {
        self.blocks.grant(
            &self.caller.namespace,
            &self.caller.app,
            Block::Secrets,
            &self.store,
        )
    }

    /// Runs one call. What it sends was prepared once, so that every attempt sends the same; `work` is one attempt. Its
    /// future owns its grant: a closure over borrows could not be proven `Send` by whoever spawns it.
    fn run<I: Clone, T, F>(
        &self,
        grant: &Arc<Grant>,
        operation: Operation,
        prepared: Result<I, SecretError>,
        work: impl Fn(Arc<Grant>, I) -> F,
    ) -> impl Future<Output = Result<T, SecretError>>
    where
        F: Future<Output = Result<T, SecretError>>,
    {
        let attempt = move |prepared: Result<I, SecretError>| {
            let attempt = prepared.map(|input| work(grant.clone(), input));
            async { attempt?.await }
        };
        let span = operation.span(&self.caller.trace, &grant.calls);
        let asked = (span, self.caller.deadline);
        call(grant, operation, asked, prepared, attempt)
    }
}

fn store(grant: &Grant) -> Result<&dyn SecretStore, SecretError> {
    let opened = grant
        .opened
        .as_ref()
        .ok()
        .and_then(|opened| opened.secrets.as_deref());
    opened.ok_or_else(|| {
        SecretError::Unavailable(format!("\"{}\" serves no secrets", grant.calls.backend))
    })
}

fn may_read(grant: &Grant, name: &str) -> Result<(), SecretError> {
    check_name(name)?;
    grant.secrets.check(name).map_err(|rule| {
        let calls = &grant.calls;
        SecretError::Denied(format!(
            "app \"{}\" may not read secret \"{name}\" of store \"{}\": {rule}",
            calls.app, calls.backend
        ))
    })
}

fn check_name(name: &str) -> Result<(), SecretError> {
    match name.len() {
        0 => Err(SecretError::Invalid(
            "the name of the secret is empty".to_owned(),
        )),
        1..=SECRET_NAME_BYTES_MAX => Ok(()),
        length => Err(SecretError::Invalid(format!(
            "the name of the secret has {length} bytes, the limit is {SECRET_NAME_BYTES_MAX}"
        ))),
    }
}
