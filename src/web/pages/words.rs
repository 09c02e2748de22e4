//! How pages say numbers, times and the texts that clouds sent.

use jiff::ZonedDateTime;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use maud::Markup;
use maud::html;

use crate::model::clock::SignedDuration;
use crate::model::clock::Timestamp;
use crate::model::unseen;

/// Characters of a foreign text that are shown, unless a page has room for more.
const SHOWN: usize = 300;

/// A count, with separators: `5,784`.
pub(crate) fn number(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A count with what is counted: `1 event`, `2 events`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(count), if count == 1 { one } else { many })
}

/// A size: `2.1 KB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = [(1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "KB")];
    match units.into_iter().find(|(size, _)| *size <= count) {
        Some((size, unit)) => format!("{} {unit}", tenths(count.saturating_mul(10) / size)),
        None => format!("{count} B"),
    }
}

/// A length of time in the unit that fits: `4 ms`, `38.2 s`, `5 min`, `1 d 3 h`.
pub(crate) fn duration(length: SignedDuration) -> String {
    let milliseconds = u64::try_from(length.as_millis().max(0)).unwrap_or(u64::MAX);
    let (seconds, minutes) = (milliseconds / 1_000, milliseconds / 60_000);
    let (hours, days) = (minutes / 60, minutes / 1_440);
    let two = |great: u64, great_unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{} {great_unit}", number(great)),
        small => format!("{} {great_unit} {small} {small_unit}", number(great)),
    };
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{} s", tenths(milliseconds / 100)),
        60_000..600_000 => two(minutes, "min", seconds % 60, "s"),
        600_000..3_600_000 => format!("{minutes} min"),
        3_600_000..86_400_000 => two(hours, "h", minutes % 60, "min"),
        _days => two(days, "d", hours % 24, "h"),
    }
}

/// How long ago, in one unit: `5 minutes ago`; beside an absolute time only.
pub(crate) fn ago(time: Timestamp, now: Timestamp) -> String {
    let seconds = u64::try_from(now.duration_since(time).as_secs()).unwrap_or(0);
    let said = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => counted(seconds / 60, "minute", "minutes"),
        3_600..86_400 => counted(seconds / 3_600, "hour", "hours"),
        _days => counted(seconds / 86_400, "day", "days"),
    };
    format!("{said} ago")
}

fn tenths(count: u64) -> String {
    match (count / 10, count % 10) {
        (whole, 0) => number(whole),
        (whole, tenth) => format!("{}.{tenth}", number(whole)),
    }
}

