//! The history of the rules: every reload is kept in the database, so that pages can show it.

use tracing::warn;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::delivery::RulesId;
use crate::model::json;
use crate::reload::ReloadReport;
use crate::reload::Reports;
use crate::source::TreeChanges;
use crate::vmdb::ChangedFiles;
use crate::vmdb::NewReload;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// How many files of a kind a record names, and findings.
const NAMED: usize = 200;
const FINDINGS: usize = 50;

/// Keeps what is told of reloads.
pub(crate) fn reports(vmdb: &Vmdb) -> Reports {
    let vmdb = vmdb.clone();
    Reports(Box::new(move |report| {
        if let Err(error) = vmdb.reload_save(record(&report)).wait() {
            warn!(%error, "A reload is missing from the history.");
        }
    }))
}

/// Keeps that these rules are in force since now, unless they were already when the program ran last.
pub(crate) fn keep_start(vmdb: &Vmdb, id: RulesId, now: Timestamp) -> Result<(), VmdbError> {
    let last = vmdb.last_replacement()?;
    let before = last.and_then(|(last, _difference)| last.after);
    if before == Some(id) {
        return Ok(());
    }
    let start = NewReload {
        at: now,
        before,
        after: Some(id),
        changes: ChangedFiles::default(),
        difference: None,
        findings: None,
        took: SignedDuration::ZERO,
    };
    vmdb.reload_save(start).wait()
}

fn record(report: &ReloadReport) -> NewReload {
    let findings = report.findings.iter().take(FINDINGS);
    let findings = findings.map(|finding| json::to_value(finding).unwrap_or_default());
    NewReload {
        at: report.at,
        before: Some(report.before),
        after: report.after,
        changes: files(&report.changes),
        difference: (!report.difference.is_empty()).then(|| report.difference.clone()),
        findings: (!report.findings.is_empty()).then(|| findings.collect()),
        took: SignedDuration::try_from(report.took).unwrap_or(SignedDuration::MAX),
    }
}

fn files(changes: &TreeChanges) -> ChangedFiles {
    let kinds = [&changes.added, &changes.changed, &changes.removed];
    let [added, changed, removed] =
        kinds.map(|paths| paths.iter().take(NAMED).map(ToString::to_string).collect());
    ChangedFiles {
        added,
        changed,
        removed,
        more: kinds.iter().map(|paths| paths.len().saturating_sub(NAMED)).sum(),
    }
}
