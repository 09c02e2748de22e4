//! Every exception of the reference's table (4.14): what the user reads, which path, field, file and line it names,
//! what was expected and what to do.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use expect_test::Expect;
use expect_test::expect;
use switchboard::switchboard::SimulationRequest;

use crate::conformance::Tree;
use crate::conformance::request;
use crate::conformance::run;

/// The errors of a run, or where there are none the steps that failed.
fn told(tree: &Tree, uri: &str) -> String {
    let records = serde_json::json!({"Vm": {"5": {"name": "web"}}});
    let document = run(
        &tree.load().0,
        &SimulationRequest {
            records: Some(records.into()),
            ..request(uri)
        },
    );
    let mut text = String::new();
    for error in document["errors"].as_array().unwrap() {
        let severity = if error["fatal"] == true { "fatal" } else { "error" };
        text.push_str(&format!(
            "{severity}[{}] {}: {}\n",
            error["kind"].as_str().unwrap(),
            error["path"].as_str().unwrap(),
            error["message"].as_str().unwrap()
        ));
    }
    if text.is_empty() {
        for step in document["steps"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|step| step["outcome"] == "failed")
        {
            text.push_str(&format!(
                "step {} {} {}:{} {}\n",
                step["path"].as_str().unwrap(),
                step["field"].as_str().unwrap(),
                step["file"].as_str().unwrap(),
                step["line"],
                step["why"].as_str().unwrap()
            ));
        }
    }
    text
}

/// A class with a field of each kind, and methods for every fault.
pub(crate) fn lab() -> Tree {
    Tree::default()
        .domain("Base", 1)
        .class("Lab/Leaf", &["c:at=c", "n:at:integer=1"])
        .instance("one", &[])
        .class("Lab/T", &["g:as", "v:at", "t:at:time", "p:at:password", "r:re", "m:me", "s:st"])
        .instance("i", &[])
        .method("ok", &[], "")
        .method("abort", &[], "exit(MIQ_ABORT);")
        .method("stop", &[], "exit(MIQ_STOP);")
        .method("code", &[], "exit(7);")
        .method("broken", &[], "let a = 1;\nlet b = a.nothing_like_this();")
        .method("endless", &[], "loop { }")
        .method("need", &["q::string"], "")
        .method("next", &[], "evm.root.ae_next_state = \"t\";")
        .method("interval", &[], "evm.root.ae_result = \"retry\"; evm.root.ae_retry_interval = \"1.fortnite\";")
        .method_yaml("ruby", &[], "    language: ruby\n    location: inline\n    data: puts 1\n")
        .method_yaml("refresh", &[], "    location: builtin\n")
        .method_yaml("refersh", &[], "    location: builtin\n")
        .method_yaml("embeds", &[], "    language: rhai\n    location: inline\n    data: '1'\n    embedded_methods:\n    - /Lab/Leaf/nothere\n")
        .method_yaml("empty", &[], "    location: expression\n")
        .method_yaml("invalid", &[], "    location: expression\n    data: 'db: Vm'\n")
        .method_yaml("asks", &[], "    location: expression\n    data: '{db: Vm, expression: {\"=\": {field: Vm-name, value: \":user_input\"}}}'\n")
        .method_yaml("column", &[], "    location: expression\n    data: '{db: Vm, expression: {\"=\": {field: Vm-nothing, value: a}}}'\n")
        .method_yaml("query", &["result_type::=list", "result_obj::=."], "    location: expression\n    data: '{db: Vm, expression: {\"=\": {field: Vm-name, value: web}}}'\n")
        .method_yaml("target", &["result_obj::=/Nope/Such/x"], "    location: expression\n    data: '{db: Vm, expression: {\"=\": {field: Vm-name, value: web}}}'\n")
}

