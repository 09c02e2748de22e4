//! Who is let in: tokens and sessions at every route, and what other sites can have a browser send.
#![expect(clippy::unwrap_used, reason = "tests")]

use crate::support::served::Answer;
use crate::support::served::Served;

const TOKEN: &str = "correct-horse-battery-staple";
/// Every kind of route, and what it answers to those who are let in.
const ROUTES: [(&str, u16); 9] = [
    ("GET /", 200),
    ("GET /api/event_streams", 200),
    ("GET /api/event_streams/1", 404),
    ("GET /api/queue", 200),
    ("GET /api/refreshes", 200),
    ("GET /api/inventory/vms", 200),
    ("GET /metrics", 200),
    ("POST /events/my_cloud", 400),
    ("OPTIONS /events/my_cloud", 405),
];

fn with_token() -> Served {
    Served::with(&format!(":web:\n  :token: {TOKEN}\n"))
}

fn sign_in(served: &Served, token: &str, headers: &[&str]) -> Answer {
    let headers = [&["Content-Type: application/x-www-form-urlencoded"], headers].concat();
    served.request(
        "POST /sign-in",
        &headers,
        &format!("token={token}&to=%2Fapi%2Fqueue"),
    )
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("Set-Cookie").unwrap();
    format!("Cookie: theme=dark; {}; narrow=0", set.split(';').next().unwrap())
}

#[test]
fn statement_37_every_route_is_closed_to_every_wrong_credential_and_says_the_same() {
    let served = with_token();
    let session = cookie(&sign_in(&served, TOKEN, &["Sec-Fetch-Site: same-origin"]));
    let right = format!("Authorization: Bearer {TOKEN}");
    let same_site = "Sec-Fetch-Site: same-origin";
    for (line, status) in ROUTES {
        let ask = |headers: &[&str]| served.request(line, headers, "");
        assert_eq!(ask(&[&right]).status, status, "{line}");
        assert_eq!(ask(&[&session, same_site]).status, status, "{line}");
        let none = ask(&[]);
        assert_eq!(none.status, 401, "{line}");
        for wrong in [
            vec!["Authorization: Bearer "],
            vec!["Authorization: Bearer nothing"],
            vec!["Authorization: Basic nothing"],
            vec!["Authorization: Bearer correct-horse-battery-staple x"],
            vec![&right, "Authorization: Bearer nothing"],
            vec![&right, &right],
            vec!["Cookie: switchboard_session="],
            vec!["Cookie: switchboard_session=00"],
            // A session makes no wrong token good.
            vec![&session, same_site, "Authorization: Bearer nothing"],
        ] {
            let answer = ask(&wrong);
            assert_eq!(
                (answer.status, &answer.body),
                (401, &none.body),
                "{line} {wrong:?}"
            );
            assert!(answer.header("Content-Security-Policy").is_some(), "{line}");
        }
    }
}

#[test]
fn people_are_led_to_sign_in_and_back_again() {
    let served = with_token();
    let html = "Accept: text/html,application/xhtml+xml";
    let sent = served.request("GET /?group=power", &[html], "");
    assert_eq!(
        (sent.status, sent.header("Location")),
        (303, Some("/sign-in?to=%2F%3Fgroup%3Dpower"))
    );
    assert_eq!(served.request("GET /api/queue", &[html], "").status, 401);
    let form = served.request("GET /sign-in?to=%2F%3Fgroup%3Dpower", &[html], "");
    assert_eq!(form.status, 200);
    assert!(
        form.body.contains(r#"name="to" value="/?group=power""#),
        "{}",
        form.body
    );

    let same_origin = "Sec-Fetch-Site: same-origin";
    let wrong = sign_in(&served, "wrong", &[same_origin]);
    assert_eq!((wrong.status, wrong.header("Set-Cookie")), (401, None));
    assert!(wrong.body.contains("this is not the token"), "{}", wrong.body);
    let right = sign_in(&served, TOKEN, &[same_origin]);
    assert_eq!(
        (right.status, right.header("Location")),
        (303, Some("/api/queue"))
    );
    let set = right.header("Set-Cookie").unwrap();
    assert!(
        set.ends_with("; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict"),
        "{set}"
    );
    let behind_tls = sign_in(&served, TOKEN, &[same_origin, "X-Forwarded-Proto: https"]);
    assert!(behind_tls.header("Set-Cookie").unwrap().ends_with("; Secure"));

    let session = cookie(&right);
    let page = served.request("GET /", &[&session, html], "");
    assert_eq!(page.status, 200);
    assert!(
        page.body.contains("Sign out") && page.body.contains(r#"data-theme="dark""#),
        "{}",
        page.body
    );
    let out = served.request("POST /sign-out", &[&session, same_origin], "");
    assert_eq!((out.status, out.header("Location")), (303, Some("/sign-in")));
    assert_eq!(served.request("GET /api/queue", &[&session], "").status, 401);

    for _ in 0..9 {
        assert_eq!(sign_in(&served, "wrong", &[same_origin]).status, 401);
    }
    let late = sign_in(&served, TOKEN, &[same_origin]);
    assert_eq!((late.status, late.header("Retry-After")), (429, Some("60")));
}

#[test]
fn what_another_site_has_a_browser_send_changes_nothing() {
    let served = with_token();
    let session = cookie(&sign_in(&served, TOKEN, &["Sec-Fetch-Site: same-origin"]));
    for (headers, is_ours) in [
        (vec!["Sec-Fetch-Site: same-origin"], true),
        (vec!["Sec-Fetch-Site: none"], true),
        (vec!["Origin: http://localhost"], true),
        (vec![], false),
        (vec!["Sec-Fetch-Site: cross-site"], false),
        (
            vec!["Sec-Fetch-Site: same-site", "Origin: http://localhost"],
            false,
        ),
        (vec!["Origin: http://localhost:8080"], false),
        (vec!["Origin: https://evil.example"], false),
        (vec!["Origin: null"], false),
    ] {
        let expected = if is_ours { 400 } else { 403 };
        let with_session = [vec![&*session], headers.clone()].concat();
        assert_eq!(
            served.request("POST /events/my_cloud", &with_session, "").status,
            expected,
            "{headers:?}"
        );
        let signed_in = sign_in(&served, TOKEN, &headers);
        assert_eq!(signed_in.status, if is_ours { 303 } else { 403 }, "{headers:?}");
    }
}

#[test]
fn without_a_token_nobody_can_sign_in_and_nobody_has_to() {
    let served = Served::with("");
    assert_eq!(sign_in(&served, "", &["Sec-Fetch-Site: same-origin"]).status, 401);
    let page = served.get("/");
    assert_eq!(page.status, 200);
    assert!(!page.body.contains("Sign out"));
    assert_eq!(served.request("GET /", &["Host: evil.example"], "").status, 421);
}
