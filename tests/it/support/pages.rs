//! A page as its reader has it: text without markup, and what changes from run to run under one name.

use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::sync::LazyLock;

use regex::Regex;

use crate::support::served::Answer;
use crate::support::served::read;

/// Elements that begin a line.
const LINES: &str = "p|div|li|tr|h1|h2|h3|dt|section|header|summary|pre|table|form|dialog";

/// Asks for a page.
pub(crate) fn get(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    read(&mut stream)
}

/// The part of a page that is not the same on every page.
pub(crate) fn main(html: &str) -> &str {
    let start = html.find("<main").unwrap();
    let end = html.find("</main>").unwrap();
    html.get(start..end).unwrap()
}

/// What a reader sees of it, line by line.
pub(crate) fn text(html: &str) -> String {
    static BREAK: LazyLock<Regex> = LazyLock::new(|| Regex::new(&format!("<(?:{LINES})[ >]")).unwrap());
    static DRAWN: LazyLock<Regex> = LazyLock::new(|| Regex::new("(?s)<svg.*?</svg>").unwrap());
    static TAG: LazyLock<Regex> = LazyLock::new(|| Regex::new("<[^>]*>").unwrap());
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new("<(?:span|b|button)[ >]").unwrap());
    static CELL: LazyLock<Regex> = LazyLock::new(|| Regex::new("<(?:td|dd|th)[ >]").unwrap());
    let drawn = DRAWN.replace_all(main(html), "");
    let lines = BREAK.replace_all(&drawn, "\n$0");
    let cells = CELL.replace_all(&lines, " | $0");
    let words = WORD.replace_all(&cells, " $0");
    let bare = TAG.replace_all(&words, "");
    let plain = bare
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&amp;", "&");
    let lines = plain
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    let lines = lines.filter(|line| !line.is_empty());
    stable(&lines.map(|line| line + "\n").collect::<String>())
}

/// Times, lengths of time and generations by one name each.
fn stable(text: &str) -> String {
    let names = [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z| UTC)?", "TIME"),
        (r"\d\d:\d\d:\d\d", "TIME"),
        (r"[A-Z][a-z]{2} \d+(, \d{4})? TIME", "TIME"),
        (r"\d+ (days|hours|minutes) ago|just now", "AGO"),
        (r"\b[\d.]+ (ms|s|min)\b|\b\d+ d( \d+ h)?\b", "LENGTH"),
        (r"\b[0-9a-f]{7}\b", "RULES"),
        (r"\d+ % of it [a-z ]+", "PART of it SOMEWHERE"),
        (r"[\d.]+ (B|KB)\b", "SIZE"),
    ];
    names.into_iter().fold(text.to_owned(), |text, (pattern, name)| {
        Regex::new(pattern).unwrap().replace_all(&text, name).into_owned()
    })
}

/// The lines from one that begins so up to one that begins otherwise so.
pub(crate) fn part(text: &str, from: &str, to: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with(from));
    let lines = lines.take_while(|line| !line.starts_with(to));
    lines.map(|line| format!("{line}\n")).collect()
}
