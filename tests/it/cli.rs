//! What a user sees of each command: one golden transcript each. `!` marks what went to standard error.

use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::process::Stdio;

use expect_test::expect;

use crate::support::project::Project;

/// A datastore with one class, and a provider.
const LAB: &str = r##"
//- automate/Site/__domain__.yaml
object_type: domain
version: 1.0
object:
  attributes: {name: Site, priority: 1, enabled: true}
//- automate/Site/Lab/__namespace__.yaml
object_type: namespace
version: 1.0
object:
  attributes: {name: Lab}
//- automate/Site/Lab/Box.class/__class__.yaml
object_type: class
version: 1.0
object:
  attributes: {name: Box}
  schema:
  - field: {aetype: attribute, name: color, datatype: string, priority: 1}
  - field: {aetype: assertion, name: guard, priority: 2}
  - field: {aetype: relationship, name: rel1, priority: 3}
  - field: {aetype: method, name: meth1, priority: 4}
//- automate/Site/Lab/Box.class/plain.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: plain}
  fields:
  - color:
      value: red
  - rel1:
      value: /Lab/Box/inner?size=${#color}
//- automate/Site/Lab/Box.class/inner.yaml
object_type: instance
version: 1.0
object:
  attributes: {name: inner}
  fields:
  - guard:
      value: "'${/#color}' == 'blue'"
  - meth1:
      value: paint
//- automate/Site/Lab/Box.class/__methods__/paint.yaml
object_type: method
version: 1.0
object:
  attributes: {name: paint, language: rhai, scope: instance, location: inline}
//- automate/Site/Lab/Box.class/__methods__/paint.rhai
evm.object.painted = true;
//- scripts/lab/event_parser.rhai
fn event_to_hash(event, ems_id) {
    if event.at("/name") == "ping" { return ignore("a heartbeat"); }
    #{ event_type: event.at("/name"), source: "LAB", ems_ref: event.at("/id") }
}
"##;

#[test]
fn check_shows_each_finding_with_its_line() {
    let project = Project::new(LAB);
    expect![[r#"
        $ switchboard check
        checked 8 files: 0 errors, 0 warnings
    "#]]
    .assert_eq(&project.run("check"));
    project.write(
        "automate/Site/Lab/Box.class/plain.yaml",
        "object_type: instance\nversion: 1.0\nobject:\n  attributes: {name: plain}\n  fields:\n  - colour:\n      value: red\n",
    );
    expect![[r#"
        $ switchboard check
        error[FieldNotFound]: the class has no field `colour`; the value is left out
         --> automate/Site/Lab/Box.class/plain.yaml:6:5
          |
        6 |   - colour:
          |     ^
          = help: did you mean `color`?

        checked 8 files: 1 error, 0 warnings
        exit Some(1)
    "#]]
    .assert_eq(&project.run("check"));
    expect![[r#"
        $ switchboard check --format json
        {"severity":"error","code":"FieldNotFound","file":"automate/Site/Lab/Box.class/plain.yaml","line":6,"column":5,"message":"the class has no field `colour`; the value is left out","help":"did you mean `color`?"}
        exit Some(1)
    "#]].assert_eq(&project.run("check --format json"));
    expect![[r#"
        $ switchboard check --automate nowhere
        ! error: cannot read the folder `nowhere`: No such file or directory (os error 2)
        !   help: name the folders with --automate DIR and --scripts DIR, or run this where they are
        exit Some(2)
    "#]]
    .assert_eq(&project.run("check --automate nowhere"));
}

#[test]
fn check_looks_at_the_settings_too() {
    let project = Project::new(LAB);
    project.write(
        "site/settings.yml",
        ":ems_refres:\n  :refresh_interval: 1.hours\n",
    );
    expect![[r#"
        $ switchboard check --config site/settings.yml
        warning[UnknownSetting]: unknown setting `ems_refres`
         --> site/settings.yml:1:1
          |
        1 | :ems_refres:
          | ^
          = help: did you mean `ems_refresh`?

        checked 8 files: 0 errors, 1 warning
    "#]]
    .assert_eq(&project.run("check --config site/settings.yml"));
    expect![[r#"
        $ switchboard check --config nowhere.yml
        ! error: there is no settings file `nowhere.yml`
        !   help: name it with --config FILE, or leave the option out
        exit Some(2)
    "#]]
    .assert_eq(&project.run("check --config nowhere.yml"));
}

#[test]
fn demo_says_what_it_takes_and_takes_nothing_else() {
    let project = Project::new(LAB);
    let lines = [
        "demo --help",
        "demo --database sqlite:mine.db",
        "demo --rate fast",
        "demo --vms 0",
        "demo",
    ];
    let told: String = lines.map(|line| project.run(line)).concat();
    let lines = told.lines().map(|line| format!("{}\n", line.trim_end()));
    let told: String = lines.collect();
    expect![[r#"
        $ switchboard demo --help
        `serve` beside a simulated AWESOME_CLOUD that changes by itself

        On a temporary database, which is removed at the end, with the rules, scripts and settings that `serve` would use. Prints where everything is, and three things to try. Ctrl-C ends it in order.

        Usage: switchboard demo [OPTIONS]

        Options:
              --config <FILE>
                  The settings of this site [default: config/settings.yml, where there is one]

              --listen <ADDRESS>
                  Where to listen; port 0 takes any free one [default: 127.0.0.1:3000, or a free port where that is taken]

              --automate <DIR>
                  A folder of domains; may repeat [default: automate]

              --cloud <ADDRESS>
                  Where the cloud listens [default: 127.0.0.1:8100, or a free port where that is taken]

              --rate <R>
                  How much happens in the cloud by itself, in changes a second

                  [default: 1]

              --scripts <DIR>
                  The folder of providers, actions and shared modules [default: scripts]

              --database <URL>
                  The database, sqlite:PATH [default: sqlite:switchboard.db]

              --vms <N>
                  How many VMs there are at the beginning

                  [default: 12]

              --log-format <FORMAT>
                  How log lines are written; RUST_LOG says how many

                  [default: text]

          -h, --help
                  Print help (see a summary with '-h')

        Examples:
          switchboard demo
          switchboard demo --rate 20 --vms 200
          switchboard demo --listen 127.0.0.1:4000 --cloud 127.0.0.1:0
        $ switchboard demo --database sqlite:mine.db
        ! error: `demo` works on a temporary database of its own
        !   help: leave --database out, or start `switchboard serve` on that database
        exit Some(2)
        $ switchboard demo --rate fast
        ! error: invalid value 'fast' for '--rate <R>': a number from 0 to 1000 is expected
        !
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard demo --vms 0
        ! error: invalid value '0' for '--vms <N>': 0 is not in 1..=65535
        !
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard demo
        ! error: there is no provider `awesome_cloud` under the scripts
        !   help: run this in the project's folder, or name the folders with --automate DIR and --scripts DIR
        exit Some(2)
    "#]].assert_eq(&told);
}

#[test]
fn simulate_draws_a_tree() {
    let project = Project::new(LAB);
    expect![[r#"
        $ switchboard simulate --uri /Lab/Box/plain
        uri     /Lab/Box/plain
          ✓ /Site/Lab/Box/plain  automate/Site/Lab/Box.class/plain.yaml:4
            ✓ color  red  automate/Site/Lab/Box.class/plain.yaml:6
            → rel1  /Lab/Box/inner?size=${#color} -> /Lab/Box/inner?size=red  (it was taken out again)  automate/Site/Lab/Box.class/plain.yaml:8
            ✓ /Site/Lab/Box/inner  automate/Site/Lab/Box.class/inner.yaml:4
              ✗ guard  '${/#color}' == 'blue' -> 'red' == 'blue'  (`'red' == 'blue'` is not true)  automate/Site/Lab/Box.class/inner.yaml:6
              … meth1  paint  automate/Site/Lab/Box.class/inner.yaml:8
        root    /Site/Lab/Box/plain
          color red

    "#]]
    .assert_eq(&project.run("simulate --uri /Lab/Box/plain"));
    expect![[r#"
        $ switchboard simulate --uri /Lab/Box/plain --workspace --format json
        {"ems_event":null,"uri":"/Lab/Box/plain","steps":[{"kind":"instance","path":"/Site/Lab/Box/plain","depth":0,"file":"automate/Site/Lab/Box.class/plain.yaml","line":4,"outcome":"ok"},{"kind":"attribute","path":"/Site/Lab/Box/plain","depth":0,"file":"automate/Site/Lab/Box.class/plain.yaml","line":6,"field":"color","written":"red","value":"red","outcome":"ok"},{"kind":"relationship","path":"/Site/Lab/Box/plain","depth":0,"file":"automate/Site/Lab/Box.class/plain.yaml","line":8,"field":"rel1","written":"/Lab/Box/inner?size=${#color}","value":"/Lab/Box/inner?size=red","outcome":"followed","why":"it was taken out again"},{"kind":"instance","path":"/Site/Lab/Box/inner","depth":1,"file":"automate/Site/Lab/Box.class/inner.yaml","line":4,"outcome":"ok"},{"kind":"assertion","path":"/Site/Lab/Box/inner","depth":1,"file":"automate/Site/Lab/Box.class/inner.yaml","line":6,"field":"guard","written":"'${/#color}' == 'blue'","value":"'red' == 'blue'","outcome":"failed","why":"`'red' == 'blue'` is not true"},{"kind":"method","path":"/Site/Lab/Box/inner","depth":1,"file":"automate/Site/Lab/Box.class/inner.yaml","line":8,"field":"meth1","written":"paint","outcome":"not_reached"}],"actions":[],"targets":[],"effects":[],"root":{"object":"/Site/Lab/Box/plain","instance":"plain","attributes":{"color":"red"}},"workspace":[{"object":"/Site/Lab/Box/plain","instance":"plain","attributes":{"color":"red"},"relationships":{"rel1":"/Site/Lab/Box/inner"},"children":[{"object":"/Site/Lab/Box/inner","instance":"inner","attributes":{},"relationships":{},"children":[],"deleted":true}]}],"retry":null,"errors":[]}
    "#]].assert_eq(&project.run("simulate --uri /Lab/Box/plain --workspace --format json"));
}

#[test]
fn simulate_takes_messages_of_a_provider() {
    let project = Project::shipped();
    let message = r#"{"id": "e-1", "event_name": "com.awesomecloud.vm.create", "time": "2026-03-01T12:00:00Z", "vm": {"id": "vm-1", "name": "web"}}"#;
    project.write("event.json", message);
    expect![[r#"
        $ switchboard simulate event.json --provider awesome_cloud
        event   com.awesomecloud.vm.create from AWESOME_CLOUD at 2026-03-01T12:00:00Z
                ems_ref e-1
                event_key e-1
                vm_ems_ref vm-1
                vm_name web
                vm_uid_ems vm-1
        uri     /System/Process/Event?event_type=com.awesomecloud.vm.create&object_name=Event&vmdb_object_type=event_stream
          ✓ /ManageIQ/System/Process/Event  automate/ManageIQ/System/Process.class/Event.yaml:9
            → rel5  /System/Event/${/#event_stream.event_namespace}/${/#event_stream.source}/${/#event_type} -> /System/Event/EmsEvent/AWESOME_CLOUD/com.awesomecloud.vm.create  automate/ManageIQ/System/Process.class/Event.yaml:11
            ✓ /ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD/com.awesomecloud.vm.create  automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.create.yaml:7
              → rel4  /System/event_handlers/refresh  automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.create.yaml:10
              ✓ /ManageIQ/System/event_handlers/refresh  automate/ManageIQ/System/event_handlers.class/refresh.yaml:6
                ✓ meth1  refresh  automate/ManageIQ/System/event_handlers.class/refresh.yaml:8
        actions
          refresh  ok  builtin, called by /System/event_handlers/refresh
        targets
          vms  ems_ref=vm-1
        root    /ManageIQ/System/Process/Event
          event_stream {"class":"EmsEvent","id":null}
          event_type com.awesomecloud.vm.create
          object_name Event
          vmdb_object_type event_stream

    "#]].assert_eq(&project.run("simulate event.json --provider awesome_cloud"));
    expect![[r#"
        $ switchboard simulate - --provider awesome_cloud
        fatal[ParseError] scripts/awesome_cloud/event_parser.rhai:12:9: the event has no `event_name`, expected a text such as com.awesomecloud.vm.create

    "#]].assert_eq(&project.run_with_input("simulate - --provider awesome_cloud", "{\"id\": 1}"));
    expect![[r#"
        $ switchboard simulate event.json --provider awesome_clod
        fatal[ParseError] there is no provider `awesome_clod`: no folder `awesome_clod` with an event_parser.rhai under the scripts; did you mean `awesome_cloud`?

    "#]].assert_eq(&project.run("simulate event.json --provider awesome_clod"));
}

#[test]
fn simulate_answers_wrong_usage_with_status_2() {
    let project = Project::new(LAB);
    let lines = [
        "simulate",
        "simulate event.json",
        "simulate event.json --provider lab",
        "simulate --source LAB",
        "simulate --source LAB --event-type x --event-class Event",
        "simulate --uri /Lab/Box/plain --automate nowhere",
        "simulate --uri /Lab/Box/plain --deliveries 0",
    ];
    let told: String = lines.map(|line| project.run(line)).concat();
    expect![[r#"
        $ switchboard simulate
        ! error: there is nothing to simulate
        !   help: name a file, or - for standard input, with --provider; or use --source with --event-type, --uri or --ndjson
        exit Some(2)
        $ switchboard simulate event.json
        ! error: nobody said whose message this is
        !   help: add --provider NAME, a folder under scripts/
        exit Some(2)
        $ switchboard simulate event.json --provider lab
        ! error: cannot read `event.json`
        !   because: No such file or directory (os error 2)
        exit Some(2)
        $ switchboard simulate --source LAB
        ! error: the following required arguments were not provided:
        !   --event-type <EVENT_TYPE>
        ! 
        ! Usage: switchboard simulate --source <SOURCE> --event-type <EVENT_TYPE> [EVENT]
        ! 
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard simulate --source LAB --event-type x --event-class Event
        ! error: invalid value 'Event' for '--event-class <CLASS>': `Event` is no event class; EmsEvent, MiqEvent, RequestEvent, CustomEvent or CustomButtonEvent is expected
        ! 
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard simulate --uri /Lab/Box/plain --automate nowhere
        ! error: cannot read the folder `nowhere`: No such file or directory (os error 2)
        !   help: name the folders with --automate DIR and --scripts DIR, or run this where they are
        exit Some(2)
        $ switchboard simulate --uri /Lab/Box/plain --deliveries 0
        ! error: invalid value '0' for '--deliveries <N>': 0 is not in 1..=4294967295
        ! 
        ! For more information, try '--help'.
        exit Some(2)
    "#]].assert_eq(&told);
}

#[test]
fn simulate_writes_each_answer_before_it_reads_the_next_line() {
    let project = Project::new(LAB);
    let mut command = project.command(&["simulate", "--ndjson"]);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut lines = BufReader::new(output).lines();
    let mut told = Vec::new();
    for line in [
        r#"{"uri": "/Lab/Box/inner?color=blue"}"#,
        "",
        "{\"uri\": ",
        r#"{"uri": "/Lab/Box/inner"}"#,
        r#"{"source": "LAB", "event_type": "x", "attributes": {"vm_ems_ref": "i-1"}}"#,
        r#"{"uri": "/Lab/Box/nothing"}"#,
    ] {
        writeln!(input, "{line}").unwrap();
        let answer: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let errors: Vec<&str> = answer["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|error| error["kind"].as_str().unwrap())
            .collect();
        told.push(format!(
            "{line} => {} {} {errors:?}",
            answer["uri"], answer["root"]["object"]
        ));
    }
    drop(input);
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    expect![[r#"
        {"uri": "/Lab/Box/inner?color=blue"} => "/Lab/Box/inner?color=blue" "/Site/Lab/Box/inner" ["AttributeNotFound"]
         => "" null ["InvalidInput"]
        {"uri":  => "" null ["InvalidInput"]
        {"uri": "/Lab/Box/inner"} => "/Lab/Box/inner" "/Site/Lab/Box/inner" ["AttributeNotFound"]
        {"source": "LAB", "event_type": "x", "attributes": {"vm_ems_ref": "i-1"}} => "/System/Process/Event?event_type=x&object_name=Event&vmdb_object_type=event_stream" null ["ClassNotFound"]
        {"uri": "/Lab/Box/nothing"} => "/Lab/Box/nothing" null ["ClassNotFound"]"#]].assert_eq(&told.join("\n"));
}

#[test]
fn simulate_tells_what_a_provider_ignores() {
    let project = Project::new(LAB);
    let messages = "{\"name\": \"ping\"}\n{\"name\": \"x\", \"id\": \"1\"}\n[]\n";
    let told = project.run_with_input("simulate --provider lab --ndjson", messages);
    let documents = told.lines().filter(|line| line.starts_with('{'));
    let told: Vec<String> = documents
        .map(|line| serde_json::from_str(line).unwrap())
        .map(|document: serde_json::Value| {
            format!(
                "{} {} {}",
                document["ems_event"], document["ignored"], document["errors"][0]["message"]
            )
        })
        .collect();
    expect![[r#"
        null "a heartbeat" null
        {"event_type":"x","source":"LAB","ems_ref":"1","timestamp":null,"event_key":"1","full_data":{"name":"x","id":"1"}} null "there is no class `/System/Process` in an enabled domain"
        null "there is no message in it" null"#]].assert_eq(&told.join("\n"));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let project = Project::new(LAB);
    let mut child = project
        .command(&["settings", "--defaults"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn managers_are_added_listed_and_removed() {
    let project = Project::new(LAB);
    let lines = [
        "ems list",
        "ems add box --type labb",
        "ems add box --type lab --credentials secret",
        "ems add box --type lab --credentials env:BOX",
        "ems add box --type lab",
        "ems add crate --type lab --url https://crate.example.com",
        "ems list",
        "ems disable crat",
        "ems disable crate",
        "ems list --format json",
        "ems enable crate",
        "ems remove crat",
        "ems remove crate",
        "ems list --format json",
        "ems list --database postgres://localhost/x",
    ];
    let told: String = lines.map(|line| project.run(line)).concat();
    expect![[r#"
        $ switchboard ems list
        ! error: there is no database `sqlite:switchboard.db`
        !   help: name it with --database sqlite:PATH; `switchboard serve` and `switchboard ems add` make one
        exit Some(2)
        $ switchboard ems add box --type labb
        ! error: there is no provider `labb` under the scripts
        !   help: did you mean `lab`?
        exit Some(2)
        $ switchboard ems add box --type lab --credentials secret
        ! error: invalid value 'secret' for '--credentials <WHERE>': env:VAR or file:PATH is expected, not the credentials themselves
        ! 
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard ems add box --type lab --credentials env:BOX
        added manager box of type lab
        $ switchboard ems add box --type lab
        ! error: there is a manager `box` already
        !   help: choose another name, or remove it first
        exit Some(2)
        $ switchboard ems add crate --type lab --url https://crate.example.com
        added manager crate of type lab
        $ switchboard ems list
        NAME   TYPE  ENABLED  LAG  REFUSED  URL                        CREDENTIALS  CATCHER  REFRESHED
        box    lab   yes      -    0        -                          env:BOX      -        -
        crate  lab   yes      -    0        https://crate.example.com  -            -        -
        $ switchboard ems disable crat
        ! error: there is no manager `crat`
        !   help: `switchboard ems list` names them
        exit Some(2)
        $ switchboard ems disable crate
        disabled manager crate
        $ switchboard ems list --format json
        {"id":1,"name":"box","type":"lab","url":null,"credentials":"env:BOX","enabled":true,"catcher":null,"last_refresh_date":null,"last_refresh_success_date":null,"last_full_refresh_date":null,"last_refresh_error":null,"is_full_queued":false,"today":{"received":0,"accepted":0,"duplicate":0,"filtered":0,"refused":0,"delivered":0,"dead":0,"discarded":0,"effects":0,"targets":0,"purged":0}}
        {"id":2,"name":"crate","type":"lab","url":"https://crate.example.com","credentials":null,"enabled":false,"catcher":null,"last_refresh_date":null,"last_refresh_success_date":null,"last_full_refresh_date":null,"last_refresh_error":null,"is_full_queued":false,"today":{"received":0,"accepted":0,"duplicate":0,"filtered":0,"refused":0,"delivered":0,"dead":0,"discarded":0,"effects":0,"targets":0,"purged":0}}
        $ switchboard ems enable crate
        enabled manager crate
        $ switchboard ems remove crat
        ! error: there is no manager `crat`
        !   help: `switchboard ems list` names them
        exit Some(2)
        $ switchboard ems remove crate
        removed manager crate
        $ switchboard ems list --format json
        {"id":1,"name":"box","type":"lab","url":null,"credentials":"env:BOX","enabled":true,"catcher":null,"last_refresh_date":null,"last_refresh_success_date":null,"last_full_refresh_date":null,"last_refresh_error":null,"is_full_queued":false,"today":{"received":0,"accepted":0,"duplicate":0,"filtered":0,"refused":0,"delivered":0,"dead":0,"discarded":0,"effects":0,"targets":0,"purged":0}}
        $ switchboard ems list --database postgres://localhost/x
        ! error: `postgres://localhost/x` is no database URL: this build has no PostgreSQL; write `sqlite:PATH`, for example `sqlite:switchboard.db`
        exit Some(2)
    "#]].assert_eq(&told);
}

#[test]
fn messages_that_cannot_be_parsed_wait_with_the_reason() {
    let project = Project::new(LAB);
    project.run("ems add box --type lab");
    let mut told = project.run_with_input(
        "event add --ems box",
        "{\"name\": \"x\", \"id\": \"1\"}\n[{\"id\": \"2\"}, {\"name\": \"ping\"}]",
    );
    project.write("cut.json", "{\"name\": \"y\"} {");
    told += &project.run("event add cut.json --ems box --format json");
    told += &project.run_with_input("event add --ems bax", "{}");
    for line in [
        "event add nowhere.json --ems box",
        "queue list",
        "queue list --state ded",
        "queue list --state dead --format json",
        "queue show 2",
        "queue show 9",
        "queue retry 2",
        "queue retry --all dead",
        "queue discard 2",
        "queue discard 2",
        "queue list",
        "event show 1",
    ] {
        told += &project.run(line);
    }
    expect![[r#"
        $ switchboard event add --ems box
        accepted 2, filtered 1, unparsed 1
        ! [time]  WARN switchboard::catcher::parse: Kept a message that could not be parsed. ems=box reason="scripts/lab/event_parser.rhai: `event_to_hash`: it returned no `event_type`; a text was expected" untold=0
        $ switchboard event add cut.json --ems box --format json
        ! error: document 2: EOF: a bracket is not closed at line 1 column 16
        !   help: nothing of it was taken
        exit Some(2)
        $ switchboard event add --ems bax
        ! error: there is no manager `bax`
        !   help: did you mean `box`?
        exit Some(2)
        $ switchboard event add nowhere.json --ems box
        ! error: cannot read `nowhere.json`
        !   because: No such file or directory (os error 2)
        exit Some(2)
        $ switchboard queue list
        ID  KIND      STATE  EMS  EVENT TYPE  ATTEMPTS  RECEIVED                  ERROR
        1   add       ready  box  x           0         [time]
        2   unparsed  dead   box  -           1         [time]  scripts/lab/event_parser.rhai: `event_to_hash`: it returned no `event_type`; a text was expected
        $ switchboard queue list --state ded
        ! error: invalid value 'ded' for '--state <STATE>': `ded` is no state of a message; ready, taken, waiting, parked or dead is expected
        ! 
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard queue list --state dead --format json
        {"id":2,"kind":"unparsed","state":"dead","ems":"box","event_type":null,"lane":null,"attempts":1,"due":null,"received_at":"[time]","error":"scripts/lab/event_parser.rhai: `event_to_hash`: it returned no `event_type`; a text was expected","generation":"[generation]"}
        $ switchboard queue show 2
        message 2 unparsed dead
                ems box
                attempts 1
                received_at [time]
                error scripts/lab/event_parser.rhai: `event_to_hash`: it returned no `event_type`; a text was expected
                generation [generation]
                full_data {"id": "2"}
        $ switchboard queue show 9
        ! error: there is no message `9`
        !   help: `switchboard queue list` names them
        exit Some(2)
        $ switchboard queue retry 2
        retrying message 2
        $ switchboard queue retry --all dead
        retrying 0 messages
        $ switchboard queue discard 2
        discarded message 2
        $ switchboard queue discard 2
        ! error: there is no message `2`
        !   help: `switchboard queue list` names them
        exit Some(2)
        $ switchboard queue list
        ID  KIND  STATE  EMS  EVENT TYPE  ATTEMPTS  RECEIVED                  ERROR
        1   add   ready  box  x           0         [time]
        $ switchboard event show 1
        ! error: there is no event `1`
        !   help: `switchboard event list` names them
        exit Some(2)
    "#]].assert_eq(&told);
}

#[test]
fn refreshes_are_asked_for_and_listed() {
    let project = Project::new(LAB);
    project.run("ems add box --type lab");
    let lines = [
        "refresh run box --target vms:i-1 --target key_pairs.name:deploy",
        "refresh run box --target vms",
        "refresh run bix",
        "refresh list",
        "refresh show 1",
        "refresh run box",
        "refresh list --state waiting --format json",
        "refresh show 7",
    ];
    let told: String = lines.map(|line| project.run(line)).concat();
    expect![[r#"
        $ switchboard refresh run box --target vms:i-1 --target key_pairs.name:deploy
        queued refresh 1 of box
        $ switchboard refresh run box --target vms
        ! error: invalid value 'vms' for '--target <ASSOCIATION:REF>': ASSOCIATION:REF is expected, such as vms:i-1
        ! 
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard refresh run bix
        ! error: there is no manager `bix`
        !   help: did you mean `box`?
        exit Some(2)
        $ switchboard refresh list
        ID  EMS  STATE    WHAT       EVENTS  REQUESTED                 ERROR
        1   box  waiting  2 targets  0       [time]
        $ switchboard refresh show 1
        refresh 1 of box, waiting
        targets
          key_pairs  name=deploy  asked for once
          vms  ems_ref=i-1  asked for once
        events
        $ switchboard refresh run box
        queued refresh 1 of box
        $ switchboard refresh list --state waiting --format json
        {"id":1,"ems":"box","state":"waiting","full":"asked for on the command line","targets":2,"events":0,"requested_at":"[time]","due":null,"started_at":null,"finished_at":null,"attempts":0,"error":null}
        $ switchboard refresh show 7
        ! error: there is no refresh `7`
        !   help: `switchboard refresh list` names them
        exit Some(2)
    "#]].assert_eq(&told);
}

#[test]
fn settings_are_printed_without_secrets() {
    let project = Project::new("");
    project.write("settings.yml", ":web:\n  :token: hush\n  :listen: 127.0.0.1:1\n");
    let told = project.run("settings --config settings.yml");
    let web: Vec<&str> = told.lines().skip_while(|line| *line != "web:").take(4).collect();
    expect![[r#"
        web:
          listen: 127.0.0.1:1
          token: '********'
          max_event_bytes: 1 MiB"#]]
    .assert_eq(&web.join("\n"));
    let defaults = project.run("settings --defaults");
    assert!(
        defaults.contains("# Every setting with its default."),
        "{defaults}"
    );
}

#[test]
fn messages_are_added_as_they_come_and_what_is_no_json_among_them_costs_itself_alone() {
    let project = Project::new(LAB);
    project.run("ems add box --type lab");
    let mut child = project
        .command(&["event", "add", "-", "--ems", "box", "--format", "json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let until_queued = |count: usize| {
        let end = std::time::Instant::now() + std::time::Duration::from_secs(60);
        loop {
            let told = project.run("queue list --format json");
            if count <= told.lines().filter(|line| line.starts_with("{\"id\"")).count() {
                return told;
            }
            assert!(std::time::Instant::now() < end, "{told}");
        }
    };
    for (count, line) in [
        (1, r#"{"name": "x", "id": "1"}"#),
        (2, r#"{"name": "x", "id": "cut"#),
        (4, r#"[{"name": "x", "id": "2"}, 7]"#),
        (5, r#"{"name": "x", "id": "3"}"#),
    ] {
        writeln!(input, "{line}").unwrap();
        // Each is there before the next one is written.
        until_queued(count);
    }
    let told = project.run("queue show 2");
    assert!(
        told.contains("is no JSON") && told.contains(r#"{"name": "x", "id": "cut"#),
        "{told}"
    );
    drop(input);
    let output = child.wait_with_output().unwrap();
    let counts = String::from_utf8(output.stdout).unwrap();
    assert_eq!(counts, "{\"accepted\":5,\"unparsed\":2}\n");
    assert_eq!(output.status.code(), Some(0));
}
