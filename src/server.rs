//! The HTTP/1.1 listener: accept, bound, serve, drain.
//!
//! Border: connections, their places and their time limits. What a request means
//! is decided in `http`.

mod places;
mod upload;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::HeaderValue;
use http::header::CONNECTION;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_io_timeout::TimeoutStream;
use tower::ServiceExt as _;

use places::{Place, Places};
use upload::Upload;

/// File descriptors of whatever a server holds beside what it can count: listeners, log, SQLite's files,
/// the runtime's own.
const OTHER_FILES: usize = 128;

/// Connections that the system keeps for us until they are accepted, if it keeps so many at all
/// (`net.core.somaxconn`, 4,096 on Linux). Beyond the customary 128, clients that come at the same
/// time are not heard, and try again a second later.
const BACKLOG: u32 = 8_192;

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections that are open at a time. For one more, the one that has kept the
    /// server waiting for the longest time is closed; if there is none, the new one waits, and
    /// takes the place of the next that is answered.
    pub max_connections: usize,
    /// From the first byte of a request, or from its end to the next one, until
    /// all headers are there. Bounds slow headers and idle connections alike.
    pub header_timeout: Duration,
    /// Within which a client must take some more of an answer that is too large for the
    /// system's buffers.
    pub answer_timeout: Duration,
    /// Bytes of request line and headers; for more the answer is 431.
    pub max_header_bytes: usize,
    /// How long a shutdown waits for requests that are under way.
    pub drain_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 8_192,
            header_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(30),
            max_header_bytes: 64 << 10,
            drain_timeout: Duration::from_secs(15),
        }
    }
}

impl ConnectionLimits {
    /// Raises the process's limit of open files as far as it may, and lowers
    /// `max_connections` to what that leaves beside `other_connections`, those to the database and
    /// of other listeners: a server that runs out of descriptors loses its database, too.
    #[must_use]
    pub fn within_open_files(self, other_connections: usize) -> Self {
        let others = OTHER_FILES.saturating_add(other_connections) as u64;
        let wanted = (self.max_connections as u64).saturating_add(others);
        let open_files = match rlimit::increase_nofile_limit(wanted) {
            Ok(open_files) => open_files,
            Err(error) => {
                tracing::warn!(%error, "the limit of open files cannot be read or raised");
                return self;
            }
        };
        let left = open_files.saturating_sub(others).max(16);
        let max_connections = usize::try_from(left).unwrap_or(usize::MAX).min(self.max_connections);
        if max_connections < self.max_connections {
            tracing::warn!(
                max_connections,
                open_files,
                "fewer connections than asked for, because this process may not open more files"
            );
        }
        Self { max_connections, ..self }
    }
}

/// The address at the other end of a request's connection; an extension of each request.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub IpAddr);

/// Listens on `address`; on a free port if its port is 0.
///
/// # Errors
/// Those of the system: the address is in use, not this machine's, or may not be taken.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that starts anew need not wait until its predecessor's connections are forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves `router` on `listener` until `shutdown` completes, then finishes the
/// requests that are under way, and cuts what is left of them after the drain time. All of them
/// have ended when it returns.
pub async fn run(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Places::new(limits.max_connections);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        connections.spawn(serve(accepted, router.clone(), limits, &graceful));
        // Those that have ended would be kept until then.
        while connections.try_join_next().is_some() {}
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = limits.drain_timeout.as_secs(),
            "connections were still open after the drain time"
        );
    }
    // What is cut is told of in the log while somebody writes that.
    connections.shutdown().await;
}

/// A connection with its place.
struct Accepted {
    stream: TcpStream,
    peer: Peer,
    place: Place,
}

async fn accept(listener: &TcpListener, places: &Places) -> Accepted {
    loop {
        match listener.accept().await {
            // A place is looked for only now: nobody is closed for a connection that
            // does not come.
            Ok((stream, peer)) => {
                let place = places.take().await;
                return Accepted { stream, peer: Peer(peer.ip()), place };
            }
            Err(error) => {
                // Out of file descriptors, mostly: without a pause this loop would spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// What a client has taken is measured by what is written for it. By itself the system takes
/// megabytes at once, and then nothing until a third of them is gone: a client that reads steadily
/// would seem to have stopped.
fn keep_little_unsent(stream: &TcpStream) {
    // Other systems have no such bound, or none that can be set here.
    #[cfg(target_os = "linux")]
    let _ = socket2::SockRef::from(stream).set_tcp_notsent_lowat(64 << 10);
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

fn serve(
    accepted: Accepted,
    router: Router,
    limits: ConnectionLimits,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + use<> {
    let Accepted { stream, peer, place } = accepted;
    // Answers are small and wait for nothing: Nagle would only delay them.
    let _ = stream.set_nodelay(true);
    keep_little_unsent(&stream);
    let mut stream = TimeoutStream::new(stream);
    // Reading has time limits of its own, which know what is read.
    stream.set_write_timeout(Some(limits.answer_timeout));
    let turn = place.turn();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (router, turn) = (router.clone(), turn.clone());
        async move {
            let (parts, body) = request.into_parts();
            let body = Upload::watch(body, &parts.headers, turn.clone());
            let mut request = http::Request::from_parts(parts, Body::new(body));
            request.extensions_mut().insert(peer);
            let answer = router.oneshot(request).await;
            let mut answer = answer.unwrap_or_else(|never| match never {});
            if turn.gives_way() {
                metrics::counter!("indelible_evicted_connections").increment(1);
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            turn.is_the_clients();
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_header_size(limits.max_header_bytes)
        // Alone, this would let a head that comes at once be nearly twice as long.
        .max_buf_size(limits.max_header_bytes.max(8_192))
        .serve_connection(TokioIo::new(Box::pin(stream)), service);
    let connection = graceful.watch(connection);
    async move {
        tokio::select! {
            ended = connection => {
                if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended early");
                }
            }
            () = place.given_up() => {
                metrics::counter!("indelible_evicted_connections").increment(1);
                tracing::debug!("a connection was closed to make room for another one");
            }
        }
    }
}
