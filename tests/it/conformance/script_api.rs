//! What a method sees: `evm` as the contract and section 7 describe it.

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;
use switchboard::switchboard::SimulationRequest;

/// Runs a script in the child `m` of `t`, and gives the root's attribute `x`.
fn answer(script: &str) -> String {
    let tree = Tree::default()
        .domain("Base", 1)
        .class(
            "Lab/Top",
            &[
                "n:at:integer=4",
                "one:re=/Lab/Leaf/a",
                "many:re=/Lab/Leaf/*",
                "none:re=/Lab/Leaf/q*",
                "kid:re=/Lab/M/m?Arg=7",
            ],
        )
        .instance("t", &[])
        .class("Lab/Leaf", &["c:at=leaf"])
        .instance("a", &["c=A"])
        .instance("b", &[])
        .class("Lab/M", &["own:at=mine", "go:me=run(In => 5)"])
        .instance("m", &[])
        .method("run", &["In:"], script);
    let records = serde_json::json!({"Vm": {"5": {"name": "web", "power_state": "on", "token_password": "s3"}, "6": {"name": "db"}}});
    let document = run(
        &tree.load().0,
        &SimulationRequest {
            records: Some(records.into()),
            ..request("/Lab/Top/t")
        },
    );
    if document["errors"] != serde_json::json!([]) {
        return format!("{} {}", ended(&document), document["errors"][0]["message"]);
    }
    document["root"]["attributes"]["x"].to_string()
}

#[test]
fn evm_reaches_objects_attributes_and_variables() {
    check(
        &[
            ("7.1", "evm.root.x = evm.root[\"n\"] + evm.root.N;", "8"),
            ("7.1", "evm.root.x = evm.object.own;", "\"mine\""),
            (
                "7.1",
                "evm.root.X = evm.object[\"OWN\"] + evm.object.arg;",
                "\"mine7\"",
            ),
            ("7.1", "evm.root.x = evm.parent.name();", "\"/Base/Lab/Top/t\""),
            ("7.1", "evm.root.x = evm.root.parent() == ();", "true"),
            ("7.1", "evm.root.x = evm.parent == evm.root;", "true"),
            (
                "7.1",
                "evm.root.x = evm.object(\"..\").name();",
                "\"/Base/Lab/Top/t\"",
            ),
            ("7.1", "evm.root.x = evm.object(\"/\") == evm.root;", "true"),
            ("7.1", "evm.root.x = evm.object(\"Lab/Top\").n;", "4"),
            ("7.1", "evm.root.x = evm.object(\"Lab/Leaf/a\").c;", "\"A\""),
            ("7.1", "evm.root.x = evm.object(\"Nope/Top\") == ();", "true"),
            ("7.1", "evm.root.x = evm.inputs.In;", "5"),
            ("7.1", "evm.root.x = evm.inputs[\"IN\"];", "5"),
            (
                "7.1",
                "evm.root.x = evm.inputs.nothing == () && evm.root.nothing == () && evm.state_var(\"no\") == ();",
                "true",
            ),
            ("7.1", "evm.root.x = evm.event == ();", "true"),
            (
                "7.1",
                "evm.set_state_var(\"A\", [1, #{b: 2}]); evm.root.x = evm.state_var(\"a\");",
                "[1,{\"b\":2}]",
            ),
            (
                "7.1",
                "evm.set_state_var(\"A\", 1); evm.set_state_var(\"a\", 2); evm.root.x = evm.state_vars();",
                "{\"A\":2}",
            ),
            (
                "7.1",
                "evm.set_state_var(\"a\", 1); evm.delete_state_var(\"A\"); evm.root.x = evm.state_var_exists(\"a\");",
                "false",
            ),
            (
                "7.1",
                "evm.root.x = evm.instantiate(\"/Lab/Leaf/b?k=v\").k;",
                "\"v\"",
            ),
            (
                "7.1",
                "evm.root.x = evm.instantiate(\"/Lab/Leaf/b\").parent().name();",
                "\"/Base/Lab/M/m\"",
            ),
            (
                "7.1",
                "evm.root.x = [evm.current_namespace, evm.current_class, evm.current_instance, evm.current_message, evm.current_method];",
                "[\"Base/Lab\",\"M\",\"m\",\"create\",\"run\"]",
            ),
            ("7.2", "evm.root.x = evm.root.children().len;", "4"),
            ("7.2", "evm.root.x = evm.root.children(\"one\").c;", "\"A\""),
            ("7.2", "evm.root.x = evm.root.children(\"many\").len;", "2"),
            ("7.2", "evm.root.x = evm.root.children(\"none\").len;", "0"),
            ("7.2", "evm.root.x = evm.root.children(\"absent\") == ();", "true"),
            (
                "7.2",
                "evm.root.x = evm.object.attributes();",
                "{\"arg\":\"7\",\"own\":\"mine\"}",
            ),
            (
                "7.2",
                "evm.root.x = [evm.object.namespace(), evm.object.class_name(), evm.object.instance_name(), `${evm.object}`];",
                "[\"Base/Lab\",\"M\",\"m\",\"/Base/Lab/M/m\"]",
            ),
            ("7.1", "evm.root.x = evm.vmdb(\"vm\").len;", "2"),
            ("7.1", "evm.root.x = evm.vmdb(\"Vm\", 5).name;", "\"web\""),
            (
                "7.3",
                "evm.root.x = [evm.vmdb(\"vm\", 5).id, evm.vmdb(\"vm\", 5).object_class, evm.vmdb(\"vm\", 5).nothing == ()];",
                "[5,\"Vm\",true]",
            ),
            (
                "7.3",
                "evm.root.x = evm.vmdb(\"vm\", 5).token_password == ();",
                "true",
            ),
            (
                "7.3",
                "evm.root.x = evm.vmdb(\"vm\", 5);",
                "{\"class\":\"Vm\",\"id\":5}",
            ),
            (
                "7.1",
                "evm.root.x = evm.hash_to_query(#{b: \"x y\", \"A::c\": 5, z: ()});",
                "\"A%3A%3Ac=5&b=x%20y\"",
            ),
            (
                "7.1",
                "evm.root.x = evm.query_to_hash(\"a=b=c&d\");",
                "{\"a\":\"b\",\"d\":\"\"}",
            ),
            (
                "7.1",
                "evm.root.x = [evm.instance_exists(\"/Base/Lab/Leaf/A\"), evm.instance_exists(\"/Lab/Leaf/A\")];",
                "[true,false]",
            ),
            (
                "7.1",
                "evm.root.x = evm.instance_get(\"/Base/Lab/Leaf/a\");",
                "{\"c\":\"A\"}",
            ),
            (
                "7.1",
                "evm.root.x = evm.instance_get(\"/Base/Lab/Top/T\");",
                "{\"kid\":null,\"many\":null,\"n\":null,\"none\":null,\"one\":null}",
            ),
            (
                "7.1",
                "evm.root.x = evm.instance_find(\"/Base/Lab/Leaf/*\");",
                "{\"a\":{\"c\":\"A\"},\"b\":{\"c\":null}}",
            ),
            (
                "7.1",
                "evm.root.x = evm.instance_find(\"/Base/Lab/Leaf/*\").b.keys();",
                "[\"c\"]",
            ),
            (
                "7.1",
                "evm.root.x = evm.instance_get(\"/Base/Lab/Leaf/nope\") == ();",
                "true",
            ),
            (
                "7.2",
                "evm.root.x = [evm.object.is_encrypted(\"own\"), evm.object.is_encrypted(\"absent\")];",
                "[false,false]",
            ),
            (
                "7.3",
                "evm.root.x = [evm.vmdb(\"vm\", 5).normalized_name, evm.vmdb(\"vm\", 5).normalized_nothing == (), evm.vmdb(\"vm\", 5).normalized_token_password == ()];",
                "[\"web\",true,true]",
            ),
            (
                "7.1",
                "evm.root.x = evm.instance_find(\"/Base/Lab/Leaf/?\").keys();",
                "[\"a\",\"b\"]",
            ),
            (
                "6.4",
                "evm.root.x = [MIQ_OK, MIQ_WARN, MIQ_STOP, MIQ_ERROR, MIQ_ABORT];",
                "[0,4,8,8,16]",
            ),
            ("7.1", "evm.log(\"info\", \"hello\"); evm.root.x = 1;", "1"),
            (
                "7.2",
                "evm.object.y = 1; evm.object.y = (); evm.root.x = evm.object.y == ();",
                "true",
            ),
        ],
        answer,
    );
}

