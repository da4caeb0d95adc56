//! The development CA: one file per user, made by itself, shared by all hosts of the machine.
//!
//! `ca.pem` (0600) holds the roots with their keys, the newest first. A rotation adds a root; for [`PROPAGATION`] the
//! one before goes on to sign, so that every host trusts the new one before it meets a certificate of it. A root is
//! trusted until it ends.

use super::{
    CertificateError, CertificateSource, Material, WorkloadMaterial,
    authority::{Authority, IssuedCertificate},
};
use crate::identity::{Leaf, TrustDomain};
use berth_blocks::invocation::Target;
use parking_lot::Mutex;
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject, SectionKind},
};
use std::{
    collections::{HashMap, HashSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

/// How long a new root is only trusted before it signs: well above the interval at which hosts look at the file.
const PROPAGATION: Duration = Duration::from_secs(60);
/// Life of a root. At two thirds of it a new one is made.
const ROOT_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Life of an app's certificate: Dapr's `workloadCertTTL`.
const WORKLOAD_LIFE: Duration = Duration::from_secs(24 * 3600);

/// How a development CA is set up.
#[derive(Debug, Clone)]
pub struct CaOptions {
    /// The trust domain of its certificates.
    pub trust_domain: TrustDomain,
    /// Life of an app's certificate.
    pub workload_life: Duration,
    /// The clock.
    pub now: fn() -> SystemTime,
}

impl Default for CaOptions {
    /// Dapr's: `public`, 24 hours.
    fn default() -> Self {
        Self {
            trust_domain: TrustDomain::default(),
            workload_life: WORKLOAD_LIFE,
            now: SystemTime::now,
        }
    }
}

/// What there is to say about a CA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaSummary {
    /// The file that holds it.
    pub file: PathBuf,
    /// Roots that are trusted.
    pub roots: usize,
    /// When the newest of them ends.
    pub not_after: SystemTime,
}

/// A certificate authority for one user's hosts.
pub struct DevelopmentCa {
    folder: PathBuf,
    options: CaOptions,
    issued: Mutex<HashMap<Target, Issued>>,
}

struct Issued {
    leaf: Leaf,
    root: CertificateDer<'static>,
    certificate: IssuedCertificate,
}

impl DevelopmentCa {
    /// The CA in a folder, made if there is none yet.
    ///
    /// # Errors
    /// The folder cannot be used, or the file is damaged.
    pub fn open(folder: &Path, options: CaOptions) -> Result<Self, CertificateError> {
        let ca = Self {
            folder: folder.to_owned(),
            options,
            issued: Mutex::default(),
        };
        ca.roots()?;
        Ok(ca)
    }

    /// What it consists of.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn summary(&self) -> Result<CaSummary, CertificateError> {
        let roots = self.roots()?;
        Ok(CaSummary {
            file: self.file(),
            roots: roots.len(),
            not_after: roots
                .first()
                .map_or(SystemTime::UNIX_EPOCH, |root| root.not_after),
        })
    }

    /// Adds a root, which signs from a minute later on. Certificates of the roots before stay good.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn rotate(&self) -> Result<CaSummary, CertificateError> {
        {
            let _lock = self.lock()?;
            let mut roots = self.read()?.unwrap_or_default();
            roots.insert(0, self.generate()?);
            self.write(&roots)?;
        }
        self.summary()
    }

    /// Makes a certificate of an app.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn issue(&self, workload: &Target) -> Result<IssuedCertificate, CertificateError> {
        let roots = self.roots()?;
        let now = (self.options.now)();
        self.issue_by(signing(&roots, now)?, workload, now)
    }

    /// Makes a certificate of an app and writes it as a [`CertificateDirectory`](super::CertificateDirectory) reads it:
    /// `tls.crt`, `tls.key` (0600) and `ca.crt` in `folder`, which is made if need be.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), or the files cannot be written.
    pub fn issue_into(&self, workload: &Target, folder: &Path) -> Result<(), CertificateError> {
        let issued = self.issue(workload)?;
        let made = DirBuilder::new().recursive(true).create(folder);
        made.map_err(|error| CertificateError::file(folder, error))?;
        // The key first: a certificate without its key is not looked at.
        for (name, mode, text) in [
            ("ca.crt", 0o644, &self.bundle_pem()?),
            ("tls.key", 0o600, &issued.key_pem),
            ("tls.crt", 0o644, &issued.certificate_pem),
        ] {
            let path = folder.join(name);
            replace(&path, mode, text).map_err(|error| CertificateError::file(path, error))?;
        }
        Ok(())
    }

    /// Certificates of the roots that are trusted, in PEM.
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn bundle_pem(&self) -> Result<String, CertificateError> {
        Ok(self
            .roots()?
            .iter()
            .map(|root| pem_of(&root.certificate))
            .collect())
    }

    fn issue_by(
        &self,
        root: &Authority,
        workload: &Target,
        now: SystemTime,
    ) -> Result<IssuedCertificate, CertificateError> {
        let id = self.options.trust_domain.id_of(workload);
        root.issue(&id, now, self.options.workload_life)
    }

    fn file(&self) -> PathBuf {
        self.folder.join("ca.pem")
    }

    fn generate(&self) -> Result<Authority, CertificateError> {
        Authority::generate(&self.options.trust_domain, (self.options.now)(), ROOT_LIFE)
    }

    /// The roots that have not ended, the newest first. Makes the first one, and the next one when it is time.
    fn roots(&self) -> Result<Vec<Authority>, CertificateError> {
        let is_due = |roots: &[Authority]| {
            let now = (self.options.now)();
            roots
                .first()
                .is_none_or(|root| root.not_before + ROOT_LIFE * 2 / 3 <= now)
        };
        let roots = self.read()?.unwrap_or_default();
        if !is_due(&roots) {
            return Ok(roots);
        }
        let _lock = self.lock()?;
        // Another host may have been faster.
        let mut roots = self.read()?.unwrap_or_default();
        if is_due(&roots) {
            roots.insert(0, self.generate()?);
            self.write(&roots)?;
        }
        Ok(roots)
    }

    fn read(&self) -> Result<Option<Vec<Authority>>, CertificateError> {
        let path = self.file();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(CertificateError::file(path, error)),
        };
        let now = (self.options.now)();
        let mut roots =
            parse(&text).map_err(|message| CertificateError::Content { path, message })?;
        roots.retain(|root| root.not_after > now);
        Ok(Some(roots))
    }

    fn write(&self, roots: &[Authority]) -> Result<(), CertificateError> {
        let path = self.file();
        let text: String = roots
            .iter()
            .map(|root| pem_of(&root.certificate) + &root.key_pem())
            .collect();
        replace(&path, 0o600, &text).map_err(|error| CertificateError::file(path, error))
    }

    /// One writer at a time, among all processes.
    fn lock(&self) -> Result<File, CertificateError> {
        let path = self.folder.join(".lock");
        let lock = || {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&self.folder)?;
            let file = OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(&path)?;
            file.lock()?;
            Ok(file)
        };
        lock().map_err(|error| CertificateError::file(path.clone(), error))
    }
}

