//! What leaves the program goes where it may and nowhere else, and says nothing that was smuggled in.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Request;
use serde_json::json;
use switchboard::model::origin::Origin;
use switchboard::outbound;
use switchboard::outbound::Authorities;
use switchboard::outbound::Client;
use switchboard::outbound::ClientConfig;
use switchboard::outbound::OutboundError;
use switchboard::outbound::Outside;

use crate::support::receiver::Mood;
use crate::support::receiver::Receiver;

fn config(allowed: &[&str]) -> ClientConfig {
    ClientConfig {
        allowed_origins: allowed.iter().map(|origin| origin.parse().unwrap()).collect(),
        connect_time: Duration::from_secs(5),
        whole_time: Duration::from_secs(5),
        longest_answer: 1000,
        keeps_connections: false,
        authorities: Authorities::WebPki,
    }
}

fn get(client: &Client, url: &str) -> Result<u16, OutboundError> {
    let request = Request::get(url).body(Vec::new()).unwrap();
    Ok(client.send(request)?.status().as_u16())
}

/// Every way to write a place inside: of loopback, of a private network, of one link, of the cloud's metadata.
#[test]
fn statement_39_no_spelling_of_a_place_inside_leads_there() {
    let receiver = Receiver::with([]);
    let port = receiver.address.port();
    let client = Client::new(&config(&[]));
    let spellings = [
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "017700000001",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.0x0.0x0.0x1",
        "0177.0.0.1",
        "0177.0.0.01",
        "0177.0000.0000.0001",
        "127.0.0.1.",
        "127.255.255.254",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "0",
        "0.0.0.0",
        "0x0",
        "00000",
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[0000:0000:0000:0000:0000:0000:0000:0001]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::7f00:1]",
        "[2002:7f00:1::]",
        "[fe80::1]",
        "[fd00::1]",
        "[fc00::1]",
        "[fd00:ec2::254]",
        "[ff02::1]",
        "[fec0::1]",
        "[::ffff:a9fe:a9fe]",
        "[::ffff:169.254.169.254]",
        "[64:ff9b::a9fe:a9fe]",
        "169.254.169.254",
        "169.254.43518",
        "2852039166",
        "0xa9fea9fe",
        "0xA9.0xFE.0xA9.0xFE",
        "0251.0376.0251.0376",
        "025177524776",
        "10.0.0.1",
        "10.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.0.1",
        "192.168.1",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.192",
        "224.0.0.1",
        "255.255.255.255",
    ];
    for host in spellings {
        for url in [format!("http://{host}:{port}/"), format!("https://{host}/x")] {
            let refused = get(&client, &url).unwrap_err();
            // Some systems do not know this name.
            let is_unknown = host == "localhost." && matches!(refused, OutboundError::Unreachable(_));
            assert!(
                is_unknown || matches!(refused, OutboundError::Forbidden { .. } | OutboundError::Url(_)),
                "{url}: {refused:?}"
            );
        }
    }
    assert_eq!(receiver.connections(), 0);
    // The test is of that receiver, and of no other reason.
    let allowed = Client::new(&config(&[&receiver.url()]));
    assert_eq!(get(&allowed, &receiver.url()).unwrap(), 202);
}

#[test]
fn only_http_leads_anywhere_and_no_user_hides_the_host() {
    let client = Client::new(&config(&[]));
    for url in [
        "file:///etc/passwd",
        "gopher://127.0.0.1:70/_x",
        "ftp://example.com/",
        "ws://example.com/",
        "http://example.com@127.0.0.1/",
        "http://127.0.0.1:x@example.com/",
        "/etc/passwd",
        "example.com",
        "http://example.com:/",
    ] {
        let Ok(request) = Request::get(url).body(Vec::new()) else {
            continue;
        };
        let refused = client.send(request).unwrap_err();
        assert!(matches!(refused, OutboundError::Url(_)), "{url}: {refused:?}");
    }
}

