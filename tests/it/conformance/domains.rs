//! Domain search and overrides, of instances, methods and wildcards (statements C31 to C49, section 3).
//! Disabled domains stay disabled, which is a deliberate difference: C36, C38, C39.

use crate::conformance::Tree;
use crate::conformance::check_ends;
use crate::conformance::check_objects;
use crate::conformance::check_places;

fn fixture_c(high_is_enabled: bool) -> Tree {
    let low = Tree::default()
        .domain("Low", 1)
        .class("Ops/Task", &["who:at", "lvl:at"])
        .instance("a", &["who=low-a", "lvl=1"])
        .instance("b", &["who=low-b"])
        .instance("only", &["who=low-only"])
        .instance("x1", &["who=low-x1"])
        .instance("x2", &["who=low-x2"]);
    let high = if high_is_enabled {
        low.domain("High", 5)
    } else {
        low.disabled("High", 5)
    };
    high.class("Ops/Task", &["who:at"])
        .instance("a", &["who=high-a"])
        .instance(".missing", &["who=high-missing ${#_missing_instance}"])
        .instance("x3", &["who=high-x3"])
        .domain("Zed", 9)
        .class("Ops/Start", &["r:re"])
        .instance("go", &["r=/Ops/Task/x*"])
        .instance("all", &["r=/Ops/Task/*"])
        .instance("none", &["r=/Ops/Task/q*"])
        .instance("mid", &["r=/Ops/Task/x*1"])
        .instance("fq", &["r=/Low/Ops/Task/x*"])
        .instance("msg", &["r=/Ops/Task/x*?k=v#other"])
}

#[test]
fn the_highest_domain_that_has_it_wins() {
    check_ends(
        &fixture_c(true),
        &[
            ("C31", "/Ops/Task/only", "who='low-only'"),
            (
                "C32",
                "/Ops/Task/zzz",
                "_missing_instance='zzz' who='high-missing zzz'",
            ),
            ("C33", "/Low/Ops/Task/a", "lvl='1' who='low-a'"),
            ("C34", "/Low/Ops/Task/zzz", "none ! InstanceNotFound"),
            ("3.2", "/Ops/Task/a", "who='high-a'"),
            ("3.2", "/Ops/Task/", ""),
            ("3.2", "/Nope/Ops/Task/a", "none ! ClassNotFound"),
        ],
    );
    check_ends(
        &fixture_c(false),
        &[
            ("C36", "/High/Ops/Task/a", "none ! ClassNotFound"),
            ("C37", "/Ops/Task/zzz", "none ! ClassNotFound"),
            ("3.2", "/Ops/Task/a", "lvl='1' who='low-a'"),
        ],
    );
}

#[test]
fn a_wildcard_is_served_by_one_domain() {
    check_objects(
        &fixture_c(true),
        &[
            ("C38", "/Ops/Start/go", "go{}(x3{who='high-x3'})"),
            (
                "3.5",
                "/Ops/Start/all",
                "all{}(.missing{who='high-missing '} a{who='high-a'} x3{who='high-x3'})",
            ),
            ("C41", "/Ops/Start/none", "none{}"),
            (
                "C42",
                "/Ops/Start/mid",
                "mid{}(x*1{_missing_instance='x*1' who='high-missing x*1'})",
            ),
            ("C43", "/Ops/Start/fq", "fq{}"),
            ("4.9", "/Ops/Start/msg", "msg{}(x3{k='v'})"),
        ],
    );
    check_places(
        &fixture_c(true),
        &[
            (
                "C38",
                "/Ops/Start/go /workspace/0/relationships",
                "{\"r\":[\"/High/Ops/Task/x3\"]}",
            ),
            ("C41", "/Ops/Start/none /workspace/0/relationships", "{\"r\":[]}"),
            (
                "C42",
                "/Ops/Start/mid /workspace/0/relationships",
                "{\"r\":[\"/High/Ops/Task/x*1\"]}",
            ),
            ("C43", "/Ops/Start/fq /workspace/0/relationships", "{\"r\":[]}"),
        ],
    );
    check_objects(
        &fixture_c(false),
        &[("C39", "/Ops/Start/go", "go{}(x1{who='low-x1'} x2{who='low-x2'})")],
    );
}

