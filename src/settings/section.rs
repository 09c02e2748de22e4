//! Section: a mapping of the settings, seen through its layers, with everything wrong in it reported.
//!
//! The layers are the defaults, the settings file and the environment; of a single value the strongest counts. Knows
//! nothing of what the settings mean.

use std::cell::RefCell;

use crate::settings::report::Kind;
use crate::settings::report::Origin;
use crate::settings::report::Place;
use crate::settings::report::Report;
use crate::settings::report::Step;
use crate::source::yaml::Content;
use crate::source::yaml::Node;

/// One mapping in all layers.
#[derive(Debug)]
pub(crate) struct Section<'a> {
    report: &'a Report<'a>,
    /// The strongest first.
    layers: Vec<(Origin, &'a Node)>,
    path: Vec<Step<'a>>,
    asked: RefCell<Vec<&'a str>>,
}

impl<'a> Section<'a> {
    /// The whole settings; `layers` with the strongest first.
    pub(crate) fn root(report: &'a Report<'a>, layers: Vec<(Origin, &'a Node)>) -> Self {
        let (path, asked) = (Vec::new(), RefCell::default());
        Self {
            report,
            layers,
            path,
            asked,
        }
    }

    /// The section below a key; empty where no layer has it.
    pub(crate) fn section(&self, key: &'a str) -> Self {
        let layers = self.values(key).into_iter();
        let layers = layers.filter_map(|(place, value)| match value.content {
            Content::Map(_) => Some((place.origin, value)),
            Content::Nothing { .. } | Content::Text { .. } | Content::List(_) => {
                // With a space that is missing or too many, a whole `token: …` is one text.
                let is_word = value.text().is_some_and(|text| !text.contains([':', ' ']));
                let kind = if is_word { Kind::Open } else { Kind::Secret };
                self.report.wrong(&place, value, kind, "a mapping");
                None
            }
        });
        let layers = layers.collect();
        let (report, asked) = (self.report, RefCell::default());
        Self {
            report,
            layers,
            path: [self.path.as_slice(), &[Step::Key(key)]].concat(),
            asked,
        }
    }

    /// The value of the strongest layer in which it is right; wrong ones on the way are refused.
    pub(crate) fn value<T>(&self, key: &'a str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.single(key, Kind::Open, parse)
    }

    /// The same for a value that no finding shows.
    pub(crate) fn secret<T>(&self, key: &'a str, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.single(key, Kind::Secret, parse)
    }

    /// The items of the strongest layer's list that are right.
    pub(crate) fn list<T>(&self, key: &'a str, mut parse: impl FnMut(&str) -> Result<T, String>) -> Vec<T> {
        let strongest = self.values(key).into_iter().next();
        self.items(strongest, Kind::Open, |_, text| parse(text))
    }

    /// The items of all layers' lists that are right, the weakest layer's first.
    pub(crate) fn joined<T>(&self, key: &'a str, mut parse: impl FnMut(&str) -> Result<T, String>) -> Vec<T> {
        let values = self.values(key).into_iter().rev();
        self.items(values, Kind::Open, |_, text| parse(text))
    }

    /// The items of the strongest layer's list that are right, none of which a finding shows. `parse` is told where the
    /// item stands.
    pub(crate) fn secrets<T>(
        &self,
        key: &'a str,
        parse: impl FnMut(&Place<'a>, &str) -> Result<T, String>,
    ) -> Vec<T> {
        let strongest = self.values(key).into_iter().next();
        self.items(strongest, Kind::Secret, parse)
    }

    /// Where a value was set that counts; none where it has no value.
    pub(crate) fn place(&self, key: &'a str) -> Option<Place<'a>> {
        let mut set = self.set(key).filter(|(_, value)| !value.is_nothing());
        set.next().map(|(place, _)| place)
    }

    /// What is wrong goes here.
    pub(crate) fn report(&self) -> &'a Report<'a> {
        self.report
    }

    /// Every key, each once, the weakest layer's first.
    pub(crate) fn keys(&self) -> Vec<&'a str> {
        let mut keys: Vec<&str> = Vec::new();
        for entry in self.layers.iter().rev().flat_map(|(_, node)| node.entries()) {
            if !keys.contains(&entry.key.as_str()) {
                keys.push(&entry.key);
            }
        }
        keys
    }

    /// Whether some layer has a mapping below a key.
    pub(crate) fn has_section(&self, key: &str) -> bool {
        let mut values = self.layers.iter().filter_map(|(_, node)| node.get(key));
        values.any(|value| matches!(value.content, Content::Map(_)))
    }

    /// Reports the keys that nobody asked for.
    pub(crate) fn finish(self) {
        let asked = self.asked.take();
        for (origin, node) in &self.layers {
            // Nothing written is nothing set: a key of which every line is a comment is fine.
            let set = node.entries().iter().filter(|entry| !entry.value.is_nothing());
            for entry in set.filter(|entry| !asked.contains(&entry.key.as_str())) {
                let place = Place {
                    origin: *origin,
                    path: [self.path.as_slice(), &[Step::Key(&entry.key)]].concat(),
                    at: entry.at,
                };
                self.report.unknown(&place, entry, &asked);
            }
        }
    }

    fn single<T>(&self, key: &'a str, kind: Kind, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        self.values(key).into_iter().find_map(|(place, value)| {
            let parsed = parse_text(value, &parse);
            let wrong = |expected: String| self.report.wrong(&place, value, kind, &expected);
            parsed.map_err(wrong).ok()
        })
    }

    /// What the layers have below a key, the strongest first; nothing written is nothing set.
    fn values(&self, key: &'a str) -> Vec<(Place<'a>, &'a Node)> {
        self.asked.borrow_mut().push(key);
        let checked = self
            .set(key)
            .inspect(|(place, value)| self.report.check_whole(place, value));
        checked.filter(|(_, value)| !value.is_nothing()).collect()
    }

    /// What is written below a key in each layer, the strongest first.
    fn set(&self, key: &'a str) -> impl Iterator<Item = (Place<'a>, &'a Node)> {
        self.layers.iter().filter_map(move |(origin, node)| {
            let value = node.get(key)?;
            let place = Place {
                origin: *origin,
                path: [self.path.as_slice(), &[Step::Key(key)]].concat(),
                at: value.at,
            };
            Some((place, value))
        })
    }

    fn items<T>(
        &self,
        lists: impl IntoIterator<Item = (Place<'a>, &'a Node)>,
        kind: Kind,
        mut parse: impl FnMut(&Place<'a>, &str) -> Result<T, String>,
    ) -> Vec<T> {
        let mut items = Vec::new();
        for (list, value) in lists {
            let Content::List(nodes) = &value.content else {
                self.report.wrong(&list, value, kind, "a list");
                continue;
            };
            for (index, item) in nodes.iter().enumerate() {
                let place = Place {
                    path: [list.path.as_slice(), &[Step::Item(index)]].concat(),
                    at: item.at,
                    origin: list.origin,
                };
                self.report.check_whole(&place, item);
                match parse_text(item, |text| parse(&place, text)) {
                    Ok(item) => items.push(item),
                    Err(expected) => self.report.wrong(&place, item, kind, &expected),
                }
            }
        }
        items
    }
}

/// What a text means; of anything else, what was expected.
fn parse_text<T>(value: &Node, mut parse: impl FnMut(&str) -> Result<T, String>) -> Result<T, String> {
    match value.text() {
        Some(text) => parse(text),
        None => Err(parse("").err().unwrap_or_else(|| "a text".to_owned())),
    }
}
