//! `cargo xtask guests`: which guests there are, and what each is built from.

use crate::component::{self, Expectation};
use crate::toolchain::{c, javascript, python, rust, wat};
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
}

struct Guest {
    name: &'static str,
    group: Group,
    recipe: Recipe,
    expected: Expectation,
}

const HTTP: &str = "wasi:http/incoming-handler@0.2.12";
const SUBSCRIBER: &str = "berth:pubsub/subscriber@0.1.0";
const SUBSCRIPTIONS: &str = "berth:pubsub/subscriptions@0.1.0";

const SHOP: &str = "guest-examples/shop";
const TESTS: &str = "tests/guests";

const fn contract(name: &'static str, recipe: Recipe) -> Guest {
    let expected = Expectation {
        exports: &[HTTP, SUBSCRIBER, SUBSCRIPTIONS],
        calls_all_blocks: true,
    };
    Guest {
        name,
        group: Group::Contract,
        recipe,
        expected,
    }
}

const fn shop(name: &'static str, exports: &'static [&'static str]) -> Guest {
    let expected = Expectation {
        exports,
        calls_all_blocks: false,
    };
    Guest {
        name,
        group: Group::Shop,
        recipe: Recipe::Rust { workspace: SHOP },
        expected,
    }
}

const fn hostile(name: &'static str, recipe: Recipe, exports: &'static [&'static str]) -> Guest {
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

const GUESTS: &[Guest] = &[
    shop("order-service", &[HTTP]),
    shop("inventory-service", &[HTTP]),
    shop("notification-service", &[HTTP, SUBSCRIBER]),
    shop("audit-service", &[HTTP]),
    contract("contract-rust", Recipe::Rust { workspace: TESTS }),
    contract(
        "contract-c",
        Recipe::C {
            folder: "tests/guests/contract/c",
        },
    ),
    contract(
        "contract-js",
        Recipe::JavaScript {
            folder: "tests/guests/contract/js",
        },
    ),
    contract(
        "contract-python",
        Recipe::Python {
            folder: "tests/guests/contract/python",
        },
    ),
    hostile(
        "hostile",
        Recipe::Rust { workspace: TESTS },
        &[HTTP, SUBSCRIBER],
    ),
    hostile(
        "hostile-table",
        Recipe::Wat {
            source: "tests/guests/hostile-table.wat",
        },
        &[HTTP],
    ),
    hostile("hello", Recipe::Rust { workspace: TESTS }, &[HTTP]),
    hostile(
        "hello-p3",
        Recipe::Rust { workspace: TESTS },
        &["wasi:http/handler@0.3.0"],
    ),
    hostile("keyvalue", Recipe::Rust { workspace: TESTS }, &[HTTP]),
    hostile(
        "keyvalue-draft2",
        Recipe::Rust { workspace: TESTS },
        &[HTTP],
    ),
];

impl Group {
    fn contains(self, guest: &Guest) -> bool {
        self == Self::All || self == guest.group
    }
}

impl Guest {
    /// The shop's guests lie beside the App documents that name them.
    fn output(&self) -> PathBuf {
        let folder = match self.group {
            Group::Shop => repository::path(SHOP).join("apps"),
            _ => repository::guests(),
        };
        folder.join(format!("{}.wasm", self.name))
    }

    fn inputs(&self) -> Vec<PathBuf> {
        let source = match self.recipe {
            Recipe::Rust { workspace } => workspace,
            Recipe::C { folder } | Recipe::JavaScript { folder } | Recipe::Python { folder } => {
                folder
            }
            Recipe::Wat { source } => source,
        };
        [source, "wit/berth.wit", "wit/deps"]
            .map(repository::path)
            .into()
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
    for workspace in [SHOP, TESTS] {
        build_workspace(workspace, &stale)?;
    }
    for guest in stale {
        build_alone(guest)?;
        component::verify(&guest.output(), &guest.expected)?;
    }
    Ok(())
}

/// Builds the Rust guests of a workspace in one run of cargo, so that they share their dependencies.
fn build_workspace(folder: &str, stale: &[&Guest]) -> Result<()> {
    let packages: Vec<_> = stale
        .iter()
        .filter(|guest| matches!(guest.recipe, Recipe::Rust { workspace } if workspace == folder))
        .map(|guest| (guest.name, guest.output()))
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
    let (started, output) = (Instant::now(), guest.output());
    match guest.recipe {
        Recipe::Rust { .. } => return Ok(()),
        Recipe::C { folder } => c::build(&repository::path(folder), &output)?,
        Recipe::JavaScript { folder } => javascript::build(&repository::path(folder), &output)?,
        Recipe::Python { folder } => python::build(&repository::path(folder), &output)?,
        Recipe::Wat { source } => wat::build(&repository::path(source), &output)?,
    }
    report(guest.name, started);
    Ok(())
}

fn report(name: &str, started: Instant) {
    println!("built {name} ({:.1} s)", started.elapsed().as_secs_f64());
}
