//! `secretstores.local.env`: secrets from the host's environment variables, for development.
//!
//! `APP_API_TOKEN` and everything that begins with `DAPR_` is hidden, as in Dapr. A variable that is not set is "not
//! found", where Dapr gives an empty value.

use async_trait::async_trait;
use berth_blocks::{
    registry::{Driver, OpenContext, Opened},
    secrets::{SecretError, SecretFields, SecretStore},
};
use berth_resources::Secret;
use schemars::JsonSchema;
use serde::Deserialize;
use std::{collections::BTreeMap, ffi::OsString};

/// Metadata of `secretstores.local.env`. The doc comments become the reference page.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct LocalEnvMetadata {
    /// Only variables that begin with this are secrets; names are given without it.
    #[serde(default)]
    prefix: String,
}

/// The metadata of the reference page's example.
const EXAMPLE: &str = "\
- name: prefix
  value: SHOP_
";

/// The driver's entry in the registry.
pub(crate) fn driver() -> Driver {
    Driver::new(
        "secretstores.local.env",
        &["v1"],
        "Secrets in environment variables of the host, for development",
        |_: OpenContext, metadata: LocalEnvMetadata| async move {
            Ok(Opened::secrets(LocalEnv {
                prefix: metadata.prefix,
                lookup: |name| std::env::var_os(name),
                all: || std::env::vars_os().collect(),
            }))
        },
    )
    .example(EXAMPLE)
}

/// An open `secretstores.local.env`. The environment is a value so that tests need not change the process's own.
struct LocalEnv {
    prefix: String,
    lookup: fn(&str) -> Option<OsString>,
    all: fn() -> Vec<(OsString, OsString)>,
}

/// Names that belong to the host and not to its apps.
fn is_hidden(variable: &str) -> bool {
    let variable = variable.to_ascii_uppercase();
    variable == "APP_API_TOKEN" || variable.starts_with("DAPR_")
}

#[async_trait]
impl SecretStore for LocalEnv {
    async fn get(&self, name: &str, _: &[(String, String)]) -> Result<SecretFields, SecretError> {
        let variable = format!("{}{name}", self.prefix);
        if is_hidden(&variable) {
            return Err(SecretError::NotFound(format!(
                "environment variable `{variable}` is never given to apps"
            )));
        }
        let value = (self.lookup)(&variable).ok_or_else(|| {
            SecretError::NotFound(format!("environment variable `{variable}` is not set"))
        })?;
        let value = value.into_string().map_err(|_| {
            SecretError::Other(format!(
                "environment variable `{variable}` is not valid UTF-8"
            ))
        })?;
        Ok(single(name, value))
    }

    /// Variables that are not text are left out.
    async fn bulk(
        &self,
        _: &[(String, String)],
    ) -> Result<BTreeMap<String, SecretFields>, SecretError> {
        let variables = (self.all)().into_iter().filter_map(|(variable, value)| {
            let variable = variable.into_string().ok()?;
            let name = variable
                .strip_prefix(&self.prefix)
                .filter(|name| !name.is_empty())?;
            let hidden = is_hidden(&variable);
            (!hidden).then_some((name.to_owned(), single(name, value.into_string().ok()?)))
        });
        Ok(variables.collect())
    }

    async fn ping(&self) -> Result<(), SecretError> {
        Ok(())
    }
}

fn single(name: &str, value: String) -> SecretFields {
    BTreeMap::from([(name.to_owned(), Secret::new(value))])
}

#[cfg(test)]
mod tests {
    use super::*;
    use berth_blocks::conformance::Subject;

    async fn open_for_test() -> Subject<dyn SecretStore> {
        Subject::new(std::sync::Arc::new(store("")))
    }

    berth_blocks::secrets_conformance!(conformance: open_for_test);

    fn environment() -> Vec<(OsString, OsString)> {
        let variables = [
            ("conftestsecret", "abcd"),
            ("secondsecret", "efgh"),
            ("SHOP_KEY", "k"),
            ("SHOP_", "nameless"),
            ("OTHER", "o"),
            ("APP_API_TOKEN", "t"),
            ("Dapr_Http_Port", "3500"),
        ];
        variables
            .map(|(name, value)| (name.into(), value.into()))
            .to_vec()
    }

    fn store(prefix: &str) -> LocalEnv {
        LocalEnv {
            prefix: prefix.to_owned(),
            lookup: |name| {
                environment()
                    .into_iter()
                    .find(|(key, _)| key == name)
                    .map(|(_, value)| value)
            },
            all: environment,
        }
    }

    async fn names(store: &LocalEnv) -> Vec<String> {
        store.bulk(&[]).await.unwrap().into_keys().collect()
    }

    #[tokio::test]
    async fn the_prefix_is_required_and_left_out_of_names() {
        let store = store("SHOP_");
        assert_eq!(names(&store).await, ["KEY"]);
        assert_eq!(
            store.get("KEY", &[]).await.unwrap(),
            single("KEY", "k".to_owned())
        );
    }

    #[tokio::test]
    async fn the_hosts_own_variables_are_hidden() {
        let store = store("");
        assert_eq!(
            names(&store).await,
            [
                "OTHER",
                "SHOP_",
                "SHOP_KEY",
                "conftestsecret",
                "secondsecret"
            ]
        );
        let errors = [
            store.get("app_api_token", &[]).await.unwrap_err(),
            store.get("Dapr_Http_Port", &[]).await.unwrap_err(),
            store.get("MISSING", &[]).await.unwrap_err(),
        ];
        assert_eq!(
            errors.map(|error| error.to_string()),
            [
                "environment variable `app_api_token` is never given to apps",
                "environment variable `Dapr_Http_Port` is never given to apps",
                "environment variable `MISSING` is not set",
            ]
        );
    }
}