#[test]
fn every_exception_says_what_where_and_what_to_do() {
    let rows: Vec<(&str, &str, &str, Expect)> = vec![
        (
            "ClassNotFound",
            "r=/Lab/Leav/one",
            "",
            expect![[r#"
            ClassNotFound
            error[ClassNotFound] /Lab/Leav/one: there is no class `/Lab/Leav` in an enabled domain; did you mean `/Lab/Leaf`? (field `r`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "ClassNotFound, no .missing",
            "r=/Lab/Leaf/two",
            "",
            expect![[r#"
            ClassNotFound, no .missing
            error[ClassNotFound] /Lab/Leaf/two: `/Lab/Leaf` has neither an instance `two` nor a `.missing` in any enabled domain, so no domain is chosen; `/Base/Lab/Leaf` would be found with its domain (field `r`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "InstanceNotFound",
            "r=/Base/Lab/Leaf/onne",
            "",
            expect![[r#"
            InstanceNotFound
            error[InstanceNotFound] /Base/Lab/Leaf/onne: the class `/Base/Lab/Leaf` has no instance `onne` and no `.missing`; did you mean `one`? (field `r`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "InvalidClass",
            "r=/Lab/Leaf/one?Vmm::x=5",
            "",
            expect![[r#"
                InvalidClass
                error[InvalidClass] /Base/Lab/Leaf/one: `Vmm` is neither a datatype, such as integer, float, boolean, array or time, nor a class of records, such as Vm (field `r`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "AssertionFailure",
            "g=1 == 2",
            "",
            expect![[r#"
            AssertionFailure
            step /Base/Lab/T/x g automate/Base/Lab/T.class/x.yaml:5 `1 == 2` is not true
        "#]],
        ),
        (
            "StopInstantiation",
            "m=stop",
            "",
            expect![[r#"
            StopInstantiation
            step /Base/Lab/T/x m automate/Base/Lab/T.class/x.yaml:5 `stop` ended with MIQ_STOP
        "#]],
        ),
        (
            "AbortInstantiation, MIQ_ABORT",
            "m=abort",
            "",
            expect![[r#"
            AbortInstantiation, MIQ_ABORT
            fatal[AbortInstantiation] /Base/Lab/T/x: `abort` ended with MIQ_ABORT (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "AbortInstantiation, builtin",
            "m=refresh",
            "",
            expect![[r#"
                AbortInstantiation, builtin
                fatal[AbortInstantiation] /Base/Lab/T/x: `refresh` needs an event, and the root has no `event_stream`; it is reached through /System/Process/Event (field `m`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "AbortInstantiation, next state",
            "s=METHOD::next",
            "",
            expect![[r#"
                AbortInstantiation, next state
                fatal[AbortInstantiation] /Base/Lab/T/x: ae_next_state is `t`, which is no state of this machine (field `s`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "UnknownMethodRc, code",
            "m=code",
            "",
            expect![[r#"
            UnknownMethodRc, code
            fatal[UnknownMethodRc] /Base/Lab/T/x: `code` ended with the unknown code 7; MIQ_OK, MIQ_WARN, MIQ_STOP or MIQ_ABORT is expected (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "UnknownMethodRc, script",
            "m=broken",
            "",
            expect![[r#"
            UnknownMethodRc, script
            fatal[UnknownMethodRc] /Base/Lab/T/x: automate/Base/Lab/T.class/__methods__/broken.rhai:2:11: Function not found: nothing_like_this (i64) (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "UnknownMethodRc, budget",
            "m=endless",
            "",
            expect![[r#"
            UnknownMethodRc, budget
            fatal[UnknownMethodRc] /Base/Lab/T/x: automate/Base/Lab/T.class/__methods__/endless.rhai:1:6: stopped: more than 1000000 operations; is there a loop without an end? (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "CyclicalRelationship",
            "r=/Lab/T/x",
            "",
            expect![[r#"
                CyclicalRelationship
                fatal[CyclicalRelationship] /Base/Lab/T/x: `/Lab/T/x#create` is being instantiated already: a circle of relationships; let one of them lead elsewhere, or give it another message (field `r`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "InvalidPathFormat, entry",
            "v=x",
            "no path: []",
            expect![[r#"
            InvalidPathFormat, entry
            fatal[InvalidPathFormat] : `no path: []` is not a valid path: ` ` is not allowed there
        "#]],
        ),
        (
            "InvalidPathFormat, relationship",
            "r=/Lab/my leaf/one",
            "",
            expect![[r#"
                InvalidPathFormat, relationship
                fatal[InvalidPathFormat] /Base/Lab/T/x: `/Lab/my leaf/one` is not a valid path: ` ` is not allowed there (field `r`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "InvalidPathFormat, scheme",
            "r=http:/Lab/Leaf/one",
            "",
            expect![[r#"
                InvalidPathFormat, scheme
                fatal[InvalidPathFormat] /Base/Lab/T/x: `http:/Lab/Leaf/one`: the scheme `http` is unknown; miqaedb, miqaews or method is expected (field `r`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "InvalidPathFormat, reference",
            "v=${#a b}",
            "",
            expect![[r#"
            InvalidPathFormat, reference
            fatal[InvalidPathFormat] /Base/Lab/T/x: `${#a b}`: `#a b` is not a valid path: ` ` is not allowed there (field `v`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "InvalidCollection",
            "r=/Lab/Leaf/one & r.collect=x={c}",
            "",
            expect![[r#"
                InvalidCollection
                fatal[InvalidCollection] /Base/Lab/T/x: `x={c}` is no collect expression: each entry of a hash needs exactly one `=>` (field `r`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "InvalidMethod, no call",
            "m=x-y",
            "",
            expect![[r#"
            InvalidMethod, no call
            fatal[InvalidMethod] /Base/Lab/T/x: `x-y` is no method call; `name`, `Class.name` or `/Namespace/Class.name(key => value)` is expected, of letters, digits and `_` (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "InvalidMethod, language",
            "m=ruby",
            "",
            expect![[r#"
                InvalidMethod, language
                fatal[InvalidMethod] /Base/Lab/T/x: `ruby` cannot be called: it is written in ruby; write it in Rhai here, or in a domain of higher priority (field `m`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "MethodNotFound",
            "m=brocken",
            "",
            expect![[r#"
            MethodNotFound
            fatal[MethodNotFound] /Base/Lab/T/x: `/Base/Lab/T` has no method `brocken`, and there is no scripts/actions/brocken.rhai; did you mean `broken`? (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "MethodNotFound, builtin",
            "m=refersh",
            "",
            expect![[r#"
            MethodNotFound, builtin
            fatal[MethodNotFound] /Base/Lab/T/x: there is no builtin `refersh`; did you mean `refresh`? (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "MethodNotFound, embedded",
            "m=embeds",
            "",
            expect![[r#"
                MethodNotFound, embedded
                fatal[MethodNotFound] /Base/Lab/T/x: `embeds` embeds `/Lab/Leaf/nothere`, which does not exist; /Namespace/Class/method is expected, in the same letter case (field `m`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "MethodParmMissing",
            "m=need",
            "",
            expect![[r#"
            MethodParmMissing
            fatal[MethodParmMissing] /Base/Lab/T/x: `need` needs an input `q`; give it as an argument, an attribute or a default (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "ObjectNotFound",
            "v=${Nope/P#x}",
            "",
            expect![[r#"
                ObjectNotFound
                fatal[ObjectNotFound] /Base/Lab/T/x: `${Nope/P#x}`: no object of this run is found at `Nope/P`; `/`, `..`, the class of an ancestor or Namespace/Class/instance is expected (field `v`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "ObjectNotFound, workspace URI",
            "r=miqaews:/Zed/Q#x",
            "",
            expect![[r#"
                ObjectNotFound, workspace URI
                fatal[ObjectNotFound] /Base/Lab/T/x: no object of this run is found at `/Zed/Q`; `/`, `..`, the class of an ancestor or Namespace/Class/instance is expected (field `r`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "AttributeNotFound",
            "g=${/#env} == 1",
            "",
            expect![[r#"
                AttributeNotFound
                fatal[AttributeNotFound] /Base/Lab/T/x: `${/#env}`: `/Base/Lab/T/x` has no attribute `env`; conditions run before the arguments and attributes of their own object are set (field `g`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "ServiceNotFound",
            "r=/Lab/Leaf/one?Vm::x=9",
            "",
            expect![[r#"
            ServiceNotFound
            fatal[ServiceNotFound] /Base/Lab/Leaf/one: there is no Vm with the id `9` (field `r`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "MethodExpressionEmpty",
            "m=empty",
            "",
            expect![[r#"
            MethodExpressionEmpty
            fatal[MethodExpressionEmpty] /Base/Lab/T/x: the method has no `data`; a map with `:db` and `:expression` is expected (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "MethodExpressionInvalid",
            "m=invalid",
            "",
            expect![[r#"
            MethodExpressionInvalid
            fatal[MethodExpressionInvalid] /Base/Lab/T/x: the method's `data` is no query: `:expression` is missing (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "MethodExpressionTargetObjectMissing",
            "m=target",
            "",
            expect![[r#"
                MethodExpressionTargetObjectMissing
                fatal[MethodExpressionTargetObjectMissing] /Base/Lab/T/x: `result_obj` is `/Nope/Such/x`; no object of this run is found there (field `m`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "MethodExpressionResultTypeInvalid",
            "m=query",
            "",
            expect![[r#"
                MethodExpressionResultTypeInvalid
                fatal[MethodExpressionResultTypeInvalid] /Base/Lab/T/x: `list` is no result_type; hash, dialog_hash, array, simple are (field `m`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "MethodParameterNotFound",
            "m=asks",
            "",
            expect![[r#"
            MethodParameterNotFound
            fatal[MethodParameterNotFound] /Base/Lab/T/x: the query asks for an input that is not given; declare arg1, arg2, … in order (field `m`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "MethodNotDefined",
            "m=column",
            "",
            expect![[r#"
                MethodNotDefined
                fatal[MethodNotDefined] /Base/Lab/T/x: Vm has no column `nothing`; look at the names in the filter and in `attributes` (field `m`, automate/Base/Lab/T.class/x.yaml:5)
            "#]],
        ),
        (
            "ours: no attribute in a reference",
            "v=${x}",
            "",
            expect![[r#"
            ours: no attribute in a reference
            fatal[AttributeMissingInReference] /Base/Lab/T/x: `${x}` names no attribute; write `${#x}` for one of this object (field `v`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "ours: above the root",
            "v=${../..#x}",
            "",
            expect![[r#"
            ours: above the root
            fatal[ParentNotFound] /Base/Lab/T/x: `../..` leads above the root (field `v`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "ours: time",
            "t=some day",
            "",
            expect![[r#"
            ours: time
            fatal[InvalidTime] /Base/Lab/T/x: `some day` is no time; one like `2026-01-31T12:00:00Z` was expected (field `t`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "ours: password",
            "p=v2:{AAAA}",
            "",
            expect![[r#"
            ours: password
            fatal[PasswordError] /Base/Lab/T/x: a password cannot be decrypted: there is no key; SWITCHBOARD_KEY_FILE has to name a file with 32 bytes in base64, as `switchboard secret --new-key FILE` writes it (field `p`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "ours: interval",
            "s=METHOD::interval",
            "",
            expect![[r#"
                ours: interval
                fatal[InvalidDuration] /Base/Lab/T/x: the root's `ae_retry_interval`: `1.fortnite` is no duration: the unit `fortnite` is unknown; seconds, minutes, hours, days or weeks are expected
            "#]],
        ),
        (
            "within a state",
            "s=METHOD::abort",
            "",
            expect![[r#"
            within a state
            error[AbortInstantiation] /Base/Lab/T/x: `abort` ended with MIQ_ABORT (field `s`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
        (
            "a state that leads nowhere",
            "s=/Lab/Leaf/two",
            "",
            expect![[r#"
            a state that leads nowhere
            error[ClassNotFound] /Lab/Leaf/two: `/Lab/Leaf` has neither an instance `two` nor a `.missing` in any enabled domain, so no domain is chosen; `/Base/Lab/Leaf` would be found with its domain (field `s`, automate/Base/Lab/T.class/x.yaml:5)
        "#]],
        ),
    ];
    for (name, values, uri, expected) in rows {
        let values: Vec<&str> = values.split(" & ").collect();
        let uri = if uri.is_empty() { "/Lab/T/x" } else { uri };
        expected.assert_eq(&format!("{name}\n{}", told(&lab().instance("x", &values), uri)));
    }
}
