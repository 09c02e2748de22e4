//! One line of a rule file: values and comments apart, or the place that a finding is about.

use maud::Markup;
use maud::html;

use crate::web::pages::words;

/// Characters of a line that are shown.
const WIDTH: usize = 1_000;

/// A line; where a finding is about it, with its place marked, from 1 in characters.
pub(crate) fn line(path: &str, text: &str, column: Option<u32>) -> Markup {
    if let Some(column) = column {
        return marked(text, column);
    }
    let is_yaml = path.ends_with(".yaml");
    let start = text.trim_start();
    let is_comment = if is_yaml {
        start.starts_with('#')
    } else {
        start.starts_with("//")
    };
    if is_comment {
        return html! { span.c { (shown(text)) } };
    }
    match text.split_once(": ").filter(|_| is_yaml) {
        Some((key, value)) => html! { (shown(key)) ": " span.s { (shown(value)) } },
        None => shown(text),
    }
}

/// From the place on as far as the word goes.
fn marked(text: &str, column: u32) -> Markup {
    let place = usize::try_from(column).unwrap_or(1).saturating_sub(1);
    let at = text.char_indices().nth(place).map_or(text.len(), |(at, _)| at);
    let (before, rest) = text.split_at(at);
    let is_end = |c: char| c.is_whitespace() || matches!(c, ',' | '}' | ')' | '&' | '"' | '\'');
    let end = rest.char_indices().skip(1).find(|(_, c)| is_end(*c));
    let (word, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
    html! { (shown(before)) @if !word.is_empty() { u { (shown(word)) } } (shown(after)) }
}

fn shown(text: &str) -> Markup {
    if text.is_empty() {
        return html! {};
    }
    words::foreign_up_to(text, WIDTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(markup: &Markup) -> String {
        markup.0.replace("<bdi>", "").replace("</bdi>", "")
    }

    #[test]
    fn values_comments_and_places_are_marked() {
        for (path, text, column, expected) in [
            (
                "a.yaml",
                "  - rel4: {value: x}",
                None,
                "  - rel4: <span class=\"s\">{value: x}</span>",
            ),
            ("a.yaml", "# a: b", None, "<span class=\"c\"># a: b</span>"),
            ("a.rhai", "  // why", None, "<span class=\"c\">  // why</span>"),
            ("a.rhai", "let a: b", None, "let a: b"),
            (
                "a.yaml",
                "  rel: /Ops?parm=x&b",
                Some(13),
                "  rel: /Ops?<u>parm=x</u>&amp;b",
            ),
            ("a.yaml", "é <b>", Some(3), "é <u>&lt;b&gt;</u>"),
            ("a.yaml", "short", Some(99), "short"),
        ] {
            assert_eq!(plain(&line(path, text, column)), expected, "{text}");
        }
    }
}
