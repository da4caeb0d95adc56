//! The data directory: made, private, and ours alone.

use crate::{failure::Failure, host_file::HostFile};
use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::Path,
    time::{Duration, Instant},
};

/// A predecessor that is just exiting gets this long.
const PATIENCE: Duration = Duration::from_millis(500);

/// The data directory is ours for as long as this lives; the kernel releases it however the process ends.
pub struct Lock {
    _file: File,
}

/// Makes the directory if it is not there, and locks it.
pub fn claim(data_dir: &Path) -> Result<Lock, Failure> {
    let shown = data_dir.display();
    let unusable = |error: std::io::Error, what: &str| {
        let error = anyhow::Error::from(error).context(format!("{what} {shown}"));
        Failure::from(error).hint("choose a directory that you may write to with --data-dir")
    };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|error| unusable(error, "making the data directory"))?;
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(data_dir.join("lock"))
        .map_err(|error| unusable(error, "writing to the data directory"))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => return Err(in_use(data_dir)),
            Err(TryLockError::Error(error)) => {
                return Err(unusable(error, "locking the data directory"));
            }
        }
    }
}

fn in_use(data_dir: &Path) -> Failure {
    let shown = data_dir.display();
    let holder = HostFile::read(data_dir)
        .map(|host| format!(" (process {}, {})", host.pid, host.http))
        .unwrap_or_default();
    Failure::text(format_args!(
        "another host runs on the data directory {shown}{holder}"
    ))
    .hint("a second host needs its own: berth run --data-dir OTHER-DIR --listen 127.0.0.1:0 --dapr-http-port 0 ...")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_host_is_refused_with_the_flags_to_add() {
        let folder = tempfile::tempdir().unwrap();
        let lock = claim(folder.path()).unwrap();
        let text = claim(folder.path()).map(|_| ()).unwrap_err().to_string();
        let text = text.replace(&folder.path().display().to_string(), "<data-dir>");
        insta::assert_snapshot!(text, @r"
        another host runs on the data directory <data-dir>
          hint: a second host needs its own: berth run --data-dir OTHER-DIR --listen 127.0.0.1:0 --dapr-http-port 0 ...
        ");
        drop(lock);
        assert!(claim(folder.path()).is_ok());
    }

    #[test]
    fn a_file_in_its_place_is_an_error_with_a_way_out() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = claim(file.path()).map(|_| ()).unwrap_err().to_string();
        let text = text.replace(&file.path().display().to_string(), "<file>");
        insta::assert_snapshot!(text, @r"
        making the data directory <file>: File exists (os error 17)
          hint: choose a directory that you may write to with --data-dir
        ");
    }
}
