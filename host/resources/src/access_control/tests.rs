use super::*;
use crate::{LoadOptions, Source, load};
use proptest::prelude::*;

fn control(spec: &str) -> AccessControl {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: c }}\nspec:\n  accessControl: {spec}\n"
    );
    let source = Source::Text {
        name: "test".into(),
        text,
    };
    let loaded = load(&[source], &LoadOptions::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    loaded.resources.configurations[0]
        .access_control
        .clone()
        .unwrap()
}

fn asks(control: &AccessControl, caller: &str, verb: &str, path: &str) -> bool {
    let (app, namespace) = caller.split_once('.').unwrap();
    let (app, namespace) = (app.parse().unwrap(), namespace.parse().unwrap());
    control.allows(&AccessRequest {
        caller: Some(PeerIdentity {
            trust_domain: "public",
            namespace: &namespace,
            app: &app,
        }),
        path,
        verb,
    })
}

/// One policy for `orders.shop` with these operations: `path verbs action`.
fn operations(default: &str, lines: &[&str]) -> AccessControl {
    let operations: Vec<String> = lines
        .iter()
        .map(|line| {
            let mut words = line.split(' ');
            let (name, verbs, action) = (words.next(), words.next(), words.next());
            format!(
                "{{ name: \"{}\", httpVerb: [{}], action: {} }}",
                name.unwrap(),
                verbs.unwrap(),
                action.unwrap()
            )
        })
        .collect();
    control(&format!(
        "{{ defaultAction: deny, policies: [{{ appId: orders, namespace: shop, trustDomain: public, {default} \
         operations: [{}] }}] }}",
        operations.join(", ")
    ))
}

#[test]
fn without_a_default_policies_keep_others_out() {
    let policies = control(
        "{ policies: [{ appId: orders, namespace: shop, trustDomain: public, defaultAction: allow }] }",
    );
    assert!(asks(&policies, "orders.shop", "GET", "/a"));
    assert!(!asks(&policies, "carts.shop", "GET", "/a"));
    assert!(!asks(&policies, "orders.other", "GET", "/a"));
    let none = control("{ trustDomain: shop }");
    assert!(asks(&none, "carts.shop", "GET", "/a"));
}

#[test]
fn another_trust_domain_and_no_identity_get_the_global_default() {
    for (default, expected) in [("allow", true), ("deny", false)] {
        let opposite = if expected { "deny" } else { "allow" };
        let rules = control(&format!(
            "{{ defaultAction: {default}, policies: [{{ appId: orders, namespace: shop, trustDomain: other, \
             defaultAction: {opposite} }}] }}"
        ));
        assert_eq!(asks(&rules, "orders.shop", "GET", "/a"), expected);
        let nobody = AccessRequest {
            caller: None,
            path: "/a",
            verb: "GET",
        };
        assert_eq!(rules.allows(&nobody), expected);
    }
}

#[test]
fn the_verb_decides_then_the_star_then_the_default_of_the_policy() {
    let rules = operations(
        "defaultAction: allow,",
        &["/a 'POST' deny", "/b '*' deny", "/c 'GET' allow"],
    );
    let allowed = |verb, path| asks(&rules, "orders.shop", verb, path);
    assert!(!allowed("POST", "/a"));
    assert!(allowed("GET", "/a"));
    assert!(!allowed("GET", "/b"));
    assert!(allowed("PUT", "/c"));
    assert!(allowed("GET", "/elsewhere"));
    let strict = operations("", &["/c 'GET' allow"]);
    assert!(asks(&strict, "orders.shop", "GET", "/c"));
    assert!(!asks(&strict, "orders.shop", "PUT", "/c"));
}

#[test]
fn wildcards_cover_what_they_cover_in_dapr() {
    let cases: &[(&str, &str, bool)] = &[
        ("/a", "/a", true),
        ("/a", "/A", true),
        ("a", "/a", true),
        ("/a", "/a/b", true),
        ("/a", "/ab", false),
        ("/a/*", "/a", true),
        ("/a/*", "/a/b", true),
        ("/a/*", "/a/b/c", false),
        ("/a/**", "/a/b/c", true),
        ("/a*", "/abc", true),
        ("/a*z", "/abcz", true),
        ("/a*z", "/abc", false),
        ("/*", "/anything", true),
        ("/*", "/any/thing", false),
        ("/**", "/any/thing", true),
        ("/a/*/c", "/a/b/c", false),
        ("/a", "//a/", true),
        ("/a", "/x/../a", true),
        ("/a", "/%61", true),
        ("/a", "/./a", true),
        ("/a/b", "/a%2Fb", false),
    ];
    for (pattern, path, expected) in cases {
        let rules = operations("", &[&format!("{pattern} '*' allow")]);
        assert_eq!(
            asks(&rules, "orders.shop", "GET", path),
            *expected,
            "{pattern} {path}"
        );
    }
}

#[test]
fn the_entry_that_stands_first_wins() {
    let rules = operations("", &["/a* '*' allow", "/ab '*' deny"]);
    assert!(asks(&rules, "orders.shop", "GET", "/ab"));
    let rules = operations("", &["/ab '*' deny", "/a* '*' allow"]);
    assert!(!asks(&rules, "orders.shop", "GET", "/ab"));
    assert!(asks(&rules, "orders.shop", "GET", "/ac"));
}

proptest! {
    /// Spellings of one path have one answer, and nothing panics.
    #[test]
    fn spelling_does_not_matter(path in "(/[a-zA-Z0-9.%*]{0,5}){0,5}") {
        let rules = operations("", &["/a/b '*' allow", "/*c '*' allow", "/d/** '*' allow"]);
        let normal = format!("/{}", operations::normalize(&path));
        prop_assert_eq!(
            asks(&rules, "orders.shop", "GET", &path),
            asks(&rules, "orders.shop", "GET", &normal)
        );
        let doubled = path.replace('/', "//./");
        prop_assert_eq!(
            asks(&rules, "orders.shop", "GET", &path),
            asks(&rules, "orders.shop", "GET", &doubled)
        );
    }
}
