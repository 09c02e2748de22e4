//! What each instance is counted by, and which instances there are: the figures of the rules page.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::expect;
use switchboard::model::clock::Timestamp;
use switchboard::model::event::EmsEvent;
use switchboard::model::event::EventClass;
use switchboard::model::event::EventHash;
use switchboard::model::event::FullData;
use switchboard::source::SourceTree;
use switchboard::switchboard::Switchboard;

/// Two domains: `Site` covers one of two instances of `Base`, whose `.missing` stands in for the rest.
pub(crate) const RULES: &str = "//- automate/Base/__domain__.yaml
object: {attributes: {name: Base, priority: 1}}
//- automate/Base/System/__namespace__.yaml
object: {attributes: {name: System}}
//- automate/Base/System/Process.class/__class__.yaml
object:
  attributes: {name: Process}
  schema:
  - field: {name: to, aetype: relationship, priority: 1}
//- automate/Base/System/Process.class/Event.yaml
object:
  attributes: {name: Event, description: Where every event begins}
  fields:
  - to: {value: \"/System/Ticks/${/#event_type}\"}
//- automate/Base/System/Ticks.class/__class__.yaml
object:
  attributes: {name: Ticks}
  schema:
  - field: {name: guard, aetype: assertion, priority: 1}
  - field: {name: run, aetype: method, priority: 2}
  - field: {name: to, aetype: relationship, priority: 3}
//- automate/Base/System/Ticks.class/tick.yaml
object: {attributes: {name: tick}, fields: [{run: {value: busy}}]}
//- automate/Base/System/Ticks.class/tock.yaml
object: {attributes: {name: tock}, fields: [{guard: {value: '1 == 2'}}]}
//- automate/Base/System/Ticks.class/deep.yaml
object: {attributes: {name: deep}, fields: [{to: {value: /System/Ticks/broken}}]}
//- automate/Base/System/Ticks.class/broken.yaml
object: {attributes: {name: broken}, fields: [{run: {value: endless}}]}
//- automate/Base/System/Ticks.class/_missing.yaml
object: {attributes: {name: .missing}}
//- automate/Site/__domain__.yaml
object: {attributes: {name: Site, priority: 5}}
//- automate/Site/System/__namespace__.yaml
object: {attributes: {name: System}}
//- automate/Site/System/Ticks.class/__class__.yaml
object:
  attributes: {name: Ticks}
  schema:
  - field: {name: run, aetype: method, priority: 1}
//- automate/Site/System/Ticks.class/Tick.yaml
object: {attributes: {name: Tick}, fields: [{run: {value: busy}}]}
//- scripts/actions/busy.rhai
let n = 0; while n < 50000 { n += 1; }
//- scripts/actions/endless.rhai
while true { }
";

fn event(event_type: &str) -> Arc<EmsEvent> {
    let hash = EventHash {
        event_type: Arc::from(event_type),
        source: Arc::from("TICKS"),
        event_key: None,
        ems_ref: None,
        timestamp: None,
        attributes: BTreeMap::new(),
        full_data: FullData::new("{}"),
    };
    Arc::new(EmsEvent {
        id: None,
        class: EventClass::EmsEvent,
        ems: None,
        hash,
        links: Default::default(),
        received_at: Timestamp::UNIX_EPOCH,
    })
}

#[test]
fn a_decision_says_which_instances_it_built_and_what_became_of_them() {
    let rules = Switchboard::load(&SourceTree::from_fixture(RULES), None).switchboard;
    let fired = |event_type| {
        let delivery = rules.deliver(&event(event_type));
        let line = |fired: &switchboard::model::fired::Fired| {
            // How many operations a loop takes is rhai's business.
            format!("{} {:?} {}", fired.instance, fired.end, fired.budget / 50 * 50)
        };
        delivery.fired.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
    };
    expect![[r#"
        /Site/System/Ticks/Tick Ran 300
        /Base/System/Process/Event Ran 0
    "#]]
    .assert_eq(&fired("TICK"));
    expect![[r#"
        /Base/System/Ticks/tock Stopped 0
        /Base/System/Process/Event Ran 0
    "#]]
    .assert_eq(&fired("tock"));
    // The error counts where it arose, and not again on its way up.
    expect![[r#"
        /Base/System/Ticks/broken Failed 1000
        /Base/System/Ticks/deep Ran 0
        /Base/System/Process/Event Ran 0
    "#]]
    .assert_eq(&fired("deep"));
    expect![[r#"
        /Base/System/Ticks/.missing Ran 0
        /Base/System/Process/Event Ran 0
    "#]]
    .assert_eq(&fired("unheard of"));
}

#[test]
fn the_tree_names_every_instance_and_which_covers_which() {
    let rules = Switchboard::load(&SourceTree::from_fixture(RULES), None).switchboard;
    let tree = rules.rule_tree();
    let domains: Vec<String> = tree
        .domains
        .iter()
        .map(|domain| format!("{} {} {}", domain.name, domain.priority, domain.instances))
        .collect();
    assert_eq!(domains, ["Site 5 1", "Base 1 6"]);
    let line = |one: &switchboard::model::rule_tree::RuleInstance| {
        let said = [
            ("covers", &one.covers),
            ("covered by", &one.covered_by),
            ("says", &one.description),
        ];
        let said: String = said
            .iter()
            .filter_map(|(word, text)| Some(format!(" {word} {}", text.as_deref()?)))
            .collect();
        format!(
            "{}:{} {} in {}{said}\n",
            one.file,
            one.line,
            one.name,
            one.folder()
        )
    };
    let lines: String = tree.instances.iter().map(line).collect();
    expect![[r#"
        automate/Site/System/Ticks.class/Tick.yaml:1 Tick in System/Ticks covers /Base/System/Ticks/tick
        automate/Base/System/Process.class/Event.yaml:2 Event in System/Process says Where every event begins
        automate/Base/System/Ticks.class/_missing.yaml:1 .missing in System/Ticks
        automate/Base/System/Ticks.class/broken.yaml:1 broken in System/Ticks
        automate/Base/System/Ticks.class/deep.yaml:1 deep in System/Ticks
        automate/Base/System/Ticks.class/tick.yaml:1 tick in System/Ticks covered by /Site/System/Ticks/Tick
        automate/Base/System/Ticks.class/tock.yaml:1 tock in System/Ticks
    "#]]
    .assert_eq(&lines);
}
