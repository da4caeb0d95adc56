//! TLS as a connection string asks for it.

use super::settings::wrong;
use berth_blocks::registry::OpenError;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};
use std::sync::Arc;
use tokio_postgres_rustls::MakeRustlsConnect;

/// What a certificate of the server must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Verify {
    /// Nothing: the connection is encrypted, but anybody may be at its end.
    Nothing,
    /// That a trusted authority has made it.
    Authority,
    /// That a trusted authority has made it for this host.
    Host,
}

/// Files of certificates, in PEM.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub(super) struct Files {
    /// Authorities to trust instead of the system's.
    pub(super) root: Option<String>,
    /// Of this client, and its key.
    pub(super) certificate: Option<String>,
    pub(super) key: Option<String>,
}

/// Reads the files.
pub(super) fn connector(verify: Verify, files: &Files) -> Result<MakeRustlsConnect, OpenError> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| OpenError::Backend(format!("TLS: {error}")))?;
    let builder = match verify {
        Verify::Host => builder.with_root_certificates(roots(files)?),
        Verify::Authority => {
            let roots = Arc::new(roots(files)?);
            let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
                .build()
                .map_err(|error| wrong("sslrootcert", error.to_string()))?;
            let verifier = Arc::new(Lenient(Some(inner), provider));
            builder
                .dangerous()
                .with_custom_certificate_verifier(verifier)
        }
        Verify::Nothing => builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Lenient(None, provider))),
    };
    let config = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => {
            let chain = certificates("sslcert", certificate)?;
            let key = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unreadable("sslkey", key, &error))?;
            builder
                .with_client_auth_cert(chain, key)
                .map_err(|error| wrong("sslkey", error.to_string()))?
        }
        (None, None) => builder.with_no_client_auth(),
        (Some(_), None) => return Err(wrong("sslkey", "missing, but `sslcert` needs it")),
        (None, Some(_)) => return Err(wrong("sslcert", "missing, but `sslkey` needs it")),
    };
    Ok(MakeRustlsConnect::new(config))
}

fn roots(files: &Files) -> Result<RootCertStore, OpenError> {
    let mut roots = RootCertStore::empty();
    let Some(path) = files.root.as_deref().filter(|path| *path != "system") else {
        // Some of the system's may be unreadable; those that are needed will be missed by name.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates("sslrootcert", path)? {
        roots
            .add(certificate)
            .map_err(|error| wrong("sslrootcert", error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(field: &str, path: &str) -> Result<Vec<CertificateDer<'static>>, OpenError> {
    let found: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(wrong(
            field,
            format!("`{path}` holds no certificate in PEM"),
        )),
        Err(error) => Err(unreadable(field, path, &error)),
    }
}

fn unreadable(field: &str, path: &str, error: &rustls::pki_types::pem::Error) -> OpenError {
    wrong(field, format!("reading `{path}`: {error}"))
}

/// Looks at less than the whole: at no certificate, or at its authority but not at its name.
#[derive(Debug)]
struct Lenient(Option<Arc<WebPkiServerVerifier>>, Arc<CryptoProvider>);

impl ServerCertVerifier for Lenient {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.0 else {
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
        let algorithms = &self.1.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.1.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.1.signature_verification_algorithms.supported_schemes()
    }
}
