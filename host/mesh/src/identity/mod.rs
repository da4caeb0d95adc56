//! Who an app is to other hosts: a SPIFFE ID, and the name by which its certificate is asked for.
//!
//! `spiffe://<trust domain>/ns/<namespace>/<app ID>` stands as the only URI in a certificate's subject alternative
//! names, as the SPIFFE X.509-SVID standard (section 2) asks and as Dapr writes it.

mod leaf;
mod server_name;

pub(crate) use leaf::Leaf;
pub(crate) use server_name::server_name;

use berth_blocks::invocation::Target;
use std::{fmt, str::FromStr, sync::Arc};

/// A set of apps whose certificates come from one authority: `public` (Dapr's default), `shop.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TrustDomain(Arc<str>);

/// Why a text is no identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found `{text}`")]
pub struct InvalidIdentity {
    text: String,
    expected: &'static str,
}

/// SPIFFE ID standard, section 2.3: a trust domain has at most 255 bytes.
const TRUST_DOMAIN_BYTES_MAX: usize = 255;

impl TrustDomain {
    /// The domain as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The ID of an app of this domain.
    #[must_use]
    pub fn id_of(&self, workload: &Target) -> SpiffeId {
        SpiffeId {
            trust_domain: self.clone(),
            workload: workload.clone(),
        }
    }
}

impl Default for TrustDomain {
    fn default() -> Self {
        Self("public".into())
    }
}

impl FromStr for TrustDomain {
    type Err = InvalidIdentity;

    /// Lower-case letters, digits, dots, dashes and underscores (SPIFFE ID standard, section 2.1).
    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        let legal =
            |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-' | '_');
        let fits = (1..=TRUST_DOMAIN_BYTES_MAX).contains(&text.len());
        if fits && text.chars().all(legal) {
            return Ok(Self(text.into()));
        }
        Err(InvalidIdentity {
            text: text.to_owned(),
            expected: "a trust domain of lower-case letters, digits, `.`, `-` and `_`",
        })
    }
}

impl fmt::Display for TrustDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An app of a trust domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SpiffeId {
    /// Whose authority vouches for it.
    pub trust_domain: TrustDomain,
    /// The app.
    pub workload: Target,
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Target { namespace, app } = &self.workload;
        write!(f, "spiffe://{}/ns/{namespace}/{app}", self.trust_domain)
    }
}

impl FromStr for SpiffeId {
    type Err = InvalidIdentity;

    fn from_str(text: &str) -> Result<Self, InvalidIdentity> {
        parse(text).ok_or_else(|| InvalidIdentity {
            text: text.to_owned(),
            expected: "a SPIFFE ID `spiffe://<trust domain>/ns/<namespace>/<app ID>`",
        })
    }
}

fn parse(text: &str) -> Option<SpiffeId> {
    let mut parts = text.strip_prefix("spiffe://")?.split('/');
    let trust_domain = parts.next()?.parse().ok()?;
    if parts.next() != Some("ns") {
        return None;
    }
    let namespace = parts.next()?.parse().ok()?;
    let app = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some(SpiffeId {
        trust_domain,
        workload: Target { namespace, app },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_no_id_of_an_app_is_refused() {
        for text in [
            "",
            "spiffe://",
            "spiffe://shop/ns/default/orders/more",
            "spiffe://shop/ns/default",
            "spiffe://Shop/ns/default/orders",
            "spiffe://shop/sa/default/orders",
            "https://shop/ns/default/orders",
            "spiffe://shop/ns//orders",
            "spiffe://shop/ns/default/or%64ers",
        ] {
            assert!(text.parse::<SpiffeId>().is_err(), "{text}");
        }
        assert_eq!(
            "spiffe://shop/sa/a/b"
                .parse::<SpiffeId>()
                .unwrap_err()
                .to_string(),
            "expected a SPIFFE ID `spiffe://<trust domain>/ns/<namespace>/<app ID>`, found `spiffe://shop/sa/a/b`"
        );
    }

    proptest! {
        #[test]
        fn an_id_survives_the_round_trip(
            domain in "[a-z0-9._-]{1,40}",
            namespace in "[A-Za-z0-9]([A-Za-z0-9_-]{0,60}[A-Za-z0-9])?",
            app in "[A-Za-z0-9]([A-Za-z0-9_-]{0,60}[A-Za-z0-9])?",
        ) {
            let text = format!("spiffe://{domain}/ns/{namespace}/{app}");
            prop_assert_eq!(text.parse::<SpiffeId>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = text.parse::<SpiffeId>();
        }
    }
}
