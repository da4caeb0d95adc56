//! Requests to the world outside: one connection pool per app, and no address that the manifest does not grant.
//!
//! The name is checked against the allow list, then resolved once, and the addresses are checked before one of them is
//! dialled: a name that resolves to the inside of a network is no way in. Loopback, private and link-local addresses
//! need a grant that names them (an IP address, or `localhost`). Guests follow redirects themselves, so each hop passes
//! here again.

use crate::spans;
use berth_resources::{OutboundRule, Scheme};
use berth_telemetry::trace::Trace;
use futures::future::BoxFuture;
use http::{Request, Response, Uri};
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, Error as ClientError},
    rt::{TokioExecutor, TokioIo},
};
use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{net::TcpStream, sync::Semaphore};
use wasmtime_wasi_http::{Error, WasiBody};

/// Requests that one app may have under way.
const IN_FLIGHT_MAX: usize = 256;
/// Idle connections kept per destination.
const IDLE_MAX: usize = 16;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The way out of one app.
pub(crate) struct Egress {
    client: Client<HttpsConnector<Dial>, WasiBody>,
    in_flight: Arc<Semaphore>,
}

/// Whether a rule permits a destination, by its name.
pub(crate) fn permits(rule: &OutboundRule, uri: &Uri) -> bool {
    let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.host()) else {
        return false;
    };
    let default = if scheme == "https" { 443 } else { 80 };
    let port = uri.port_u16().unwrap_or(default);
    let scheme_fits = match rule.scheme {
        None => true,
        Some(Scheme::Http) => scheme == "http",
        Some(Scheme::Https) => scheme == "https",
    };
    scheme_fits && port == rule.port.unwrap_or(default) && host_fits(&rule.host, host)
}

fn host_fits(rule: &str, host: &str) -> bool {
    let host = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .to_ascii_lowercase();
    match rule.strip_prefix("*.") {
        _ if rule == "*" => true,
        Some(domain) => host
            .strip_suffix(domain)
            .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.')),
        None => rule.trim_start_matches('[').trim_end_matches(']') == host,
    }
}

/// Whether an address belongs to this machine or its network rather than to the public.
fn is_inside(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => is_inside_v4(v4),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped().or_else(|| v6.to_ipv4()) {
            Some(v4) if v6 != Ipv6Addr::LOCALHOST && v6 != Ipv6Addr::UNSPECIFIED => {
                is_inside_v4(v4)
            }
            _ => {
                v6.is_loopback()
                    || v6.is_unspecified()
                    || v6.is_multicast()
                    || v6.is_unique_local()
                    || v6.is_unicast_link_local()
            }
        },
    }
}

fn is_inside_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    address.is_loopback()
        || address.is_private()
        || address.is_link_local()
        || address.is_unspecified()
        || address.is_broadcast()
        || address.is_multicast()
        || first == 0
        // Shared address space (RFC 6598) and benchmarking (RFC 2544).
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
}

impl Egress {
    pub(crate) fn new(rules: &[OutboundRule]) -> Self {
        let tls = hyper_rustls::HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dial {
                rules: rules.into(),
            });
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_MAX)
            .build(tls);
        Self {
            client,
            in_flight: Arc::new(Semaphore::new(IN_FLIGHT_MAX)),
        }
    }

    /// Sends a request whose destination is allowed by name.
    pub(crate) async fn send(
        &self,
        mut request: Request<WasiBody>,
        trace: &Trace,
    ) -> Result<Response<WasiBody>, Error> {
        let permit = self
            .in_flight
            .clone()
            .try_acquire_owned()
            .map_err(|_| Error::ConnectionLimitReached)?;
        let span = spans::ask(trace, &mut request);
        let answer = self.client.request(request).await.map_err(error);
        spans::told(&span, &answer);
        let response = answer?;
        let hold = move |frame| {
            let _ = &permit;
            frame
        };
        Ok(response.map(|body| body.map_frame(hold).map_err(Error::Hyper).boxed_unsync()))
    }
}

