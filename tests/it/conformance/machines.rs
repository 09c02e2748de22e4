//! One state machine: steps, jumps, errors, retries, maxima (statements C105 to C128, sections 5.2 to 5.10).

use crate::conformance::Tree;
use crate::conformance::calls;
use crate::conformance::check;
use crate::conformance::ended;

/// Fixture J: `Flow` with three states, changed by `changes`, and methods that set results.
pub(crate) fn flow(changes: &[&str]) -> Tree {
    flow_with(changes, &[])
}

fn flow_with(changes: &[&str], more: &[&str]) -> Tree {
    let mut fields = vec![
        "s1:st=METHOD::t",
        "s2:st=METHOD::t",
        "s3:st=METHOD::t",
        "tail:at=T",
        "s1.on_exit=t",
        "s2.on_exit=t",
        "s2.on_error=t",
    ];
    for change in changes {
        let key = change.split_once('=').unwrap().0;
        fields.retain(|field| field.split_once('=').unwrap().0.split(':').next() != Some(key));
    }
    let changed: Vec<String> = changes
        .iter()
        .map(|change| match change.split_once('=').unwrap() {
            (key, value) if key.contains('.') => format!("{key}={value}"),
            (key, value) => format!("{key}:st={value}"),
        })
        .collect();
    fields.extend(changed.iter().map(String::as_str));
    fields.extend(more);
    // States keep their order by name.
    fields.sort_by_key(|field| field.split([':', '.', '=']).next() == Some("tail"));
    let (mut states, others): (Vec<&str>, Vec<&str>) =
        fields.into_iter().partition(|field| field.contains(":st"));
    states.sort_unstable();
    let all: Vec<&str> = states.into_iter().chain(others).collect();
    let mut tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Flow", &all)
        .instance("f", &[]);
    let root = [
        ("t", ""),
        ("rty", "evm.root.ae_result = \"retry\";"),
        ("bad", "evm.root.ae_result = \"error\";"),
        ("throws", "throw \"boom\";"),
        ("rst", "evm.root.ae_result = \"restart\";"),
        (
            "rst2",
            "evm.root.ae_result = \"restart\"; evm.root.ae_next_state = \"s2\";",
        ),
        ("asy", "evm.root.ae_result = \"async_launch\";"),
        ("skip", "evm.root.ae_result = \"skip\";"),
        ("cont", "evm.root.ae_result = \"continue\";"),
        ("ok", "evm.root.ae_result = \"ok\";"),
        ("odd", "evm.root.ae_result = \"weird\";"),
        ("go1", "evm.root.ae_next_state = \"s1\";"),
        ("go2", "evm.root.ae_next_state = \"s2\";"),
        ("go3", "evm.root.ae_next_state = \"s3\";"),
        ("gox", "evm.root.ae_next_state = \"nowhere\";"),
        (
            "aff",
            "evm.root.ae_result = \"retry\"; evm.root.ae_retry_server_affinity = true; evm.root.ae_retry_interval = \"30.seconds\";",
        ),
        ("stop8", "exit(8);"),
        ("abort16", "exit(16);"),
    ];
    for (name, script) in root {
        tree = tree.method(name, &[], script);
    }
    tree.class("Lab/Act", &["go:me", "g:as"])
        .method("stop8", &[], "exit(8);")
        .method("abort16", &[], "exit(16);")
        .method("t", &[], "")
        .instance("stop8", &["go=stop8"])
        .instance("abort16", &["go=abort16"])
        .instance("fine", &["go=t"])
        .instance("refused", &["g=false"])
}

/// The calls of a run, then `state/result`.
fn course(question: &str) -> String {
    let changes: Vec<&str> = question
        .split(" & ")
        .filter(|change| !change.is_empty())
        .collect();
    let document = flow(&changes).run("/Lab/Flow/f");
    let own = &document["root"]["attributes"];
    let end = if document["errors"]
        .as_array()
        .unwrap()
        .iter()
        .any(|error| error["fatal"] == true)
        || document["root"].is_null()
    {
        ended(&document)
    } else {
        format!(
            "{}/{}",
            own["ae_state"].as_str().unwrap(),
            own["ae_result"].as_str().unwrap()
        )
    };
    let calls = calls(&document)
        .replace("on_entry", "entry")
        .replace("on_exit", "exit")
        .replace("on_error", "error");
    format!("{calls} -> {end}")
}

