//! Arguments of a URI become attributes (statements C24 to C29, section 4.5).

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::ended;
use crate::conformance::request;
use crate::conformance::run;
use switchboard::switchboard::SimulationRequest;

fn tree() -> Tree {
    Tree::default()
        .domain("Base", 1)
        .class("Lab/Types", &["lit:at=${#b}", "lit.substitute=false"])
        .instance("one", &[])
}

#[test]
fn typed_and_array_arguments() {
    let records = serde_json::json!({"Vm": {"5": {"name": "web"}}, "User": {"9": {"name": "nine"}}});
    let (switchboard, _) = tree().load();
    check(
        &[
            ("C24", "/Lab/Types/one?bogus::z=5", " ! InvalidClass"),
            ("C26", "/Lab/Types/one?Array::l=", "l=[] lit='${#b}'"),
            (
                "C27",
                "/Lab/Types/one?Vm::My_VM=5",
                "lit='${#b}' my_vm={\"class\":\"Vm\",\"id\":5} my_vm_id='5'",
            ),
            ("C28", "/Lab/Types/one?Vm::My_VM=6", "abort ServiceNotFound"),
            ("C29", "/Lab/Types/one?User::user=9", "lit='${#b}' user_id='9'"),
            (
                "4.5",
                "/Lab/Types/one?VmOrTemplate::vm=5",
                "lit='${#b}' vm={\"class\":\"Vm\",\"id\":5} vm_id='5'",
            ),
            (
                "4.5",
                "/Lab/Types/one?vm::x=5",
                "lit='${#b}' x={\"class\":\"Vm\",\"id\":5}",
            ),
            ("4.5", "/Lab/Types/one?integer::n=5", "lit='${#b}' n=5"),
            ("4.5", "/Lab/Types/one?integer::N=x", "lit='${#b}' n=0"),
            ("4.5", "/Lab/Types/one?float::n=1.5z", "lit='${#b}' n=1.5"),
            ("4.5", "/Lab/Types/one?boolean::n=TRUE", "lit='${#b}' n=true"),
            ("4.5", "/Lab/Types/one?symbol::n=a", "lit='${#b}' n=':a'"),
            ("4.5", "/Lab/Types/one?TrueClass::n=no", "lit='${#b}' n=true"),
            ("4.5", "/Lab/Types/one?FalseClass::n=yes", "lit='${#b}' n=false"),
            ("1.6", "/Lab/Types/one?NilClass::n=x", " ! InvalidClass"),
            ("1.6", "/Lab/Types/one?bogus::n=", "lit='${#b}' n=''"),
            (
                "4.5",
                "/Lab/Types/one?array::l=integer::3%1Fabc%1F%1F7",
                "l=[3,\"abc\",\"7\"] lit='${#b}'",
            ),
            (
                "4.5",
                "/Lab/Types/one?ARRAY::L=Vm::5%1Finteger :: 4",
                "l=[{\"class\":\"Vm\",\"id\":5},4] lit='${#b}'",
            ),
            ("4.5", "/Lab/Types/one?Array::l=bogus::1", " ! InvalidClass"),
            ("4.5", "/Lab/Types/one?Array::l=Vm::77", "abort ServiceNotFound"),
            ("4.5", "/Lab/Types/one?a=1&A=2", "a='2' lit='${#b}'"),
            (
                "4.5",
                "/Lab/Types/one?password::p=hunter2",
                "lit='${#b}' p='********'",
            ),
        ],
        |uri| {
            ended(&run(
                &switchboard,
                &SimulationRequest {
                    records: Some(records.clone().into()),
                    ..request(uri)
                },
            ))
        },
    );
}

#[test]
fn without_records_there_are_no_records() {
    let document = tree().run("/Lab/Types/one?Vm::My_VM=5");
    assert_eq!(ended(&document), "abort ServiceNotFound");
    assert_eq!(
        document["root"]["object"], "/Base/Lab/Types/one",
        "what was built is shown"
    );
}
