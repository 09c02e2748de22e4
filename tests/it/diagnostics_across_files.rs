//! What every file alone looks fine about, and what leads to nothing all the same: one small tree and one exact text each.

use expect_test::expect;

use crate::support::findings::check;
use crate::support::findings::check_lab;
use crate::support::findings::instance;
use crate::support::findings::method;

#[test]
fn relationships_to_nothing() {
    check_lab(
        &[
            instance("no_class", "rel1", "/Lab/Bxo/a"),
            instance("no_instance", "rel1", "/Lab/Box/no_clas?x=1#create"),
            instance("no_namespace", "rel1", "/Lba/${/#kind}/a"),
            instance("bare", "rel1", "a"),
            instance("class_alone", "rel1", "/Lab/Box/"),
            instance("fine", "rel1", "/Base/Lab/Box/no_class"),
            instance("also_fine", "rel1", "/Lab/${/#kind}"),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/bare.yaml:6:14: warning[ClassNotFound]: `a` of `rel1` leads to nothing: a name alone is looked up nowhere
              help: write the whole path, as in /Namespace/Class/Instance
            automate/Base/Lab/Box.class/class_alone.yaml:6:14: warning[ClassNotFound]: `/Lab/Box/` of `rel1` leads to nothing: a path that ends in `/` is found only where an enabled domain has `.missing` in `/Base/Lab/Box`
              help: name an instance, or begin the path with the domain
            automate/Base/Lab/Box.class/no_class.yaml:6:14: warning[ClassNotFound]: `/Lab/Bxo/a` of `rel1` leads to nothing: there is no class `/Lab/Bxo` in an enabled domain
              help: did you mean `/Lab/Box`?
            automate/Base/Lab/Box.class/no_instance.yaml:6:14: warning[InstanceNotFound]: `/Lab/Box/no_clas?x=1#create` of `rel1` leads to nothing: the class `/Base/Lab/Box` has no instance `no_clas` and no `.missing`
              help: did you mean `no_class`?
            automate/Base/Lab/Box.class/no_namespace.yaml:6:14: warning[ClassNotFound]: `/Lba/${/#kind}/a` of `rel1` leads to nothing: there is no class or namespace `/Lba` in an enabled domain
              help: did you mean `/lab`?
        "#]],
    );
}

#[test]
fn relationships_into_a_disabled_domain() {
    check_lab(
        &[
            &instance("a", "rel1", "/Ops/Task/a"),
            "//- automate/Off/__domain__.yaml\nobject: {attributes: {name: Off, enabled: 'false'}}\n",
            "//- automate/Off/Ops/__namespace__.yaml\nobject: {attributes: {name: Ops}}\n",
            "//- automate/Off/Ops/Task.class/__class__.yaml\nobject: {attributes: {name: Task}}\n",
            "//- automate/Off/Ops/Task.class/a.yaml\nobject: {attributes: {name: a}}\n",
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:6:14: warning[ClassNotFound]: `/Ops/Task/a` of `rel1` leads to nothing: there is no class `/Ops/Task` in an enabled domain
              help: it stands in the domain `Off`, which is disabled
        "#]],
    );
}

#[test]
fn calls_of_methods_that_are_nowhere() {
    check_lab(
        &[
            &method("restart", "    location: builtin\n    data: log_object\n"),
            &instance("a", "meth1", "restrat(x => 1)"),
            &instance("b", "meth1", "/Lab/Bxo.restart"),
            &instance("fine", "meth1", "RESTART"),
            &instance("of_every_object", "meth1", "log_workspace"),
            &instance("action", "meth1", "page_me"),
            "//- scripts/actions/page_me.rhai\nevm.log(\"info\", \"here\");\n",
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:6:14: error[MethodNotFound]: `/Base/Lab/Box` has no method `restrat` in any enabled domain, and there is no scripts/actions/restrat.rhai
              help: did you mean `restart`?
            automate/Base/Lab/Box.class/b.yaml:6:14: error[MethodNotFound]: `/lab/bxo` has no method `restart` in any enabled domain, and there is no scripts/actions/restart.rhai
        "#]],
    );
}

#[test]
fn states_that_lead_to_nothing() {
    check_lab(
        "//- automate/Base/Lab/Machine.class/__class__.yaml\n\
         object:\n  attributes:\n    name: Machine\n  schema:\n\
         \x20 - field:\n      name: first\n      aetype: state\n      on_entry: prepare; log_object\n\
         \x20 - field:\n      name: second\n      aetype: state\n\
         //- automate/Base/Lab/Machine.class/a.yaml\n\
         object:\n  attributes:\n    name: a\n  fields:\n\
         \x20 - first:\n      value: METHOD::go\n\
         \x20 - second:\n      value: /Lab/Box/nothing\n      on_error: not a call!\n      on_exit: ${#word}\n",
        &expect![[r#"
            automate/Base/Lab/Machine.class/__class__.yaml:8:17: warning[MethodNotFound]: `/Base/Lab/Machine` has no method `prepare` in any enabled domain, and there is no scripts/actions/prepare.rhai
            automate/Base/Lab/Machine.class/a.yaml:6:14: warning[MethodNotFound]: `/Base/Lab/Machine` has no method `go` in any enabled domain, and there is no scripts/actions/go.rhai
            automate/Base/Lab/Machine.class/a.yaml:8:14: warning[InstanceNotFound]: `/Lab/Box/nothing` of `second` leads to nothing: the class `/Base/Lab/Box` has no instance `nothing` and no `.missing`
              help: add the instance, or one with the name `.missing` for all others
            automate/Base/Lab/Machine.class/a.yaml:9:17: warning[InvalidMethod]: `not a call!` is no method call; `name`, `Class.name` or `/Namespace/Class.name(key => value)` is expected, of letters, digits and `_`
        "#]],
    );
}

#[test]
fn circles() {
    check_lab(
        &[
            instance("a", "rel1", "/Lab/Box/b"),
            instance("b", "rel2", "/Base/Lab/BOX/C"),
            instance("c", "rel1", "/Lab/Box/a"),
            instance("itself", "rel1", "/Lab/Box/itself#create"),
            instance("other_message", "rel1", "/Lab/Box/other_message#update"),
            instance("depends", "rel1", "/Lab/Box/${/#name}"),
            format!(
                "{}  - guard:\n      value: event.x == 1\n",
                instance("guarded", "rel1", "/Lab/Box/guarded")
            ),
        ]
        .concat(),
        &expect![[r#"
            automate/Base/Lab/Box.class/a.yaml:6:14: error[CyclicalRelationship]: a circle of relationships, for the message `create`: /Base/Lab/Box/a -> /Base/Lab/Box/b -> /Base/Lab/Box/c -> /Base/Lab/Box/a; every run that comes here ends
              help: let one of them lead elsewhere, give it another message, or put an assertion before it
            automate/Base/Lab/Box.class/itself.yaml:6:14: error[CyclicalRelationship]: a circle of relationships, for the message `create`: /Base/Lab/Box/itself -> /Base/Lab/Box/itself; every run that comes here ends
              help: let one of them lead elsewhere, give it another message, or put an assertion before it
        "#]],
    );
}

#[test]
fn sources_without_missing() {
    check(
        "//- automate/Base/__domain__.yaml\nobject: {attributes: {name: Base}}\n\
         //- automate/Base/System/__namespace__.yaml\nobject: {attributes: {name: System}}\n\
         //- automate/Base/System/Event/__namespace__.yaml\nobject: {attributes: {name: Event}}\n\
         //- automate/Base/System/Event/EmsEvent/__namespace__.yaml\nobject: {attributes: {name: EmsEvent}}\n\
         //- automate/Base/System/Event/EmsEvent/CLOUD.class/__class__.yaml\nobject: {attributes: {name: CLOUD}}\n\
         //- automate/Base/System/Event/EmsEvent/OTHER.class/__class__.yaml\nobject: {attributes: {name: OTHER}}\n\
         //- automate/Base/System/Event/EmsEvent/OTHER.class/_missing.yaml\nobject: {attributes: {name: .missing}}\n",
        &expect![[r#"
            automate/Base/System/Event/EmsEvent/CLOUD.class/__class__.yaml:1:1: warning[MissingInstance]: `/Base/System/Event/EmsEvent/CLOUD` has no instance `.missing`: an event of a type that has no instance here is kept and triggers nothing, with the error ClassNotFound
              help: add a _missing.yaml with `name: .missing`; without a relationship it says that such events need nothing
        "#]],
    );
}

#[test]
fn files_that_nobody_reads() {
    check_lab(
        "//- automate/Base/Lab/Box.class/beside.rhai\n1\n\
         //- automate/Base/Lab/Box.class/__methods__/alone.rhai\n1\n\
         //- automate/Base/Lab/Box.class/methods/m.yaml\nobject: {}\n\
         //- automate/Base/Lab/Box.class/old/a.yaml\nobject: {}\n\
         //- automate/Base/Lab/Box.class/a.test.yaml\n[]\n\
         //- automate/Base/Lab/New.class/a.yaml\nobject: {}\n\
         //- automate/Base/Lab/New.class/b.yaml\nobject: {}\n",
        &expect![[r#"
            automate/Base/Lab/Box.class/__methods__/alone.rhai:1:1: warning[UnreadFile]: the script belongs to no method
              help: add automate/Base/Lab/Box.class/__methods__/alone.yaml, which says the method's name and `language: rhai`
            automate/Base/Lab/Box.class/beside.rhai:1:1: warning[UnreadFile]: a script beside the instances is not read
              help: move it into automate/Base/Lab/Box.class/__methods__, beside the YAML of its method
            automate/Base/Lab/Box.class/methods/m.yaml:1:1: warning[UnreadFile]: nothing below `automate/Base/Lab/Box.class/methods` is read
              help: rename the folder to __methods__
            automate/Base/Lab/Box.class/old/a.yaml:1:1: warning[UnreadFile]: nothing below `automate/Base/Lab/Box.class/old` is read
              help: instances stand in automate/Base/Lab/Box.class itself, methods in automate/Base/Lab/Box.class/__methods__
            automate/Base/Lab/New.class/a.yaml:1:1: warning[UnreadFile]: `automate/Base/Lab/New.class` has no __class__.yaml, so nothing in it is read
              help: add automate/Base/Lab/New.class/__class__.yaml
        "#]],
    );
}
