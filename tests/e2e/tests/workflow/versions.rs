//! Guests that are changed while their workflows run.

use super::{Workshop, output};
use anyhow::{Context, Result, ensure};
use berth_e2e::{Folder, Host, guest};
use serde_json::json;
use std::fs;

const VERSION: &[u8] = b"worker guest, version: 1";

/// A workshop whose guest can be replaced.
async fn open() -> Result<(Workshop, Vec<u8>, Vec<u8>)> {
    let first = fs::read(guest("worker")?).context("reading the guest")?;
    let mut second = first.clone();
    let mut places = first.windows(VERSION.len()).enumerate();
    let (at, _) = places
        .find(|(_, bytes)| *bytes == VERSION)
        .context("the guest has no version")?;
    second[at + VERSION.len() - 1] = b'2';
    let folder = Folder::new()?;
    let path = folder.write("worker.wasm", &first)?;
    folder.app("worker", &path, "")?;
    let host = Host::run(folder.path()).await?;
    let shop = Workshop {
        _folder: folder,
        host,
    };
    Ok((shop, first, second))
}

async fn replace(shop: &Workshop, bytes: &[u8], times: usize) -> Result<()> {
    shop._folder.write("worker.wasm", bytes)?;
    let applied = |shop: &Workshop| shop.host.said().matches("change applied").count();
    berth_e2e::eventually("the change is applied", berth_e2e::timely(), async || {
        let count = applied(shop);
        (count >= times).then_some(()).ok_or(count.to_string())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_that_fit_a_new_guest_move_and_others_stay_on_theirs() -> Result<()> {
    let (mut shop, _, second) = open().await?;
    let steps = json!([{"activity": "echo", "input": 1}, {"event": "go"}, {"activity": "echo", "input": 2}]);
    shop.start("stays", steps.clone()).await?;
    shop.start(
        "moves",
        json!([{"event": "go"}, {"activity": "echo", "input": 3}]),
    )
    .await?;
    for id in ["stays", "moves"] {
        shop.becomes(id, |seen| seen["waitingOn"].to_string().contains("go"))
            .await?;
    }
    replace(&shop, &second, 1).await?;
    let told = shop
        .host
        .logged("what fits", |record| {
            record.message().contains("do not fit the new guest")
        })
        .await?;
    ensure!(
        told.get("example") == "stays" && told.get("why").contains("event 1"),
        "{told:?}"
    );
    // After a start nothing is alive any more: each is replayed on its own guest.
    shop.host.restart().await?;
    for (id, expected) in [("stays", json!([1, true, 2])), ("moves", json!([true, 3]))] {
        shop.asks(&format!("raise/{id}?event=go"), &json!(true))
            .await?;
        let done = shop.asks(&format!("wait/{id}"), &json!(null)).await?;
        ensure!(output(&done)? == &expected, "{id}: {done}");
    }
    // What starts now is of the second version, whose activities begin with a timer.
    shop.runs("new", json!([{"activity": "echo", "input": 1}]))
        .await?;
    let history = shop
        .host
        .berth(["workflow", "history", "worker", "new"])?
        .run()
        .await?;
    ensure!(history.text().contains("timer-created"), "{history}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_without_its_guest_stalls_and_goes_on_when_the_guest_is_back() -> Result<()> {
    let (mut shop, first, second) = open().await?;
    let steps = json!([{"activity": "echo", "input": 1}, {"event": "go"}]);
    shop.start("lost", steps).await?;
    shop.becomes("lost", |seen| seen["waitingOn"].to_string().contains("go"))
        .await?;
    shop.host.terminate().await?;
    fs::remove_dir_all(shop.host.data_dir().join("default/guests"))?;
    shop._folder.write("worker.wasm", &second)?;
    shop.host.restart().await?;
    shop.asks("raise/lost?event=go", &json!(true)).await?;
    let problem = shop.stalls("lost").await?;
    // Both sides, where they part, and where the guest stood.
    for text in [
        "event 1",
        "timer",
        "activity \"echo\"",
        "\n  at worker::program::take",
    ] {
        ensure!(problem.contains(text), "no {text} in {problem}");
    }
    replace(&shop, &first, 1).await?;
    let done = shop.asks("wait/lost", &json!(null)).await?;
    ensure!(output(&done)? == &json!([1, true]), "{done}");
    Ok(())
}
