//! Whatever is wrong with an event, a script or a rule: the error is clear, the event is kept with the reason, and
//! the next event is served. Nothing of an event is evaluated, or leads out of the class of its source.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::fmt::Write;

use expect_test::expect;
use serde_json::json;
use switchboard::model::event::EventId;
use switchboard::vmdb::EventFilter;
use switchboard::vmdb::MessageId;
use switchboard::vmdb::NewEms;
use switchboard::vmdb::QueueFilter;
use switchboard::vmdb::ShownEvent;

use crate::support::project::Project;
use crate::support::served::Answer;
use crate::support::served::Served;

/// A provider whose parser does what an event asks for, and rules that do what its type says.
const TROUBLE: &str = r##"
//- scripts/trouble/event_parser.rhai
fn event_to_hash(event, ems_id) {
    switch event.at("/do") {
        "throw" => throw "the cloud is on fire",
        "loop" => loop {},
        "recurse" => event_to_hash(event, ems_id),
        "eat" => { let text = "x"; loop { text += text; } },
        "sleep" => sleep(60),
        "number" => 42,
        "typeless" => #{ source: "TROUBLE" },
        "types" => #{ event_type: #{ a: 1 }, source: "TROUBLE" },
        "field" => #{ event_type: event.vm.name, source: "TROUBLE" },
        _ => #{
            event_type: event.type,
            source: event.at("/source") ?? "TROUBLE",
            ems_ref: event.id,
            vm_ems_ref: "vm",
        }
    }
}
//- automate/Site/__domain__.yaml
object: {attributes: {name: Site, priority: 1, enabled: 'true'}}
//- automate/Site/System/__namespace__.yaml
object: {attributes: {name: System}}
//- automate/Site/System/Process.class/__class__.yaml
object: {attributes: {name: Process}, schema: [field: {name: rel5, aetype: relationship}]}
//- automate/Site/System/Process.class/Event.yaml
object:
  attributes: {name: Event}
  fields:
  - rel5: {value: "/System/Event/${/#event_stream.event_namespace}/${/#event_stream.source}/${/#event_type}"}
//- automate/Site/System/Event/__namespace__.yaml
object: {attributes: {name: Event}}
//- automate/Site/System/Event/EmsEvent/__namespace__.yaml
object: {attributes: {name: EmsEvent}}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/__class__.yaml
object:
  attributes: {name: TROUBLE}
  schema:
  - field: {name: guard, aetype: assertion}
  - field: {name: rel1, aetype: relationship}
  - field: {name: meth1, aetype: method}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/_missing.yaml