#[test]
fn instantiating_what_fails_gives_nothing_and_goes_on() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/M", &["g:as", "go:me"])
        .instance("m", &["go=run"])
        .instance("aborts", &["go=abort"])
        .instance("refused", &["g=false"])
        .method("abort", &[], "exit(MIQ_ABORT);")
        .method(
            "run",
            &[],
            "
            evm.root.lost = evm.instantiate(\"/Lab/M/none\") == ();
            evm.root.bad = evm.instantiate(\"no path at all: []\") == ();
            evm.root.aborted = evm.instantiate(\"/Lab/M/aborts\") == ();
            evm.root.refused = evm.instantiate(\"/Lab/M/refused\").name();
        ",
        );
    let document = tree.run("/Lab/M/m");
    let expected = "aborted=true bad=true lost=true refused='/Base/Lab/M/refused' ! ClassNotFound ! InvalidPathFormat ! AbortInstantiation";
    assert_eq!(ended(&document), expected);
}

#[test]
fn effects_are_recorded_and_not_carried_out() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/M", &["go:me"])
        .instance("m", &["go=run"])
        .instance("bad", &["go=bad"])
        .method("bad", &[], "evm.deliver(#{smoke: 1});")
        .method(
            "run",
            &[],
            "
            let t = targets();
            t.add(\"vms\", \"i-2\");
            t.add(\"vms\", #{ems_ref: \"i-1\"});
            t.add(\"vms\", \"i-2\");
            t.add(\"hosts\", \"\");
            evm.refresh(t);
            evm.deliver(#{log: \"x\"});
        ",
        );
    let document = tree.run("/Lab/M/m");
    let expected = serde_json::json!([
        {"association": "vms", "manager_ref": {"ems_ref": "i-1"}},
        {"association": "vms", "manager_ref": {"ems_ref": "i-2"}},
    ]);
    assert_eq!(document["targets"], expected);
    assert_eq!(ended(&tree.run("/Lab/M/bad")), "abort UnknownMethodRc");
}

#[test]
fn depth_is_limited_before_the_stack_is() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/M", &["kid:re", "go:me", "v:at"])
        .instance("deep", &["kid=/Lab/M/x${#_missing_instance}"])
        .instance(".missing", &["kid=/Lab/M/x${#_missing_instance}"])
        .class("Lab/S", &["go:me=run"])
        .instance(".missing", &[])
        .method(
            "run",
            &[],
            "evm.root.n = (evm.root.n ?? 0) + 1; evm.instantiate(\"/Lab/S/x\" + evm.root.n);",
        );
    assert_eq!(ended(&tree.run("/Lab/M/deep")), "abort DepthLimit");
    let document = tree.run("/Lab/S/x");
    assert!(ended(&document).contains("DepthLimit"), "{document:#}");
}
