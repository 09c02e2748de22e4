//! A TCP stream that waits only so long: for a reader who takes nothing, and for a head that comes by drops.
//!
//! Between two requests a connection may rest; once the first byte of a head is there, the rest of it has to follow.

use std::future::Future;
use std::io;
use std::io::IoSlice;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::Sleep;
use tokio::time::sleep;
use tokio::time::sleep_until;

/// Whether a request of the connection is being answered; its server says so, its stream asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answering(Arc<AtomicBool>);

impl Answering {
    /// From here on a request is answered, or from here on the next one is awaited.
    pub(crate) fn set(&self, is_answering: bool) {
        self.0.store(is_answering, Ordering::Release);
    }

    fn is(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// A TCP stream whose writes fail once the other side has taken nothing for a while, and whose reads fail once a
/// head has been on its way for too long.
#[derive(Debug)]
pub(crate) struct PatientStream {
    stream: TcpStream,
    patience: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    answering: Answering,
    head_time: Duration,
    /// Until when the head under way has to be there.
    head_due: Option<Instant>,
    late: Option<Pin<Box<Sleep>>>,
}

impl PatientStream {
    /// The head of the first request is due from now on: who connects wants something.
    pub(crate) fn new(
        stream: TcpStream,
        patience: Duration,
        head_time: Duration,
        answering: Answering,
    ) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
            answering,
            head_time,
            head_due: Some(Instant::now() + head_time),
            late: None,
        }
    }

    /// Whether a head that began is not there although its time is over. Wakes the reader when it will be.
    fn is_late(&mut self, context: &mut Context<'_>, has_come: bool) -> bool {
        if self.answering.is() {
            (self.head_due, self.late) = (None, None);
            return false;
        }
        let Some(due) = self.head_due else {
            if has_come {
                self.head_due = Some(Instant::now() + self.head_time);
            }
            return false;
        };
        if has_come {
            return due <= Instant::now();
        }
        let late = self.late.get_or_insert_with(|| Box::pin(sleep_until(due)));
        late.as_mut().poll(context).is_ready()
    }

    fn timed<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut TcpStream>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            self.stalled = None;
            return written;
        }
        let patience = self.patience;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(patience)));
        match stalled.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for PatientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let has_come = before < buffer.filled().len();
        let has_ended = read.is_ready() && !has_come;
        if !has_ended && self.is_late(context, has_come) {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl AsyncWrite for PatientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.timed(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.timed(context, |stream, context| {
            stream.poll_write_vectored(context, bytes)
        })
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.timed(context, |stream, context| stream.poll_shutdown(context))
    }
}
