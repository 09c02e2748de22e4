//! Full or targeted (reference 5.5): what is asked for, how much of it, and what the provider can do.

use crate::model::inventory::RefreshScope;
use crate::settings::RefreshSettings;
use crate::switchboard::Collects;
use crate::vmdb::RunningRefresh;

/// What a refresh will read, and why all of it where it is all.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Plan {
    /// Collect this.
    Collect(RefreshScope, Option<String>),
    /// The provider keeps the inventory up to date by itself.
    Nothing,
}

/// Decides. From `threshold` distinct targets on, everything is read.
///
/// # Errors
/// When the provider can do neither; says what is missing.
pub(crate) fn plan(
    refresh: &RunningRefresh,
    settings: &RefreshSettings,
    threshold: usize,
    collects: Collects,
) -> Result<Plan, String> {
    if settings.streaming_refresh {
        return Ok(Plan::Nothing);
    }
    let full = |reason: String| Ok(Plan::Collect(RefreshScope::Full, Some(reason)));
    let count = refresh.targets.len();
    let lacks = |function: &str| {
        let provider = &refresh.ems.provider;
        Err(format!(
            "scripts/{provider}/inventory_collector.rhai does not define `{function}`"
        ))
    };
    match &refresh.full {
        Some(reason) if collects.everything => full(reason.clone()),
        // Better what is named than nothing at all.
        Some(_) if count == 0 => lacks("collect_all(ems)"),
        _targets if collects.everything && !settings.allow_targeted_refresh => {
            full("`allow_targeted_refresh` is off for this provider".to_owned())
        }
        _targets if collects.everything && !collects.targets => {
            full("the provider's collector reads everything only".to_owned())
        }
        _targets if collects.everything && threshold <= count => {
            let targets = if count == 1 { "target" } else { "targets" };
            full(format!(
                "{count} {targets}, and from {threshold} on everything is read"
            ))
        }
        _targets if collects.targets => Ok(Plan::Collect(
            RefreshScope::Targets(refresh.targets.clone()),
            None,
        )),
        _targets => lacks("collect(ems, targets)"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    use crate::model::ems::Ems;
    use crate::model::ems::EmsId;
    use crate::model::target::ManagerRef;
    use crate::model::target::Target;
    use crate::vmdb::RefreshId;

    #[test]
    fn c83_everything_is_read_when_it_is_asked_for_or_when_too_much_is_and_only_openly() {
        let both = Collects {
            targets: true,
            everything: true,
        };
        let (targets, everything) = (
            Collects {
                everything: false,
                ..both
            },
            Collects {
                targets: false,
                ..both
            },
        );
        let cases = [
            ("few targets", None, 99, both, "99 targets"),
            (
                "from the threshold on",
                None,
                100,
                both,
                "full: 100 targets, and from 100 on everything is read",
            ),
            ("no way to read everything", None, 100, targets, "100 targets"),
            (
                "the manager itself",
                Some("asked for"),
                3,
                both,
                "full: asked for",
            ),
            (
                "the manager itself, and no way",
                Some("asked for"),
                0,
                targets,
                "error: scripts/p/inventory_collector.rhai does not define `collect_all(ems)`",
            ),
            (
                "the manager itself, no way, but targets",
                Some("asked for"),
                3,
                targets,
                "3 targets",
            ),
            (
                "no way to read targets",
                None,
                1,
                everything,
                "full: the provider's collector reads everything only",
            ),
            (
                "nothing",
                None,
                1,
                Collects::default(),
                "error: scripts/p/inventory_collector.rhai does not define `collect(ems, targets)`",
            ),
        ];
        for (what, full, count, collects, expected) in cases {
            let refresh = RunningRefresh {
                id: RefreshId(1),
                ems: Arc::new(Ems {
                    id: EmsId(1),
                    name: "one".into(),
                    provider: "p".into(),
                    url: None,
                    credentials: None,
                    enabled: true,
                }),
                full: full.map(ToOwned::to_owned),
                targets: (0..count)
                    .map(|vm| Target::new("vms", ManagerRef::ems_ref(vm.to_string())))
                    .collect(),
                attempts: 1,
            };
            let settings = RefreshSettings {
                allow_targeted_refresh: true,
                ..RefreshSettings::default()
            };
            let planned = match plan(&refresh, &settings, 100, collects) {
                Ok(Plan::Collect(RefreshScope::Full, why)) => format!("full: {}", why.unwrap()),
                Ok(Plan::Collect(RefreshScope::Targets(targets), _)) => format!("{} targets", targets.len()),
                Ok(Plan::Nothing) => "nothing".to_owned(),
                Err(error) => format!("error: {error}"),
            };
            assert_eq!(planned, expected, "{what}");
            let off = RefreshSettings {
                allow_targeted_refresh: false,
                ..settings.clone()
            };
            if collects.everything && count > 0 {
                assert!(
                    matches!(
                        plan(&refresh, &off, 100, collects),
                        Ok(Plan::Collect(RefreshScope::Full, _))
                    ),
                    "{what}"
                );
            }
            let streams = RefreshSettings {
                streaming_refresh: true,
                ..settings
            };
            assert_eq!(
                plan(&refresh, &streams, 100, collects),
                Ok(Plan::Nothing),
                "{what}"
            );
        }
    }
}
