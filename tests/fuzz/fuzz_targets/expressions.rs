//! Any text as the rule of a subscription: compiling it must end without a panic.

#![no_main]

use berth_resources::{LoadOptions, Source, load};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|expression: &str| {
    // The block scalar keeps every character but line breaks, which would end it.
    let expression = expression.replace(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'], " ");
    let text = format!(
        "apiVersion: dapr.io/v2alpha1\nkind: Subscription\nmetadata: {{ name: fuzz }}\nspec:\n  pubsubname: p\n  topic: t\n  \
         routes:\n    rules:\n    - path: /a\n      match: |-\n        {expression}\n"
    );
    let options = LoadOptions { env: &|_| None, ..LoadOptions::default() };
    let _ = load(&[Source::Text { name: "fuzz.yaml".into(), text }], &options);
});
