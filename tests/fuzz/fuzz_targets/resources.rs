//! Any bytes as a YAML file: loading them must end without a panic.

#![no_main]

use berth_resources::{LoadOptions, Source, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let options = LoadOptions { env: &|_| None, ..LoadOptions::default() };
    let loaded = load(&[Source::Text { name: "fuzz.yaml".into(), text }], &options);
    for finding in loaded.diagnostics {
        assert!(!finding.message.is_empty());
    }
});
