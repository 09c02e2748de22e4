//! The rules for people to look at: domains, and every instance with where it is written and what covers what.

use std::sync::Arc;

use serde::Serialize;

/// Everything that one generation of rules is made of.
#[derive(Clone, Debug, Default)]
pub struct RuleTree {
    /// Highest priority first, disabled ones at their place.
    pub domains: Vec<RuleDomain>,
    /// In the order of domains, classes and files.
    pub instances: Vec<RuleInstance>,
}

/// One domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleDomain {
    /// Its name.
    pub name: Arc<str>,
    /// Larger wins.
    pub priority: i64,
    /// Whether its instances are found at all.
    pub enabled: bool,
    /// How many instances it has.
    pub instances: usize,
    /// The file that makes it a domain.
    #[serde(skip)]
    pub file: Arc<str>,
}

/// One instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleInstance {
    /// `/Domain/Namespace/Class/Instance`, spelled as in the files.
    pub path: Arc<str>,
    /// Its domain.
    pub domain: Arc<str>,
    /// Its namespace, without the domain.
    pub namespace: Arc<str>,
    /// Its class.
    pub class: Arc<str>,
    /// Its own name.
    #[serde(rename = "instance")]
    pub name: Arc<str>,
    /// The file it is written in.
    pub file: Arc<str>,
    /// The line there, from 1.
    pub line: u32,
    /// What its author says of it.
    pub description: Option<Arc<str>>,
    /// The same instance of a lower domain, which is never found because of this one.
    pub covers: Option<Arc<str>>,
    /// The same instance of a higher domain, which is found instead of this one.
    pub covered_by: Option<Arc<str>>,
}

impl RuleInstance {
    /// `Namespace/Class`: the folder it stands in, without the domain.
    pub fn folder(&self) -> String {
        format!("{}/{}", self.namespace, self.class)
    }
}
