//! TLS to the servers of drivers: whom to trust. Where certificates come from is the driver's own affair.

use rustls::{
    CertificateError, ClientConfig, ConfigBuilder, DigitallySignedStruct, Error, RootCertStore,
    SignatureScheme,
    client::{
        WantsClientCert, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use std::sync::Arc;

/// What a certificate of the server must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verify {
    /// Nothing: the connection is encrypted, but anybody may be at its end.
    Nothing,
    /// That a trusted authority has made it.
    #[cfg_attr(not(feature = "postgresql"), expect(dead_code))]
    Authority,
    /// That a trusted authority has made it for this host.
    Host,
}

/// The beginning of a client's configuration, to which the client's own certificate may be added. Without
/// `authorities` those of the system are trusted.
///
/// # Errors
/// An authority's certificate is none.
pub(crate) fn client(
    verify: Verify,
    authorities: Option<Vec<CertificateDer<'static>>>,
) -> Result<ConfigBuilder<ClientConfig, WantsClientCert>, Error> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()?;
    let inner = match verify {
        Verify::Host => return Ok(builder.with_root_certificates(roots(authorities)?)),
        Verify::Authority => {
            let roots = Arc::new(roots(authorities)?);
            let verifier =
                WebPkiServerVerifier::builder_with_provider(roots, provider.clone()).build();
            Some(verifier.map_err(|error| Error::General(error.to_string()))?)
        }
        Verify::Nothing => None,
    };
    let verifier = Arc::new(Lenient { inner, provider });
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(verifier))
}

fn roots(authorities: Option<Vec<CertificateDer<'static>>>) -> Result<RootCertStore, Error> {
    let mut roots = RootCertStore::empty();
    let Some(authorities) = authorities else {
        // Some of the system's may be unreadable; those that are needed will be missed by name.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in authorities {
        roots.add(certificate)?;
    }
    Ok(roots)
}

/// Looks at less than the whole: at no certificate, or at its authority but not at its name.
#[derive(Debug)]
struct Lenient {
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.inner else {
            return Ok(ServerCertVerified::assertion());
        };
        // The name is looked at last: whoever fails there has passed the rest.
        match verifier.verify_server_cert(end_entity, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
