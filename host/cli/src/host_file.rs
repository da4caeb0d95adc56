//! `host.json` in the data directory: how other commands find a running host. It holds the token of the admin API, so
//! only its owner may read it.

use crate::failure::Failure;
use anyhow::Context;
use berth_gateway::dapr_http::ServingDaprHttp;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, OpenOptions},
    io::{ErrorKind, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

const NAME: &str = "host.json";

/// What a command needs to know of a running host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostFile {
    /// Process of the host.
    pub pid: u32,
    /// Base URL of the admin API.
    pub admin: String,
    /// Base URL of the ingress.
    pub http: String,
    /// Dapr's HTTP API, one for each caller.
    #[serde(default)]
    pub dapr_http: Vec<DaprHttpAddress>,
    /// Where other hosts reach this one, unless it is alone.
    #[serde(default)]
    pub mesh: Option<String>,
    /// Token of the admin API.
    pub token: String,
    /// The namespace that is meant when none is named.
    pub namespace: String,
    /// Version of the host.
    pub version: String,
}

/// Where one app calls the building blocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DaprHttpAddress {
    /// The caller.
    pub app_id: String,
    /// Its tenant.
    pub namespace: String,
    /// Base URL.
    pub url: String,
}

impl DaprHttpAddress {
    /// That of a door.
    pub fn of(door: &ServingDaprHttp) -> Self {
        Self {
            app_id: door.caller().app.to_string(),
            namespace: door.caller().namespace.to_string(),
            url: format!("http://{}", door.address()),
        }
    }
}

impl HostFile {
    /// Reads the file of the host on this data directory.
    pub fn read(data_dir: &Path) -> Result<Self, Failure> {
        let path = data_dir.join(NAME);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(no_host(data_dir)),
            Err(error) => {
                let error = anyhow::Error::from(error);
                return Err(error.context(format!("reading {}", path.display())).into());
            }
        };
        serde_json::from_str(&text)
            .with_context(|| format!("reading {}", path.display()))
            .map_err(Failure::from)
    }

    /// Writes the file whole or not at all. It is removed when the result is dropped.
    pub fn write(&self, data_dir: &Path) -> anyhow::Result<Written> {
        let path = data_dir.join(NAME);
        let draft = data_dir.join(format!("{NAME}.{}", self.pid));
        let write = || -> std::io::Result<()> {
            let _ = fs::remove_file(&draft);
            let mut options = OpenOptions::new();
            let mut file = options
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&draft)?;
            file.write_all(&serde_json::to_vec_pretty(self)?)?;
            fs::rename(&draft, &path)
        };
        write().with_context(|| format!("writing {}", path.display()))?;
        Ok(Written(path))
    }
}

/// The file while the host runs.
pub struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes what a host left that could not clean up.
pub fn remove_stale(data_dir: &Path) {
    let _ = fs::remove_file(data_dir.join(NAME));
}

/// The error of every command that needs a host.
pub fn no_host(data_dir: &Path) -> Failure {
    let shown = data_dir.display();
    let flag = if data_dir == Path::new(crate::args::DEFAULT_DATA_DIR) {
        String::new()
    } else {
        format!(" --data-dir {shown}")
    };
    Failure::text(format_args!("no host is running on {shown}")).hint(format!(
        "start one with `berth run DIR{flag}`, or name its data directory with --data-dir"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn sample() -> HostFile {
        HostFile {
            pid: 4711,
            admin: "http://127.0.0.1:9090".to_owned(),
            http: "http://127.0.0.1:8080".to_owned(),
            dapr_http: vec![DaprHttpAddress {
                app_id: "orders".to_owned(),
                namespace: "default".to_owned(),
                url: "http://127.0.0.1:3500".to_owned(),
            }],
            mesh: Some("127.0.0.1:40123".to_owned()),
            token: "secret".to_owned(),
            namespace: "default".to_owned(),
            version: "0.1.0".to_owned(),
        }
    }

    #[test]
    fn it_is_private_and_goes_with_the_host() {
        let folder = tempfile::tempdir().unwrap();
        let written = sample().write(folder.path()).unwrap();
        let path = folder.path().join(NAME);
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(HostFile::read(folder.path()).unwrap(), sample());
        drop(written);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn without_a_host_the_error_says_how_to_start_one() {
        let failure = HostFile::read(Path::new("/nowhere/.berth")).unwrap_err();
        insta::assert_snapshot!(failure.to_string(), @r"
        no host is running on /nowhere/.berth
          hint: start one with `berth run DIR --data-dir /nowhere/.berth`, or name its data directory with --data-dir
        ");
    }
}
