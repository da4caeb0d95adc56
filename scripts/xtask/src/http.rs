//! Requests to a host on this machine, as small as they can be.

use anyhow::{Context, Result};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

/// A status and a body.
#[derive(Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// The whole body, as text.
    pub body: String,
}

/// Sends one request over a connection of its own. HTTP/1.0, so that the body ends where the connection does.
pub fn send(address: SocketAddr, verb: &str, path: &str, body: Option<&str>) -> Result<Reply> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let body = body.unwrap_or_default();
    write!(
        stream,
        "{verb} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    parse(&answer).with_context(|| format!("{verb} {path} answered {answer:?}"))
}

fn parse(answer: &str) -> Option<Reply> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Reply {
        status,
        body: body.to_owned(),
    })
}
