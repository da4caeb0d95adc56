//! TLS: what the metadata asks for, as rustls and as the Cluster client take it.

use super::metadata::wrong;
use crate::tls::{self, Verify};
use berth_blocks::registry::OpenError;
use redis::{ClientTlsConfig, TlsCertificates};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::sync::Arc;

/// TLS of every connection.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    /// For connections of our own.
    pub(super) config: Arc<ClientConfig>,
    /// For those that the Cluster client makes.
    pub(super) certificates: TlsCertificates,
    /// Any certificate of the server will do.
    pub(super) insecure: bool,
}

impl Tls {
    /// From PEM texts. Without an own authority those of the system are trusted.
    pub(super) fn new(
        authority: Option<&str>,
        client: Option<(&str, &str)>,
        insecure: bool,
    ) -> Result<Self, OpenError> {
        let verify = if insecure {
            Verify::Nothing
        } else {
            Verify::Host
        };
        let authorities = authority.map(|pem| certificates("caCert", pem));
        let builder = tls::client(verify, authorities.transpose()?)
            .map_err(|error| wrong("caCert", &error.to_string()))?;
        let config = match client {
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
                    .map_err(|_| wrong("clientKey", "expected a private key in PEM"))?;
                let chain = certificates("clientCert", certificate)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|error| wrong("clientKey", &error.to_string()))?
            }
            None => builder.with_no_client_auth(),
        };
        let certificates = TlsCertificates {
            client_tls: client.map(|(certificate, key)| ClientTlsConfig {
                client_cert: certificate.into(),
                client_key: key.into(),
            }),
            root_cert: authority.map(|pem| pem.as_bytes().to_vec()),
        };
        Ok(Self {
            config: Arc::new(config),
            certificates,
            insecure,
        })
    }
}

fn certificates(field: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong(field, "expected a certificate in PEM")),
    }
}
