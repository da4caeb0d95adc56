//! `cargo xtask guests`: which guests there are, and what each is built from.

use crate::component::{self, Expectation};
use crate::toolchain::{c, javascript, project, python, rust, wat};
use crate::{freshness, repository};
use anyhow::{Context, Result};
use clap::ValueEnum;
use std::fs;
use std::path::PathBuf;
use std::time::Instant;

/// Guests that are built together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// The example shop.
    Shop,
    /// One guest per language that calls the whole contract.
    Contract,
    /// Guests that misbehave, and the small ones that tests need.
    Hostile,
    /// Every guest.
    All,
}

/// What a guest is built from.
enum Recipe {
    /// A package of the guest workspace in this folder.
    Rust {
        workspace: &'static str,
    },
    C {
        folder: &'static str,
    },
    JavaScript {
        folder: &'static str,
    },
    Python {
        folder: &'static str,
    },
    Wat {
        source: &'static str,
    },
    /// A project as its author would build it: `berth build`.
    Project {
        folder: &'static str,
        /// Where the guest goes, if not to the others.
        output: Option<&'static str>,
    },
}

struct Guest {
    name: &'static str,
    group: Group,
    recipe: Recipe,
    expected: Expectation,
}

const HTTP: &str = "wasi:http/incoming-handler@0.2.12";
// The version that the JavaScript engine imports.
const HTTP_JS: &str = "wasi:http/incoming-handler@0.2.10";
const HTTP_P3: &str = "wasi:http/handler@0.3.0";
const SUBSCRIBER: &str = "berth:pubsub/subscriber@0.1.0";
const SUBSCRIPTIONS: &str = "berth:pubsub/subscriptions@0.1.0";
const WORKFLOWS: &str = "berth:workflow/workflows@0.1.0";
const ACTIVITIES: &str = "berth:workflow/activities@0.1.0";
const REGISTRY: &str = "berth:workflow/registry@0.1.0";

const SHOP: &str = "guest-examples/shop";
const TESTS: &str = "tests/guests";
const SDK_RUST: &str = "tests/guests/sdk-rust";

