//! The reference of what scripts may call is generated from the doc comments, and this says when it went stale.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fmt::Write;

use expect_test::expect_file;
use switchboard::switchboard::ScriptFunction;
use switchboard::switchboard::all_functions;
use switchboard::switchboard::own_functions;

/// The sections in reading order: the type, its title, and what a reader has to know before its functions.
const SECTIONS: [(&str, &str, &str); 10] = [
    (
        "",
        "Functions",
        "Every script can call these. The first argument may stand in front: `event.at(\"/vm/id\")` is \
         `at(event, \"/vm/id\")`.",
    ),
    (
        "number",
        "Numbers to the letter",
        "Numbers of JSON keep every digit. One that an `int` or a `float` gives back as it is written is that; any other, such as \
         `18446744073709551616`, `1.10`, `1e400` or `-0`, is a `number`. It compares with others by what it is worth (`1.10 == 1.1`), is \
         printed as it was written, and leaves a script to the letter: in keys, references, cursors, targets, effects and \
         inventory. Calculations on whole numbers are exact, or an error; others give the `float` that the floats next to the \
         numbers would give. `type_of` says `number`. A `float` that may have been rounded is an error where it would be a key, a \
         reference or a cursor; `to_json` and `to_string` make a text of it where that is what you want.",
    ),
    (
        "Evm",
        "`evm`",
        "What a method, an action and a condition see of their run. Whatever they set takes effect at once.",
    ),
    (
        "AutomateObject",
        "Objects",
        "`evm.root`, `evm.object`, `evm.parent`, and what `evm.instantiate` returns.",
    ),
    (
        "EmsEvent",
        "The event",
        "`evm.event` in a method, `event` in a condition, `ems_event` in a target parser.",
    ),
    ("Inputs", "Inputs", "`evm.inputs`."),
    (
        "Record",
        "Records",
        "Objects of the inventory, from `evm.vmdb` and from attributes that hold them.",
    ),
    (
        "TargetCollection",
        "Target collections",
        "What `targets()` makes, for target parsers and `evm.refresh`, and what an inventory collector is asked for.",
    ),
    (
        "Http",
        "`http`",
        "The API of the manager that an inventory collector reads. Only `collect` and `collect_all` have it.",
    ),
    (
        "Unread",
        "What could not be read",
        "It stands in an answer of a cloud in place of a part that is no JSON, or is nested too deep. It can be handed on, \
         and a loop sees it once; `type_of` says `Unread`.",
    ),
];

const HEAD: &str = "\
# What scripts may call

Generated from the doc comments of `src/script`; do not edit it. After a change there,
`UPDATE_EXPECT=1 cargo test --test it reference` writes it anew.

Scripts are written in [Rhai](https://rhai.rs/book/), with its standard library of numbers, texts, arrays, maps and
functions, and without `eval`, files, processes, environment and clock. Types below are Rhai's: `string`, `int`, `float`,
`bool`, `char`, `array`, `map`; `any` is each of them. A key that a map does not have reads as `()`, and
`a?.b` is `()` where `a` is.

The return codes are constants: `MIQ_OK` 0, `MIQ_WARN` 4, `MIQ_STOP` and `MIQ_ERROR` 8, `MIQ_ABORT` 16.

The scripts of a provider are called with documents that they cannot change: `event_to_hash(event, ems_id)` and
`native_event(message)` with the JSON of a message, and, where they take one parameter more, with its `envelope`, a map
of what its transport carried around it. `envelope.cloud_event` holds the attributes of a CloudEvent (`id`, `source`, `type`,
`subject`, `time`, extensions), and is `()` where the message is none. [Providers](providers.md) tells of each function.
";

fn reference(functions: &[ScriptFunction]) -> String {
    let mut text = HEAD.to_owned();
    for (receiver, title, introduction) in SECTIONS {
        write!(text, "\n## {title}\n\n{introduction}\n").unwrap();
        for function in functions.iter().filter(|function| function.receiver == receiver) {
            write!(text, "\n### `{}`\n\n{}\n", function.signature, function.doc).unwrap();
        }
    }
    text
}

#[test]
fn the_reference_says_what_the_doc_comments_say() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/rhai-reference.md");
    expect_file![path].assert_eq(&reference(&own_functions()));
}

#[test]
fn every_function_is_documented_in_a_section() {
    let functions = own_functions();
    for function in &functions {
        assert!(
            !function.doc.is_empty(),
            "`{}` has no doc comment",
            function.signature
        );
        let has_section = SECTIONS
            .iter()
            .any(|(receiver, ..)| *receiver == function.receiver);
        assert!(has_section, "`{}` has no section", function.signature);
    }
    assert!(functions.len() > 60, "only {} functions", functions.len());
}

/// What a script can reach, all of it. A function that is new here must be harmless in the hands of a stranger: it
/// reaches nothing outside its arguments, and what it makes and how long it takes is bounded.
#[test]
fn nothing_crept_into_what_scripts_can_reach() {
    let mut list = String::new();
    for function in all_functions() {
        writeln!(list, "{}", function.signature).unwrap();
    }
    expect_file!["../golden/script_functions.txt"].assert_eq(&list);
}
