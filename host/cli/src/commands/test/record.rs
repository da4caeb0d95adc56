//! `berth test --record`: stands between a client and the running host, and writes down what passes.

use crate::{failure::Failure, host_file::HostFile, ui};
use anyhow::Context;
use berth_blocks::invocation::{Body, Target};
use berth_gateway::ingress::{Answer, ExposedApp, Ingress, IngressOptions, RouteTable};
use berth_testkit::{Exchange, recorded};
use http::{HeaderMap, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use parking_lot::Mutex;
use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

/// How long a request under way may take at the end.
const LAST: Duration = Duration::from_secs(2);

/// Headers that belong to one of the two connections.
const OF_CONNECTION: [header::HeaderName; 4] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::HOST,
    header::TRANSFER_ENCODING,
];

/// Records until it is interrupted, then writes the scenario.
pub fn record(file: &Path, data_dir: &Path, listen: SocketAddr) -> Result<(), Failure> {
    let host = HostFile::read(data_dir)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the async runtime")?;
    let exchanges = runtime.block_on(listen_until_stopped(&host, listen))?;
    runtime.shutdown_background();
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let name = name.split('.').next().unwrap_or_default();
    let text = recorded(name, &exchanges);
    let shown = file.display();
    std::fs::write(file, text).with_context(|| format!("writing {shown}"))?;
    ui::note(&format!(
        "{shown}: {} recorded",
        ui::plural(exchanges.len(), "request")
    ));
    Ok(())
}

async fn listen_until_stopped(
    host: &HostFile,
    listen: SocketAddr,
) -> Result<Vec<Exchange>, Failure> {
    let ingress = Ingress::bind(listen, IngressOptions::default())
        .with_context(|| format!("listening on {listen}"))?;
    // A proxy of the environment must not get between two processes of one machine.
    let http = reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .context("setting up an HTTP client")?;
    let recorder = Arc::new(Recorder {
        host: host.http.clone(),
        http,
        exchanges: Mutex::default(),
    });
    let serving = ingress
        .serve(recorder.clone(), everything())
        .with_context(|| format!("listening on {listen}"))?;
    // Before anybody knows that there is something to interrupt.
    let stop = crate::host::listen_for_signals()?;
    ui::out(&format!("http://{}", serving.address()));
    ui::note(&format!(
        "records what goes through here to {}; Ctrl-C ends it",
        host.http
    ));
    stop.cancelled().await;
    serving.drain(LAST).await;
    Ok(std::mem::take(&mut *recorder.exchanges.lock()))
}

/// Every path goes to the host, which finds the app.
fn everything() -> RouteTable {
    let app = "host".parse().ok().map(|app| ExposedApp {
        target: Target {
            namespace: berth_resources::Namespace::default(),
            app,
        },
        http: None,
        private_paths: Vec::new(),
    });
    RouteTable::new(app.into_iter().collect()).unwrap_or_default()
}

struct Recorder {
    host: String,
    http: reqwest::Client,
    exchanges: Mutex<Vec<Exchange>>,
}

impl Answer for Recorder {
    async fn answer(&self, _: &Target, request: Request<Body>) -> Response<Body> {
        match self.pass(request).await {
            Ok(response) => response,
            Err(error) => {
                let mut response = Response::new(whole(format!("{error:#}").into()));
                *response.status_mut() = StatusCode::BAD_GATEWAY;
                response
            }
        }
    }
}

impl Recorder {
    async fn pass(&self, request: Request<Body>) -> anyhow::Result<Response<Body>> {
        let (parts, body) = request.into_parts();
        let body = body
            .collect()
            .await
            .map_err(|error| anyhow::anyhow!("{error}"))?
            .to_bytes();
        let path = parts.uri.path_and_query();
        let path = path.map_or("/", http::uri::PathAndQuery::as_str).to_owned();
        let asked = self
            .http
            .request(parts.method.clone(), format!("{}{path}", self.host))
            .headers(own(&parts.headers))
            .body(body.clone());
        let answered = asked.send().await.context("asking the host")?;
        let (status, headers) = (answered.status(), own(answered.headers()));
        let answer = answered.bytes().await.context("reading the answer")?;
        let texts = parts.headers.iter().map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        });
        self.exchanges.lock().push(Exchange {
            method: parts.method.to_string(),
            path,
            headers: texts.collect(),
            body: body.to_vec(),
            status: status.as_u16(),
            answer: answer.to_vec(),
        });
        let mut response = Response::new(whole(answer));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

fn own(headers: &HeaderMap) -> HeaderMap {
    let mut headers = headers.clone();
    for name in OF_CONNECTION {
        headers.remove(name);
    }
    headers
}

fn whole(bytes: bytes::Bytes) -> Body {
    Full::new(bytes)
        .map_err(|never| match never {})
        .boxed_unsync()
}