#[test]
fn a_name_is_looked_up_once_and_one_address_inside_among_good_ones_is_enough() {
    let receiver = Receiver::with([]);
    let inside = receiver.address;
    let asked = Arc::new(AtomicUsize::new(0));
    // Public the first time, loopback the second: a check that looks twice is fooled.
    let count = asked.clone();
    let rebinding = move |_: &str, port: u16| -> io::Result<Vec<SocketAddr>> {
        let public = SocketAddr::from(([203, 0, 114, 7], port));
        let first = count.fetch_add(1, Ordering::SeqCst) == 0;
        Ok(vec![if first { public } else { inside }])
    };
    let quick = ClientConfig {
        connect_time: Duration::from_millis(300),
        whole_time: Duration::from_millis(300),
        ..config(&[])
    };
    let url = format!("http://rebound.example:{}/", inside.port());
    let client = Client::with_lookup(&quick, Arc::new(rebinding));
    let first = get(&client, &url).unwrap_err();
    assert!(
        matches!(first, OutboundError::Late(_) | OutboundError::Unreachable(_)),
        "{first:?}"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let second = get(&client, &url).unwrap_err();
    assert!(matches!(second, OutboundError::Forbidden { .. }), "{second:?}");
    let both = move |_: &str, port: u16| Ok(vec![SocketAddr::from(([203, 0, 114, 7], port)), inside]);
    let mixed = get(&Client::with_lookup(&quick, Arc::new(both)), &url).unwrap_err();
    assert_eq!(
        mixed.to_string(),
        format!(
            "`http://rebound.example:{}` is at 127.0.0.1, a loopback address; only origins that \
             `outbox.allowed_origins` of the settings names may be there",
            inside.port()
        )
    );
    assert_eq!(receiver.connections(), 0);
}

#[test]
fn what_is_connected_to_is_the_address_that_was_checked() {
    let receiver = Receiver::with([]);
    let inside = receiver.address;
    let named = format!("http://inside.example:{}", inside.port());
    let lookup = move |host: &str, _port: u16| {
        assert_eq!(host, "inside.example");
        Ok(vec![inside])
    };
    let client = Client::with_lookup(&config(&[&named]), Arc::new(lookup));
    assert_eq!(get(&client, &format!("{named}/hook?a=b")).unwrap(), 202);
    let head = receiver.received()[0].head.clone();
    assert!(head.starts_with("GET /hook?a=b HTTP/1.1\r\n"), "{head}");
    assert!(
        head.contains(&format!("host: inside.example:{}\r\n", inside.port())),
        "{head}"
    );
    // A name that is allowed inside still leads to no metadata.
    let metadata = |_: &str, port: u16| Ok(vec![SocketAddr::from(([169, 254, 169, 254], port))]);
    let client = Client::with_lookup(&config(&[&named]), Arc::new(metadata));
    assert!(matches!(
        get(&client, &named),
        Err(OutboundError::Forbidden { .. })
    ));
}

#[test]
fn a_redirect_is_an_answer_and_followed_nowhere() {
    let other = Receiver::with([]);
    for location in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        other.url(),
        "file:///etc/passwd".to_owned(),
    ] {
        let headers = format!("Location: {location}\r\n");
        let receiver = Receiver::always(Mood::Answers(302, headers, String::new()));
        let client = Client::new(&config(&[&receiver.url(), &other.url()]));
        assert_eq!(get(&client, &receiver.url()).unwrap(), 302);
        assert_eq!(receiver.connections(), 1);
    }
    assert_eq!(other.connections(), 0);
}

#[test]
fn an_answer_has_its_limits() {
    let long = Receiver::always(Mood::Answers(200, String::new(), "x".repeat(1001)));
    let client = Client::new(&config(&[&long.url()]));
    let reply = client
        .send(Request::get(long.url()).body(Vec::new()).unwrap())
        .unwrap();
    assert!(matches!(reply.read(), Err(OutboundError::TooLong(1000))));
    let late = Receiver::always(Mood::Late);
    let quick = ClientConfig {
        whole_time: Duration::from_millis(200),
        ..config(&[&late.url()])
    };
    let refused = get(&Client::new(&quick), &late.url()).unwrap_err();
    assert!(matches!(refused, OutboundError::Late(_)), "{refused:?}");
}

