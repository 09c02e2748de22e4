//! What `/metrics` shows of the stages that keep no figures of their own.

use jiff::Unit;
use tokio::sync::watch;
use tracing::warn;

use crate::model::clock::Clock;
use crate::model::metric::Sample;
use crate::reload::ReloadState;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;
use crate::web::Samples;

/// What became of changes to rules and settings.
pub(crate) fn reload(state: watch::Receiver<ReloadState>) -> Samples {
    Box::new(move || {
        let state = state.borrow();
        let reloads = |outcome: &'static str, count| {
            let help = "Changes of rules on disk by what became of them.";
            Sample::counter("switchboard_reloads_total", help, count).label("outcome", outcome)
        };
        let settings = |outcome: &'static str, count| {
            let help = "Changes of the settings file by what became of them.";
            Sample::counter("switchboard_settings_reloads_total", help, count).label("outcome", outcome)
        };
        let flag = |flag: bool| if flag { 1.0 } else { 0.0 };
        vec![
            reloads("replaced", state.replaced),
            reloads("kept", state.kept),
            reloads("unchanged", state.unchanged),
            settings("replaced", state.settings_replaced),
            settings("kept", state.settings_kept),
            Sample::gauge(
                "switchboard_rules_refused",
                "1 while the rules on disk are wrong and older ones are in force.",
                flag(state.refused.is_some()),
            ),
            Sample::gauge(
                "switchboard_settings_refused",
                "1 while the settings on disk are wrong and older ones are in force.",
                flag(state.settings_refused.is_some()),
            ),
            Sample::gauge(
                "switchboard_rules_since_seconds",
                "When the rules in force were loaded.",
                state.since.as_duration().as_secs_f64(),
            ),
            Sample::gauge(
                "switchboard_rules_load_seconds",
                "How long the last load took.",
                state.took.as_secs_f64(),
            ),
        ]
    })
}

/// What waits, and the books of each manager.
pub(crate) fn vmdb(vmdb: &Vmdb, clock: Clock) -> Samples {
    let vmdb = vmdb.clone();
    Box::new(move || {
        read(&vmdb, &clock).unwrap_or_else(|error| {
            warn!(%error, "Cannot read the figures of the database.");
            Vec::new()
        })
    })
}

/// The disk of the database, and whether it is in order; asks nothing of it, so that it is told when it is not.
#[expect(clippy::cast_precision_loss, reason = "a size beyond 2^53 is out of reach")]
pub(crate) fn disk(vmdb: &Vmdb) -> Samples {
    let vmdb = vmdb.clone();
    Box::new(move || {
        let disk = vmdb.disk();
        let flag = |flag: bool| if flag { 1.0 } else { 0.0 };
        vec![
            Sample::gauge(
                "switchboard_database_ready",
                "1 while the database takes what it is given.",
                flag(vmdb.health().is_ok()),
            ),
            Sample::gauge(
                "switchboard_database_wal_bytes",
                "The size of the write-ahead log.",
                disk.log as f64,
            ),
            Sample::gauge(
                "switchboard_disk_free_bytes",
                "What is free on the disk of the database.",
                disk.free as f64,
            ),
            Sample::gauge(
                "switchboard_disk_size_bytes",
                "The size of the disk of the database.",
                disk.total as f64,
            ),
            Sample::gauge(
                "switchboard_disk_low",
                "1 while less than a tenth of it, or less than 1 GiB, is free.",
                flag(disk.is_low),
            ),
        ]
    })
}

#[expect(clippy::cast_precision_loss, reason = "a count beyond 2^53 is out of reach")]
fn read(vmdb: &Vmdb, clock: &Clock) -> Result<Vec<Sample>, VmdbError> {
    let counts = vmdb.queue_counts()?;
    let by_state = [
        ("ready", counts.ready),
        ("waiting", counts.waiting),
        ("parked", counts.parked),
        ("dead", counts.dead),
    ];
    let queue = by_state.map(|(state, count)| {
        let help = "Messages on the queue by state.";
        Sample::gauge("switchboard_queue_messages", help, count as f64).label("state", state)
    });
    let mut samples = queue.to_vec();
    let age = counts.oldest.and_then(|oldest| clock.now().since(oldest).ok());
    let age = age.and_then(|age| age.total(Unit::Second).ok()).unwrap_or(0.0);
    samples.push(Sample::gauge(
        "switchboard_queue_oldest_seconds",
        "How long the oldest message has waited for the handler.",
        age.max(0.0),
    ));
    let managers = vmdb.ems_list()?;
    for (ems_id, tally) in vmdb.tallies()? {
        let name = managers
            .iter()
            .find(|ems| ems.id == ems_id)
            .map(|ems| ems.name.clone());
        let name = name.unwrap_or_else(|| ems_id.to_string().into());
        let columns = [
            ("received", tally.received),
            ("accepted", tally.accepted),
            ("duplicate", tally.duplicate),
            ("filtered", tally.filtered),
            ("refused", tally.refused),
            ("delivered", tally.delivered),
            ("dead", tally.dead),
            ("discarded", tally.discarded),
            ("effects", tally.effects),
            ("targets", tally.targets),
            ("purged", tally.purged),
        ];
        for (column, count) in columns {
            let help = "The books of each manager, kept with the rows since the database was made.";
            let sample = Sample::gauge("switchboard_tally", help, count as f64);
            samples.push(sample.label("ems", name.clone()).label("column", column));
        }
    }
    Ok(samples)
}
