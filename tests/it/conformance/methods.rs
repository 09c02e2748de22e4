//! Methods: calls, inputs, return codes, embedded methods (statements C81 to C94, section 6).

use crate::conformance::Tree;
use crate::conformance::attributes;
use crate::conformance::check;
use crate::conformance::check_ends;
use crate::conformance::check_objects;
use crate::conformance::check_places;
use crate::conformance::ended;

const SHOW: &str = "let all = evm.inputs.to_map(); evm.root.seen = all;";

fn fixture_h() -> Tree {
    let mut tree = Tree::default().domain("Base", 1).class(
        "Lab/K",
        &["n:at", "kid:re", "go:me", "go.collect=rc", "after:at=ran"],
    );
    for code in [0, 4, 8, 16, 1] {
        tree = tree
            .method(&format!("fin{code}"), &[], &format!("exit({code});"))
            .instance(&format!("f{code}"), &[&format!("go=fin{code}")]);
    }
    tree.method(
        "inp",
        &["a::integer=100", "b::string=B${#after}", "c::string=", "d:=dd"],
        SHOW,
    )
    .method("need", &["q::string"], SHOW)
    .method("flg", &["flag::boolean"], SHOW)
    .method("caps", &["Q:=dflt"], SHOW)
    .method(
        "either",
        &["v::null coalescing=${#zip} || ${Nope/P#x} || n ${#n}"],
        SHOW,
    )
    .method(
        "typed",
        &["a::array=x,y", "f::float=1", "s::symbol=up", "t::time"],
        SHOW,
    )
    .method("both", &["a::integer", "b:=${#a}"], SHOW)
    .method("fails", &[], "let x = 1;\nthrow \"broken\";")
    .method("ok", &[], "exit(MIQ_OK); evm.root.not_run = 1;")
    .method("warn", &[], "exit(MIQ_WARN)")
    .method("stop", &[], "exit(MIQ_STOP)")
    .method("error", &[], "exit(MIQ_ERROR)")
    .method("abort", &[], "evm.root.before = 1; exit(MIQ_ABORT)")
    .method("last", &[], "8")
    .instance("note", &["go=# fin8"])
    .instance("stopped", &["go=fin8"])
    .instance("par", &["kid=/Lab/K/stopped", "go=fin0"])
    .instance("r", &["kid=/Lab/K/par", "go=fin8"])
    .instance("three", &["go=a.b.c"])
    .instance("dash", &["go=x-y"])
    .instance("ifails", &["go=fails"])
    .instance("iok", &["go=ok"])
    .instance("iwarn", &["go=warn"])
    .instance("istop", &["go=stop"])
    .instance("ierror", &["go=error"])
    .instance("iabort", &["go=abort"])
    .instance("ilast", &["go=last"])
}

#[test]
fn return_codes_decide() {
    check_ends(
        &fixture_h(),
        &[
            ("6.4", "/Lab/K/f0", "after='ran' rc=0"),
            ("6.4", "/Lab/K/f4", "after='ran' rc=4"),
            ("C81", "/Lab/K/f8", "none"),
            ("C82", "/Lab/K/f16", "abort AbortInstantiation"),
            ("C82", "/Lab/K/f1", "abort UnknownMethodRc"),
            ("C83", "/Lab/K/note", "after='ran'"),
            ("C84", "/Lab/K/par", "after='ran' rc=0"),
            ("C94", "/Lab/K/three", "abort InvalidMethod"),
            ("C94", "/Lab/K/dash", "abort InvalidMethod"),
            ("6.4", "/Lab/K/ifails", "abort UnknownMethodRc"),
            ("6.4", "/Lab/K/iok", "after='ran' rc=0"),
            ("6.4", "/Lab/K/iwarn", "after='ran' rc=4"),
            ("6.4", "/Lab/K/istop", "none"),
            ("6.4", "/Lab/K/ierror", "none"),
            ("6.4", "/Lab/K/iabort", "abort AbortInstantiation"),
            ("contract", "/Lab/K/ilast", "after='ran' rc=0"),
        ],
    );
    check_objects(
        &fixture_h(),
        &[
            ("C84", "/Lab/K/par", "par{after='ran' rc=0}(-stopped{})"),
            (
                "C86",
                "/Lab/K/r",
                "-r{}(par{after='ran' rc=0}(-stopped{})) par{after='ran' rc=0}(-stopped{})",
            ),
            ("6.4", "/Lab/K/iabort", "iabort{before=1}"),
        ],
    );
    check_places(
        &fixture_h(),
        &[
            ("C86", "/Lab/K/r /root/object", "\"/Base/Lab/K/par\""),
            ("contract", "/Lab/K/f0 /actions/0/result", "\"ok\""),
            ("contract", "/Lab/K/f4 /actions/0/result", "\"warn\""),
            ("contract", "/Lab/K/f8 /actions/0/result", "\"stop\""),
            ("contract", "/Lab/K/f16 /actions/0/result", "\"abort\""),
            ("contract", "/Lab/K/f1 /actions/0/result", "\"error\""),
            ("contract", "/Lab/K/f0 /actions/0/object", "\"/Lab/K/f0\""),
            ("contract", "/Lab/K/f0 /actions/0/location", "\"inline\""),
            ("contract", "/Lab/K/f0 /actions/0/attributes", "{}"),
            ("contract", "/Lab/K/f16 /steps/2/outcome", "\"not_reached\""),
            ("contract", "/Lab/K/f16 /steps/2/field", "\"after\""),
        ],
    );
}

