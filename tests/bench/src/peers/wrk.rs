//! `wrk`, the load generator.

use anyhow::{Context, Result, bail};
use std::{process::Command, time::Duration};

const LINE: &str = "apt-get install --yes --no-install-recommends wrk";

/// Installs it when that needs no password, else says how to.
pub fn ensure() -> Result<()> {
    if Command::new("wrk").arg("-v").output().is_ok() {
        return Ok(());
    }
    let mut words = LINE.split(' ');
    let installed = words.next().is_some_and(|program| {
        let output = Command::new(program).args(words).output();
        output.is_ok_and(|output| output.status.success())
    });
    if !installed {
        bail!("wrk is missing; this line installs it on Debian:\n  sudo {LINE}");
    }
    Ok(())
}

/// Loads a server with 16 connections from one thread and returns the answered requests per second.
pub fn load(url: &str, round: Duration) -> Result<f64> {
    load_from(url, round, 16, None)
}

/// The same with so many connections; with a body, JSON that is POSTed.
pub fn load_from(url: &str, round: Duration, connections: u32, body: Option<&str>) -> Result<f64> {
    let text = run(url, round, connections, body)?;
    parse(&text).with_context(|| format!("wrk {url} printed:\n{text}"))
}

/// The time in milliseconds within which 99 of 100 requests are answered. Requests may fail.
pub fn p99_from(url: &str, round: Duration, connections: u32) -> Result<f64> {
    let text = run(url, round, connections, None)?;
    let line = text
        .lines()
        .find_map(|line| line.trim().strip_prefix("99%"));
    line.and_then(|time| milliseconds(time.trim()))
        .with_context(|| format!("wrk {url} printed:\n{text}"))
}

/// A time as wrk prints it.
fn milliseconds(text: &str) -> Option<f64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let figure: f64 = digits.parse().ok()?;
    Some(match &text[digits.len()..] {
        "us" => figure / 1e3,
        "ms" => figure,
        "s" => figure * 1e3,
        "m" => figure * 6e4,
        _ => return None,
    })
}

/// What wrk prints.
fn run(url: &str, round: Duration, connections: u32, body: Option<&str>) -> Result<String> {
    let duration = format!("-d{}s", round.as_secs());
    let connections = format!("-c{connections}");
    let mut command = Command::new("wrk");
    // What waits for a disk may take longer than wrk's usual two seconds.
    command.args([
        "-t1",
        &connections,
        &duration,
        "--timeout",
        "30s",
        "--latency",
    ]);
    let script = tempfile::NamedTempFile::new().context("making a script for wrk")?;
    if let Some(body) = body {
        let lines = format!(
            "wrk.method = 'POST'\nwrk.body = '{body}'\nwrk.headers['content-type'] = 'application/json'\n"
        );
        std::fs::write(script.path(), lines).context("writing a script for wrk")?;
        command.arg("-s").arg(script.path());
    }
    let output = command.arg(url).output().context("starting wrk")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !output.status.success() {
        bail!(
            "wrk {url} failed: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(text)
}

fn parse(text: &str) -> Result<f64> {
    if text.contains("Non-2xx") || text.contains("Socket errors") {
        bail!("not every request was answered with success");
    }
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    let figure = line.context("no line of requests per second")?;
    Ok(figure.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_read_from_the_output() {
        let text = "  12 requests in 3.00s, 1.00MB read\nRequests/sec:  58500.17\nTransfer/sec:      8.1MB\n";
        assert_eq!(parse(text).unwrap(), 58_500.17);
    }

    #[test]
    fn times_are_read_in_every_unit() {
        let times = ["830.00us", "12.50ms", "1.20s", "no"].map(milliseconds);
        assert_eq!(times, [Some(0.83), Some(12.5), Some(1_200.0), None]);
    }

    #[test]
    fn a_run_with_failed_requests_is_no_measurement() {
        let text = "  Non-2xx or 3xx responses: 7\nRequests/sec:  58500.17\n";
        assert_eq!(
            parse(text).unwrap_err().to_string(),
            "not every request was answered with success"
        );
    }
}
