//! The collect language (statements C96 to C104, section 4.10).

use crate::conformance::Tree;
use crate::conformance::check;
use crate::conformance::ended;

/// How a run ends whose relationship is `path` with `collect`, or whose attribute `pack` has it.
fn collected(question: &str) -> String {
    let (path, collect) = question.split_once(" | ").unwrap();
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Src", &["n:at:integer", "t:at"])
        .instance("s1", &["n=3", "t=three"])
        .instance("s2", &["n=1", "t=one"])
        .instance("s3", &["n=8", "t=eight"])
        .instance("bare", &[])
        .class("Lab/Dst", &["k:at=v", "r:re", "pack:at"]);
    let tree = match path.strip_prefix("pack") {
        Some(value) => tree.instance(
            "d",
            &[&format!("pack{value}"), &format!("pack.collect={collect}")],
        ),
        None => tree.instance("d", &[&format!("r={path}"), &format!("r.collect={collect}")]),
    };
    ended(&tree.run("/Lab/Dst/d"))
}

#[test]
fn attributes_are_gathered_from_what_a_relationship_gave() {
    check(
        &[
            (
                "C96",
                "/Lab/Src/* | m = {t => n}",
                "k='v' m={\"\":null,\"eight\":8,\"one\":1,\"three\":3}",
            ),
            (
                "C96",
                "/Lab/Src/s* | m = {t => n}",
                "k='v' m={\"eight\":8,\"one\":1,\"three\":3}",
            ),
            ("C97", "/Lab/Src/s* | {:k => n}", "k='v' r={\":k\":8}"),
            (
                "C98",
                "/Lab/Src/s1 | n; /top = t; z = [n, t]; one = {t => n}",
                "k='v' n=3 one={\"three\":3} top='three' z=[3,\"three\"]",
            ),
            ("C99", "/Lab/Src/s2 | /Lab/Dst/x = n", "k='v' x=1"),
            (
                "C101",
                "pack=p | {:kk => k, :pp => pack}",
                "k='v' pack={\":kk\":\"v\",\":pp\":\"p\"}",
            ),
            ("C102", "/Lab/Src/q* | x=[n]; y = n; z={t => n}", "k='v' y=[]"),
            ("C103", "/Lab/Src/s1 | x={t}", "abort InvalidCollection"),
            ("C104", "/Lab/Src/nope | n", "k='v' ! ClassNotFound"),
            ("4.10", "/Lab/Src/s* | ns = [n]", "k='v' ns=[3,1,8]"),
            (
                "4.10",
                "/Lab/Src/s* | srt = [n].sort; mx=[n].max",
                "k='v' mx=8 srt=[1,3,8]",
            ),
            ("4.10", "/Lab/Src/s* | [n].RSORT", "k='v' r=[8,3,1]"),
            (
                "4.10",
                "/Lab/Src/s* | x = [n].reverse ; y=[ n ] . min",
                "k='v' x=[8,1,3] y=1",
            ),
            (
                "4.10",
                "/Lab/Src/s* | x = [n, t].count; y = [n].sum; z = [n].mean",
                "k='v' x=6 y=12 z=4.0",
            ),
            (
                "4.10",
                "/Lab/Src/s* | x = [n].average; y = [n].avg; z = [n].variance",
                "k='v' x=4.0 y=4.0 z=13.0",
            ),
            (
                "4.10",
                "/Lab/Src/s2 | x = [n].minimum; y = [n].maximum",
                "k='v' x=1 y=1",
            ),
            (
                "4.10",
                "/Lab/Src/s* | z = [n, t]",
                "k='v' z=[3,\"three\",1,\"one\",8,\"eight\"]",
            ),
            ("4.10", "/Lab/Src/s* | n", "k='v' n=[3,1,8]"),
            ("4.10", "/Lab/Src/s* | x = n", "k='v' x=[3,1,8]"),
            (
                "4.10",
                "/Lab/Src/s1 | {'q' => n, \"p\" => t}",
                "k='v' r={\"p\":\"three\",\"q\":3}",
            ),
            ("4.10", "/Lab/Src/bare | x = [n].sort; y = n", "k='v' x=[null]"),
            ("4.10", "/Lab/Src/s1 | ../x = n", "k='v'"),
            ("4.10", "/Lab/Src/s1 | Nope/x = n", "k='v'"),
            ("4.10", "/Lab/Src/s1 | X = N", "k='v' x=3"),
            ("4.10", "/Lab/Src/s1 | {a => b => c}", "abort InvalidCollection"),
            // What is not understood stores nothing, or the array as it is; the run goes on.
            (
                "4.10",
                "/Lab/Src/s* | x = [n].uniq; y = [n].sum",
                "k='v' x=[3,1,8] y=12",
            ),
            ("4.10", "/Lab/Src/s1 | [n].explode", "k='v' r=[3]"),
            ("4.10", "/Lab/Src/s1 | x = [n] and more", "k='v' x=[3]"),
            ("4.10", "/Lab/Src/s1 | x = {}; y = n", "k='v' y=3"),
            ("4.10", "/Lab/Src/s1 | x = { }", "k='v'"),
            ("4.10", "/Lab/Src/s1 | x = []", "k='v'"),
            ("4.10", "/Lab/Src/s1 | [n", "k='v'"),
            ("4.10", "/Lab/Src/s1 | x = {t => n", "k='v'"),
            ("4.10", "/Lab/Src/s1 | x = n t", "k='v'"),
            ("4.10", "/Lab/Src/s1 | x =", "k='v'"),
            ("4.10", "pack=p | x = [k].uniq", "k='v' pack='p' x=[\"v\"]"),
            ("4.10", "pack=p | {}", "k='v' pack='p'"),
            (
                "4.10",
                "pack=p | [k, 'lit', 4, 1.5, pack]",
                "k='v' pack=[\"v\",\"lit\",4,1.5,\"p\"]",
            ),
            ("4.10", "pack=p | k", "k='v' pack='v'"),
            ("4.10", "pack=p | x = k", "k='v' pack='p' x='v'"),
            ("4.10", "pack= | {k => k}", "k='v' pack={\"v\":\"v\"}"),
        ],
        collected,
    );
}

