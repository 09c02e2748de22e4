//! The settings: what a file and the environment make of the defaults, and how everything wrong is told.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use expect_test::expect;
use switchboard::model::event_group::EventLevel;
use switchboard::settings::Environment;
use switchboard::settings::Settings;
use switchboard::settings::SettingsError;
use switchboard::settings::SettingsPath;
use switchboard::source::Diagnostic;
use switchboard::source::Severity;

type Loaded = Result<(Settings, Vec<Diagnostic>), SettingsError>;

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Loaded {
    let file: Arc<str> = "config/settings.yml".into();
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let environment: Environment = variables.iter().map(owned).collect();
    Settings::parse(&file, text, &environment)
}

/// The settings of a text in which nothing is wrong.
fn parse(text: &str) -> Settings {
    let (settings, findings) = parse_with(text, &[]).unwrap();
    assert_eq!(findings, [], "{text}");
    settings
}

/// What is wrong in a text that makes settings that cannot be used.
fn refused(text: &str, variables: &[(&str, &str)]) -> Vec<Diagnostic> {
    let SettingsError(findings) = parse_with(text, variables).map(|_| text).unwrap_err();
    let mut errors = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error);
    assert!(errors.next().is_some(), "{findings:?}");
    findings
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
fn everything_wrong_is_told_with_its_place_and_nothing_of_it_is_used() {
    let findings = refused(
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
      event_catcher_amazon: {poll: soon}
    event_handler: fast
ems:
  ems_amazon:
    blacklisted_event_names:
    - Fine
    - /(/
    - [nested]
    -
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
    keep_events: 10.decades
",
        &[],
    );
    expect![[r#"
        config/settings.yml:20:7: error[WrongSetting]: `ems.ems_amazon.blacklisted_event_names[1]` is `/(/`; expected a regular expression (unclosed group) | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:21:7: error[WrongSetting]: `ems.ems_amazon.blacklisted_event_names[2]` is a list; expected a text | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:22:6: error[WrongSetting]: `ems.ems_amazon.blacklisted_event_names[3]` is empty; expected a text | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:27:21: error[WrongSetting]: `ems.ems_amazon.event_handling.event_groups.power.critical` is `oops`; expected a list | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:26:11: warning[UnknownSetting]: unknown setting `ems.ems_amazon.event_handling.event_groups.power.critcal` | did you mean `critical`?
        config/settings.yml:14:36: error[WrongSetting]: `workers.worker_base.event_catcher.event_catcher_amazon.poll` is `soon`; expected a duration such as `15.seconds`, `24h` or `500ms` | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:15:20: error[WrongSetting]: `workers.worker_base.event_handler` is `fast`; expected a mapping | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:33:18: error[WrongSetting]: `event_streams.history.keep_events` is `10.decades`; expected a duration such as `15.seconds`, `24h` or `500ms` | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:32:16: error[WrongSetting]: `event_streams.history.keep_rows` is `-1`; expected a whole number from 0 to 1000000000000 | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:29:27: error[WrongSetting]: `ems_refresh.allow_targeted_refresh` is `maybe`; expected `true` or `false` | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:5:11: error[WrongSetting]: `web.listen` is `nowhere`; expected an address with a port such as `127.0.0.1:3000` | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:6:20: error[WrongSetting]: `web.max_event_bytes` is `3 parsecs`; expected a size such as `1 MiB` or `64 KiB` | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:8:20: error[WrongSetting]: `web.max_connections` is `0`; expected a whole number from 1 to 1000000 | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:7:3: error[UnknownSetting]: unknown setting `web.tokn` | did you mean `token`?
        config/settings.yml:10:11: error[WrongSetting]: `reload.gather` is `2s`; expected a duration up to 50ms | `switchboard settings --defaults` shows every setting with its default
        config/settings.yml:1:1: warning[UnknownSetting]: unknown setting `ems_refres` | did you mean `ems_refresh`?"#]].assert_eq(&lines(&findings).join("\n"));
}

#[test]
fn a_text_that_is_no_mapping_of_single_keys_is_refused_at_its_place() {
    for (text, expected) in [
        ("a: b: c", "1:5: error[YamlSyntax]"),
        ("web:\n\tlisten: x", "config/settings.yml:2:"),
        ("web: {}\n\treload: {}", "config/settings.yml:2:"),
        (
            "- a",
            "1:1: error[WrongSetting]: settings are a mapping of names to values",
        ),
        (
            "\ntext",
            "2:1: error[WrongSetting]: settings are a mapping of names to values",
        ),
        (
            "{}\n---\nweb: {token: x}",
            "2:1: error[YamlSyntax]: the file holds more than one document",
        ),
        ("web: {}\nweb: {}", "2:1: error[YamlSyntax]: duplicate key `web`"),
        (
            "web: {token: a, :token: b}",
            "1:17: error[DuplicateSetting]: `token` is given twice",
        ),
        (
            ":web:\n  :token: a\nweb:\n  listen: '[::1]:1'",
            "3:1: error[DuplicateSetting]: `web` is given twice",
        ),
        (
            "web:\n  token: !env TOKEN",
            "2:10: error[YamlTag]: `********` is a tag of YAML",
        ),
        ("web:\n  token: &x TOKEN", "2:10: error[YamlAnchor]"),
        (
            "web:\n  ? [token]\n  : x",
            "error[YamlSyntax]: a key has to be a text",
        ),
        (
            "<<<<<<< ours\nweb: {token: a}\n=======\nweb: {token: b}\n>>>>>>> theirs\n",
            "1:1: error[MergeConflict]",
        ),
        (
            "web:\n  token: a\u{200b}b",
            "2:11: error[UnseenCharacter]: a character that nobody sees stands here: U+200B",
        ),
        ("web:\n\u{a0} token: a", "2:1: error[UnseenCharacter]"),
        ("web: {}\n\u{feff}reload: {}", "2:1: error[UnseenCharacter]"),
        ("web: {token: \0}", "1:14: error[UnseenCharacter]"),
        (
            "web:\n  : token",
            "2:3: error[UnknownSetting]: unknown setting `web.~`",
        ),
        ("'': {}", "1:1: error[WrongSetting]: a name is missing"),
        ("{{{", "error[YamlSyntax]"),
        (&"[".repeat(50_000), "error[YamlSyntax]"),
    ] {
        let findings = refused(text, &[]);
        assert!(
            findings[0].to_string().contains(expected),
            "{text:.20}: {}",
            findings[0]
        );
    }
}

#[test]
fn a_value_keeps_its_letters_and_what_yaml_would_cut_off_is_refused() {
    let token = |written: &str| format!("web:\n  token: {written}\n  listen: 127.0.0.1:1");
    for (written, expected) in [
        ("1e10", "1e10"),
        ("0x1F", "0x1F"),
        ("017", "017"),
        ("+12", "+12"),
        ("1.10", "1.10"),
        ("1_000", "1_000"),
        ("true", "true"),
        ("No", "No"),
        ("2026-01-01", "2026-01-01"),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        ("'a # b'", "a # b"),
        ("a#b", "a#b"),
        ("a # why", "a"),
        ("\"a\\tb\"", "a\tb"),
        ("|-\n    block", "block"),
        ("'null'", "null"),
        ("':symbol'", ":symbol"),
    ] {
        let settings = parse(&token(written));
        assert_eq!(
            settings.web.token.as_ref().unwrap().reveal(),
            expected,
            "{written}"
        );
    }
    for (written, expected) in [
        (
            "#hash",
            "2:3: error[WrongSetting]: `web.token` has a `#`, from which on YAML takes all for a comment",
        ),
        ("half #hash", "2:10: error[WrongSetting]: `web.token` has a `#`"),
        (
            "half\n    and half",
            "2:10: error[WrongSetting]: `web.token` goes on over several lines, which YAML joins",
        ),
        (
            "''",
            "2:10: error[WrongSetting]: `web.token` is blank; expected a token, but this is blank",
        ),
        ("' '", "2:10: error[WrongSetting]: `web.token` is blank"),
        (
            "[a, b]",
            "2:10: error[WrongSetting]: `web.token` is a list; expected a token",
        ),
        (
            "{a: b}",
            "2:10: error[WrongSetting]: `web.token` is a mapping; expected a token",
        ),
        (
            "$TOKEN",
            "2:10: error[WrongSetting]: `web.token` is a text that is not shown; expected a token, but this looks like a reference",
        ),
        (
            "env:NOT_SET",
            "2:10: error[WrongSetting]: `web.token` is `env:NOT_SET`; expected a token, but the environment variable `NOT_SET` is not set",
        ),
        (
            "file:/nowhere",
            "2:10: error[WrongSetting]: `web.token` is `file:/nowhere`; expected a token, but the file `/nowhere` cannot be read",
        ),
    ] {
        let findings = refused(&token(written), &[]);
        let (finding, shown) = (findings[0].to_string(), format!("{findings:?}"));
        assert!(finding.contains(expected), "{written}: {finding}");
        assert!(!shown.contains("hash"), "{shown}");
    }
    // A key below which all is a comment sets nothing.
    for nothing in ["", "~", "# why", "## why", "#"] {
        assert_eq!(parse(&token(nothing)).web.token, None, "{nothing}");
    }
    let merged = parse(
        "x: &x {}\nweb: {<<: {listen: '127.0.0.1:9'}, token: y}\nreload: *x"
            .replace("x: &x {}\n", "")
            .replace("*x", "{}")
            .as_str(),
    );
    assert_eq!(merged.web.listen.port(), 9, "merge keys are carried out");
}

#[test]
fn an_unknown_name_is_refused_where_it_may_have_meant_a_guard_and_told_elsewhere() {
    for (text, expected) in [
        (
            "web: {tokn: x}",
            Some("1:7: error[UnknownSetting]: unknown setting `web.tokn` | did you mean `token`?"),
        ),
        ("web: {Token: x}", Some("did you mean `token`?")),
        ("web: {auth_token: x}", Some("unknown setting `web.auth_token`")),
        (
            "web: {allow: [10.0.0.0/8]}",
            Some("unknown setting `web.allow` | known here: "),
        ),
        ("wbe: {x: y}", Some("did you mean `web`?")),
        (
            "http: {token: x}",
            Some("unknown setting `http` | `token` stands below `web`"),
        ),
        (
            "token: x",
            Some("unknown setting `token` | `token` stands below `web`"),
        ),
        (
            "history: {keep_events: 10.years}",
            Some("`keep_events` stands below `event_streams.history`"),
        ),
        (
            "event_streams: {keep_events: 10.years}",
            Some("`keep_events` stands below `event_streams.history`"),
        ),
        ("event_streams: {histroy: {}}", Some("did you mean `history`?")),
        (
            "event_streams: {history: {keep: 10.years}}",
            Some("unknown setting `event_streams.history.keep`"),
        ),
        (
            "event_stream: {history: {keep_rows: 1}}",
            Some("did you mean `event_streams`?"),
        ),
        (
            "ems: {ems_amazon: {blacklist: [x]}}",
            Some("did you mean `blacklisted_event_names`?"),
        ),
        (
            "ems: {ems_amazon: {blacklisted_event_name: [x]}}",
            Some("did you mean `blacklisted_event_names`?"),
        ),
        (
            "workers: {worker_base: {event_catcher: {defaults: {flooding_monitor: true}}}}",
            Some("did you mean `flooding_monitor_enabled`?"),
        ),
        (
            "workers: {event_catcher: {defaults: {flooding_events_per_minute: 1}}}",
            Some("`flooding_events_per_minute` stands below"),
        ),
        (
            "outbox: {allowed_origin: [x]}",
            Some("did you mean `allowed_origins`?"),
        ),
        ("script: {max_tme: 1s}", Some("did you mean `max_time`?")),
        ("signed: [secret]", Some("unknown setting `signed`")),
        ("'x  :web': {}", Some("unknown setting `x  :web`")),
        ("ems_refres: {awesome_cloud: {refresh_interval: 1h}}", None),
        ("ems_refresh: {gathr: 1s}", None),
        ("server: {zone: x, session: {timeout: 3600}}", None),
        ("smtp: {from: x, password: y}", None),
        (
            "workers: {worker_base: {queue_worker_base: {poll: 3.seconds}}}",
            None,
        ),
        ("drift_states: {history: {keep_drift_states: 6.months}}", None),
        ("ems: {ems_amazon: {additional_instance_types: {}}}", None),
    ] {
        match expected {
            Some(expected) => {
                let findings = lines(&refused(text, &[])).join("\n");
                assert!(findings.contains(expected), "{text}: {findings}");
            }
            None => {
                let (_, findings) = parse_with(text, &[]).unwrap();
                assert_eq!(findings.len(), 1, "{text}: {findings:?}");
                assert_eq!(findings[0].severity, Severity::Warning, "{text}");
            }
        }
    }
}

#[test]
fn numbers_that_no_machine_can_serve_are_refused() {
    for (text, expected) in [
        (
            "outbox: {threads: 100000}",
            "expected a whole number from 1 to 256",
        ),
        (
            "workers: {worker_base: {event_handler: {threads: 4294967296}}}",
            "expected a whole number from 0 to 256",
        ),
        (
            "workers: {worker_base: {event_handler: {batch: 18446744073709551615}}}",
            "expected a whole number from 1 to 100000",
        ),
        (
            "web: {max_connections: 99999999999999999999}",
            "expected a whole number from 1 to 1000000",
        ),
        (
            "web: {max_event_bytes: 8 GiB}",
            "expected a size from 1 to 536870912 bytes",
        ),
        ("web: {max_batch_bytes: 99999999999 GiB}", "expected a size"),
        (
            "web: {max_batch_bytes: 1 KiB}",
            "`web.max_batch_bytes` is less than `web.max_event_bytes`",
        ),
        (
            "web: {header_timeout: 99999.years}",
            "expected a duration up to `1000.years`",
        ),
        ("web: {idle_timeout: 0}", "expected a duration above 0"),
        (
            "script: {max_call_levels: 1_000_000}",
            "expected a whole number from 1 to 128",
        ),
        (
            "event_streams: {history: {keep_events: 99999999999999999999.years}}",
            "expected a duration",
        ),
        (
            "event_streams: {history: {keep_rows: 1e6}}",
            "expected a whole number",
        ),
        (
            "event_streams: {history: {keep_rows: 0x1F}}",
            "expected a whole number",
        ),
        (
            "event_streams: {history: {keep_rows: 010}}",
            "expected a whole number",
        ),
        (
            "event_streams: {history: {purge_window_size: 0}}",
            "expected a whole number",
        ),
        ("ems_refresh: {gather: .inf}", "expected a duration"),
        ("database: {reserve: 9 PiB}", "expected a size"),
        (
            "outbox: {email: {relay: 'mail:25', user: me}}",
            "`outbox.email.user` stands without `password`",
        ),
    ] {
        let findings = lines(&refused(text, &[])).join("\n");
        assert!(findings.contains(expected), "{text}: {findings}");
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
            ("SWITCHBOARD_WEB_PORT", "tcp://10.0.0.1:80"),
            ("SWITCHBOARD_WEB_SERVICE_HOST", "10.0.0.1"),
            ("SWITCHBOARD_WEB_SERVICE_PORT_HTTP", "80"),
            ("SWITCHBOARD_WEB_PORT_80_TCP_ADDR", "10.0.0.1"),
        ],
    )
    .unwrap();
    assert_eq!(lines(&findings), [""; 0]);
    assert_eq!(settings.web.listen.to_string(), "0.0.0.0:80");
    assert_eq!(settings.web.token.as_ref().unwrap().reveal(), "from a variable");
    assert_eq!(settings.refresh_gather.full_refresh_threshold, 7);
    assert_eq!(settings.refresh_interval("amazon"), Some(7200 * SECOND));
    assert_eq!(settings.poll("vmware"), 3 * SECOND);
}

#[test]
fn a_wrong_variable_is_refused_and_an_unknown_one_where_it_may_have_meant_a_guard() {
    for (name, value, expected) in [
        (
            "WEB_TOKNE",
            "x",
            "SWITCHBOARD_WEB_TOKNE:1:1: error[UnknownSetting]: the environment variable `SWITCHBOARD_WEB_TOKNE` is no setting | did you mean `SWITCHBOARD_WEB_TOKEN`?",
        ),
        (
            "WEB_TOKEN",
            "env:NO",
            "SWITCHBOARD_WEB_TOKEN:1:1: error[WrongSetting]: `web.token` is `env:NO`; expected a token, but the environment variable `NO` is not set",
        ),
        ("WEB_TOKEN", "file:/nowhere", "the file `/nowhere` cannot be read"),
        ("WEB_TOKEN", "", "`web.token` is blank"),
        (
            "WEB_LISTEN",
            "x",
            "SWITCHBOARD_WEB_LISTEN:1:1: error[WrongSetting]: `web.listen` is `x`",
        ),
        ("WEB_ANYTHING", "x", "is no setting"),
        ("TOKEN", "x", "did you mean `SWITCHBOARD_WEB_TOKEN`?"),
        (
            "KEEP_EVENTS",
            "x",
            "did you mean `SWITCHBOARD_EVENT_STREAMS_HISTORY_KEEP_EVENTS`?",
        ),
        (
            "WEB_WEBHOOK_SECRETS",
            "x",
            "`web.webhook_secrets` holds more than one value",
        ),
        (
            "WEB_WEBHOOK_SECRETS_SIGNED",
            "x",
            "`web.webhook_secrets` holds more than one value",
        ),
        (
            "EMS_EMS_AMAZON_BLACKLISTED_EVENT_NAMES",
            "x",
            "holds more than one value",
        ),
    ] {
        let findings = refused(
            "web: {listen: '127.0.0.1:1'}",
            &[(&format!("SWITCHBOARD_{name}"), value)],
        );
        let told = lines(&findings).join("\n");
        assert!(told.contains(expected), "{name}: {told}");
    }
    let (_, findings) = parse_with(
        "",
        &[
            ("SWITCHBOARD_VERSION", "1.0"),
            ("SWITCHBOARD_RELOAD_GATHR", "1ms"),
        ],
    )
    .unwrap();
    let severities: Vec<Severity> = findings.iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Severity::Warning, Severity::Warning], "{findings:?}");
}

