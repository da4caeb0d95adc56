//! Services outside under an app ID, and the order in which a host looks for an app.

#![allow(clippy::unwrap_used, reason = "a test may fail by a panic")]

mod support;

use berth_blocks::invocation::{Body, Invoke, InvokeError};
use berth_mesh::{Gate, HttpEndpoints, Router, ServerLimits, TrustDomain};
use berth_resources::{HttpEndpoint, LoadOptions, Secret, Source, load};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{RootCertStore, ServerConfig, crypto::ring, server::WebPkiClientVerifier};
use std::{convert::Infallible, net::SocketAddr, sync::Arc};
use support::*;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

/// Says what it was asked.
async fn echo(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let line = format!(
        "{:?} {} {}",
        request.version(),
        request.method(),
        request.uri()
    );
    let headers = shown(request.headers());
    let sent = request.into_body().collect().await.unwrap().to_bytes();
    let sent = String::from_utf8_lossy(&sent).into_owned();
    Ok(Response::new(body(format!("{line} | {headers} | {sent}"))))
}

fn shown(headers: &HeaderMap) -> String {
    let mut lines: Vec<_> = headers
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "host" | "traceparent" | "baggage"))
        .map(|(name, value)| format!("{name}={}", value.to_str().unwrap()))
        .collect();
    lines.sort();
    lines.join(" ")
}

async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let builder = auto::Builder::new(TokioExecutor::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service_fn(echo));
    let _ = connection.await;
}

async fn plain_service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// An authority in PEM, and what it issues.
struct Authority {
    params: CertificateParams,
    key: KeyPair,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { params, key, pem }
    }

    fn issue(&self, name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let issuer = Issuer::from_params(&self.params, &self.key);
        (params.signed_by(&key, &issuer).unwrap(), key)
    }
}

/// A service that wants to see a certificate of the authority.
async fn tls_service(authority: &Authority) -> SocketAddr {
    let (certificate, key) = authority.issue("127.0.0.1");
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    let root = authority.params.self_signed(&authority.key).unwrap();
    roots.add(root.der().clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(clients.build().unwrap())
        .with_single_cert(vec![certificate.der().clone()], key.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(stream) = acceptor.accept(stream).await {
                tokio::spawn(serve(stream));
            }
        }
    });
    address
}

fn document(spec: &str) -> HttpEndpoint {
    let text = format!(
        "apiVersion: dapr.io/v1alpha1\nkind: HTTPEndpoint\nmetadata: {{ name: stripe, namespace: shop }}\n{spec}"
    );
    let source = Source::Text {
        name: "stripe.yaml".into(),
        text,
    };
    let mut loaded = load(&[source], &LoadOptions::default());
    assert!(!loaded.has_errors(), "{:?}", loaded.diagnostics);
    loaded.resources.http_endpoints.remove(0)
}

/// A host with one app and this service.
fn router(spec: &str, secret: impl Fn(&str, &str) -> Option<String>) -> Router {
    let gate = Gate::new(Apps::echo(&["inventory"]), TrustDomain::default());
    let router = Router::new(Arc::new(gate));
    let find = |_: &HttpEndpoint, name: &str, key: &str| secret(name, key).map(Secret::new);
    let endpoints = HttpEndpoints::open(&[document(spec)], &find);
    router.set_endpoints(endpoints.unwrap());
    router
}

fn no_secrets(_: &str, _: &str) -> Option<String> {
    None
}

#[tokio::test]
async fn a_service_is_called_under_its_base_url_with_its_headers() {
    let address = plain_service().await;
    let spec = format!(
        "spec:\n  baseUrl: http://{address}/v1/\n  headers:\n    - {{ name: x-key, secretKeyRef: {{ name: api, key: \
         token }} }}\n    - {{ name: x-own, value: set }}\n"
    );
    let router = router(&spec, |name, key| Some(format!("{name}-{key}")));
    let request = Request::post("/charges?n=1")
        .header("x-own", "of the app")
        .header("x-app", "1")
        .header("berth-caller", "x")
        .header("connection", "close")
        .header("host", "inventory")
        .body(body("money"));
    let answer = router
        .invoke(&caller("orders"), &app("stripe"), request.unwrap())
        .await;
    assert_eq!(
        text(answer.unwrap()).await,
        "HTTP/1.1 POST /v1/charges?n=1 | content-length=5 x-app=1 x-key=api-token x-own=set | money"
    );
}

