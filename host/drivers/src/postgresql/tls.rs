//! TLS as a connection string asks for it: certificates in files.

use super::settings::wrong;
use crate::tls::{self, Verify};
use berth_blocks::registry::OpenError;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use tokio_postgres_rustls::MakeRustlsConnect;

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
    let own = files.root.as_deref().filter(|path| *path != "system");
    let authorities = own.map(|path| certificates("sslrootcert", path));
    let builder = tls::client(verify, authorities.transpose()?)
        .map_err(|error| wrong("sslrootcert", error.to_string()))?;
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
