//! Which rules fail most: a bounded number of names, however many rules there are.

use std::collections::BTreeMap;
use std::sync::Arc;

/// How many rules are told by name.
const NAMED: usize = 30;
/// How many others are watched for whether they fail more often than one of those.
const WATCHED: usize = 1_000;
/// What stands for all others, and for errors that arose in no object.
const OTHER: &str = "other";

/// Counts errors by rule. Every count only grows: a rule that comes in later is counted from then on.
#[derive(Debug, Default)]
pub(crate) struct FailingRules {
    named: BTreeMap<Arc<str>, Named>,
    watched: BTreeMap<Arc<str>, u64>,
    other: u64,
}

#[derive(Debug, Default)]
struct Named {
    /// Since it is told by name.
    shown: u64,
    /// Ever.
    all: u64,
}

impl FailingRules {
    /// Counts one error in an object; none has an empty path.
    pub(crate) fn count(&mut self, rule: &str) {
        if rule.is_empty() || rule == OTHER {
            self.other += 1;
            return;
        }
        if let Some(named) = self.named.get_mut(rule) {
            named.shown += 1;
            named.all += 1;
            return;
        }
        if self.named.len() < NAMED {
            self.named.insert(Arc::from(rule), Named { shown: 1, all: 1 });
            return;
        }
        let all = match self.watched.get_mut(rule) {
            Some(count) => {
                *count += 1;
                *count
            }
            None => {
                if self.watched.len() < WATCHED {
                    self.watched.insert(Arc::from(rule), 1);
                }
                1
            }
        };
        let rarest = self.named.iter().min_by_key(|(_, named)| named.all);
        let rarest = rarest
            .filter(|(_, named)| named.all < all)
            .map(|(rule, _)| rule.clone());
        match rarest {
            Some(rarest) => {
                self.watched.remove(rule);
                if let Some(named) = self.named.remove(&rarest) {
                    self.watched.insert(rarest, named.all);
                }
                self.named.insert(Arc::from(rule), Named { shown: 1, all });
            }
            None => self.other += 1,
        }
    }

    /// The counts by name, and of all others.
    pub(crate) fn counts(&self) -> Vec<(Arc<str>, u64)> {
        let named = self.named.iter().map(|(rule, named)| (rule.clone(), named.shown));
        let other = (self.other > 0).then(|| (Arc::from(OTHER), self.other));
        named.chain(other).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_fail_most_are_told_by_name_and_the_rest_together() {
        let mut rules = FailingRules::default();
        for number in 0..2_000 {
            rules.count(&format!("/Rule/{number}"));
        }
        rules.count("");
        let counts = rules.counts();
        assert_eq!(counts.len(), NAMED + 1);
        assert!(counts.contains(&(Arc::from(OTHER), 1_971)));
        // One that fails again and again comes in, is counted from then on, and takes nothing back from the others.
        for _ in 0..10 {
            rules.count("/Rule/500");
        }
        let counts = rules.counts();
        assert_eq!(counts.len(), NAMED + 1);
        assert!(counts.contains(&(Arc::from("/Rule/500"), 10)), "{counts:?}");
        assert!(counts.contains(&(Arc::from(OTHER), 1_971)));
        assert!(rules.watched.len() <= WATCHED);
    }
}
