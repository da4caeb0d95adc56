//! Where certificates come from, and the set that is in use.
//!
//! ```text
//! CertificateSource ──▶ Keyring::refresh ──▶ Keys, swapped whole ──▶ the next connection uses them
//!  ├ DevelopmentCa: issues for any app, renews at two thirds of their life
//!  └ CertificateDirectory: files that cert-manager, SPIRE or a person keeps up to date
//! ```

mod authority;
mod development;
mod directory;
mod keyring;
mod keys;

pub use authority::IssuedCertificate;
pub use development::{CaOptions, CaSummary, DevelopmentCa};
pub use directory::CertificateDirectory;
pub use keyring::{Keyring, Watch};
pub(crate) use keys::{ClientKey, Keys};

use berth_blocks::invocation::Target;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::{collections::HashSet, io, path::PathBuf};

/// Why certificates could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file or folder.
    #[error("`{path}`: {error}")]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// A file holds something else than was expected.
    #[error("`{path}`: {message}")]
    Content {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// A certificate could not be made or used.
    #[error("{0}")]
    Crypto(String),
}

impl CertificateError {
    fn file(path: impl Into<PathBuf>, error: io::Error) -> Self {
        Self::File {
            path: path.into(),
            error,
        }
    }
}

/// Everything that a source has.
#[derive(Debug)]
pub struct Material {
    /// Certificates of the authorities to trust.
    pub roots: Vec<CertificateDer<'static>>,
    /// The apps' own.
    pub workloads: Vec<WorkloadMaterial>,
}

/// The certificate of an app with its key.
#[derive(Debug)]
pub struct WorkloadMaterial {
    /// The app's certificate first, then what leads to an authority.
    pub chain: Vec<CertificateDer<'static>>,
    /// Its private key.
    pub key: PrivateKeyDer<'static>,
    /// Where it comes from, for messages.
    pub origin: String,
}

/// Gives certificates. Asked again and again: what it gives may change at any time.
pub trait CertificateSource: Send + Sync + 'static {
    /// The certificates that hold now, among them those of the apps that are wanted if the source can make them. May
    /// block.
    ///
    /// # Errors
    /// They cannot be had; those before stay in use.
    fn load(&self, wanted: &HashSet<Target>) -> Result<Material, CertificateError>;
}
