//! Machines within machines, and what a retry brings back (statements C129 to C131, sections 5.8 and 5.9).

use crate::conformance::Tree;
use crate::conformance::check_ends;
use crate::conformance::objects;
use crate::conformance::request;
use crate::conformance::run;
use switchboard::switchboard::SimulationRequest;

fn methods(tree: Tree) -> Tree {
    tree.method("t", &[], "")
        .method("rty", &[], "evm.root.ae_result = \"retry\";")
        .method("bad", &[], "evm.root.ae_result = \"error\";")
        .method("cont", &[], "evm.root.ae_result = \"continue\";")
        .method("note", &[], "let seen = evm.state_var(\"seen\"); evm.set_state_var(\"seen\", if seen == () { 1 } else { seen + 1 });")
        .method("until3", &[], "if evm.state_var(\"seen\") < 3 { evm.root.ae_result = \"retry\"; evm.root.ae_retry_interval = 60; }")
}

#[test]
fn an_ordinary_object_over_a_machine_runs_again_at_every_delivery() {
    let tree = methods(
        Tree::default()
            .domain("Base", 1)
            .class("Lab/Top", &["pre:me=t", "r:re=/Lab/Flow/f"])
            .method("t", &[], "")
            .instance("top", &[])
            .class(
                "Lab/Flow",
                &[
                    "s1:st=METHOD::t",
                    "s2:st=METHOD::rty",
                    "s2.max_retries=2",
                    "s3:st=METHOD::t",
                ],
            )
            .instance("f", &[]),
    );
    let document = tree.deliveries("/Lab/Top/top?color=red", 9);
    let courses: Vec<String> = document["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| {
            let methods: Vec<&str> = delivery["actions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|action| action["method"].as_str().unwrap())
                .collect();
            let own = &delivery["root"]["attributes"];
            format!(
                "{} {} {} {}",
                methods.join(" "),
                own["ae_state_retries"],
                own["ae_result"].as_str().unwrap(),
                own["color"].as_str().unwrap()
            )
        })
        .collect();
    assert_eq!(
        courses,
        [
            "t t rty 1 retry red",
            "t rty 2 retry red",
            "t rty 3 retry red",
            "t 3 error red"
        ],
        "C129"
    );
    let saved: Vec<String> = document["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|delivery| {
            delivery["retry"]
                .pointer("/machines/~1Base~1Lab~1Flow~1f/ae_state_retries")
                .map_or("-".to_owned(), ToString::to_string)
        })
        .collect();
    assert_eq!(saved, ["1", "2", "3", "-"]);
}

#[test]
fn state_variables_survive_and_the_clock_moves() {
    let tree = methods(
        Tree::default()
            .domain("Base", 1)
            .class(
                "Lab/Flow",
                &["pre:me=note", "s1:st=METHOD::until3", "s2:st=METHOD::t"],
            )
            .instance("f", &[]),
    );
    let document = tree.deliveries("/Lab/Flow/f", 9);
    let deliveries = document["deliveries"].as_array().unwrap();
    assert_eq!(deliveries.len(), 3);
    assert_eq!(deliveries[0]["retry"]["after"], 60);
    assert_eq!(
        deliveries[1]["retry"]["state_vars"],
        serde_json::json!({"seen": 2})
    );
    assert_eq!(
        deliveries[1]["root"]["attributes"]["ae_state_started"], "2026-01-31T12:00:00Z",
        "the first start is kept"
    );
    assert_eq!(document["retry"], serde_json::Value::Null);
    assert_eq!(document["root"]["attributes"]["ae_result"], "ok");
}

fn siblings(first: &str, second: &str) -> Tree {
    methods(
        Tree::default()
            .domain("Base", 1)
            .class(
                "Lab/Top",
                &[
                    &format!("a:re=/Lab/Flow/{first}"),
                    &format!("b:re=/Lab/Flow/{second}"),
                ],
            )
            .instance("top", &[])
            .class("Lab/Flow", &["s1:st"])
            .instance("fine", &["s1=METHOD::t"])
            .instance("bad", &["s1=METHOD::bad"])
            .instance("rty", &["s1=METHOD::rty"]),
    )
}