/// What a call sees as its inputs, and the attribute `a` afterwards: the question is `call` or `call ?query`.
fn inputs(question: &str) -> String {
    let (call, query) = question.split_once(" ?").unwrap_or((question, ""));
    let document = fixture_h()
        .instance("i", &["n=9", &format!("go={call}")])
        .run(&format!("/Lab/K/i?{query}"));
    if document["root"].is_null() || document["errors"] != serde_json::json!([]) {
        return ended(&document);
    }
    let own = &document["root"]["attributes"];
    let kept = ["a", "flag"]
        .into_iter()
        .filter(|key| !own[key].is_null())
        .map(|key| format!("; {key}={}", own[key]));
    let recorded = attributes(&document["actions"][0]["inputs"]);
    assert_eq!(
        attributes(&own["seen"]),
        recorded,
        "the action is recorded as it ran"
    );
    format!("{recorded}{}", kept.collect::<String>())
}

#[test]
fn inputs_are_argument_attribute_or_default() {
    check(
        &[
            (
                "C87",
                "inp(a => 1, b => \"two\", c => 'three', d => n)",
                "a=1 b='two' c='three' d='9'",
            ),
            ("C88", "inp", "a=100 b='B' c='' d='dd'"),
            ("C89", "inp(a => -5, b => \"\", d => 1.5)", "a=100 b='B' c='' d=1"),
            ("C91", "inp ?a=77&c=cc", "a=77 b='B' c='cc' d='dd'; a=77"),
            ("6.3", "inp(a => 1) ?a=77", "a=1 b='B' c='' d='dd'; a=77"),
            ("6.3", "inp(A => 3)", "a=100 b='B' c='' d='dd'"),
            ("6.3", "inp(z => 3)", "a=100 b='B' c='' d='dd'"),
            ("6.1", "inp(d => nothing)", "a=100 b='B' c='' d='dd'"),
            ("6.1", "  inp ( a=>2 , d=>'x' )  ", "a=2 b='B' c='' d='x'"),
            ("6.1", "not a call!\ninp(a => 3)", "a=3 b='B' c='' d='dd'"),
            ("6.1", "INP(a => \"7x\")", "a=7 b='B' c='' d='dd'"),
            ("C92", "need", "abort MethodParmMissing"),
            ("C92", "need ?q=", "q=''"),
            ("C92", "need ?q=7", "q='7'"),
            ("C93", "flg ?flag=false", "flag=false; flag=false"),
            ("C93", "flg ?flag=1", "flag=true; flag=true"),
            ("G42", "caps ?q=1", "Q='dflt'"),
            ("4.7", "either", "v='n 9'"),
            ("4.7", "either ?zip=90210", "v='90210'"),
            ("4.7", "either(v => 'given') ?zip=90210", "v='given'"),
            (
                "6.3",
                "typed(t => '2026-01-31 10:00:00')",
                "a=[\"x\",\"y\"] f=1.0 s=':up' t='2026-01-31T10:00:00Z'",
            ),
            ("6.3", "typed", "abort MethodParmMissing"),
            ("6.3", "both ?a=07", "a=7 b='7'; a=7"),
        ],
        inputs,
    );
}

