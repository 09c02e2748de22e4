//! Request: something to be written, answered when it is on the disk.

use std::future::Future;
use std::future::IntoFuture;
use std::pin::Pin;

use tokio::sync::mpsc;
use tokio::sync::oneshot;

use crate::vmdb::VmdbError;
use crate::vmdb::transaction::Transaction;
use crate::vmdb::writer::Command;
use crate::vmdb::writer::Job;

/// Something to be written. Nothing happens until it is awaited, or [`Request::wait`] or [`Request::submit`] is
/// called. An `Ok` means that it is on the disk; after an `Err` nothing of it is.
#[must_use = "nothing is written until the request is awaited, or `wait` or `submit` is called"]
pub struct Request<T> {
    sender: mpsc::Sender<Command>,
    job: Result<Box<dyn Job>, VmdbError>,
    answer: oneshot::Receiver<Answer<T>>,
}

impl<T> std::fmt::Debug for Request<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Request")
    }
}

/// A request on its way.
#[derive(Debug)]
#[must_use = "only its answer says whether it was written"]
pub struct Pending<T> {
    answer: oneshot::Receiver<Answer<T>>,
}

/// What the writer sends back.
#[derive(Debug)]
struct Answer<T> {
    result: Result<T, VmdbError>,
    spent: Spent,
}

/// The rows that were written. Whoever asked for it frees them: the writer has others to serve.
struct Spent(#[expect(dead_code, reason = "only kept until it is dropped")] Box<dyn Send>);

impl std::fmt::Debug for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Spent")
    }
}

impl<T> Answer<T> {
    fn open(self) -> Result<T, VmdbError> {
        drop(self.spent);
        self.result
    }
}

impl<T: Send + 'static> Request<T> {
    /// `work` runs on the writer's thread, and again where a first time came to nothing; `done` too, after the commit and before the answer.
    pub(crate) fn new(
        sender: &mpsc::Sender<Command>,
        weight: usize,
        work: impl FnMut(&mut Transaction<'_>) -> Result<T, VmdbError> + Send + 'static,
        done: impl FnOnce(&Result<T, VmdbError>) + Send + 'static,
    ) -> Self {
        let (answerer, answer) = oneshot::channel();
        let job = Work {
            weight,
            work,
            result: None,
            done,
            answerer,
        };
        Self {
            sender: sender.clone(),
            job: Ok(Box::new(job)),
            answer,
        }
    }

    /// A request that cannot even be made.
    pub(crate) fn failed(sender: &mpsc::Sender<Command>, error: VmdbError) -> Self {
        Self {
            sender: sender.clone(),
            job: Err(error),
            answer: oneshot::channel().1,
        }
    }

    /// Writes, and waits for it on a plain thread.
    ///
    /// # Errors
    /// When nothing was written.
    ///
    /// # Panics
    /// Within an async runtime, which it would block; await the request there.
    pub fn wait(self) -> Result<T, VmdbError> {
        self.submit()?.wait()
    }

    /// Hands the request over from a plain thread, waiting only while the writer has no room.
    ///
    /// # Errors
    /// When the writer has ended.
    ///
    /// # Panics
    /// Within an async runtime, as [`Request::wait`].
    pub fn submit(self) -> Result<Pending<T>, VmdbError> {
        let sent = self.sender.blocking_send(Command::Job(self.job?));
        sent.map_err(|_closed| ended())?;
        Ok(Pending { answer: self.answer })
    }
}

impl<T> Pending<T> {
    /// Whether the answer is there, so that [`Pending::wait`] waits no more.
    pub fn is_answered(&self) -> bool {
        !self.answer.is_empty()
    }

    /// Waits for the answer on a plain thread.
    ///
    /// # Errors
    /// When nothing was written.
    pub fn wait(self) -> Result<T, VmdbError> {
        self.answer
            .blocking_recv()
            .map_or_else(|_gone| Err(ended()), Answer::open)
    }
}

impl<T: Send + 'static> IntoFuture for Request<T> {
    type Output = Result<T, VmdbError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let sent = self.sender.send(Command::Job(self.job?)).await;
            sent.map_err(|_closed| ended())?;
            self.answer.await.map_or_else(|_gone| Err(ended()), Answer::open)
        })
    }
}

fn ended() -> VmdbError {
    VmdbError::unavailable("it is closed")
}

struct Work<T, W, D> {
    weight: usize,
    work: W,
    result: Option<T>,
    done: D,
    answerer: oneshot::Sender<Answer<T>>,
}

impl<T, W, D> Job for Work<T, W, D>
where
    T: Send,
    W: FnMut(&mut Transaction<'_>) -> Result<T, VmdbError> + Send + 'static,
    D: FnOnce(&Result<T, VmdbError>) + Send,
{
    fn weight(&self) -> usize {
        self.weight
    }

    fn run(&mut self, transaction: &mut Transaction<'_>) -> Result<(), VmdbError> {
        self.result = None;
        self.result = Some((self.work)(transaction)?);
        Ok(())
    }

    fn finish(self: Box<Self>, verdict: Result<(), VmdbError>) {
        let Self {
            work,
            result,
            done,
            answerer,
            ..
        } = *self;
        let result = verdict.and_then(|()| result.ok_or_else(ended));
        done(&result);
        let spent = Spent(Box::new(work));
        // Whoever asked may have stopped waiting; what is written stays written.
        drop(answerer.send(Answer { result, spent }));
    }
}
