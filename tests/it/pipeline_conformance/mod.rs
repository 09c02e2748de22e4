//! The (P) and (D) statements of the reference, section 13, about catcher, transport, record and job queue: C01 to C59
//! and C91 to C98. Each stands in the table with the test that shows it, the difference that is deliberate, or what it
//! waits for; the table is held against the tests there are.

mod catcher;
mod record;
mod transport;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Where a statement is shown to hold.
enum Shown {
    /// By these tests: file under `tests/it` or `src`, function.
    By(&'static [(&'static str, &'static str)]),
    /// It does not hold, on purpose: a text of docs/differences.md says so.
    Differs(&'static str),
    /// It is about something that is not built yet.
    Waits(&'static str),
}

use Shown::By;
use Shown::Differs;
use Shown::Waits;

const CATCHER: &str = "tests/it/catcher.rs";
const LOSS: &str = "tests/it/loss_points.rs";
const FLOOD: &str = "tests/it/flood.rs";
const RELATIONS: &str = "tests/it/handler_relations.rs";
const HANDLER: &str = "tests/it/handler.rs";
const MODEL: &str = "tests/it/queue_model.rs";
const OWN_CATCHER: &str = "tests/it/pipeline_conformance/catcher.rs";
const OWN_RECORD: &str = "tests/it/pipeline_conformance/record.rs";
const OWN_TRANSPORT: &str = "tests/it/pipeline_conformance/transport.rs";

const ROLES: &str = "roles of processes come with `worker`";
const BROKER: &str = "the message broker";
const PROVIDERS: &str = "that provider's scripts";
const PURGE: &str = "the purge, which has tests of its own";

const STATEMENTS: &[(&str, Shown)] = &[
    (
        "C01",
        By(&[
            (CATCHER, "c01_one_catcher_for_each_manager_that_has_a_stream"),
            (
                LOSS,
                "l13_s28_a_paused_manager_is_left_alone_and_nothing_of_it_is_skipped",
            ),
        ]),
    ),
    (
        "C02",
        By(&[(CATCHER, "c02_another_set_of_the_same_size_is_caught_in_one_pass")]),
    ),
    ("C03", Waits(ROLES)),
    ("C04", Differs("A catcher is a task")),
    (
        "C05",
        By(&[(
            CATCHER,
            "c05_nothing_counts_as_running_before_its_stream_has_answered",
        )]),
    ),
    (
        "C06",
        By(&[(
            CATCHER,
            "c06_a_provider_that_never_answers_is_given_up_at_the_deadline_with_the_reason",
        )]),
    ),
    (
        "C07",
        By(&[(
            CATCHER,
            "c07_c09_c10_a_stream_that_breaks_off_is_tried_again_after_pauses_that_grow",
        )]),
    ),
    (
        "C08",
        By(&[(
            CATCHER,
            "c08_missing_credentials_are_told_and_nothing_is_asked_until_they_are_there",
        )]),
    ),
    (
        "C09",
        By(&[(
            CATCHER,
            "c07_c09_c10_a_stream_that_breaks_off_is_tried_again_after_pauses_that_grow",
        )]),
    ),
    (
        "C10",
        By(&[
            (
                CATCHER,
                "c07_c09_c10_a_stream_that_breaks_off_is_tried_again_after_pauses_that_grow",
            ),
            (
                "src/catcher/back_off.rs",
                "pauses_grow_to_a_limit_and_are_short_again_only_after_health",
            ),
        ]),
    ),
    (
        "C11",
        By(&[(CATCHER, "c11_refused_credentials_are_tried_a_few_times_an_hour")]),
    ),
    (
        "C12",
        By(&[
            (
                CATCHER,
                "c12_l4_a_bad_event_between_good_ones_is_kept_as_it_came_and_its_neighbours_too",
            ),
            (
                LOSS,
                "l04_s23_of_a_page_with_a_broken_event_nine_are_stored_and_the_tenth_waits_for_its_script",
            ),
        ]),
    ),
    (
        "C13",
        By(&[(
            CATCHER,
            "c13_c14_l5_a_stop_keeps_what_was_received_and_cuts_off_what_was_not",
        )]),
    ),
    (
        "C14",
        By(&[
            (
                CATCHER,
                "c13_c14_l5_a_stop_keeps_what_was_received_and_cuts_off_what_was_not",
            ),
            (
                LOSS,
                "l05_s26_a_stop_drains_past_bad_messages_and_a_second_signal_loses_nothing",
            ),
        ]),
    ),
    (
        "C15",
        By(&[(CATCHER, "c15_another_address_restarts_that_catcher_and_no_other")]),
    ),
    (
        "C16",
        By(&[(
            CATCHER,
            "c16_c17_c18_c24_a_changed_blacklist_counts_at_once_and_moves_the_cursor",
        )]),
    ),
    (
        "C17",
        By(&[(
            CATCHER,
            "c16_c17_c18_c24_a_changed_blacklist_counts_at_once_and_moves_the_cursor",
        )]),
    ),
    (
        "C18",
        By(&[(
            CATCHER,
            "c16_c17_c18_c24_a_changed_blacklist_counts_at_once_and_moves_the_cursor",
        )]),
    ),
    ("C19", Waits(PROVIDERS)),
    ("C20", Waits(PROVIDERS)),
    (
        "C21",
        By(&[
            (
                FLOOD,
                "c21_c22_equal_events_beyond_the_rate_become_one_decision_and_each_is_on_the_timeline",
            ),
            (
                "src/catcher/flood.rs",
                "c21_c22_a_burst_passes_up_to_the_rate_and_the_rest_gathers",
            ),
        ]),
    ),
    (
        "C22",
        By(&[(
            FLOOD,
            "c21_c22_equal_events_beyond_the_rate_become_one_decision_and_each_is_on_the_timeline",
        )]),
    ),
    (
        "C23",
        By(&[(
            OWN_CATCHER,
            "c23_what_is_new_each_time_makes_no_two_events_of_vsphere_different",
        )]),
    ),
    (
        "C24",
        By(&[(
            CATCHER,
            "c16_c17_c18_c24_a_changed_blacklist_counts_at_once_and_moves_the_cursor",
        )]),
    ),
    (
        "C25",
        By(&[(CATCHER, "c25_a_running_stream_that_falls_silent_is_replaced")]),
    ),
    (
        "C26",
        By(&[
            (
                CATCHER,
                "c26_l1_l3_what_was_missed_while_nobody_ran_is_asked_for_and_kept_once",
            ),
            (
                LOSS,
                "l03_s22_a_kill_between_pages_leaves_cursor_and_events_together_and_none_is_missing",
            ),
        ]),
    ),
    ("C27", Differs("The queue has no priorities, roles, zones")),
    ("C28", Waits(BROKER)),
    ("C29", Waits(BROKER)),
    ("C30", Waits(BROKER)),
    (
        "C31",
        By(&[(
            OWN_TRANSPORT,
            "c31_what_comes_while_no_handler_runs_is_stored_once_there_is_one",
        )]),
    ),
    (
        "C32",
        By(&[(
            OWN_TRANSPORT,
            "c32_the_native_event_is_read_back_byte_for_byte_whichever_way_it_came",
        )]),
    ),
    ("C33", Waits(BROKER)),
    (
        "C34",
        By(&[(
            OWN_RECORD,
            "c34_an_event_without_a_type_is_kept_with_a_clear_error",
        )]),
    ),
    (
        "C35",
        By(&[(
            RELATIONS,
            "events_are_related_to_the_inventory_of_their_own_manager",
        )]),
    ),
    (
        "C36",
        By(&[(
            RELATIONS,
            "events_are_related_to_the_inventory_of_their_own_manager",
        )]),
    ),
    (
        "C37",
        By(&[(
            RELATIONS,
            "events_are_related_to_the_inventory_of_their_own_manager",
        )]),
    ),
    (
        "C38",
        By(&[(
            RELATIONS,
            "events_are_related_to_the_inventory_of_their_own_manager",
        )]),
    ),
    (
        "C39",
        By(&[(
            RELATIONS,
            "events_are_related_to_the_inventory_of_their_own_manager",
        )]),
    ),
    (
        "C40",
        By(&[(
            RELATIONS,
            "events_are_related_to_the_inventory_of_their_own_manager",
        )]),
    ),
    ("C41", Differs("Every key of the event hash is kept")),
    (
        "C42",
        By(&[(
            "tests/it/vmdb.rs",
            "an_event_is_saved_once_whenever_its_repeat_comes",
        )]),
    ),
    (
        "C43",
        By(&[(
            "tests/it/reliability/decisions.rs",
            "s20_two_catchers_put_the_same_keys_at_once_and_each_is_one_row_with_one_delivery",
        )]),
    ),
    (
        "C44",
        By(&[(
            LOSS,
            "l08_s21_two_events_of_two_instances_in_one_second_stay_two_and_a_repeat_stays_one",
        )]),
    ),
    (
        "C45",
        By(&[(
            OWN_RECORD,
            "c45_times_are_kept_to_the_microsecond_and_longer_ones_are_cut",
        )]),
    ),
    (
        "C46",
        By(&[(RELATIONS, "the_end_of_a_task_makes_an_event_of_its_own_once")]),
    ),
    (
        "C47",
        By(&[(LOSS, "l12_s28_an_unknown_key_of_the_hash_is_stored_and_shown")]),
    ),
    (
        "C48",
        By(&[(RELATIONS, "the_end_of_a_task_makes_an_event_of_its_own_once")]),
    ),
    (
        "C49",
        By(&[(RELATIONS, "the_end_of_a_task_makes_an_event_of_its_own_once")]),
    ),
    (
        "C50",
        By(&[(RELATIONS, "the_end_of_a_task_makes_an_event_of_its_own_once")]),
    ),
    (
        "C51",
        By(&[(RELATIONS, "the_end_of_a_task_makes_an_event_of_its_own_once")]),
    ),
    (
        "C52",
        By(&[(RELATIONS, "the_end_of_a_task_makes_an_event_of_its_own_once")]),
    ),
    (
        "C53",
        By(&[(
            RELATIONS,
            "events_are_linked_late_to_objects_that_come_to_be_known_after_them",
        )]),
    ),
    (
        "C54",
        By(&[(
            RELATIONS,
            "events_are_linked_late_to_objects_that_come_to_be_known_after_them",
        )]),
    ),
    (
        "C55",
        Waits("relations between objects, which come with the inventory"),
    ),
    (
        "C56",
        By(&[(LOSS, "l10_an_event_and_what_it_causes_are_one_commit_or_none")]),
    ),
    ("C57", Waits(PURGE)),
    ("C58", Waits(PURGE)),
    (
        "C59",
        By(&[(
            OWN_RECORD,
            "c59_events_of_a_removed_manager_stay_readable_under_its_name",
        )]),
    ),
    ("C91", Differs("The queue has no priorities, roles, zones")),
    (
        "C92",
        By(&[
            (MODEL, "the_queue_is_a_plain_list_that_survives"),
            (HANDLER, "a_state_machine_goes_on_when_it_is_due_with_all_it_knew"),
        ]),
    ),
    (
        "C93",
        By(&[
            (
                HANDLER,
                "events_of_one_resource_are_delivered_in_order_by_any_number_of_threads",
            ),
            (
                HANDLER,
                "events_of_different_resources_are_delivered_side_by_side",
            ),
        ]),
    ),
    (
        "C94",
        By(&[
            (
                HANDLER,
                "events_of_one_resource_are_delivered_in_order_by_any_number_of_threads",
            ),
            (
                "tests/it/vmdb.rs",
                "a_second_process_is_refused_and_a_tool_is_not",
            ),
        ]),
    ),
    ("C95", Differs("The queue has no priorities, roles, zones")),
    (
        "C96",
        By(&[(
            LOSS,
            "l13_s28_a_paused_manager_is_left_alone_and_nothing_of_it_is_skipped",
        )]),
    ),
    ("C97", Differs("The queue has no callbacks")),
    (
        "C98",
        By(&[(
            LOSS,
            "l09_s19_a_row_in_hand_when_the_process_dies_is_taken_again_and_never_destroyed",
        )]),
    ),
];

#[test]
fn every_statement_has_its_place_and_every_place_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts: BTreeMap<&str, String> = BTreeMap::new();
    let mut text = |file: &'static str| {
        let read = || fs::read_to_string(root.join(file)).unwrap_or_default();
        texts.entry(file).or_insert_with(read).clone()
    };
    // Lines may be broken anywhere in a document.
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let differences = words(&text("docs/differences.md"));
    let mut wrong = Vec::new();
    for (number, shown) in STATEMENTS {
        match shown {
            By(tests) => {
                for (file, name) in *tests {
                    if !text(file).contains(&format!("fn {name}(")) {
                        wrong.push(format!("{number}: no test `{name}` in {file}"));
                    }
                }
            }
            Differs(words) if !differences.contains(words) => {
                wrong.push(format!("{number}: docs/differences.md does not say `{words}`"));
            }
            Waits("") => wrong.push(format!("{number} waits for nothing")),
            Differs(_) | Waits(_) => (),
        }
    }
    let listed: Vec<&str> = STATEMENTS.iter().map(|(number, _)| *number).collect();
    let expected: Vec<String> = (1..=59)
        .chain(91..=98)
        .map(|number| format!("C{number:02}"))
        .collect();
    assert_eq!(listed, expected);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
