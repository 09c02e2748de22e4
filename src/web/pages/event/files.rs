//! The files that a decision names: the lines around a step, where the file still says what was decided by.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use maud::Markup;
use maud::html;

use crate::model::delivery::RulesId;
use crate::model::delivery::StepKind;
use crate::model::rule_tree::RuleInstance;
use crate::model::rule_tree::RuleTree;
use crate::web::Rules;
use crate::web::pages::event::trace::ShownStep;
use crate::web::pages::shell::short_generation;
use crate::web::pages::words;

/// Lines before and after the one of a step.
const AROUND: usize = 2;
/// Characters of a line that are shown.
const WIDTH: usize = 200;

/// The rules of today, asked once for each file.
pub(crate) struct Files<'a> {
    rules: &'a dyn Rules,
    tree: Arc<RuleTree>,
    decided: Option<RulesId>,
    texts: RefCell<BTreeMap<String, Option<Rc<str>>>>,
}

impl<'a> Files<'a> {
    /// Files of a decision by these rules.
    pub(crate) fn new(rules: &'a dyn Rules, decided: Option<RulesId>) -> Self {
        Self {
            tree: rules.tree(),
            rules,
            decided,
            texts: RefCell::default(),
        }
    }

    /// The generation that decided, short.
    pub(crate) fn decided_by(&self) -> String {
        let id = self.decided.map(|id| id.to_string()).unwrap_or_default();
        short_generation(&id).to_owned()
    }

    /// Whether the rules are still those that decided.
    pub(crate) fn are_same(&self) -> bool {
        self.decided == Some(self.rules.generation())
    }

    /// Whether the file is still there.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.text(path).is_some()
    }

    /// What the instance of this step covers, by the rules of today.
    pub(crate) fn covers(&self, step: &ShownStep) -> Option<&str> {
        self.instance(step)?.covers.as_deref()
    }

    /// What its author says of the instance of this step, by the rules of today.
    pub(crate) fn description(&self, step: &ShownStep) -> Option<&str> {
        self.instance(step)?.description.as_deref()
    }

    fn instance(&self, step: &ShownStep) -> Option<&RuleInstance> {
        if step.kind != StepKind::Instance {
            return None;
        }
        let mut instances = self.tree.instances.iter();
        instances.find(|instance| instance.path.eq_ignore_ascii_case(&step.path))
    }

    fn text(&self, path: &str) -> Option<Rc<str>> {
        let mut texts = self.texts.borrow_mut();
        let read = || self.rules.text(path).map(Rc::from);
        texts.entry(path.to_owned()).or_insert_with(read).clone()
    }

    /// The lines around one, with what has to be known of them.
    pub(crate) fn around(&self, path: &str, line: u32, step: &ShownStep) -> Markup {
        let Some(text) = self.text(path) else {
            return html! { p.muted { "The file is not among the rules any more." } };
        };
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        let first = line.saturating_sub(AROUND).max(1);
        let lines: Vec<(usize, &str)> = text
            .lines()
            .enumerate()
            .map(|(index, text)| (index + 1, text))
            .skip(first - 1)
            .take(2 * AROUND + 1)
            .collect();
        let is_there = self.are_same() || still_says(&lines, line, step);
        html! {
            @if !is_there {
                p.muted { "The file changed since, and does not say this there any more:" }
            } @else if !self.are_same() {
                p.muted { "As the file is today; this place says the same as then." }
            }
            @if lines.is_empty() { p.muted { "It has fewer lines now." } }
            @else {
                pre {
                    @for (index, (number, text)) in lines.iter().enumerate() {
                        @if 0 < index { "\n" }
                        span.c { (format!("{number:>4}")) } "  "
                        @if *number == line && is_there { u { (words::foreign_up_to(text, WIDTH)) } }
                        @else { (words::foreign_up_to(text, WIDTH)) }
                    }
                }
            }
        }
    }
}

/// Whether the field and what is written still stand near the line.
fn still_says(lines: &[(usize, &str)], line: usize, step: &ShownStep) -> bool {
    let Some(field) = &step.field else {
        return lines.iter().any(|(number, _)| *number == line);
    };
    let near: Vec<&str> = lines.iter().map(|(_, text)| *text).collect();
    let says = |word: &str| near.iter().any(|text| text.contains(word));
    let first_line = step.written.as_deref().and_then(|written| written.lines().next());
    says(field) && first_line.is_none_or(|written| says(written.trim()))
}
