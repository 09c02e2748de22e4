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
