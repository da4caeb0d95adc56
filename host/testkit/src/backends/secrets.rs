//! Secrets that a scenario gives, before those of a store that lies in a file.

use crate::probe::{Asked, SharedProbe};
use async_trait::async_trait;
use berth_blocks::secrets::{SecretError, SecretFields, SecretStore};
use std::{collections::BTreeMap, sync::Arc};

pub(super) struct GivenSecrets {
    pub(super) name: String,
    pub(super) given: BTreeMap<String, SecretFields>,
    /// The store that the documents name, if it lies in a file.
    pub(super) file: Option<Arc<dyn SecretStore>>,
    pub(super) probe: SharedProbe,
}

impl GivenSecrets {
    async fn find(
        &self,
        name: &str,
        metadata: &[(String, String)],
    ) -> Result<SecretFields, SecretError> {
        if let Some(fields) = self.given.get(name) {
            return Ok(fields.clone());
        }
        match &self.file {
            Some(file) => file.get(name, metadata).await,
            None => Err(SecretError::NotFound(format!(
                "secret \"{name}\" is not given: `given: {{ secrets: {{ {}: {{ {name}: ... }} }} }}`",
                self.name
            ))),
        }
    }

    async fn all(
        &self,
        metadata: &[(String, String)],
    ) -> Result<BTreeMap<String, SecretFields>, SecretError> {
        let mut all = match &self.file {
            Some(file) => file.bulk(metadata).await?,
            None => BTreeMap::new(),
        };
        all.extend(self.given.clone());
        Ok(all)
    }
}

#[async_trait]
impl SecretStore for GivenSecrets {
    async fn get(
        &self,
        name: &str,
        metadata: &[(String, String)],
    ) -> Result<SecretFields, SecretError> {
        let asked = Asked {
            operation: "secrets.get",
            of: &self.name,
            key: name,
            caller: None,
        };
        self.probe.call(asked, self.find(name, metadata)).await
    }

    async fn bulk(
        &self,
        metadata: &[(String, String)],
    ) -> Result<BTreeMap<String, SecretFields>, SecretError> {
        let asked = Asked {
            operation: "secrets.bulk",
            of: &self.name,
            key: "",
            caller: None,
        };
        self.probe.call(asked, self.all(metadata)).await
    }

    async fn ping(&self) -> Result<(), SecretError> {
        Ok(())
    }
}
