//! What a guest imports: all problems at once, before anything runs.

use berth_blocks::{Backends, Block};
use berth_resources::App;
use wasmtime::{Engine, component::Component};

/// An interface that berth links, without its patch version: `0.2` serves every 0.2.x.
struct Known {
    /// `namespace:package/interface`; a trailing `*` stands for every interface of the package.
    interface: &'static str,
    /// Versions that match by track (`0.2`) or, prereleases, exactly.
    versions: &'static [&'static str],
    needs: Option<Block>,
}

const KNOWN: &[Known] = &[
    Known {
        interface: "berth:state/store",
        versions: &["0.1"],
        needs: Some(Block::State),
    },
    Known {
        interface: "berth:pubsub/publisher",
        versions: &["0.1"],
        needs: Some(Block::PubSub),
    },
    Known {
        interface: "berth:pubsub/types",
        versions: &["0.1"],
        needs: None,
    },
    Known {
        interface: "berth:invocation/invoker",
        versions: &["0.1"],
        needs: None,
    },
    Known {
        interface: "berth:secrets/store",
        versions: &["0.1"],
        needs: Some(Block::Secrets),
    },
    Known {
        interface: "berth:script/program",
        versions: &["0.1"],
        needs: None,
    },
    Known {
        interface: "berth:telemetry/tracing",
        versions: &["0.1"],
        needs: None,
    },
    Known {
        interface: "berth:workflow/*",
        versions: &["0.1"],
        needs: None,
    },
    Known {
        interface: "wasi:keyvalue/*",
        versions: &["0.2.0-draft", "0.2.0-draft2"],
        needs: Some(Block::State),
    },
    Known {
        interface: "wasi:config/store",
        versions: &["0.2.0-rc.1"],
        needs: None,
    },
    Known {
        interface: "wasi:http/types",
        versions: &["0.2", "0.3"],
        needs: None,
    },
    Known {
        interface: "wasi:http/outgoing-handler",
        versions: &["0.2"],
        needs: None,
    },
    Known {
        interface: "wasi:http/client",
        versions: &["0.3"],
        needs: None,
    },
    Known {
        interface: "wasi:io/*",
        versions: &["0.2"],
        needs: None,
    },
    Known {
        interface: "wasi:cli/*",
        versions: &["0.2", "0.3"],
        needs: None,
    },
    Known {
        interface: "wasi:clocks/*",
        versions: &["0.2", "0.3"],
        needs: None,
    },
    Known {
        interface: "wasi:filesystem/*",
        versions: &["0.2", "0.3"],
        needs: None,
    },
    Known {
        interface: "wasi:random/*",
        versions: &["0.2", "0.3"],
        needs: None,
    },
    Known {
        interface: "wasi:sockets/*",
        versions: &["0.2", "0.3"],
        needs: None,
    },
];

/// One import that cannot be served, and what would help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unserved {
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
}

/// All imports of a guest that this app cannot have.
pub(crate) fn unserved(
    engine: &Engine,
    component: &Component,
    app: &App,
    backends: &Backends,
) -> Vec<Unserved> {
    let visible = backends.visible(&app.namespace, &app.id);
    let has = |block: Block| visible.iter().any(|backend| backend.block == block);
    let types = component.component_type();
    types
        .imports(engine)
        .filter_map(|(name, _)| problem(name, app, &has))
        .collect()
}

fn problem(import: &str, app: &App, has: &dyn Fn(Block) -> bool) -> Option<Unserved> {
    let (interface, version) = import.split_once('@').unwrap_or((import, ""));
    let named: Vec<&Known> = KNOWN
        .iter()
        .filter(|known| known.names(interface))
        .collect();
    let Some(known) = named.iter().find(|known| {
        known
            .versions
            .iter()
            .any(|have| version_fits(have, version))
    }) else {
        let versions: Vec<_> = named
            .iter()
            .flat_map(|known| known.versions)
            .copied()
            .collect();
        return Some(unknown(import, version, &versions));
    };
    match known.needs {
        Some(block) if !has(block) => Some(no_backend(import, block, app)),
        _ => None,
    }
}

impl Known {
    fn names(&self, interface: &str) -> bool {
        match self.interface.strip_suffix('*') {
            Some(package) => interface.starts_with(package),
            None => interface == self.interface,
        }
    }
}

/// A track such as `0.2` serves every release of it; a full version serves itself only.
fn version_fits(have: &str, asked: &str) -> bool {
    if have.matches('.').count() > 1 {
        return have == asked;
    }
    asked
        .strip_prefix(have)
        .is_some_and(|rest| rest.starts_with('.') && !rest.contains('-'))
}

fn unknown(import: &str, version: &str, versions: &[&str]) -> Unserved {
    if versions.is_empty() {
        let hint = "berth serves berth:*, wasi:http, wasi:keyvalue, wasi:config and the WASI 0.2 and 0.3 system \
                    interfaces; compose the guest with a component that exports this one";
        return Unserved {
            message: format!("imports `{import}`, which berth does not know"),
            hint: Some(hint.into()),
        };
    }
    let served = versions.join(", ");
    let hint = format!("build the guest against one of the served versions: {served}");
    Unserved {
        message: format!("imports `{import}`: version `{version}` is not served"),
        hint: Some(hint),
    }
}

fn no_backend(import: &str, block: Block, app: &App) -> Unserved {
    let (name, kind) = match block {
        Block::State => ("statestore", "state.sqlite"),
        Block::PubSub => ("pubsub", "pubsub.sqlite"),
        Block::Secrets => ("secretstore", "secretstores.local.env"),
        // Needs no document, and so is never missing.
        Block::Invocation | Block::Workflow => ("invocation", "invocation"),
    };
    let noun = block.noun();
    Unserved {
        message: format!(
            "imports `{import}`, but no {noun} is visible to app `{}` in namespace `{}`",
            app.id, app.namespace
        ),
        hint: Some(format!(
            "this document would serve it (or add `{}` to the scopes of one that exists):\n\
             \x20   apiVersion: dapr.io/v1alpha1\n\
             \x20   kind: Component\n\
             \x20   metadata: {{ name: {name}, namespace: {} }}\n\
             \x20   spec: {{ type: {kind}, version: v1 }}",
            app.id, app.namespace
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_track_serves_its_releases_and_a_prerelease_only_itself() {
        let cases = [
            ("0.2", "0.2.0", true),
            ("0.2", "0.2.12", true),
            ("0.2", "0.3.0", false),
            ("0.3", "0.3.0-rc-2026-03-15", false),
            ("0.2.0-draft", "0.2.0-draft", true),
            ("0.2.0-draft", "0.2.0-draft2", false),
            ("0.2", "", false),
        ];
        for (have, asked, expected) in cases {
            assert_eq!(version_fits(have, asked), expected, "{have} for {asked}");
        }
    }
}
