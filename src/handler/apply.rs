//! Effects -> rows: what a decision asks for, in the form in which it is committed with the event.

use std::collections::BTreeMap;

use sha2::Digest;
use sha2::Sha256;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::delivery::Delivery;
use crate::model::delivery::DeliveryError;
use crate::model::delivery::Effect;
use crate::model::delivery::RulesId;
use crate::model::ems::Ems;
use crate::model::ems::EmsId;
use crate::model::event::EventHash;
use crate::model::event::EventId;
use crate::model::event_outcome::EventOutcome;
use crate::vmdb;
use crate::vmdb::Decided;
use crate::vmdb::InventoryUpdate;
use crate::vmdb::NewEffect;
use crate::vmdb::NewRetry;
use crate::vmdb::RefreshRequest;
use crate::vmdb::Vmdb;
use crate::vmdb::VmdbError;

/// A retry further away than this is a mistake of a rule; ten years, in seconds.
const FURTHEST_RETRY: f64 = 10.0 * 365.0 * 24.0 * 3_600.0;

/// What was decided, when, by whom, about what.
pub(crate) struct Decision<'a> {
    pub(crate) event: EventId,
    /// What its parser gave.
    pub(crate) hash: &'a EventHash,
    pub(crate) received_at: Timestamp,
    pub(crate) ems: &'a Ems,
    pub(crate) rules_id: RulesId,
    pub(crate) decided_at: Timestamp,
    /// Which run over the event it is, from 0.
    pub(crate) run: u32,
    pub(crate) delivery: Delivery,
}

/// Turns a decision into what is committed. A target of a manager that does not exist becomes an error of the
/// delivery; the rest goes on.
pub(crate) fn apply(vmdb: &Vmdb, decision: Decision<'_>) -> Result<Decided, VmdbError> {
    let mut delivery = decision.delivery;
    let mut refreshes: BTreeMap<EmsId, RefreshRequest> = BTreeMap::new();
    let (mut outbox, mut updates) = (Vec::new(), Vec::new());
    let lane = vmdb::effect_lane(decision.ems.id, decision.event, decision.hash);
    let run = decision.run;
    let mut unknown = Vec::new();
    for (position, effect) in delivery.effects.iter().enumerate() {
        match effect {
            Effect::QueueRefresh { targets } => {
                for target in targets.targets() {
                    let ems_id = match &target.ems {
                        None => decision.ems.id,
                        Some(name) => match vmdb.ems_by_name(name)? {
                            Some(ems) => ems.id,
                            None => {
                                unknown.push(unknown_manager(name));
                                continue;
                            }
                        },
                    };
                    request(&mut refreshes, ems_id).targets.push(target.clone());
                }
            }
            Effect::QueueFullRefresh { reason } => {
                let full = &mut request(&mut refreshes, decision.ems.id).full;
                full.get_or_insert_with(|| reason.to_string());
            }
            Effect::Outside { action } => outbox.push(NewEffect {
                position,
                idempotency_key: idempotency_key(
                    [decision.event.0, decision.received_at.as_microsecond()],
                    decision.rules_id,
                    [u64::from(run), position as u64],
                ),
                lane: lane.clone(),
                action: action.clone(),
            }),
            Effect::UpdateInventory { id, attributes, .. } => updates.push(InventoryUpdate {
                id: *id,
                attributes: attributes.clone(),
            }),
            // Recorded with the delivery; what it does is told there.
            Effect::Builtin { .. } => {}
        }
    }
    delivery.errors.extend(unknown);
    let retry = delivery.retry.clone().map(|retry| NewRetry {
        due: later(decision.decided_at, retry.after),
        run: decision.run + 1,
        retry,
    });
    Ok(Decided {
        rules_id: decision.rules_id,
        decided_at: decision.decided_at,
        outcome: EventOutcome::of(decision.hash, &delivery),
        delivery,
        refreshes: refreshes.into_values().collect(),
        updates,
        outbox,
        retry,
    })
}

fn request(refreshes: &mut BTreeMap<EmsId, RefreshRequest>, ems_id: EmsId) -> &mut RefreshRequest {
    refreshes.entry(ems_id).or_insert(RefreshRequest {
        ems_id,
        targets: Vec::new(),
        full: None,
    })
}

fn unknown_manager(name: &str) -> DeliveryError {
    DeliveryError {
        path: String::new(),
        kind: "UnknownManager".to_owned(),
        message: format!(
            "a target names the manager `{name}`, which does not exist: `switchboard ems list` shows those that do"
        ),
        fatal: false,
    }
}

/// The same for every attempt to send one effect, another for every other effect. The time at which the event was
/// received tells it from that of the same number in another database, which a receiver may know too.
fn idempotency_key([event, received_at]: [i64; 2], rules_id: RulesId, [run, position]: [u64; 2]) -> String {
    let digest = Sha256::digest(format!("{event}/{received_at}/{rules_id}/{run}/{position}"));
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

fn later(now: Timestamp, seconds: f64) -> Timestamp {
    let seconds = if seconds.is_finite() {
        seconds.clamp(0.0, FURTHEST_RETRY)
    } else {
        0.0
    };
    now.saturating_add(SignedDuration::from_secs_f64(seconds))
        .unwrap_or(now)
}
