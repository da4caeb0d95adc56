//! Backends in documents: what opens late, what changes, what belongs to whom.

mod common;

use anyhow::Result;
use berth_e2e::{Answer, Host};
use common::{Village, becomes, publish, status};
use std::{fs, path::Path};

/// A component that the host can do without.
fn optional(village: &Village, name: &str, kind: &str, key: &str, value: &Path) -> Result<()> {
    let document = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: {name} }}\nspec:\n  type: {kind}\n  \
         version: v1\n  ignoreErrors: true\n  metadata:\n    - {{ name: {key}, value: \"{}\" }}\n",
        value.display()
    );
    village.folder.write(&format!("{name}.yaml"), document)?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_failed_is_opened_as_soon_as_it_can_be() -> Result<()> {
    let village = Village::new()?;
    village.app("hostile", "hostile", "[/]", "")?;
    village.subscription("hostile", "work")?;
    let folder = village.folder.path().join("later");
    let corrupt = village.folder.path().join("corrupt.db");
    fs::write(&corrupt, "x".repeat(4096))?;
    let queue = folder.join("queue.db");
    optional(
        &village,
        "pubsub",
        "pubsub.sqlite",
        "connectionString",
        &queue,
    )?;
    optional(
        &village,
        "extra",
        "state.sqlite",
        "connectionString",
        &corrupt,
    )?;
    // Not because a file changed.
    let host = village.host().arg("--no-watch").start().await?;
    assert_eq!(status(&host, "pubsub").await?, "failed");
    assert_eq!(status(&host, "extra").await?, "failed");

    fs::create_dir(&folder)?;
    becomes(&host, "pubsub", "healthy").await?;
    // Its subscriptions run now.
    publish(&host, "hostile", "work", "first", "fine").await?;
    host.logged("the message is handled", |record| {
        record.message() == "handled first"
    })
    .await?;
    assert_eq!(status(&host, "extra").await?, "failed");

    fs::remove_file(&corrupt)?;
    becomes(&host, "extra", "healthy").await?;
    let works = |name: &str| {
        let works = |record: &&berth_e2e::Record| {
            record.message().ends_with("works now") && record.get("backend") == name
        };
        host.log().iter().filter(works).count()
    };
    assert_eq!((works("pubsub"), works("extra")), (1, 1));
    Ok(())
}

/// The answer of an app that asks for a secret.
async fn secret(host: &Host, app: &str, store: &str, name: &str) -> Result<Answer> {
    let path = format!("/invoke/{app}/secret?store={store}&name={name}");
    host.admin().get(&path).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_secret_is_served_and_what_refers_to_it_is_opened_again() -> Result<()> {
    let village = Village::new()?;
    village.app("probe", "probe", "[/]", "")?;
    let databases = tempfile::tempdir()?;
    let secrets = |name: &str| {
        let path = databases.path().join(name);
        let json = serde_json::json!({ "database": path, "word": name });
        village.folder.write("secrets.json", json.to_string())
    };
    let file = secrets("one.db")?;
    let file = file.to_string_lossy();
    village.component(
        "vault",
        "secretstores.local.file",
        &[("secretsFile", &file)],
    )?;
    let refers = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: statestore }\nspec:\n  \
                  type: state.sqlite\n  version: v1\n  metadata:\n    - name: connectionString\n      \
                  secretKeyRef: { name: database, key: database }\nauth: { secretStore: vault }\n";
    village.folder.write("statestore.yaml", refers)?;
    let host = village.start().await?;
    let ask = "/secret?store=vault&name=word";
    assert_eq!(host.client().get(ask).await?.text(), "word=one.db");
    assert!(databases.path().join("one.db").exists());

    secrets("two.db")?;
    let served = |answer: &Answer| answer.text() == "word=two.db";
    host.client().get_until(ask, served).await?;
    assert!(databases.path().join("two.db").exists());

    // A file that cannot be read leaves what is there.
    village.folder.write("secrets.json", "{ broken")?;
    host.logged("the change is refused", |record| {
        record.message().starts_with("change refused")
    })
    .await?;
    assert_eq!(host.client().get(ask).await?.text(), "word=two.db");
    secrets("three.db")?;
    let served = |answer: &Answer| answer.text() == "word=three.db";
    host.client().get_until(ask, served).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_refused_leaves_the_backends_alone() -> Result<()> {
    let village = Village::new()?;
    village.app("probe", "probe", "[/]", "")?;
    village.component("one", "state.in-memory", &[])?;
    let host = village.start().await?;
    let open = async |store: &str| host.client().get(&format!("/state?store={store}")).await;
    assert_eq!(open("one").await?.status, 200);
    // The backend of the change is fine, its guest is not.
    village.folder.write("guest.wasm", "no Wasm at all")?;
    village.component("two", "state.in-memory", &[])?;
    let broken = village.folder.path().join("guest.wasm");
    village.folder.app("broken", &broken, "")?;
    host.logged("the change is refused", |record| {
        record.message().starts_with("change refused")
    })
    .await?;
    assert_eq!(open("two").await?.status, 404);
    fs::remove_file(village.folder.path().join("broken.yaml"))?;
    host.client()
        .get_until("/state?store=two", |answer| answer.status == 200)
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backend_that_hangs_ends_with_its_init_timeout() -> Result<()> {
    let village = Village::new()?;
    village.app("hello", "hello", "[/]", "")?;
    let pipe = village.folder.path().join("secrets");
    // Nobody ever writes: whoever opens it waits.
    let made = std::process::Command::new("mkfifo").arg(&pipe).status()?;
    assert!(made.success(), "mkfifo: {made}");
    let document = |ignore: bool| {
        format!(
            "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: vault }}\nspec:\n  \
             type: secretstores.local.file\n  version: v1\n  initTimeout: 300ms\n  ignoreErrors: {ignore}\n  metadata:\n    \
             - {{ name: secretsFile, value: \"{}\" }}\n",
            pipe.display()
        )
    };
    village.folder.write("vault.yaml", document(false))?;
    let checked = berth_e2e::berth(["check"])?.arg(village.folder.path());
    let text = checked.run().await?.to_string();
    assert!(text.contains("not done within 300ms"), "{text}");
    let refused = village.host().refused().await?;
    let text = refused.to_string();
    for wanted in ["vault.yaml", "not done within 300ms", "initTimeout"] {
        assert!(text.contains(wanted), "{text}");
    }
    village.folder.write("vault.yaml", document(true))?;
    let host = village.start().await?;
    assert_eq!(host.client().get("/").await?.status, 200);
    assert_eq!(status(&host, "vault").await?, "failed");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_in_metadata_name_app_namespace_pod_and_process() -> Result<()> {
    let village = Village::new()?;
    for app in ["one", "two"] {
        village.app(app, "probe", &format!("[/{app}]"), "")?;
    }
    let data = tempfile::tempdir()?;
    let component = |name: &str, file: &str| {
        let path = data.path().join(file);
        let path = path.to_string_lossy();
        village.component(name, "state.sqlite", &[("connectionString", &path)])
    };
    component("by-app", "app-{appID}.db")?;
    component("by-namespace", "namespace-{namespace}.db")?;
    component("by-pod", "pod-{podName}.db")?;
    component("by-process", "process-{uuid}.db")?;
    let host = village.host().env("POD_NAME", "pod-7");
    let host = host.arg("--namespace").arg("shop").start().await?;
    let databases = || -> Result<Vec<String>> {
        let entries = fs::read_dir(data.path())?;
        let names = entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        let mut names = names.collect::<Result<Vec<_>>>()?;
        names.retain(|name| name.ends_with(".db"));
        names.sort();
        Ok(names)
    };
    let names = databases()?;
    let (process, others): (Vec<_>, Vec<_>) = names
        .into_iter()
        .partition(|name| name.starts_with("process-"));
    let expected = [
        "app-one.db",
        "app-two.db",
        "namespace-shop.one.db",
        "namespace-shop.two.db",
        "pod-pod-7.db",
    ];
    assert_eq!(others, expected);
    // 36 characters of UUID.
    assert_eq!(process.len(), 1, "{process:?}");
    assert_eq!(process[0].len(), "process-.db".len() + 36, "{process:?}");
    // A reload is the same process.
    village.component("more", "state.in-memory", &[])?;
    host.logged("the change is applied", |record| {
        record.message() == "change applied"
    })
    .await?;
    assert_eq!(databases()?.len(), 6);
    Ok(())
}

/// Two apps of one guest, and a store with three secrets.
fn vault(village: &Village) -> Result<()> {
    let secrets = r#"{"open": "1", "shut": "2", "other": "3"}"#;
    let file = village.folder.write("secrets.json", secrets)?;
    let file = file.to_string_lossy();
    village.component(
        "vault",
        "secretstores.local.file",
        &[("secretsFile", &file)],
    )
}

/// A Configuration with one scope of `vault`, and an app under it.
fn scoped(village: &Village, app: &str, scope: &str) -> Result<()> {
    let document = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: {{ name: {app} }}\nspec:\n  secrets:\n    \
         scopes:\n      - {{ storeName: vault, {scope} }}\n"
    );
    village
        .folder
        .write(&format!("{app}-configuration.yaml"), document)?;
    let spec = format!("  http: {{ paths: [/{app}] }}\n  configuration: {app}");
    village.folder.app(app, &berth_e2e::guest("probe")?, &spec)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_says_which_secrets_an_app_may_read() -> Result<()> {
    let village = Village::new()?;
    vault(&village)?;
    village.app("free", "probe", "[/free]", "")?;
    scoped(
        &village,
        "allowed",
        "defaultAccess: deny, allowedSecrets: [open]",
    )?;
    scoped(
        &village,
        "denied",
        "defaultAccess: allow, deniedSecrets: [shut]",
    )?;
    scoped(&village, "nothing", "defaultAccess: deny")?;
    // The list of what is allowed shuts out the rest, whatever the default.
    scoped(&village, "default", "allowedSecrets: [other]")?;
    let host = village.start().await?;
    let cases = [
        ("free", [200, 200, 200], "open other shut"),
        ("allowed", [200, 403, 403], "open"),
        ("denied", [200, 403, 200], "open other"),
        ("nothing", [403, 403, 403], ""),
        ("default", [403, 403, 200], "other"),
    ];
    for (app, expected, names) in cases {
        let mut statuses = Vec::new();
        for name in ["open", "shut", "other"] {
            statuses.push(secret(&host, app, "vault", name).await?.status);
        }
        assert_eq!(statuses, expected, "{app}");
        let listed = format!("/invoke/{app}/secrets?store=vault");
        assert_eq!(host.admin().get(&listed).await?.text(), names, "{app}");
    }
    let answer = secret(&host, "allowed", "vault", "shut").await?;
    assert!(
        answer.text().contains("not in its allowedSecrets"),
        "{answer}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_of_a_component_say_who_sees_it() -> Result<()> {
    let village = Village::new()?;
    for app in ["one", "two"] {
        village.app(app, "probe", &format!("[/{app}]"), "")?;
    }
    village.component("common", "state.in-memory", &[])?;
    let private = "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: { name: private }\nspec:\n  \
                   type: state.in-memory\n  version: v1\nscopes: [one]\n";
    village.folder.write("private.yaml", private)?;
    let host = village.start().await?;
    let ask = async |app: &str, store: &str| -> Result<Answer> {
        let path = format!("/invoke/{app}/state?store={store}");
        host.admin().get(&path).await
    };
    for (app, store, status) in [
        ("one", "common", 200),
        ("one", "private", 200),
        ("two", "common", 200),
        ("two", "private", 404),
    ] {
        assert_eq!(ask(app, store).await?.status, status, "{app} {store}");
    }
    let answer = ask("two", "private").await?;
    assert!(answer.text().contains("visible: common"), "{answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn several_calls_in_one_instance_are_warned_of() -> Result<()> {
    let village = Village::new()?;
    let spec = "  instances: { reuse: 10, concurrent: 4 }";
    village
        .folder
        .app("hello", &berth_e2e::guest("hello")?, spec)?;
    let checked = berth_e2e::berth(["check"])?;
    let checked = checked.arg(village.folder.path()).run().await?;
    let text = checked.to_string();
    assert_eq!(checked.code, Some(0), "{text}");
    assert!(
        text.contains("`spec.instances.concurrent` above 1 has no effect"),
        "{text}"
    );
    Ok(())
}
