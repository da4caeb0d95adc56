//! `HTTPEndpoint`: a service outside, called like an app.

use crate::headers::strip;
use berth_blocks::{
    Caller,
    invocation::{Body, BodyError, InvokeError, Target},
};
use berth_resources::{
    AppId, ClientTls, Diagnostic, HttpEndpoint, MetadataItem, MetadataValue, Namespace, Secret,
    Severity,
};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{collections::HashMap, error::Error, sync::Arc, time::Duration};

/// The longest that a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A connection without requests is closed after this time.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// The services outside that apps may call.
#[derive(Default)]
pub struct HttpEndpoints(HashMap<Target, Arc<Endpoint>>);

impl HttpEndpoints {
    /// Prepares the services of these documents; nothing is connected yet. `secret` gives a field of a secret of a
    /// document's store.
    ///
    /// # Errors
    /// All that is wrong with secrets and certificates, at file, line and column.
    pub fn open(
        documents: &[HttpEndpoint],
        secret: &dyn Fn(&HttpEndpoint, &str, &str) -> Option<Secret>,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut endpoints = HashMap::new();
        let mut findings = Vec::new();
        for document in documents {
            let values = |name: &str, key: &str| secret(document, name, key);
            match Endpoint::open(document, &values) {
                Ok(endpoint) => {
                    let target = Target {
                        namespace: document.namespace.clone(),
                        app: document.name.clone(),
                    };
                    endpoints.insert(target, Arc::new(endpoint));
                }
                Err(finding) => findings.push(finding),
            }
        }
        if findings.is_empty() {
            Ok(Self(endpoints))
        } else {
            Err(findings)
        }
    }

    /// Names of those that an app may call, sorted.
    pub(crate) fn open_to(&self, namespace: &Namespace, app: &AppId) -> Vec<String> {
        let endpoints = self.0.iter();
        let open = endpoints.filter(|(target, endpoint)| {
            target.namespace == *namespace && endpoint.is_open_to(app)
        });
        let mut names: Vec<_> = open.map(|(target, _)| target.app.to_string()).collect();
        names.sort();
        names
    }

    /// The service under an app ID.
    pub(crate) fn find(&self, target: &Target) -> Option<Arc<Endpoint>> {
        self.0.get(target).cloned()
    }
}

type Secrets<'s> = dyn Fn(&str, &str) -> Option<Secret> + 's;

/// One service.
pub(crate) struct Endpoint {
    name: AppId,
    base_url: String,
    headers: HeaderMap,
    scopes: Vec<AppId>,
    client: Client<HttpsConnector<HttpConnector>, Body>,
}

impl Endpoint {
    fn open(document: &HttpEndpoint, secrets: &Secrets<'_>) -> Result<Self, Diagnostic> {
        let mut headers = HeaderMap::new();
        for item in &document.headers {
            let name = HeaderName::from_bytes(item.name.as_bytes());
            let value = HeaderValue::from_str(&text(item, secrets)?);
            let (Ok(name), Ok(mut value)) = (name, value) else {
                return Err(wrong(item, "this is no header: line breaks cannot be sent"));
            };
            value.set_sensitive(true);
            headers.append(name, value);
        }
        let tls = tls(document, secrets)?;
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        http.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(http);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Ok(Self {
            name: document.name.clone(),
            base_url: document.base_url.clone(),
            headers,
            scopes: document.scopes.clone(),
            client,
        })
    }

    fn is_open_to(&self, app: &AppId) -> bool {
        self.scopes.is_empty() || self.scopes.contains(app)
    }

