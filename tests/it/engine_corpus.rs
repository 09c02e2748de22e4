//! The engine's own test trees, and the shipped tree as a whole, where the corpus is at hand.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use crate::conformance::ended;
use crate::conformance::objects;
use crate::conformance::request;
use crate::conformance::run;
use crate::corpus;

#[test]
fn explore() {
    let Some(folder) = corpus::part("engine") else {
        return;
    };
    for (tree, uris) in [
        (
            "substitution",
            (1..=10).map(|n| format!("/EVM/A/a{n}")).collect::<Vec<_>>(),
        ),
        (
            "substitution",
            vec![
                "/EVM/B/b3".to_owned(),
                "/EVM/A/".to_owned(),
                "/SPEC_DOMAIN/EVM/A/".to_owned(),
            ],
        ),
        (
            "collect_data",
            ["get_months", "get_weekdays", "get_random_number"]
                .map(|m| format!("/TEST/COLLECT/INFO?environment=dev#{m}"))
                .to_vec(),
        ),
        (
            "collect_data",
            vec![
                "/TEST/COLLECT/INFO?environment=xx#get_random_number".to_owned(),
                "/TEST/COLLECT/INFO#get_random_number".to_owned(),
                "/TEST/COLLECT/INFO#get_nothing".to_owned(),
            ],
        ),
        (
            "discovery",
            vec![
                "/SYSTEM/PROCESS/EVENT?event_type=CreateVM_Task_Complete&vm_os_family=linux".to_owned(),
                "/SYSTEM/PROCESS/EVENT?event_type=x&vm_os_family=windows".to_owned(),
                "/EVM/DISCOVERY/windows".to_owned(),
                "/EVM/DISCOVERY/linux".to_owned(),
                "/EVM/EVENT/x".to_owned(),
            ],
        ),
        (
            "relation",
            [
                "test1",
                "test2",
                "test3",
                "test4",
                "test5a",
                "test5b",
                "test_wildcard",
                "test_message1",
                "test_message1#discover",
                "test_message1#DISCOVER_FLAVOR1",
                "START",
            ]
            .map(|m| format!("/EVM/AUTOMATE/{m}"))
            .to_vec(),
        ),
        (
            "state_machine",
            vec![
                "/Automation/VMLifecycle/Provisioning2".to_owned(),
                "/Factory/StateMachine/Provisioning".to_owned(),
                "/Automation/VMLifecycle/Provisioning?ae_message=create".to_owned(),
            ],
        ),
        (
            "miq_ae_engine_spec1",
            ["test1", "test2", "test3", "test4", "test_password"]
                .map(|m| format!("/EVM/AUTOMATE/{m}"))
                .to_vec(),
        ),
        (
            "miq_ae_engine_spec2",
            ["test1", "test2", "test4"]
                .map(|m| format!("/CYCLICAL/AUTOMATE/{m}"))
                .to_vec(),
        ),
        (
            "miq_ae_engine_spec3",
            ["test1", "test2", "test3", "test4"]
                .map(|m| format!("/SYSTEM/EVM/AUTOMATE/{m}"))
                .to_vec(),
        ),
    ] {
        let path = folder.join(tree);
        let loaded = switchboard::switchboard::Switchboard::load(&corpus::tree(&[&path], &[]), None);
        for finding in loaded.diagnostics.iter() {
            println!("{tree} {} {} {}", finding.code, finding.file, finding.message);
        }
        for uri in uris {
            let document = run(&loaded.switchboard, &request(&uri));
            println!(
                "{tree} {uri}\n    {}\n    {}",
                ended(&document),
                objects(&document)
            );
        }
    }
}