#[test]
fn one_machine_that_ended_badly_freezes_the_next() {
    let ran = |tree: &Tree| {
        let document = tree.run("/Lab/Top/top");
        let names: Vec<&str> = document["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| action["method"].as_str().unwrap())
            .collect();
        format!(
            "{} {}",
            names.join(" "),
            document["root"]["attributes"]["ae_result"].as_str().unwrap()
        )
    };
    assert_eq!(ran(&siblings("bad", "fine")), "bad error", "C131");
    assert_eq!(ran(&siblings("rty", "fine")), "rty retry", "G37");
    assert_eq!(ran(&siblings("fine", "rty")), "t rty retry");
    let document = siblings("fine", "rty").deliveries("/Lab/Top/top", 2);
    let again: Vec<&str> = document["actions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|action| action["method"].as_str().unwrap())
        .collect();
    assert_eq!(again, ["t", "rty"], "G35: a machine that had ended starts over");
}

/// Three machines within each other; the innermost runs `leaf`.
fn three(leaf: &str, settings: &[&str]) -> Tree {
    let own = |level: &str| {
        settings
            .iter()
            .filter_map(|setting| setting.strip_prefix(level))
            .map(|setting| setting.trim_start_matches('.').to_owned())
            .collect::<Vec<_>>()
    };
    let mut tree = Tree::default().domain("Base", 1);
    for (level, value) in [
        ("Top", "/Lab/Mid/m".to_owned()),
        ("Mid", "/Lab/Low/l".to_owned()),
        ("Low", format!("METHOD::{leaf}")),
    ] {
        let (first, second) = (format!("s1:st={value}"), "s2:st=METHOD::t".to_owned());
        let settings = own(level);
        let mut fields: Vec<&str> = vec![&first, &second];
        fields.extend(settings.iter().map(String::as_str));
        let name = level.to_lowercase();
        tree = methods(
            tree.class(&format!("Lab/{level}"), &fields)
                .instance(name.split_at(1).0, &[]),
        );
    }
    tree
}

#[test]
fn an_error_or_a_retry_is_seen_at_every_level() {
    let run_methods = |document: &serde_json::Value| -> Vec<String> {
        document["actions"]
            .as_array()
            .unwrap()
            .iter()
            .map(|action| {
                format!(
                    "{}@{}",
                    action["method"].as_str().unwrap(),
                    action["object"].as_str().unwrap().rsplit('/').next().unwrap()
                )
            })
            .collect()
    };
    let fine = three("t", &[]).run("/Lab/Top/t");
    assert_eq!(run_methods(&fine), ["t@l", "t@l", "t@m", "t@t"]);
    assert_eq!(fine["root"]["attributes"]["ae_state"], "");
    assert_eq!(fine["root"]["attributes"]["ae_result"], "ok");

    let bad = three(
        "bad",
        &["Top.s1.on_error=t", "Mid.s1.on_error=t", "Low.s1.on_error=t"],
    )
    .run("/Lab/Top/t");
    assert_eq!(run_methods(&bad), ["bad@l", "t@l", "t@m", "t@t"], "bottom up");
    assert_eq!(bad["root"]["attributes"]["ae_state"], "s1");

    let caught = three("bad", &["Mid.s1.on_error=cont", "Low.s1.on_error=t"]).run("/Lab/Top/t");
    assert_eq!(run_methods(&caught), ["bad@l", "t@l", "cont@m", "t@m", "t@t"]);
    assert_eq!(caught["root"]["attributes"]["ae_result"], "ok");

    let retried = three(
        "rty",
        &[
            "Top.s1.max_retries=1",
            "Mid.s1.max_retries=9",
            "Low.s1.max_retries=9",
        ],
    )
    .deliveries("/Lab/Top/t", 9);
    let saved = &retried["deliveries"][1]["retry"]["machines"];
    for name in ["/Base/Lab/Top/t", "/Base/Lab/Mid/m", "/Base/Lab/Low/l"] {
        assert_eq!(
            saved[name]["ae_state_retries"], 2,
            "{name} counts its own: {saved}"
        );
    }
    assert_eq!(saved["/Base/Lab/Top/t"]["ae_state_max_retries"], 1);
    assert_eq!(saved["/Base/Lab/Low/l"]["ae_state_max_retries"], 9);
    assert_eq!(
        retried["deliveries"].as_array().unwrap().len(),
        3,
        "the top's limit ends it"
    );
    assert_eq!(retried["root"]["attributes"]["ae_result"], "error");
}

#[test]
fn a_state_collects_from_its_relationship() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Src", &["n:at:integer=3"])
        .instance("s", &[])
        .class(
            "Lab/Flow",
            &[
                "s1:st=/Lab/Src/s",
                "s1.collect=/got = n",
                "s2:st=/Lab/Src/none",
                "s2.collect=/got = n",
                "s3:st=/Lab/Src/s",
            ],
        )
        .instance("f", &[]);
    let document = tree.run("/Lab/Flow/f");
    assert_eq!(
        document["root"]["attributes"]["got"], 3,
        "earlier collects are kept"
    );
    assert_eq!(document["root"]["attributes"]["ae_result"], "error");
    assert_eq!(
        document["workspace"][0]["relationships"],
        serde_json::json!({"s1": "/Base/Lab/Src/s"})
    );
    let child = objects(&document);
    assert!(child.contains("(s{n=3})"), "{child}");
}

#[test]
fn a_run_over_a_uri_takes_its_state_from_the_arguments() {
    let tree = methods(
        Tree::default()
            .domain("Base", 1)
            .class("Lab/Flow", &["s1:st=METHOD::t", "s2:st=METHOD::t"])
            .instance("f", &[]),
    );
    let request = SimulationRequest {
        deliveries: 1,
        ..request("/Lab/Flow/f?ae_state=s2")
    };
    let document = run(&tree.load().0, &request);
    assert_eq!(document["actions"].as_array().unwrap().len(), 1, "5.9");
    check_ends(
        &tree,
        &[(
            "5.2",
            "/Lab/Flow/f?ae_result=error",
            "ae_next_state='' ae_result='error' ae_retry_server_affinity=false ae_state='s1'",
        )],
    );
}