    /// Sends a request to the service: its path behind that of the base URL.
    pub async fn call(
        &self,
        caller: &Caller,
        request: Request<Body>,
    ) -> Result<Response<Body>, InvokeError> {
        if !self.is_open_to(&caller.app) {
            return Err(InvokeError::Denied(format!(
                "app \"{}\" may not call HTTPEndpoint \"{}\": its scopes do not name it",
                caller.app, self.name
            )));
        }
        let request = self.prepare(caller, request)?;
        let answer = self.client.request(request);
        match tokio::time::timeout_at(caller.deadline.into(), answer).await {
            Ok(Ok(mut response)) => {
                strip(response.headers_mut());
                Ok(response.map(|body| body.map_err(BodyError::from).boxed_unsync()))
            }
            Ok(Err(error)) => {
                let text = format!("HTTPEndpoint \"{}\": {}", self.name, chain(&error));
                Err(if error.is_connect() {
                    InvokeError::Undelivered(text)
                } else {
                    InvokeError::Unavailable(text)
                })
            }
            Err(_) => Err(InvokeError::Timeout(format!(
                "HTTPEndpoint \"{}\" had no answer before the deadline of the call",
                self.name
            ))),
        }
    }

    fn prepare(
        &self,
        caller: &Caller,
        request: Request<Body>,
    ) -> Result<Request<Body>, InvokeError> {
        let (mut head, body) = request.into_parts();
        let path = head.uri.path_and_query().map_or("/", |path| path.as_str());
        let uri = format!("{}{path}", self.base_url);
        head.uri = uri
            .parse::<Uri>()
            .map_err(|error| InvokeError::Invalid(error.to_string()))?;
        head.version = http::Version::default();
        head.extensions.clear();
        strip(&mut head.headers);
        // The service's own name, from the URL.
        head.headers.remove(header::HOST);
        caller.trace.inject(&mut head.headers);
        for name in self.headers.keys() {
            head.headers.remove(name);
        }
        for (name, value) in &self.headers {
            head.headers.append(name, value.clone());
        }
        Ok(Request::from_parts(head, body))
    }
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

fn text(item: &MetadataItem, secrets: &Secrets<'_>) -> Result<String, Diagnostic> {
    match &item.value {
        MetadataValue::Plain(text) => Ok(text.clone()),
        MetadataValue::Env(secret) => Ok(secret.reveal().to_owned()),
        MetadataValue::SecretRef { name, key } => {
            let secret = secrets(name, key).map(|secret| secret.reveal().to_owned());
            secret.ok_or_else(|| wrong(item, &format!("no secret `{name}` with a field `{key}`")))
        }
    }
}

fn tls(document: &HttpEndpoint, secrets: &Secrets<'_>) -> Result<ClientConfig, Diagnostic> {
    let none = ClientTls::default();
    let given = document.client_tls.as_ref().unwrap_or(&none);
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| at(document, &error.to_string()))?
        .with_root_certificates(roots(given, secrets)?);
    let (Some(certificate), Some(key)) = (&given.certificate, &given.private_key) else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate, secrets)?;
    let private = PrivateKeyDer::from_pem_slice(text(key, secrets)?.as_bytes())
        .map_err(|_| wrong(key, "expected a private key in PEM"))?;
    builder
        .with_client_auth_cert(chain, private)
        .map_err(|error| wrong(certificate, &error.to_string()))
}

/// The authority of the document, else those of the system.
fn roots(given: &ClientTls, secrets: &Secrets<'_>) -> Result<RootCertStore, Diagnostic> {
    let mut roots = RootCertStore::empty();
    let Some(item) = &given.root_ca else {
        // Some of the system's may be unreadable; those that are needed will be missed by name.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        return Ok(roots);
    };
    for certificate in certificates(item, secrets)? {
        let added = roots.add(certificate);
        added.map_err(|error| wrong(item, &error.to_string()))?;
    }
    Ok(roots)
}

fn certificates(
    item: &MetadataItem,
    secrets: &Secrets<'_>,
) -> Result<Vec<CertificateDer<'static>>, Diagnostic> {
    let text = text(item, secrets)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(wrong(item, "expected certificates in PEM")),
    }
}

fn wrong(item: &MetadataItem, message: &str) -> Diagnostic {
    Diagnostic {
        origin: item.origin.clone(),
        severity: Severity::Error,
        message: format!("`{}`: {message}", item.name),
        hint: None,
    }
}

fn at(document: &HttpEndpoint, message: &str) -> Diagnostic {
    Diagnostic {
        origin: document.origin.clone(),
        severity: Severity::Error,
        message: message.to_owned(),
        hint: None,
    }
}
