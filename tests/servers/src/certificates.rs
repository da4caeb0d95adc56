//! Certificates for servers that speak TLS, made by the `openssl` program.

use crate::program;
use std::{
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// A certificate authority of its own, for one test.
#[derive(Debug)]
pub struct Authority(TempDir);

/// Files of a certificate and its key, in PEM.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, readable by the owner only.
    pub key: PathBuf,
}

impl Authority {
    /// A new one.
    #[must_use]
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        openssl(
            folder.path(),
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=berth-test-ca \
             -keyout ca.key -out ca.crt",
        );
        Self(folder)
    }

    /// The file that clients trust.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.0.path().join("ca.crt")
    }

    /// A certificate for `name` (a server's host name, or a client's common name).
    #[must_use]
    pub fn issue(&self, name: &str) -> Certificate {
        let folder = self.0.path();
        openssl(
            folder,
            &format!(
                "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN={name} -keyout {name}.key \
                 -out {name}.csr"
            ),
        );
        let kind = match name.parse::<std::net::IpAddr>() {
            Ok(_) => "IP",
            Err(_) => "DNS",
        };
        let extensions = folder.join(format!("{name}.ext"));
        std::fs::write(&extensions, format!("subjectAltName={kind}:{name}\n"))
            .expect("a file of extensions");
        openssl(
            folder,
            &format!(
                "x509 -req -in {name}.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 30 -extfile {name}.ext \
                 -out {name}.crt"
            ),
        );
        Certificate {
            certificate: folder.join(format!("{name}.crt")),
            key: folder.join(format!("{name}.key")),
        }
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new(program("openssl", "openssl"))
        .current_dir(folder)
        .args(arguments.split_whitespace())
        .output()
        .expect("openssl runs");
    assert!(
        output.status.success(),
        "openssl {arguments}:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
