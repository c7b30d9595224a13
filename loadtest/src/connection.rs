//! One keep-alive connection to the server.
//!
//! Border: bytes over HTTP/1.1. A connection that broke is opened again, and the
//! request that it broke under counts as failed.

use std::net::SocketAddr;

use anyhow::Context as _;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderValue, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A request of the load: method, path with query, body.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) body: Bytes,
}

impl Call {
    pub(crate) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: Bytes::new() }
    }

    pub(crate) fn post(path: &str, body: Bytes) -> Self {
        Self { method: Method::POST, path: path.to_owned(), body }
    }
}

/// A connection, opened when it is first needed.
pub(crate) struct Connection {
    server: SocketAddr,
    host: HeaderValue,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    pub(crate) fn new(server: SocketAddr) -> anyhow::Result<Self> {
        let host = HeaderValue::from_str(&server.to_string())?;
        Ok(Self { server, host, sender: None })
    }

    /// Sends one request and reads the whole answer.
    pub(crate) async fn call(&mut self, call: Call) -> anyhow::Result<(StatusCode, Bytes)> {
        let mut sender = match self.sender.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.open().await?,
        };
        sender.ready().await?;
        let mut request =
            Request::builder().method(call.method).uri(call.path).header(HOST, self.host.clone());
        if !call.body.is_empty() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let answer = sender.send_request(request.body(Full::new(call.body))?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        self.sender = Some(sender);
        Ok((status, body))
    }

    async fn open(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.server).await.context("connecting")?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the sender; why it broke is told by the request.
        tokio::spawn(connection);
        Ok(sender)
    }
}
