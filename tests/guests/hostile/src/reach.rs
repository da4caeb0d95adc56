//! Tries to reach what is outside.

use crate::bindings::wasi::http::outgoing_handler;
use crate::bindings::wasi::http::types::{
    ErrorCode, Fields, OutgoingRequest, ResponseOutparam, Scheme,
};
use crate::bindings::wasi::random::random::get_random_bytes;
use crate::http::answer;
use std::net::TcpStream;
use std::{env, fs, io};

pub fn environment(outparam: ResponseOutparam) {
    let lines: Vec<_> = env::vars()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    answer(outparam, 200, &lines.join("\n"));
}

pub fn file(outparam: ResponseOutparam, path: &str) {
    match fs::read_to_string(path).or_else(|_| folder(path)) {
        Ok(content) => answer(outparam, 200, &content),
        Err(error) => answer(outparam, 403, &error.to_string()),
    }
}

fn folder(path: &str) -> io::Result<String> {
    let names: io::Result<Vec<_>> = fs::read_dir(path)?
        .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
        .collect();
    Ok(names?.join("\n"))
}

pub fn connect(outparam: ResponseOutparam, url: &str) {
    match get(url) {
        Ok(status) => answer(outparam, 200, &status.to_string()),
        Err(error) => answer(outparam, 502, &format!("{error:?}")),
    }
}

fn get(url: &str) -> Result<u16, ErrorCode> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let scheme = if scheme == "https" {
        Scheme::Https
    } else {
        Scheme::Http
    };
    let request = OutgoingRequest::new(Fields::new());
    let well_formed = request.set_scheme(Some(&scheme)).is_ok()
        && request.set_authority(Some(authority)).is_ok()
        && request.set_path_with_query(Some(path)).is_ok();
    if !well_formed {
        return Err(ErrorCode::HttpRequestUriInvalid);
    }
    let answer = outgoing_handler::handle(request, None)?;
    answer.subscribe().block();
    let answer = answer
        .get()
        .expect("it is ready")
        .expect("it is taken once")?;
    Ok(answer.status())
}

pub fn sockets(outparam: ResponseOutparam, address: &str) {
    match TcpStream::connect(address) {
        Ok(_) => answer(outparam, 200, "connected"),
        Err(error) => answer(outparam, 403, &error.to_string()),
    }
}

pub fn random(outparam: ResponseOutparam) {
    let digits: String = get_random_bytes(16)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    answer(outparam, 200, &digits);
}
