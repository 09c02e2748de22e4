//! Sparklines: one bar a bucket, the highest as high as there is room, with the failed part of each.

use std::fmt::Write;

use maud::Markup;
use maud::html;

/// Units of one bar with its gap, and of its height.
const STEP: u64 = 5;
const HEIGHT: u64 = 20;

/// A line of bars: how many there were in each bucket, and how many of them failed.
pub(crate) fn line(bars: &[(u64, u64)], said: &str) -> Markup {
    let width = STEP * bars.len() as u64;
    let most = bars.iter().map(|(all, _)| *all).max().unwrap_or(0).max(1);
    let path = |of: fn(&(u64, u64)) -> u64| {
        let mut path = String::new();
        for (place, bar) in bars.iter().enumerate().filter(|(_, bar)| 0 < of(bar)) {
            // One of many is still to be seen.
            let height = (of(bar) * HEIGHT * 10 / most).max(10);
            let (whole, tenth) = (height / 10, height % 10);
            let top = HEIGHT * 10 + 10 - height;
            let (top, top_tenth) = (top / 10, top % 10);
            let left = STEP * place as u64;
            // Writing to a text does not fail.
            let _written = write!(path, "M{left} {top}.{top_tenth}h4v{whole}.{tenth}h-4z");
        }
        path
    };
    let (all, failed) = (path(|bar| bar.0), path(|bar| bar.1));
    html! {
        svg.spark viewBox={ "0 0 " (width) " 22" } preserveAspectRatio="none" role="img" aria-label=(said) {
            line x1="0" x2=(width) y1="21.5" y2="21.5" {}
            @if !all.is_empty() { path d=(all) {} }
            @if !failed.is_empty() { path.f d=(failed) {} }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_high_as_their_share_of_the_highest() {
        let drawn = line(&[(4, 0), (0, 0), (1, 1)], "5").into_string();
        assert!(drawn.contains(r#"viewBox="0 0 15 22""#), "{drawn}");
        assert!(
            drawn.contains(r#"<path d="M0 1.0h4v20.0h-4zM10 16.0h4v5.0h-4z">"#),
            "{drawn}"
        );
        assert!(
            drawn.contains(r#"<path class="f" d="M10 16.0h4v5.0h-4z">"#),
            "{drawn}"
        );
        assert!(!line(&[(0, 0)], "none").into_string().contains("<path"));
    }
}