#[test]
fn an_origin_is_one_however_it_is_spelled_and_nothing_else() {
    let same = |left: &str, right: &str| left.parse::<Origin>() == right.parse::<Origin>();
    assert!(same("http://Example.com", "http://example.com.:80/"));
    assert!(!same("http://example.com", "https://example.com"));
    assert!(!same("http://example.com", "http://example.com:8080"));
    for (text, why) in [
        (
            "http://example.com/path",
            "has a path or a query; scheme, host and port are expected",
        ),
        (
            "example.com",
            "is no address such as `https://events.example.com`",
        ),
        ("ftp://example.com", "has to begin with https:// or http://"),
        (
            "http://a@b",
            "contains a user; credentials have a place of their own",
        ),
        (
            "http://0177.0.0.1",
            "spells an address in an unusual way; four decimal numbers are expected",
        ),
    ] {
        assert_eq!(text.parse::<Origin>().unwrap_err().to_string(), why, "{text}");
    }
}

#[test]
fn a_header_smuggles_nothing_in_and_the_refusal_names_it() {
    for (name, value, why) in [
        (
            "x-a",
            "b\r\nx-evil: 1",
            "the header `x-a` has a value that HTTP does not allow: a line break or the like",
        ),
        (
            "x-a",
            "b\nc",
            "the header `x-a` has a value that HTTP does not allow: a line break or the like",
        ),
        (
            "x-a",
            "b\0",
            "the header `x-a` has a value that HTTP does not allow: a line break or the like",
        ),
        (
            "x-a\r\nx-evil",
            "1",
            "the header `x-a\\r\\nx-evil` has no name that HTTP allows",
        ),
        (
            "Host",
            "evil.example",
            "the header `Host` is not for scripts to set",
        ),
        (
            "transfer-encoding",
            "chunked",
            "the header `transfer-encoding` is not for scripts to set",
        ),
    ] {
        assert_eq!(outbound::header(name, value).unwrap_err().to_string(), why);
    }
}