fn fixture_d(high_is_enabled: bool) -> Tree {
    let low = Tree::default()
        .domain("Low", 1)
        .class("Ops/Job", &["go:me"])
        .method("m1", &[], "evm.root.ran = \"low m1\";")
        .method("m2", &[], "evm.root.ran = \"low m2\";")
        .instance("a", &["go=m1"])
        .instance("c", &["go=/Ops/Job.m1"])
        .instance("d", &["go=Low/Ops/Job.m1"])
        .instance("e", &["go=Ops/Job.m1"])
        .instance("f", &["go=nope"])
        .instance("g", &["go=M1"])
        .instance("h", &["go=Job.m1"]);
    let high = if high_is_enabled {
        low.domain("High", 5)
    } else {
        low.disabled("High", 5)
    };
    high.class("Ops/Job", &["go:me"])
        .method("M1", &[], "evm.root.ran = \"high m1\";")
        .instance("b", &["go=m2"])
}

#[test]
fn methods_are_virtual() {
    check_ends(
        &fixture_d(true),
        &[
            ("C44", "/Ops/Job/a", "ran='high m1'"),
            ("3.4", "/Ops/Job/b", "ran='low m2'"),
            ("C46", "/Ops/Job/c", "ran='high m1'"),
            ("C46", "/Ops/Job/d", "ran='high m1'"),
            ("C46", "/Ops/Job/g", "ran='high m1'"),
            ("C47", "/Ops/Job/e", "abort MethodNotFound"),
            ("C48", "/Ops/Job/f", "abort MethodNotFound"),
            ("6.1", "/Ops/Job/h", "ran='high m1'"),
        ],
    );
    check_places(
        &fixture_d(true),
        &[("C44", "/Ops/Job/a /root/object", "\"/Low/Ops/Job/a\"")],
    );
    check_ends(&fixture_d(false), &[("C49", "/Ops/Job/a", "ran='low m1'")]);
}

#[test]
fn manageiq_is_always_enabled_and_last_and_ties_go_by_name() {
    let tree = Tree::default()
        .disabled("ManageIQ", 99)
        .class("Ops/T", &["who:at=manageiq"])
        .instance("a", &[])
        .instance("m", &[])
        .domain("Bb", 3)
        .class("Ops/T", &["who:at=bb"])
        .instance("a", &[])
        .domain("Aa", 3)
        .class("Ops/T", &["who:at=aa"])
        .instance("a", &[]);
    check_ends(
        &tree,
        &[
            ("1.4", "/Ops/T/a", "who='aa'"),
            ("1.4", "/Ops/T/m", "who='manageiq'"),
        ],
    );
}

#[test]
fn an_underscore_is_no_wildcard() {
    let tree = Tree::default()
        .domain("Base", 9)
        .class("Lab/Ev", &["who:at=base"])
        .instance("aXb", &[])
        .domain("Low", 1)
        .class("Lab/Ev", &["who:at=low"])
        .instance("a_b", &[]);
    check_ends(&tree, &[("G7", "/Lab/Ev/a_b", "who='low'")]);
}

#[test]
fn an_instance_is_overridden_whole_and_a_schema_alone_overrides_nothing() {
    let tree = Tree::default()
        .domain("Low", 1)
        .class("Ops/T", &["a:at=low", "b:at=low"])
        .instance("both", &["b=own"])
        .instance("low", &[])
        .domain("High", 5)
        .class("Ops/T", &["a:at=high"])
        .instance("both", &[]);
    check_ends(
        &tree,
        &[
            ("G11", "/Ops/T/both", "a='high'"),
            ("G11", "/Ops/T/low", "a='low' b='low'"),
        ],
    );
}