impl CertificateSource for DevelopmentCa {
    fn load(&self, wanted: &HashSet<Target>) -> Result<Material, CertificateError> {
        let roots = self.roots()?;
        let now = (self.options.now)();
        let root = signing(&roots, now)?;
        let mut issued = self.issued.lock();
        issued.retain(|workload, _| wanted.contains(workload));
        for workload in wanted {
            let is_good = issued
                .get(workload)
                .is_some_and(|old| old.root == root.certificate && now < old.leaf.renewal());
            if !is_good {
                let certificate = self.issue_by(root, workload, now)?;
                let leaf = Leaf::read(&certificate.certificate)
                    .map_err(|error| CertificateError::Crypto(error.to_string()))?;
                let root = root.certificate.clone();
                issued.insert(
                    workload.clone(),
                    Issued {
                        leaf,
                        root,
                        certificate,
                    },
                );
            }
        }
        let workloads = issued.iter().map(|(workload, issued)| WorkloadMaterial {
            chain: vec![issued.certificate.certificate.clone()],
            key: PrivateKeyDer::Pkcs8(issued.certificate.key.clone_key()),
            origin: format!("certificate of `{}`", workload.app),
        });
        Ok(Material {
            workloads: workloads.collect(),
            roots: roots.iter().map(|root| root.certificate.clone()).collect(),
        })
    }
}

/// The newest root that every host knows, else the oldest.
fn signing(roots: &[Authority], now: SystemTime) -> Result<&Authority, CertificateError> {
    let is_known = |root: &&Authority| root.not_before + PROPAGATION <= now;
    roots
        .iter()
        .find(is_known)
        .or(roots.last())
        .ok_or_else(|| CertificateError::Crypto("the development CA has no root".to_owned()))
}

/// Replaces a file as a whole: a reader sees the old or the new one.
fn replace(path: &Path, mode: u32, text: &str) -> io::Result<()> {
    let draft = path.with_extension("new");
    // Whoever left one behind may have given it other permissions.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&draft, path)
}

/// Certificates, each followed by its key.
fn parse(text: &[u8]) -> Result<Vec<Authority>, String> {
    let mut roots = Vec::new();
    let mut certificate = None;
    for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(text) {
        match section.map_err(|error: pem::Error| error.to_string())? {
            (SectionKind::Certificate, der) => certificate = Some(CertificateDer::from(der)),
            (SectionKind::PrivateKey, der) => {
                let certificate = certificate.take().ok_or("a key without a certificate")?;
                let key = PrivateKeyDer::Pkcs8(der.into());
                let root = Authority::read(certificate, &key).map_err(|error| error.to_string())?;
                roots.push(root);
            }
            (kind, _) => return Err(format!("unexpected {kind:?}")),
        }
    }
    Ok(roots)
}

fn pem_of(certificate: &CertificateDer<'_>) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let text = BASE64_STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    // RFC 7468: lines of 64 characters.
    for line in text.as_bytes().chunks(64) {
        pem.push_str(&String::from_utf8_lossy(line));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

#[cfg(test)]
#[path = "development_tests.rs"]
mod tests;
