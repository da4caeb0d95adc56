//! Random documents against a small model: which policy holds for which target.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use berth_resiliency::{ComponentKind, Direction, Policy};
use berth_resources::Namespace;
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::{fmt::Write as _, sync::Arc};
use support::*;

/// What one document says: names of timeouts, each with a value that no other has, and who refers to which.
#[derive(Debug, Clone)]
struct Document {
    scopes: Vec<&'static str>,
    /// Indices into [`DEFAULTS`].
    defaults: Vec<usize>,
    /// The policy is one of the document; absent: an entry without a policy.
    apps: Vec<(&'static str, bool)>,
    /// Name, inbound, outbound.
    components: Vec<(&'static str, bool, bool)>,
}

const DEFAULTS: [&str; 14] = [
    "Default",
    "DefaultApp",
    "DefaultComponent",
    "DefaultComponentInbound",
    "DefaultComponentOutbound",
    "DefaultStatestoreComponentInbound",
    "DefaultStatestoreComponentOutbound",
    "DefaultPubsubComponentInbound",
    "DefaultPubsubComponentOutbound",
    "DefaultSecretstoreComponentInbound",
    "DefaultSecretstoreComponentOutbound",
    // Of blocks that berth does not have.
    "DefaultActor",
    "DefaultBindingComponentOutbound",
    "DefaultLockComponentOutbound",
];
const APPS: [&str; 3] = ["orders", "carts", "stock"];
const COMPONENTS: [&str; 3] = ["store", "topics", "safe"];

/// A value that says where it came from.
fn value(document: usize, policy: usize) -> u64 {
    1_000 * (document as u64 + 1) + policy as u64
}

const APP_POLICY: usize = 100;
const INBOUND_POLICY: usize = 101;
const OUTBOUND_POLICY: usize = 102;

fn named<T: Clone + std::fmt::Debug + 'static>(
    names: &'static [&'static str],
    value: impl Strategy<Value = T> + Clone + 'static,
) -> impl Strategy<Value = Vec<(&'static str, T)>> {
    vec(option::of(value), names.len()).prop_map(move |values| {
        let named = names.iter().copied().zip(values);
        named
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    })
}

fn a_document() -> impl Strategy<Value = Document> {
    let scopes = prop_oneof![
        Just(Vec::new()),
        select(&APPS[..]).prop_map(|app| vec![app]),
        Just(vec!["orders", "stock"]),
    ];
    let defaults = proptest::sample::subsequence((0..DEFAULTS.len()).collect::<Vec<_>>(), 0..6);
    let components = named(&COMPONENTS, any::<(bool, bool)>()).prop_map(|all| {
        all.into_iter()
            .map(|(name, (inbound, outbound))| (name, inbound, outbound))
            .collect()
    });
    (scopes, defaults, named(&APPS, any::<bool>()), components).prop_map(
        |(scopes, defaults, apps, components)| Document {
            scopes,
            defaults,
            apps,
            components,
        },
    )
}

fn yaml(documents: &[Document]) -> String {
    let mut text = String::new();
    for (index, document) in documents.iter().enumerate() {
        writeln!(
            text,
            "---\napiVersion: dapr.io/v1alpha1\nkind: Resiliency\nmetadata: {{ name: d{index} }}\nscopes: [{}]\n\
             spec:\n  policies:\n    timeouts:",
            document.scopes.join(", ")
        )
        .unwrap();
        for policy in &document.defaults {
            let name = DEFAULTS[*policy];
            writeln!(text, "      {name}TimeoutPolicy: {}", value(index, *policy)).unwrap();
        }
        for (name, policy) in [
            ("app", APP_POLICY),
            ("in", INBOUND_POLICY),
            ("out", OUTBOUND_POLICY),
        ] {
            writeln!(text, "      {name}: {}", value(index, policy)).unwrap();
        }
        writeln!(text, "  targets:\n    apps:\n      nobody: {{}}").unwrap();
        for (name, has_policy) in &document.apps {
            let policy = if *has_policy { "timeout: app" } else { "" };
            writeln!(text, "      {name}: {{ {policy} }}").unwrap();
        }
        writeln!(text, "    components:\n      nothing: {{}}").unwrap();
        for (name, inbound, outbound) in &document.components {
            let inbound = if *inbound {
                "inbound: { timeout: in }"
            } else {
                ""
            };
            let outbound = if *outbound {
                "outbound: { timeout: out }"
            } else {
                ""
            };
            let between = if inbound.is_empty() || outbound.is_empty() {
                ""
            } else {
                ", "
            };
            writeln!(text, "      {name}: {{ {inbound}{between}{outbound} }}").unwrap();
        }
    }
    text
}

