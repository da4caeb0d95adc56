//! The admin API of a running host, as the commands see it.

use crate::{
    failure::Failure,
    host_file::{self, HostFile},
};
use anyhow::Context;
use berth_gateway::admin::reports::ErrorReport;
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// A running host.
pub struct Client {
    http: reqwest::Client,
    base: Url,
    host: HostFile,
    data_dir: PathBuf,
}

impl Client {
    /// The host on this data directory. Whether it still lives shows with the first request.
    pub fn of(data_dir: &Path) -> Result<Self, Failure> {
        let host = HostFile::read(data_dir)?;
        let base = Url::parse(&host.admin).context("reading the address of the admin API")?;
        // A proxy of the environment must not get between two processes of one machine.
        let http = reqwest::Client::builder().no_proxy().build();
        Ok(Self {
            http: http.context("setting up an HTTP client")?,
            base,
            host,
            data_dir: data_dir.to_owned(),
        })
    }

    /// A request to a route whose segments are escaped here.
    pub fn request(&self, method: Method, segments: &[&str]) -> RequestBuilder {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.clear().extend(segments);
        }
        self.to(method, url)
    }

    /// A request to a path that is already escaped.
    pub fn request_path(&self, method: Method, path: &str) -> Result<RequestBuilder, Failure> {
        let url = self.base.join(path).map_err(Failure::input)?;
        Ok(self.to(method, url))
    }

    fn to(&self, method: Method, url: Url) -> RequestBuilder {
        self.http.request(method, url).bearer_auth(&self.host.token)
    }

    /// Sends a request; whatever the host answers is fine.
    pub async fn send(&self, request: RequestBuilder) -> Result<Response, Failure> {
        match request.send().await {
            Ok(response) if response.status() == StatusCode::UNAUTHORIZED => Err(self.stale()),
            Ok(response) => Ok(response),
            Err(error) if error.is_connect() => Err(self.stale()),
            Err(error) => {
                let error = anyhow::Error::from(error.without_url());
                Err(error.context("asking the host").into())
            }
        }
    }

    /// Sends a request; an answer that is no success becomes the error that it carries.
    pub async fn succeed(&self, request: RequestBuilder) -> Result<Response, Failure> {
        let response = self.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    /// `GET` of a report.
    pub async fn get<T: DeserializeOwned>(&self, segments: &[&str]) -> Result<T, Failure> {
        self.report(self.request(Method::GET, segments)).await
    }

    /// Sends a request and reads the report that it answers.
    pub async fn report<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Failure> {
        let response = self.succeed(request).await?;
        let report = response.json().await.context("reading the host's answer")?;
        Ok(report)
    }

    /// `host.json` speaks of a host that is gone, or of another process at its address.
    fn stale(&self) -> Failure {
        tracing::debug!(
            pid = self.host.pid,
            admin = self.host.admin,
            "host.json is stale"
        );
        host_file::no_host(&self.data_dir)
    }
}

/// Whether the host answered in the place of an app.
pub fn is_refusal(response: &Response) -> bool {
    !response.status().is_success() && response.headers().contains_key("berth-reason")
}

/// The error that an answer of the host carries.
pub async fn refusal(response: Response) -> Failure {
    let status = response.status();
    let text = response.text().await.unwrap_or_default();
    let message = match serde_json::from_str::<ErrorReport>(&text) {
        Ok(report) => report.message,
        Err(_) if text.is_empty() => format!("the host answered {status}"),
        Err(_) => format!("the host answered {status}: {text}"),
    };
    match status {
        StatusCode::BAD_REQUEST | StatusCode::NOT_FOUND | StatusCode::FORBIDDEN => {
            Failure::input_text(message)
        }
        _ => Failure::text(message),
    }
}
