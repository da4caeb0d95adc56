//! `berth test`: the command around the test kit.

use anyhow::{Context, Result};
use berth_e2e::{Folder, Host, berth, guest, timely};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    time::timeout,
};

/// A folder with the smallest guest, and scenarios about it.
fn folder(scenarios: &str) -> Result<Folder> {
    let folder = Folder::new()?;
    folder.copy(&guest("hello")?, "hello.wasm")?;
    let text = format!("given: {{ guest: hello.wasm }}\nscenarios:\n{scenarios}");
    folder.write("hello.test.yaml", text)?;
    Ok(folder)
}

const RIGHT: &str = "  - { name: it greets, when: [{ request: GET /, then: { status: 200 } }] }\n";
const WRONG: &str = "  - { name: it is gone, when: [{ request: GET /, then: { status: 404 } }] }\n";

#[tokio::test]
async fn scenarios_pass_or_fail_and_the_exit_code_says_so() -> Result<()> {
    let folder = folder(&format!("{RIGHT}{WRONG}"))?;
    let report = folder.path().join("results.xml");
    let ran = berth(["test"])?
        .arg(folder.path())
        .arg("--junit")
        .arg(&report)
        .run()
        .await?;
    assert_eq!(ran.code, Some(2), "{ran}");
    let text = ran.text();
    assert!(text.contains("hello.test.yaml: it greets"), "{ran}");
    assert!(text.contains("status is 200, expected 404"), "{ran}");
    let xml = fs::read_to_string(report)?;
    assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");

    let filtered = berth(["test", "--filter", "greets", "--output", "json"])?
        .arg(folder.path())
        .run()
        .await?;
    assert_eq!(filtered.code, Some(0), "{filtered}");
    assert_eq!(filtered.json()["passed"], 1, "{filtered}");
    Ok(())
}

#[tokio::test]
async fn without_a_path_the_scenarios_and_documents_of_the_working_folder_count() -> Result<()> {
    let folder = Folder::new()?;
    folder.copy(&guest("hello")?, "hello.wasm")?;
    folder.app("hello", "./hello.wasm".as_ref(), "")?;
    folder.write("hello.test.yaml", format!("scenarios:\n{RIGHT}"))?;
    let ran = berth(["test"])?.current_dir(folder.path()).run().await?;
    assert_eq!(ran.code, Some(0), "{ran}");
    Ok(())
}

#[tokio::test]
async fn a_wrong_scenario_is_told_with_its_place() -> Result<()> {
    let folder = folder("  - { name: nothing, whne: [] }\n")?;
    let ran = berth(["test"])?.arg(folder.path()).run().await?;
    assert_eq!(ran.code, Some(2), "{ran}");
    let said = ran.to_string();
    assert!(said.contains("hello.test.yaml:3:22"), "{said}");
    assert!(said.contains("did you mean `when`?"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_snapshot_is_accepted_and_then_holds() -> Result<()> {
    let snapshot =
        "  - { name: all of it, when: [{ request: GET / }], then: { snapshot: true } }\n";
    let folder = folder(snapshot)?;
    let test = |more: &'static [&'static str]| {
        let path = folder.path().to_owned();
        async move {
            let command = berth(["test"])?.arg(path);
            let command = more.iter().fold(command, |command, own| command.arg(own));
            command.run().await
        }
    };
    assert_eq!(test(&[]).await?.code, Some(2));
    assert_eq!(test(&["--update"]).await?.code, Some(0));
    assert_eq!(test(&[]).await?.code, Some(0));
    let kept = folder.path().join("hello.snapshots/all-of-it.json");
    let text = fs::read_to_string(&kept)?;
    fs::write(&kept, text.replace("Hello", "Goodbye"))?;
    let differs = test(&[]).await?;
    assert_eq!(differs.code, Some(2));
    assert!(differs.text().contains("\"body\": \"Hello"), "{differs}");
    Ok(())
}

#[tokio::test]
async fn changed_scenarios_are_run_again() -> Result<()> {
    let folder = folder(WRONG)?;
    let mut watching = berth(["test", "--watch"])?.arg(folder.path()).start()?;
    let said = watching.stdout.take().context("no stdout")?;
    let mut said = BufReader::new(said).lines();
    let mut until = async |wanted: &str| {
        let read = async {
            while let Some(line) = said.next_line().await? {
                if line.contains(wanted) {
                    return Ok(());
                }
            }
            anyhow::bail!("it ended without `{wanted}`")
        };
        timeout(timely(), read).await.context(wanted.to_owned())?
    };
    until("it is gone").await?;
    let right = format!("given: {{ guest: hello.wasm }}\nscenarios:\n{RIGHT}");
    folder.write("hello.test.yaml", right)?;
    until("it greets").await
}

#[tokio::test]
async fn a_live_exchange_becomes_a_scenario_that_passes() -> Result<()> {
    let host = Host::builder().source(guest("hello")?).start().await?;
    let folder = Folder::new()?;
    let file = folder.path().join("recorded.test.yaml");
    let mut recording = berth(["test", "--record"])?
        .arg(&file)
        .arg("--data-dir")
        .arg(host.data_dir())
        .start()?;
    let stdout = recording.stdout.take().context("no stdout")?;
    let address = BufReader::new(stdout).lines().next_line().await?;
    let address = address.context("it says no address")?;
    let answer = reqwest::get(format!("{address}/greeting?of=Ada")).await?;
    assert_eq!(answer.text().await?, "Hello, world!\n");
    let id = recording
        .id()
        .and_then(|id| Pid::from_raw(id.cast_signed()));
    kill_process(id.context("it has ended")?, Signal::INT)?;
    assert!(recording.wait().await?.success());

    let text = fs::read_to_string(&file)?;
    assert!(text.contains("/greeting?of=Ada"), "{text}");
    folder.copy(&guest("hello")?, "hello.wasm")?;
    fs::write(&file, format!("given: {{ guest: hello.wasm }}\n{text}"))?;
    let ran = berth(["test"])?.arg(&file).run().await?;
    assert_eq!(ran.code, Some(0), "{ran}");
    Ok(())
}
