//! The name that a caller asks for in the TLS handshake (SNI, RFC 6066 section 3).
//!
//! `<app ID>.<namespace>.berth.internal` where both are in lower case. DNS names have no case but app IDs do, so any
//! other pair is `<32 hexadecimal digits>.id.berth.internal`: the beginning of the SHA-256 of `<namespace>/<app ID>`.
//! The server computes the names of its own apps and never takes one apart.

use berth_blocks::invocation::Target;
use rustls::pki_types::DnsName;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// ICANN reserves `internal` for private use: no such name ever resolves.
const SUFFIX: &str = "berth.internal";
/// 128 bits: nobody finds a second app with the same name.
const DIGEST_BYTES: usize = 16;

/// The name of an app.
pub(crate) fn server_name(workload: &Target) -> DnsName<'static> {
    let (namespace, app) = (workload.namespace.as_str(), workload.app.as_str());
    let is_plain = |name: &str| !name.chars().any(|c| c.is_ascii_uppercase());
    // A namespace `id` would look like a digest.
    if is_plain(namespace)
        && is_plain(app)
        && namespace != "id"
        && let Ok(name) = DnsName::try_from(format!("{app}.{namespace}.{SUFFIX}"))
    {
        return name;
    }
    let digest = Sha256::digest(format!("{namespace}/{app}"));
    let mut name = String::with_capacity(2 * DIGEST_BYTES + SUFFIX.len() + 4);
    for byte in digest.iter().take(DIGEST_BYTES) {
        // Writing to a text does not fail.
        let _ = write!(name, "{byte:02x}");
    }
    let _ = write!(name, ".id.{SUFFIX}");
    DnsName::try_from(name).expect("hexadecimal digits and a suffix are a name")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name_of(namespace: &str, app: &str) -> String {
        let workload = Target {
            namespace: namespace.parse().unwrap(),
            app: app.parse().unwrap(),
        };
        server_name(&workload).as_ref().to_owned()
    }

    #[test]
    fn a_name_in_lower_case_can_be_read() {
        assert_eq!(name_of("shop", "orders"), "orders.shop.berth.internal");
        assert_eq!(name_of("shop", "or_ders"), "or_ders.shop.berth.internal");
    }

    #[test]
    fn ids_that_differ_in_case_have_different_names() {
        let names = [
            name_of("shop", "orders"),
            name_of("shop", "Orders"),
            name_of("Shop", "orders"),
            name_of("id", "orders"),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len(), "{names:?}");
    }

    proptest! {
        #[test]
        fn every_app_has_a_name(
            namespace in "[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?",
            app in "[A-Za-z0-9]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?",
        ) {
            let name = name_of(&namespace, &app);
            prop_assert!(name.len() <= 253);
            prop_assert_eq!(name.to_lowercase(), name);
        }
    }
}
