//! A disk that is full: a clear error, no panic, nothing lost.
//!
//! The tests mount a small tmpfs, which takes root. Elsewhere they are listed as ignored, with the reason on stderr, so
//! that nobody takes them for passed. That is why this file is its own, small test harness.
#![expect(clippy::print_stdout, reason = "a test harness answers on stdout")]

use anyhow::{Context, Result, ensure};
use berth_e2e::{Answer, Folder, Host, eventually, guest, shop, timely};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    env, fs,
    io::{ErrorKind, Write as _},
    path::Path,
    process::{Command, ExitCode},
};
use tempfile::TempDir;

const DISK_BYTES: usize = 64 << 20;
/// Freed when the disk is full: the log and the database that it is merged into take room each.
const BALLAST: usize = 40 << 20;
const CART_BYTES: usize = 512 << 10;
/// More than fit.
const CARTS_MAX: usize = 200;

type Test = fn() -> Result<()>;
const TESTS: [(&str, Test); 3] = [
    (
        "what_was_acknowledged_before_the_disk_was_full_stays",
        || run(disk_fills_up()),
    ),
    ("workflows_wait_for_room_and_lose_nothing", || {
        run(workflows_wait())
    }),
    ("a_host_without_room_for_its_data_says_so", || {
        run(no_room_at_all())
    }),
];

fn run(test: impl Future<Output = Result<()>>) -> Result<()> {
    tokio::runtime::Runtime::new()?.block_on(test)
}

/// The part of libtest's command line that test runners use.
fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let possible = Disk::mount();
    if has("--list") {
        let ignored = possible.is_err();
        let listed = TESTS.iter().filter(|_| ignored || !has("--ignored"));
        listed.for_each(|(name, _)| println!("{name}: test"));
        return ExitCode::SUCCESS;
    }
    if let Err(error) = possible {
        eprintln!("ignored: no small file system can be mounted here: {error:#}");
        return ExitCode::SUCCESS;
    }
    let names: Vec<_> = arguments
        .iter()
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let wanted =
        |name: &str| names.is_empty() || names.iter().any(|wanted| name.contains(wanted.as_str()));
    let mut failed = false;
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted(name)) {
        let outcome = test();
        println!(
            "test {name} ... {}",
            if outcome.is_ok() { "ok" } else { "FAILED" }
        );
        if let Err(error) = outcome {
            eprintln!("{name}: {error:?}");
            failed = true;
        }
    }
    if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A small file system of its own, unmounted when dropped.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("berth-e2e-disk-")
            .tempdir()?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", &format!("size={DISK_BYTES}"), "tmpfs"])
            .arg(folder.path());
        let output = mount.output().context("running `mount`")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
        Ok(Self(folder))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Takes what is left, whatever a host that runs on it writes meanwhile.
    fn fill(&self) -> Result<()> {
        let mut file = fs::File::create(self.path().join("filler"))?;
        let full = file.write_all(&vec![0; 2 * DISK_BYTES]);
        let kind = full.map_err(|error| error.kind());
        ensure!(
            kind == Err(ErrorKind::StorageFull),
            "filling the disk: {kind:?}"
        );
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a host that was killed may not be gone yet.
        let _ = Command::new("umount")
            .arg("--lazy")
            .arg(self.path())
            .status();
    }
}

fn cart(number: usize) -> Value {
    json!({ "number": number, "note": "x".repeat(CART_BYTES) })
}

async fn put(host: &Host, number: usize) -> Result<Answer> {
    host.client()
        .put(&format!("/carts/user-{number}"), &cart(number))
        .await
}

async fn disk_fills_up() -> Result<()> {
    let disk = Disk::mount()?;
    let ballast = disk.path().join("ballast");
    fs::write(&ballast, vec![0; BALLAST])?;
    let mut host = Host::builder()
        .source(shop()?)
        .data_dir(disk.path().join("data"))
        .start()
        .await?;
    host.client()
        .put("/inventory/tea", &json!({ "qty": 10 }))
        .await?;

    let mut acknowledged = 0;
    let refused = loop {
        let answer = put(&host, acknowledged).await?;
        if answer.status != 200 {
            break answer;
        }
        acknowledged += 1;
        ensure!(acknowledged < CARTS_MAX, "the disk never fills up");
    };
    eprintln!("{acknowledged} carts fit, then: {refused}");
    ensure!([500, 503].contains(&refused.status), "{refused}");
    ensure!(
        refused.text().contains("free space"),
        "the error does not say what to do: {refused}"
    );
    let order = berth_e2e::order("full", "ada", "tea", 1);
    let order = host.client().post("/orders", &order).await?;
    ensure!(order.status >= 500 || order.status == 201, "{order}");
    everything_is_there(&host, acknowledged).await?;

    fs::remove_file(&ballast)?;
    host.client()
        .get_until("/inventory/tea", |answer| answer.status == 200)
        .await?;
    let again = put(&host, acknowledged).await?;
    ensure!(again.status == 200, "with space again: {again}");
    everything_is_there(&host, acknowledged + 1).await?;
    ensure!(!host.said().contains("panicked"), "{}", host.said());

    host.restart().await?;
    everything_is_there(&host, acknowledged + 1).await
}

