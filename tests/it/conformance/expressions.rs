//! Expression methods: a query over records, and where its answer goes (section 6.8).

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;
use switchboard::switchboard::SimulationRequest;

/// How a run ends whose method asks with this `data` and these inputs: `data | input=text | …`.
fn asked(question: &str) -> String {
    let mut parts = question.split(" | ");
    let data = crate::conformance::quoted(&parts.next().unwrap().replace("; ", "\n"));
    let inputs: Vec<String> = parts
        .map(|part| match part.split_once('=').unwrap() {
            (name @ ("attributes" | "distinct"), text) => format!("{name}::array={text}"),
            (name, text) => format!("{name}:={text}"),
        })
        .collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Top", &["kid:re=/Lab/Q/q"])
        .instance("t", &[])
        .class("Lab/Q", &["go:me=ask", "own:at=${#values}"])
        .instance("q", &[])
        .method_yaml(
            "ask",
            &inputs,
            &format!("    location: expression\n    data: {data}\n"),
        );
    let records = serde_json::json!({"Vm": {
        "1": {"name": "web", "power_state": "on", "cpus": 2, "password": "s3"},
        "2": {"name": "db", "power_state": "on", "cpus": 8},
        "3": {"name": "old", "power_state": "off", "cpus": 1, "note": ""},
    }});
    let request = SimulationRequest {
        records: Some(records.into()),
        ..request("/Lab/Top/t")
    };
    let document = run(&tree.load().0, &request);
    let kid = document.pointer("/workspace/0/children/0/attributes");
    let kid = kid.map(crate::conformance::attributes).unwrap_or_default();
    format!("{}; {kid}", ended(&document))
}

const ON: &str = "{':db': Vm, ':expression': {'=': {field: Vm-power_state, value: 'on'}}}";

#[test]
fn the_answer_has_the_form_that_is_asked_for() {
    let rows = [
        (
            "",
            "ae_result='ok'; own='{\"1\"=>\"web\", \"2\"=>\"db\"}' values={\"1\":\"web\",\"2\":\"db\"}",
        ),
        (
            " | result_type=array",
            "ae_result='ok'; own='[\"web\", \"db\"]' values=[\"web\",\"db\"]",
        ),
        (
            " | result_type=array | attributes=[name, cpus]",
            "ae_result='ok'; own='[[\"web\", 2], [\"db\", 8]]' values=[[\"web\",2],[\"db\",8]]",
        ),
        (
            " | result_type=array | distinct=power_state",
            "ae_result='ok'; own='[\"on\"]' values=[\"on\"]",
        ),
        (
            " | result_type=hash | attributes=name,cpus",
            "ae_result='ok'; own='{\"cpus\"=>2, \"name\"=>\"web\"}' values={\"cpus\":2,\"name\":\"web\"}",
        ),
        (
            " | result_type=simple | attributes=cpus",
            "ae_result='ok'; own='2' values=2",
        ),
        (
            " | key=name | attributes=power_state",
            "ae_result='ok'; own='{\"db\"=>\"on\", \"web\"=>\"on\"}' values={\"db\":\"on\",\"web\":\"on\"}",
        ),
        (
            " | result_type=simple | result_attr=Found",
            "ae_result='ok'; found='web' own=''",
        ),
        (
            " | result_type=simple | result_obj=..",
            "ae_result='ok' values='web'; own=''",
        ),
        (
            " | result_type=simple | result_obj=/",
            "ae_result='ok' values='web'; own=''",
        ),
        (
            " | result_obj=Nope/X",
            "abort MethodExpressionTargetObjectMissing; ",
        ),
        (" | result_type=list", "abort MethodExpressionResultTypeInvalid; "),
        (
            " | result_type=simple | attributes=weight",
            "abort MethodNotDefined; ",
        ),
        (
            " | result_type=simple | attributes=password",
            "abort MethodNotDefined; ",
        ),
    ];
    let questions: Vec<String> = rows.iter().map(|(inputs, _)| format!("{ON}{inputs}")).collect();
    let rows: Vec<(&str, &str, &str)> = questions
        .iter()
        .zip(rows)
        .map(|(question, (_, expected))| ("6.8", question.as_str(), expected))
        .collect();
    check(&rows, asked);
}

