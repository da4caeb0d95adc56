//! The client of a host: its ingress, wherever that listens after a restart.

use crate::{eventually, timely};
use anyhow::{Context, Result};
use bytes::Bytes;
use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderName},
};
use serde_json::Value;
use std::{
    fmt,
    net::SocketAddr,
    sync::{Arc, RwLock},
    time::Duration,
};

/// Longer than any answer may take; a request that hangs fails its test.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Speaks to one address of a host. Clones follow the host through restarts.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    address: Arc<RwLock<SocketAddr>>,
    token: Arc<RwLock<Option<String>>>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr) -> Result<Self> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        Ok(Self {
            http,
            address: Arc::new(RwLock::new(address)),
            token: Arc::default(),
        })
    }

    pub(crate) fn moved(&self, address: SocketAddr, token: Option<String>) {
        *self.address.write().expect("no writer panics") = address;
        *self.token.write().expect("no writer panics") = token;
    }

    /// Where the host listens now.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        *self.address.read().expect("no writer panics")
    }

    /// A request to be completed.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address());
        let request = self.http.request(method, url);
        match &*self.token.read().expect("no writer panics") {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// `GET`.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// `POST` of JSON.
    ///
    /// # Errors
    /// No answer.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Answer> {
        Answer::to(self.request(Method::POST, path).json(body)).await
    }

    /// `PUT` of JSON.
    ///
    /// # Errors
    /// No answer.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Answer> {
        Answer::to(self.request(Method::PUT, path).json(body)).await
    }

    /// Asks until the answer is the wanted one.
    ///
    /// # Errors
    /// It never was; the text has the last answer.
    pub async fn get_until(&self, path: &str, wanted: impl Fn(&Answer) -> bool) -> Result<Answer> {
        let what = format!("the wanted answer to GET {path}");
        eventually(&what, timely(), async || match self.get(path).await {
            Ok(answer) if wanted(&answer) => Ok(answer),
            Ok(answer) => Err(answer.to_string()),
            Err(error) => Err(format!("{error:#}")),
        })
        .await
    }
}

/// A response that has arrived as a whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// No answer, or it broke off.
    pub async fn to(request: RequestBuilder) -> Result<Self> {
        let response = request.send().await.context("sending a request")?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.context("reading an answer")?;
        Ok(Self {
            status,
            headers,
            body,
        })
    }

    /// The body as JSON; null if it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header as text; empty if it is absent.
    #[must_use]
    pub fn header(&self, name: impl TryInto<HeaderName>) -> &str {
        let value = name.try_into().ok().and_then(|name| self.headers.get(name));
        value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }

    /// Why the host answered in place of the guest; empty if the guest answered.
    #[must_use]
    pub fn reason(&self) -> &str {
        self.header("berth-reason")
    }
}

/// What an assertion shows.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.status)?;
        if !self.reason().is_empty() {
            write!(f, " ({})", self.reason())?;
        }
        let text: String = self.text().chars().take(500).collect();
        write!(f, " {text}")
    }
}