async fn everything_is_there(host: &Host, carts: usize) -> Result<()> {
    for number in 0..carts {
        let request = host
            .client()
            .request(Method::GET, &format!("/carts/user-{number}"));
        let answer = Answer::to(request).await?;
        ensure!(
            answer.status == 200 && answer.json() == cart(number),
            "cart {number}: {}",
            answer.status
        );
    }
    Ok(())
}

/// A call of the guest `worker`, which runs workflows.
async fn worker(host: &Host, call: &str, body: &Value) -> Result<Answer> {
    let request = host.client().request(Method::POST, &format!("/{call}"));
    Answer::to(request.body(body.to_string())).await
}

/// Instances that were waiting when the disk got full take up their events when there is room again.
async fn workflows_wait() -> Result<()> {
    const INSTANCES: usize = 8;
    let disk = Disk::mount()?;
    let folder = Folder::new()?;
    folder.app("worker", &guest("worker")?, "")?;
    let host = Host::builder()
        .source(folder.path())
        .data_dir(disk.path().join("data"))
        .start()
        .await?;
    let steps = json!([
        {"activity": "echo", "input": "x".repeat(100_000)},
        {"event": "go"},
        {"activity": "effect", "input": "went on", "attempts": 100},
    ]);
    for instance in 0..INSTANCES {
        let started = worker(&host, &format!("start/w{instance}"), &steps).await?;
        ensure!(started.status == 200, "{started}");
    }
    for instance in 0..INSTANCES {
        eventually("it waits", timely(), async || {
            let seen = worker(&host, &format!("get/w{instance}"), &Value::Null).await;
            let seen = seen.map_err(|error| format!("{error:#}"))?;
            let waits = seen.json()["waitingOn"].to_string().contains("go");
            waits.then_some(()).ok_or(seen.to_string())
        })
        .await?;
    }
    disk.fill()?;
    let large = json!("y".repeat(1 << 20));
    let mut refused = None;
    for number in 0..INSTANCES * 4 {
        let call = format!("raise/w{}?event=go&id=first", number % INSTANCES);
        let raised = worker(&host, &call, &large).await?;
        if raised.status != 200 {
            refused = Some(raised);
        }
    }
    let refused = refused.context("a full disk takes everything")?;
    ensure!(refused.text().contains("free space"), "{refused}");
    fs::remove_file(disk.path().join("filler"))?;
    for instance in 0..INSTANCES {
        eventually("it takes the event", timely(), async || {
            let call = format!("raise/w{instance}?event=go&id=first");
            let raised = worker(&host, &call, &json!(1)).await;
            let raised = raised.map_err(|error| format!("{error:#}"))?;
            (raised.status == 200)
                .then_some(())
                .ok_or(raised.to_string())
        })
        .await?;
        let done = worker(&host, &format!("wait/w{instance}"), &Value::Null).await?;
        ensure!(done.json()["status"] == "Status::Completed", "{done}");
    }
    ensure!(!host.said().contains("panicked"), "{}", host.said());
    Ok(())
}

async fn no_room_at_all() -> Result<()> {
    let disk = Disk::mount()?;
    fs::create_dir(disk.path().join("data"))?;
    disk.fill()?;
    let refused = Host::builder()
        .source(shop()?)
        .data_dir(disk.path().join("data"))
        .refused()
        .await?;
    let said = refused.text();
    ensure!(
        refused.code == Some(1) && !said.contains("panicked"),
        "{refused}"
    );
    let names_the_disk = said.contains("No space left") || said.contains("disk is full");
    ensure!(
        names_the_disk && said.contains(&disk.path().display().to_string()),
        "{refused}"
    );
    Ok(())
}
