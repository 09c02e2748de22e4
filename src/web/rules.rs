//! What pages and the API need to know of the rules, which the web itself does not know.

use std::fmt;
use std::sync::Arc;

use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::event::EmsEvent;
use crate::model::json;
use crate::model::rule_tree::RuleTree;
use crate::reload::ReloadOutcome;
use crate::reload::ReloadState;
use crate::source::Diagnostic;

/// The rules in force, for people to look at. Whatever has to be worked out blocks for a while.
pub trait Rules: fmt::Debug + Send + Sync {
    /// Which they are.
    fn generation(&self) -> RulesId;

    /// Every domain and instance; worked out once a generation.
    fn tree(&self) -> Arc<RuleTree>;

    /// Everything that `check` finds in them; worked out once a generation.
    fn findings(&self) -> Arc<[Diagnostic]>;

    /// The text of one of their files, by its path for people, passwords masked.
    fn text(&self, path: &str) -> Option<String>;

    /// Which files they were made of, and what became of the last change.
    fn reload_state(&self) -> ReloadState;

    /// What they would make of an event that was recorded, were it decided at this time: the document of `simulate`.
    /// Nothing acts; records are looked up in the inventory as it is now. Retries are followed for so many runs.
    fn simulate(&self, event: &Arc<EmsEvent>, at: Timestamp, deliveries: u32) -> json::Value;

    /// Reads rules and settings anew.
    fn reload(&self) -> ReloadOutcome;
}