#[test]
fn what_finds_nothing_does_as_it_is_asked_to() {
    let none = "{':db': Vm, ':expression': {'=': {field: Vm-name, value: nobody}}}";
    let rows = [
        ("", "ae_result='error'; own=''"),
        (" | on_empty=error | default=x", "ae_result='error'; own=''"),
        (" | on_empty=warn", "ae_result='warn'; own=''"),
        (
            " | on_empty=warn | default=x",
            "ae_result='warn'; own='x' values='x'",
        ),
        (" | on_empty=abort", "abort AbortInstantiation; "),
    ];
    let questions: Vec<String> = rows.iter().map(|(inputs, _)| format!("{none}{inputs}")).collect();
    let rows: Vec<(&str, &str, &str)> = questions
        .iter()
        .zip(rows)
        .map(|(question, (_, expected))| ("6.8", question.as_str(), expected))
        .collect();
    check(&rows, asked);
}

#[test]
fn filters_compare_combine_and_take_inputs() {
    let simple = |filter: &str| format!("{{':db': Vm, ':expression': {filter}}} | result_type=array");
    let rows = [
        ("{'>': {field: Vm-cpus, value: '2'}}", "[\"db\"]"),
        ("{'>=': {field: Vm-cpus, value: '2'}}", "[\"web\",\"db\"]"),
        ("{'!=': {field: Vm-power_state, value: 'on'}}", "[\"old\"]"),
        ("{STARTS WITH: {field: Vm-name, value: o}}", "[\"old\"]"),
        ("{ends with: {field: Vm-name, value: b}}", "[\"web\",\"db\"]"),
        ("{like: {field: Vm-name, value: e}}", "[\"web\"]"),
        ("{not: {'=': {field: Vm-power_state, value: 'on'}}}", "[\"old\"]"),
        (
            "{and: [{'=': {field: Vm-power_state, value: 'on'}}, {'>': {field: Vm-cpus, value: 4}}]}",
            "[\"db\"]",
        ),
        (
            "{or: [{'=': {field: Vm-name, value: old}}, {'>': {field: Vm-cpus, value: 4}}]}",
            "[\"db\",\"old\"]",
        ),
        // As the exporter writes it.
        (
            "{exp: {'=': {field: Vm-name, value: web}}, context_type: }",
            "[\"web\"]",
        ),
    ];
    for (filter, expected) in rows {
        let found = asked(&simple(filter));
        let values = found.split_once("values=").map(|(_, values)| values);
        assert_eq!(values, Some(expected), "{filter}: {found}");
    }
    let input = "{':db': Vm, ':expression': {and: [{'=': {field: Vm-power_state, value: ':user_input'}}, {'>': {field: Vm-cpus, value: ':user_input'}}]}} | result_type=simple";
    let given = asked(&format!("{input} | arg1=on | arg2=4"));
    assert!(given.contains("values='db'"), "{given}");
    let rows = [
        (format!("{input} | arg1=on"), "abort MethodParameterNotFound; "),
        ("  ".to_owned(), "abort MethodExpressionEmpty; "),
        ("just words".to_owned(), "abort MethodExpressionInvalid; "),
        ("{':db': Vm}".to_owned(), "abort MethodExpressionInvalid; "),
        (
            "{':db': Vm, ':expression': {near: {field: Vm-name, value: x}}}".to_owned(),
            "abort MethodExpressionInvalid; ",
        ),
        (
            "{':db': Vm, ':expression': {'=': {field: Vm-weight, value: x}}}".to_owned(),
            "abort MethodNotDefined; ",
        ),
    ];
    for (question, expected) in rows {
        assert_eq!(asked(&question), expected, "{question}");
    }
}
