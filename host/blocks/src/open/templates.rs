//! Templates in metadata values: `{appID}`, `{namespace}`, `{uuid}`, `{podName}`.

use berth_resources::{AppId, Namespace};

/// Puts the app into a text: `{appID}`, and `{namespace}`, which Dapr reads as `<namespace>.<app>`.
pub(crate) fn expand_app(text: &str, namespace: &Namespace, app: &AppId) -> String {
    text.replace("{appID}", app.as_str())
        .replace("{namespace}", &format!("{namespace}.{app}"))
}
