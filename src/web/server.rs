//! The accept loop: HTTP/1.1 with limits of time, size and number, and an orderly end.
//!
//! The framework's own server has no limits, so slow or endless senders could take every connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::Service;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;
use tracing::debug;
use tracing::warn;

use crate::web::limits::Limits;
use crate::web::patient::Answering;
use crate::web::patient::PatientStream;
use crate::web::slots::Slots;

/// The most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;
/// The most headers of a request.
const HEADERS: usize = 100;
/// How long accepting rests where the system has no descriptor left.
const REST: Duration = Duration::from_millis(100);
/// What a connection too many is told.
const TOO_MANY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Why the web cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address cannot be taken.
    #[error("cannot listen on {listen}")]
    Address {
        /// Which.
        listen: SocketAddr,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Others can reach the address and anybody would be let in.
    #[error("{listen} can be reached by others: configure a token, or listen on 127.0.0.1")]
    Open {
        /// Which.
        listen: SocketAddr,
    },
}

/// An address that was taken.
#[derive(Debug)]
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
    limits: Limits,
}

impl Server {
    pub(crate) async fn bind(listen: SocketAddr, limits: Limits) -> Result<Self, BindError> {
        let failed = |source| BindError::Address { listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self {
            listener,
            address,
            limits,
        })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` turns true or its sender is gone.
    pub(crate) async fn serve(self, router: Router, mut stop: watch::Receiver<bool>) {
        let slots = Slots::new(self.limits.connections, self.limits.connections_per_address);
        let graceful = GracefulShutdown::new();
        let mut http = http1::Builder::new();
        http.timer(TokioTimer::new())
            // Runs while nothing is asked for too; the head itself is timed by the stream.
            .header_read_timeout(self.limits.idle_time.max(self.limits.header_time))
            .max_buf_size(HEAD_BYTES)
            .max_headers(HEADERS);
        let service = TowerToHyperService::new(router);
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                _stopped = stop.wait_for(|stop| *stop) => break,
            };
            let (stream, caller) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // A caller that was gone at once costs nothing; without descriptors only time helps.
                    if error.kind() != io::ErrorKind::ConnectionAborted {
                        warn!(%error, "Cannot accept connections.");
                        sleep(REST).await;
                    }
                    continue;
                }
            };
            let Some(slot) = slots.take(caller.ip()) else {
                refuse(&stream);
                continue;
            };
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "A connection was gone at once.");
            }
            let answering = Answering::default();
            let stream = PatientStream::new(
                stream,
                self.limits.stall_time,
                self.limits.header_time,
                answering.clone(),
            );
            let service = service.clone();
            let service = service_fn(move |request| {
                answering.set(true);
                let (answer, answering) = (service.call(request), answering.clone());
                async move {
                    let answer = answer.await;
                    answering.set(false);
                    answer
                }
            });
            let connection = graceful.watch(http.serve_connection(TokioIo::new(stream), service));
            tokio::spawn(async move {
                if let Err(error) = connection.await {
                    debug!(%error, %caller, "A connection ended early.");
                }
                drop(slot);
            });
        }
        drop(self.listener);
        if tokio::time::timeout(self.limits.stop_time, graceful.shutdown())
            .await
            .is_err()
        {
            warn!("Some callers did not end in time.");
        }
    }
}

/// Says no without waiting for anybody.
fn refuse(stream: &TcpStream) {
    if let Err(error) = stream.try_write(TOO_MANY) {
        debug!(%error, "A connection too many was gone at once.");
    }
}
