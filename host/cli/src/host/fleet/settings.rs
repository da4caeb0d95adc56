//! What flags say about other hosts.

use crate::{commands::run, host::folder_of_user};
use berth_mesh::{
    CaOptions, CertificateDirectory, CertificateError, CertificateSource, DevelopmentCa,
    TrustDomain,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

/// What `berth run` was told about other hosts.
#[derive(Debug, Clone)]
pub struct FleetSettings {
    /// Where other hosts reach this one.
    pub listen: MeshListen,
    /// Where they are told to, if that differs.
    pub advertise: Option<SocketAddr>,
    /// Certificates that somebody else issues; absent: those of the user's development CA.
    pub certificates: Option<PathBuf>,
    /// What all hosts of a user share.
    pub user_dir: PathBuf,
}

/// `--mesh-listen`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MeshListen {
    /// Any free port of loopback, and no other hosts where that does not work.
    #[default]
    Usual,
    /// This address.
    At(SocketAddr),
    /// No other hosts.
    Off,
}

impl MeshListen {
    /// The address, with port 0 for any.
    pub fn address(self) -> Option<SocketAddr> {
        match self {
            Self::Usual => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)),
            Self::At(address) => Some(address),
            Self::Off => None,
        }
    }
}

impl FromStr for MeshListen {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self::Off);
        }
        run::address(text)
            .map(Self::At)
            .map_err(|error| format!("{error}, or `off`"))
    }
}

/// `$XDG_DATA_HOME/berth`, `~/.local/share/berth`, or a folder in the data directory where there is no home.
pub fn default_user_dir(data_dir: &Path) -> PathBuf {
    folder_of_user("XDG_DATA_HOME", ".local/share").unwrap_or_else(|| data_dir.join("user"))
}

/// The development CA of a trust domain.
///
/// # Errors
/// The folder cannot be used, or the file in it is damaged.
pub fn development_ca(
    user_dir: &Path,
    trust_domain: &TrustDomain,
    life: Option<Duration>,
) -> Result<DevelopmentCa, CertificateError> {
    let usual = CaOptions::default();
    let options = CaOptions {
        trust_domain: trust_domain.clone(),
        workload_life: life.unwrap_or(usual.workload_life),
        ..usual
    };
    let folder = user_dir.join("ca").join(trust_domain.as_str());
    DevelopmentCa::open(&folder, options)
}

impl FleetSettings {
    /// Where certificates come from.
    ///
    /// # Errors
    /// The development CA cannot be used.
    pub fn certificate_source(
        &self,
        trust_domain: &TrustDomain,
        life: Option<Duration>,
    ) -> Result<Arc<dyn CertificateSource>, CertificateError> {
        Ok(match &self.certificates {
            Some(folder) => Arc::new(CertificateDirectory::new(folder.clone())),
            None => Arc::new(development_ca(&self.user_dir, trust_domain, life)?),
        })
    }
}