object: {attributes: {name: .missing}, fields: [meth1: {value: note}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/dangling.yaml
object: {attributes: {name: dangling}, fields: [rel1: {value: /System/No/where}, meth1: {value: note}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/circle.yaml
object: {attributes: {name: circle}, fields: [rel1: {value: /System/Event/EmsEvent/TROUBLE/elcric}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/elcric.yaml
object: {attributes: {name: elcric}, fields: [rel1: {value: /System/Event/EmsEvent/TROUBLE/circle}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/condition.yaml
object: {attributes: {name: condition}, fields: [guard: {value: event.full_data.vm.name == "x"}, meth1: {value: note}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/throw.yaml
object: {attributes: {name: throw}, fields: [meth1: {value: throws}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/loop.yaml
object: {attributes: {name: loop}, fields: [meth1: {value: loops}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/eat.yaml
object: {attributes: {name: eat}, fields: [meth1: {value: eats}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/sleep.yaml
object: {attributes: {name: sleep}, fields: [meth1: {value: sleeps}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/code.yaml
object: {attributes: {name: code}, fields: [meth1: {value: exits}]}
//- automate/Site/System/Event/EmsEvent/TROUBLE.class/nobody.yaml
object: {attributes: {name: nobody}, fields: [meth1: {value: does_it}]}
//- automate/Site/System/Event/EmsEvent/BARE.class/__class__.yaml
object: {attributes: {name: BARE}, schema: [field: {name: meth1, aetype: method}]}
//- automate/Site/System/Event/EmsEvent/BARE.class/known.yaml
object: {attributes: {name: known}, fields: [meth1: {value: note}]}
//- scripts/actions/note.rhai
evm.log("info", "seen");
//- scripts/actions/throws.rhai
evm.refresh([#{ association: "vms", manager_ref: #{ ems_ref: "vm" } }]);
throw #{ what: "no quota" };
//- scripts/actions/loops.rhai
while true {}
//- scripts/actions/eats.rhai
let list = ["x"]; loop { list += list; }
//- scripts/actions/sleeps.rhai
sleep(3600);
//- scripts/actions/exits.rhai
exit(99);
"##;

/// An appliance with a manager `trouble`, and one of a provider that is not there.
struct Troubled {
    served: Served,
    posted: usize,
}

impl Troubled {
    fn new() -> Self {
        let served = Served::of(Project::new(TROUBLE), "");
        for (name, provider) in [("trouble", "trouble"), ("stranger", "truoble")] {
            let new = NewEms {
                name: name.to_owned(),
                provider: provider.to_owned(),
                ..NewEms::default()
            };
            served.vmdb().ems_add(new).wait().unwrap();
        }
        Self { served, posted: 0 }
    }

    fn post_to(&self, ems: &str, body: &str) -> Answer {
        let line = format!("POST /events/{ems}");
        self.served
            .request(&line, &["Content-Type: application/json"], body)
    }

    /// Posts an event to `trouble`, and waits until it is saved.
    fn saved(&mut self, mut event: serde_json::Value) -> ShownEvent {
        self.posted += 1;
        let id = format!("e{}", self.posted);
        event["id"] = json!(id);
        assert_eq!(self.post_to("trouble", &event.to_string()).status, 202, "{event}");
        self.served.until("/healthz", |_| self.find(&id).is_some());
        self.served
            .vmdb()
            .event_show(self.find(&id).unwrap())
            .unwrap()
            .unwrap()
    }

    /// The number of the saved event with this `ems_ref`.
    fn find(&self, ems_ref: &str) -> Option<EventId> {
        let events = self.served.vmdb().events_list(&EventFilter::default()).unwrap();
        let stored = events
            .iter()
            .find(|stored| stored.event.hash.ems_ref.as_deref() == Some(ems_ref));
        stored.and_then(|stored| stored.event.id)
    }

    /// Whatever was before: an event in which nothing is wrong is saved and decided.
    fn serves_the_next(&mut self) {
        let shown = self.saved(json!({"type": "fine"}));
        assert_eq!(shown.deliveries[0].state, "delivered");
        assert_eq!(shown.deliveries[0].errors, []);
        assert_eq!(methods(&shown), ["note"]);
    }
}

/// The methods that ran.
fn methods(shown: &ShownEvent) -> Vec<&str> {
    let actions = shown.deliveries[0].actions.as_array().unwrap();
    actions
        .iter()
        .map(|action| action["method"].as_str().unwrap())
        .collect()
}

#[test]
fn what_is_no_event_is_refused_with_the_reason() {
    let mut troubled = Troubled::new();
    let deep = "[".repeat(100_000);
    let huge = format!("{{\"type\": \"{}\"}}", "x".repeat(64 << 20));
    let mut told = String::new();
    for (ems, body) in [
        ("trouble", ""),
        ("trouble", "{\"type\": \"a\""),
        ("trouble", "not JSON"),
        ("trouble", "\u{0}\u{1}"),
        ("trouble", &deep),
        ("trouble", "3"),
        ("trouble", &huge),
        ("nobody", "{}"),
        ("..%2F..%2Fetc", "{}"),
    ] {
        let answer = troubled.post_to(ems, body);
        let body = body
            .chars()
            .take(12)
            .collect::<String>()
            .escape_debug()
            .to_string();
        writeln!(told, "{ems} {body}: {} {}", answer.status, answer.body.trim()).unwrap();
    }
    expect![[r#"
        trouble : 400 {"error":"the body is no JSON: EOF while parsing a value at line 1 column 1","help":"nothing of the request was taken"}
        trouble {\"type\": \"a\": 400 {"error":"the body is no JSON: EOF while parsing an object at line 1 column 13","help":"nothing of the request was taken"}
        trouble not JSON: 400 {"error":"the body is no JSON: expected ident at line 1 column 2","help":"nothing of the request was taken"}
        trouble \0\u{1}: 400 {"error":"the body is no JSON: expected value at line 1 column 1","help":"nothing of the request was taken"}
        trouble [[[[[[[[[[[[: 400 {"error":"the body is no JSON: EOF: a bracket is not closed at line 1 column 100001","help":"nothing of the request was taken"}
        trouble 3: 400 {"error":"a JSON object, or a list of objects, is expected","help":"nothing of the request was taken"}
        trouble {\"type\": \"xx: 413 {"error":"the body is longer than 8388608 bytes"}
        nobody {}: 404 {"error":"there is no manager `nobody`","help":"add it: switchboard ems add nobody --type PROVIDER"}
        ..%2F..%2Fetc {}: 404 {"error":"there is no manager `../../etc`","help":"add it: switchboard ems add ../../etc --type PROVIDER"}
    "#]].assert_eq(&told);
    assert_eq!(
        troubled
            .served
            .vmdb()
            .queue_list(&QueueFilter::default())
            .unwrap()
            .len(),
        0
    );
    troubled.serves_the_next();
}

#[test]
fn what_a_parser_fails_on_is_kept_with_the_reason() {
    let mut troubled = Troubled::new();
    let mut told = String::new();
    let kinds = [
        "throw", "loop", "recurse", "eat", "sleep", "number", "typeless", "types", "field", "type",
    ];
    for (index, kind) in kinds.into_iter().enumerate() {
        let body = json!({"do": kind, "id": index}).to_string();
        assert_eq!(troubled.post_to("trouble", &body).status, 202, "{kind}");
        troubled.serves_the_next();
        let entries = troubled
            .served
            .vmdb()
            .queue_list(&QueueFilter::default())
            .unwrap();
        let kept = entries.last().map(|entry| entry.id).unwrap();
        let entry = troubled.served.vmdb().queue_show(kept).unwrap().unwrap();
        assert_eq!(
            (entries.len(), entry.full_data.as_deref()),
            (index + 1, Some(&*body))
        );
        writeln!(told, "{kind}, {}: {}", entry.state.as_str(), entry.error.unwrap()).unwrap();
    }
    assert_eq!(troubled.post_to("stranger", "{}").status, 202);
    let entries = troubled
        .served
        .vmdb()
        .queue_list(&QueueFilter::default())
        .unwrap();
    let last: MessageId = entries.last().unwrap().id;
    let entry = troubled.served.vmdb().queue_show(last).unwrap().unwrap();
    writeln!(told, "stranger: {}", entry.error.unwrap()).unwrap();
    expect![[r#"
        throw, dead: scripts/trouble/event_parser.rhai:3:20: the cloud is on fire
        loop, dead: scripts/trouble/event_parser.rhai: stopped: more than 1000000 operations; is there a loop without an end?
        recurse, dead: scripts/trouble/event_parser.rhai: stopped: functions call each other more than 64 deep
        eat, dead: scripts/trouble/event_parser.rhai: stopped: a text, or the texts in one value, grew beyond 1048576 bytes
        sleep, dead: scripts/trouble/event_parser.rhai:7:20: a script cannot sleep; let the state machine retry, with `ae_retry_interval` (sleep 60)
        number, dead: scripts/trouble/event_parser.rhai: `event_to_hash`: a map was expected, it returned i64
        typeless, dead: scripts/trouble/event_parser.rhai: `event_to_hash`: it returned no `event_type`; a text was expected
        types, dead: scripts/trouble/event_parser.rhai: `event_to_hash`: `event_type` has to be a text, it returned `{"a"=>1}`
        field, dead: scripts/trouble/event_parser.rhai:11:44: what should have `name` is not there; write `?.name` to read on as `()`
        type, dead: scripts/trouble/event_parser.rhai: `event_to_hash`: it returned no `event_type`; a text was expected
        stranger: there is no provider `truoble`: no folder `truoble` with an event_parser.rhai under the scripts; did you mean `trouble`?
    "#]].assert_eq(&told);
}

#[test]
fn what_rules_fail_on_is_saved_with_the_error_and_without_effects() {
    let mut troubled = Troubled::new();
    let mut told = String::new();
    for (kind, source) in [
        ("throw", "TROUBLE"),
        ("loop", "TROUBLE"),
        ("eat", "TROUBLE"),
        ("sleep", "TROUBLE"),
        ("code", "TROUBLE"),
        ("nobody", "TROUBLE"),
        ("circle", "TROUBLE"),
        ("dangling", "TROUBLE"),
        ("condition", "TROUBLE"),
        ("unknown", "BARE"),
        ("known", "NOWHERE"),
        ("known", "../TROUBLE"),
    ] {
        let shown = troubled.saved(json!({"type": kind, "source": source}));
        let delivery = &shown.deliveries[0];
        writeln!(told, "{source} {kind}: {}, {:?}", delivery.state, methods(&shown)).unwrap();
        for error in &delivery.errors {
            let fatal = if error.fatal { ", fatal" } else { "" };
            writeln!(told, "  {}{fatal}: {}", error.kind, error.message).unwrap();
        }
        let steps = delivery.steps.as_array().unwrap();
        let failed = steps.iter().filter(|step| step["kind"] == "assertion");
        failed.for_each(|step| writeln!(told, "  {}: {}", step["outcome"], step["why"]).unwrap());
        assert_eq!(delivery.targets, json!([]), "{kind}");
        troubled.serves_the_next();
    }
    expect![[r#"
        TROUBLE throw: failed, ["throws"]
          UnknownMethodRc, fatal: scripts/actions/throws.rhai:2:1: {"what":"no quota"} (field `meth1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/throw.yaml:1)
        TROUBLE loop: failed, ["loops"]
          UnknownMethodRc, fatal: scripts/actions/loops.rhai:1:12: stopped: more than 1000000 operations; is there a loop without an end? (field `meth1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/loop.yaml:1)
        TROUBLE eat: failed, ["eats"]
          UnknownMethodRc, fatal: scripts/actions/eats.rhai:1:31: stopped: a list grew beyond 100000 items, nested ones included (field `meth1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/eat.yaml:1)
        TROUBLE sleep: failed, ["sleeps"]
          UnknownMethodRc, fatal: scripts/actions/sleeps.rhai:1:1: a script cannot sleep; let the state machine retry, with `ae_retry_interval` (sleep 3600) (field `meth1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/sleep.yaml:1)
        TROUBLE code: failed, ["exits"]
          UnknownMethodRc, fatal: `exits` ended with the unknown code 99; MIQ_OK, MIQ_WARN, MIQ_STOP or MIQ_ABORT is expected (field `meth1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/code.yaml:1)
        TROUBLE nobody: failed, []
          MethodNotFound, fatal: `/Site/System/Event/EmsEvent/TROUBLE` has no method `does_it`, and there is no scripts/actions/does_it.rhai (field `meth1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/nobody.yaml:1)
        TROUBLE circle: failed, []
          CyclicalRelationship, fatal: `/System/Event/EmsEvent/TROUBLE/circle#create` is being instantiated already: a circle of relationships; let one of them lead elsewhere, or give it another message (field `rel1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/elcric.yaml:1)
        TROUBLE dangling: delivered, ["note"]
          ClassNotFound: there is no class `/System/No` in an enabled domain (field `rel1`, automate/Site/System/Event/EmsEvent/TROUBLE.class/dangling.yaml:1)
        TROUBLE condition: delivered, []
          "failed": "`event.full_data.vm.name == \"x\"` cannot be evaluated: automate/Site/System/Event/EmsEvent/TROUBLE.class/condition.yaml:1:20: what should have `name` is not there; write `?.name` to read on as `()`"
        BARE unknown: delivered, []
          ClassNotFound: `/System/Event/EmsEvent/BARE` has neither an instance `unknown` nor a `.missing` in any enabled domain, so no domain is chosen; `/Site/System/Event/EmsEvent/BARE` would be found with its domain; did you mean `known`? (field `rel5`, automate/Site/System/Process.class/Event.yaml:4)
        NOWHERE known: delivered, []
          ClassNotFound: there is no class `/System/Event/EmsEvent/NOWHERE` in an enabled domain (field `rel5`, automate/Site/System/Process.class/Event.yaml:4)
        ../TROUBLE known: delivered, []
          ClassNotFound: there is no class `/System/Event/EmsEvent/../TROUBLE` in an enabled domain; did you mean `/System/Event/EmsEvent/TROUBLE`? (field `rel5`, automate/Site/System/Process.class/Event.yaml:4)
    "#]].assert_eq(&told);
}

#[test]
fn a_type_is_a_name_whatever_is_in_it() {
    let mut troubled = Troubled::new();
    for kind in [
        "with spaces in it",
        "a/b",
        "/System/Process/Event",
        "../circle",
        "../../../Process/Event",
        "..",
        ".",
        "circle#update",
        "circle?x=1",
        "circle/",
        "*",
        "circ*",
        "${/#event_type}",
        "${/#event_stream.source}",
        "${circle",
        "'quoted'",
        "\"quoted\" \\",
        "two\nlines",
        "tab\t",
        "\u{fc}ml\u{e4}ut \u{4e91} \u{1f525}",
        "%2e%2e%2fcircle",
        "#",
        "\u{e000}",
        "); throw 1; (",
        "method:/System/x",
    ] {
        let shown = troubled.saved(json!({"type": kind}));
        let delivery = &shown.deliveries[0];
        assert_eq!(&*shown.stored.event.hash.event_type, kind);
        assert_eq!(
            (&*delivery.state, methods(&shown)),
            ("delivered", vec!["note"]),
            "{kind}: {:?}",
            delivery.errors
        );
        let steps = delivery.steps.as_array().unwrap();
        let instances: Vec<&str> = steps
            .iter()
            .filter(|step| step["kind"] == "instance")
            .map(|step| step["path"].as_str().unwrap())
            .collect();
        let expected = format!("/Site/System/Event/EmsEvent/TROUBLE/{kind}");
        assert_eq!(instances, ["/Site/System/Process/Event", &expected]);
    }
}
