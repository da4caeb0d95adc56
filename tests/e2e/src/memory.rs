//! How much memory a process has.

use anyhow::{Context, Result};
use std::fs;

/// Resident memory of a process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// Now.
    pub resident: u64,
    /// The most that it ever was.
    pub peak: u64,
    /// Page faults so far that no disk was read for.
    pub faults: u64,
}

impl Memory {
    pub(crate) fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/status");
        let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
        Ok(Self {
            resident: field(&status, "VmRSS:")?,
            peak: field(&status, "VmHWM:")?,
            faults: faults(pid)?,
        })
    }

    /// By how much the peak has risen since.
    #[must_use]
    pub fn growth_since(self, before: Self) -> u64 {
        self.peak.saturating_sub(before.peak)
    }
}

/// `VmRSS:     1234 kB`
fn field(status: &str, name: &str) -> Result<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|rest| rest.trim().strip_suffix("kB"));
    let kibibytes: u64 = number
        .with_context(|| format!("no {name} in the status of the process"))?
        .trim()
        .parse()?;
    Ok(kibibytes * 1024)
}

/// The tenth field of `proc_pid_stat(5)`. The second is a name in parentheses, which may have blanks.
fn faults(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let fields = stat.rsplit_once(") ").map(|(_, rest)| rest.split(' '));
    let faults = fields.and_then(|mut fields| fields.nth(7));
    Ok(faults.with_context(|| format!("{path} is cut"))?.parse()?)
}
