//! Statements about refreshes: the queue of them, targets, and what is saved and archived.

use crate::pipeline_conformance::Shown;
use crate::pipeline_conformance::Shown::By;
use crate::pipeline_conformance::Shown::Differs;

const QUEUE: &str = "tests/it/refresh_queue.rs";
const WHOLE: &str = "tests/it/refresh.rs";
const SAVER: &str = "tests/it/inventory.rs";
const TARGETS: &str = "tests/it/refresh_targets.rs";
const BAD: &str = "tests/it/refresh_bad_input.rs";
const SCOPE: &str = "src/refresh/scope.rs";
const SCHEDULE: &str = "src/refresh/schedule.rs";
const OWN: &str = "tests/it/pipeline_conformance/refreshes.rs";

const JOINS: &str =
    "c80_c81_what_is_asked_for_before_a_refresh_begins_joins_it_and_the_rest_is_one_later_refresh";
const FAILED: &str = "c88_a_refresh_that_failed_keeps_its_targets_and_takes_in_what_was_asked_for_meanwhile";
const LEAVES_OUT: &str = "c103_to_c106_what_a_refresh_leaves_out_is_gone_as_far_as_it_was_asked_for";
const FORMS: &str = "c100_c101_c102_every_form_of_a_target_comes_to_the_collector_as_it_was_asked_for";
const OWNERS: &str =
    "c86_c99_targets_belong_to_the_manager_of_the_event_or_to_the_one_they_name_and_know_the_event";

/// C80 to C90, C99 to C106.
pub(crate) const STATEMENTS: &[(&str, Shown)] = &[
    ("C80", By(&[(QUEUE, JOINS)])),
    ("C81", By(&[(QUEUE, JOINS)])),
    (
        "C82",
        By(&[
            (
                OWN,
                "c82_a_hundred_requests_for_one_vm_are_one_target_and_no_full_refresh",
            ),
            (WHOLE, "a_storm_about_few_vms_makes_two_refreshes_at_most"),
        ]),
    ),
    (
        "C83",
        By(&[(
            SCOPE,
            "c83_everything_is_read_when_it_is_asked_for_or_when_too_much_is_and_only_openly",
        )]),
    ),
    ("C84", By(&[(TARGETS, FORMS)])),
    ("C85", Differs("There are no tasks")),
    ("C86", By(&[(TARGETS, OWNERS)])),
    (
        "C87",
        By(&[
            (QUEUE, FAILED),
            (
                BAD,
                "a_collector_that_is_wrong_fails_its_own_refresh_whole_and_no_other",
            ),
        ]),
    ),
    (
        "C88",
        By(&[
            (QUEUE, FAILED),
            (
                WHOLE,
                "a_refresh_that_fails_archives_nothing_keeps_its_targets_and_comes_again",
            ),
        ]),
    ),
    (
        "C89",
        By(&[(
            SCHEDULE,
            "c89_managers_are_read_whole_once_and_then_every_interval_each_at_its_own_time",
        )]),
    ),
    (
        "C90",
        By(&[(
            OWN,
            "c90_what_was_read_not_long_ago_is_not_read_whole_again_after_a_start",
        )]),
    ),
    ("C99", By(&[(TARGETS, OWNERS)])),
    ("C100", By(&[(TARGETS, FORMS)])),
    ("C101", By(&[(TARGETS, FORMS)])),
    ("C102", By(&[(TARGETS, FORMS)])),
    ("C103", By(&[(SAVER, LEAVES_OUT)])),
    (
        "C104",
        By(&[
            (SAVER, LEAVES_OUT),
            (
                BAD,
                "a_collector_that_is_wrong_fails_its_own_refresh_whole_and_no_other",
            ),
            (BAD, "a_cloud_that_dies_in_the_middle_of_a_page_costs_no_object"),
        ]),
    ),
    ("C105", By(&[(SAVER, LEAVES_OUT)])),
    ("C106", By(&[(SAVER, LEAVES_OUT)])),
];

#[test]
fn c82_a_hundred_requests_for_one_vm_are_one_target_and_no_full_refresh() {
    use switchboard::model::target::ManagerRef;
    use switchboard::model::target::Target;
    use switchboard::vmdb::RefreshRequest;

    let (database, ems) = crate::support::Database::with_ems("cloud");
    let request = RefreshRequest {
        ems_id: ems.id,
        targets: vec![Target::new("vms", ManagerRef::ems_ref("vm-1"))],
        full: None,
    };
    for _ in 0..100 {
        database.vmdb.queue_refresh(&request).wait().unwrap();
    }
    let taken = crate::support::take_refresh(&database.vmdb).unwrap();
    assert_eq!((taken.targets.len(), taken.full), (1, None));
    let shown = database.vmdb.refresh_show(taken.id).unwrap().unwrap();
    assert_eq!(shown.requested[0].requests, 100);
}

#[test]
fn c90_what_was_read_not_long_ago_is_not_read_whole_again_after_a_start() {
    use crate::support::managed::Managed;

    let mut managed = Managed::start(2, "");
    managed.until_read();
    managed.restart(|_| ());
    managed.cloud.change_by_chance(1);
    managed.until_quiet();
    managed.assert_true();
    let refreshes = managed.refreshes();
    let full = refreshes.iter().filter(|refresh| refresh.full.is_some());
    assert_eq!(full.count(), 1, "the first one only: {refreshes:?}");
}
