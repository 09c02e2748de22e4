//! Ems: one managed provider, ManageIQ's ExtManagementSystem.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::value::{Record, Value};

/// The number of a managed provider in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EmsId(pub i64);

impl fmt::Display for EmsId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One managed provider: a name, and the folder of scripts that knows its kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ems {
    /// Its number in the database.
    pub id: EmsId,
    /// The user's name for it; unique.
    pub name: Arc<str>,
    /// Its kind, for example `awesome_cloud`: the name of a folder under `scripts/`.
    #[serde(rename = "type")]
    pub provider: Arc<str>,
    /// Where its API answers, for providers that are polled or collected from.
    pub url: Option<String>,
    /// Where its credentials are found, `env:NAME` or `file:PATH`; never the credentials themselves.
    pub credentials: Option<String>,
    /// Whether it takes part: a disabled one keeps its rows and has no catcher.
    pub enabled: bool,
}

/// A manager as rules see it. Where its credentials are is nothing that a rule has to know.
impl Record for Ems {
    fn class(&self) -> Arc<str> {
        Arc::from("ExtManagementSystem")
    }

    fn id(&self) -> Option<i64> {
        Some(self.id.0)
    }

    fn column(&self, name: &str) -> Option<Value> {
        match name {
            "id" => Some(Value::Int(self.id.0)),
            "name" => Some(Value::Text(self.name.clone())),
            "type" | "emstype" | "provider" => Some(Value::Text(self.provider.clone())),
            "url" => Some(self.url.as_deref().map_or(Value::Null, Value::text)),
            "enabled" => Some(Value::Bool(self.enabled)),
            _other => None,
        }
    }
}