#[test]
fn a_wrong_description_is_refused_with_the_key_that_is_wrong() {
    let url = "https://example.com/hook";
    for (action, why) in [
        (
            json!({"smoke": 1}),
            "evm.deliver takes one of #{ http: … }, #{ command: … }, #{ email: … } and #{ log: … }",
        ),
        (
            json!({"log": "x", "http": {}}),
            "evm.deliver takes one of #{ http: … }, #{ command: … }, #{ email: … } and #{ log: … }",
        ),
        (json!({"http": {}}), "`http.url` is missing; a URL is expected"),
        (json!({"http": 5}), "`http` is a number; a map is expected"),
        (
            json!({"http": {"url": "file:///etc/passwd"}}),
            "`http.url` has to begin with https:// or http://",
        ),
        (
            json!({"http": {"url": "gopher://x/"}}),
            "`http.url` has to begin with https:// or http://",
        ),
        (
            json!({"http": {"url": "https://a b"}}),
            "`http.url` is no address such as `https://events.example.com`",
        ),
        (
            json!({"http": {"url": "https://chat.example/team-a/../team-b"}}),
            "`http.url` has `..` in its path, which leads elsewhere; the path that is meant is expected",
        ),
        (
            json!({"http": {"url": "https://chat.example/team-a/%2E%2e%2fteam-b?x=1"}}),
            "`http.url` has `%2E%2e%2fteam-b` in its path, which leads elsewhere; the path that is meant is expected",
        ),
        (
            json!({"http": {"url": "https://a\r\nb"}}),
            "`http.url` contains a line break or NUL, which would smuggle in a header; one line is expected",
        ),
        (
            json!({"http": {"uri": url}}),
            "`http.uri` is no key that evm.deliver knows; url, method, headers, body, json, cloud_event, expect are",
        ),
        (
            json!({"http": {"url": url, "method": "TRACE"}}),
            "`http.method` is none of GET, POST, PUT, PATCH, DELETE",
        ),
        (
            json!({"http": {"url": url, "method": "get", "body": "x"}}),
            "`http.method` is GET, which sends no body",
        ),
        (
            json!({"http": {"url": url, "body": "x", "json": 1}}),
            "`http.body`, `http.json` and `http.cloud_event` exclude each other",
        ),
        (
            json!({"http": {"url": url, "body": {"a": 1}}}),
            "`http.body` is a map; a text is expected",
        ),
        (
            json!({"http": {"url": url, "headers": {"x-a": "b\r\nx-c: d"}}}),
            "`http.headers.x-a` contains a line break or NUL, which would smuggle in a header; one line is expected",
        ),
        (
            json!({"http": {"url": url, "headers": {"Idempotency-Key": "1"}}}),
            "`http.headers.Idempotency-Key` is set by the outbox, the same in every attempt",
        ),
        (
            json!({"http": {"url": url, "headers": {"Host": "x"}}}),
            "`http.headers.Host`: the header `Host` is not for scripts to set",
        ),
        (
            json!({"http": {"url": url, "headers": {"x-a": 1}}}),
            "`http.headers.x-a` is a number; a text or #{ secret: \"name\" } is expected",
        ),
        (
            json!({"http": {"url": url, "headers": {"x-a": {"secret": "s", "suffix": "x"}}}}),
            "`http.headers.x-a.suffix` is no key that evm.deliver knows; secret, prefix are",
        ),
        (
            json!({"http": {"url": url, "expect": 99}}),
            "`http.expect` is a number; a status such as 202, or a list of them, is expected",
        ),
        (
            json!({"http": {"url": url, "cloud_event": {}}}),
            "`http.cloud_event.type` is missing; a text is expected",
        ),
        (
            json!({"command": "page"}),
            "`command` is a text; a list such as [\"name\", \"argument\"] is expected",
        ),
        (
            json!({"command": []}),
            "`command` is empty; a list such as [\"name\", \"argument\"] is expected",
        ),
        (
            json!({"command": ["page", 1]}),
            "`command[1]` is a number; a text is expected",
        ),
        (
            json!({"email": {"subject": "x"}}),
            "`email.to` is missing; an address or a list of them is expected",
        ),
        (
            json!({"email": {"to": "a@b.c", "subject": "x\r\nBcc: d@e.f"}}),
            "`email.subject` contains a line break or NUL, which would smuggle in a header; one line is expected",
        ),
        (
            json!({"email": {"to": "a@b.c"}}),
            "`email.subject` is missing; a text is expected",
        ),
        (
            json!({"log": {"level": "loud", "message": "x"}}),
            "`log.level` is none of debug, info, warn, error",
        ),
        (json!({"log": 1}), "`log` is a number; a map is expected"),
    ] {
        assert_eq!(
            Outside::parse(&action.clone().into()).unwrap_err().to_string(),
            why,
            "{action}"
        );
    }
    for action in [
        json!({"http": {"url": url}}),
        json!({"http": {"url": {"secret": "chat"}, "method": "put", "json": [1], "expect": [200, 404]}}),
        json!({"http": {"url": url, "headers": {"x-a": {"secret": "s", "prefix": "Bearer "}}, "cloud_event": {"type": "t"}}}),
        json!({"command": ["page", "-a"]}),
        json!({"email": {"to": ["a@b.c"], "subject": "x", "body": "two\r\nlines"}}),
        json!({"log": {"level": "warn", "message": "x"}}),
        json!({"log": "x"}),
    ] {
        assert!(Outside::parse(&action.clone().into()).is_ok(), "{action}");
    }
}
