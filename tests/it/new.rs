//! `switchboard new`: what it writes passes `check`, works immediately, and takes the place of no file.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;

use expect_test::expect;
use serde_json::Value;
use serde_json::json;

use crate::demo::Demo;
use crate::support::project::Project;

const CLEAN: &str = "0 errors, 0 warnings";
const SUSPEND: &str =
    "automate/Local/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.suspend.yaml";

impl Project {
    /// Runs a command and gives what it printed and how it ended.
    fn tell(&self, arguments: &[&str]) -> (String, Option<i32>) {
        let output = self.output(arguments, "");
        let told = [output.stdout, output.stderr].concat();
        (String::from_utf8(told).unwrap(), output.status.code())
    }

    /// What would happen to an event.
    fn decision(&self, source: &str, event_type: &str, attributes: &Value) -> Value {
        let line =
            json!({ "source": source, "event_type": event_type, "attributes": attributes }).to_string();
        let output = self.output(&["simulate", "--ndjson"], &line);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }
}

/// The files that the steps of a decision are written in.
fn files(decision: &Value) -> Vec<&str> {
    let steps = decision["steps"].as_array().unwrap();
    steps.iter().filter_map(|step| step["file"].as_str()).collect()
}

#[test]
fn a_first_rule_is_one_command() {
    let project = Project::copied();
    let line = "new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain Local";
    expect![[r#"
        $ switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain Local
        made automate/Local/__domain__.yaml
        made automate/Local/System/__namespace__.yaml
        made automate/Local/System/Event/__namespace__.yaml
        made automate/Local/System/Event/EmsEvent/__namespace__.yaml
        made automate/Local/System/Event/EmsEvent/AWESOME_CLOUD.class/__class__.yaml
        made automate/Local/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.suspend.yaml
        the rule begins as a copy of automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.suspend.yaml
        try it: switchboard simulate --source AWESOME_CLOUD --event-type com.awesomecloud.vm.suspend
    "#]].assert_eq(&project.run(line));
    expect![[r#"
        ---
        # What is done when AWESOME_CLOUD reports `com.awesomecloud.vm.suspend`.
        # Fields run in the order of __class__.yaml, whatever their order here.
        # They begin as those of automate/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.suspend.yaml, whose place they take.
        object_type: instance
        version: 1.0
        object:
          attributes:
            name: com.awesomecloud.vm.suspend
          fields:
          # A condition: where it is not true, nothing else here runs. Take the # away from both lines.
          # - guard:
          #     value: event.vm_name == "production"
          - rel4:
              value: /System/event_handlers/refresh
    "#]].assert_eq(&project.text(SUSPEND));
    expect![[r#"
        ---
        # Rules of this site. Where two domains have an instance of the same path, the one with the
        # larger priority is used, whole. `enabled: false` takes everything in this domain out.
        object_type: domain
        version: 1.0
        object:
          attributes:
            name: Local
            description: Rules of this site
            priority: 10
            enabled: true
    "#]]
    .assert_eq(&project.text("automate/Local/__domain__.yaml"));
    assert!(project.run("check").contains(CLEAN), "{}", project.run("check"));
    let decision = project.decision("AWESOME_CLOUD", "com.awesomecloud.vm.suspend", &json!({}));
    assert!(files(&decision).contains(&SUSPEND), "{decision}");
    assert_eq!(decision["actions"][0]["method"], "refresh");
    // A second time there is nothing to make.
    expect![[r#"
        $ switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain Local
        ! error: the domain `Local` has a rule for this type already: automate/Local/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.suspend.yaml:9
        !   help: edit that file
        exit Some(2)
    "#]].assert_eq(&project.run(line));
    // The condition that it suggests is one.
    let text = project
        .text(SUSPEND)
        .replace("  # - ", "  - ")
        .replace("  #     ", "      ");
    project.write(SUSPEND, &text);
    assert!(project.run("check").contains(CLEAN), "{}", project.run("check"));
    for (vm, actions) in [("production", 1), ("staging", 0)] {
        let decision = project.decision(
            "AWESOME_CLOUD",
            "com.awesomecloud.vm.suspend",
            &json!({ "vm_name": vm }),
        );
        assert_eq!(
            decision["actions"].as_array().unwrap().len(),
            actions,
            "{decision}"
        );
    }
}

#[test]
fn a_condition_can_be_said_with_it() {
    let project = Project::copied();
    let rule = |guard: &str| {
        project.tell(&[
            "new",
            "handler",
            "com.awesomecloud.vm.create",
            "--source",
            "awesome_cloud",
            "--guard",
            guard,
        ])
    };
    let (told, code) = rule("event.vm_name = ");
    assert_eq!(code, Some(2), "{told}");
    assert!(told.contains("the rule would not be sound"), "{told}");
    assert!(!project.path("automate/Local").exists());
    let (told, code) = rule("event.full_data?.vm?.tags?.env == \"a: b #c\"");
    assert_eq!(code, Some(0), "{told}");
    assert!(project.run("check").contains(CLEAN));
    for (env, actions) in [("a: b #c", 1), ("test", 0)] {
        let attributes = json!({ "full_data": { "vm": { "tags": { "env": env } } } });
        let decision = project.decision("AWESOME_CLOUD", "com.awesomecloud.vm.create", &attributes);
        assert_eq!(
            decision["actions"].as_array().unwrap().len(),
            actions,
            "{decision}"
        );
    }
}

#[test]
fn an_event_type_may_have_any_characters() {
    let project = Project::copied();
    let types = [
        "com/awesome cloud/vm:created",
        "../../../../../escaped",
        "..",
        ".",
        ".hidden",
        "_missing",
        "__class__",
        "__methods__",
        "*",
        "vm.*",
        "a?b#c",
        "1.10",
        "0x1F",
        "true",
        "~",
        "!x",
        "& anchor",
        "größe漢字👍",
        "e\u{301}",
        "a\u{202e}b",
        "line\nfeed\ttab",
        "\u{feff}bom",
        "CON",
        "nul.started",
        "it's \"quoted\" \\ here",
        "${/#event_type}",
        "vm.test",
        "backup~",
        "%2E%2E",
        "-",
    ];
    for event_type in types {
        let (told, code) = project.tell(&["new", "handler", "--source", "AWESOME_CLOUD", "--", event_type]);
        assert_eq!(code, Some(0), "{event_type:?}: {told}");
        let mut made = told.lines().filter_map(|line| line.strip_prefix("made "));
        for path in made.clone() {
            assert!(path.starts_with("automate/Local/"), "{event_type:?}: {told}");
            assert!(project.path(path).is_file(), "{event_type:?}: {told}");
        }
        let rule = made.next_back().unwrap();
        let decision = project.decision("AWESOME_CLOUD", event_type, &json!({}));
        assert!(files(&decision).contains(&rule), "{event_type:?}: {decision}");
        assert_eq!(
            decision["actions"][0]["method"], "refresh",
            "{event_type:?}: {decision}"
        );
    }
    let checked = project.run("check");
    assert!(checked.contains(CLEAN), "{checked}");
    let long = "t".repeat(5_000);
    let (told, code) = project.tell(&["new", "handler", "--source", "AWESOME_CLOUD", &long]);
    assert_eq!(code, Some(0), "{told}");
    let decision = project.decision("AWESOME_CLOUD", &long, &json!({}));
    assert_eq!(decision["actions"][0]["method"], "refresh");
}

#[test]
fn what_it_cannot_do_it_says_and_leaves_all_as_it_was() {
    let project = Project::copied();
    let domain = |name: &str, priority: u32, enabled: bool| {
        let attributes = format!("{{name: {name}, priority: {priority}, enabled: {enabled}}}");
        let text = format!("object_type: domain\nversion: 1.0\nobject:\n  attributes: {attributes}\n");
        project.write(&format!("automate/{name}/__domain__.yaml"), &text);
    };
    domain("Off", 5, false);
    domain("High", 90, true);
    let rule = "new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD";
    assert!(project.run(&format!("{rule} --domain High")).contains("made "));
    domain("Low", 3, true);
    let told = [
        "new handler x --source AWESOME_CLUOD",
        "new handler x --source NOWHERE",
        &format!("{rule} --domain ManageIQ"),
        &format!("{rule} --domain off"),
        &format!("{rule} --domain Low"),
        &format!("{rule} --domain ../up"),
        &format!("{rule} --domain high"),
        "new domain high",
        "new domain con",
        "new provider amazon",
        "new provider lib",
        "new provider ../x",
        "new action refresh",
        "new action a/b",
        "new handler  --source AWESOME_CLOUD",
        "new",
    ];
    let told: String = told.map(|line| project.run(line)).concat();
    expect![[r#"
        $ switchboard new handler x --source AWESOME_CLUOD
        ! error: no class of events and no parser has the source `AWESOME_CLUOD`
        !   help: did you mean `AWESOME_CLOUD`? There are: AMAZON, AWESOME_CLOUD, EVM. A cloud of your own begins with `switchboard new provider NAME`
        exit Some(2)
        $ switchboard new handler x --source NOWHERE
        ! error: no class of events and no parser has the source `NOWHERE`
        !   help: There are: AMAZON, AWESOME_CLOUD, EVM. A cloud of your own begins with `switchboard new provider NAME`
        exit Some(2)
        $ switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain ManageIQ
        ! error: the domain `ManageIQ` is shipped with the program, which replaces it at an update
        !   help: name one of your own, as in --domain Local; its rules are used in place of those
        exit Some(2)
        $ switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain off
        ! error: the domain `Off` is not enabled, so nothing in it is used
        !   help: write `enabled: true` in automate/Off/__domain__.yaml, or name another domain
        exit Some(2)
        $ switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain Low
        ! error: the rule would never be used: /High/System/Event/EmsEvent/AWESOME_CLOUD/com.awesomecloud.vm.suspend is used, since its domain has a higher priority
        !   help: name that domain, or one above it
        exit Some(2)
        $ switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain ../up
        ! error: `../up` cannot be the name of a domain
        !   help: letters, digits, `_`, `-` and `.` make a name, which begins with a letter, a digit or one `_`
        exit Some(2)
        $ switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD --domain high
        ! error: the domain `High` has a rule for this type already: automate/High/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.suspend.yaml:9
        !   help: edit that file
        exit Some(2)
        $ switchboard new domain high
        ! error: there is a domain `High` already, in automate/High/__domain__.yaml
        !   help: choose another name
        exit Some(2)
        $ switchboard new domain con
        ! error: `con` cannot be the name of a domain
        !   help: letters, digits, `_`, `-` and `.` make a name, which begins with a letter, a digit or one `_`
        exit Some(2)
        $ switchboard new provider amazon
        ! error: there is a provider `amazon` already
        !   help: choose another name
        exit Some(2)
        $ switchboard new provider lib
        ! error: `lib` cannot be the name of a provider: the folder is for other scripts
        !   help: choose another name
        exit Some(2)
        $ switchboard new provider ../x
        ! error: `../x` cannot be the name of a provider
        !   help: letters, digits, `_`, `-` and `.` make a name, which begins with a letter, a digit or one `_`
        exit Some(2)
        $ switchboard new action refresh
        ! error: the action would never run: rules find something else at /System/event_handlers/refresh
        !   help: choose another name
        exit Some(2)
        $ switchboard new action a/b
        ! error: `a/b` cannot be the name of an action
        !   help: letters, digits, `_`, `-` and `.` make a name, which begins with a letter, a digit or one `_`
        exit Some(2)
        $ switchboard new handler  --source AWESOME_CLOUD
        ! error: the following required arguments were not provided:
        !   <EVENT_TYPE>
        ! 
        ! Usage: switchboard new handler --source <SOURCE> <EVENT_TYPE>
        ! 
        ! For more information, try '--help'.
        exit Some(2)
        $ switchboard new
        ! A commented, working start of a domain, a provider, a rule or an action
        ! 
        ! Usage: switchboard new [OPTIONS] <COMMAND>
        ! 
        ! Commands:
        !   domain    A domain above all that are there: its instances are used in place of theirs
        !   provider  The scripts of a cloud of your own, and the class of its events
        !   handler   A rule for one type of event, with the domain, namespaces and class that it needs
        !   action    A script that rules reach as /System/event_handlers/NAME
        ! 
        ! Options:
        !       --config <FILE>        The settings of this site [default: config/settings.yml, where there is one]
        !       --automate <DIR>       A folder of domains; may repeat [default: automate]
        !       --scripts <DIR>        The folder of providers, actions and shared modules [default: scripts]
        !       --database <URL>       The database, sqlite:PATH [default: sqlite:switchboard.db]
        !       --log-format <FORMAT>  How log lines are written; RUST_LOG says how many [default: text]
        !   -h, --help                 Print help (see more with '--help')
        ! 
        ! Examples:
        !   switchboard new handler com.awesomecloud.vm.suspend --source AWESOME_CLOUD
        !   switchboard new provider my_cloud
        exit Some(2)
    "#]].assert_eq(&told);
    for name in ["Low", "Off"] {
        let there: Vec<_> = fs::read_dir(project.path(&format!("automate/{name}")))
            .unwrap()
            .collect();
        assert_eq!(there.len(), 1, "{name}");
    }
    // A file that no rule is made of is left, too.
    project.write("automate/Local/__domain__.yaml", "object_type: domain\n");
    let told = project.run(rule);
    assert!(
        told.contains("`automate/Local/__domain__.yaml` already"),
        "{told}"
    );
    assert_eq!(
        project.text("automate/Local/__domain__.yaml"),
        "object_type: domain\n"
    );
}

#[test]
fn what_is_there_already_is_used() {
    let project = Project::copied();
    let namespace = "object_type: namespace\nversion: 1.0\nobject:\n  attributes: {name: system}\n";
    project.write("automate/Mine/system/__namespace__.yaml", namespace);
    project.write(
        "automate/Mine/__domain__.yaml",
        "object_type: domain\nversion: 1.0\nobject:\n  attributes: {name: Mine, priority: 7}\n",
    );
    let made = |line: &str| {
        let told = project.run(line);
        let made = told.lines().filter_map(|line| line.strip_prefix("made "));
        made.map(str::to_owned).collect::<Vec<String>>()
    };
    let class = "automate/Mine/system/Event/EmsEvent/AWESOME_CLOUD.class";
    assert_eq!(
        made("new handler com.awesomecloud.vm.create --source AWESOME_CLOUD --domain mine"),
        [
            "automate/Mine/system/Event/__namespace__.yaml".to_owned(),
            "automate/Mine/system/Event/EmsEvent/__namespace__.yaml".to_owned(),
            format!("{class}/__class__.yaml"),
            format!("{class}/com.awesomecloud.vm.create.yaml"),
        ]
    );
    // A class of one's own keeps its fields.
    let text = project.text(&format!("{class}/__class__.yaml"));
    let text = text
        .replace("name: guard,", "name: only_if,")
        .replace("name: rel4,", "name: go,");
    project.write(&format!("{class}/__class__.yaml"), &text);
    project.write(
        &format!("{class}/com.awesomecloud.vm.create.yaml"),
        "object_type: instance\nversion: 1.0\nobject:\n  attributes: {name: com.awesomecloud.vm.create}\n  fields: []\n",
    );
    let line = "new handler com.awesomecloud.vm.other --source AWESOME_CLOUD --domain Mine --guard true";
    assert_eq!(made(line), [format!("{class}/com.awesomecloud.vm.other.yaml")]);
    let text = project.text(&format!("{class}/com.awesomecloud.vm.other.yaml"));
    assert!(
        text.contains("  - only_if:\n      value: \"true\"\n  - rel1:\n"),
        "{text}"
    );
    assert!(project.run("check").contains(CLEAN), "{}", project.run("check"));
    assert_eq!(made("new domain Above"), ["automate/Above/__domain__.yaml"]);
    assert!(
        project
            .text("automate/Above/__domain__.yaml")
            .contains("priority: 10\n")
    );
    assert_eq!(made("new domain Top"), ["automate/Top/__domain__.yaml"]);
    assert!(
        project
            .text("automate/Top/__domain__.yaml")
            .contains("priority: 20\n")
    );
}

#[test]
fn folders_that_are_named_are_written_to() {
    let project = Project::copied();
    fs::rename(project.path("automate"), project.path("my rules")).unwrap();
    fs::rename(project.path("scripts"), project.path("code")).unwrap();
    let new = |arguments: &[&str]| {
        project.tell(
            &[
                &["new"],
                arguments,
                &["--automate", "my rules", "--scripts", "code"],
            ]
            .concat(),
        )
    };
    let (told, _code) = new(&[
        "handler",
        "com.awesomecloud.vm.create",
        "--source",
        "AWESOME_CLOUD",
    ]);
    expect![[r#"
        made my rules/Local/__domain__.yaml
        made my rules/Local/System/__namespace__.yaml
        made my rules/Local/System/Event/__namespace__.yaml
        made my rules/Local/System/Event/EmsEvent/__namespace__.yaml
        made my rules/Local/System/Event/EmsEvent/AWESOME_CLOUD.class/__class__.yaml
        made my rules/Local/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.create.yaml
        the rule begins as a copy of my rules/ManageIQ/System/Event/EmsEvent/AWESOME_CLOUD.class/com.awesomecloud.vm.create.yaml
        try it: switchboard simulate --source AWESOME_CLOUD --event-type com.awesomecloud.vm.create --automate 'my rules' --scripts code
    "#]].assert_eq(&told);
    let (told, _code) = new(&["provider", "box"]);
    expect![[r#"
        made code/box/event_parser.rhai
        made code/box/event_target_parser.rhai
        made code/box/stream.rhai
        made code/box/inventory_collector.rhai
        made my rules/Local/System/Event/EmsEvent/BOX.class/__class__.yaml
        made my rules/Local/System/Event/EmsEvent/BOX.class/_missing.yaml
        next: switchboard ems add NAME --type box --url URL
    "#]]
    .assert_eq(&told);
    let (told, _code) = new(&["action", "page"]);
    expect![[r#"
        made code/actions/page.rhai
        try it: switchboard simulate --uri '/System/event_handlers/page?note=seen' --automate 'my rules' --scripts code
    "#]].assert_eq(&told);
}

#[test]
fn a_provider_begins_with_scripts_that_work() {
    let project = Project::copied();
    expect![[r#"
        $ switchboard new provider my_cloud
        made scripts/my_cloud/event_parser.rhai
        made scripts/my_cloud/event_target_parser.rhai
        made scripts/my_cloud/stream.rhai
        made scripts/my_cloud/inventory_collector.rhai
        made automate/Local/__domain__.yaml
        made automate/Local/System/__namespace__.yaml
        made automate/Local/System/Event/__namespace__.yaml
        made automate/Local/System/Event/EmsEvent/__namespace__.yaml
        made automate/Local/System/Event/EmsEvent/MY_CLOUD.class/__class__.yaml
        made automate/Local/System/Event/EmsEvent/MY_CLOUD.class/_missing.yaml
        next: switchboard ems add NAME --type my_cloud --url URL
    "#]]
    .assert_eq(&project.run("new provider my_cloud"));
    assert!(project.run("check").contains(CLEAN), "{}", project.run("check"));
    let message = json!({
        "id": "e-1", "event_name": "com.mine.vm.create", "time": "2026-03-01T12:00:00Z",
        "vm": { "id": "vm-1", "name": "web" },
    });
    let simulate = || {
        let line = "simulate - --provider my_cloud --format json";
        let output = project.output(&line.split(' ').collect::<Vec<_>>(), &message.to_string());
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let decision = simulate();
    assert_eq!(decision["ems_event"]["source"], "MY_CLOUD");
    assert_eq!(decision["errors"], json!([]));
    // The first rule for it is the next command.
    let told = project.run("new handler com.mine.vm.create --source my_cloud");
    assert!(told.contains("com.mine.vm.create.yaml\n"), "{told}");
    assert!(project.run("check").contains(CLEAN), "{}", project.run("check"));
    let decision = simulate();
    assert_eq!(
        decision["targets"],
        json!([{ "association": "vms", "manager_ref": { "ems_ref": "vm-1" } }]),
        "{decision}"
    );
}

/// It is polled, its events are kept, and what they are about is read.
#[test]
fn a_provider_works_with_the_cloud_beside_the_demo() {
    let demo = Demo::of(
        Project::copied(),
        &["--rate", "0", "--listen", "127.0.0.1:0", "--cloud", "127.0.0.1:0"],
    );
    let cloud = demo.place("the cloud");
    demo.shell("switchboard new provider my_cloud");
    demo.shell("switchboard new handler com.awesomecloud.vm.create --source MY_CLOUD");
    demo.until("the provider is in use", || {
        let rules = demo.get("/api/automate");
        rules
            .contains("/Local/System/Event/EmsEvent/MY_CLOUD/com.awesomecloud.vm.create")
            .then_some(())
    });
    demo.shell(&format!("switchboard ems add mine --type my_cloud --url {cloud}"));
    demo.until("everything is read", || {
        let refreshes = demo.shell("switchboard refresh list --ems mine --state done --format json");
        refreshes
            .contains("\"full\":\"nothing of this manager was ever read\"")
            .then_some(())
    });
    demo.shell(&format!(
        "curl -s {cloud}/commands -H 'Content-Type: application/json' -d '{{\"do\": \"create\", \"name\": \"mine-1\"}}'"
    ));
    demo.until("its event is there", || {
        let events = demo.shell("switchboard event list --ems mine --format json");
        events.contains("\"vm_name\":\"mine-1\"").then_some(())
    });
    demo.until("it is read", || {
        let vms = demo.get("/api/inventory/vms?ems=mine&limit=1000");
        vms.contains("\"name\":\"mine-1\"").then_some(())
    });
}

#[test]
fn an_action_begins_with_a_script_that_rules_reach() {
    let project = Project::copied();
    expect![[r#"
        $ switchboard new action tell_operators
        made scripts/actions/tell_operators.rhai
        try it: switchboard simulate --uri '/System/event_handlers/tell_operators?note=seen'
    "#]]
    .assert_eq(&project.run("new action tell_operators"));
    assert!(project.run("check").contains(CLEAN), "{}", project.run("check"));
    let told = project.run("simulate --uri /System/event_handlers/tell_operators?note=seen");
    assert!(told.contains("tell_operators  ok"), "{told}");
    // What it suggests is sound, too.
    let text = project
        .text("scripts/actions/tell_operators.rhai")
        .replace("// evm.deliver", "evm.deliver");
    project.write("scripts/actions/tell_operators.rhai", &text);
    assert!(project.run("check").contains(CLEAN), "{}", project.run("check"));
    let told = project.run("simulate --uri /System/event_handlers/tell_operators");
    assert!(told.contains("tell_operators  ok"), "{told}");
}
