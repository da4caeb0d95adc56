//! Wrong documents, wrong guests, wrong surroundings: a clear error, no panic, nothing lost.

mod common;

use anyhow::{Context, Result, ensure};
use berth_e2e::{Answer, Finished, Host, berth, guest, shop, start_shop};
use common::Village;
use reqwest::Method;
use serde_json::json;
use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
};

/// Exit code of wrong input: documents, guests, arguments.
const WRONG_INPUT: i32 = 2;

/// Refused with a code other than 0, without a panic, and with every one of these texts.
fn assert_refused(finished: &Finished, texts: &[&str]) {
    let said = finished.text();
    assert!(finished.code.is_some_and(|code| code != 0), "{finished}");
    assert!(
        !said.contains("panicked") && !said.contains("RUST_BACKTRACE"),
        "{finished}"
    );
    for text in texts {
        assert!(said.contains(text), "no `{text}` in {finished}");
    }
}

// Guests

/// Checks and runs one app of this guest: both must refuse it with these texts.
async fn refused_guest(content: &[u8], texts: &[&str]) -> Result<()> {
    let village = Village::new()?;
    village.folder.write("guest.wasm", content)?;
    village
        .folder
        .app("wrong", "./guest.wasm".as_ref(), "  http: { paths: [/] }")?;
    let checked = berth(["check"])?.arg(village.folder.path()).run().await?;
    assert_refused(&checked, texts);
    assert_eq!(checked.code, Some(WRONG_INPUT), "{checked}");
    let run = village.host().refused().await?;
    assert_refused(&run, texts);
    assert_eq!(run.code, Some(WRONG_INPUT), "{run}");
    Ok(())
}

#[tokio::test]
async fn a_file_that_is_not_wasm_is_refused() -> Result<()> {
    let texts = [
        "wrong.yaml:6:10: error:",
        "guest.wasm` is not WebAssembly",
        "hint:",
    ];
    refused_guest(b"#!/bin/sh\necho hello\n", &texts).await?;
    refused_guest(b"", &texts).await
}

#[tokio::test]
async fn a_core_module_is_refused_with_the_way_to_a_component() -> Result<()> {
    let texts = [
        "wrong.yaml:6:10: error:",
        "is a core Wasm module, not a component",
        "wasm32-wasip2",
    ];
    refused_guest(&wat::parse_str("(module)")?, &texts).await
}

#[tokio::test]
async fn an_engine_that_has_lost_its_program_is_refused() -> Result<()> {
    let engine = wat::parse_str(
        r#"(component (import "berth:script/program@0.1.0" (instance (export "source" (func (result string))))))"#,
    )?;
    let texts = [
        "wrong.yaml:6:10: error:",
        "an engine without a program",
        "berth build",
    ];
    refused_guest(&engine, &texts).await
}

#[tokio::test]
async fn a_damaged_component_is_refused() -> Result<()> {
    let mut bytes = fs::read(guest("hello")?)?;
    bytes.truncate(bytes.len() / 2);
    refused_guest(&bytes, &["wrong.yaml:6:10: error:", "does not compile"]).await
}

#[tokio::test]
async fn a_component_of_no_known_world_is_refused() -> Result<()> {
    let empty = wat::parse_str("(component)")?;
    refused_guest(
        &empty,
        &[
            "wrong.yaml:6:10: error:",
            "wasi:http/incoming-handler",
            "berth:pubsub/subscriber",
        ],
    )
    .await
}

#[tokio::test]
async fn every_unknown_import_is_listed_at_once() -> Result<()> {
    let component = wat::parse_str(
        r#"(component
            (import "acme:database/sql@1.0.0" (instance))
            (import "acme:mail/send" (instance))
            (import "wasi:keyvalue/store@0.9.0" (instance))
            (import "wasi:cli/environment@0.2.0" (instance)))"#,
    )?;
    refused_guest(
        &component,
        &[
            "imports `acme:database/sql@1.0.0`, which berth does not know",
            "imports `acme:mail/send`, which berth does not know",
            "imports `wasi:keyvalue/store@0.9.0`: version `0.9.0` is not served",
            "build the guest against one of the served versions: 0.2.0-draft, 0.2.0-draft2",
        ],
    )
    .await
}

