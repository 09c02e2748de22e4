//! The description of the API: it names every route and no other, and what it says is what is answered.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

use crate::support::served::Served;

fn rust_files(folder: &Path) -> Vec<String> {
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            texts.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(path).unwrap());
        }
    }
    texts
}

/// `METHOD path` of every route of the API in the source.
fn routes() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/web");
    let path = Regex::new(r#"^\s*"([^"]+)","#).unwrap();
    let method = Regex::new(r"\b(get|post|put|delete|options)\(").unwrap();
    let mut found = BTreeSet::new();
    for text in rust_files(&folder) {
        for one in text.split(".route(").skip(1) {
            let Some(path) = path.captures(one).map(|found| found[1].to_owned()) else {
                continue;
            };
            if !path.starts_with("/api") && path != "/events/{ems}" {
                continue;
            }
            // Up to what is said to the router next.
            let ends = [".merge(", ".layer(", ".route_layer(", ".fallback(", "\n}"].iter();
            let end = ends.filter_map(|end| one.find(end)).min().unwrap_or(one.len());
            for verb in method.captures_iter(one.get(..end).unwrap()) {
                // The page of an event stands where its like are posted.
                if (&verb[1], path.as_str()) != ("get", "/events/{ems}") {
                    found.insert(format!("{} {path}", &verb[1]));
                }
            }
        }
    }
    found
}

#[test]
fn the_description_names_every_route_and_no_other() {
    let served = Served::with("");
    let answer = served.get("/api/openapi.json");
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("application/json"))
    );
    let described = answer.json();
    let mut named = BTreeSet::new();
    for (path, verbs) in described["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            named.insert(format!("{verb} {path}"));
            assert!(operation["summary"].is_string(), "{verb} {path}");
            // Every part of the path is a parameter.
            for part in path
                .split('/')
                .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
            {
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(
                    parameters
                        .iter()
                        .any(|one| one["name"] == part && one["in"] == "path"),
                    "{verb} {path}"
                );
            }
        }
    }
    assert_eq!(named, routes());
    // What is referred to is there.
    let text = answer.body;
    for found in Regex::new(r##""#/components/([a-z]+)/([A-Za-z]+)""##)
        .unwrap()
        .captures_iter(&text)
    {
        assert!(
            described["components"][&found[1]][&found[2]].is_object(),
            "{}",
            &found[0]
        );
    }
}

/// An appliance that has something of everything.
fn with_something() -> Served {
    let served = Served::with("");
    let event = |number: u32| {
        format!(
            r#"{{"id": "e-{number}", "event_name": "com.awesomecloud.vm.create", "time": "2026-01-01T11:00:{number:02}Z",
                 "vm": {{"id": "vm-{number}", "name": "web-{number}"}}}}"#
        )
    };
    let events: Vec<String> = (0..9).map(event).collect();
    assert_eq!(served.post(&format!("[{}]", events.join(","))).status, 202);
    served.until_saved(9);
    assert_eq!(served.post(r#"{"nobody": "reads this"}"#).status, 202);
    served
}

#[test]
fn whatever_the_description_allows_is_answered_as_it_says() {
    let Some(schemathesis) = std::env::var_os("SCHEMATHESIS") else {
        eprintln!("skipped: SCHEMATHESIS names none; tests/run brings it");
        return;
    };
    let served = with_something();
    let folder = tempfile::tempdir().unwrap();
    let most = std::env::var("SCHEMATHESIS_EXAMPLES").unwrap_or_else(|_| "25".to_owned());
    let output = Command::new(schemathesis)
        .current_dir(folder.path())
        .args(["run", &format!("http://{}/api/openapi.json", served.address())])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
        ])
        // It never ends, as it should.
        .args([
            "--exclude-path",
            "/api/event_streams/live",
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args([
            "--max-examples",
            &most,
            "--seed",
            "7",
            "--no-color",
            "--continue-on-failure",
            "--warnings",
            "off",
        ])
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
    // It did ask: a run of no operation would be no test.
    let ready: Value = served.get("/readyz").json();
    assert_eq!(ready["ready"], true, "{ready}");
    let Some(count) = Regex::new(r"(\d+) generated").unwrap().captures(&told) else {
        panic!("{told}")
    };
    assert!(500 < count[1].parse::<u32>().unwrap(), "{told}");
}