/// The zone that a visitor's times are in.
#[derive(Clone, Debug)]
pub(crate) struct Zone(TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl Zone {
    /// A zone by its name in the IANA database, `UTC`, or an offset such as `+02:00`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("utc") || name.eq_ignore_ascii_case("z") {
            return Some(Self::default());
        }
        if let Some(offset) = name.strip_prefix(['+', '-']) {
            let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "0"));
            let (hours, minutes) = (hours.parse::<i32>().ok()?, minutes.parse::<i32>().ok()?);
            let is_sane = (0..=14).contains(&hours) && (0..60).contains(&minutes);
            let seconds = (hours * 60 + minutes) * 60 * if name.starts_with('-') { -1 } else { 1 };
            let offset = jiff::tz::Offset::from_seconds(seconds).ok().filter(|_| is_sane)?;
            return Some(Self(TimeZone::fixed(offset)));
        }
        // A name, not a path: the database is files.
        let is_name = name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "_/+-".contains(c));
        let zone = is_name.then(|| TimeZone::get(name).ok()).flatten();
        zone.map(Self)
    }

    /// What stands on an axis: `UTC`, `Europe/Berlin`, `+02:00`.
    pub(crate) fn name(&self) -> String {
        match self.0.iana_name() {
            Some(name) => name.to_owned(),
            None => match self.0.to_fixed_offset() {
                Ok(offset) if offset.is_zero() => "UTC".to_owned(),
                Ok(offset) => {
                    let minutes = offset.seconds().abs() / 60;
                    let sign = if offset.is_negative() { '-' } else { '+' };
                    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
                }
                Err(_named) => "local time".to_owned(),
            },
        }
    }

    /// Seconds that its clocks are ahead of UTC at a moment.
    pub(crate) fn offset_at(&self, time: Timestamp) -> i64 {
        self.0.to_offset(time).seconds().into()
    }

    /// The moment of a date and time there.
    pub(crate) fn moment_of(&self, time: DateTime) -> Option<Timestamp> {
        self.0.to_timestamp(time).ok()
    }

    /// A moment with its date and time there.
    pub(crate) fn at(&self, time: Timestamp) -> ZonedDateTime {
        time.to_zoned_datetime(self.0.clone())
    }

    /// `15:04:11`.
    pub(crate) fn time(&self, time: Timestamp) -> String {
        self.at(time).strftime("%H:%M:%S").to_string()
    }

    /// `Mar 14`, with the year where it is another one than now.
    pub(crate) fn date(&self, time: Timestamp, now: Timestamp) -> String {
        let (time, now) = (self.at(time), self.at(now));
        let form = if time.year() == now.year() {
            "%b %-d"
        } else {
            "%b %-d, %Y"
        };
        time.strftime(form).to_string()
    }

    /// `Saturday, Mar 14`, the head of a day in a list.
    pub(crate) fn day(&self, time: Timestamp, now: Timestamp) -> String {
        format!("{}, {}", self.at(time).strftime("%A"), self.date(time, now))
    }

    /// `15:04:11` of today, else `Mar 13 15:04:11`.
    pub(crate) fn moment(&self, time: Timestamp, now: Timestamp) -> String {
        match self.at(time).date() == self.at(now).date() {
            true => self.time(time),
            false => format!("{} {}", self.date(time, now), self.time(time)),
        }
    }

    /// `2026-03-14 15:04:11 UTC`.
    pub(crate) fn full(&self, time: Timestamp) -> String {
        format!("{} {}", self.at(time).strftime("%Y-%m-%d %H:%M:%S"), self.name())
    }

    /// A time as an element, whose machine form is in UTC.
    pub(crate) fn element(&self, time: Timestamp, said: &str) -> Markup {
        html! { time datetime=(time) title=(self.full(time)) { (said) } }
    }
}

/// A text as a value in the query of an address.
pub(crate) fn in_query(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A name that a machine wrote, which may break where its parts end.
pub(crate) fn machine_name(name: &str) -> Markup {
    let name = cut(name, SHOWN);
    html! {
        bdi {
            @for part in name.shown.split_inclusive(['_', '.', '/', ':', '-']) { (visible(part)) wbr; }
            (name.rest())
        }
    }
}

/// A text from elsewhere: as text, cut with its true length, in a direction of its own, nothing in it unseen.
pub(crate) fn foreign(text: &str) -> Markup {
    foreign_up_to(text, SHOWN)
}

/// The same with room for so many characters.
pub(crate) fn foreign_up_to(text: &str, most: usize) -> Markup {
    let text = cut(text, most);
    html! { bdi { (visible(text.shown)) (text.rest()) } }
}

/// The beginning of a text from elsewhere, where there is no room to say how long it is.
pub(crate) fn beginning(text: &str, most: usize) -> Markup {
    let text = cut(text, most);
    html! { bdi { (visible(text.shown)) @if text.of.is_some() { "…" } } }
}

/// The same as text alone: for what a screen reader says, a hint, or the script.
pub(crate) fn foreign_text(text: &str) -> String {
    let text = cut(text, SHOWN);
    let mut said = String::new();
    for c in text.shown.chars() {
        if is_unseen(c) {
            said.push_str(&unseen_name(c));
        } else {
            said.push(c);
        }
    }
    if let Some(count) = text.of {
        let count = number(count.try_into().unwrap_or(u64::MAX));
        said.push_str(&format!("… ({count} characters)"));
    }
    said
}

struct Cut<'a> {
    shown: &'a str,
    /// How many characters there are in all, where some are not shown.
    of: Option<usize>,
}

