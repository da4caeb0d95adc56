//! Where and when it was measured.

use crate::{paths, samples::Samples};
use anyhow::{Context, Result};
use serde::Serialize;
use std::{fmt, fs, io::Write as _, thread, time::Instant};
use time::{OffsetDateTime, macros::format_description};

/// The machine of a run.
#[derive(Debug, Serialize)]
pub struct Machine {
    cpu: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    date: String,
    /// Median time to append 4 KiB to a file and to wait for the disk, in milliseconds: what a commit waits for.
    fdatasync_ms: f64,
    /// Processes that wanted to run over the minute before: more than a few tenths disturb the figures.
    load_before: f64,
}

impl Machine {
    pub fn read(date: Option<String>) -> Result<Self> {
        let cpu = read("/proc/cpuinfo")?;
        let memory = read("/proc/meminfo")?;
        let kib = field(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse().ok());
        let load = read("/proc/loadavg")?;
        let today = || {
            let now = OffsetDateTime::now_utc();
            now.format(format_description!("[year]-[month]-[day]"))
        };
        Ok(Self {
            cpu: field(&cpu, "model name")
                .unwrap_or("unknown CPU")
                .to_owned(),
            cores: thread::available_parallelism().map_or(1, Into::into),
            memory_gib: kib.map_or(0, |kib: u64| (kib + (1 << 19)) >> 20),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            date: date.map_or_else(today, Ok)?,
            fdatasync_ms: fdatasync()?,
            load_before: load.split(' ').next().unwrap_or_default().parse()?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores, {} GiB, Linux {}, {}. Load generator and servers share the cores. fdatasync of 4 KiB: {:.2} ms. \
             Load average before: {:.1}.",
            self.cpu,
            self.cores,
            self.memory_gib,
            self.kernel,
            self.date,
            self.fdatasync_ms,
            self.load_before
        )
    }
}

fn fdatasync() -> Result<f64> {
    let folder = paths::scratch("fdatasync")?;
    let mut file = fs::File::create(folder.join("file"))?;
    let mut samples = Samples::default();
    for _ in 0..500 {
        let began = Instant::now();
        file.write_all(&[0; 4096])?;
        file.sync_data()?;
        samples.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(samples.median())
}

fn read(file: &str) -> Result<String> {
    fs::read_to_string(file).with_context(|| format!("reading {file}: the benchmarks need Linux"))
}

fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.trim() == name)
        .map(|(_, value)| value.trim())
}
