//! URIs and paths: how a text leads to an object (statements C1 to C19, and section 2).

use crate::conformance::Tree;
use crate::conformance::check_ends;
use crate::conformance::check_places;

const BOX: [&str; 3] = ["Color:at=red", "size:at:integer=", "tag:at"];

fn fixture_a() -> Tree {
    Tree::default()
        .domain("Base", 1)
        .class("Lab/Box", &BOX)
        .instance("plain", &[])
        .instance("Blue", &["color=blue", "size=7"])
        .instance("blank", &["Color="])
        .instance(".missing", &["tag=asked ${#_missing_instance}"])
}

fn fixture_a2() -> Tree {
    Tree::default()
        .domain("Base", 1)
        .class("Lab/Box", &["Color:at=red", "size:at:integer=", "tag:at"])
        .instance("plain", &[])
}

#[test]
fn a_path_leads_to_an_instance() {
    check_ends(
        &fixture_a(),
        &[
            ("C1", "/Lab/Box/plain", "color='red' size=''"),
            ("C2", "/lab/BOX/bLuE", "color='blue' size=7"),
            ("C3", "/Lab/Box/blank", "color='red' size=''"),
            (
                "C4",
                "/Lab/Box/plain?color=green&tag=keep&Extra=1",
                "color='red' extra='1' size='' tag='keep'",
            ),
            (
                "C6",
                "/Lab/Box/ghost",
                "_missing_instance='ghost' color='red' size='' tag='asked ghost'",
            ),
            ("C7", "/Lab/Box/", "color='red' size=''"),
            ("C8", "//Lab///Box//plain  ", "color='red' size=''"),
            ("C9", "Lab/Box/plain", "color='red' size=''"),
            (
                "C11",
                "/Lab/Box/plain?tag=a=b=c&t2=x%20y+z&flag",
                "color='red' flag='' size='' t2='x y z' tag='a'",
            ),
            ("C12", "miqaedb:Lab/Box/plain", "abort InvalidPathFormat"),
            ("C13", "zzz:/Lab/Box/plain", "abort InvalidPathFormat"),
            ("C14", "/Lab/Box/pl ain", "abort InvalidPathFormat"),
            ("C16", "/Lab/Crate/plain", "none ! ClassNotFound"),
            ("2.1", "miqaedb:///Lab/Box/plain", "color='red' size=''"),
            ("2.1", "MIQAEDB:/Lab/Box/plain", "color='red' size=''"),
            (
                "2.1",
                "/Lab/Box/plain?note=my item",
                "color='red' note='my item' size=''",
            ),
            (
                "2.1",
                "/Lab/Box/plain?u=http://h//p",
                "color='red' size='' u='http:/h/p'",
            ),
            ("2.1", "/Lab/Box/plä", "abort InvalidPathFormat"),
            ("2.1", "/Lab/Box/pl[a]in", "abort InvalidPathFormat"),
            ("2.1", "/Lab/Box/100%", "abort InvalidPathFormat"),
            ("2.1", "/Lab/Box/plain#a#b", "abort InvalidPathFormat"),
            ("2.1", "/Lab/Box/plain#a b", "abort InvalidPathFormat"),
            ("2.1", "1a:/Lab/Box/plain", "abort InvalidPathFormat"),
            (
                "2.2",
                "/Lab/Box/plain?a=1&&b=2&a=3",
                "a='3' b='2' color='red' size=''",
            ),
            (
                "2.3",
                "/Lab/Box/%70lain",
                "_missing_instance='%70lain' color='red' size='' tag='asked %70lain'",
            ),
            ("2.3", "Box/plain", "none ! ClassNotFound"),
            ("2.3", "plain", "none ! ClassNotFound"),
            ("2.3", "/", "none ! ClassNotFound"),
            ("2.3", "", "none ! ClassNotFound"),
            ("8.5", "/Lab/Box/a?b#c", "_missing_instance='a' b=''"),
        ],
    );
}

#[test]
fn objects_are_named_as_the_uri_spells_them() {
    check_places(
        &fixture_a(),
        &[
            ("C2", "/lab/BOX/bLuE /root/object", "\"/Base/Lab/BOX/bLuE\""),
            ("C6", "/Lab/Box/ghost /root/instance", "\".missing\""),
            ("C6", "/Lab/Box/ghost /root/object", "\"/Base/Lab/Box/ghost\""),
            ("C7", "/Lab/Box/ /root/instance", "\".default\""),
            ("C7", "/Lab/Box/ /root/object", "\"/Base/Lab/Box/\""),
            ("4.3", "/Base/Lab/Box/Blue /root/object", "\"/Base/Lab/Box/Blue\""),
            ("contract", "/Lab/Box/plain /uri", "\"/Lab/Box/plain\""),
            ("contract", "/Lab/Box/plain /ems_event", "null"),
            ("contract", "/Lab/Box/plain /retry", "null"),
            ("C16", "/Lab/Crate/plain /root", "null"),
            ("C16", "/Lab/Crate/plain /workspace", "[]"),
        ],
    );
}

#[test]
fn without_a_missing_a_class_is_not_found_where_its_domain_is_not_named() {
    check_ends(
        &fixture_a2(),
        &[
            ("C17", "/Lab/Box/", "none ! ClassNotFound"),
            ("C18", "/Base/Lab/Box/", "color='red' size=''"),
            ("C19", "/Lab/Box/ghost", "none ! ClassNotFound"),
            ("3.2", "/Base/Lab/Box/ghost", "none ! InstanceNotFound"),
        ],
    );
    check_places(
        &fixture_a2(),
        &[("C18", "/Base/Lab/Box/ /root/instance", "\".default\"")],
    );
}