#[tokio::test]
async fn a_service_has_an_authority_of_its_own_and_sees_our_certificate() {
    let authority = Authority::new();
    let address = tls_service(&authority).await;
    let (certificate, key) = authority.issue("orders");
    let spec = format!(
        "spec:\n  baseUrl: https://{address}\n  clientTLS:\n    rootCA: {{ secretKeyRef: {{ name: tls, key: ca }} }}\n    \
         certificate: {{ secretKeyRef: {{ name: tls, key: crt }} }}\n    privateKey: {{ secretKeyRef: {{ name: tls, \
         key: key }} }}\n    renegotiation: Never\n"
    );
    let secrets = |_: &str, key_name: &str| {
        Some(match key_name {
            "ca" => authority.pem.clone(),
            "crt" => certificate.pem(),
            _ => key.serialize_pem(),
        })
    };
    let answer = router(&spec, secrets)
        .invoke(&caller("orders"), &app("stripe"), get("/"))
        .await;
    let answer = text(answer.unwrap()).await;
    assert!(
        answer.starts_with("HTTP/2.0 GET https://127.0.0.1:"),
        "{answer}"
    );
    // The system's authorities do not know it.
    let spec = format!("spec: {{ baseUrl: \"https://{address}\" }}\n");
    let called = router_error(&spec).await;
    assert!(
        matches!(&called, InvokeError::Undelivered(text) if text.starts_with("HTTPEndpoint \"stripe\": ")),
        "{called:?}"
    );
}

async fn router_error(spec: &str) -> InvokeError {
    let called = router(spec, no_secrets)
        .invoke(&caller("orders"), &app("stripe"), get("/"))
        .await;
    called.map(drop).unwrap_err()
}

#[tokio::test]
async fn scopes_say_who_may_call_it() {
    let address = plain_service().await;
    let router = router(
        &format!("spec: {{ baseUrl: \"http://{address}\" }}\nscopes: [orders]\n"),
        no_secrets,
    );
    let answer = router
        .invoke(&caller("orders"), &app("stripe"), get("/"))
        .await;
    assert!(answer.is_ok());
    let called = router
        .invoke(&caller("carts"), &app("stripe"), get("/"))
        .await;
    assert_eq!(
        called.map(drop),
        Err(InvokeError::Denied(
            "app \"carts\" may not call HTTPEndpoint \"stripe\": its scopes do not name it"
                .to_owned()
        ))
    );
    let called = router
        .invoke(&caller("orders"), &app("stripe.other"), get("/"))
        .await;
    assert!(matches!(called.map(drop), Err(InvokeError::NotFound(_))));
}

#[test]
fn what_is_wrong_with_secrets_is_told_at_its_place() {
    let told = |spec: &str, secret: Option<&str>| {
        let find = |_: &HttpEndpoint, _: &str, _: &str| secret.map(|text| Secret::new(text.into()));
        let findings = HttpEndpoints::open(&[document(spec)], &find)
            .map(drop)
            .unwrap_err();
        findings[0].to_string()
    };
    let header =
        "spec:\n  baseUrl: https://a\n  headers:\n    - { name: x, secretKeyRef: { name: api } }\n";
    assert_eq!(
        told(header, None),
        "stripe.yaml:7:7: error: `x`: no secret `api` with a field `api`"
    );
    assert_eq!(
        told(header, Some("two\nlines")),
        "stripe.yaml:7:7: error: `x`: this is no header: line breaks cannot be sent"
    );
    let tls =
        "spec:\n  baseUrl: https://a\n  clientTLS:\n    rootCA: { secretKeyRef: { name: ca } }\n";
    assert_eq!(
        told(tls, Some("no PEM")),
        "stripe.yaml:7:5: error: `rootCA`: expected certificates in PEM"
    );
}

#[tokio::test]
async fn an_app_of_this_host_comes_first_then_a_service_then_other_hosts() {
    let fleet = Fleet::new();
    let host = fleet
        .host_with(
            &["carts", "inventory"],
            Apps::echo(&["carts", "inventory"]),
            ServerLimits::default(),
        )
        .await;
    let address = plain_service().await;
    let router = router(
        &format!("spec: {{ baseUrl: \"http://{address}\" }}\n"),
        no_secrets,
    );
    let status = async |name: &str| {
        let answer = router.invoke(&caller("orders"), &app(name), get("/")).await;
        answer.map(drop)
    };
    assert!(status("inventory").await.is_ok());
    assert!(status("stripe").await.is_ok());
    assert!(matches!(
        status("carts").await,
        Err(InvokeError::NotFound(_))
    ));
    router.set_mesh(Some(fleet.mesh(&["orders"], &[host.address]).await));
    assert!(status("carts").await.is_ok());
    assert_eq!(
        host.serving.connections(),
        1,
        "only the last call left the host"
    );
}
