//! Hosts that call each other: found, believed, let in, and left out when they are gone.

mod common;

use anyhow::{Context, Result, ensure};
use berth_e2e::{Answer, Folder, Host, HostBuilder, berth, eventually, guest, timely};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

const BACK: &str = "/v1.0/invoke/back/method/";

/// A folder with one app, which says `Hello, world!` to everybody.
struct Town {
    folder: Folder,
    app: &'static str,
}

impl Town {
    fn of(app: &'static str) -> Result<Self> {
        Self::with(app, "")
    }

    /// `spec`: more of the manifest.
    fn with(app: &'static str, spec: &str) -> Result<Self> {
        let folder = Folder::new()?;
        folder.app(app, &guest("hello")?, spec)?;
        Ok(Self { folder, app })
    }

    /// A Configuration that the app names.
    fn configured(app: &'static str, spec: &str) -> Result<Self> {
        let town = Self::with(app, "  configuration: own")?;
        town.configure(spec)?;
        Ok(town)
    }

    fn configure(&self, spec: &str) -> Result<()> {
        let head =
            "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: own }\nspec:\n";
        self.folder
            .write("configuration.yaml", format!("{head}{spec}\n"))?;
        Ok(())
    }

    /// A host of the user whose folder this is.
    fn host(&self, user: &Path) -> HostBuilder {
        Host::builder()
            .source(self.folder.path())
            .arg("--user-dir")
            .arg(user)
    }

    async fn start(&self, user: &Path) -> Result<Host> {
        self.host(user).start().await
    }

    /// A call of its app, through the door for native programs.
    async fn calls(&self, host: &Host, path: &str) -> Result<Answer> {
        host.dapr(self.app)?.get(path).await
    }

    async fn reaches(&self, host: &Host, path: &str) -> Result<()> {
        self.sees(host, path, |answer| {
            answer.status == 200 && answer.text().trim_end() == "Hello, world!"
        })
        .await
    }

    async fn sees(&self, host: &Host, path: &str, wanted: impl Fn(&Answer) -> bool) -> Result<()> {
        eventually(path, timely(), async || {
            let answer = self.calls(host, path).await;
            let answer = answer.map_err(|error| format!("{error:#}"))?;
            wanted(&answer).then_some(()).ok_or(answer.to_string())
        })
        .await
    }
}

