//! Maxima of a state, and states that belong to a message only (sections 5.3 and 5.6).

use crate::conformance::Tree;
use crate::conformance::calls;
use crate::conformance::check;
use crate::conformance::machines::flow;

#[test]
fn maxima_end_a_state() {
    let document = flow(&["s2=METHOD::rty", "s2.max_retries=2"]).deliveries("/Lab/Flow/f", 10);
    let ends: Vec<String> = document["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| {
            let own = &delivery["root"]["attributes"];
            format!(
                "{} {} {}",
                calls(delivery),
                own["ae_state_retries"],
                own["ae_result"].as_str().unwrap()
            )
        })
        .collect();
    let expected = [
        "t:main@s1 t:on_exit@s1 rty:main@s2 t:on_exit@s2 1 retry",
        "rty:main@s2 t:on_exit@s2 2 retry",
        "rty:main@s2 t:on_exit@s2 3 retry",
        "t:on_error@s2 \"3\" error",
    ];
    assert_eq!(ends, expected);
    assert_eq!(document["errors"][0]["kind"], "MaximumRetriesReached");

    let slow = ["s2=METHOD::aff", "s2.max_time=1.minute"];
    let document = flow(&slow).deliveries("/Lab/Flow/f", 10);
    let results: Vec<&str> = document["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["root"]["attributes"]["ae_result"].as_str().unwrap())
        .collect();
    assert_eq!(
        results,
        ["retry", "retry", "error"],
        "exactly the limit fails already"
    );

    let none = flow(&["s2=METHOD::rty", "s2.max_retries=0"]).deliveries("/Lab/Flow/f", 10);
    assert_eq!(
        none["deliveries"].as_array().unwrap().len(),
        2,
        "0 allows no retry"
    );
    let unlimited = flow(&["s2=METHOD::rty"]).deliveries("/Lab/Flow/f", 7);
    assert_eq!(unlimited["deliveries"].as_array().unwrap().len(), 7);
    assert_eq!(unlimited["root"]["attributes"]["ae_state_retries"], 7);
}

/// How many times the second state ran, and the end, over as many deliveries as it takes.
fn tries(question: &str) -> String {
    let changes: Vec<&str> = question.split(" & ").collect();
    let document = flow(&changes).deliveries("/Lab/Flow/f", 12);
    let deliveries = document["deliveries"].as_array().unwrap();
    let mains = deliveries.iter().map(|delivery| {
        let calls = calls(delivery);
        calls.split(' ').filter(|call| call.ends_with(":main@s2")).count()
    });
    let own = &document["root"]["attributes"];
    format!(
        "{} of {}: {}/{}",
        mains.sum::<usize>(),
        deliveries.len(),
        own["ae_state"].as_str().unwrap(),
        own["ae_result"].as_str().unwrap()
    )
}

#[test]
fn a_state_runs_once_more_than_it_may_be_retried() {
    check(
        &[
            ("5.6", "s2=METHOD::rty & s2.max_retries=0", "1 of 2: s2/error"),
            ("5.6", "s2=METHOD::rty & s2.max_retries=1", "2 of 3: s2/error"),
            ("5.6", "s2=METHOD::rty & s2.max_retries=3", "4 of 5: s2/error"),
            ("5.6", "s2=METHOD::rty & s2.max_retries=", "12 of 12: s2/retry"),
            ("5.6", "s2=METHOD::rty & s2.max_retries=two", "1 of 2: s2/error"),
            ("5.6", "s2=METHOD::rty & s2.max_retries=2x", "3 of 4: s2/error"),
            ("5.6", "s2=METHOD::asy & s2.max_retries=2", "3 of 4: s2/error"),
            ("5.6", "s2.on_exit=rty & s2.max_retries=2", "3 of 4: s2/error"),
            // A state that has nothing to do is never too long at it.
            (
                "G38",
                "s2=# off & s2.on_exit=rty & s2.max_retries=2",
                "0 of 12: s2/retry",
            ),
            (
                "5.5",
                "s2=METHOD::rty & s2.max_retries=1 & s2.on_error=cont",
                "2 of 3: /ok",
            ),
            (
                "5.6",
                "s2=METHOD::aff & s2.max_time=2.minutes",
                "4 of 5: s2/error",
            ),
            ("5.7", "s2=METHOD::aff & s2.max_time=90", "3 of 4: s2/error"),
            (
                "5.7",
                "s2=METHOD::aff & s2.max_time=1.5.minutes",
                "3 of 4: s2/error",
            ),
            ("5.7", "s2=METHOD::aff & s2.max_time=", "12 of 12: s2/retry"),
            (
                "5.6",
                "s2=METHOD::aff & s2.max_time=1.hour & s2.max_retries=1",
                "2 of 3: s2/error",
            ),
            // A restart keeps its count and its start.
            ("G30", "s2=METHOD::rst2 & s2.max_retries=2", "3 of 4: s2/error"),
        ],
        tries,
    );
}

#[test]
fn only_states_of_the_message_count() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class(
            "Lab/Flow",
            &["s1:st=METHOD::t", "s2:st~audit=METHOD::t", "s3:st~*=METHOD::go"],
        )
        .instance("f", &[])
        .method("t", &[], "")
        .method(
            "go",
            &[],
            "if evm.root.next != () { evm.root.ae_next_state = evm.root.next; }",
        );
    let answer = |uri: &str| {
        let document = tree.run(uri);
        format!(
            "{} -> {}",
            calls(&document),
            document["root"]["attributes"]["ae_state"]
        )
    };
    check(
        &[
            ("5.3", "/Lab/Flow/f", "t:main@s1 go:main@s3 -> \"\""),
            ("5.3", "/Lab/Flow/f#audit", "t:main@s2 go:main@s3 -> \"\""),
            ("5.3", "/Lab/Flow/f?next=s2", "t:main@s1 go:main@s3 -> \"s3\""),
            (
                "5.3",
                "/Lab/Flow/f?next=s2#audit",
                "t:main@s2 go:main@s3 -> \"s2\"",
            ),
        ],
        answer,
    );
}