/// What a failed request means to the guest.
fn error(error: ClientError) -> Error {
    let mut cause: Option<&dyn std::error::Error> = Some(&error);
    while let Some(source) = cause {
        if source.downcast_ref::<Prohibited>().is_some() {
            return Error::DestinationIpProhibited;
        }
        if let Some(io) = source.downcast_ref::<io::Error>() {
            if io.get_ref().is_some_and(|inner| inner.is::<Prohibited>()) {
                return Error::DestinationIpProhibited;
            }
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return Error::ConnectionRefused,
                io::ErrorKind::TimedOut => return Error::ConnectionTimeout,
                _ => {}
            }
        }
        cause = source.source();
    }
    if error.is_connect() {
        Error::DestinationUnavailable
    } else {
        Error::HttpProtocolError
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the address is not granted")]
struct Prohibited;

/// Resolves, checks, dials.
#[derive(Clone)]
struct Dial {
    rules: Arc<[OutboundRule]>,
}

impl Dial {
    /// A grant that names the machine itself or a literal address holds for inside addresses too.
    fn grants_inside(&self, host: &str, address: IpAddr) -> bool {
        self.rules.iter().any(|rule| {
            let literal = rule.host.trim_start_matches('[').trim_end_matches(']');
            literal
                .parse::<IpAddr>()
                .is_ok_and(|granted| granted == address && host_fits(literal, host))
                || (literal == "localhost" && host == "localhost" && address.is_loopback())
        })
    }

    async fn dial(self, uri: Uri) -> io::Result<TokioIo<TcpStream>> {
        let host = uri
            .host()
            .unwrap_or_default()
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let port = uri
            .port_u16()
            .unwrap_or(if uri.scheme_str() == Some("https") {
                443
            } else {
                80
            });
        let resolved: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), port))
            .await?
            .collect();
        let granted = |address: &SocketAddr| {
            !is_inside(address.ip()) || self.grants_inside(&host, address.ip())
        };
        let mut last = io::Error::new(io::ErrorKind::NotFound, format!("`{host}` has no address"));
        for address in resolved {
            if !granted(&address) {
                last = io::Error::new(io::ErrorKind::PermissionDenied, Prohibited);
                continue;
            }
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(TokioIo::new(stream));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last)
    }
}

impl tower_service::Service<Uri> for Dial {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<TcpStream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(scheme: Option<Scheme>, host: &str, port: Option<u16>) -> OutboundRule {
        OutboundRule {
            scheme,
            host: host.into(),
            port,
        }
    }

    #[test]
    fn a_rule_permits_what_it_names() {
        let https = rule(Some(Scheme::Https), "api.example.com", None);
        let any = rule(None, "*.example.com", Some(8080));
        let cases = [
            (&https, "https://api.example.com/x", true),
            (&https, "https://API.example.com:443/", true),
            (&https, "http://api.example.com/", false),
            (&https, "https://api.example.com:8443/", false),
            (&https, "https://api.example.com.evil.org/", false),
            (&any, "http://a.example.com:8080/", true),
            (&any, "http://a.b.example.com:8080/", true),
            (&any, "http://example.com:8080/", false),
            (&any, "http://badexample.com:8080/", false),
        ];
        for (rule, uri, expected) in cases {
            assert_eq!(permits(rule, &uri.parse().unwrap()), expected, "{uri}");
        }
    }

    #[test]
    fn addresses_of_the_inside_are_known_in_every_spelling() {
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "192.168.0.1",
            "169.254.169.254",
            "::1",
            "fd00::1",
            "fe80::1",
            "::ffff:127.0.0.1",
            "0.0.0.0",
            "::",
            "100.64.0.1",
        ] {
            assert!(is_inside(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8"] {
            assert!(!is_inside(outside.parse().unwrap()), "{outside}");
        }
    }
}