#[test]
fn what_runs_is_known_to_the_method() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Deep/K", &["go:me~create,Ping=Show"])
        .instance("one", &[])
        .instance(".missing", &[])
        .method(
            "Show",
            &[],
            "evm.root.seen = [evm.current_namespace, evm.current_class, evm.current_instance, evm.current_message, evm.current_method];",
        )
        .class("Lab/Deep/R", &["kid:re=/Lab/Deep/K/ONE#Ping"])
        .instance("r", &[]);
    check_ends(
        &tree,
        &[
            (
                "7.1",
                "/Lab/Deep/K/one",
                "seen=[\"Base/Lab/Deep\",\"K\",\"one\",\"create\",\"show\"]",
            ),
            (
                "7.1",
                "/base/lab/deep/k/Ghost",
                "_missing_instance='Ghost' seen=[\"Base/Lab/Deep\",\"k\",\"Ghost\",\"create\",\"show\"]",
            ),
            (
                "7.1",
                "/Lab/Deep/R/r",
                "seen=[\"Base/Lab/Deep\",\"K\",\"ONE\",\"ping\",\"show\"]",
            ),
        ],
    );
}

#[test]
fn embedded_methods_come_before_the_main_text() {
    let embed =
        |paths: &str| format!("    language: rhai\n    location: inline\n    embedded_methods:\n{paths}");
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Lib", &[])
        .method("deep", &[], "fn deep() { \"deep\" }")
        .method_yaml("mid", &[], &embed("    - /Lab/Lib/deep\n    - /Lab/Lib/mid\n"))
        .file(
            "automate/Base/Lab/Lib.class/__methods__/mid.rhai",
            "fn mid() { \"mid of \" + deep() }",
        )
        .class("Lab/K", &["go:me"])
        .method_yaml("main", &[], &embed("    - /Lab/Lib/mid\n    - /lab/lib/deep\n"))
        .file(
            "automate/Base/Lab/K.class/__methods__/main.rhai",
            "evm.root.said = mid();",
        )
        .method_yaml("lost", &[], &embed("    - /Lab/Lib/nothere\n"))
        .file("automate/Base/Lab/K.class/__methods__/lost.rhai", "1")
        .instance("i", &["go=main"])
        .instance("lost", &["go=lost"]);
    check_ends(
        &tree,
        &[
            ("6.5", "/Lab/K/i", "said='mid of deep'"),
            ("6.5", "/Lab/K/lost", "abort MethodNotFound"),
        ],
    );
}

#[test]
fn builtins_of_every_object_and_by_name() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/K", &["go:me", "go.collect=rc", "to:at"])
        .builtin("parse_provider_category", &[])
        .method_yaml(
            "other",
            &[],
            "    location: BuiltIn \n    data: Parse_Provider_Category\n",
        )
        .method_yaml("unknown", &[], "    location: builtin\n")
        .builtin("refresh", &[])
        .instance("log", &["go=log_object"])
        .instance("logw", &["go=log_workspace"])
        .instance("category", &["go=parse_provider_category"])
        .instance("other", &["go=other"])
        .instance("unknown", &["go=unknown"])
        .instance("refresh", &["go=refresh"])
        .instance(
            "mail",
            &["go=send_email(to => \"a\", from => \"b\", subject => \"c\", body => \"d\")"],
        );
    check_ends(
        &tree,
        &[
            ("1.4", "/Lab/K/log", "rc=true"),
            ("1.4", "/Lab/K/logw", "rc=true"),
            ("6.6", "/Lab/K/category", "ae_provider_category='unknown' rc=true"),
            ("6.6", "/Lab/K/other", "ae_provider_category='unknown' rc=true"),
            ("6.6", "/Lab/K/unknown", "abort MethodNotFound"),
            ("6.6", "/Lab/K/refresh", "abort AbortInstantiation"),
            ("1.4", "/Lab/K/mail", "rc=true"),
        ],
    );
}
