//! Report: collects what is wrong in settings, each with its place, and whether they can be used all the same.

use std::cell::Cell;
use std::cell::RefCell;
use std::sync::Arc;

use crate::settings::environment::variable_name;
use crate::settings::guards;
use crate::settings::secret::is_reference;
use crate::source::Diagnostic;
use crate::source::suggest;
use crate::source::yaml::Content;
use crate::source::yaml::Entry;
use crate::source::yaml::Node;
use crate::source::yaml::Position;
use crate::source::yaml::Style;

/// How much of a value is shown, in characters.
const SHOWN: usize = 100;
/// What to do about most that is wrong.
const HELP: &str = "`switchboard settings --defaults` shows every setting with its default";

/// Where a layer is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// `default.yml`.
    Default,
    /// The settings file.
    File,
    /// Variables.
    Environment,
}

/// Whether a value may be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// To anybody.
    Open,
    /// Only where it is a reference.
    Secret,
}

/// Collects what is wrong in the settings.
#[derive(Debug)]
pub(crate) struct Report<'a> {
    file: Arc<str>,
    text: &'a str,
    findings: RefCell<Vec<Diagnostic>>,
    is_refused: Cell<bool>,
}

impl<'a> Report<'a> {
    pub(crate) fn new(file: &Arc<str>, text: &'a str) -> Self {
        Self {
            file: file.clone(),
            text,
            findings: RefCell::default(),
            is_refused: Cell::default(),
        }
    }

    /// Something that leaves the settings usable: they mean what is written, or let in and send less.
    pub(crate) fn tell(&self, finding: Diagnostic) {
        self.findings.borrow_mut().push(finding);
    }

    /// Something that makes the settings unusable: without it they would mean something else than is written.
    pub(crate) fn refuse(&self, finding: Diagnostic) {
        self.is_refused.set(true);
        self.tell(finding);
    }

    /// Everything that is wrong, and whether the settings can be used.
    pub(crate) fn finish(self) -> (Vec<Diagnostic>, bool) {
        (self.findings.into_inner(), !self.is_refused.get())
    }

    /// An error at the value of a setting, to be told or refused.
    pub(crate) fn error(&self, code: &'static str, place: &Place<'_>, message: String) -> Diagnostic {
        let (file, at) = self.place(place.origin, &place.path, place.at);
        Diagnostic::error(code, &file, message).at(at.line, at.column)
    }

    /// Refuses a value that is not what is expected there.
    pub(crate) fn wrong(&self, place: &Place<'_>, value: &Node, kind: Kind, expected: &str) {
        let shown = match &value.content {
            Content::Map(_) => "a mapping".to_owned(),
            Content::List(_) => "a list".to_owned(),
            Content::Nothing { .. } => "empty".to_owned(),
            Content::Text { text, .. } if text.trim().is_empty() => "blank".to_owned(),
            Content::Text { text, .. } if kind == Kind::Secret && !is_reference(text) => {
                "a text that is not shown".to_owned()
            }
            Content::Text { text, .. } => format!("`{}`", shown(text)),
        };
        let message = format!("`{}` is {shown}; expected {expected}", place.dotted());
        self.refuse(self.error("WrongSetting", place, message).help(HELP));
    }

