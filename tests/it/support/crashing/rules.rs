//! The rules of the crash tests: one kind of event for each thing that an event can cause.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::LazyLock;
use std::time::Duration;

use switchboard::source::Root;
use switchboard::source::RootKind;
use switchboard::source::SourceTree;
use switchboard::switchboard::Limits;
use switchboard::switchboard::Switchboard;

use crate::support::project::Project;

/// The event types that senders choose from, one after another.
pub(crate) const TYPES: [&str; 6] = ["create", "slow", "deliver", "again", "whole", "create"];

const SETTINGS: &str = "\
ems:
  ems_awesome_cloud:
    blacklisted_event_names: [com.awesomecloud.noise]
workers:
  worker_base:
    event_catcher:
      defaults:
        flooding_monitor_enabled: false
      event_catcher_awesome_cloud:
        poll: 20ms
    event_handler:
      threads: 2
      batch: 8
# A busy machine decides nothing.
script:
  max_time: 60s
";

const SITE: &str = r#"
//- site/Site/__domain__.yaml
object_type: domain
version: 1.0
object:
  attributes: {name: Site, priority: 9, enabled: true}
//- site/Site/System/__namespace__.yaml
object_type: namespace
version: 1.0
object:
  attributes: {name: System}
//- site/Site/System/Event/__namespace__.yaml
object_type: namespace
version: 1.0
object:
  attributes: {name: Event}
//- site/Site/System/Event/EmsEvent/__namespace__.yaml
object_type: namespace
version: 1.0
object:
  attributes: {name: EmsEvent}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/__class__.yaml
object_type: class
version: 1.0
object:
  attributes: {name: AWESOME_CLOUD}
  schema:
  - field: {aetype: relationship, name: rel1, datatype: string, priority: 1, message: create}
  - field: {aetype: method, name: meth1, datatype: string, priority: 2, message: create}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.create.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: com.awesomecloud.create}
  fields:
  - rel1: {value: /System/event_handlers/refresh}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.whole.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: com.awesomecloud.whole}
  fields:
  - rel1: {value: "/System/event_handlers/event_action_refresh?target=ems"}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.slow.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: com.awesomecloud.slow}
  fields:
  - rel1: {value: /System/event_handlers/refresh}
  - meth1: {value: slow}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.deliver.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: com.awesomecloud.deliver}
  fields:
  - meth1: {value: deliver}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.again.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: com.awesomecloud.again}
  fields:
  - rel1: {value: /System/Flow/flow}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/__methods__/slow.yaml
object_type: method
version: 1.0
object:
  attributes: {name: slow, language: rhai, location: inline}
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/__methods__/slow.rhai
let sum = 0;
for number in 0..2000 { sum += number; }
//- site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/__methods__/deliver.yaml
object_type: method
version: 1.0
object:
  attributes: {name: deliver, language: rhai, location: inline}
//- site/Site/System/Flow.class/__class__.yaml
object_type: class
version: 1.0
object:
  attributes: {name: Flow}
  schema:
  - field: {aetype: state, name: wait, datatype: string, priority: 1, message: create, max_retries: "100"}
//- site/Site/System/Flow.class/flow.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: flow}
  fields:
  - wait: {value: "METHOD::wait"}
//- site/Site/System/Flow.class/__methods__/wait.yaml
object_type: method
version: 1.0
object:
  attributes: {name: wait, language: rhai, location: inline}
//- site/Site/System/Flow.class/__methods__/wait.rhai
if !evm.state_var_exists("asked") {
    evm.set_state_var("asked", true);
    evm.root.ae_result = "retry";
    evm.root.ae_retry_interval = "0.05.seconds";
} else {
    evm.deliver(#{ log: "went on" });
}
"#;

/// A project with these rules.
pub(crate) fn project() -> Project {
    let project = Project::shipped();
    for part in SITE.split("//- ").skip(1) {
        let (path, text) = part.split_once('\n').unwrap();
        project.write(path, text);
    }
    project.write("config/settings.yml", SETTINGS);
    change(&project, 0);
    project
}

/// Changes the rules: an even number brings one set, an odd one the other.
pub(crate) fn change(project: &Project, number: usize) {
    let set = ["even", "odd"][number % 2];
    // Replaced as editors do it, so that there is never half a file.
    project.write("rules.new", &format!("evm.deliver(#{{ log: \"{set}\" }});\n"));
    let method = "site/Site/System/Event/EmsEvent/AWESOME_CLOUD.class/__methods__/deliver.rhai";
    std::fs::rename(project.path("rules.new"), project.path(method)).unwrap();
}

/// Both sets, by their ids.
pub(crate) fn sets() -> &'static BTreeMap<u128, Arc<Switchboard>> {
    static SETS: LazyLock<BTreeMap<u128, Arc<Switchboard>>> = LazyLock::new(|| {
        let project = project();
        let roots = [
            (RootKind::Automate, "automate"),
            (RootKind::Automate, "site"),
            (RootKind::Scripts, "scripts"),
        ];
        let roots = roots.map(|(kind, name)| Root {
            kind,
            folder: project.path(name),
            required: true,
        });
        let load = |number| {
            change(&project, number);
            let limits = Limits {
                max_time: Duration::from_secs(60),
                ..Limits::default()
            };
            let loaded = Switchboard::load_within(&SourceTree::from_disk(&roots).unwrap(), None, &limits);
            assert!(loaded.diagnostics.is_empty(), "{:?}", loaded.diagnostics);
            (loaded.switchboard.id().0, Arc::new(loaded.switchboard))
        };
        BTreeMap::from([load(0), load(1)])
    });
    &SETS
}
