//! Mutated documents: whatever is done to them, loading ends, does not panic and points into the document.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

use berth_resources::{LoadOptions, Source, load};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use std::{fs, sync::LazyLock, time::Instant};

/// The texts of all golden files.
static SEEDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut seeds = Vec::new();
    for folder in ["tests/invalid", "tests/valid", "tests/valid/dapr"] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && path.extension().is_some_and(|extension| extension != "txt") {
                seeds.push(String::from_utf8_lossy(&fs::read(path).unwrap()).into_owned());
            }
        }
    }
    seeds.sort();
    seeds
});

/// Characters that mean something in YAML, CEL, durations or paths.
const SPICE: [&str; 24] = [
    ":", "- ", "\n", "\t", " ", "{", "}", "[", "]", "&a ", "*a", "!", "|", ">", "'", "\"", "#",
    "%", "---\n", "?", ",", "\0", "é", "<<: ",
];

/// What expressions are made of, a few of them odd.
const TOKENS: [&str; 48] = [
    "event",
    ".type",
    ".data",
    ".",
    "[0]",
    "[",
    "]",
    "(",
    ")",
    "{",
    "}",
    ",",
    ":",
    " ? ",
    "?",
    " && ",
    " || ",
    "!",
    "-",
    " + ",
    "*",
    "/",
    "%",
    " == ",
    "!=",
    " < ",
    ">=",
    " in ",
    "=",
    "has(",
    ".exists(x, x > 1)",
    ".all(",
    ".map(",
    "size(",
    "'a'",
    "\"b\"",
    "'''c'''",
    "r'\\d'",
    "b'\\xff'",
    "'\\u00'",
    "1",
    "1.5e3",
    "0x1f",
    "18446744073709551616",
    "1u",
    "true",
    "null",
    "// c\n",
];

#[derive(Debug, Clone)]
enum Mutation {
    Flip(Index, u8),
    Insert(Index, usize),
    Remove(Index, usize),
    Truncate(Index),
    DuplicateLine(Index),
    Indent(Index, usize),
    Splice(Index, Index, Index),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(at, bits)| Mutation::Flip(at, bits)),
        (any::<Index>(), 0..SPICE.len()).prop_map(|(at, spice)| Mutation::Insert(at, spice)),
        (any::<Index>(), 1_usize..20).prop_map(|(at, count)| Mutation::Remove(at, count)),
        any::<Index>().prop_map(Mutation::Truncate),
        any::<Index>().prop_map(Mutation::DuplicateLine),
        (any::<Index>(), 0_usize..6).prop_map(|(at, spaces)| Mutation::Indent(at, spaces)),
        (any::<Index>(), any::<Index>(), any::<Index>())
            .prop_map(|(at, seed, from)| Mutation::Splice(at, seed, from)),
    ]
}

fn apply(text: &str, mutation: &Mutation) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let length = bytes.len().max(1);
    match mutation {
        Mutation::Flip(at, bits) => {
            if let Some(byte) = bytes.get_mut(at.index(length)) {
                *byte ^= bits;
            }
        }
        Mutation::Insert(at, spice) => {
            let at = at.index(length).min(bytes.len());
            bytes.splice(at..at, SPICE[*spice].bytes());
        }
        Mutation::Remove(at, count) => {
            let at = at.index(length).min(bytes.len());
            let end = (at + count).min(bytes.len());
            bytes.drain(at..end);
        }
        Mutation::Truncate(at) => bytes.truncate(at.index(length)),
        Mutation::DuplicateLine(at) => {
            return edit_line(text, at, |line| format!("{line}\n{line}"));
        }
        Mutation::Indent(at, spaces) => {
            return edit_line(text, at, |line| {
                format!("{}{}", " ".repeat(*spaces), line.trim_start())
            });
        }
        Mutation::Splice(at, seed, from) => {
            let other = SEEDS[seed.index(SEEDS.len())].as_bytes();
            let tail = &other[from.index(other.len().max(1)).min(other.len())..];
            bytes.truncate(at.index(length));
            bytes.extend_from_slice(tail);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn edit_line(text: &str, at: &Index, edit: impl Fn(&str) -> String) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let chosen = at.index(lines.len().max(1));
    let edited = lines.iter().enumerate().map(|(index, line)| {
        if index == chosen {
            edit(line)
        } else {
            (*line).to_owned()
        }
    });
    edited.collect::<Vec<_>>().join("\n")
}

fn check(text: String) {
    // YAML ends lines at a lone carriage return too.
    let lines = text.matches(['\n', '\r']).count() + 1;
    let started = Instant::now();
    let source = Source::Text {
        name: "mutated.yaml".into(),
        text,
    };
    let options = LoadOptions {
        env: &|_| None,
        ..LoadOptions::default()
    };
    let loaded = load(&[source], &options);
    for finding in &loaded.diagnostics {
        assert!(
            usize::try_from(finding.origin.line).unwrap() <= lines,
            "{finding}"
        );
        assert!(!finding.message.contains('\n'), "{finding}");
        assert!(!finding.message.ends_with('.'), "{finding}");
    }
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
}

/// A few seconds' worth; `PROPTEST_CASES` asks for more.
fn cases() -> u32 {
    let asked = std::env::var("PROPTEST_CASES").ok();
    asked.and_then(|cases| cases.parse().ok()).unwrap_or(1_500)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_document_is_read_or_refused(seed in any::<Index>(), mutations in vec(mutation(), 1..8)) {
        let seed = SEEDS[seed.index(SEEDS.len())].clone();
        check(mutations.iter().fold(seed, |text, mutation| apply(&text, mutation)));
    }

    #[test]
    fn a_random_expression_is_compiled_or_refused(tokens in vec(select(&TOKENS[..]), 0..24), noise in "\\PC{0,4}") {
        let expression = format!("{}{noise}", tokens.concat());
        let quoted = serde_json::to_string(&expression).unwrap();
        check(format!(
            "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {{ name: x }}\nspec:\n  pubsubname: p\n  topic: t\n  \
             routes:\n    rules: [{{ match: {quoted}, path: /a }}]\n"
        ));
    }
}

/// Texts that grow the work faster than their length, in parsers that let them.
#[test]
fn texts_of_one_mebibyte_end_in_time() {
    const HEAD: &str =
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: x }\nspec:\n  metadata: ";
    for unit in [
        "[", "{", "- ", "a: ", "? ", "&a ", "!a ", "*a ", "'", "\"", "|\n", "[a, ", "{a: ", "x",
        "\n", " ", "\t", "# ", "---\n", "%", "- a\n  ", ",", "''",
    ] {
        let text = format!("{HEAD}{}", unit.repeat((1 << 20) / unit.len()));
        check(text);
    }
    let keys: String = (0..60_000).map(|key| format!("  k{key}: 1\n")).collect();
    check(format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: x }}\nspec:\n{keys}"
    ));
}
