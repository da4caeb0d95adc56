//! Templates in the metadata of a Component, as Dapr expands them.

use crate::{AppId, Namespace};

/// What templates stand for.
pub struct TemplateContext<'a> {
    /// `{appID}`, and a part of `{namespace}`.
    pub app_id: &'a AppId,
    /// `{namespace}` is this and the app ID: `namespace.appid`.
    pub namespace: &'a Namespace,
    /// `{podName}`: the variable POD_NAME on Kubernetes, else the host's name.
    pub pod_name: &'a str,
    /// A new UUID for each `{uuid}`.
    pub uuid: &'a dyn Fn() -> String,
}

/// Expands `{appID}`, `{namespace}`, `{podName}` and `{uuid}`. Anything else in braces stays, and what was put in is
/// not expanded again.
#[must_use]
pub fn expand_templates(value: &str, context: &TemplateContext<'_>) -> String {
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find('{') {
        expanded.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find('}').map_or(rest.len(), |end| end + 1);
        match expansion(&rest[..end], context) {
            Some(text) => {
                expanded.push_str(&text);
                rest = &rest[end..];
            }
            None => {
                expanded.push('{');
                rest = &rest[1..];
            }
        }
    }
    expanded.push_str(rest);
    expanded
}

fn expansion(template: &str, context: &TemplateContext<'_>) -> Option<String> {
    match template {
        "{appID}" => Some(context.app_id.to_string()),
        "{namespace}" => Some(format!("{}.{}", context.namespace, context.app_id)),
        "{podName}" => Some(context.pod_name.to_owned()),
        "{uuid}" => Some((context.uuid)()),
        _ => None,
    }
}

/// Whether a value depends on the app, so that a backend must be opened for each app. `{uuid}` and `{podName}` do not.
#[must_use]
pub fn depends_on_app(value: &str) -> bool {
    value.contains("{appID}") || uses_namespace(value)
}

/// Whether a value uses `{namespace}`: topics of such a pub/sub backend get the namespace as a prefix on the wire.
#[must_use]
pub fn uses_namespace(value: &str) -> bool {
    value.contains("{namespace}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn templates_are_expanded_once_and_others_stay() {
        let (app_id, namespace) = ("orders".parse().unwrap(), "shop".parse().unwrap());
        let count = Cell::new(0);
        let uuid = || {
            count.set(count.get() + 1);
            format!("uuid{}", count.get())
        };
        let context = TemplateContext {
            app_id: &app_id,
            namespace: &namespace,
            pod_name: "{uuid}",
            uuid: &uuid,
        };
        let cases = [
            ("{namespace}-{podName}", "shop.orders-{uuid}"),
            ("{uuid}/{uuid}", "uuid1/uuid2"),
            ("{appid} {{appID}} {", "{appid} {orders} {"),
            ("plain é", "plain é"),
            ("", ""),
        ];
        for (value, expected) in cases {
            assert_eq!(expand_templates(value, &context), expected, "{value}");
        }
        assert!(depends_on_app("x-{appID}") && !depends_on_app("{uuid}"));
    }
}
