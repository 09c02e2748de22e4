//! The crate's own rules, checked like any other behavior.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Outside crates, and the only modules that may name them.
const HOMES: &[(&str, &[&str])] = &[
    ("rhai", &["script"]),
    ("granit_parser", &["source"]),
    ("notify", &["reload"]),
    ("similar", &["source"]),
    ("rusqlite", &["vmdb"]),
    ("clap", &["cli"]),
    ("unicode_width", &["cli"]),
    ("axum", &["web"]),
    ("hyper", &["web"]),
    ("hyper_util", &["web"]),
    ("subtle", &["web"]),
    ("maud", &["web"]),
    ("getrandom", &["web"]),
    ("hmac", &["web"]),
    ("ureq", &["outbound", "cli", "verify"]),
    ("lettre", &["handler"]),
    ("opentelemetry", &["cli"]),
    ("opentelemetry_otlp", &["cli"]),
    ("opentelemetry_sdk", &["cli"]),
];
/// Modules that must not know each other although the order would let them.
const STRANGERS: &[(&str, &[&str])] = &[
    ("vmdb", &["script", "provider", "automate", "switchboard"]),
    ("handler", &["catcher"]),
    ("refresh", &["catcher", "handler"]),
    ("reload", &["vmdb", "catcher", "handler", "refresh"]),
    (
        "web",
        &[
            "script",
            "provider",
            "automate",
            "switchboard",
            "handler",
            "refresh",
        ],
    ),
    // It looks from outside: what it would prove must not be what it asks.
    (
        "verify",
        &[
            "automate",
            "switchboard",
            "catcher",
            "handler",
            "refresh",
            "web",
            "appliance",
        ],
    ),
];
const MAX_LINES: usize = 500;

#[test]
fn modules_import_only_what_is_declared_above_them() {
    let order = modules_in_order();
    let layer = |name: &str| order.iter().position(|module| module == name);
    let are_strangers = |a: &str, b: &str| STRANGERS.iter().any(|(who, whom)| *who == a && whom.contains(&b));
    let mut wrong = Vec::new();
    for (file, module, code) in sources() {
        let Some(own) = layer(&module) else { continue };
        for name in names_after(&code, "crate::") {
            match layer(&name) {
                Some(_) if are_strangers(&module, &name) => {
                    wrong.push(format!("{file}: `{module}` and `{name}` are strangers"));
                }
                Some(used) if used <= own => (),
                Some(_) => wrong.push(format!("{file}: `{module}` uses `{name}`, declared below it")),
                None => wrong.push(format!("{file}: `{name}` is not a module in lib.rs")),
            }
        }
        if code.contains("super::") {
            wrong.push(format!("{file}: write `crate::`, `super::` passes this check by"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_outside_crate_stays_at_home() {
    let mut wrong = Vec::new();
    for (file, module, code) in sources() {
        for (krate, homes) in HOMES {
            let is_named = code.match_indices(&format!("{krate}::")).any(|(at, _)| {
                // Not the end of a longer name, such as a module of ours.
                !code
                    .split_at(at)
                    .0
                    .ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':')
            });
            if is_named && !homes.contains(&module.as_str()) {
                wrong.push(format!("{file}: `{krate}` belongs to {homes:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut wrong = Vec::new();
    let folders = ["src", "tests", "benches"].map(|folder| root().join(folder));
    for path in folders.iter().flat_map(|folder| rust_files(folder)) {
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            wrong.push(format!("{}: no `//!` first line", path.display()));
        }
        let n_lines = text.lines().count();
        // Tables of cases and golden texts may be long.
        if MAX_LINES < n_lines && path.starts_with(root().join("src")) {
            wrong.push(format!("{}: {n_lines} lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_test_file_is_part_of_the_test_binary() {
    let folder = root().join("tests/it");
    let mut listed = modules_of(&folder.join("main.rs"));
    // It stands where the example has it.
    listed.retain(|name| name != "awesome_cloud");
    let present: BTreeSet<String> = names_in(&folder)
        .into_iter()
        .map(|name| name.trim_end_matches(".rs").to_owned())
        .filter(|name| name != "main")
        .collect();
    assert_eq!(present, listed.into_iter().collect());
}

#[test]
fn the_map_in_the_readme_is_the_folder() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let (_, map) = readme.split_once("\nsrc/").unwrap();
    let (map, _) = map.split_once("```").unwrap();
    let drawn: Vec<String> = map
        .lines()
        .skip(1)
        .filter_map(|line| line.strip_prefix("  "))
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| Some(line.split_whitespace().next()?.trim_end_matches('/').to_owned()))
        .collect();
    let in_order = ["lib.rs".to_owned(), "main.rs".to_owned()].into_iter();
    assert_eq!(drawn, Vec::from_iter(in_order.chain(modules_in_order())));
    assert_eq!(BTreeSet::from_iter(drawn), names_in(&root().join("src")));
}

/// `(path, top-level module, code)` of every source file, without comments and inline tests.
fn sources() -> Vec<(String, String, String)> {
    let src = root().join("src");
    let read = |path: PathBuf| {
        let relative = path.strip_prefix(&src).unwrap().to_string_lossy().into_owned();
        let module = relative
            .split('/')
            .next()
            .unwrap()
            .trim_end_matches(".rs")
            .to_owned();
        let text = fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or("");
        let code: Vec<&str> = text
            .lines()
            .map(|line| line.split("//").next().unwrap_or(""))
            .collect();
        (relative, module, code.join("\n"))
    };
    rust_files(&src).into_iter().map(read).collect()
}

fn modules_in_order() -> Vec<String> {
    modules_of(&root().join("src/lib.rs"))
}

fn modules_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    let name = |line: &str| {
        let name = line
            .trim_start_matches("pub ")
            .strip_prefix("mod ")?
            .strip_suffix(';')?;
        Some(name.to_owned())
    };
    text.lines().filter_map(name).collect()
}

/// The names that directly follow `prefix`, looking into one level of braces.
fn names_after(code: &str, prefix: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices(prefix) {
        let (_, rest) = code.split_at(at + prefix.len());
        let Some(list) = rest.strip_prefix('{') else {
            names.push(leading_name(rest));
            continue;
        };
        let (mut depth, mut expects_name) = (0, true);
        for (i, c) in list.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => expects_name = true,
                _ if c.is_whitespace() || !expects_name => (),
                _ => {
                    names.push(leading_name(list.split_at(i).1));
                    expects_name = false;
                }
            }
        }
    }
    names
}

fn leading_name(text: &str) -> String {
    text.chars()
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .filter(|name| !name.starts_with('.'))
        .collect()
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}
