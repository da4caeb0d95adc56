//! A folder of certificates that somebody else keeps up to date.
//!
//! The folder itself, and those up to two levels below it (such as `<namespace>/<app ID>`), may each hold one app's
//! certificate: under the names that cert-manager and Kubernetes use, `tls.crt`, `tls.key` and `ca.crt`, or those of
//! SPIRE's spiffe-helper, `svid.pem`, `svid_key.pem` and `svid_bundle.pem`. Whose it is says the certificate. The
//! authorities of all folders are trusted; a folder may hold nothing but an authority.

use super::{CertificateError, CertificateSource, Material, WorkloadMaterial};
use berth_blocks::invocation::Target;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

/// Levels of folders below the first.
const DEPTH: usize = 2;
/// Folders that are looked at: a mistyped path must not read a whole disk.
const FOLDERS_MAX: usize = 10_000;

/// Names of the files of one app: certificate, key, authorities.
const LAYOUTS: [[&str; 3]; 2] = [
    ["tls.crt", "tls.key", "ca.crt"],
    ["svid.pem", "svid_key.pem", "svid_bundle.pem"],
];

/// Certificates in files.
#[derive(Debug)]
pub struct CertificateDirectory(PathBuf);

impl CertificateDirectory {
    /// The certificates below a folder.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self(folder)
    }
}

impl CertificateSource for CertificateDirectory {
    fn load(&self, _wanted: &HashSet<Target>) -> Result<Material, CertificateError> {
        let mut folders = vec![self.0.clone()];
        below(&self.0, DEPTH, &mut folders)?;
        let mut material = Material {
            roots: Vec::new(),
            workloads: Vec::new(),
        };
        for folder in folders {
            read_folder(&folder, &mut material)?;
        }
        if material.roots.is_empty() {
            return Err(CertificateError::Content {
                path: self.0.clone(),
                message:
                    "no authority to trust: expected `ca.crt` or `svid_bundle.pem` in it or below"
                        .to_owned(),
            });
        }
        Ok(material)
    }
}

fn below(folder: &Path, levels: usize, found: &mut Vec<PathBuf>) -> Result<(), CertificateError> {
    let read = |error| CertificateError::file(folder, error);
    for entry in fs::read_dir(folder).map_err(read)? {
        let entry = entry.map_err(read)?;
        let path = entry.path();
        // Kubernetes keeps what it mounts in `..data`, and links to it.
        let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
        if is_hidden || !path.is_dir() || found.len() >= FOLDERS_MAX {
            continue;
        }
        found.push(path.clone());
        if levels > 1 {
            below(&path, levels - 1, found)?;
        }
    }
    Ok(())
}

fn read_folder(folder: &Path, material: &mut Material) -> Result<(), CertificateError> {
    for [certificate, key_name, authorities] in LAYOUTS {
        if let Some(text) = read(&folder.join(authorities))? {
            for root in certificates(&folder.join(authorities), &text)? {
                if !material.roots.contains(&root) {
                    material.roots.push(root);
                }
            }
        }
        let (path, key_path) = (folder.join(certificate), folder.join(key_name));
        let (Some(chain), Some(key)) = (read(&path)?, read(&key_path)?) else {
            continue;
        };
        let key =
            PrivateKeyDer::from_pem_slice(&key).map_err(|error| CertificateError::Content {
                path: key_path,
                message: error.to_string(),
            })?;
        material.workloads.push(WorkloadMaterial {
            chain: certificates(&path, &chain)?,
            key,
            origin: format!("`{}`", path.display()),
        });
    }
    Ok(())
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, CertificateError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(CertificateError::file(path, error)),
    }
}

fn certificates(
    path: &Path,
    text: &[u8],
) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
    let content = |message: String| CertificateError::Content {
        path: path.to_owned(),
        message,
    };
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    let parsed = parsed.map_err(|error| content(error.to_string()))?;
    if parsed.is_empty() {
        return Err(content("it holds no certificate in PEM".to_owned()));
    }
    Ok(parsed)
}

#[cfg(test)]
#[path = "directory_tests.rs"]
mod tests;
