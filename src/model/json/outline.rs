//! Where each value of a JSON text begins and ends: to look at places of it, and to hand on parts as they are written.

use crate::model::json::Build;
use crate::model::json::JsonError;
use crate::model::json::Quoted;
use crate::model::json::read_as;

/// The values of a text, each before those within it; the text is kept elsewhere, since it has several owners.
#[derive(Debug)]
pub(crate) struct Outline(Vec<Node>);

#[derive(Clone, Copy, Debug)]
struct Node {
    start: u32,
    end: u32,
    /// How many values it is, those within it and itself.
    size: u32,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Null,
    True,
    False,
    Number,
    /// Its ends are those of what is between the quotes.
    Text {
        has_escapes: bool,
    },
    List,
    /// Keys, each before its value.
    Map,
}

/// One value of a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    text: &'a str,
    nodes: &'a [Node],
}

/// What is at a place.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found<'a> {
    Null,
    Flag(bool),
    /// A number as it is written.
    Number(&'a str),
    Text(Quoted<'a>),
    List(Items<'a>),
    Map(Entries<'a>),
}

/// The items of a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Items<'a>(Place<'a>);

/// The entries of an object, in order; a key may come twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'a>(Items<'a>);

impl Outline {
    /// Reads a JSON text.
    ///
    /// # Errors
    /// When it is no JSON, or longer than 4 GiB.
    pub(crate) fn read(text: &str) -> Result<Self, JsonError> {
        if u32::try_from(text.len()).is_err() {
            return Err(JsonError::at("", 0, "longer than 4 GiB"));
        }
        let mut outline = Self(Vec::with_capacity(text.len() / 12 + 1));
        read_as(text, &mut outline)?;
        Ok(outline)
    }

    /// All of it. `text` has to be the text that was read.
    pub(crate) fn root<'a>(&'a self, text: &'a str) -> Place<'a> {
        Place { text, nodes: &self.0 }
    }

    fn open(&mut self, at: usize, kind: Kind) -> usize {
        self.0.push(Node {
            start: short(at),
            end: 0,
            size: 0,
            kind,
        });
        self.0.len() - 1
    }

    fn close(&mut self, index: usize, end: usize) {
        let size = short(self.0.len() - index);
        if let Some(node) = self.0.get_mut(index) {
            (node.end, node.size) = (short(end), size);
        }
    }

    fn leaf(&mut self, start: usize, length: usize, kind: Kind) {
        let index = self.open(start, kind);
        self.close(index, start + length);
    }
}

/// Places in a text of at most 4 GiB.
fn short(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

impl<'a> Build<'a> for Outline {
    type Value = ();
    type List = usize;
    type Map = usize;
    type Key = ();

    fn null(&mut self, at: usize) {
        self.leaf(at, 4, Kind::Null);
    }

    fn flag(&mut self, at: usize, flag: bool) {
        match flag {
            true => self.leaf(at, 4, Kind::True),
            false => self.leaf(at, 5, Kind::False),
        }
    }

    fn number(&mut self, at: usize, numeral: &'a str) {
        self.leaf(at, numeral.len(), Kind::Number);
    }

    fn text(&mut self, at: usize, text: Quoted<'a>) {
        let has_escapes = text.has_escapes();
        self.leaf(at + 1, text.written().len(), Kind::Text { has_escapes });
    }

    fn list(&mut self, at: usize) -> usize {
        self.open(at, Kind::List)
    }

    fn item(&mut self, _list: &mut usize, (): ()) {}

    fn list_done(&mut self, list: usize, end: usize) {
        self.close(list, end);
    }

    fn map(&mut self, at: usize) -> usize {
        self.open(at, Kind::Map)
    }

    fn key(&mut self, at: usize, key: Quoted<'a>) {
        self.text(at, key);
    }

    fn entry(&mut self, _map: &mut usize, (): (), (): ()) {}

    fn map_done(&mut self, map: usize, end: usize) {
        self.close(map, end);
    }
}

impl<'a> Place<'a> {
    /// What is here.
    pub(crate) fn found(self) -> Found<'a> {
        let Some(node) = self.nodes.first() else {
            return Found::Null;
        };
        let written = self
            .text
            .get(node.start as usize..node.end as usize)
            .unwrap_or_default();
        match node.kind {
            Kind::Null => Found::Null,
            Kind::True => Found::Flag(true),
            Kind::False => Found::Flag(false),
            Kind::Number => Found::Number(written),
            Kind::Text { has_escapes } => Found::Text(Quoted::new(written, has_escapes)),
            Kind::List => Found::List(self.items()),
            Kind::Map => Found::Map(Entries(self.items())),
        }
    }

    /// What is within this value.
    fn items(self) -> Items<'a> {
        Items(Place {
            nodes: self.nodes.get(1..).unwrap_or_default(),
            ..self
        })
    }

    /// What a JSON pointer leads to; none where a step is missing. Of a key that is there twice the last one counts.
    pub(crate) fn at(self, pointer: &str) -> Option<Self> {
        let mut place = self;
        for step in pointer.split('/').skip(1) {
            place = match place.found() {
                Found::Map(entries) if step.contains('~') => {
                    entries.named(&step.replace("~1", "/").replace("~0", "~"))?
                }
                Found::Map(entries) => entries.named(step)?,
                Found::List(mut items) => items.nth(step.parse().ok()?)?,
                _scalar => return None,
            };
        }
        Some(place)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Place<'a>;

    fn next(&mut self) -> Option<Place<'a>> {
        let size = self.0.nodes.first()?.size as usize;
        let (item, rest) = self.0.nodes.split_at_checked(size)?;
        self.0.nodes = rest;
        Some(Place {
            nodes: item,
            ..self.0
        })
    }
}

impl<'a> Entries<'a> {
    /// The value of the last entry with this key.
    pub(crate) fn named(self, name: &str) -> Option<Place<'a>> {
        let named = |(key, value): (Quoted<'a>, Place<'a>)| key.is(name).then_some(value);
        self.filter_map(named).last()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = (Quoted<'a>, Place<'a>);

    fn next(&mut self) -> Option<(Quoted<'a>, Place<'a>)> {
        let Found::Text(key) = self.0.next()?.found() else {
            return None;
        };
        Some((key, self.0.next()?))
    }
}
