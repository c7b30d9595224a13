//! The HTTP/1.1 listener: accept, bound, serve, drain.
//!
//! Border: connections and their time limits. What a request means is decided
//! in `http`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bounds on connections.
#[derive(Clone, Copy, Debug)]
pub struct ConnectionLimits {
    /// Connections that are open at a time; more wait in the listen queue.
    pub max_connections: usize,
    /// From the first byte of a request, or from its end to the next one, until
    /// all headers are there. Bounds slow headers and idle connections alike.
    pub header_timeout: Duration,
    /// Bytes of request line and headers.
    pub max_header_bytes: usize,
    /// How long a shutdown waits for requests that are under way.
    pub drain_timeout: Duration,
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            max_connections: 8_192,
            header_timeout: Duration::from_secs(30),
            max_header_bytes: 64 << 10,
            drain_timeout: Duration::from_secs(15),
        }
    }
}

/// Serves `router` on `listener` until `shutdown` completes, then finishes the
/// requests that are under way.
pub async fn run(
    listener: TcpListener,
    router: Router,
    limits: ConnectionLimits,
    shutdown: impl Future<Output = ()>,
) {
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(limits.max_connections));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut shutdown => break,
        };
        let (stream, place) = accepted;
        serve(stream, place, router.clone(), limits, &graceful);
    }
    drop(listener);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = limits.drain_timeout.as_secs(),
            "connections were still open after the drain time"
        );
    }
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                // Out of file descriptors, mostly: without a pause this loop would spin.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn serve(
    stream: TcpStream,
    place: Option<OwnedSemaphorePermit>,
    router: Router,
    limits: ConnectionLimits,
    graceful: &GracefulShutdown,
) {
    // Answers are small and wait for nothing: Nagle would only delay them.
    let _ = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header_timeout)
        .max_buf_size(limits.max_header_bytes.max(8_192))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let connection = graceful.watch(connection);
    tokio::spawn(async move {
        let _place = place;
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a connection ended early");
        }
    });
}