/// The model of resolution: documents from the last to the first, names from the most specific to the least.
struct Visible<'d>(Vec<(usize, &'d Document)>);

impl<'d> Visible<'d> {
    fn to(app: &str, documents: &'d [Document]) -> Self {
        let all = documents.iter().enumerate().rev();
        let visible =
            |(_, own): &(usize, &Document)| own.scopes.is_empty() || own.scopes.contains(&app);
        Self(all.filter(visible).collect())
    }

    fn default(&self, names: &[String]) -> Option<u64> {
        for name in names {
            for (index, document) in &self.0 {
                for policy in &document.defaults {
                    if DEFAULTS[*policy] == *name {
                        return Some(value(*index, *policy));
                    }
                }
            }
        }
        None
    }

    fn app(&self, target: &str) -> Option<u64> {
        for (index, document) in &self.0 {
            for (name, has_policy) in &document.apps {
                if *name == target {
                    return has_policy.then(|| value(*index, APP_POLICY));
                }
            }
        }
        self.default(&["DefaultApp".to_owned(), "Default".to_owned()])
    }

    fn component(&self, target: &str, kind: &str, direction: &str) -> Option<u64> {
        for (index, document) in &self.0 {
            for (name, inbound, outbound) in &document.components {
                if *name == target && direction == "Inbound" {
                    return inbound.then(|| value(*index, INBOUND_POLICY));
                }
                if *name == target {
                    return outbound.then(|| value(*index, OUTBOUND_POLICY));
                }
            }
        }
        self.default(&[
            format!("Default{kind}Component{direction}"),
            format!("DefaultComponent{direction}"),
            "DefaultComponent".to_owned(),
            "Default".to_owned(),
        ])
    }
}

fn timeout(policy: Option<&Arc<Policy>>) -> Option<u64> {
    let timeout = policy.and_then(|policy| policy.timeout());
    timeout.map(|timeout| u64::try_from(timeout.as_millis()).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_target_has_the_policy_of_the_model(documents in vec(a_document(), 0..4)) {
        let text = yaml(&documents);
        let resiliencies = resiliencies(&text);
        for caller in APPS {
            let visible = Visible::to(caller, &documents);
            let policies = resiliencies.invocation(&Namespace::default(), &app(caller));
            for target in APPS {
                let policy = policies.of(&app(target));
                prop_assert_eq!(timeout(policy), visible.app(target), "{} -> {}\n{}", caller, target, text);
            }
            for target in COMPONENTS {
                for (kind, kind_name) in [
                    (ComponentKind::Statestore, "Statestore"),
                    (ComponentKind::Pubsub, "Pubsub"),
                    (ComponentKind::Secretstore, "Secretstore"),
                ] {
                    for (direction, direction_name) in
                        [(Direction::Inbound, "Inbound"), (Direction::Outbound, "Outbound")]
                    {
                        let policy = resiliencies.component(
                            &Namespace::default(),
                            &app(caller),
                            (target, kind),
                            direction,
                        );
                        let expected = visible.component(target, kind_name, direction_name);
                        prop_assert_eq!(timeout(policy.as_ref()), expected, "{} {}\n{}", caller, target, text);
                    }
                }
            }
        }
    }
}
