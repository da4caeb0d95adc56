//! Who may call the admin API: whoever can read the token in `host.json`, from a client that means this machine.

use super::{AdminState, error::ApiError};
use crate::token;
use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use http::{StatusCode, header};
use rand::RngExt;
use std::{fmt, net::IpAddr, sync::Arc};

/// A random token: 256 bits in hexadecimal digits.
#[derive(Clone)]
pub struct AdminToken(String);

impl AdminToken {
    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        let bytes: [u8; 32] = rand::rng().random();
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The token as clients send it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    fn matches(&self, given: &[u8]) -> bool {
        token::matches(self.0.as_bytes(), given)
    }
}

impl fmt::Debug for AdminToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

pub(super) async fn require_token(
    State(state): State<Arc<AdminState>>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let given = request.headers().get(header::AUTHORIZATION);
    let given = given.and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    if given.is_some_and(|given| state.token.matches(given)) {
        Ok(next.run(request).await)
    } else {
        Err(ApiError::new(
            StatusCode::UNAUTHORIZED,
            "ERR_UNAUTHORIZED",
            "expected `authorization: Bearer <token>` with the token of this host's host.json",
        ))
    }
}

/// A name that an attacker's DNS could point at this machine is refused; addresses and `localhost` are not.
pub(super) async fn require_local_host(request: Request, next: Next) -> Result<Response, ApiError> {
    let host = request.headers().get(header::HOST);
    let host = host.and_then(|value| value.to_str().ok());
    if host.is_some_and(means_this_machine) {
        Ok(next.run(request).await)
    } else {
        Err(ApiError::new(
            StatusCode::FORBIDDEN,
            "ERR_FORBIDDEN_HOST",
            "the Host header must be localhost or an address",
        ))
    }
}

fn means_this_machine(host: &str) -> bool {
    let name = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_localhost_mean_this_machine() {
        for host in [
            "localhost",
            "LocalHost:9090",
            "127.0.0.1:9090",
            "[::1]:9090",
            "10.0.0.7",
        ] {
            assert!(means_this_machine(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example:9090",
            "127.0.0.1.nip.io",
        ] {
            assert!(!means_this_machine(host), "{host}");
        }
    }

    #[test]
    fn a_token_matches_itself_only() {
        let (one, other) = (AdminToken::generate(), AdminToken::generate());
        assert!(one.matches(one.reveal().as_bytes()));
        assert!(!one.matches(other.reveal().as_bytes()));
        assert!(!one.matches(&one.reveal().as_bytes()[..10]));
        assert_eq!(format!("{one:?}"), "***");
    }
}
