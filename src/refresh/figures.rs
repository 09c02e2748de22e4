//! How refreshes fare, counted for `/metrics`.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;

use crate::model::metric::Sample;
use crate::vmdb::InventoryChanges;

#[derive(Debug, Default)]
pub(crate) struct Figures {
    full: AtomicU64,
    targeted: AtomicU64,
    failed: AtomicU64,
    targets: AtomicU64,
    calls: AtomicU64,
    changed: [AtomicU64; 4],
}

impl Figures {
    /// A refresh ended well; of so many targets, or of everything.
    pub(crate) fn done(&self, targets: Option<usize>, changes: &InventoryChanges) {
        match targets {
            Some(targets) => {
                self.targeted.fetch_add(1, Ordering::Relaxed);
                self.targets.fetch_add(wide(targets), Ordering::Relaxed);
            }
            None => {
                self.full.fetch_add(1, Ordering::Relaxed);
            }
        }
        let changes = [
            changes.created,
            changes.updated,
            changes.unchanged,
            changes.archived,
        ];
        for (counter, count) in self.changed.iter().zip(changes) {
            counter.fetch_add(wide(count), Ordering::Relaxed);
        }
    }

    pub(crate) fn failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn called(&self, calls: u64) {
        self.calls.fetch_add(calls, Ordering::Relaxed);
    }

    pub(crate) fn samples(&self) -> Vec<Sample> {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refreshes = [
            ("full", &self.full),
            ("targeted", &self.targeted),
            ("failed", &self.failed),
        ];
        let refreshes = refreshes.into_iter().map(|(kind, counter)| {
            let name = "switchboard_refreshes_total";
            let help = "Refreshes that ended, by kind; one that failed comes again.";
            Sample::counter(name, help, count(counter)).label("kind", kind)
        });
        let names = ["created", "updated", "unchanged", "archived"];
        let changed = names.into_iter().zip(&self.changed).map(|(change, counter)| {
            let name = "switchboard_inventory_objects_total";
            let help = "Objects that refreshes brought or archived, by what became of them.";
            Sample::counter(name, help, count(counter)).label("change", change)
        });
        let mut samples: Vec<Sample> = refreshes.chain(changed).collect();
        samples.push(Sample::counter(
            "switchboard_refresh_targets_total",
            "Targets that were refreshed.",
            count(&self.targets),
        ));
        samples.push(Sample::counter(
            "switchboard_refresh_api_calls_total",
            "Calls of managers' APIs that collectors made.",
            count(&self.calls),
        ));
        samples
    }
}

fn wide(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
