//! HTTP/1.1 by hand, for clients that no library is: slow ones, silent ones, ten thousand at once.

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

/// Longer than a host lets a client wait.
const BOUND: Duration = Duration::from_secs(60);
const HEAD_BYTES_MAX: usize = 64 << 10;

/// One connection.
#[derive(Debug)]
pub struct Wire(BufReader<TcpStream>);

impl Wire {
    /// Connects, and nothing more.
    ///
    /// # Errors
    /// Nobody accepts.
    pub async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await;
        Ok(Self(BufReader::new(
            stream.with_context(|| format!("connecting to {address}"))?,
        )))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The host closed the connection.
    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        self.0
            .get_mut()
            .write_all(bytes.as_ref())
            .await
            .context("sending")
    }

    /// Sends a request without a body.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub async fn get(&mut self, path: &str) -> Result<()> {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n"))
            .await
    }

    /// Sends a request with a body.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub async fn post(&mut self, path: &str, body: &str) -> Result<()> {
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n");
        self.send(head + body).await
    }

    /// Sends the head of a request whose body follows in chunks.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub async fn begin(&mut self, path: &str) -> Result<()> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        self.send(head).await
    }

    /// Sends a chunk of a body; an empty one ends it.
    ///
    /// # Errors
    /// As [`Wire::send`].
    pub async fn send_chunk(&mut self, data: &[u8]) -> Result<()> {
        let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
        chunk.extend_from_slice(data);
        chunk.extend_from_slice(b"\r\n");
        self.send(chunk).await
    }

    /// Whether that much can be sent before the host stops taking it.
    pub async fn takes(&mut self, data: &[u8], within: Duration) -> bool {
        matches!(timeout(within, self.send_chunk(data)).await, Ok(Ok(())))
    }

    /// The head of an answer.
    ///
    /// # Errors
    /// None comes.
    pub async fn head(&mut self) -> Result<Head> {
        let mut text = Vec::new();
        while !text.ends_with(b"\r\n\r\n") {
            ensure!(text.len() < HEAD_BYTES_MAX, "a head without end");
            text.push(self.byte().await.context("reading the head of an answer")?);
        }
        let text = String::from_utf8_lossy(&text).into_owned();
        let status = text
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok());
        Ok(Head {
            status: status.with_context(|| format!("no status in {text}"))?,
            text,
        })
    }

    /// The body of an answer whose head gives its length.
    ///
    /// # Errors
    /// It does not, or the body breaks off.
    pub async fn body(&mut self, head: &Head) -> Result<String> {
        let length = head.header("content-length").parse();
        let mut body = vec![0; length.context("an answer without a length")?];
        let read = timeout(BOUND, self.0.read_exact(&mut body)).await;
        read.context("the host is silent")?
            .context("reading a body")?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }

    /// The next chunk of an answer; empty at its end.
    ///
    /// # Errors
    /// The answer breaks off.
    pub async fn chunk(&mut self) -> Result<Vec<u8>> {
        let mut size = Vec::new();
        while !size.ends_with(b"\r\n") {
            size.push(self.byte().await.context("reading the size of a chunk")?);
        }
        let size = String::from_utf8_lossy(&size);
        let size =
            usize::from_str_radix(size.trim(), 16).with_context(|| format!("chunk size {size}"))?;
        let mut chunk = vec![0; size + 2];
        timeout(BOUND, self.0.read_exact(&mut chunk))
            .await?
            .context("reading a chunk")?;
        chunk.truncate(size);
        Ok(chunk)
    }

    /// Reads until the host closes the connection; how many bytes came.
    ///
    /// # Errors
    /// It does not close it.
    pub async fn read_to_end(&mut self) -> Result<Vec<u8>> {
        let mut rest = Vec::new();
        let read = timeout(BOUND, self.0.read_to_end(&mut rest)).await;
        // A reset is an end, too.
        let _ = read.context("the host keeps the connection")?;
        Ok(rest)
    }

    async fn byte(&mut self) -> Result<u8> {
        let byte = timeout(BOUND, self.0.read_u8()).await;
        byte.context("the host is silent")?
            .context("the host closed the connection")
    }
}

/// The head of an answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// The status.
    pub status: u16,
    text: String,
}

impl Head {
    /// A header; empty if it is absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        let mut lines = self
            .text
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(':'));
        let found = lines.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim()).unwrap_or_default()
    }
}

/// Raises the limit of open files of this process as far as it may go, and tells how far that is.
///
/// # Errors
/// The kernel refuses.
pub fn raise_file_limit() -> Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("raising the limit of open files")?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}
