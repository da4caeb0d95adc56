//! `berth run --watch`: what is saved is built, checked and swapped, and what is wrong leaves the old guest running.

use anyhow::{Result, ensure};
use berth_e2e::{Folder, Host, eventually, repository, timely};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

/// A guest with an engine in it is compiled without optimisation meanwhile, beside other tests.
const BUILD_BOUND: Duration = Duration::from_secs(300);

fn hello(greeting: &str) -> String {
    format!("export default {{ fetch: () => new Response({greeting:?}) }};\n")
}

fn app(paths: &str) -> String {
    format!(
        "apiVersion: berth.dev/v1alpha1\nkind: App\nmetadata:\n  name: hello\nspec:\n  guest: ./hello.wasm\n  \
         http: {{ paths: [{paths}] }}\n  instances: {{ reuse: 1000 }}\n  limits: {{ memory: 256Mi, cpuTime: 60s, timeout: 120s }}\n"
    )
}

async fn becomes(host: &Host, path: &str, text: &str) -> Result<()> {
    eventually(text, BUILD_BOUND, async || {
        let answer = host.client().get(path).await;
        let seen = answer.map_err(|error| format!("{error:#}"))?.text();
        if seen == text { Ok(()) } else { Err(seen) }
    })
    .await
}

fn said(host: &Host, text: &str) -> usize {
    let log = host.log();
    log.iter()
        .filter(|record| record.message().contains(text))
        .count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_saved_is_built_and_swapped_without_a_dropped_request() -> Result<()> {
    let project = Folder::new()?;
    project.write("package.json", r#"{"name": "hello"}"#)?;
    project.write("src/app.ts", hello("one"))?;
    project.write("app.yaml", app("/hello"))?;
    // There is no guest yet: it is built first.
    let host = Host::builder()
        .source(project.path())
        .arg("--watch")
        .arg("--tools-dir")
        .arg(repository().join("target/tools/berth"))
        .start()
        .await?;
    becomes(&host, "/hello", "one").await?;

    let (stop, asked) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let (client, stopped, counted) = (host.client().clone(), stop.clone(), asked.clone());
    let asking = tokio::spawn(async move {
        while !stopped.load(Ordering::Relaxed) {
            let answer = client.get("/hello").await?;
            ensure!(answer.status == 200, "dropped: {answer}");
            counted.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    });

    project.write("src/app.ts", "export default { fetch: () => 1 + };\n")?;
    eventually("the error", BUILD_BOUND, async || {
        match said(&host, "was not built") {
            1 => Ok(()),
            times => Err(format!("said {times} times")),
        }
    })
    .await?;
    project.write("src/app.ts", hello("two"))?;
    becomes(&host, "/hello", "two").await?;
    let apps = host.admin().get("/apps").await?;
    ensure!(
        apps.json()[0]["fromCache"] == true,
        "an engine was compiled: {apps}"
    );
    ensure!(said(&host, "was not built") == 1, "the error is said once");

    // Documents are followed as without it; a wrong one changes nothing.
    project.write("app.yaml", app("/hello, /more"))?;
    eventually("the new path", timely(), async || {
        let answer = host.client().get("/more").await;
        match answer
            .map_err(|error| format!("{error:#}"))?
            .text()
            .as_str()
        {
            "two" => Ok(()),
            seen => Err(seen.to_owned()),
        }
    })
    .await?;
    project.write(
        "app.yaml",
        "apiVersion: berth.dev/v1alpha1\nkind: App\nspec: {}\n",
    )?;
    eventually("the refusal", timely(), async || {
        match said(&host, "change refused") {
            0 => Err("nothing is refused".to_owned()),
            _ => Ok(()),
        }
    })
    .await?;
    becomes(&host, "/more", "two").await?;

    stop.store(true, Ordering::Relaxed);
    asking.await??;
    ensure!(asked.load(Ordering::Relaxed) > 0, "nobody asked meanwhile");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_build_at_the_start_is_the_end() -> Result<()> {
    let project = Folder::new()?;
    project.write("package.json", r#"{"name": "hello"}"#)?;
    project.write("src/app.ts", "export default { fetch: () => 1 + };\n")?;
    let refused = Host::builder()
        .source(project.path())
        .arg("--watch")
        .arg("--tools-dir")
        .arg(repository().join("target/tools/berth"))
        .refused()
        .await?;
    ensure!(refused.code == Some(2), "{refused}");
    ensure!(refused.stderr.contains("app.ts(1,"), "{refused}");
    Ok(())
}
