//! The pages in a real browser: what a person does with a mouse, with a keyboard, and what is done to a person.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;
use std::time::Instant;

use fantoccini::key::Key;
use serde_json::Value;
use serde_json::json;
use switchboard::model::clock::Clock;
use switchboard::model::clock::Timestamp;

use crate::demo::Demo;
use crate::demo::request;
use crate::support::browser::Browser;
use crate::support::browser::Screen;
use crate::support::served::Served;
use crate::support::serving::pause;

const JSON: &str = "Content-Type: application/json";
/// The script has begun.
const READY: &str = "document.documentElement.dataset.ready !== undefined";

/// A demo, its address, and that of its cloud.
fn demo(arguments: &[&str]) -> (Demo, String, String) {
    let places = ["--listen", "127.0.0.1:0", "--cloud", "127.0.0.1:0"];
    let demo = Demo::start(&[&places, arguments].concat());
    let host = |word| demo.place(word).trim_start_matches("http://").to_owned();
    let (page, cloud) = (host("Switchboard"), host("the cloud"));
    (demo, page, cloud)
}

/// Has the cloud do something.
fn command(cloud: &str, body: &str) -> Value {
    request(cloud, "POST", "/commands", JSON, body).json()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_appears_live_and_is_followed_to_its_vm() {
    let (_demo, page, cloud) = demo(&["--rate", "0"]);
    let Some(browser) = Browser::start(&page).await else {
        return;
    };
    browser.open("/").await;
    browser.until(READY).await;
    let made = command(&cloud, r#"{"do": "create", "name": "hello-page"}"#);
    let live = "document.querySelector('.tail li.new .sub')?.textContent === 'hello-page'";
    browser.until(live).await;

    browser.open("/").await;
    browser.until(READY).await;
    // Zoomed by dragging over the last quarter of the plot: the address says from when until when.
    let plot = browser.run("const r = document.querySelector('.axis .plot').getBoundingClientRect(); return [r.left, r.top, r.width];").await;
    let at = |part: f64| {
        let number = |index: usize| plot[index].as_f64().unwrap();
        (number(0) + number(2) * part, number(1) - 30.0)
    };
    browser.drag(at(0.75), at(1.01)).await;
    browser.until("location.search.includes('from=')").await;
    browser.until("document.querySelector('#applied a')").await;
    assert!(browser.text("#summary").await.contains("from 1 manager"));
    // Undone, and filtered.
    browser.press("u").await;
    browser.until("!location.search.includes('from=')").await;
    browser.run("const s = document.querySelector('select[name=group]'); s.value = 'addition'; s.dispatchEvent(new Event('change', {bubbles: true}));").await;
    browser.until("location.search.includes('group=addition')").await;
    browser
        .until("document.querySelectorAll('.lanes .lane').length === 1")
        .await;
    browser
        .find("input[name=q]")
        .await
        .send_keys("vm.create\n")
        .await
        .unwrap();
    browser.until("location.search.includes('q=vm.create')").await;
    browser
        .until("[...document.querySelectorAll('#rows .c-re')].some(e => e.textContent === 'hello-page')")
        .await;
    let rows = browser.text("#rows").await;
    assert!(rows.contains("com.awesomecloud.vm.create"), "{rows}");

    // Opened: why it was read again, and what that changed.
    browser.run("[...document.querySelectorAll('#rows tr.ev')].find(e => e.textContent.includes('hello-page')).querySelector('.c-ev a').click()").await;
    browser.until("location.pathname.startsWith('/events/')").await;
    let why = browser.text(".tree").await;
    assert!(why.contains("/System/event_handlers/refresh"), "{why}");
    // Followed to the VM.
    let vm = made["id"].as_str().unwrap();
    browser.click("a[href^='/resources/vms/']").await;
    browser
        .until("location.pathname.startsWith('/resources/vms/')")
        .await;
    browser
        .until("document.querySelector('h1')?.textContent.includes('hello-page')")
        .await;
    let about = browser.text("main").await;
    assert!(about.contains(vm), "{about}");
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_letter_is_seen_and_retried() {
    let (_demo, page, _cloud) = demo(&["--rate", "0"]);
    let refused = request(&page, "POST", "/events/demo", JSON, r#"{"nothing": "known"}"#);
    assert_eq!(refused.status, 202, "{refused:?}");
    let Some(browser) = Browser::start(&page).await else {
        return;
    };
    browser.open("/").await;
    assert_eq!(browser.text(".top .badge").await, "1");
    browser.click("nav a[href='/operations']").await;
    let told = browser.text("main").await;
    assert!(told.contains("event_parser.rhai"), "{told}");
    browser.click("form[action$='/retry'] button").await;
    // Its parser is as it was, so it fails again; that somebody asked is kept.
    let end = Instant::now() + Duration::from_secs(30);
    let deed = loop {
        let audit = request(&page, "GET", "/api/audit", JSON, "").json();
        match audit["audit"].get(0) {
            Some(deed) => break deed.clone(),
            None => assert!(Instant::now() < end, "nobody asked"),
        }
        pause();
    };
    assert_eq!(
        (&deed["action"], &deed["result"]),
        (&json!("queue.retry"), &json!("done"))
    );
    browser.open("/operations").await;
    assert!(browser.text("main").await.contains("event_parser.rhai"));
    browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_is_enough() {
    let (_demo, page, cloud) = demo(&["--rate", "0"]);
    command(&cloud, r#"{"do": "create", "name": "by-keys"}"#);
    let Some(browser) = Browser::start(&page).await else {
        return;
    };
    browser.open("/").await;
    browser.until(READY).await;
    browser.until("document.querySelector('.tail li')").await;
    // The dialog of the keys opens and closes.
    browser.press("?").await;
    browser.until("document.querySelector('#help').open").await;
    browser.press(&char::from(Key::Escape).to_string()).await;
    browser.until("!document.querySelector('#help').open").await;
    // An hour; into the chart; the bar with the event; zoomed in and out again.
    browser.press("1").await;
    browser.until("location.search === '?range=1h'").await;
    browser.press("c").await;
    browser
        .until("document.activeElement.classList.contains('plotbox')")
        .await;
    browser.press(&char::from(Key::Left).to_string()).await;
    browser
        .until("document.querySelector('#readout').textContent.includes('event')")
        .await;
    browser.press("-").await;
    browser.until("location.search.includes('from=')").await;
    browser.press("u").await;
    browser.until("location.search === '?range=1h'").await;
    // Down the list, and open.
    browser.press("j").await;
    browser.until("document.querySelector('#rows tr.on')").await;
    browser.press(&char::from(Key::Enter).to_string()).await;
    browser.until("location.pathname.startsWith('/events/')").await;
    // Every step opened, and only what did not happen.
    browser.until("document.readyState === 'complete'").await;
    browser.press("e").await;
    browser
        .until("document.querySelectorAll('.tree details:not([open])').length === 0")
        .await;
    browser.press("n").await;
    browser
        .until("document.querySelector('.tree').classList.contains('only')")
        .await;
    for (keys, place) in [
        ("gr", "/rules"),
        ("go", "/operations"),
        ("gi", "/inventory"),
        ("gt", "/"),
    ] {
        browser.press(keys).await;
        browser
            .until(&format!(
                "location.pathname === '{place}' && document.readyState === 'complete'"
            ))
            .await;
    }
    // The first stop of the tab key leads past the navigation.
    browser.press(&char::from(Key::Tab).to_string()).await;
    browser
        .until("document.activeElement.classList.contains('skip')")
        .await;
    browser.close().await;
}

/// Elements that make a page wider than the screen, outside of what scrolls by itself.
const TOO_WIDE: &str = "if (document.documentElement.scrollWidth <= innerWidth) return []; \
    const scrolls = e => e && (/auto|scroll|hidden/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement)); \
    return [...document.body.querySelectorAll('*')].filter(e => innerWidth < e.getBoundingClientRect().right && !scrolls(e.parentElement)) \
    .map(e => e.outerHTML.slice(0, 120)).slice(0, 5).concat([String(document.documentElement.scrollWidth)]);";

/// An appliance with a runtime of its own, which cannot end on a thread of another one.
struct Elsewhere(Option<Served>);

impl Drop for Elsewhere {
    fn drop(&mut self) {
        let served = self.0.take();
        std::thread::spawn(move || drop(served)).join().unwrap();
    }
}

/// What an event may say to harm whoever looks at it. It ends in what no page may ask for.
fn hostile(listener: &str) -> Vec<String> {
    let address = format!("http://{listener}/stolen");
    let mut texts = vec![
        format!("<script>fetch('{address}')</script>"),
        format!("<img src={address} onerror=\"fetch('{address}')\">"),
        format!("\"><svg onload=fetch('{address}')>"),
        format!("'-fetch('{address}')-'"),
        format!("<iframe src=\"javascript:fetch('{address}')\"></iframe>"),
        format!("<link rel=stylesheet href={address}><style>@import '{address}'</style>"),
        format!("<meta http-equiv=refresh content=\"0;url={address}\">"),
        format!("javascript:fetch('{address}')"),
        "</title></textarea></template></script></svg></select></table>".to_owned(),
        "{{constructor.constructor('alert(1)')()}}${alert(1)}".to_owned(),
        "\u{202e}txt.exe\u{2066}\u{2069}\u{200f}שלום".to_owned(),
        "\u{0}\u{1}\u{7}\u{8}\u{1b}[31mred\u{7f}\u{85}".to_owned(),
        "__proto__".to_owned(),
        "a".repeat(1_000_000 - 500),
        "é".repeat(3_000),
        "word ".repeat(3_000),
    ];
    texts.push("x".repeat(255));
    texts
}

/// Saves an event for each text, with the text in every field that its parser and its rules can have from it.
fn post_hostile(served: &Served, texts: &[String]) {
    for (text, number) in texts.iter().zip(0..) {
        // Keys of the database stay of a sane length.
        let short: String = text.chars().take(500).collect();
        // An event may have a megabyte, in one of its texts.
        let other: String = text.chars().take(10_000).collect();
        let event = json!({
            "id": format!("e-{number}-{short}"), "event_name": format!("com.awesomecloud.vm.{short}"),
            "time": format!("2026-01-01T11:00:{number:02}Z"), "message": text, "username": other,
            "vm": {"id": short, "name": other}, other.as_str(): other,
        });
        assert_eq!(served.post(&event.to_string()).status, 202, "{short}");
    }
    served.until_saved(texts.len().try_into().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn statement_40_hostile_events_are_text_on_every_page_and_nothing_is_asked_for() {
    let stolen = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    stolen.set_nonblocking(true).unwrap();
    let texts = hostile(&stolen.local_addr().unwrap().to_string());
    let served = tokio::task::spawn_blocking(move || {
        let served = Served::with("");
        post_hostile(&served, &texts);
        // One that no parser reads, for the dead letters.
        served.post(&json!({"<script>": texts[0]}).to_string());
        (served, texts)
    });
    let (served, texts) = served.await.unwrap();
    let served = Elsewhere(Some(served));
    let address = served.0.as_ref().unwrap().address().to_string();
    let Some(browser) = Browser::start(&address).await else {
        return;
    };
    // Would run before anything of the page: a dialog would hang every page, a refusal is told.
    browser.devtools("Page.enable", json!({})).await;
    let span = "from=2026-01-01T11:00:00Z&to=2026-01-01T11:02:00Z";
    let mut pages = vec![
        format!("/?{span}"),
        format!("/?{span}&lanes=resource"),
        format!("/?{span}&scale=one"),
        "/inventory".to_owned(),
        "/rules".to_owned(),
        "/operations".to_owned(),
        "/?q=%3Cscript%3Ealert(1)%3C/script%3E".to_owned(),
        "/?tz=%3Cscript%3E".to_owned(),
        "/resources/vms/%3Cscript%3E".to_owned(),
    ];
    pages.extend((1..=texts.len()).map(|number| format!("/events/{number}")));
    browser.open(&pages[0]).await;
    browser.until(READY).await;
    let links = browser
        .run("return [...document.querySelectorAll('#rows .c-re a')].map(a => a.getAttribute('href'));")
        .await;
    pages.extend(
        links
            .as_array()
            .unwrap()
            .iter()
            .map(|link| link.as_str().unwrap().to_owned()),
    );
    for page in &pages {
        browser.open(page).await;
        browser.until("document.readyState === 'complete'").await;
        for screen in [(1_280, false), (390, true)] {
            let (width, is_dark) = screen;
            browser
                .screen(Screen {
                    width,
                    height: 900,
                    is_dark,
                })
                .await;
            // The layout is whole: nothing is wider than the screen.
            assert_eq!(browser.run(TOO_WIDE).await, json!([]), "{page} at {width}");
        }
        let alien = browser.run(
            "return [...document.querySelectorAll('main script, main iframe, main link, main meta, main img, main style, \
             [onerror], [onload], [style]:not(.cursor):not(.brush), a[href^=\"javascript:\"]')].map(e => e.outerHTML.slice(0, 200)).concat(\
             performance.getEntriesByType('resource').map(r => r.name).filter(n => new URL(n).origin !== location.origin));",
        );
        assert_eq!(alien.await, json!([]), "{page}");
    }
    // Not even tried: with the policy in force, a try would be told.
    let told = browser.complaints().await;
    let told: Vec<&String> = told.iter().filter(|line| !line.contains("status of 4")).collect();
    assert!(told.is_empty(), "{told:#?}");
    assert_eq!(
        stolen.accept().unwrap_err().kind(),
        std::io::ErrorKind::WouldBlock
    );
}

/// A month of events about the VMs of a demo's cloud, with storms, gaps and types that nobody knows.
fn post_month(page: &str, cloud: &str) {
    let vms = request(cloud, "GET", "/vms", JSON, "").json();
    let vms = vms["items"].as_array().unwrap().clone();
    let mut random = fastrand::Rng::with_seed(5);
    let kinds = ["create", "power_on", "power_off", "update", "suspend", "destroy"];
    let now = Clock::System.now().as_second();
    let mut times: Vec<(i64, &str)> = Vec::new();
    for hour in 0..30 * 24 {
        let is_day = (7..19).contains(&(hour % 24));
        for _ in 0..random.u8(..if is_day { 5 } else { 2 }) {
            times.push((
                hour * 3_600 + random.i64(0..3_600),
                kinds[random.usize(..kinds.len())],
            ));
        }
        if matches!(hour, 131 | 460) {
            times.extend((0..90).map(|second| (hour * 3_600 + second * 11, "update")));
        }
        if hour % 61 == 0 {
            times.push((hour * 3_600, "nobody_knows"));
        }
    }
    let events: Vec<Value> = times
        .iter()
        .enumerate()
        .map(|(number, (second, kind))| {
            let vm = &vms[random.usize(..vms.len())];
            let time = Timestamp::from_second(now - 30 * 86_400 + second).unwrap();
            json!({"id": format!("m-{number}"), "event_name": format!("com.awesomecloud.vm.{kind}"),
                   "time": time.to_string(), "vm": {"id": vm["id"], "name": vm["name"]}})
        })
        .collect();
    for batch in events.chunks(200) {
        let answer = request(page, "POST", "/events/demo", JSON, &json!(batch).to_string());
        assert_eq!(answer.status, 202, "{answer:?}");
    }
    let (mut decided, end) = (0, Instant::now() + Duration::from_secs(120));
    while decided < events.len() {
        assert!(Instant::now() < end, "{decided} of {} are decided", events.len());
        pause();
        let answer = request(
            page,
            "GET",
            "/api/event_streams?from=2000-01-01T00:00:00Z&limit=1",
            JSON,
            "",
        )
        .json();
        decided = usize::try_from(answer["total"].as_u64().unwrap()).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_pictured_as_three_devices_show_it_by_day_and_by_night() {
    let (_demo, page, cloud) = demo(&["--rate", "0"]);
    request(&page, "POST", "/events/demo", JSON, r#"{"nobody": "reads this"}"#);
    let (address, at) = (page.clone(), cloud.clone());
    tokio::task::spawn_blocking(move || post_month(&address, &at))
        .await
        .unwrap();
    let Some(browser) = Browser::start(&page).await else {
        return;
    };
    browser.open("/?lanes=resource").await;
    browser.until(READY).await;
    let first = |selector: &str| format!("return document.querySelector('{selector}').getAttribute('href');");
    let event = browser.run(&first("#rows .c-ev a")).await;
    let resource = browser.run(&first("#rows .c-re a")).await;
    let pages = [
        ("timeline", "/".to_owned()),
        ("timeline-by-resource", "/?lanes=resource&range=7d".to_owned()),
        ("event", event.as_str().unwrap().to_owned()),
        ("resource", resource.as_str().unwrap().to_owned()),
        ("inventory", "/inventory".to_owned()),
        ("rules", "/rules".to_owned()),
        ("operations", "/operations".to_owned()),
    ];
    for (name, path) in &pages {
        for width in [390, 1_024, 1_600] {
            for is_dark in [false, true] {
                browser
                    .screen(Screen {
                        width,
                        height: 1_000,
                        is_dark,
                    })
                    .await;
                browser.open(path).await;
                browser.until("document.readyState === 'complete'").await;
                assert_eq!(browser.run(TOO_WIDE).await, json!([]), "{path} at {width}");
                let mode = if is_dark { "dark" } else { "light" };
                browser.keep_picture(&format!("{name}-{width}-{mode}")).await;
            }
        }
    }
    // The README shows this one; made anew where it is asked for.
    browser
        .screen(Screen {
            width: 1_440,
            height: 900,
            is_dark: false,
        })
        .await;
    browser.open("/").await;
    browser.until(READY).await;
    let picture = browser.keep_picture("readme").await;
    let shown = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/timeline.png");
    if std::env::var_os("UPDATE_PICTURES").is_some() {
        std::fs::copy(&picture, &shown).unwrap();
    }
    assert!(shown.exists(), "UPDATE_PICTURES=1 makes it");
    browser.close().await;
}
