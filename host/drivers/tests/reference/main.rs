//! `components/README.md`: the page of all component types is what the drivers say of themselves, and its examples and
//! the sets beside it load.

mod fields;
mod page;

use berth_blocks::check;
use berth_drivers::registry;
use berth_resources::{LoadOptions, Source, load};
use std::{env, fs, path::PathBuf};

/// Set by `cargo xtask reference`: write the page instead of comparing it.
const WRITE: &str = "BERTH_WRITE_REFERENCE";

fn components() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../components")
}

/// What is wrong with documents, apart from what only opening them would show.
fn findings(source: Source) -> Vec<String> {
    let loaded = load(&[source], &LoadOptions::default());
    assert!(!loaded.resources.components.is_empty(), "no component");
    let checked = check(&loaded.resources.components, &registry());
    let findings = loaded.diagnostics.into_iter().chain(checked);
    findings.map(|finding| finding.to_string()).collect()
}

#[test]
fn the_page_of_component_types_is_current() {
    let path = components().join("README.md");
    let page = page::render(&registry());
    if env::var_os(WRITE).is_some() {
        return fs::write(&path, page).expect("a page that can be written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "components/README.md is not what the drivers say: `cargo xtask reference` writes it anew"
    );
}

#[test]
fn every_example_of_the_page_loads() {
    let page = page::render(&registry());
    let examples: Vec<_> = page
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|example| example.contains("kind: Component"))
        .collect();
    assert_eq!(examples.len(), page.matches("\n### ").count());
    for example in examples {
        let source = Source::Text {
            name: "example.yaml".into(),
            text: example.to_owned(),
        };
        assert_eq!(findings(source), [""; 0], "{example}");
    }
}

#[test]
fn every_set_loads_and_stands_on_the_page() {
    let page = page::render(&registry());
    let folders = fs::read_dir(components()).expect("the sets");
    let folders: Vec<_> = folders
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.is_dir())
        .collect();
    assert!(!folders.is_empty());
    for folder in folders {
        let name = folder.file_name().expect("a name").to_string_lossy();
        assert!(page.contains(&format!("[{name}]({name})")), "{name}");
        assert_eq!(
            findings(Source::ResourcesPath(folder.clone())),
            [""; 0],
            "{name}"
        );
    }
}