const fn shop(name: &'static str, exports: &'static [&'static str]) -> Guest {
    let recipe = Recipe::Rust { workspace: SHOP };
    let expected = Expectation {
        exports,
        calls_all_blocks: false,
    };
    Guest {
        name,
        group: Group::Shop,
        recipe,
        expected,
    }
}

const fn contract(name: &'static str, recipe: Recipe) -> Guest {
    let exports = &[HTTP, SUBSCRIBER, SUBSCRIPTIONS];
    let expected = Expectation {
        exports,
        calls_all_blocks: true,
    };
    Guest {
        name,
        group: Group::Contract,
        recipe,
        expected,
    }
}

const fn test(name: &'static str, recipe: Recipe, exports: &'static [&'static str]) -> Guest {
    let expected = Expectation {
        exports,
        calls_all_blocks: false,
    };
    Guest {
        name,
        group: Group::Hostile,
        recipe,
        expected,
    }
}

const RUST: Recipe = Recipe::Rust { workspace: TESTS };
const C: Recipe = Recipe::C {
    folder: "tests/guests/contract/c",
};
const JAVASCRIPT: Recipe = Recipe::JavaScript {
    folder: "tests/guests/contract/js",
};
const SDK_TYPESCRIPT: Recipe = Recipe::Project {
    folder: "tests/guests/sdk-typescript",
    output: None,
};
const SHOP_TYPESCRIPT: Recipe = Recipe::Project {
    folder: "guest-examples/shop-typescript",
    output: Some("guest-examples/shop-typescript/apps"),
};
const SHOP_PYTHON: Recipe = Recipe::Project {
    folder: "guest-examples/shop-python",
    output: Some("guest-examples/shop-python/apps"),
};
const SHOP_C: Recipe = Recipe::Project {
    folder: "guest-examples/shop-c",
    output: Some("guest-examples/shop-c/apps"),
};
const GO: Recipe = Recipe::Project {
    folder: "tests/guests/contract/go",
    output: None,
};
const SDK_GO: Recipe = Recipe::Project {
    folder: "tests/guests/sdk-go",
    output: None,
};
const SHOP_GO: Recipe = Recipe::Project {
    folder: "guest-examples/shop-go",
    output: Some("guest-examples/shop-go/apps"),
};
const PYTHON: Recipe = Recipe::Python {
    folder: "tests/guests/contract/python",
};
const TABLE: Recipe = Recipe::Wat {
    source: "tests/guests/hostile-table.wat",
};

const GUESTS: &[Guest] = &[
    shop("order-service", &[HTTP, SUBSCRIBER, SUBSCRIPTIONS]),
    shop("inventory-service", &[HTTP]),
    shop("notification-service", &[HTTP, SUBSCRIBER]),
    shop("audit-service", &[HTTP]),
    shop("order-saga", &[HTTP, WORKFLOWS, ACTIVITIES, REGISTRY]),
    contract("contract-rust", RUST),
    contract("contract-c", C),
    contract("contract-go", GO),
    contract("contract-js", JAVASCRIPT),
    contract("contract-python", PYTHON),
    test("hostile", RUST, &[HTTP, SUBSCRIBER]),
    test("hostile-table", TABLE, &[HTTP]),
    test("hello", RUST, &[HTTP]),
    test("hello-p3", RUST, &[HTTP_P3]),
    test("keyvalue", RUST, &[HTTP]),
    test("keyvalue-draft2", RUST, &[HTTP]),
    test(
        "planted",
        RUST,
        &[
            HTTP,
            SUBSCRIBER,
            SUBSCRIPTIONS,
            WORKFLOWS,
            ACTIVITIES,
            REGISTRY,
        ],
    ),
    test("probe", RUST, &[HTTP]),
    test("visits", RUST, &[HTTP]),
    test("worker", RUST, &[HTTP, WORKFLOWS, ACTIVITIES, REGISTRY]),
    test(
        "bench",
        RUST,
        &[HTTP, SUBSCRIBER, WORKFLOWS, ACTIVITIES, REGISTRY],
    ),
    test(
        "sdk-typescript",
        SDK_TYPESCRIPT,
        &[HTTP_JS, SUBSCRIBER, WORKFLOWS],
    ),
    test(
        "order-service",
        SHOP_TYPESCRIPT,
        &[HTTP_JS, SUBSCRIBER, WORKFLOWS],
    ),
    test(
        "sdk-rust",
        Recipe::Rust {
            workspace: SDK_RUST,
        },
        &[HTTP],
    ),
    test("sdk-go", SDK_GO, &[HTTP, WORKFLOWS, ACTIVITIES, REGISTRY]),
    test("order-service", SHOP_C, &[HTTP, SUBSCRIBER, WORKFLOWS]),
    test("order-service", SHOP_GO, &[HTTP, SUBSCRIBER, WORKFLOWS]),
    test("order-service", SHOP_PYTHON, &[HTTP, SUBSCRIBER, WORKFLOWS]),
];

impl Group {
    fn contains(self, guest: &Guest) -> bool {
        self == Self::All || self == guest.group
    }
}

impl Guest {
    /// The shop's guests lie beside the App documents that name them.
    fn output(&self) -> PathBuf {
        let folder = match (self.group, &self.recipe) {
            (
                _,
                Recipe::Project {
                    output: Some(folder),
                    ..
                },
            ) => repository::path(folder),
            (Group::Shop, _) => repository::path(SHOP).join("apps"),
            _ => repository::guests(),
        };
        folder.join(format!("{}.wasm", self.name))
    }

    /// Where it is built, beside its output: what is not complete and checked never takes the output's name.
    fn draft(&self) -> PathBuf {
        self.output().with_extension("draft.wasm")
    }

    /// Checks the draft and makes it the output, at once, so that a running host never sees half a guest.
    fn accept(&self) -> Result<()> {
        component::verify(&self.draft(), &self.expected)?;
        let output = self.output();
        fs::rename(self.draft(), &output).with_context(|| format!("writing {}", output.display()))
    }

    fn inputs(&self) -> Vec<PathBuf> {
        let source = match self.recipe {
            Recipe::Rust { workspace } => workspace,
            Recipe::C { folder } | Recipe::JavaScript { folder } | Recipe::Python { folder } => {
                folder
            }
            Recipe::Wat { source } | Recipe::Project { folder: source, .. } => source,
        };
        let mut inputs = vec![source, "wit/berth.wit", "wit/deps"];
        match self.recipe {
            Recipe::Project { .. } => inputs.push("wit/sdk"),
            Recipe::Rust {
                workspace: SHOP | SDK_RUST,
            } => inputs.push("wit/sdk/rust"),
            _ => {}
        }
        inputs.into_iter().map(repository::path).collect()
    }

    fn is_stale(&self) -> Result<bool> {
        Ok(!freshness::is_fresh(&self.output(), &self.inputs())?)
    }
}

/// Builds the guests of a group whose sources or WIT are newer than they are, and checks the result.
pub fn build(group: Group) -> Result<()> {
    fs::create_dir_all(repository::guests()).context("making the folder of the built guests")?;
    let mut stale = Vec::new();
    for guest in GUESTS.iter().filter(|guest| group.contains(guest)) {
        if guest.is_stale()? {
            stale.push(guest);
        }
    }
    for workspace in [SHOP, TESTS, SDK_RUST] {
        build_workspace(workspace, &stale)?;
    }
    for guest in stale {
        build_alone(guest)?;
        guest.accept()?;
    }
    Ok(())
}

/// Builds the Rust guests of a workspace in one run of cargo, so that they share their dependencies.
fn build_workspace(folder: &str, stale: &[&Guest]) -> Result<()> {
    let packages: Vec<_> = stale
        .iter()
        .filter(|guest| matches!(guest.recipe, Recipe::Rust { workspace } if workspace == folder))
        .map(|guest| (guest.name, guest.draft()))
        .collect();
    if packages.is_empty() {
        return Ok(());
    }
    let started = Instant::now();
    rust::build(&repository::path(folder), &packages)?;
    let names: Vec<_> = packages.iter().map(|(name, _)| *name).collect();
    report(&names.join(", "), started);
    Ok(())
}

fn build_alone(guest: &Guest) -> Result<()> {
    let (started, draft) = (Instant::now(), guest.draft());
    match guest.recipe {
        Recipe::Rust { .. } => return Ok(()),
        Recipe::C { folder } => c::build(&repository::path(folder), &draft)?,
        Recipe::JavaScript { folder } => javascript::build(&repository::path(folder), &draft)?,
        Recipe::Python { folder } => python::build(&repository::path(folder), &draft)?,
        Recipe::Wat { source } => wat::build(&repository::path(source), &draft)?,
        Recipe::Project { folder, .. } => project::build(&repository::path(folder), &draft)?,
    }
    report(guest.name, started);
    Ok(())
}

fn report(names: &str, started: Instant) {
    println!("built {names} ({:.1} s)", started.elapsed().as_secs_f64());
}
