//! Pages as text: what is drawn for what is saved, what a visitor chose, and that nothing foreign becomes markup.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::LazyLock;

use expect_test::expect;
use regex::Regex;
use serde_json::json;
use switchboard::appliance::ApplianceConfig;
use switchboard::model::clock::Clock;

use crate::support::noon;
use crate::support::project::Project;
use crate::support::served::Served;

/// No rules, so that what becomes of each event is known; types in groups of three levels.
const FIXTURE: &str = r#"//- scripts/awesome_cloud/event_parser.rhai
fn event_to_hash(event, ems_id) {
    #{ event_type: event.type, source: "X", event_key: event.id, timestamp: event.time,
       vm_ems_ref: event.at("/vm"), vm_name: event.at("/name") }
}
//- automate/none
"#;
const SETTINGS: &str = "
ems:
  ems_awesome_cloud:
    event_handling:
      event_groups:
        power:
          critical: [on]
          warning: [off]
          detail: [state]
        addition:
          critical: [create]
";

/// At noon of the 1st of January, with these events.
fn at_noon(events: &[serde_json::Value]) -> Served {
    let project = Project::new(FIXTURE);
    project.write("settings.yml", SETTINGS);
    let clock = Clock::manual(noon());
    let served = Served::start(project, |config| ApplianceConfig { clock, ..config }).unwrap();
    if !events.is_empty() {
        let answer = served.post(&json!(events).to_string());
        assert_eq!(answer.status, 202, "{answer:?}");
        served.until_saved(events.len().try_into().unwrap());
        served.until("/api/queue", |answer| answer.json()["counts"]["ready"] == 0);
    }
    served
}

fn event(number: usize, kind: &str, time: &str, vm: &str, name: &str) -> serde_json::Value {
    json!({"id": format!("e-{number}"), "type": kind, "time": time, "vm": vm, "name": name})
}

/// What stands between two texts of a page, an element of interest a line, without what only draws.
fn part(page: &str, from: &str, to: &str) -> String {
    static QUIET: LazyLock<Regex> = LazyLock::new(|| {
        let quiet = r#"<line class="(?:grid|base)"[^>]*></line>|</(?:use|path|rect|text|line|span|td|th|a|bdi|div|tr|svg|p|li)>|<wbr>"#;
        Regex::new(quiet).unwrap()
    });
    static BEGINNING: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("<(?:div|tr|td|path|use class|text|p|li|details)[ >]").unwrap());
    let (_, rest) = page
        .split_once(from)
        .unwrap_or_else(|| panic!("no `{from}` in {page}"));
    let (part, _) = rest
        .split_once(to)
        .unwrap_or_else(|| panic!("no `{to}` in {rest}"));
    let part = QUIET.replace_all(part, "");
    BEGINNING.replace_all(&part, "\n$0").trim().to_owned()
}

