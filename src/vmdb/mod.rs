//! stub, replaced by the merge
#![allow(
    missing_docs,
    clippy::allow_attributes,
    clippy::allow_attributes_without_reason,
    clippy::missing_errors_doc,
    unused
)]

use std::future::{Future, IntoFuture, Ready, ready};
use std::sync::Arc;

use parking_lot::Mutex;

use crate::model::clock::{Clock, Timestamp};
use crate::model::delivery::RulesId;
use crate::model::ems::{Ems, EmsId};
use crate::model::event::{EventHash, EventId, NativeEvent};

#[derive(Clone, Debug, thiserror::Error)]
pub enum VmdbError {
    #[error("unavailable: {reason}")]
    Unavailable { reason: String },
}
impl VmdbError {
    pub fn is_temporary(&self) -> bool {
        true
    }
}

#[derive(Debug)]
pub struct Request<T>(Result<T, VmdbError>);
impl<T> Request<T> {
    pub fn wait(self) -> Result<T, VmdbError> {
        self.0
    }
}
impl<T> IntoFuture for Request<T> {
    type Output = Result<T, VmdbError>;
    type IntoFuture = Ready<Self::Output>;
    fn into_future(self) -> Self::IntoFuture {
        ready(self.0)
    }
}

#[derive(Debug, Default)]
pub struct Put {
    pub messages: Vec<NewMessage>,
    pub filtered: Vec<Filtered>,
}
#[derive(Debug)]
pub struct Filtered {
    pub ems_id: EmsId,
    pub count: u64,
}
#[derive(Debug)]
pub enum NewMessage {
    Add {
        ems_id: EmsId,
        hash: EventHash,
        received_at: Timestamp,
    },
    Unparsed {
        ems_id: EmsId,
        native: NativeEvent,
        reason: String,
        rules_id: RulesId,
        received_at: Timestamp,
    },
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageId(pub i64);
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutOutcome {
    Queued(MessageId),
    Duplicate(EventId),
}

#[derive(Clone, Debug, Default)]
pub struct Vmdb(Arc<Mutex<(Vec<Arc<Ems>>, Vec<NewMessage>)>>);
impl Vmdb {
    pub fn put(&self, put: impl Into<Put>) -> Request<Vec<PutOutcome>> {
        let mut inner = self.0.lock();
        let outcomes = put.into().messages.into_iter().map(|message| {
            inner.1.push(message);
            PutOutcome::Queued(MessageId(1))
        });
        Request(Ok(outcomes.collect()))
    }
    pub fn ems_by_name(&self, name: &str) -> Result<Option<Arc<Ems>>, VmdbError> {
        Ok(self.0.lock().0.iter().find(|ems| &*ems.name == name).cloned())
    }
    pub fn ems_list(&self) -> Result<Vec<Ems>, VmdbError> {
        Ok(self.0.lock().0.iter().map(|ems| (**ems).clone()).collect())
    }
    pub fn health(&self) -> Result<(), String> {
        Ok(())
    }
    pub fn room(&self) -> usize {
        1
    }
    pub fn waiting(&self) -> u64 {
        0
    }
}