#[test]
fn the_worked_example() {
    check(
        &[
            (
                "C105",
                "",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.10",
                "s2=METHOD::bad",
                "t:main@s1 t:exit@s1 bad:main@s2 t:error@s2 -> s2/error",
            ),
            (
                "5.10",
                "s2=METHOD::rty & s2.max_retries=5",
                "t:main@s1 t:exit@s1 rty:main@s2 t:exit@s2 -> s2/retry",
            ),
            (
                "5.10",
                "s2=METHOD::asy",
                "t:main@s1 t:exit@s1 asy:main@s2 -> s2/retry",
            ),
            (
                "C116",
                "s2=METHOD::rst",
                "t:main@s1 t:exit@s1 rst:main@s2 t:exit@s2 -> s1/retry",
            ),
            (
                "5.3",
                "s3=METHOD::rst2",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 rst2:main@s3 -> s2/retry",
            ),
            ("C117", "s1.on_entry=go3", "go3:entry@s1 t:main@s3 -> /ok"),
            ("5.10", "s1=METHOD::go3", "go3:main@s1 t:exit@s1 t:main@s3 -> /ok"),
            (
                "C118",
                "s3=METHOD::go1",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 go1:main@s3 -> s1/ok",
            ),
            (
                "C119",
                "s2=METHOD::go2",
                "t:main@s1 t:exit@s1 go2:main@s2 t:exit@s2 -> s2/ok",
            ),
            (
                "5.10",
                "s1=METHOD::skip",
                "skip:main@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "C121",
                "s2=/Lab/Act/stop8",
                "t:main@s1 t:exit@s1 stop8:@ t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "C122",
                "s2=METHOD::stop8",
                "t:main@s1 t:exit@s1 stop8:main@s2 -> none",
            ),
            // What one step asks for, the next one may take back.
            (
                "5.2",
                "s2.on_entry=skip",
                "t:main@s1 t:exit@s1 skip:entry@s2 t:main@s3 -> /ok",
            ),
            (
                "5.3",
                "s2.on_exit=skip",
                "t:main@s1 t:exit@s1 t:main@s2 skip:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.3",
                "s2.on_exit=rst",
                "t:main@s1 t:exit@s1 t:main@s2 rst:exit@s2 -> s1/retry",
            ),
            (
                "5.3",
                "s2.on_exit=cont",
                "t:main@s1 t:exit@s1 t:main@s2 cont:exit@s2 -> s2/continue",
            ),
            (
                "5.2",
                "s1=METHOD::go3 & s1.on_exit=go2",
                "go3:main@s1 go2:exit@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            ("5.2", "s1.on_exit=go3", "t:main@s1 go3:exit@s1 t:main@s3 -> /ok"),
            (
                "5.5",
                "s1.on_entry=go1",
                "go1:entry@s1 t:main@s1 t:exit@s1 -> s1/ok",
            ),
            (
                "5.2",
                "s2=METHOD::rty & s2.on_exit=ok",
                "t:main@s1 t:exit@s1 rty:main@s2 ok:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.2",
                "s3=METHOD::skip",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 skip:main@s3 -> /ok",
            ),
            ("5.2", "s1=METHOD::rst", "rst:main@s1 t:exit@s1 -> s1/retry"),
            (
                "C122",
                "s2.on_exit=stop8",
                "t:main@s1 t:exit@s1 t:main@s2 stop8:exit@s2 -> none",
            ),
            (
                "C122",
                "s2=METHOD::bad & s2.on_error=stop8",
                "t:main@s1 t:exit@s1 bad:main@s2 stop8:error@s2 -> none",
            ),
            (
                "C122",
                "s2.on_entry=stop8",
                "t:main@s1 t:exit@s1 stop8:entry@s2 -> none",
            ),
        ],
        course,
    );
}

#[test]
fn errors_and_what_on_error_makes_of_them() {
    check(
        &[
            (
                "C106",
                "s2=METHOD::throws",
                "t:main@s1 t:exit@s1 throws:main@s2 t:error@s2 -> s2/error",
            ),
            (
                "C107",
                "s2=METHOD::bad & s2.on_error=cont",
                "t:main@s1 t:exit@s1 bad:main@s2 cont:error@s2 t:main@s3 -> /ok",
            ),
            (
                "C108",
                "s2=METHOD::bad & s2.on_error=cont;go1",
                "t:main@s1 t:exit@s1 bad:main@s2 cont:error@s2 go1:error@s2 -> s1/ok",
            ),
            (
                "5.5",
                "s1=METHOD::bad & s1.on_error=cont;go3",
                "bad:main@s1 cont:error@s1 go3:error@s1 t:main@s3 -> /ok",
            ),
            (
                "5.5",
                "s2=METHOD::bad & s2.on_error=cont;gox",
                "t:main@s1 t:exit@s1 bad:main@s2 cont:error@s2 gox:error@s2 -> s2/error",
            ),
            (
                "C109",
                "s2=METHOD::bad & s2.on_error=ok",
                "t:main@s1 t:exit@s1 bad:main@s2 ok:error@s2 -> s2/ok",
            ),
            (
                "5.5",
                "s2=METHOD::bad & s2.on_error=rty",
                "t:main@s1 t:exit@s1 bad:main@s2 rty:error@s2 -> s2/retry",
            ),
            (
                "5.5",
                "s2=METHOD::bad & s2.on_error=nope",
                "t:main@s1 t:exit@s1 bad:main@s2 -> s2/error",
            ),
            (
                "C111",
                "s2.on_entry=bad",
                "t:main@s1 t:exit@s1 bad:entry@s2 t:error@s2 -> s2/error",
            ),
            (
                "C111",
                "s2.on_entry=bad & s2.on_error=cont",
                "t:main@s1 t:exit@s1 bad:entry@s2 cont:error@s2 t:main@s3 -> /ok",
            ),
            (
                "C111",
                "s2.on_entry=throws",
                "t:main@s1 t:exit@s1 throws:entry@s2 t:error@s2 -> s2/error",
            ),
            (
                "C111",
                "s2.on_entry=abort16",
                "t:main@s1 t:exit@s1 abort16:entry@s2 t:error@s2 -> s2/error",
            ),
            (
                "C112",
                "s2.on_exit=throws",
                "t:main@s1 t:exit@s1 t:main@s2 throws:exit@s2 -> s2/error",
            ),
            (
                "5.5",
                "s2=METHOD::bad & s2.on_error=abort16",
                "t:main@s1 t:exit@s1 bad:main@s2 abort16:error@s2 -> s2/error",
            ),
            (
                "5.5",
                "s2=METHOD::bad & s2.on_error=throws",
                "t:main@s1 t:exit@s1 bad:main@s2 throws:error@s2 -> s2/error",
            ),
            (
                "5.5",
                "s2=METHOD::abort16 & s2.on_error=cont",
                "t:main@s1 t:exit@s1 abort16:main@s2 cont:error@s2 t:main@s3 -> /ok",
            ),
            (
                "5.5",
                "s3=METHOD::bad & s3.on_error=cont",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 bad:main@s3 cont:error@s3 -> /ok",
            ),
            (
                "C111",
                "s2.on_entry=nope",
                "t:main@s1 t:exit@s1 t:error@s2 -> s2/error",
            ),
            (
                "C112",
                "s2.on_exit=bad",
                "t:main@s1 t:exit@s1 t:main@s2 bad:exit@s2 -> s2/error",
            ),
            (
                "C112",
                "s2.on_exit=nope",
                "t:main@s1 t:exit@s1 t:main@s2 -> s2/error",
            ),
            (
                "C114",
                "s2.on_exit=rty",
                "t:main@s1 t:exit@s1 t:main@s2 rty:exit@s2 -> s2/retry",
            ),
            (
                "C123",
                "s2=/Lab/Act/abort16",
                "t:main@s1 t:exit@s1 abort16:@ t:error@s2 -> s2/error",
            ),
            (
                "C124",
                "s2=/Lab/Act/none",
                "t:main@s1 t:exit@s1 t:error@s2 -> s2/error",
            ),
            ("C124", "s1=/Lab/Act/none", " -> s1/error"),
            (
                "C124",
                "s3=/Lab/Act/none",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 -> s3/error",
            ),
            (
                "C126",
                "s2=METHOD::odd",
                "t:main@s1 t:exit@s1 odd:main@s2 t:exit@s2 -> s2/weird",
            ),
            (
                "5.5",
                "s2=METHOD::cont",
                "t:main@s1 t:exit@s1 cont:main@s2 t:exit@s2 -> s2/continue",
            ),
            (
                "5.5",
                "s2.on_entry=rty",
                "t:main@s1 t:exit@s1 rty:entry@s2 t:exit@s2 -> s2/retry",
            ),
            (
                "5.5",
                "s1=METHOD::gox",
                "gox:main@s1 t:exit@s1 -> abort AbortInstantiation",
            ),
            (
                "5.5",
                "s1.on_entry=gox",
                "gox:entry@s1 -> abort AbortInstantiation",
            ),
            (
                "5.5",
                "s2.on_exit=gox",
                "t:main@s1 t:exit@s1 t:main@s2 gox:exit@s2 -> abort AbortInstantiation",
            ),
            (
                "C128",
                "s1.on_entry=t; # x ;ok;t",
                "t:entry@s1 ok:entry@s1 t:entry@s1 t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.4",
                "s2=/Lab/Act/refused",
                "t:main@s1 t:exit@s1 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.4",
                "s2=/Lab/Act/q*",
                "t:main@s1 t:exit@s1 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.4",
                "s2=# off",
                "t:main@s1 t:exit@s1 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.4",
                "s2=method::T",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.4",
                "s2=METHOD::/Lab/Flow.t",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.4",
                "s2=METHOD::${#no}t",
                "t:main@s1 t:exit@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.5",
                "s1.on_exit=${#no}",
                "t:main@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.5",
                "s1.on_exit=Flow.t;/Lab/Flow.t;Base/Lab/Flow.t",
                "t:main@s1 t:exit@s1 t:exit@s1 t:exit@s1 t:main@s2 t:exit@s2 t:main@s3 -> /ok",
            ),
            (
                "5.6",
                "s2=METHOD::t & s2.max_time=1.fortnite",
                "t:main@s1 t:exit@s1 t:error@s2 -> s2/error",
            ),
        ],
        course,
    );
}

#[test]
fn the_root_tells_how_it_stands() {
    let attribute = |question: &str| {
        let (changes, key) = question.split_once(" | ").unwrap();
        let changes: Vec<&str> = changes.split(" & ").filter(|change| !change.is_empty()).collect();
        let document = flow(&changes).run("/Lab/Flow/f");
        document
            .pointer(key)
            .map_or_else(|| "absent".to_owned(), ToString::to_string)
    };
    check(
        &[
            ("5.1", " | /root/attributes/ae_state_retries", "0"),
            ("5.1", " | /root/attributes/ae_state_started", "\"\""),
            ("5.1", " | /root/attributes/ae_status_state", "\"on_exit\""),
            ("C106", "s2=METHOD::bad | /root/attributes/tail", "\"T\""),
            (
                "C106",
                "s2=METHOD::bad | /root/attributes/ae_status_state",
                "\"on_error\"",
            ),
            ("C106", "s2=METHOD::bad | /errors", "[]"),
            (
                "C113",
                "s2=METHOD::rty & s2.max_retries=5 | /root/attributes/ae_state_retries",
                "1",
            ),
            (
                "C113",
                "s2=METHOD::rty & s2.max_retries=5 | /root/attributes/ae_state_max_retries",
                "5",
            ),
            (
                "C113",
                "s2=METHOD::rty & s2.max_retries=5 | /retry/machines",
                "{\"/Base/Lab/Flow/f\":{\"ae_state\":\"s2\",\"ae_state_max_retries\":5,\"ae_state_retries\":1,\"ae_state_started\":\"2026-01-31T12:00:00Z\"}}",
            ),
            ("contract", "s2=METHOD::rty | /retry/after", "0"),
            ("contract", "s2=METHOD::rty | /retry/server_affinity", "false"),
            ("contract", "s2=METHOD::rty | /retry/state_vars", "{}"),
            ("C114", "s2.on_exit=rty | /root/attributes/ae_state_retries", "1"),
            (
                "5.5",
                "s2=METHOD::bad & s2.on_error=rty | /root/attributes/ae_state_retries",
                "0",
            ),
            ("5.5", "s2.on_entry=rty | /root/attributes/ae_state_retries", "1"),
            ("C116", "s2=METHOD::rst | /root/attributes/ae_state_retries", "1"),
            (
                "C123",
                "s2=/Lab/Act/abort16 | /root/attributes/ae_reason",
                "\"state `s2`, step `main`: `abort16` ended with MIQ_ABORT\"",
            ),
            ("C123", "s2=/Lab/Act/abort16 | /errors/0/fatal", "false"),
            ("C124", "s2=/Lab/Act/none | /errors/0/kind", "\"ClassNotFound\""),
            ("C124", "s2=/Lab/Act/none | /errors/1", "absent"),
            (
                "C127",
                "s2=METHOD::aff | /root/attributes/ae_retry_server_affinity",
                "false",
            ),
            ("C127", "s2=METHOD::aff | /retry/server_affinity", "false"),
            (
                "C127",
                "s3=METHOD::aff | /root/attributes/ae_retry_server_affinity",
                "true",
            ),
            ("C127", "s3=METHOD::aff | /retry/server_affinity", "true"),
            ("5.7", "s3=METHOD::aff | /retry/after", "30"),
        ],
        attribute,
    );
}