#[test]
fn a_secret_of_a_manager_that_cannot_be_had_closes_that_manager_alone() {
    let text = "web:\n  webhook_secrets:\n    closed: ['env:NOT_SET']\n    half: ['file:/nowhere', hush]\n    right: ['env:SET']\n";
    let (settings, findings) = parse_with(text, &[("SET", "from a variable")]).unwrap();
    expect![[r#"
        config/settings.yml:3:14: error[SecretMissing]: a secret of a manager cannot be had: the environment variable `NOT_SET` is not set | until it can, nobody is let in with it; without another one the manager takes nothing
        config/settings.yml:4:12: error[SecretMissing]: a secret of a manager cannot be had: the file `/nowhere` cannot be read | until it can, nobody is let in with it; without another one the manager takes nothing"#]].assert_eq(&lines(&findings).join("\n"));
    let secrets = |name: &str| settings.web.webhook_secrets.get(name).map(Vec::len);
    let counts = ["closed", "half", "right", "other"].map(secrets);
    assert_eq!(counts, [Some(0), Some(1), Some(1), None]);
    for (text, expected) in [
        (
            "signed: hush",
            "`web.webhook_secrets.signed` is a text that is not shown; expected a list",
        ),
        ("signed: [' ']", "expected a secret, but this is blank"),
        ("signed: [{a: b}]", "`web.webhook_secrets.signed[0]` is a mapping"),
        ("signed: ['ENV:X']", "this looks like a reference"),
        ("signed: [~]", "`web.webhook_secrets.signed[0]` is empty"),
    ] {
        let findings = lines(&refused(&format!("web: {{webhook_secrets: {{{text}}}}}"), &[])).join("\n");
        assert!(findings.contains(expected), "{text}: {findings}");
    }
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
        ("{listen: '10.1.2.3:1', token: ~}", true),
        ("{listen: '10.1.2.3:1', token: hush}", false),
        ("{listen: '10.1.2.3:1', token: 12345}", false),
    ] {
        let (settings, findings) = parse_with(&format!("web: {web}"), &[]).unwrap();
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
fn a_file_that_is_named_or_there_is_read_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    fs::create_dir(&config).unwrap();
    let path = config.join("settings.yml");
    let load = |path: &SettingsPath| match Settings::load(path, &Environment::default()) {
        Ok((settings, findings)) => {
            let token = settings.web.token.map(|token| token.reveal().to_owned());
            Ok((token, lines(&findings)))
        }
        Err(error) => Err(lines(&error.0).join("\n")),
    };
    let usual = SettingsPath::usual(&path);
    let named = SettingsPath::named(&path);
    assert_eq!(load(&usual), Ok((None, Vec::new())), "a site need not have one");
    let told = load(&named).unwrap_err();
    assert!(
        told.starts_with("config/settings.yml:1:1: error[Unreadable]: cannot read the settings file"),
        "{told}"
    );

    let right = "web: {token: right}";
    type Case = (&'static str, fn(&Path), &'static str);
    let broken: [Case; 9] = [
        (
            "a folder",
            |path| fs::create_dir(path).unwrap(),
            "1:1: error[Unreadable]",
        ),
        (
            "a link that leads nowhere",
            |path| symlink("nowhere", path).unwrap(),
            "1:1: error[Unreadable]",
        ),
        (
            "a pipe",
            |path| assert!(Command::new("mkfifo").arg(path).status().unwrap().success()),
            "1:1: error[EmptyFile]",
        ),
        (
            "empty",
            |path| fs::write(path, "").unwrap(),
            "1:1: error[EmptyFile]: the settings file is empty",
        ),
        (
            "blank",
            |path| fs::write(path, "\u{feff}\n \n").unwrap(),
            "1:1: error[EmptyFile]",
        ),
        (
            "not UTF-8",
            |path| fs::write(path, b"web:\n  token: \xff").unwrap(),
            "2:10: error[NotUtf8]",
        ),
        (
            "UTF-16",
            |path| fs::write(path, b"\xff\xfew\0e\0b\0").unwrap(),
            "1:1: error[NotUtf8]",
        ),
        (
            "too long",
            |path| fs::write(path, vec![b'#'; (1 << 20) + 1]).unwrap(),
            "it is longer than 1 MiB",
        ),
        (
            "another extension",
            |path| fs::write(path.with_extension("yaml"), "web: {token: x}").unwrap(),
            "config/settings.yaml:1:1: error[UnreadFile]",
        ),
    ];
    for (name, make, expected) in broken {
        make(&path);
        let told = load(&usual).unwrap_err();
        assert!(told.contains(expected), "{name}: {told}");
        fs::remove_dir_all(&config).unwrap();
        fs::create_dir(&config).unwrap();
    }
    for text in [
        right.to_owned(),
        format!("\u{feff}{right}"),
        format!("---\n{right}\n...\n"),
        format!("# why\r\n{right}\r\n"),
    ] {
        fs::write(&path, &text).unwrap();
        assert_eq!(
            load(&usual),
            Ok((Some("right".to_owned()), Vec::new())),
            "{text:?}"
        );
    }
    fs::write(&path, "# all is as usual\n").unwrap();
    assert_eq!(load(&named), Ok((None, Vec::new())));

    // Whether it is there has to be told, on the whole way to it.
    fs::remove_dir_all(&config).unwrap();
    symlink("unmounted", &config).unwrap();
    assert!(load(&usual).unwrap_err().contains("error[Unreadable]"));

    // Somebody who names it in a variable means it.
    let variable = [("SWITCHBOARD_CONFIG".to_owned(), "/etc/settings.yml".to_owned())];
    let environment: Environment = variable.into_iter().collect();
    let error = Settings::load(&SettingsPath::usual("nowhere/settings.yml"), &environment).unwrap_err();
    assert_eq!(error.0[0].help, "name the settings file with `--config`");
    assert!(Settings::load(&SettingsPath::named("/dev/null"), &environment).is_ok());
}

#[test]
fn the_settings_that_this_project_ships_have_no_finding() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/settings.yml");
    let (settings, findings) = Settings::load(&SettingsPath::named(path), &Environment::default()).unwrap();
    assert_eq!(lines(&findings), [""; 0]);
    let found = settings.event_groups().classify("com.awesomecloud.vm.power_on");
    assert_eq!((&*found.group, found.level), ("power", EventLevel::Critical));
}
