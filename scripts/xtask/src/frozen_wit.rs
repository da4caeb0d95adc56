//! The published WIT packages do not change: a new case or field breaks every guest that was built before.

use crate::repository;
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use wit_bindgen_core::wit_parser::Resolve;
use wit_component::WitPrinter;

const NAMESPACE: &str = "berth";

/// Worlds are for bindings alone, the host never sees them. They may grow.
const WORLDS: &str = "guest";

fn snapshot() -> PathBuf {
    repository::path("wit/frozen.txt")
}

/// Compares the packages with what was frozen. Comments are free to change.
pub fn check() -> Result<()> {
    let frozen = fs::read_to_string(snapshot()).context("reading wit/frozen.txt")?;
    let current = print_packages()?;
    if let Some((line, (old, new))) = frozen
        .lines()
        .zip(current.lines())
        .enumerate()
        .find(|(_, (old, new))| old != new)
    {
        bail!(
            "the WIT packages differ from wit/frozen.txt at line {}:\n  frozen: {old}\n  now:    {new}\n\
             A guest built before this change would no longer load. Make the change in a new version of the package; \
             if none has been released yet, freeze it with `cargo xtask check-repo --freeze-wit`",
            line + 1
        );
    }
    if frozen.lines().count() != current.lines().count() {
        bail!(
            "a WIT package was added or removed since wit/frozen.txt was written: freeze it with \
             `cargo xtask check-repo --freeze-wit`"
        );
    }
    Ok(())
}

/// Takes the packages as they are now for the frozen ones.
pub fn freeze() -> Result<()> {
    fs::write(snapshot(), print_packages()?).context("writing wit/frozen.txt")?;
    println!("wrote wit/frozen.txt");
    Ok(())
}

/// The packages of the contract in one form, without comments and layout.
fn print_packages() -> Result<String> {
    let mut resolve = Resolve::default();
    resolve.push_path(repository::path("wit"))?;
    let mut packages: Vec<_> = resolve
        .packages
        .iter()
        .filter(|(_, package)| package.name.namespace == NAMESPACE && package.name.name != WORLDS)
        .collect();
    packages.sort_by_key(|(_, package)| package.name.to_string());
    let mut text = String::new();
    for (id, _) in packages {
        let mut printer = WitPrinter::default();
        printer.emit_docs(false);
        printer.print(&resolve, id, &[])?;
        text += &String::from(printer.output);
        text += "\n";
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_contract_is_frozen() {
        super::check().unwrap();
    }
}
