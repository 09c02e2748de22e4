//! Writes how the catchers fare into the database, so that other processes can show it: when something changes, and
//! from time to time as a sign of life.

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::debug;

use crate::catcher::status::CatcherState;
use crate::catcher::status::CatcherStatuses;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::model::ems::EmsId;
use crate::vmdb::CatcherRecord;
use crate::vmdb::Vmdb;

/// How often there is a sign of life where nothing changes.
const SIGN_OF_LIFE: Duration = Duration::from_secs(30);

/// What was written last.
#[derive(Debug, Default)]
pub(crate) struct Records {
    written: BTreeMap<EmsId, CatcherRecord>,
    at: Option<Timestamp>,
}

impl Records {
    /// Writes what is not written yet: the catchers there are, and why other managers have none. Trouble of the
    /// database is told elsewhere; it is tried again with the next look.
    pub(crate) async fn keep(
        &mut self,
        vmdb: &Vmdb,
        clock: &Clock,
        statuses: CatcherStatuses,
        others: &BTreeMap<EmsId, String>,
    ) {
        let now = clock.now();
        let caught = statuses.into_iter().map(|(ems_id, status)| CatcherRecord {
            ems_id,
            wanted: true,
            stream: Some(status.stream.as_str().to_owned()),
            state: status.state.as_str().to_owned(),
            reason: status.reason,
            since: Some(status.since),
            until: status.until,
            broke_off: status.broke_off,
        });
        let not_wanted = others.iter().map(|(ems_id, why)| CatcherRecord {
            ems_id: *ems_id,
            wanted: false,
            stream: None,
            state: CatcherState::Stopped.as_str().to_owned(),
            reason: Some(why.clone()),
            since: None,
            until: None,
            broke_off: 0,
        });
        let records = not_wanted.chain(caught).map(|record| (record.ems_id, record));
        let records: BTreeMap<EmsId, CatcherRecord> = records.collect();
        // A clock that was set back is a reason to write, too.
        let is_old = self.at.is_none_or(|at| {
            Duration::try_from(now.duration_since(at)).map_or(true, |passed| SIGN_OF_LIFE <= passed)
        });
        let is_new = |record: &&CatcherRecord| is_old || self.written.get(&record.ems_id) != Some(record);
        let news: Vec<CatcherRecord> = records.values().filter(is_new).cloned().collect();
        if news.is_empty() {
            return;
        }
        match vmdb.catchers_save(news).await {
            Ok(()) => {
                self.written = records;
                self.at = Some(if is_old { now } else { self.at.unwrap_or(now) });
            }
            Err(error) => debug!(%error, "Could not write how the catchers fare."),
        }
    }
}
