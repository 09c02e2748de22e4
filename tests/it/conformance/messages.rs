//! Messages, relationships, cycles and workspace URIs (statements C50 to C58 and C132 to C134, sections 4.6, 4.9).

use crate::conformance::Tree;
use crate::conformance::check_ends;
use crate::conformance::check_objects;
use crate::conformance::check_places;

fn fixture_e() -> Tree {
    let hub = ["a:at=A", "r1:re", "r2:re~audit", "r3:re~create, Audit", "r4:re~*"];
    let leaf = ["c:at=c", "d:at~audit=d", "m:at~*=${!current_message}"];
    Tree::default()
        .domain("Base", 1)
        .class("Lab/Hub", &hub)
        .instance(
            "h",
            &[
                "r1=/Lab/Leaf/one",
                "r2=/Lab/Leaf/two",
                "r3=/Lab/Leaf/three",
                "r4=/Lab/Leaf/four#Create",
            ],
        )
        .instance("hash", &["r1=#/Lab/Leaf/one", "r3=  # note", "r4="])
        .instance(
            "bad",
            &["r1=/Lab/Nope/x", "r3=/Lab/Leaf/none", "r4=/Lab/Leaf/four"],
        )
        .instance("cyc", &["r1=/lab/HUB/CYC"])
        .instance("cycfull", &["r1=/Base/Lab/Hub/cycfull"])
        .instance("cycmsg", &["r1=/Lab/Hub/cycmsg#audit"])
        .instance("multi", &["r1=/Lab/Leaf/one#create,audit"])
        .instance("blanks", &["r1=  /Lab/Leaf/one  "])
        .instance("many", &["r1=/Lab/Leaf/one", "r3=/Lab/Leaf/one"])
        .instance("wild", &["r1=/Lab/Leaf/${#x}*"])
        .class("Lab/Leaf", &leaf)
        .instance("one", &[])
        .instance("two", &[])
        .instance("three", &[])
        .instance("four", &[])
}

#[test]
fn the_message_selects_the_fields() {
    let created = "h{a='A'}(one{c='c' m='create'} three{c='c' m='create'} four{c='c' m='create'})";
    check_objects(
        &fixture_e(),
        &[
            ("C50", "/Lab/Hub/h", created),
            (
                "C51",
                "/Lab/Hub/h#AUDIT",
                "h{}(two{d='d' m='audit'} three{d='d' m='audit'} four{c='c' m='create'})",
            ),
            ("C52", "/Lab/Hub/h#", created),
            ("4.15", "/Lab/Hub/h#other", "h{}(four{c='c' m='create'})"),
            ("C53", "/Lab/Hub/h#create,audit", "h{}(four{c='c' m='create'})"),
            ("C54", "/Lab/Hub/hash", "hash{a='A'}"),
            ("C55", "/Lab/Hub/bad", "bad{a='A'}(four{c='c' m='create'})"),
            ("C57", "/Lab/Hub/cycmsg", "cycmsg{a='A'}(cycmsg{})"),
            ("C58", "/Lab/Hub/multi", "multi{a='A'}(one{m='create,audit'})"),
            ("G50", "/Lab/Hub/blanks", "blanks{a='A'}(one{c='c' m='create'})"),
            (
                "4.2",
                "/Lab/Hub/many",
                "many{a='A'}(one{c='c' m='create'} one{c='c' m='create'})",
            ),
            (
                "4.9",
                "/Lab/Hub/wild?x=t",
                "wild{a='A' x='t'}(three{c='c' m='create'} two{c='c' m='create'})",
            ),
        ],
    );
    check_ends(
        &fixture_e(),
        &[
            ("C55", "/Lab/Hub/bad", "a='A' ! ClassNotFound ! ClassNotFound"),
            ("C56", "/Lab/Hub/cyc", "abort CyclicalRelationship"),
            ("C56", "/Lab/Hub/cycfull", "abort CyclicalRelationship"),
            ("C57", "/Lab/Hub/cycmsg", "a='A'"),
        ],
    );
    check_objects(&fixture_e(), &[("C56", "/Lab/Hub/cycfull", "cycfull{a='A'}")]);
    check_places(
        &fixture_e(),
        &[
            (
                "C55",
                "/Lab/Hub/bad /workspace/0/relationships",
                "{\"r1\":null,\"r3\":null,\"r4\":\"/Base/Lab/Leaf/four\"}",
            ),
            ("4.9", "/Lab/Hub/bad /errors/0/path", "\"/Lab/Nope/x\""),
            ("4.9", "/Lab/Hub/hash /workspace/0/relationships", "{}"),
            ("contract", "/Lab/Hub/cyc /errors/0/path", "\"/Base/Lab/Hub/cyc\""),
        ],
    );
}

fn fixture_k() -> Tree {
    Tree::default()
        .domain("Base", 1)
        .class("Lab/P", &["x:at~ping=pong", "kid:re"])
        .instance("p", &["kid=/Lab/Q/q"])
        .instance("pm", &["kid=/Lab/Q/m"])
        .instance("pn", &["kid=/Lab/Q/none"])
        .class("Lab/Q", &["r:re"])
        .instance("q", &["r=miqaews:/..#ping"])
        .instance("m", &["r=method:///t?x=1"])
        .instance("full", &["r=method:///Lab/Q/t?x=2"])
        .instance("lost", &["r=method:///nothere"])
        .instance("none", &["r=miqaews:/Zed/Q#x"])
        .method("t", &["x:"], "evm.root.got = evm.inputs.x;")
}

#[test]
fn other_schemes_reach_objects_and_methods() {
    check_objects(
        &fixture_k(),
        &[
            ("C132", "/Lab/P/p", "p{x='pong'}(q{})"),
            ("C133", "/Lab/P/pm", "pm{got='1'}(m{})"),
            ("C133", "/Lab/Q/full", "full{got='2'}"),
        ],
    );
    check_places(
        &fixture_k(),
        &[
            (
                "C132",
                "/Lab/P/p /workspace/0/children/0/relationships",
                "{\"r\":\"/Base/Lab/P/p\"}",
            ),
            (
                "C133",
                "/Lab/P/pm /workspace/0/children/0/relationships",
                "{\"r\":0}",
            ),
        ],
    );
    check_ends(
        &fixture_k(),
        &[
            ("C134", "/Lab/P/pn", "abort ObjectNotFound"),
            ("6.1", "/Lab/Q/lost", "abort MethodNotFound"),
        ],
    );
}
