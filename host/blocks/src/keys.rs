//! Keys as guests name them and as stores keep them.

use crate::{limits::STATE_KEY_BYTES_MAX, state::StateError};
use berth_resources::{AppId, Namespace};

/// Between prefix and key; illegal in both.
pub(crate) const SEPARATOR: &str = "||";

/// `keyPrefix`: how the keys of apps that share a store are told apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum KeyPrefix {
    /// `appid`: `<app>||<key>`.
    #[default]
    AppId,
    /// `name`: `<store>||<key>`, shared by the apps that use the store under this name.
    Name,
    /// `namespace`: `<namespace>.<app>||<key>`.
    Namespace,
    /// `none`: keys as they are.
    None,
    /// Anything else, lower case.
    Literal(String),
}

impl KeyPrefix {
    /// Reads a value of `keyPrefix`.
    ///
    /// # Errors
    /// If it contains `||`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim().to_lowercase();
        Ok(match text.as_str() {
            "" | "appid" => Self::AppId,
            "name" => Self::Name,
            "namespace" => Self::Namespace,
            "none" => Self::None,
            _ if text.contains(SEPARATOR) => {
                return Err(format!(
                    "`{text}` contains `||`, which separates prefix and key"
                ));
            }
            _ => Self::Literal(text),
        })
    }

    /// What stands before the keys of an app, separator included.
    pub(crate) fn of(&self, namespace: &Namespace, app: &AppId, store: &str) -> String {
        match self {
            Self::AppId => format!("{app}{SEPARATOR}"),
            Self::Name => format!("{store}{SEPARATOR}"),
            Self::Namespace => format!("{namespace}.{app}{SEPARATOR}"),
            Self::None => String::new(),
            Self::Literal(text) => format!("{text}{SEPARATOR}"),
        }
    }
}

/// The key as the store keeps it.
pub(crate) fn stored_key(prefix: &str, key: &str) -> Result<String, StateError> {
    check_key(key)?;
    Ok([prefix, key].concat())
}

/// Whether a store may hold the key.
pub(crate) fn check_key(key: &str) -> Result<(), StateError> {
    if key.is_empty() {
        return Err(StateError::Invalid("the key is empty".to_owned()));
    }
    if key.len() > STATE_KEY_BYTES_MAX {
        return Err(StateError::TooLarge(format!(
            "the key has {} bytes, the limit is {STATE_KEY_BYTES_MAX}",
            key.len()
        )));
    }
    if key.contains(SEPARATOR) {
        return Err(StateError::IllegalKey(key.to_owned()));
    }
    Ok(())
}

/// The key as the guest knows it; `None`: not a key of this app.
pub(crate) fn guest_key<'k>(prefix: &str, stored: &'k str) -> Option<&'k str> {
    let key = stored.strip_prefix(prefix)?;
    (!key.is_empty() && !key.contains(SEPARATOR)).then_some(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> String {
        let (namespace, app) = ("shop".parse().unwrap(), "orders".parse().unwrap());
        KeyPrefix::parse(text)
            .unwrap()
            .of(&namespace, &app, "statestore")
    }

    #[test]
    fn each_strategy_has_the_form_that_dapr_gives_it() {
        assert_eq!(prefix("appid"), "orders||");
        assert_eq!(prefix(""), "orders||");
        assert_eq!(prefix("name"), "statestore||");
        assert_eq!(prefix("namespace"), "shop.orders||");
        assert_eq!(prefix("none"), "");
        assert_eq!(prefix("Common"), "common||");
        assert!(KeyPrefix::parse("a||b").is_err());
    }

    #[test]
    fn keys_with_a_separator_or_without_a_letter_are_refused() {
        assert_eq!(stored_key("orders||", "7").unwrap(), "orders||7");
        assert!(matches!(stored_key("", ""), Err(StateError::Invalid(_))));
        assert!(matches!(
            stored_key("", "a||b"),
            Err(StateError::IllegalKey(_))
        ));
        let long = "k".repeat(STATE_KEY_BYTES_MAX + 1);
        assert!(matches!(
            stored_key("", &long),
            Err(StateError::TooLarge(_))
        ));
    }

    #[test]
    fn a_listed_key_loses_its_own_prefix_only() {
        assert_eq!(guest_key("orders||", "orders||a|b"), Some("a|b"));
        assert_eq!(guest_key("orders||", "carts||a"), None);
        assert_eq!(guest_key("", "carts||a"), None);
        assert_eq!(guest_key("", "a"), Some("a"));
    }
}
