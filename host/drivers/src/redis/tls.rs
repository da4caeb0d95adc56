//! TLS: what the metadata asks for, as rustls and as the Cluster client take it.

use berth_blocks::registry::OpenError;
use redis::{ClientTlsConfig, TlsCertificates};
use rustls::{
    ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
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
        let provider = Arc::new(ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| OpenError::Backend(format!("TLS: {error}")))?;
        let builder = if insecure {
            builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider)))
        } else {
            builder.with_root_certificates(roots(authority)?)
        };
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

fn wrong(field: &str, message: &str) -> OpenError {
    OpenError::Metadata {
        field: field.to_owned(),
        message: message.to_owned(),
    }
}

fn certificates(field: &str, pem: &str) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong(field, "expected a certificate in PEM")),
    }
}

fn roots(authority: Option<&str>) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = authority else {
        // Some of the system's may be unreadable; those that are needed will be missed by name.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates("caCert", pem)? {
        roots
            .add(certificate)
            .map_err(|error| wrong("caCert", &error.to_string()))?;
    }
    Ok(roots)
}

/// Takes every certificate for the right one: `insecureSkipTLSVerify`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
