//! A call of a manager's API: what a script describes, and what came back.

use std::collections::BTreeMap;

/// A request, relative to the manager's `url`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ApiCall {
    /// From `/`.
    pub path: String,
    /// Names and values, not yet encoded.
    pub query: Vec<(String, String)>,
    /// Names and values; `${credentials}` in a value stands for the manager's credentials.
    pub headers: Vec<(String, String)>,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub struct ApiAnswer {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
    /// JSON, or nothing at all.
    pub body: String,
    /// Whether there are bytes in it that are no UTF-8; characters stand for them, see [`crate::model::odd_bytes`].
    pub has_odd_bytes: bool,
}

/// What carries out the calls of an inventory collector: one manager's API, within limits.
pub trait ManagerApi: Send + Sync {
    /// Carries out calls, side by side as far as the manager allows, and answers in their order. An answer is 2xx, or
    /// says that the object is not there (404, 410).
    ///
    /// # Errors
    /// What went wrong, for people, when one call has no such answer: then none counts.
    fn call(&self, calls: &[ApiCall]) -> Result<Vec<ApiAnswer>, String>;

    /// How far the collector is.
    fn progress(&self, text: &str);
}
