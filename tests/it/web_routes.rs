//! Every route of the router: whom it lets in, and what it tells a browser.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io::Read;
use std::io::Write;

use crate::support::routes::Route;
use crate::support::routes::routes;
use crate::support::served::Answer;
use crate::support::served::Served;

/// Probes, what every page is made of, and the door: they tell nothing of what is saved here.
const OPEN: [&str; 5] = ["/assets/{name}", "/healthz", "/readyz", "/sign-in", "/sign-out"];

/// What every answer tells a browser.
const HEADERS: [(&str, &str); 6] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
         form-action 'self'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Asks, and reads the head of the answer; some answers have no end.
fn ask(served: &Served, method: &str, path: &str, headers: &[&str]) -> Answer {
    let host = if headers.iter().any(|header| header.starts_with("Host:")) {
        ""
    } else {
        "Host: localhost\r\n"
    };
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let request =
        format!("{method} {path} HTTP/1.1\r\n{host}Connection: close\r\nContent-Length: 0\r\n{headers}\r\n");
    let mut stream = served.connect();
    stream.write_all(request.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    let head = String::from_utf8(head).unwrap();
    Answer {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head,
        body: String::new(),
    }
}

/// Whether somebody was sent away for what was shown, or sent to sign in.
fn is_refused(answer: &Answer) -> bool {
    let to_sign_in = answer
        .header("location")
        .is_some_and(|place| place.starts_with("/sign-in"));
    answer.status == 401 || (answer.status == 303 && to_sign_in)
}

fn guarded() -> Vec<Route> {
    let mut routes = routes();
    for open in OPEN {
        assert!(routes.iter().any(|route| route.path == open), "{open} is gone");
    }
    routes.retain(|route| !OPEN.contains(&route.path.as_str()));
    assert!(routes.iter().any(|route| route.path == "/"), "{routes:?}");
    assert!(routes.iter().any(Route::is_endless), "{routes:?}");
    routes
}

#[test]
fn with_a_token_every_route_but_the_open_ones_wants_it() {
    let served = Served::with("web:\n  token: right\n");
    let form = [
        "Content-Type: application/x-www-form-urlencoded",
        "Sec-Fetch-Site: same-origin",
    ];
    let signed_in = served.request("POST /sign-in", &form, "token=right&to=%2F");
    let set = signed_in.header("set-cookie").unwrap();
    let session = format!("Cookie: {}", set.split(';').next().unwrap());
    let (own, foreign) = ("Sec-Fetch-Site: same-origin", "Sec-Fetch-Site: cross-site");
    let right = "Authorization: Bearer right";
    let credentials: [(&[&str], bool); 14] = [
        (&[], false),
        (&["Authorization:"], false),
        (&["Authorization: Bearer"], false),
        (&["Authorization: Bearer wrong"], false),
        (&["Authorization: Bearer  right"], false),
        (&["Authorization: Bearer right x"], false),
        (&["Authorization: Basic right"], false),
        (&[right, right], false),
        (&["Authorization: Bearer wrong", right], false),
        // The token is no session.
        (&["Cookie: session=right; switchboard_session=right", own], false),
        (&[&session, own, "Authorization: Bearer wrong"], false),
        (&[&session, own], true),
        (&[right], true),
        // Space at the end of a header is no part of it (RFC 9110, 5.5).
        (&["Authorization: Bearer right  "], true),
    ];
    for route in guarded() {
        for method in &route.methods {
            for (headers, is_let_in) in credentials {
                let answer = ask(&served, method, &route.example(), headers);
                assert_eq!(
                    is_refused(&answer),
                    !is_let_in,
                    "{method} {} {headers:?} {answer:?}",
                    route.path
                );
                assert!(answer.status < 500, "{method} {} {answer:?}", route.path);
            }
            // Another site may have a browser look, which shows it nothing, and change nothing.
            let answer = ask(&served, method, &route.example(), &[&session, foreign]);
            let is_safe = ["GET", "OPTIONS"].contains(&method.as_str());
            assert_eq!(
                answer.status == 403,
                !is_safe,
                "{method} {} {answer:?}",
                route.path
            );
        }
    }
}

#[test]
fn without_a_token_every_route_but_the_open_ones_wants_a_name_of_this_machine() {
    let served = Served::with("");
    for route in guarded() {
        for method in &route.methods {
            let path = route.example();
            for (headers, status) in [
                (["Host: evil.example"].as_slice(), 421),
                (&["Host: localhost", "Host: localhost"], 421),
                (&["Host: localhost", "Origin: https://evil.example"], 403),
                (&["Host: localhost", "Origin: null"], 403),
            ] {
                let answer = ask(&served, method, &path, headers);
                assert_eq!(answer.status, status, "{method} {path} {headers:?} {answer:?}");
            }
        }
    }
}

fn expect_headers(answer: &Answer, what: &str) {
    for (name, value) in HEADERS {
        let said = answer.head.lines().filter_map(|line| line.split_once(": "));
        let said: Vec<&str> = said
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect();
        assert_eq!(said, [value], "{what} {name}");
    }
    assert!(answer.header("cache-control").is_some(), "{what}");
}

#[test]
fn every_answer_tells_a_browser_to_run_nothing_else() {
    let open = Served::with("");
    let closed = Served::with("web:\n  token: right\n");
    for route in routes() {
        let path = route.example();
        for method in &route.methods {
            expect_headers(&ask(&open, method, &path, &[]), &format!("{method} {path}"));
            expect_headers(
                &ask(&open, method, &path, &["Host: evil.example"]),
                &format!("{method} {path} by another name"),
            );
            expect_headers(
                &ask(&closed, method, &path, &[]),
                &format!("{method} {path} without a token"),
            );
        }
        let wrong = ask(&open, "DELETE", &path, &[]);
        assert_eq!(wrong.status, 405, "{path} {wrong:?}");
        assert!(wrong.header("allow").is_some(), "{path} {wrong:?}");
        expect_headers(&wrong, &format!("DELETE {path}"));
    }
    for path in ["/nowhere", "/api/nowhere", "/assets/app.css", "/?x=1"] {
        expect_headers(&ask(&open, "GET", path, &[]), path);
    }
}

#[test]
fn programs_are_told_what_is_wrong_as_json_and_people_as_a_page() {
    let served = Served::with("");
    let browser = ["Accept: text/html,application/xhtml+xml,*/*;q=0.8"];
    let long = format!("/api/event_streams?event_type={}", "x".repeat(9_000));
    let search = format!("/api/event_streams?q={}", "x".repeat(201));
    for (line, headers, status, kind, told) in [
        (
            "GET /nowhere",
            [].as_slice(),
            404,
            "application/json",
            "there is nothing at `/nowhere`",
        ),
        (
            "GET /nowhere",
            &browser,
            404,
            "text/html; charset=utf-8",
            "there is nothing at `/nowhere`",
        ),
        (
            "GET /%3Cb%3E",
            &browser,
            404,
            "text/html; charset=utf-8",
            "`/%3Cb%3E`",
        ),
        (
            "GET /api/nowhere",
            &browser,
            404,
            "application/json",
            "there is nothing at `/api/nowhere`",
        ),
        (
            "GET /assets/app.exe",
            &browser,
            404,
            "application/json",
            "there is no file `app.exe`",
        ),
        (
            "DELETE /metrics",
            &[],
            405,
            "application/json",
            "`/metrics` does not know DELETE",
        ),
        (
            "GET /?range=1y",
            &browser,
            400,
            "text/html; charset=utf-8",
            "`range` is one of 1h, 6h, 24h, 7d, 30d",
        ),
        (
            "GET /?color=red",
            &browser,
            400,
            "text/html; charset=utf-8",
            "unknown field `color`",
        ),
        (
            &format!("GET {long}"),
            &[],
            414,
            "application/json",
            "at most 8192 are read",
        ),
        (
            &format!("GET {search}"),
            &[],
            400,
            "application/json",
            "`q` is longer than 200 bytes",
        ),
        (
            &format!("GET /?q={}", "x".repeat(201)),
            &browser,
            400,
            "text/html; charset=utf-8",
            "`q` is longer than 200 bytes",
        ),
    ] {
        let answer = served.request(line, headers, "");
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (status, Some(kind)),
            "{line} {answer:?}"
        );
        assert!(answer.body.contains(told), "{line} {answer:?}");
    }
}

#[test]
fn assets_are_kept_for_ever_under_the_address_that_pages_name() {
    let served = Served::with("");
    let page = served.get("/").body;
    for (name, kind) in [
        ("app.css", "text/css; charset=utf-8"),
        ("app.js", "text/javascript; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ] {
        let (_, address) = page.split_once(&format!("\"/assets/{name}")).unwrap();
        let (version, _) = address.split_once('"').unwrap();
        assert!(version.starts_with("?v="), "{version}");
        let named = served.get(&format!("/assets/{name}{version}"));
        let unnamed = served.get(&format!("/assets/{name}"));
        let old = served.get(&format!("/assets/{name}?v=0"));
        let keep = "public, max-age=31536000, immutable";
        for (answer, expected) in [(named, keep), (unnamed, "no-cache"), (old, "no-cache")] {
            assert_eq!(answer.status, 200);
            assert_eq!(
                (answer.header("content-type"), answer.header("cache-control")),
                (Some(kind), Some(expected))
            );
            assert!(!answer.body.is_empty());
        }
    }
}
