//! The page, from what the drivers say.

use crate::fields::{self, Field};
use berth_blocks::registry::{Driver, NO_EFFECT, Registry};
use std::fmt::Write as _;

/// What is the same for all types.
const HEAD: &str = include_str!("head.md");

/// The building blocks in the order of the page: how their types begin, and what they are called.
const BLOCKS: [(&str, &str, &str); 3] = [
    ("state", "State", "statestore"),
    ("pubsub", "Pub/sub", "pubsub"),
    ("secretstores", "Secrets", "secretstore"),
];

/// How the docs of fields begin that Dapr's documents may have, and what the page says of them below the table.
const DAPR_ONLY: [(&str, &str); 2] = [
    (NO_EFFECT, "Known to Dapr, without effect here (a warning):"),
    ("Not served:", "Known to Dapr, refused here:"),
];

/// The whole page.
pub fn render(registry: &Registry) -> String {
    let mut page = HEAD.to_owned();
    for (block, title, example_name) in BLOCKS {
        let mut drivers: Vec<_> = registry
            .0
            .iter()
            .filter(|driver| driver.kind.split('.').next() == Some(block))
            .collect();
        drivers.sort_by_key(|driver| driver.kind);
        write!(page, "\n## {title}\n").expect("text grows");
        // A driver may have several names.
        for same in drivers.chunk_by(|one, other| is_same(one, other)) {
            section(&mut page, same, example_name);
        }
    }
    page
}

fn is_same(one: &Driver, other: &Driver) -> bool {
    one.summary == other.summary && (one.schema)() == (other.schema)()
}

fn section(page: &mut String, names: &[&Driver], example_name: &str) {
    let Some((driver, others)) = names.split_last() else {
        return;
    };
    let versions = driver.versions.join(", ");
    let (kind, summary) = (driver.kind, driver.summary);
    let aliases: String = others
        .iter()
        .map(|other| format!(" Also `{}`.", other.kind))
        .collect();
    let mut parts = vec![format!(
        "### {kind}\n{summary}. Version: {versions}.{aliases}\n"
    )];
    let (dapr_only, own): (Vec<_>, Vec<_>) = fields::of(driver)
        .into_iter()
        .partition(|field| reason(field).is_some());
    if !own.is_empty() {
        parts.push(table(&own));
    }
    for (prefix, title) in DAPR_ONLY {
        parts.extend(list(&dapr_only, prefix, title));
    }
    if !driver.notes.is_empty() {
        parts.push(format!("{}\n", driver.notes.trim()));
    }
    parts.push(example(driver, example_name));
    for part in parts {
        write!(page, "\n{part}").expect("text grows");
    }
}

fn table(fields: &[Field]) -> String {
    let mut table = "| metadata | type | default | |\n|---|---|---|---|\n".to_owned();
    for field in fields {
        let mut names = format!("`{}`", field.name);
        for alias in &field.aliases {
            write!(names, ", also `{alias}`").expect("text grows");
        }
        let default = if field.required {
            "required"
        } else {
            &field.default
        };
        writeln!(
            table,
            "| {names} | {} | {default} | {} |",
            field.kind, field.description
        )
        .expect("text grows");
    }
    table
}

/// Why a field is not in the table.
fn reason(field: &Field) -> Option<(&'static str, &str)> {
    let text = &field.description;
    DAPR_ONLY
        .iter()
        .find_map(|(prefix, _)| Some((*prefix, text.strip_prefix(prefix)?.trim())))
}

/// Names by their reason, those of one reason together.
fn list(fields: &[Field], prefix: &str, title: &str) -> Option<String> {
    let mut reasons: Vec<(&str, Vec<String>)> = Vec::new();
    for field in fields {
        let Some((_, reason)) = reason(field).filter(|(begin, _)| *begin == prefix) else {
            continue;
        };
        let name = format!("`{}`", field.name);
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, names)) => names.push(name),
            None => reasons.push((reason, vec![name])),
        }
    }
    let lines = reasons
        .iter()
        .map(|(reason, names)| format!("- {}: {reason}\n", names.join(", ")));
    let lines: String = lines.collect();
    (!lines.is_empty()).then(|| format!("{title}\n{lines}"))
}

fn example(driver: &Driver, name: &str) -> String {
    let version = driver.versions.last().expect("a driver has a version");
    let mut yaml = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata:\n  name: {name}\nspec:\n  type: {}\n  version: {version}\n",
        driver.kind
    );
    if !driver.example.is_empty() {
        yaml.push_str("  metadata:\n");
    }
    for line in driver.example.trim().lines() {
        writeln!(yaml, "    {line}").expect("text grows");
    }
    format!("```yaml\n{yaml}```\n")
}