#[tokio::test]
async fn an_import_without_a_backend_is_refused_with_the_yaml_that_would_serve_it() -> Result<()> {
    let village = Village::new()?;
    village
        .folder
        .copy(&shop()?.join("apps/order-service.wasm"), "guest.wasm")?;
    village
        .folder
        .app("lonely", "./guest.wasm".as_ref(), "  http: { paths: [/] }")?;
    // Backends that are there, but not for this app: the embedded ones do not take their place.
    for (name, kind) in [
        ("statestore", "state.in-memory"),
        ("pubsub", "pubsub.in-memory"),
        ("secretstore", "secretstores.local.env"),
    ] {
        let document = format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\n\
             spec: {{ type: {kind}, version: v1 }}\nscopes: [somebody-else]\n"
        );
        village.folder.write(&format!("{name}.yaml"), document)?;
    }
    let refused = village.host().refused().await?;
    assert_refused(
        &refused,
        &[
            "lonely.yaml:6:10: error:",
            "imports `berth:state/store@0.1.0`, but no",
            "imports `berth:pubsub/publisher@0.1.0`, but no",
            "imports `berth:secrets/store@0.1.0`, but no",
            "kind: Component",
            "type: state.sqlite",
            "type: pubsub.sqlite",
            "type: secretstores.local.env",
        ],
    );
    assert_eq!(refused.code, Some(WRONG_INPUT), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_guest_that_needs_more_memory_than_its_limit_is_refused_at_once() -> Result<()> {
    let village = Village::new()?;
    village.app("hello", "hello", "[/]", "memory: 64Ki")?;
    assert_refused(
        &village.host().refused().await?,
        &[
            "hello.yaml:6:10: error:",
            "limits.memory",
            "raise `spec.limits.memory`",
        ],
    );
    Ok(())
}

// Documents

#[tokio::test]
async fn everything_that_is_wrong_is_reported_at_once() -> Result<()> {
    let village = Village::new()?;
    village.folder.write(
        "all.yaml",
        "apiVersion: berth.dev/v1alpha1\n\
         kind: App\n\
         metadata: { name: one }\n\
         spec:\n  \
           guest: ./missing.wasm\n  \
           limits: { memori: 64Mi, timeout: 5 parsecs }\n\
         ---\n\
         apiVersion: dapr.io/v1alpha1\n\
         kind: Component\n\
         metadata: { name: statestore }\n\
         spec: { type: state.sqlit, version: v1 }\n\
         ---\n\
         apiVersion: dapr.io/v1alpha1\n\
         kind: Component\n\
         metadata: { name: pubsub }\n\
         spec:\n  \
           type: pubsub.sqlite\n  \
           version: v1\n  \
           metadata:\n    \
             - { name: leaseDuratoin, value: 1s }\n",
    )?;
    village
        .folder
        .write("broken.yaml", "apiVersion: dapr.io/v1alpha1\nkind: [\n")?;
    village.folder.write(
        "not-ours.yaml",
        "kind: Deployment\napiVersion: apps/v1\nspec: {}\n",
    )?;
    let checked = berth(["check"])?.arg(village.folder.path()).run().await?;
    assert_refused(
        &checked,
        &[
            "all.yaml:5:10: error: ",
            "missing.wasm",
            "all.yaml:6:13: error: ",
            "memori",
            "did you mean `memory`?",
            "all.yaml:6:36: error: ",
            "parsecs",
            "state.sqlite",
            "leaseDuration",
            "broken.yaml:",
        ],
    );
    assert_eq!(checked.code, Some(WRONG_INPUT), "{checked}");
    assert!(!checked.text().contains("not-ours.yaml"), "{checked}");
    let run = village.host().refused().await?;
    assert_refused(&run, &["all.yaml:5:10: error: ", "broken.yaml:"]);
    assert_eq!(run.code, Some(WRONG_INPUT), "{run}");
    Ok(())
}

#[tokio::test]
async fn findings_for_programs_are_json() -> Result<()> {
    let village = Village::new()?;
    village.app("hello", "hello", "[/]", "memori: 64Mi")?;
    let checked = berth(["check", "--output", "json"])?
        .arg(village.folder.path())
        .run()
        .await?;
    let findings = checked.json()["findings"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    assert_eq!(
        (checked.code, findings.len()),
        (Some(WRONG_INPUT), 1),
        "{checked}"
    );
    assert!(
        findings[0]["message"]
            .as_str()
            .is_some_and(|text| text.contains("memori")),
        "{checked}"
    );
    Ok(())
}

#[tokio::test]
async fn a_folder_that_is_not_there_and_one_without_apps_are_refused() -> Result<()> {
    let nowhere = Host::builder().source("/no/such/folder").refused().await?;
    assert_refused(&nowhere, &["/no/such/folder"]);
    assert_eq!(nowhere.code, Some(WRONG_INPUT), "{nowhere}");
    let empty = Village::new()?;
    let refused = empty.host().refused().await?;
    assert_refused(&refused, &["no app to run", "hint:"]);
    assert_eq!(refused.code, Some(WRONG_INPUT), "{refused}");
    Ok(())
}

#[tokio::test]
async fn two_apps_of_one_path_are_refused() -> Result<()> {
    let village = Village::new()?;
    village.app("one", "hello", "[/same]", "")?;
    village.app("other", "hello", "[/same]", "")?;
    let refused = village.host().refused().await?;
    assert_refused(&refused, &["/same", "one", "other"]);
    assert_eq!(refused.code, Some(WRONG_INPUT), "{refused}");
    Ok(())
}

#[tokio::test]
async fn a_missing_secret_is_named() -> Result<()> {
    let village = Village::new()?;
    village.app("hello", "hello", "[/]", "")?;
    village.folder.write(
        "statestore.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: statestore }\nspec:\n  type: state.sqlite\n  \
         version: v1\n  metadata:\n    - name: connectionString\n      secretKeyRef: { name: no-such-secret, key: dsn }\n",
    )?;
    assert_refused(
        &village.host().refused().await?,
        &["statestore.yaml", "no-such-secret"],
    );
    Ok(())
}

// Surroundings

#[tokio::test]
async fn a_port_that_is_taken_is_named_with_its_flag() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let address = taken.local_addr()?;
    for flag in ["--listen", "--admin"] {
        let host = Host::builder()
            .source(guest("hello")?)
            .arg(flag)
            .arg(address.to_string());
        let refused = host.refused().await?;
        assert_refused(
            &refused,
            &[
                &format!("port {} of 127.0.0.1 is taken", address.port()),
                flag,
                "hint:",
            ],
        );
        assert_eq!(refused.code, Some(1), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_second_host_is_told_what_it_needs() -> Result<()> {
    let first = Host::run(guest("hello")?).await?;
    let second = Host::builder().source(guest("hello")?);
    let same_data = second.clone().data_dir(first.data_dir()).refused().await?;
    let directory = first.data_dir().display().to_string();
    let process = format!("process {}", first.pid()?);
    assert_refused(
        &same_data,
        &[
            "another host runs on the data directory",
            &directory,
            &process,
            "--data-dir",
            "--listen",
        ],
    );
    assert_eq!(same_data.code, Some(1), "{same_data}");

    let address = first.client().address().to_string();
    let same_port = second.arg("--listen").arg(&address).refused().await?;
    assert_refused(&same_port, &["is taken", "another berth", "--listen"]);

    assert_eq!(first.client().get("/").await?.status, 200);
    let apps = first.berth(["apps"])?.run().await?;
    assert_eq!(
        apps.code,
        Some(0),
        "the first host lost its host.json: {apps}"
    );
    Ok(())
}

#[tokio::test]
async fn a_data_directory_that_cannot_be_written_is_refused() -> Result<()> {
    let village = Village::new()?;
    // Neither of them lets anybody make a folder, root included.
    let file = village.folder.write("a-file", "")?;
    for data in [
        file.clone(),
        file.join("below"),
        PathBuf::from("/proc/berth/data"),
    ] {
        let refused = Host::builder()
            .source(guest("hello")?)
            .data_dir(&data)
            .refused()
            .await?;
        assert_refused(
            &refused,
            &[
                "the data directory",
                &data.display().to_string(),
                "--data-dir",
            ],
        );
        assert_eq!(refused.code, Some(1), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_damaged_database_is_refused_and_left_as_it_is() -> Result<()> {
    let mut host = start_shop().await?;
    host.client()
        .put("/inventory/tea", &json!({ "qty": 7 }))
        .await?;
    let status = host.terminate().await?;
    assert!(status.success(), "{status}");
    let database = database(host.data_dir())?;
    let intact = fs::read(&database)?;
    let mut damaged = intact.clone();
    damaged[..64].fill(b'x');
    fs::write(&database, &damaged)?;

    let builder = Host::builder().source(shop()?).data_dir(host.data_dir());
    let refused = builder.refused().await?;
    assert_refused(
        &refused,
        &[
            &database.display().to_string(),
            "not a database",
            "move the file away",
        ],
    );
    assert_eq!(refused.code, Some(1), "{refused}");
    ensure!(
        fs::read(&database)? == damaged,
        "the damaged file was changed"
    );

    fs::write(&database, &intact)?;
    host.restart().await?;
    assert_eq!(host.client().get("/inventory/tea").await?.json()["qty"], 7);
    Ok(())
}

/// The one database of the embedded backends.
fn database(data_dir: &Path) -> Result<PathBuf> {
    let folder = data_dir.join("default");
    let entries = fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))?;
    let mut databases = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"SQLite format 3")));
    let first = databases.next().context("no database")?;
    ensure!(
        databases.next().is_none(),
        "more than one database in {}",
        folder.display()
    );
    Ok(first)
}

#[tokio::test]
async fn a_backend_that_fails_is_fatal_unless_the_document_says_otherwise() -> Result<()> {
    let village = Village::new()?;
    village.app("hello", "hello", "[/]", "")?;
    let document = |ignore: bool| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: extra }}\nspec:\n  type: state.sqlite\n  \
             version: v1\n  ignoreErrors: {ignore}\n  metadata:\n    - {{ name: connectionString, value: /no/such/folder/state.db }}\n"
        )
    };
    village.folder.write("extra.yaml", document(false))?;
    let refused = village.host().refused().await?;
    assert_refused(&refused, &["extra.yaml", "extra", "/no/such/folder"]);

    village.folder.write("extra.yaml", document(true))?;
    let host = village.start().await?;
    assert_eq!(host.client().get("/").await?.status, 200);
    let listed = host
        .berth(["components", "--output", "json"])?
        .run()
        .await?;
    let listed = listed.json().as_array().cloned().unwrap_or_default();
    let extra = listed.iter().find(|component| component["name"] == "extra");
    assert_eq!(
        extra.map(|extra| &extra["status"]),
        Some(&json!("failed")),
        "{listed:?}"
    );
    Ok(())
}

#[tokio::test]
async fn requests_that_are_no_http_harm_nobody() -> Result<()> {
    let host = Host::run(guest("hello")?).await?;
    let address = host.client().address();
    for bytes in [
        &b"\x00\x01\x02\xff\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\r\n",
    ] {
        let mut wire = berth_e2e::Wire::connect(address).await?;
        wire.send(bytes).await?;
        drop(wire);
    }
    let long = "x".repeat(128 << 10);
    let request = host
        .client()
        .request(Method::GET, "/")
        .header("x-long", long);
    assert_eq!(Answer::to(request).await?.status, 431);
    assert_eq!(host.client().get("/").await?.status, 200);
    assert!(!host.said().contains("panicked"));
    Ok(())
}
