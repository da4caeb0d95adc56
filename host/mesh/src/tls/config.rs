//! The TLS settings of both sides.
//!
//! Sessions are never resumed: a resumed one would skip the certificates, and so outlive them.

use super::verify::Workloads;
use crate::identity::{Leaf, TrustDomain};
use rustls::{
    ClientConfig, Error, RootCertStore, ServerConfig,
    client::Resumption,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{NoServerSessionStorage, ResolvesServerCert},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use std::sync::{Arc, LazyLock};

/// HTTP/2 in the negotiation of the protocol (RFC 7301).
const ALPN: &[u8] = b"h2";

static PROVIDER: LazyLock<Arc<CryptoProvider>> =
    LazyLock::new(|| Arc::new(ring::default_provider()));

/// The certificate of an app with its key.
#[derive(Debug, Clone)]
pub(crate) struct WorkloadKey {
    pub leaf: Leaf,
    pub key: Arc<CertifiedKey>,
}

impl WorkloadKey {
    /// Checks that the key belongs to the certificate.
    ///
    /// # Errors
    /// It does not, or one of them cannot be read.
    pub fn new(
        chain: Vec<CertificateDer<'static>>,
        key: &PrivateKeyDer<'_>,
    ) -> Result<Self, String> {
        let first = chain.first().ok_or("the chain is empty")?;
        let leaf = Leaf::read(first).map_err(|error| error.to_string())?;
        let key = PROVIDER
            .key_provider
            .load_private_key(key.clone_key())
            .map_err(|error| error.to_string())?;
        let key = CertifiedKey::new(chain, key);
        key.keys_match().map_err(|error| error.to_string())?;
        Ok(Self {
            leaf,
            key: Arc::new(key),
        })
    }
}

fn verifier(trust_domain: &TrustDomain, roots: &Arc<RootCertStore>) -> Arc<Workloads> {
    Arc::new(Workloads {
        trust_domain: trust_domain.clone(),
        roots: roots.clone(),
        provider: PROVIDER.clone(),
    })
}

/// What a calling app shows and accepts.
///
/// # Errors
/// The provider does not speak TLS 1.3.
pub(crate) fn client_config(
    trust_domain: &TrustDomain,
    roots: &Arc<RootCertStore>,
    own: &WorkloadKey,
) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(verifier(trust_domain, roots))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(own.key.clone())));
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What a host shows and accepts; `certificates` chooses by the name that was asked for.
///
/// # Errors
/// The provider does not speak TLS 1.3.
pub(crate) fn server_config(
    trust_domain: &TrustDomain,
    roots: &Arc<RootCertStore>,
    certificates: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, Error> {
    let mut config = ServerConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(verifier(trust_domain, roots))
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}
