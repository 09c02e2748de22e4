//! Senders that cannot choose how they send, and those that are refused: nothing of that stays unseen.

use serde_json::Value;
use serde_json::json;

use crate::support::process::Process;
use crate::support::process::prepared;
use crate::support::project::Project;
use crate::support::served::Served;

/// As Amazon SNS sends everything.
const SNS: [&str; 2] = [
    "Content-Type: text/plain; charset=UTF-8",
    "x-amz-sns-message-id: m-1",
];
const STOPPED: &str = r#"{"version":"0","id":"ev-1","detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","time":"2026-11-30T12:00:00Z","detail":{"instance-id":"i-0abc","state":"stopped"}}"#;

/// A project with a manager `aws` of Amazon.
fn amazon() -> Project {
    let project = prepared(Project::shipped(), "", "");
    let told = project.run("ems add aws --type amazon");
    assert!(told.contains("added"), "{told}");
    project
}

#[test]
fn what_sns_delivers_is_taken_in_a_notification_and_raw() {
    let project = amazon();
    let process = Process::start(&project);
    let notification = json!({"Type": "Notification", "MessageId": "m-1", "Message": STOPPED}).to_string();
    let raw = STOPPED.replace("ev-1", "ev-2").replace("i-0abc", "i-0raw");
    for (kind, body) in [("Notification", &notification), ("Notification", &raw)] {
        let kind = format!("x-amz-sns-message-type: {kind}");
        let answer = process.request("POST /events/aws", &[&SNS[..], &[&kind]].concat(), body);
        assert_eq!((answer.status, answer.json()), (202, json!({"accepted": 1})));
    }
    let listed = process.until("/api/event_streams?ems=aws", |json| {
        json["event_streams"]
            .as_array()
            .is_some_and(|events| events.len() == 2)
    });
    for (event, instance) in listed["event_streams"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["i-0raw", "i-0abc"])
    {
        assert_eq!(
            event["event_type"],
            "EC2_Instance_State_change_Notification_stopped"
        );
        assert_eq!(event["vm_ems_ref"], instance);
    }
}

#[test]
fn the_address_that_confirms_a_subscription_is_in_the_log() {
    let project = amazon();
    let process = Process::start(&project);
    let url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=abc";
    let confirmation = json!({"Type": "SubscriptionConfirmation", "TopicArn": "arn:aws:sns:eu-west-1:1:events", "SubscribeURL": url});
    let answer = process.request("POST /events/aws", &SNS, &confirmation.to_string());
    assert_eq!(
        (answer.status, answer.json()),
        (202, json!({"accepted": 0, "filtered": 1}))
    );
    let told = format!(
        "SubscriptionConfirmation of arn:aws:sns:eu-west-1:1:events: no event; to subscribe, open {url}"
    );
    // The line comes before the answer, the pipe of the log a moment later.
    process.until("/healthz", |_| process.log().contains(&told));
}

#[test]
fn a_sender_that_is_refused_is_one_line_of_the_log_and_a_count_of_its_manager() {
    let project = prepared(Project::shipped(), "", "");
    let process = Process::start(&project);
    let post = |name: &str, content_type: &str, body: &str| {
        process
            .request(&format!("POST /events/{name}"), &[content_type], body)
            .status
    };
    assert_eq!(post("my_cloud", "Content-Type: application/json", "{"), 400);
    for _again in 0..3 {
        assert_eq!(post("my_cloud", "Content-Type: text/html", "<p>"), 415);
    }
    assert_eq!(post("stranger", "Content-Type: application/json", "{}"), 404);
    assert_eq!(post("my_cloud", "Content-Type: application/json", "[]"), 202);
    let figures = process.get("/metrics").body;
    for line in [
        "switchboard_requests_refused_total{ems=\"my_cloud\",status=\"400\"} 1",
        "switchboard_requests_refused_total{ems=\"my_cloud\",status=\"415\"} 3",
        "switchboard_requests_refused_total{ems=\"\",status=\"404\"} 1",
    ] {
        assert!(figures.lines().any(|shown| shown == line), "{line}\n{figures}");
    }
    let catchers = process.until("/api/catchers", |json| {
        json["catchers"][0]["today"]["refused"] == 4
    });
    assert_eq!(catchers["catchers"][0]["today"]["received"], 4);
    let log = process.log();
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("Refused what a sender brought"))
        .collect();
    assert_eq!(lines.len(), 2, "{log}");
    assert!(
        lines[0].contains("my_cloud") && lines[0].contains("the body is no JSON: EOF"),
        "{log}"
    );
    assert!(
        lines[1].contains("stranger") && lines[1].contains("there is no manager"),
        "{log}"
    );
    process.stop();
    let listed = project.run("ems list --format json");
    let listed = listed.lines().find(|line| line.starts_with('{')).unwrap();
    let listed: Value = serde_json::from_str(listed).unwrap();
    assert_eq!(listed["today"]["refused"], 4);
    let listed = project.run("ems list");
    let mut rows = listed.lines().skip(1);
    let at = rows.next().unwrap().find("REFUSED").unwrap();
    assert!(
        rows.next().unwrap().get(at..).unwrap().starts_with('4'),
        "{listed}"
    );
}

#[test]
fn a_sender_without_the_token_is_counted_too() {
    let served = Served::with("web:\n  token: secret\n");
    assert_eq!(served.post("{}").status, 401);
    let figures = served
        .request("GET /metrics", &["Authorization: Bearer secret"], "")
        .body;
    let line = "switchboard_requests_refused_total{ems=\"my_cloud\",status=\"401\"} 1";
    assert!(figures.lines().any(|shown| shown == line), "{figures}");
}

#[test]
fn whoever_looks_where_events_are_sent_learns_what_is_there() {
    let served = Served::with("");
    let of_manager = served.get("/events/my_cloud");
    assert_eq!(of_manager.status, 404);
    let told =
        "`/events/my_cloud` takes the events of the manager `my_cloud` by POST; there is nothing to look at";
    assert_eq!(of_manager.json()["error"], told);
    let to_people = served.request("GET /events/my_cloud", &["Accept: text/html"], "");
    assert_eq!(to_people.status, 404);
    for part in [told, "the manager&#39;s page is /managers/my_cloud"] {
        assert!(
            to_people.body.contains(part) || to_people.body.contains(&part.replace("&#39;", "'")),
            "{}",
            to_people.body
        );
    }
    let of_nobody = served.get("/events/nobody");
    assert_eq!(of_nobody.status, 404);
    assert_eq!(
        of_nobody.json()["error"],
        "there is no event `nobody`: an event has a number"
    );
}
