//! What `/metrics` shows of the stages that keep no figures of their own.

use tokio::sync::watch;
use tracing::warn;

use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
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
        vec![
            reloads("replaced", state.replaced),
            reloads("kept", state.kept),
            reloads("unchanged", state.unchanged),
            settings("replaced", state.settings_replaced),
            settings("kept", state.settings_kept),
            Sample::flag(
                "switchboard_rules_refused",
                "1 while the rules on disk are wrong and older ones are in force.",
                state.refused.is_some(),
            ),
            Sample::flag(
                "switchboard_settings_refused",
                "1 while the settings on disk are wrong and older ones are in force.",
                state.settings_refused.is_some(),
            ),
            Sample::gauge(
                "switchboard_rules_since_seconds",
                "When the rules in force were loaded, in seconds since the epoch.",
                state.since.as_duration().as_secs_f64(),
            ),
            Sample::gauge(
                "switchboard_rules_load_seconds",
                "How long the last load took, in seconds.",
                state.took.as_secs_f64(),
            ),
        ]
    })
}

/// What program this is.
pub(crate) fn build() -> Samples {
    Box::new(|| {
        let help = "Always 1; its labels tell the program.";
        let exports = if cfg!(feature = "opentelemetry") {
            "opentelemetry"
        } else {
            ""
        };
        let build = Sample::flag("switchboard_build_info", help, true);
        let build = build.label("version", env!("CARGO_PKG_VERSION"));
        vec![build.label("features", exports)]
    })
}

/// What waits, and the books of each manager.
pub(crate) fn vmdb(vmdb: &Vmdb, clock: Clock) -> Samples {
    let vmdb = vmdb.clone();
    Box::new(move || {
        let mut samples = vec![
            Sample::count(
                "switchboard_database_room",
                "How many more requests the writer of the database has room for.",
                vmdb.room() as u64,
            ),
            Sample::histogram(
                "switchboard_database_commit_seconds",
                "How long transactions took, from their first request until the disk had them, in seconds.",
                vmdb.commit_times(),
            ),
        ];
        let read = read(&vmdb, &clock);
        samples.extend(read.unwrap_or_else(|error| {
            warn!(%error, "Cannot read the figures of the database.");
            Vec::new()
        }));
        samples
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
        Sample::count("switchboard_queue_messages", help, count).label("state", state)
    });
    let mut samples = queue.to_vec();
    samples.push(Sample::gauge(
        "switchboard_queue_oldest_seconds",
        "How long the oldest message has waited for the handler, in seconds.",
        age(counts.oldest, clock),
    ));
    let outbox = vmdb.outbox_counts()?;
    let by_state = [
        ("ready", outbox.ready),
        ("waiting", outbox.waiting),
        ("dead", outbox.dead),
    ];
    samples.extend(by_state.map(|(state, count)| {
        let help = "Outside effects that are not sent, by state.";
        Sample::count("switchboard_outbox_effects", help, count).label("state", state)
    }));
    samples.push(Sample::gauge(
        "switchboard_outbox_oldest_seconds",
        "How long the oldest outside effect has waited to be sent, in seconds.",
        age(outbox.oldest, clock),
    ));
    let refreshes = vmdb.refresh_counts()?;
    for (state, count) in [("waiting", refreshes.waiting), ("running", refreshes.running)] {
        let help = "Refreshes that are not over, by state.";
        samples.push(Sample::count("switchboard_refreshes", help, count).label("state", state));
    }
    samples.push(Sample::count(
        "switchboard_refresh_waiting_targets",
        "Targets of the refreshes that wait.",
        refreshes.waiting_targets,
    ));
    samples.push(Sample::gauge(
        "switchboard_refresh_oldest_seconds",
        "How long the oldest refresh has waited, in seconds.",
        age(refreshes.oldest, clock),
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
            let sample = Sample::count("switchboard_tally", help, u64::try_from(count).unwrap_or(0));
            samples.push(sample.label("ems", name.clone()).label("column", column));
        }
    }
    Ok(samples)
}

/// Seconds since then.
fn age(oldest: Option<Timestamp>, clock: &Clock) -> f64 {
    let age = oldest.map_or(0.0, |oldest| clock.now().duration_since(oldest).as_secs_f64());
    age.max(0.0)
}
