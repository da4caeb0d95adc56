//! Requests to collectors.

use super::Failed;
use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client as Pooled, connect::HttpConnector},
    rt::TokioExecutor,
};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use std::{error::Error, sync::Arc, time::Duration};

/// Bytes of an answer that are looked at.
const ANSWER_MAX: usize = 64 << 10;

/// How a collector is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    Http1,
    Http2,
}

/// A client of one collector.
pub(super) struct Client {
    pooled: Pooled<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    /// Scheme, host and port.
    address: String,
    timeout: Duration,
}

/// An answer in one piece.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) trailers: HeaderMap,
}

impl Client {
    /// A client for a URL.
    ///
    /// # Errors
    /// The URL is none, or TLS cannot be set up.
    pub(super) fn new(url: &str, version: Version, timeout: Duration) -> Result<Self, String> {
        let uri: Uri = url.parse().map_err(|error| format!("`{url}`: {error}"))?;
        let scheme = uri.scheme_str().unwrap_or("http");
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let address = format!("{scheme}://{authority}");
        let tls = tls(scheme == "https")?;
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http();
        let connector = match version {
            Version::Http1 => connector.enable_http1().build(),
            Version::Http2 => connector.enable_http2().build(),
        };
        let pooled = Pooled::builder(TokioExecutor::new())
            .http2_only(version == Version::Http2)
            .pool_max_idle_per_host(1)
            .build(connector);
        Ok(Self {
            pooled,
            uri,
            address,
            timeout,
        })
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a POST.
    pub(super) async fn post(&self, headers: &HeaderMap, body: Bytes) -> Result<Answer, Failed> {
        let mut request = Request::post(self.uri.clone())
            .body(Full::new(body))
            .map_err(|error| Failed::never(error.to_string()))?;
        *request.headers_mut() = headers.clone();
        let exchange = async {
            let response = self.pooled.request(request).await;
            read(response.map_err(|error| Failed::later(chain(&error)))?).await
        };
        let timeout = self.timeout;
        tokio::time::timeout(timeout, exchange)
            .await
            .unwrap_or_else(|_| Err(Failed::later(format!("no answer within {timeout:?}"))))
    }
}

async fn read(response: Response<Incoming>) -> Result<Answer, Failed> {
    let (head, body) = response.into_parts();
    let collected = Limited::new(body, ANSWER_MAX).collect().await;
    let collected = collected.map_err(|error| Failed::later(error.to_string()))?;
    let trailers = collected.trailers().cloned().unwrap_or_default();
    Ok(Answer {
        status: head.status,
        headers: head.headers,
        body: collected.to_bytes(),
        trailers,
    })
}

impl Answer {
    /// What the status means: OTLP's rules, which suit the others as well.
    pub(super) fn check(&self) -> Result<(), Failed> {
        let status = self.status;
        if status.is_success() {
            return Ok(());
        }
        let why = format!("the collector answered {status}");
        if !matches!(status.as_u16(), 408 | 429 | 502 | 503 | 504) {
            return Err(Failed::never(why));
        }
        let pause = self.headers.get(header::RETRY_AFTER);
        let pause = pause.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        Err(match pause {
            Some(seconds) => Failed {
                why,
                again: super::Again::After(Duration::from_secs(seconds)),
            },
            None => Failed::later(why),
        })
    }
}

/// The authorities of the system, looked for only where there is TLS.
fn tls(needed: bool) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    if needed {
        // Some of them may be unreadable; those that are needed will be missed by name.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}

/// The client's errors say little by themselves.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