#[test]
fn a_symbol_is_spelled_with_its_colon_wherever_it_is() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class(
            "Lab/S",
            &[
                "key:at:symbol=fixedIp",
                "value:at:integer=1",
                "h:at",
                "m:at",
                "k:at",
                "l:at",
                "h.collect=h = {key => value}",
                "m.collect=m = {:fixedIp => value}",
                "k.collect=k = key",
                "l.collect=l = [key, value]",
                "go:me=go",
                "text:at=${#key} ${#copy} ${#made}",
            ],
        )
        .instance("s", &[])
        .method(
            "go",
            &[],
            "
            let root = evm.root;
            root.copy = root.k;
            root.list = [root.k, #{ inner: root.key }];
            root.found = root.h[root.key] + root.m[root.k] + root.m[\":fixedIp\"];
            root.is_same = root.key == \":fixedIp\" && root.h.keys() == root.m.keys();
            root.made = \":x\";
            evm.set_state_var(\"kept\", root.key);
            root.back = evm.state_var(\"kept\");
        ",
        );
    let expected = "back=':fixedIp' copy=':fixedIp' found=3 h={\":fixedIp\":1} is_same=true k=':fixedIp' \
                    key=':fixedIp' l=[\":fixedIp\",1] list=[\":fixedIp\",{\"inner\":\":fixedIp\"}] \
                    m={\":fixedIp\":1} made=':x' text='fixedIp fixedIp :x' value=1";
    assert_eq!(ended(&tree.run("/Lab/S/s")), expected);
}

#[test]
fn what_is_not_understood_is_a_finding() {
    for (collect, finding) in [
        (
            "x = [n].uniq",
            "warning[UnknownCollect]: `x = [n].uniq`: there is no function `uniq`; the array is stored as it is",
        ),
        (
            "x = [n].sorted",
            "warning[UnknownCollect]: `x = [n].sorted`: there is no function `sorted`; the array is stored as it is; did you mean `sort`?",
        ),
        (
            "y = n; x = {}",
            "warning[UnknownCollect]: `x = {}`: it gathers nothing; nothing is stored",
        ),
        (
            "x = []",
            "warning[UnknownCollect]: `x = []`: it gathers nothing; nothing is stored",
        ),
        (
            "x = [n",
            "warning[UnknownCollect]: `x = [n`: `]` is missing; nothing is stored",
        ),
        (
            "x = a b",
            "warning[UnknownCollect]: `x = a b`: a name, `[a, b]` or `{key => name}` is expected; nothing is stored",
        ),
        (
            "x = {a}",
            "error[InvalidCollection]: `x = {a}` is no collect expression: each entry of a hash needs exactly one `=>`",
        ),
        ("x = [n].max", ""),
    ] {
        let tree = Tree::default()
            .domain("Base", 1)
            .class("Lab/Dst", &["r:re"])
            .instance("d", &["r=/Lab/Dst/d#x", &format!("r.collect={collect}")]);
        let found: Vec<String> = tree.load().1.iter().map(ToString::to_string).collect();
        let found = found.concat();
        let place = "automate/Base/Lab/Dst.class/d.yaml:7:18: ";
        assert_eq!(
            found.trim_end(),
            format!("{}{finding}", if finding.is_empty() { "" } else { place })
        );
    }
}

#[test]
fn a_target_may_be_another_object() {
    let tree = Tree::default()
        .domain("Base", 1)
        .class("Lab/Src", &["n:at:integer=3"])
        .instance("s", &[])
        .class("Lab/Top", &["mid:re=/Lab/Mid/m"])
        .instance("t", &[])
        .class("Lab/Mid", &["low:re=/Lab/Low/l"])
        .instance("m", &[])
        .class(
            "Lab/Low",
            &[
                "r:re=/Lab/Src/s",
                "r.collect=../a = n; Top/b = n; Lab/Mid/c = n; /d = n; e = n",
            ],
        )
        .instance("l", &[]);
    let found = crate::conformance::objects(&tree.run("/Lab/Top/t"));
    assert_eq!(found, "t{b=3 d=3}(m{a=3 c=3}(l{e=3}(s{n=3})))");
}
