//! The settings: what a file and the environment make of the defaults, and how everything wrong is told.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use switchboard::model::event_group::EventLevel;
use switchboard::settings::Environment;
use switchboard::settings::Settings;
use switchboard::source::Diagnostic;
use switchboard::source::Severity;

fn parse_with(text: &str, variables: &[(&str, &str)]) -> (Settings, Vec<Diagnostic>) {
    let file: Arc<str> = "config/settings.yml".into();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: Environment = variables.iter().map(owned).collect();
    Settings::parse(&file, text, &environment)
}

/// The settings of a text in which nothing is wrong.
fn parse(text: &str) -> Settings {
    let (settings, findings) = parse_with(text, &[]);
    assert_eq!(findings, [], "{text}");
    settings
}

fn lines(findings: &[Diagnostic]) -> Vec<String> {
    let line = |finding: &Diagnostic| match finding.help.as_str() {
        "" => finding.to_string(),
        help => format!("{finding} | {help}"),
    };
    findings.iter().map(line).collect()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn every_setting_has_a_default_that_is_right() {
    let settings = parse("");
    assert_eq!(settings.poll("vmware"), SECOND);
    assert_eq!(settings.poll("amazon"), 15 * SECOND);
    assert_eq!(settings.refresh_interval("amazon"), Some(24 * 3600 * SECOND));
    assert_eq!(settings.refresh_gather.full_refresh_threshold, 100);
    assert_eq!(settings.web.listen.to_string(), "127.0.0.1:3000");
    assert_eq!(settings.web.token, None);
    assert_eq!(
        (settings.web.max_event_bytes, settings.web.max_batch_bytes),
        (1 << 20, 8 << 20)
    );
    assert_eq!(settings.reload.gather, Duration::from_millis(30));
    assert_eq!(settings.history.keep_events, 6 * 2_629_746 * SECOND);
    assert_eq!(settings.history.keep_rows, None);
    assert!(settings.handler.threads > 0 && settings.handler.batch > 0);
    assert!(settings.catcher("amazon").flooding_monitor_enabled);
    assert_eq!(settings.catcher("anything").flooding_events_per_minute, 30);
    assert!(settings.refresh("x").allow_targeted_refresh && !settings.refresh("x").streaming_refresh);
    let script = &settings.script;
    assert_eq!((script.max_operations, script.max_time), (1_000_000, 2 * SECOND));
    assert_eq!(settings.task_final_events().len(), 28);
    assert_eq!(
        settings.task_final_events()["VmPoweredOnEvent"],
        ["PowerOnVM_Task", "ResetVM_Task"]
    );
    assert!(
        settings
            .blacklist("amazon")
            .matched("ConfigurationSnapshotDeliveryFailed")
            .is_some()
    );
    assert!(settings.blacklist("vmware").is_empty());
}

#[test]
fn the_printed_defaults_are_a_settings_file_without_findings() {
    let settings = parse(Settings::default_text());
    assert_eq!(settings.poll("amazon"), Settings::default().poll("amazon"));
}

#[test]
fn the_core_groups_are_those_of_the_reference() {
    let settings = Settings::default();
    let counted: Vec<(&str, &str, usize, usize)> = settings
        .event_groups()
        .groups()
        .iter()
        .map(|group| {
            let at = |level| group.entries.iter().filter(|(entry, _)| *entry == level).count();
            (
                &*group.key,
                group.name.as_str(),
                at(EventLevel::Critical),
                at(EventLevel::Detail),
            )
        })
        .collect();
    let expected = [
        ("addition", "Creation/Addition", 37, 16),
        ("configuration", "Configuration/Reconfiguration", 34, 12),
        ("console", "Console Activity", 6, 0),
        ("deletion", "Deletion/Removal", 18, 10),
        ("general", "General Activity", 128, 0),
        ("import_export", "Import/Export", 29, 0),
        ("migration", "Migration/Vmotion", 26, 8),
        ("network", "Network", 49, 0),
        ("power", "Power Activity", 64, 14),
        ("snapshot", "Snapshot Activity", 20, 0),
        ("status", "Alarm/Status Change/Errors", 34, 13),
        ("storage", "Storage", 38, 0),
        ("update", "Update", 0, 0),
    ];
    assert_eq!(counted, expected);
}

#[test]
fn the_guides_own_text_is_understood_with_and_without_colons() {
    let guide = "\
:ems:
  :ems_awesome_cloud:
    :blacklisted_event_names: []
    :event_handling:
      :event_groups: {} # Add your event names under the appropriate groups here

:workers:
  :worker_base:
    :event_catcher:
      :event_catcher_awesome_cloud:
        :poll: 7.seconds
:ems_refresh:
  :awesome_cloud:
    :refresh_interval: 12.hours
";
    let plain = guide
        .replace(" :", " ")
        .replace("\n:", "\n")
        .trim_start_matches(':')
        .to_owned();
    for text in [guide, &plain, &format!("---\n{guide}")] {
        let settings = parse(text);
        assert_eq!(settings.poll("awesome_cloud"), 7 * SECOND);
        assert_eq!(
            settings.refresh_interval("awesome_cloud"),
            Some(12 * 3600 * SECOND)
        );
        assert_eq!(settings.refresh_interval("amazon"), Some(24 * 3600 * SECOND));
    }
}

#[test]
fn what_a_file_says_stands_in_place_of_the_default_and_for_one_type_of_that_for_all() {
    let settings = parse(
        "
ems_refresh:
  refresh_interval: 0
  full_refresh_threshold: 10
  amazon: {refresh_interval: 90s, allow_targeted_refresh: false}
  awesome_cloud:
workers:
  worker_base:
    event_catcher:
      defaults: {poll: 500ms, flooding_monitor_enabled: false}
      event_catcher_new: {flooding_events_per_minute: 5}
    event_handler: {threads: 3}
event_streams: {history: {keep_events: 0, keep_rows: 1_000_000}}
ems:
  ems_amazon:
    blacklisted_event_names: [Mine]
",
    );
    assert_eq!(settings.refresh_interval("other"), None);
    assert_eq!(settings.refresh_interval("amazon"), Some(90 * SECOND));
    assert!(!settings.refresh("amazon").allow_targeted_refresh);
    assert_eq!(settings.refresh_gather.full_refresh_threshold, 10);
    assert_eq!(settings.poll("anything"), SECOND / 2);
    assert_eq!(
        settings.poll("awesome_cloud"),
        15 * SECOND,
        "the shipped setting for one type"
    );
    let new = settings.catcher("new");
    assert_eq!(
        (new.flooding_monitor_enabled, new.flooding_events_per_minute),
        (false, 5)
    );
    assert_eq!(settings.handler.threads, 3);
    assert_eq!(settings.history.keep_events, 6 * 2_629_746 * SECOND);
    assert_eq!(settings.history.keep_rows, Some(1_000_000));
    let blacklist = settings.blacklist("amazon");
    assert_eq!(blacklist.matched("Mine"), Some("Mine"));
    assert_eq!(blacklist.matched("ConfigurationSnapshotDeliveryFailed"), None);
}

#[test]
fn event_groups_are_joined_and_the_first_definition_wins() {
    let settings = parse(
        "
event_handling:
  event_groups:
    power:
      critical: [site.power]
ems:
  ems_one:
    event_handling:
      event_groups:
        power:
          detail: [one.power, VmPoweredOnEvent]
          critical: ['/^one\\.power\\./']
        addition:
          critical: [twice]
        devices:
          name: Devices
          warning: [one.device]
  ems_two:
    event_handling:
      event_groups:
        devices:
          detail: [one.device, two.device]
        storage:
          critical: [twice]
",
    );
    let groups = settings.event_groups();
    for (event_type, expected) in [
        ("site.power", ("power", EventLevel::Critical)),
        ("one.power", ("power", EventLevel::Detail)),
        ("one.power.off", ("power", EventLevel::Critical)),
        ("VmPoweredOnEvent", ("power", EventLevel::Critical)),
        ("twice", ("addition", EventLevel::Critical)),
        ("one.device", ("devices", EventLevel::Warning)),
        ("two.device", ("devices", EventLevel::Detail)),
        ("unheard.of", ("other", EventLevel::Detail)),
    ] {
        let found = groups.classify(event_type);
        assert_eq!((&*found.group, found.level), expected, "{event_type}");
    }
    let last = groups.groups().last().unwrap();
    assert_eq!((&*last.key, last.name.as_str()), ("devices", "Devices"));
    assert_eq!(groups.groups().len(), 14);
}

#[test]
fn everything_wrong_is_told_with_its_place_and_the_default_counts() {
    let (settings, findings) = parse_with(
        "\
:ems_refres:
  :awesome_cloud:
    :refresh_interval: 12.hours
web:
  listen: nowhere
  max_event_bytes: 3 parsecs
  tokn: x
  max_connections: 0
reload:
  gather: 2s
workers:
  worker_base:
    event_catcher:
      event_catcher_amazon:
        poll: soon
    event_handler: fast
ems:
  ems_amazon:
    blacklisted_event_names:
    - Fine
    - /(/
    - [nested]
    event_handling:
      event_groups:
        power:
          critcal: [x]
          critical: oops
ems_refresh:
  allow_targeted_refresh: maybe
event_streams:
  history:
    keep_rows: -1
",
        &[],
    );
    let default = "the default is used instead; `default.yml` shows every setting";
    let expected = [
        "21:7: error[WrongSetting]: `ems.ems_amazon.blacklisted_event_names[1]` is `/(/`; expected a regular expression (unclosed group)",
        "22:7: error[WrongSetting]: `ems.ems_amazon.blacklisted_event_names[2]` is a list; expected a text",
        "27:21: error[WrongSetting]: `ems.ems_amazon.event_handling.event_groups.power.critical` is `oops`; expected a list",
        "26:11: warning[UnknownSetting]: unknown setting `ems.ems_amazon.event_handling.event_groups.power.critcal`",
        "15:15: error[WrongSetting]: `workers.worker_base.event_catcher.event_catcher_amazon.poll` is `soon`; expected a duration such as `15.seconds`, `24h` or `500ms`",
        "16:20: error[WrongSetting]: `workers.worker_base.event_handler` is `fast`; expected a mapping",
        "32:16: error[WrongSetting]: `event_streams.history.keep_rows` is `-1`; expected a whole number from 0",
        "29:27: error[WrongSetting]: `ems_refresh.allow_targeted_refresh` is `maybe`; expected `true` or `false`",
        "5:11: error[WrongSetting]: `web.listen` is `nowhere`; expected an address with a port such as `127.0.0.1:3000`",
        "6:20: error[WrongSetting]: `web.max_event_bytes` is `3 parsecs`; expected a size such as `1 MiB` or `64 KiB`",
        "8:20: error[WrongSetting]: `web.max_connections` is `0`; expected a whole number from 1",
        "7:3: warning[UnknownSetting]: unknown setting `web.tokn`",
        "10:11: error[WrongSetting]: `reload.gather` is `2s`; expected a duration up to 50ms",
        "1:1: warning[UnknownSetting]: unknown setting `ems_refres`",
    ];
    let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
    let expected: Vec<String> = expected
        .iter()
        .map(|line| format!("config/settings.yml:{line}"))
        .collect();
    assert_eq!(found, expected);
    for finding in &findings {
        let help = match finding.message.as_str() {
            "unknown setting `ems_refres`" => "did you mean `ems_refresh`?",
            "unknown setting `web.tokn`" => "did you mean `token`?",
            message if message.starts_with("unknown") => "did you mean `critical`?",
            _wrong => default,
        };
        assert_eq!(finding.help, help, "{finding}");
    }
    assert_eq!(settings.web, Settings::default().web);
    assert_eq!(settings.poll("amazon"), 15 * SECOND);
    assert!(settings.blacklist("amazon").matched("Fine").is_some());
}

#[test]
fn a_text_that_is_no_mapping_is_told_and_all_defaults_count() {
    for (text, expected) in [
        ("a: b: c", "1:5: error[YamlSyntax]"),
        ("web:\n\tlisten: x", "2:1: error[YamlSyntax]"),
        (
            "- a",
            "1:1: error[WrongSetting]: settings are a mapping of names to values",
        ),
        (
            "text",
            "1:1: error[WrongSetting]: settings are a mapping of names to values",
        ),
        ("web: {}\nweb: {}", "1:1: error[YamlSyntax]"),
        ("{{{", "error[YamlSyntax]"),
        (&"[".repeat(50_000), "error[YamlSyntax]"),
    ] {
        let (settings, findings) = parse_with(text, &[]);
        assert_eq!(findings.len(), 1, "{:?}", lines(&findings));
        assert_eq!(findings[0].severity, Severity::Error);
        assert!(
            findings[0].to_string().contains(expected),
            "{text:.20}: {}",
            findings[0]
        );
        assert_eq!(settings.web, Settings::default().web);
    }
}

#[test]
fn the_environment_goes_before_the_file() {
    let text =
        "web: {listen: '127.0.0.1:1', token: from the file}\nems_refresh: {amazon: {refresh_interval: 1h}}";
    let (settings, findings) = parse_with(
        text,
        &[
            ("SWITCHBOARD_WEB_LISTEN", "0.0.0.0:80"),
            ("SWITCHBOARD_WEB_TOKEN", "env:OTHER"),
            ("OTHER", "from a variable"),
            ("SWITCHBOARD_EMS_REFRESH_FULL_REFRESH_THRESHOLD", "7"),
            ("SWITCHBOARD_EMS_REFRESH_AMAZON_REFRESH_INTERVAL", "2h"),
            (
                "SWITCHBOARD_WORKERS_WORKER_BASE_EVENT_CATCHER_DEFAULTS_POLL",
                "3s",
            ),
            ("SWITCHBOARD_PORT", "tcp://10.0.0.1:80"),
            ("SWITCHBOARD_SERVICE_HOST", "10.0.0.1"),
        ],
    );
    assert_eq!(lines(&findings), [""; 0]);
    assert_eq!(settings.web.listen.to_string(), "0.0.0.0:80");
    assert_eq!(settings.web.token.as_ref().unwrap().reveal(), "from a variable");
    assert_eq!(settings.refresh_gather.full_refresh_threshold, 7);
    assert_eq!(settings.refresh_interval("amazon"), Some(7200 * SECOND));
    assert_eq!(settings.poll("vmware"), 3 * SECOND);

    let (settings, findings) = parse_with(
        text,
        &[
            ("SWITCHBOARD_WEB_LISTEN", "x"),
            ("SWITCHBOARD_WEB_TOKNE", "x"),
            ("SWITCHBOARD_WEB_TOKEN", "env:NO"),
        ],
    );
    let expected = [
        "SWITCHBOARD_WEB_TOKNE:1:1: warning[UnknownSetting]: the environment variable `SWITCHBOARD_WEB_TOKNE` \
         is no setting | did you mean `SWITCHBOARD_WEB_TOKEN`?",
        "SWITCHBOARD_WEB_TOKEN:1:1: error[WrongSetting]: `web.token` is `env:NO`; expected a token, but the \
         environment variable `NO` is not set | the default is used instead; `default.yml` shows every setting",
        "SWITCHBOARD_WEB_LISTEN:1:1: error[WrongSetting]: `web.listen` is `x`; expected an address with a port \
         such as `127.0.0.1:3000` | the default is used instead; `default.yml` shows every setting",
    ];
    assert_eq!(lines(&findings), expected);
    assert_eq!(
        settings.web.listen.to_string(),
        "127.0.0.1:1",
        "the file's, where the variable is wrong"
    );
}

#[test]
fn a_token_is_needed_where_others_can_reach_the_server_and_is_never_shown() {
    for (web, is_open) in [
        ("{listen: '127.0.0.1:1'}", false),
        ("{listen: '[::1]:1'}", false),
        ("{listen: 'localhost:1'}", false),
        ("{listen: '[::ffff:127.0.0.1]:1'}", false),
        ("{listen: '0.0.0.0:1'}", true),
        ("{listen: '[::]:1'}", true),
        ("{listen: '10.1.2.3:1', token: ''}", true),
        ("{listen: '10.1.2.3:1', token: hush}", false),
        ("{listen: '10.1.2.3:1', token: 12345}", false),
    ] {
        let (settings, findings) = parse_with(&format!("web: {web}"), &[]);
        assert_eq!(settings.web.is_open_to_all(), is_open, "{web}");
        assert_eq!(
            findings.iter().any(|finding| finding.code == "TokenNeeded"),
            is_open,
            "{web}"
        );
        let shown = format!("{settings:?} {findings:?}");
        assert!(!shown.contains("hush") && !shown.contains("12345"), "{shown}");
    }
}

#[test]
fn a_file_is_read_by_its_path_and_named_with_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs::create_dir(&config).unwrap();
    let path = config.join("settings.yml");
    let load = |path: Option<&Path>| Settings::load(path, &Environment::default());

    let (_, findings) = load(Some(&path));
    assert!(
        findings[0]
            .to_string()
            .starts_with("config/settings.yml:1:1: error[Unreadable]"),
        "{}",
        findings[0]
    );
    fs::write(&path, "web: {listn: x}").unwrap();
    let (_, findings) = load(Some(&path));
    assert_eq!(
        lines(&findings),
        [
            "config/settings.yml:1:1: warning[UnknownSetting]: unknown setting `web.listn` | did you mean `listen`?"
        ]
    );
    fs::write(&path, vec![b'#'; (1 << 20) + 1]).unwrap();
    let (_, findings) = load(Some(&path));
    assert!(
        findings[0].message.ends_with("it is longer than 1 MiB"),
        "{}",
        findings[0]
    );
    assert_eq!(load(None).1, []);
}

#[test]
fn the_settings_that_this_project_ships_have_no_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/settings.yml");
    let (settings, findings) = Settings::load(Some(&path), &Environment::default());
    assert_eq!(lines(&findings), [""; 0]);
    let found = settings.event_groups().classify("com.awesomecloud.vm.power_on");
    assert_eq!((&*found.group, found.level), ("power", EventLevel::Critical));
}