fn is_denied(answer: &Answer) -> bool {
    answer.status == 403 && answer.text().contains("access control")
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_of_one_user_find_each_other() -> Result<()> {
    let user = Folder::new()?;
    let (front, back) = (Town::of("front")?, Town::of("back")?);
    let caller = front.start(user.path()).await?;
    let answer = front.calls(&caller, BACK).await?;
    ensure!(
        answer.status == 500 && answer.text().contains("no host has announced it"),
        "{answer}"
    );
    let mut first = back.start(user.path()).await?;
    front.reaches(&caller, BACK).await?;
    // The other direction as well.
    back.reaches(&first, "/v1.0/invoke/front/method/").await?;

    let second = back.start(user.path()).await?;
    eventually("both hosts are called", timely(), async || {
        let answer = front.calls(&caller, BACK).await;
        let answer = answer.map_err(|error| format!("{error:#}"))?;
        let count = async |host: &Host| host.metric("berth_mesh_connections", &["server"]).await;
        let served = count(&second).await.map_err(|error| error.to_string())?;
        (answer.status == 200 && served > 0.0)
            .then_some(())
            .ok_or(format!("{answer}"))
    })
    .await?;
    // Whatever was not taken up goes to the other host.
    first.kill9().await?;
    for _ in 0..50 {
        let answer = front.calls(&caller, BACK).await?;
        ensure!(answer.status == 200, "{answer}");
    }
    first.restart().await?;
    let mut second = second;
    second.terminate().await?;
    for _ in 0..50 {
        let answer = front.calls(&caller, BACK).await?;
        ensure!(answer.status == 200, "{answer}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn access_control_holds_between_hosts_as_within_one() -> Result<()> {
    let user = Folder::new()?;
    let rules = |action: &str| {
        format!(
            "  accessControl:\n    defaultAction: deny\n    policies:\n      - appId: front\n        \
             namespace: default\n        trustDomain: public\n        defaultAction: deny\n        \
             operations:\n          - {{ name: /open/*, httpVerb: ['*'], action: allow }}\n          \
             - {{ name: /shut, httpVerb: [GET], action: {action} }}\n"
        )
    };
    let (front, stranger) = (Town::of("front")?, Town::of("stranger")?);
    let back = Town::configured("back", &rules("deny"))?;
    // In the same host as well: another app of the same folder.
    back.folder.app("front", &guest("hello")?, "")?;
    let host = back
        .host(user.path())
        .arg("--dapr-http-port")
        .arg("front=0")
        .start()
        .await?;
    let far = front.start(user.path()).await?;
    let other = stranger.start(user.path()).await?;
    for caller in [&host, &far] {
        front
            .reaches(caller, "/v1.0/invoke/back/method/open/door")
            .await?;
        front
            .sees(caller, "/v1.0/invoke/back/method/shut", is_denied)
            .await?;
    }
    stranger
        .sees(&other, "/v1.0/invoke/back/method/open/door", is_denied)
        .await?;
    // A change counts from the next call on.
    back.configure(&rules("allow"))?;
    for caller in [&host, &far] {
        front
            .reaches(caller, "/v1.0/invoke/back/method/shut")
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_a_folder_and_addresses_of_a_document_do_without_a_user() -> Result<()> {
    let (user, tls) = (Folder::new()?, Folder::new()?);
    let ca = |arguments: &[&str]| -> Result<_> {
        Ok(berth([&["ca"], arguments].concat())?
            .arg("--user-dir")
            .arg(user.path()))
    };
    let made = ca(&["init", "--output", "json"])?.run().await?;
    ensure!(made.code == Some(0), "{made}");
    ensure!(made.json()["roots"] == 1, "{made}");
    let domain = ["--trust-domain", "shop.example"];
    for app in ["front", "back"] {
        let folder = tls.path().join(app);
        let folder = folder.to_str().context("a path of UTF-8")?;
        let issue = [&["issue", app, folder], &domain[..]].concat();
        let issued = ca(&issue)?.run().await?;
        ensure!(issued.code == Some(0), "{issued}");
        ensure!(
            issued
                .stdout
                .contains(&format!("spiffe://shop.example/ns/default/{app}")),
            "{issued}"
        );
    }
    let rotated = ca(&[&["rotate", "--output", "json"], &domain[..]].concat())?
        .run()
        .await?;
    ensure!(rotated.json()["roots"] == 2, "{rotated}");

    let trust = "  accessControl: { trustDomain: shop.example }\n";
    let back = Town::configured("back", trust)?;
    let with_certificates = |town: &Town, user: &Path| {
        town.host(user)
            .arg("--certificates")
            .arg(tls.path())
            .arg("--mesh-listen")
            .arg("127.0.0.1:0")
    };
    // Two users: they have no registry in common.
    let others = Folder::new()?;
    let host = with_certificates(&back, others.path()).start().await?;
    let address = host.mesh_address()?;
    let front = Town::configured(
        "front",
        &format!(
            "{trust}  nameResolution:\n    component: static\n    configuration: {{ apps: {{ back: ['{address}'] }} }}\n"
        ),
    )?;
    let caller = with_certificates(&front, user.path()).start().await?;
    front.reaches(&caller, BACK).await?;
    // Without a certificate of that authority nobody gets in.
    let stranger = Town::configured(
        "front",
        &format!(
            "{trust}  nameResolution:\n    component: static\n    configuration: {{ apps: {{ back: ['{address}'] }} }}\n"
        ),
    )?;
    let elsewhere = Folder::new()?;
    let refused = stranger.start(elsewhere.path()).await?;
    let answer = stranger.calls(&refused, BACK).await?;
    ensure!(
        answer.status == 500 && answer.text().contains(&address),
        "{answer}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_outside_is_called_like_an_app_with_its_secret_header() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    head.push(stream.read_u8().await?);
                }
                let head_of_answer =
                    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", head.len());
                stream.write_all(head_of_answer.as_bytes()).await?;
                stream.write_all(&head).await
            });
        }
    });
    let user = Folder::new()?;
    let front = Town::of("front")?;
    front
        .folder
        .write("secrets.json", r#"{ "shipper": { "token": "s3cr3t" } }"#)?;
    let path = front.folder.path().join("secrets.json");
    let documents = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: Component\nmetadata: {{ name: vault }}\nspec:\n  \
         type: secretstores.local.file\n  version: v1\n  metadata:\n    - {{ name: secretsFile, value: '{}' }}\n    \
         - {{ name: nestedSeparator, value: ':' }}\n    - {{ name: multiValued, value: 'true' }}\n---\n\
         apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {{ name: shipper }}\nspec:\n  \
         baseUrl: http://{address}/v2\n  headers:\n    - name: Authorization\n      \
         secretKeyRef: {{ name: shipper, key: token }}\n",
        path.display()
    );
    front.folder.write("outside.yaml", documents)?;
    let host = front.start(user.path()).await?;
    let answer = front
        .calls(&host, "/v1.0/invoke/shipper/method/parcels?size=2")
        .await?;
    let seen = answer.text().to_lowercase();
    ensure!(
        seen.starts_with("get /v2/parcels?size=2 http/1.1"),
        "{answer}"
    );
    ensure!(seen.contains("authorization: s3cr3t"), "{answer}");
    ensure!(seen.contains("traceparent: 00-"), "{answer}");
    let metadata = front.calls(&host, "/v1.0/metadata").await?.json();
    ensure!(
        metadata["httpEndpoints"][0]["name"] == "shipper",
        "{metadata}"
    );
    ensure!(!host.said().contains("s3cr3t"), "a secret was logged");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_configurations_under_load_fail_no_call() -> Result<()> {
    let user = Folder::new()?;
    let (front, back) = (Town::configured("front", "  {}")?, Town::of("back")?);
    let host = back.start(user.path()).await?;
    let caller = Arc::new(front.start(user.path()).await?);
    front.reaches(&caller, BACK).await?;
    let (over, done) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (caller, over, done) = (caller.clone(), over.clone(), done.clone());
            tokio::spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let answer = caller.dapr("front")?.get(BACK).await?;
                    ensure!(answer.status == 200, "{answer}");
                    done.fetch_add(1, Ordering::Relaxed);
                }
                Ok(())
            })
        })
        .collect();
    let address = host.mesh_address()?;
    let fixed = format!(
        "  nameResolution:\n    component: static\n    configuration: {{ apps: {{ back: ['{address}'] }} }}\n"
    );
    for change in [&*fixed, "  {}", &*fixed] {
        let before = done.load(Ordering::Relaxed);
        front.configure(change)?;
        caller
            .logged("the change is applied", |record| {
                record.message().contains("change applied")
            })
            .await?;
        eventually("calls go on", timely(), async || {
            let now = done.load(Ordering::Relaxed);
            let work = callers.iter().all(|caller| !caller.is_finished());
            (now > before + 100 || !work)
                .then_some(())
                .ok_or(format!("{now} calls"))
        })
        .await?;
    }
    over.store(true, Ordering::Relaxed);
    for caller in callers {
        caller.await??;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_documents_and_flags_say_about_other_hosts_is_checked() -> Result<()> {
    let user = Folder::new()?;
    let refused = async |town: &Town, flags: &[&str], wanted: &[&str]| -> Result<()> {
        let mut host = town.host(user.path()).text_log();
        for flag in flags {
            host = host.arg(flag);
        }
        let finished = host.refused().await?;
        for text in wanted {
            ensure!(finished.stderr.contains(text), "no {text:?} in {finished}");
        }
        ensure!(finished.code != Some(0), "{finished}");
        Ok(())
    };
    let hello = Town::of("hello")?;
    refused(
        &hello,
        &["--mesh-listen", "0.0.0.0:0"],
        &[
            "other hosts cannot be told to call 0.0.0.0",
            "--mesh-advertise",
        ],
    )
    .await?;
    let plain = Town::configured("hello", "  mtls: { enabled: false }")?;
    refused(
        &plain,
        &[
            "--mesh-listen",
            "0.0.0.0:0",
            "--mesh-advertise",
            "10.0.0.1:0",
        ],
        &["not a loopback address", "configuration.yaml:5:"],
    )
    .await?;
    let twice = Town::configured("hello", "  nameResolution: { component: sqlite }")?;
    twice.folder.write(
        "other.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: Configuration\nmetadata: { name: other }\nspec:\n  \
         nameResolution: { component: redis, configuration: { redisHost: 'localhost:6379' } }\n",
    )?;
    refused(
        &twice,
        &[],
        &[
            "other.yaml:5:",
            "holds for the host as a whole",
            "configuration.yaml:5:",
        ],
    )
    .await?;
    let misspelt = Town::configured(
        "hello",
        "  nameResolution: { component: sqlite, configuration: { conectionString: x } }",
    )?;
    refused(
        &misspelt,
        &[],
        &["configuration.yaml:5:", "did you mean `connectionString`"],
    )
    .await?;
    let taken = Town::of("hello")?;
    taken.folder.write(
        "endpoint.yaml",
        "apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: { name: hello }\nspec: { baseUrl: 'https://example.com' }\n",
    )?;
    refused(&taken, &[], &["endpoint.yaml:1:", "has the name of an app"]).await?;
    let empty = Folder::new()?;
    let folder = empty.path().join("nowhere");
    let folder = folder.to_str().context("a path of UTF-8")?;
    refused(
        &hello,
        &["--mesh-listen", ":0", "--certificates", folder],
        &["nowhere", "--certificates"],
    )
    .await
}
