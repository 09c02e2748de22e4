//! The runs of the rules over one event: the first one is there once, and so is everything that they asked for.

use ahash::HashSet;
use rusqlite::OptionalExtension;
use rusqlite::Transaction;
use rusqlite::params;

use crate::model::json;
use crate::model::json::Value;
use crate::model::target::Target;
use crate::vmdb::VmdbError;
use crate::vmdb::audit::finding::Finding;
use crate::vmdb::audit::finding::RESTORE;
use crate::vmdb::audit::finding::Report;
use crate::vmdb::audit::rows::Rows;
use crate::vmdb::audit::rows::Run;
use crate::vmdb::audit::rows::unreadable;
use crate::vmdb::codec;
use crate::vmdb::traces;

/// The state of a run that goes on later.
const RETRY: &str = "retry";

/// What the effects of a run ask for.
#[derive(Debug, Default)]
struct Asked {
    outside: usize,
    refreshes: usize,
    /// Of the event's own manager.
    targets: Vec<Target>,
}

/// Checks the runs over an event; says whether another one is to come.
pub(crate) fn check(
    transaction: &Transaction<'_>,
    event: i64,
    runs: &[Run],
    rows: &Rows,
    steps: &mut HashSet<i64>,
    report: &mut Report<'_>,
) -> Result<bool, VmdbError> {
    let place = format!("event {event}");
    let error = |report: &mut Report<'_>, code, message: String| {
        report.add(Finding::error(code, place.clone(), message, RESTORE));
    };
    let Some((last, earlier)) = runs.split_last() else {
        error(
            report,
            "NotDecided",
            "is saved, and no decision about it is".to_owned(),
        );
        return Ok(false);
    };
    // Only a run that ended in retry is followed by another one.
    let firsts = 1 + earlier.iter().filter(|run| run.state != RETRY).count();
    if firsts > 1 {
        error(report, "DecidedTwice", format!("was decided {firsts} times"));
    }
    let mut asked = Asked::default();
    for run in runs {
        match asked_by(run, &mut asked) {
            Ok(()) => {}
            Err(problem) => unreadable(format!("the decision about event {event}"), &problem, report),
        }
        match traces::named_steps(&run.trace) {
            Ok(named) => {
                if let Some(step) = unknown_step(transaction, &named, steps)? {
                    error(
                        report,
                        "TraceStepMissing",
                        format!("its trace names step {step}, which is gone"),
                    );
                }
            }
            Err(problem) => unreadable(format!("the trace of event {event}"), &problem, report),
        }
    }
    let sent = rows.outbox.get(&event).copied().unwrap_or(0);
    if sent != asked.outside {
        let message = format!(
            "asked for {} outside effects, and the outbox knows {sent}",
            asked.outside
        );
        error(report, "EffectsDiffer", message);
    }
    let (linked, there) = rows.refreshes.get(&event).copied().unwrap_or((0, 0));
    if linked != there || (linked == 0 && asked.refreshes > 0) {
        error(
            report,
            "RefreshMissing",
            "a refresh that it asked for is gone".to_owned(),
        );
    } else {
        for target in asked.targets {
            if !is_target_there(transaction, event, &target)? {
                let key = codec::to_json("a target", &target.manager_ref)?;
                let message = format!(
                    "the target that it asked for, {} {key}, is gone",
                    target.association
                );
                error(report, "TargetMissing", message);
            }
        }
    }
    Ok(last.state == RETRY)
}

fn asked_by(run: &Run, asked: &mut Asked) -> Result<(), serde_json::Error> {
    let effects: Vec<Value> = serde_json::from_str(run.effects.as_deref().unwrap_or("[]"))?;
    for effect in &effects {
        match effect.get("effect").and_then(Value::as_str) {
            Some("outside") => asked.outside += 1,
            Some("queue_full_refresh") => asked.refreshes += 1,
            Some("queue_refresh") => {
                let targets = json::from_value::<Vec<Target>>(&effect["targets"])?;
                // Those of another manager are dropped where there is no such manager.
                let own = targets.into_iter().filter(|target| target.ems.is_none());
                let before = asked.targets.len();
                asked.targets.extend(own);
                asked.refreshes += asked.targets.len() - before;
            }
            _other => {}
        }
    }
    Ok(())
}

fn is_target_there(transaction: &Transaction<'_>, event: i64, target: &Target) -> Result<bool, VmdbError> {
    let mut query = transaction.prepare_cached(
        "SELECT 1 FROM event_refreshes r JOIN refresh_targets t ON t.refresh_id = r.refresh_id \
         WHERE r.event_id = ?1 AND t.association = ?2 AND t.manager_ref = ?3 LIMIT 1",
    )?;
    let key = codec::to_json("a target", &target.manager_ref)?;
    let found = query.query_row(params![event, &*target.association, key], |_| Ok(()));
    Ok(found.optional()?.is_some())
}

/// A step that a trace names and nobody knows.
fn unknown_step(
    transaction: &Transaction<'_>,
    named: &[i64],
    known: &mut HashSet<i64>,
) -> Result<Option<i64>, VmdbError> {
    let mut query = transaction.prepare_cached("SELECT 1 FROM trace_steps WHERE id = ?1")?;
    for step in named {
        if !known.contains(step) {
            if query.query_row([step], |_| Ok(())).optional()?.is_none() {
                return Ok(Some(*step));
            }
            known.insert(*step);
        }
    }
    Ok(None)
}
