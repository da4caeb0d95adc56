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
        self.run(Operation::SecretGet, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            check_name(name)?;
            grant.secrets.check(name).map_err(|rule| {
                let calls = &grant.calls;
                SecretError::Denied(format!(
                    "app \"{}\" may not read secret \"{name}\" of store \"{}\": {rule}",
                    calls.app, calls.backend
                ))
            })?;
            store.get(name, &metadata).await
        })
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
        self.run(Operation::SecretBulk, |grant: Arc<Grant>| async move {
            let grant = &*grant;
            let store = store(grant)?;
            let mut all = store.bulk(&metadata).await?;
            all.retain(|name, _| grant.secrets.check(name).is_ok());
            Ok(all)
        })
        .await
    }

    fn grant(&self) -> Result<Arc<Grant>, SecretError> {
        self.blocks.grant(
            &self.caller.namespace,
            &self.caller.app,
            Block::Secrets,
            &self.store,
        )
    }

    /// The future owns its grant: a closure over borrows could not be proven `Send` by whoever spawns it.
    async fn run<T, F>(
        &self,
        operation: Operation,
        work: impl FnOnce(Arc<Grant>) -> F,
    ) -> Result<T, SecretError>
    where
        F: Future<Output = Result<T, SecretError>>,
    {
        let grant = self.grant()?;
        call(
            &grant.calls,
            operation,
            self.caller.deadline,
            work(grant.clone()),
        )
        .await
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