fn cut(text: &str, most: usize) -> Cut<'_> {
    match text.char_indices().nth(most) {
        Some((at, _)) => Cut {
            shown: text.get(..at).unwrap_or(text),
            of: Some(text.chars().count()),
        },
        None => Cut {
            shown: text,
            of: None,
        },
    }
}

impl Cut<'_> {
    fn rest(&self) -> Markup {
        html! {
            @if let Some(count) = self.of {
                "… " span class="muted" { "(" (number(count.try_into().unwrap_or(u64::MAX))) " characters)" }
            }
        }
    }
}

/// A text with names in the place of characters that nobody can see, or that turn the text around.
fn visible(text: &str) -> Markup {
    html! {
        @for run in text.split_inclusive(is_unseen) {
            @match run.chars().next_back().filter(|last| is_unseen(*last)) {
                Some(unseen) => {
                    (run.strip_suffix(unseen).unwrap_or(run))
                    span class="chip" { (unseen_name(unseen)) }
                }
                None => (run),
            }
        }
    }
}

fn unseen_name(c: char) -> String {
    format!("U+{:04X}", u32::from(c))
}

fn is_unseen(c: char) -> bool {
    unseen::is_unseen(c) && !matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sizes_and_durations_as_people_read_them() {
        let cases = [(0, "0"), (999, "999"), (1_000, "1,000"), (5_102_884, "5,102,884")];
        for (count, said) in cases {
            assert_eq!(number(count), said);
        }
        let cases = [
            (0, "0 B"),
            (999, "999 B"),
            (2_148, "2.1 KB"),
            (20_000_000_000, "20 GB"),
        ];
        for (count, said) in cases {
            assert_eq!(bytes(count), said);
        }
        for (milliseconds, said) in [
            (-5, "0 ms"),
            (4, "4 ms"),
            (38_249, "38.2 s"),
            (60_000, "1 min"),
            (61_000, "1 min 1 s"),
            (840_000, "14 min"),
            (5_400_000, "1 h 30 min"),
            (97_200_000, "1 d 3 h"),
        ] {
            assert_eq!(duration(SignedDuration::from_millis(milliseconds)), said);
        }
    }

    #[test]
    fn a_zone_is_a_name_or_an_offset_and_never_a_path() {
        let noon: Timestamp = "2026-03-14T12:00:00Z".parse().unwrap();
        for (name, expected) in [
            ("UTC", Some(("UTC", "12:00:00"))),
            ("+02:00", Some(("+02:00", "14:00:00"))),
            ("-3:30", Some(("-03:30", "08:30:00"))),
            ("+99", None),
            ("../../etc/passwd", None),
            ("Nowhere/At_All", None),
            ("", None),
        ] {
            let zone = Zone::named(name);
            let said = zone.map(|zone| (zone.name(), zone.time(noon)));
            let expected = expected.map(|(name, time)| (name.to_owned(), time.to_owned()));
            assert_eq!(said, expected, "{name}");
        }
    }

    #[test]
    fn foreign_texts_are_text() {
        for (text, shown) in [
            ("<b>&\"'", "<bdi>&lt;b&gt;&amp;&quot;'</bdi>"),
            ("a\u{202e}b", "<bdi>a<span class=\"chip\">U+202E</span>b</bdi>"),
            ("\0", "<bdi><span class=\"chip\">U+0000</span></bdi>"),
            ("two\nlines", "<bdi>two\nlines</bdi>"),
        ] {
            assert_eq!(foreign(text).into_string(), shown);
        }
        assert_eq!(foreign_text("a\u{202e}<b"), "aU+202E<b");
        assert!(foreign_text(&"é".repeat(1_500)).ends_with("é… (1,500 characters)"));
        let long = foreign_up_to(&"é".repeat(1_500), 2).into_string();
        assert_eq!(
            long,
            "<bdi>éé… <span class=\"muted\">(1,500 characters)</span></bdi>"
        );
        assert_eq!(machine_name("a.b").into_string(), "<bdi>a.<wbr>b<wbr></bdi>");
    }
}
