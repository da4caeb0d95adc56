//! Templates in metadata values, for what this process is: one identifier and one host name as long as it lives, so
//! that a reload finds the same values.

use berth_resources::{AppId, Namespace, TemplateContext, expand_templates};
use std::sync::OnceLock;

/// A value with its templates expanded for an app.
pub(crate) fn expand_app(value: &str, namespace: &Namespace, app: &AppId) -> String {
    if !value.contains('{') {
        return value.to_owned();
    }
    let context = TemplateContext {
        app_id: app,
        namespace,
        pod_name: pod_name(),
        uuid: &process_id,
    };
    expand_templates(value, &context)
}

/// A value that names no app, with its other templates expanded.
pub(super) fn expand_shared(value: &str) -> String {
    value
        .replace("{podName}", pod_name())
        .replace("{uuid}", &process_id())
}

fn pod_name() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let set = |name| {
            std::env::var(name)
                .ok()
                .filter(|text: &String| !text.is_empty())
        };
        let file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
        let name = set("POD_NAME").or_else(|| set("HOSTNAME")).or_else(file);
        name.map_or_else(|| "localhost".to_owned(), |name| name.trim().to_owned())
    })
}

fn process_id() -> String {
    static ID: OnceLock<String> = OnceLock::new();
    ID.get_or_init(|| uuid::Uuid::new_v4().to_string()).clone()
}
