//! Where a key or a list item of a YAML text stands, for diagnostics and traces. Knows nothing of what it means.
//!
//! The parser gives values without places. This reads the layout of the text alone: block style with plain and
//! quoted keys, lists, comments, block scalars and quoted texts over several lines. What is written in flow
//! style (`{a: 1}`) is found as far as the key before it.

/// One step of the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The value of a key; a colon in front (`:ems`) does not count.
    Key(&'a str),
    /// An item of a list, from 0.
    Item(usize),
}

/// Where something stands: lines and columns from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Line and column of the key, or of the item's dash.
    pub key: (u32, u32),
    /// Line and column of the value where it begins on the same line, else those of the key.
    pub value: (u32, u32),
}

/// The keys and items of a text, each below the one that holds it. Built in one pass.
///
/// ```
/// use switchboard::source::locate::{Outline, Step};
///
/// let outline = Outline::of("object:\n  fields:\n  - name:\n      value: x\n");
/// let path = [Step::Key("object"), Step::Key("fields"), Step::Item(0), Step::Key("name")];
/// assert_eq!(outline.find(&path).map(|place| place.key), Some((3, 5)));
/// ```
#[derive(Debug)]
pub struct Outline<'a> {
    entries: Vec<Entry<'a>>,
}

#[derive(Debug)]
struct Entry<'a> {
    parent: Option<usize>,
    step: Step<'a>,
    /// In characters, from 0.
    indent: usize,
    place: Place,
}

impl<'a> Outline<'a> {
    /// The outline of a text. Of a text that is no YAML it has what looks like keys.
    pub fn of(text: &'a str) -> Self {
        let mut outline = Self { entries: Vec::new() };
        let mut above: Vec<usize> = Vec::new();
        let mut lines = (1_u32..).zip(text.lines()).peekable();
        while let Some((number, line)) = lines.next() {
            let mut rest = line.trim_start();
            let is_marker = line.starts_with("---") || line.starts_with("...") || line.starts_with('%');
            if rest.is_empty() || rest.starts_with('#') || is_marker {
                continue;
            }
            let mut indent = width(line) - width(rest);
            while let Some(item) = rest
                .strip_prefix('-')
                .filter(|item| item.is_empty() || item.starts_with(' '))
            {
                let inner = item.trim_start();
                let value = indent + 1 + width(item) - width(inner);
                outline.add(&mut above, Step::Item(0), indent, number, value, inner);
                (rest, indent) = (inner, value);
            }
            let mut value = rest;
            if let Some((key, behind)) = split_key(rest) {
                value = behind.trim_start();
                let column = indent + width(rest) - width(value);
                outline.add(&mut above, Step::Key(key), indent, number, column, value);
            }
            // What goes on over several lines holds no keys.
            let holder = above.last().and_then(|at| outline.entries.get(*at));
            let holder = holder.map_or(0, |entry| entry.indent);
            if is_block_scalar(value) {
                let is_inside =
                    |line: &str| line.trim().is_empty() || width(line) - width(line.trim_start()) > holder;
                while lines.next_if(|(_, line)| is_inside(line)).is_some() {}
            } else if let Some(quote) = value.chars().next().filter(|first| matches!(first, '"' | '\'')) {
                let mut is_open = closing(value, quote).is_none();
                while is_open && let Some((_, line)) = lines.next() {
                    is_open = closing_after(line, quote).is_none();
                }
            }
        }
        outline
    }

