//! One request over a connection of its own.

use anyhow::{Context, Result, bail};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Asks for a path and returns the body of an answer with status 200.
pub fn get(address: SocketAddr, path: &str, patience: Duration) -> Result<String> {
    let (status, body) = send(address, "GET", path, "", patience)?;
    if status != "200" {
        bail!("GET {path} answered {status}: {body}");
    }
    Ok(body)
}

/// Sends JSON; the answer must have status 204.
pub fn post(address: SocketAddr, path: &str, json: &str, patience: Duration) -> Result<()> {
    let (status, body) = send(address, "POST", path, json, patience)?;
    if status != "204" {
        bail!("POST {path} answered {status}: {body}");
    }
    Ok(())
}

/// Status and body of the answer.
fn send(
    address: SocketAddr,
    method: &str,
    path: &str,
    body: &str,
    patience: Duration,
) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(patience))?;
    let length = body.len();
    // HTTP/1.0: the body ends where the connection does.
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nhost: {address}\r\ncontent-length: {length}\r\n\r\n{body}"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer
        .split_once("\r\n\r\n")
        .with_context(|| format!("{method} {path} answered {answer:?}"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    Ok((status.to_owned(), body.to_owned()))
}
