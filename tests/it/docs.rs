//! What the guide for writing rules shows is loaded and run.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fs;

use serde_json::Value;
use switchboard::model::clock::Timestamp;
use switchboard::source::SourceTree;
use switchboard::switchboard::SimulatedEvent;
use switchboard::switchboard::SimulationRequest;
use switchboard::switchboard::Switchboard;

/// A fenced block: its language and its lines.
struct Block {
    language: String,
    text: String,
}

fn blocks(name: &str) -> Vec<Block> {
    let path = format!("{}/docs/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(path).unwrap();
    let fenced = text.split("```").skip(1).step_by(2);
    fenced
        .map(|block| {
            let (language, text) = block.split_once('\n').unwrap();
            Block {
                language: language.to_owned(),
                text: text.to_owned(),
            }
        })
        .collect()
}

/// The files that a guide shows, each block beginning with its path as a comment.
fn shown_files(blocks: &[Block]) -> String {
    let mut fixture = String::new();
    for block in blocks {
        let (first, rest) = block.text.split_once('\n').unwrap();
        let path = first.strip_prefix("# ").or_else(|| first.strip_prefix("// "));
        match path.filter(|path| path.starts_with("automate/") || path.starts_with("scripts/")) {
            Some(path) => fixture.push_str(&format!("//- {path}\n{rest}")),
            None => assert!(
                !["yaml", "rhai"].contains(&block.language.as_str()),
                "no path: {first}"
            ),
        }
    }
    fixture
}

/// The words of a command line, without their quotes.
fn words(line: &str) -> Vec<&str> {
    line.split_whitespace()
        .map(|word| word.trim_matches('\''))
        .collect()
}

#[test]
fn the_examples_of_writing_rules_load_and_do_what_is_said() {
    let blocks = blocks("writing-rules.md");
    let loaded = Switchboard::load(&SourceTree::from_fixture(&shown_files(&blocks)), None);
    let findings: Vec<String> = loaded.diagnostics.iter().map(ToString::to_string).collect();
    assert_eq!(findings, [""; 0]);
    let mut tried = 0;
    for (command, expected) in blocks.iter().zip(blocks.iter().skip(1)) {
        if command.language != "sh" {
            continue;
        }
        let words = words(&command.text);
        let after = |flag: &str| words.iter().skip_while(|word| **word != flag).nth(1).copied();
        let request = SimulationRequest {
            event: SimulatedEvent::Uri(after("--uri").unwrap().to_owned()),
            workspace: false,
            deliveries: after("--deliveries").map_or(1, |count| count.parse().unwrap()),
            records: None,
        };
        let simulation = loaded.switchboard.simulate(&request, Timestamp::UNIX_EPOCH);
        assert_eq!(simulation.errors, [], "{}", command.text);
        let root = simulation.root.unwrap();
        let expected: BTreeMap<String, Value> = serde_json::from_str(&expected.text).unwrap();
        for (name, value) in expected {
            assert_eq!(
                root["attributes"][&name], value,
                "`{name}` after {}",
                command.text
            );
        }
        tried += 1;
    }
    assert_eq!(tried, 6);
}