    /// Where `path` stands, if it is found.
    pub fn find(&self, path: &[Step<'_>]) -> Option<Place> {
        let (found, place) = self.walk(path);
        place.filter(|_| found == path.len())
    }

    /// Where `path` stands, or the nearest thing above it that is found; else the beginning.
    pub fn nearest(&self, path: &[Step<'_>]) -> Place {
        let beginning = Place {
            key: (1, 1),
            value: (1, 1),
        };
        self.walk(path).1.unwrap_or(beginning)
    }

    /// How many steps were found, and where the last of them stands.
    fn walk(&self, path: &[Step<'_>]) -> (usize, Option<Place>) {
        let (mut parent, mut place) = (None, None);
        for (found, step) in path.iter().enumerate() {
            let start = parent.map_or(0, |parent| parent + 1);
            let below = self.entries.iter().enumerate().skip(start);
            let mut children = below.filter(|(_, entry)| entry.parent == parent);
            let Some((index, entry)) = children.find(|(_, entry)| is_same(entry.step, *step)) else {
                return (found, place);
            };
            (parent, place) = (Some(index), Some(entry.place));
        }
        (path.len(), place)
    }

    fn add(
        &mut self,
        above: &mut Vec<usize>,
        step: Step<'a>,
        indent: usize,
        line: u32,
        value_at: usize,
        value: &str,
    ) {
        // A list may stand at the indent of the key that holds it.
        let holds = |entry: &Entry<'_>| match (step, entry.step) {
            (Step::Item(_), Step::Key(_)) => entry.indent <= indent,
            (Step::Item(_) | Step::Key(_), _any) => entry.indent < indent,
        };
        let mut last_inside = None;
        while let Some(top) = above.last().copied() {
            if self.entries.get(top).is_some_and(holds) {
                break;
            }
            last_inside = above.pop();
        }
        // The items of a list follow each other, so the one taken off last is the one before.
        let before = last_inside
            .and_then(|at| self.entries.get(at))
            .map(|entry| entry.step);
        let step = match (step, before) {
            (Step::Item(_), Some(Step::Item(before))) => Step::Item(before + 1),
            (step, _none) => step,
        };
        let place = |at: usize| (line, u32::try_from(at + 1).unwrap_or(u32::MAX));
        let has_value = !value.is_empty() && !value.starts_with('#');
        let place = Place {
            key: place(indent),
            value: place(if has_value { value_at } else { indent }),
        };
        above.push(self.entries.len());
        let parent = above.iter().rev().nth(1).copied();
        self.entries.push(Entry {
            parent,
            step,
            indent,
            place,
        });
    }
}

fn is_same(a: Step<'_>, b: Step<'_>) -> bool {
    match (a, b) {
        (Step::Key(a), Step::Key(b)) => a.strip_prefix(':').unwrap_or(a) == b.strip_prefix(':').unwrap_or(b),
        (a, b) => a == b,
    }
}

/// The key that a line begins with, without its quotes, and what is behind its colon.
fn split_key(line: &str) -> Option<(&str, &str)> {
    let ends_key = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    if let Some(quote) = line.chars().next().filter(|first| matches!(first, '"' | '\'')) {
        let end = closing(line, quote)?;
        let value = line.get(end + 1..)?.trim_start().strip_prefix(':')?;
        return ends_key(value).then_some((line.get(1..end)?, value));
    }
    if line.starts_with(['{', '[', '#', '&', '*', '!', '|', '>', '@', '`']) {
        return None;
    }
    let colons = line
        .match_indices(':')
        .filter_map(|(at, _)| Some((line.get(..at)?, line.get(at + 1..)?)));
    let (key, value) = colons
        .into_iter()
        .find(|(key, value)| !key.is_empty() && ends_key(value))?;
    Some((key.trim_end(), value))
}

/// Where the quoted text at the beginning of `text` ends, in bytes.
fn closing(text: &str, quote: char) -> Option<usize> {
    closing_after(text.get(1..)?, quote).map(|at| at + 1)
}

/// Where a quoted text that is already open ends.
fn closing_after(text: &str, quote: char) -> Option<usize> {
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '"' {
            chars.next();
        } else if c == quote {
            // Two single quotes are one that does not end the text.
            if quote == '"' || chars.next_if(|(_, next)| *next == quote).is_none() {
                return Some(at);
            }
        }
    }
    None
}

fn is_block_scalar(value: &str) -> bool {
    let header = value.split(" #").next().unwrap_or_default().trim_end();
    let is_header = |c: char| matches!(c, '+' | '-') || c.is_ascii_digit();
    header
        .strip_prefix(['|', '>'])
        .is_some_and(|rest| rest.chars().all(is_header))
}

fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Step::{Item, Key};

    const TEXT: &str = "\
---
# a comment: with a colon
:ems:
  :ems_awesome_cloud:   # why
    'quoted: key': \"value: 1\"
    names: []
:list:
- a
-   b: 1
    c: |
      d: not a key
       e: nor this

    f: 'over
  g: two lines''s'
- - nested
  - deeper: x
ümlaut: ä
flow: {h: 1}
url: http://example.com:80/
last:
  - i:
      value: x
  - i:
      value: y
";

    type Position = (u32, u32);
    type Case = (&'static [Step<'static>], Option<(Position, Position)>);

    #[test]
    fn keys_and_items_are_found_where_they_stand() {
        let cases: [Case; 21] = [
            (&[Key("ems")], Some(((3, 1), (3, 1)))),
            (&[Key(":ems"), Key("ems_awesome_cloud")], Some(((4, 3), (4, 3)))),
            (
                &[Key("ems"), Key("ems_awesome_cloud"), Key("quoted: key")],
                Some(((5, 5), (5, 20))),
            ),
            (
                &[Key("ems"), Key("ems_awesome_cloud"), Key("names")],
                Some(((6, 5), (6, 12))),
            ),
            (&[Key("list")], Some(((7, 1), (7, 1)))),
            (&[Key("list"), Item(0)], Some(((8, 1), (8, 3)))),
            (&[Key("list"), Item(1), Key("b")], Some(((9, 5), (9, 8)))),
            (&[Key("list"), Item(1), Key("c")], Some(((10, 5), (10, 8)))),
            (&[Key("list"), Item(1), Key("f")], Some(((14, 5), (14, 8)))),
            (&[Key("list"), Item(1), Key("d")], None),
            (&[Key("list"), Item(1), Key("g")], None),
            (&[Key("list"), Item(2), Item(0)], Some(((16, 3), (16, 5)))),
            (
                &[Key("list"), Item(2), Item(1), Key("deeper")],
                Some(((17, 5), (17, 13))),
            ),
            (&[Key("ümlaut")], Some(((18, 1), (18, 9)))),
            (&[Key("flow")], Some(((19, 1), (19, 7)))),
            (&[Key("flow"), Key("h")], None),
            (&[Key("url")], Some(((20, 1), (20, 6)))),
            (
                &[Key("last"), Item(0), Key("i"), Key("value")],
                Some(((23, 7), (23, 14))),
            ),
            (
                &[Key("last"), Item(1), Key("i"), Key("value")],
                Some(((25, 7), (25, 14))),
            ),
            (&[Key("last"), Item(2)], None),
            (&[Key("names")], None),
        ];
        let outline = Outline::of(TEXT);
        for (path, expected) in cases {
            let found = outline.find(path).map(|place| (place.key, place.value));
            assert_eq!(found, expected, "{path:?}");
        }
    }

    #[test]
    fn the_nearest_place_above_stands_in_for_what_is_not_found() {
        let outline = Outline::of(TEXT);
        assert_eq!(outline.nearest(&[Key("flow"), Key("h")]).value, (19, 7));
        assert_eq!(outline.nearest(&[Key("nothing")]).key, (1, 1));
    }
}