#[test]
fn few_events_are_marks_and_the_list_says_what_was_done() {
    let served = at_noon(&[
        event(1, "on", "2025-12-30T09:00:00Z", "vm-1", "web"),
        event(2, "off", "2026-01-01T09:30:00Z", "vm-1", "web"),
        event(3, "state", "2026-01-01T10:15:00Z", "vm-2", "<db & co>"),
        event(4, "never.heard_of", "2026-01-01T10:20:00.5Z", "", ""),
    ]);
    let page = served.get("/").body;
    expect![[r#"<strong>4</strong> events from 1 manager. None failed, <a href="/?outcome=norule" data-view>4 met no rule."#]].assert_eq(&part(&page, "<p class=\"lead\" id=\"summary\">", "</p>"));
    expect![[r##"
        <div class="lane" data-lane="power"><a class="lane-name" href="/?group=power" title="Power Activity" data-lane-link><bdi>Power Activity<svg class="plot" width="100%" height="47" role="img" aria-label="Power Activity: 3 events, 0 failed"><line class="reload" x1="100.00%" x2="100.00%" y1="0" y2="100%"><use class="p detail norule" href="#m-detail" x="99.76%" y="28" data-e="3"><use class="p warning norule" href="#m-warning" x="99.65%" y="18" data-e="2"><use class="p critical norule" href="#m-critical" x="92.92%" y="8" data-e="1"><span class="lane-n">3
        <div class="lane" data-lane="other"><a class="lane-name" href="/?group=other" title="Other" data-lane-link><bdi>Other<svg class="plot" width="100%" height="47" role="img" aria-label="Other: 1 event, 0 failed"><line class="reload" x1="100.00%" x2="100.00%" y1="0" y2="100%"><use class="p detail norule" href="#m-detail" x="99.77%" y="28" data-e="4"><span class="lane-n">1"##]].assert_eq(&part(&page, "<div class=\"lanes\">", "<div class=\"lane axis\">"));
    expect![[r#"
        <span class="lane-name muted">UTC<svg class="plot" width="100%" height="20" aria-hidden="true"><line class="tick" x1="1.67%" x2="1.67%" y1="0" y2="5">
        <text x="1.67%" y="16">Dec 3<line class="tick" x1="18.33%" x2="18.33%" y1="0" y2="5">
        <text x="18.33%" y="16">Dec 8<line class="tick" x1="35.00%" x2="35.00%" y1="0" y2="5">
        <text x="35.00%" y="16">Dec 13<line class="tick" x1="51.67%" x2="51.67%" y1="0" y2="5">
        <text x="51.67%" y="16">Dec 18<line class="tick" x1="68.33%" x2="68.33%" y1="0" y2="5">
        <text x="68.33%" y="16">Dec 23<line class="tick" x1="85.00%" x2="85.00%" y1="0" y2="5">
        <text x="85.00%" y="16">Dec 28<span class="lane-n">
        <div class="chart-tools">
        <p class="scale">Each mark is one event
        <p class="lanes-empty">Nothing in Creation/Addition, Configuration/Reconfiguration, Console Activity, Deletion/Removal, General Activity, Import/Export, Migration/Vmotion, Network, Snapshot Activity, Alarm/Status Change/Errors, Storage, Update."#]].assert_eq(&part(&page, "<div class=\"lane axis\">", "<details"));
    expect![[r##"
        <tr class="day"><th colspan="5" scope="rowgroup">Thursday, Jan 1
        <tr class="ev" data-e="4">
        <td class="c-t"><time datetime="2026-01-01T10:20:00.5Z" title="2026-01-01 10:20:00 UTC">10:20:00</time>
        <td class="c-ev"><span class="lv detail"><svg class="i detail hollow" aria-hidden="true"><use href="#p-detail"><span class="sr">detail<a class="mono" href="/events/4"><bdi>never.heard_of
        <td class="c-re">
        <td class="c-em muted"><bdi>my_cloud
        <td class="c-out"><svg class="i " aria-hidden="true"><use href="#g-missing"><span class="muted">No rule for this type
        <tr class="ev" data-e="3">
        <td class="c-t"><time datetime="2026-01-01T10:15:00Z" title="2026-01-01 10:15:00 UTC">10:15:00</time>
        <td class="c-ev"><span class="lv detail"><svg class="i detail hollow" aria-hidden="true"><use href="#p-detail"><span class="sr">detail<a class="mono" href="/events/3"><bdi>state
        <td class="c-re"><a href="/resources/vms/vm-2?ems=my_cloud"><bdi>&lt;db &amp; co&gt;
        <td class="c-em muted"><bdi>my_cloud
        <td class="c-out"><svg class="i " aria-hidden="true"><use href="#g-missing"><span class="muted">No rule for this type
        <tr class="ev" data-e="2">
        <td class="c-t"><time datetime="2026-01-01T09:30:00Z" title="2026-01-01 09:30:00 UTC">09:30:00</time>
        <td class="c-ev"><span class="lv warning"><svg class="i warning hollow" aria-hidden="true"><use href="#p-warning"><span class="sr">warning<a class="mono" href="/events/2"><bdi>off
        <td class="c-re"><a href="/resources/vms/vm-1?ems=my_cloud"><bdi>web
        <td class="c-em muted"><bdi>my_cloud
        <td class="c-out"><svg class="i " aria-hidden="true"><use href="#g-missing"><span class="muted">No rule for this type
        <tr class="day"><th colspan="5" scope="rowgroup">Tuesday, Dec 30, 2025
        <tr class="ev" data-e="1">
        <td class="c-t"><time datetime="2025-12-30T09:00:00Z" title="2025-12-30 09:00:00 UTC">09:00:00</time>
        <td class="c-ev"><span class="lv critical"><svg class="i critical hollow" aria-hidden="true"><use href="#p-critical"><span class="sr">critical<a class="mono" href="/events/1"><bdi>on
        <td class="c-re"><a href="/resources/vms/vm-1?ems=my_cloud"><bdi>web
        <td class="c-em muted"><bdi>my_cloud
        <td class="c-out"><svg class="i " aria-hidden="true"><use href="#g-missing"><span class="muted">No rule for this type"##]].assert_eq(&part(&page, "<tbody id=\"rows\">", "</tbody>"));
    expect![[r#"<p class="more"><span class="muted">All 4 shown."#]].assert_eq(&part(
        &page,
        "<div id=\"more\">",
        "</div>",
    ));
    expect![[r##"
        <li><time class="muted" datetime="2026-01-01T10:20:00.5Z">10:20:00</time><svg class="i detail" aria-hidden="true"><use href="#p-detail"><span><a class="mono" href="/events/4"><bdi>never.heard_of<span class="sub">
        <li><time class="muted" datetime="2026-01-01T10:15:00Z">10:15:00</time><svg class="i detail" aria-hidden="true"><use href="#p-detail"><span><a class="mono" href="/events/3"><bdi>state<span class="sub"><bdi>&lt;db &amp; co&gt;
        <li><time class="muted" datetime="2026-01-01T09:30:00Z">09:30:00</time><svg class="i warning" aria-hidden="true"><use href="#p-warning"><span><a class="mono" href="/events/2"><bdi>off<span class="sub"><bdi>web
        <li><time class="muted" datetime="2025-12-30T09:00:00Z">09:00:00</time><svg class="i critical" aria-hidden="true"><use href="#p-critical"><span><a class="mono" href="/events/1"><bdi>on<span class="sub"><bdi>web"##]].assert_eq(&part(&page, "<ol class=\"tail\">", "</ol>"));
    // The same hours, elsewhere.
    let page = served.get("/?range=6h&tz=%2B05%3A30").body;
    expect![[r##"
        <tr class="day"><th colspan="5" scope="rowgroup">Thursday, Jan 1
        <tr class="ev" data-e="4">
        <td class="c-t"><time datetime="2026-01-01T10:20:00.5Z" title="2026-01-01 15:50:00 +05:30">15:50:00</time>
        <td class="c-ev"><span class="lv detail"><svg class="i detail hollow" aria-hidden="true"><use href="#p-detail"><span class="sr">detail<a class="mono" href="/events/4"><bdi>never.heard_of
        <td class="c-re">
        <td class="c-em muted"><bdi>my_cloud
        <td class="c-out"><svg class="i " aria-hidden="true"><use href="#g-missing"><span class="muted">No rule for this type
        <tr class="ev" data-e="3">
        <td class="c-t"><time datetime="2026-01-01T10:15:00Z" title="2026-01-01 15:45:00 +05:30">15:45:00</time>
        <td class="c-ev"><span class="lv detail"><svg class="i detail hollow" aria-hidden="true"><use href="#p-detail"><span class="sr">detail<a class="mono" href="/events/3"><bdi>state
        <td class="c-re"><a href="/resources/vms/vm-2?ems=my_cloud"><bdi>&lt;db &amp; co&gt;
        <td class="c-em muted"><bdi>my_cloud
        <td class="c-out"><svg class="i " aria-hidden="true"><use href="#g-missing"><span class="muted">No rule for this type
        <tr class="ev" data-e="2">
        <td class="c-t"><time datetime="2026-01-01T09:30:00Z" title="2026-01-01 15:00:00 +05:30">15:00:00</time>
        <td class="c-ev"><span class="lv warning"><svg class="i warning hollow" aria-hidden="true"><use href="#p-warning"><span class="sr">warning<a class="mono" href="/events/2"><bdi>off
        <td class="c-re"><a href="/resources/vms/vm-1?ems=my_cloud"><bdi>web
        <td class="c-em muted"><bdi>my_cloud
        <td class="c-out"><svg class="i " aria-hidden="true"><use href="#g-missing"><span class="muted">No rule for this type"##]].assert_eq(&part(&page, "<tbody id=\"rows\">", "</tbody>"));
    expect![[r#"
        <span class="lane-name muted">+05:30<svg class="plot" width="100%" height="20" aria-hidden="true"><line class="tick" x1="8.33%" x2="8.33%" y1="0" y2="5">
        <text x="8.33%" y="16">12:00<line class="tick" x1="25.00%" x2="25.00%" y1="0" y2="5">
        <text x="25.00%" y="16">13:00<line class="tick" x1="41.67%" x2="41.67%" y1="0" y2="5">
        <text x="41.67%" y="16">14:00<line class="tick" x1="58.33%" x2="58.33%" y1="0" y2="5">
        <text x="58.33%" y="16">15:00<line class="tick" x1="75.00%" x2="75.00%" y1="0" y2="5">
        <text x="75.00%" y="16">16:00<line class="tick" x1="91.67%" x2="91.67%" y1="0" y2="5">
        <text x="91.67%" y="16">17:00<span class="lane-n">"#]].assert_eq(&part(&page, "<div class=\"lane axis\">", "</div>"));
    let page = served.get("/?lanes=resource&level=detail&q=vm-2").body;
    expect![[r##"<div class="lane" data-lane="vms:vm-2"><a class="lane-name mono" href="/resources/vms/vm-2" title="&lt;db &amp; co&gt;" data-lane-link><bdi>&lt;db &amp; co&gt;<svg class="plot" width="100%" height="47" role="img" aria-label="&lt;db &amp; co&gt;: 1 event, 0 failed"><line class="reload" x1="100.00%" x2="100.00%" y1="0" y2="100%"><use class="p detail norule" href="#m-detail" x="99.76%" y="28" data-e="3"><span class="lane-n">1"##]].assert_eq(&part(&page, "<div class=\"lanes\">", "<div class=\"lane axis\">"));
    expect![[r#"<a href="/?q=vm%2D2&amp;lanes=resource" data-view aria-label="Remove level: detail">level: <bdi>detail  ×<a href="/?level=detail&amp;lanes=resource" data-view aria-label="Remove q: vm-2">q: <bdi>vm-2  ×"#]].assert_eq(&part(&page, "id=\"applied\">", "</form>"));
}

#[test]
fn many_events_are_bars_that_are_counted_and_a_storm_is_cut() {
    let many = (0..300).map(|number| {
        let (kind, minute) = match number {
            0..200 => ("state", 40),
            200..280 => ("on", number % 30),
            _few => ("create", 50),
        };
        event(
            number,
            kind,
            &format!("2026-01-01T11:{minute:02}:00Z"),
            &format!("vm-{}", number % 7),
            "x",
        )
    });
    let served = at_noon(&many.collect::<Vec<_>>());
    let page = served.get("/?range=1h").body;
    expect![[r#"<strong>297</strong> events from 1 manager. None failed, <a href="/?range=1h&amp;outcome=norule" data-view>297 met no rule."#]].assert_eq(&part(&page, "<p class=\"lead\" id=\"summary\">", "</p>"));
    expect![[r##"
        <div class="lane" data-lane="addition"><a class="lane-name" href="/?range=1h&amp;group=addition" title="Creation/Addition" data-lane-link><bdi>Creation/Addition<svg class="plot" width="100%" height="47" role="img" aria-label="Creation/Addition: 20 events, 0 failed"><line class="reload" x1="100.00%" x2="100.00%" y1="0" y2="100%"><svg class="bars" viewBox="-0.500 0 120.000 30" preserveAspectRatio="none" width="100%" height="30" y="6">
        <path class="critical" d="M100 30V0"><span class="lane-n">20<small>max 20</small>
        <div class="lane" data-lane="power"><a class="lane-name" href="/?range=1h&amp;group=power" title="Power Activity" data-lane-link><bdi>Power Activity<svg class="plot" width="100%" height="47" role="img" aria-label="Power Activity: 277 events, 0 failed"><line class="reload" x1="100.00%" x2="100.00%" y1="0" y2="100%"><svg class="bars" viewBox="-0.500 0 120.000 30" preserveAspectRatio="none" width="100%" height="30" y="6">
        <path class="critical" d="M2 30V15M4 30V15M6 30V15M8 30V15M10 30V15M12 30V15M14 30V15M16 30V15M18 30V15M20 30V20M22 30V20M24 30V20M26 30V20M28 30V20M30 30V20M32 30V20M34 30V20M36 30V20M38 30V20M40 30V15M42 30V15M44 30V15M46 30V15M48 30V15M50 30V15M52 30V15M54 30V15M56 30V15M58 30V15">
        <path class="detail" d="M80 30V0"><use class="brk" href="#m-brk" x="67.08%" y="13">
        <text class="storm" x="67.08%" y="9" dx="0">200<span class="lane-n">277<small>cut at 6</small>"##]].assert_eq(&part(&page, "<div class=\"lanes\">", "<div class=\"lane axis\">"));
    expect![[r##"One bar is 30 s. Heights compare within a lane. <a href="/?range=1h&amp;scale=one" data-view>One scale for all.<svg class="i " aria-hidden="true"><use href="#p-brk"> is a taller bar, with its count"##]].assert_eq(&part(&page, "<p class=\"scale\">", "</p>"));
    expect![[r#"
        <summary>Counts as a table</summary>
        <div class="scroll"><table class="t small"><thead>
        <tr><th scope="col">Group<th class="r" scope="col">Critical<th class="r" scope="col">Warning<th class="r" scope="col">Detail<th class="r" scope="col">Failed<th scope="col">Busiest 30 s</thead><tbody>
        <tr><th scope="row"><bdi>Creation/Addition
        <td class="r">20
        <td class="r">0
        <td class="r">0
        <td class="r">0
        <td>Jan 1 11:50, 20 events
        <tr><th scope="row"><bdi>Power Activity
        <td class="r">77
        <td class="r">0
        <td class="r">200
        <td class="r">0
        <td>Jan 1 11:40, 200 events</tbody></table>"#]].assert_eq(&part(&page, "<details class=\"astable\">", "</details>"));
    expect![[r#"<p class="more"><span class="muted">Newest 40 of 297. <a class="btn" href="/?range=1h&amp;cursor=1767267600000000%2E181" rel="next">Show older"#]].assert_eq(&part(&page, "<div id=\"more\">", "</div>"));
    // One scale for all; and a phone has fewer bars.
    let page = served.get("/?range=1h&scale=one").body;
    expect![[r##"One bar is 30 s. Full height is 6 events in every lane. <a href="/?range=1h" data-view>A scale for each lane.<svg class="i " aria-hidden="true"><use href="#p-brk"> is a taller bar, with its count"##]].assert_eq(&part(&page, "<p class=\"scale\">", "</p>"));
    let bars = |cookie: &[&str]| {
        let page = served.request("GET /?range=1h", cookie, "").body;
        let meta = part(&page, "data-meta=\"", "\"").replace("&quot;", "\"");
        let meta: serde_json::Value = serde_json::from_str(&meta).unwrap();
        let lane = &meta["lanes"][0]["b"];
        let sum = lane.as_array().unwrap().iter();
        let sum: u64 = sum
            .map(|bar| (0..3).map(|level| bar[level].as_u64().unwrap()).sum::<u64>())
            .sum();
        (meta["step"].as_i64().unwrap(), sum)
    };
    assert_eq!((bars(&[]), bars(&["Cookie: narrow=1"])), ((30, 20), (300, 20)));
}

#[test]
fn the_list_goes_on_by_its_cursor_to_its_end() {
    let many = (0..95).map(|number| {
        let vm = format!("vm-{number}");
        event(number, "on", "2026-01-01T11:00:00Z", &vm, "x")
    });
    let served = at_noon(&many.collect::<Vec<_>>());
    let link = Regex::new(r#"href="([^"]*)" rel="next""#).unwrap();
    let row = Regex::new(r#"<tr class="ev" data-e="(\d+)">"#).unwrap();
    let (mut address, mut seen) = ("/?group=power".to_owned(), Vec::new());
    loop {
        let page = served.get(&address).body;
        let rows = row.captures_iter(&page).map(|row| row[1].parse::<u32>().unwrap());
        seen.extend(rows);
        match link.captures(&page) {
            Some(next) => address = next[1].replace("&amp;", "&"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=95).rev().collect::<Vec<_>>());
}

#[test]
fn where_there_is_nothing_it_is_said_what_is_missing_and_what_ends_that() {
    let served = at_noon(&[]);
    let page = served.get("/").body;
    expect![[r#"
        <p><strong>No events yet.</strong> Nothing has come from the managers that were added.
        <p>This says of each what its stream does, and why.
        <div class="cli"><code>switchboard ems list</code><button class="quiet small" data-copy="switchboard ems list">Copy</button>"#]].assert_eq(&part(&page, "<div class=\"empty\">", "</section"));
    let served = at_noon(&[event(1, "on", "2026-01-01T11:00:00Z", "vm-1", "x")]);
    for (address, expected) in [
        (
            "/?level=detail&range=7d",
            expect![[r#"
            <p><strong>No events match.</strong> 1 event lies in this range without the filters.
            <p><a class="btn" href="/?range=7d" data-view>Clear the filters"#]],
        ),
        (
            "/?from=2025-12-30T10%3A00&to=2025-12-30T11%3A00",
            expect![[r#"
                <p><strong>No events in this range.</strong>
                <p><a class="btn" href="/" data-view>The last 30 days"#]],
        ),
    ] {
        expected.assert_eq(&part(
            &served.get(address).body,
            "<div class=\"empty\">",
            "</section",
        ));
    }
}

#[test]
fn the_theme_and_the_zone_of_the_cookies_are_in_the_first_paint() {
    let served = at_noon(&[event(1, "on", "2026-01-01T11:00:00Z", "vm-1", "x")]);
    for (cookie, start) in [
        ("", "<!DOCTYPE html><html lang=\"en\"><head>"),
        (
            "theme=dark",
            "<!DOCTYPE html><html lang=\"en\" data-theme=\"dark\"><head>",
        ),
        (
            "tz=UTC; theme=light",
            "<!DOCTYPE html><html lang=\"en\" data-theme=\"light\"><head>",
        ),
        ("theme=\"><script>", "<!DOCTYPE html><html lang=\"en\"><head>"),
    ] {
        let page = served.request("GET /", &[&format!("Cookie: {cookie}")], "").body;
        assert!(page.starts_with(start), "{cookie} {page}");
    }
    for (cookie, time) in [
        ("tz=Europe/Berlin", "12:00:00"),
        ("tz=-03:00", "08:00:00"),
        ("tz=../../etc/passwd", "11:00:00"),
    ] {
        let page = served.request("GET /", &[&format!("Cookie: {cookie}")], "").body;
        assert!(page.contains(&format!(">{time}</time>")), "{cookie} {page}");
    }
}

#[test]
fn hostile_texts_are_shown_as_text_and_no_page_needs_a_weaker_policy() {
    let payloads = [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' onmouseover='alert(1)",
        "javascript:alert(1)",
        "</title></style></textarea><svg/onload=alert(1)>",
        "\u{202e}evil\u{2066}",
        "{{constructor.constructor('alert(1)')()}}",
    ];
    let long = "x".repeat(20_000);
    let events: Vec<_> = payloads
        .iter()
        .chain([&long.as_str()])
        .enumerate()
        .map(|(number, payload)| event(number, payload, "2026-01-01T11:00:00Z", payload, payload))
        .collect();
    let served = at_noon(&events);
    let strange =
        Regex::new(r#"(?i)<script>|<img|<svg/|\son\w+\s*=\s*"|\sstyle\s*=|href="javascript"#).unwrap();
    let unread = Regex::new(r#" (?:data-lane|data-meta|value)="[^"]*""#).unwrap();
    for path in [
        "/",
        "/?lanes=resource",
        "/?event_type=%3Cscript%3E",
        "/?q=%22%3E%3Cscript%3E&ems=my_cloud",
    ] {
        let answer = served.get(path);
        assert_eq!(answer.status, 200, "{path}");
        // Text cannot become an attribute: quotes in it are entities.
        let found = strange.find(&answer.body).map(|found| found.as_str());
        assert_eq!(found, None, "{path} {}", answer.body);
        // What nobody reads, the script and forms, has it as it came.
        let read = unread.replace_all(&answer.body, "");
        assert!(!read.contains('\u{202e}'), "{path} {read}");
        assert!(answer.body.len() < 200_000, "{path} {}", answer.body.len());
    }
    let page = served.get("/").body;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert!(page.contains("<span class=\"chip\">U+202E</span>"), "{page}");
    assert!(page.contains("(20,000 characters)"), "{page}");
}