    /// Refuses a value of which YAML takes a part for a comment, or to which it joins the lines that follow. Behind the
    /// whole value of what is no guard, a comment needs no space.
    pub(crate) fn check_whole(&self, place: &Place<'_>, value: &Node) {
        if place.origin != Origin::File {
            return;
        }
        let number = |place: u32| usize::try_from(place).unwrap_or(usize::MAX).saturating_sub(1);
        let line = self.text.lines().nth(number(value.at.line)).unwrap_or_default();
        let mut rest: String = line.chars().skip(number(value.at.column)).collect();
        if let Content::Text {
            text,
            style,
            is_before_comment,
        } = &value.content
        {
            match rest.strip_prefix(text.as_str()) {
                Some(behind) if *is_before_comment && guards::is_guard(&place.keys()) => {
                    rest = behind.to_owned();
                }
                None if *style == Style::Plain => {
                    let message = format!(
                        "`{}` goes on over several lines, which YAML joins",
                        place.dotted()
                    );
                    let help = "write it in one line; an item of a list begins below the one before it";
                    return self.refuse(self.error("WrongSetting", place, message).help(help));
                }
                _whole => return,
            }
        } else if !matches!(value.content, Content::Nothing { is_comment: true }) {
            return;
        }
        let comment = rest.split_once(" #").or_else(|| rest.split_once("\t#"));
        let comment = comment.map_or("", |(_, comment)| comment);
        if comment.starts_with(['#', ' ', '\t']) || comment.is_empty() {
            return;
        }
        let message = format!(
            "`{}` has a `#`, from which on YAML takes all for a comment",
            place.dotted()
        );
        let help = "put the whole value in quotes; behind the `#` of a comment leave a space";
        self.refuse(self.error("WrongSetting", place, message).help(help));
    }

    /// Reports a key that is not known. One that may have meant a guard is refused, since the guard would not be there.
    pub(crate) fn unknown(&self, place: &Place<'_>, entry: &Entry, known: &[&str]) {
        let message = format!("unknown setting `{}`", place.dotted());
        let suggestion = suggest::did_you_mean(&entry.key, known.iter().copied());
        let advice = match suggestion.as_str() {
            "" => format!("known here: {}", known.join(", ")),
            suggestion => suggestion.to_owned(),
        };
        let above: Vec<&str> = place
            .path
            .iter()
            .rev()
            .skip(1)
            .rev()
            .filter_map(Step::key)
            .collect();
        let (file, at) = self.place(place.origin, &place.path, place.at);
        match guards::meant(&above, entry, known) {
            None => {
                let finding = Diagnostic::warning("UnknownSetting", &file, message);
                self.tell(finding.at(at.line, at.column).help(advice));
            }
            Some(meant) => {
                let finding = Diagnostic::error("UnknownSetting", &file, message);
                self.refuse(finding.at(at.line, at.column).help(meant.unwrap_or(advice)));
            }
        }
    }

    /// The file that people know, and the place in it.
    fn place(&self, origin: Origin, path: &[Step<'_>], at: Position) -> (Arc<str>, Position) {
        match origin {
            Origin::Default => ("default.yml".into(), at),
            Origin::File => (self.file.clone(), at),
            Origin::Environment => (variable_name(&dotted(path)).into(), Position::START),
        }
    }
}

/// One step of the way to a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// The value of a key.
    Key(&'a str),
    /// An item of a list, from 0.
    Item(usize),
}

impl<'a> Step<'a> {
    fn key(&self) -> Option<&'a str> {
        match self {
            Self::Key(key) => Some(key),
            Self::Item(_) => None,
        }
    }
}

/// Where something was set.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) origin: Origin,
    pub(crate) path: Vec<Step<'a>>,
    pub(crate) at: Position,
}

impl Place<'_> {
    fn dotted(&self) -> String {
        dotted(&self.path)
    }

    fn keys(&self) -> Vec<&str> {
        self.path.iter().filter_map(Step::key).collect()
    }
}

/// `ems_refresh.refresh_interval`, `ems.ems_amazon.blacklisted_event_names[2]`.
fn dotted(path: &[Step<'_>]) -> String {
    let mut dotted = String::new();
    for step in path {
        match step {
            Step::Key(key) if dotted.is_empty() => dotted.push_str(&shown(key)),
            Step::Key(key) => dotted.extend([".", &shown(key)]),
            Step::Item(index) => dotted.extend(["[", &index.to_string(), "]"]),
        }
    }
    dotted
}

/// A text in one line, cut where it is long.
fn shown(text: &str) -> String {
    let mut shown = String::new();
    for c in text.chars().take(SHOWN) {
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
