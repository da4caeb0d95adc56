//! What can be said about a document without opening anything.

use super::{error, resolve, rules, warning, workflows};
use crate::{
    backend::{Backend, Block},
    registry::{Driver, OpenError, Opened, Registry},
};
use berth_resources::{Component, Diagnostic, MetadataItem, MetadataValue, did_you_mean};
use std::collections::BTreeSet;

/// Checks documents against the drivers without opening anything; every finding stands at the place of its cause.
#[must_use]
pub fn check(components: &[Component], registry: &Registry) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    for component in components {
        match driver(component, registry) {
            Ok(driver) => {
                findings.extend(names(component, driver));
                findings.extend(values(component, driver));
            }
            Err(finding) => findings.push(finding),
        }
    }
    findings.extend(workflows::check(components));
    findings.sort();
    findings
}

/// The driver of a document's type and version.
pub(super) fn driver<'r>(
    component: &Component,
    registry: &'r Registry,
) -> Result<&'r Driver, Diagnostic> {
    let kind = &component.kind.0;
    let known = registry
        .driver(kind)
        .filter(|_| Block::of(&component.kind).is_some());
    let Some(driver) = known else {
        let kinds = registry.kinds();
        let meant = did_you_mean(kind, kinds.iter().copied());
        return Err(Diagnostic {
            hint: Some(format!("this build serves {}", kinds.join(", "))),
            ..error(
                &component.type_origin,
                format!("no driver serves the type `{kind}`{meant}"),
            )
        });
    };
    if !driver
        .versions
        .iter()
        .any(|version| version.eq_ignore_ascii_case(&component.version))
    {
        let version = &component.version;
        let served = driver.versions.join(", ");
        let message = format!(
            "{} has no version `{version}`, served: {served}",
            driver.kind
        );
        return Err(error(&component.type_origin, message));
    }
    Ok(driver)
}

/// Names that neither the driver nor berth knows, names that come twice, and what berth does not do yet.
fn names(component: &Component, driver: &Driver) -> Vec<Diagnostic> {
    let own = driver.metadata_names();
    let block = Block::of(&component.kind);
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for item in &component.metadata {
        let name = &item.name;
        if !seen.insert(name.to_lowercase()) {
            findings.push(error(
                &item.origin,
                format!("metadata `{name}` comes twice"),
            ));
        }
        let treatment = block
            .and_then(|block| rules::entry(block, name))
            .map(|(_, treatment)| treatment);
        match treatment {
            Some(rules::Treatment::Applied) => {}
            Some(rules::Treatment::NotYet) => {
                findings.push(warning(
                    &item.origin,
                    format!("metadata `{name}` is not applied yet"),
                ));
            }
            Some(rules::Treatment::Refused) => findings.push(Diagnostic {
                hint: Some("without the entry the values are stored as plain text".to_owned()),
                ..error(
                    &item.origin,
                    format!("metadata `{name}`: encryption of state is not there yet"),
                )
            }),
            None if own.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                let without = driver.no_effect(name).map(|reason| {
                    warning(
                        &item.origin,
                        format!("metadata `{name}` has no effect: {reason}"),
                    )
                });
                findings.extend(without);
            }
            None => findings.push(unknown(item, driver, &own, block)),
        }
    }
    findings
}

fn unknown(
    item: &MetadataItem,
    driver: &Driver,
    own: &[String],
    block: Option<Block>,
) -> Diagnostic {
    let mut known: Vec<&str> = own.iter().map(String::as_str).collect();
    for name in block.into_iter().flat_map(rules::names) {
        known.push(name);
    }
    let meant = did_you_mean(&item.name, known.iter().copied());
    Diagnostic {
        hint: meant.is_empty().then(|| match known.is_empty() {
            true => format!("{} has no metadata", driver.kind),
            false => format!("{} knows {}", driver.kind, known.join(", ")),
        }),
        ..error(
            &item.origin,
            format!(
                "unknown metadata `{}` for {}{meant}",
                item.name, driver.kind
            ),
        )
    }
}

/// Missing and wrong values. What stands in a secret is not looked at.
fn values(component: &Component, driver: &Driver) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let mut parts = resolve::without_secrets(component, driver);
    let mut seen = BTreeSet::new();
    // An entry that was reported is left out of the next round, so that one error does not hide another.
    while let Err(OpenError::Metadata { field, message }) = (driver.check)(&parts.driver) {
        if !seen.insert(field.clone()) {
            break;
        }
        parts.driver.remove(&field);
        let item = resolve::field(component, driver, &field);
        if !item.is_some_and(|item| matches!(item.value, MetadataValue::SecretRef { .. })) {
            let origin = item.map_or(&component.origin, |item| &item.origin);
            findings.push(error(
                origin,
                format!("metadata `{field}` of {}: {message}", driver.kind),
            ));
        }
    }
    let mut backend = Backend::open_to_all(
        "",
        component.namespace.clone(),
        driver.kind,
        Opened::default(),
    );
    if let Err((field, message)) = rules::apply(&parts.rules, &mut backend) {
        let origin = resolve::item(component, field).map_or(&component.origin, |item| &item.origin);
        findings.push(error(origin, format!("metadata `{field}`: {message}")));
    }
    findings
}
