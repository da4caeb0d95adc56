//! A native hello over HTTP/2 with mutual TLS 1.3 on bare hyper, and a client for it: what a call between two programs
//! costs that trust each other's certificates and nothing else.

use super::native;
use crate::{measurements::loops::runtime, server::Server};
use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full};
use hyper::{Request, Response, body::Incoming, client::conn::http2, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto,
};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    server::WebPkiClientVerifier,
    version::TLS13,
};
use std::{
    convert::Infallible,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// Whom the certificates name: both sides use the same one.
pub const NAME: &str = "localhost";
/// The first byte of a TLS handshake (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 22;

/// Starts the server as a process of its own. `certificates` holds `ca.crt`, `localhost.crt` and `localhost.key`.
pub fn start(folder: &Path, certificates: &Path) -> Result<Server> {
    let certificates = certificates.display().to_string();
    native::start_as("native-tls", &["--certificates", &certificates], folder)
}

/// Is the server, until the process ends. Without TLS it says that it is up, and nothing else.
pub fn serve(port: u16, certificates: &Path) -> Result<()> {
    let Files { roots, chain, key } = Files::read(certificates)?;
    let provider = Arc::new(ring::default_provider());
    let clients = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(clients.build()?)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    runtime()?.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            // A client that breaks off is its own affair; the load itself would show it.
            tokio::spawn(converse(stream, acceptor.clone()));
        }
    })
}

async fn converse(stream: TcpStream, acceptor: TlsAcceptor) -> Result<()> {
    let builder = auto::Builder::new(TokioExecutor::new());
    let hello = service_fn(async |_: Request<Incoming>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from_static(
            b"Hello, world!\n",
        ))))
    });
    let mut first = [0];
    stream.peek(&mut first).await?;
    let served = if first == [HANDSHAKE] {
        let stream = TokioIo::new(acceptor.accept(stream).await?);
        builder.serve_connection(stream, hello).await
    } else {
        builder.serve_connection(TokioIo::new(stream), hello).await
    };
    served.map_err(anyhow::Error::from_boxed)
}

/// A connection that callers share.
#[derive(Clone)]
pub struct Client(http2::SendRequest<Empty<Bytes>>);

impl Client {
    /// Connects. Needs a runtime around it, which drives the connection.
    pub async fn connect(server: SocketAddr, certificates: &Path) -> Result<Self> {
        let Files { roots, chain, key } = Files::read(certificates)?;
        let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_client_auth_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(NAME)?;
        let stream = TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await?;
        let (sender, connection) =
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self(sender))
    }

    /// One call, whose whole answer is read.
    pub async fn call(&mut self) -> Result<()> {
        let request = Request::get(format!("https://{NAME}/hello")).body(Empty::new())?;
        let response = self.0.send_request(request).await?;
        let status = response.status();
        ensure!(status == 200, "the native server answered {status}");
        let body = response.into_body().collect().await?.to_bytes();
        ensure!(!body.is_empty(), "the native server answered nothing");
        Ok(())
    }
}

struct Files {
    roots: RootCertStore,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Files {
    fn read(folder: &Path) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(folder.join("ca.crt"))?)?;
        let own = CertificateDer::from_pem_file(folder.join(format!("{NAME}.crt")))?;
        let key = PrivateKeyDer::from_pem_file(folder.join(format!("{NAME}.key")))
            .context("reading the key")?;
        Ok(Self {
            roots,
            chain: vec![own],
            key,
        })
    }
}
