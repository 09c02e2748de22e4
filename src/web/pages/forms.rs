//! Buttons that have something done: forms, which work without a script and lead back to their page.

use maud::Markup;
use maud::html;

/// A button that posts to a route of the API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Action<'a> {
    /// The route.
    pub(crate) path: &'a str,
    /// The page to come back to.
    pub(crate) back: &'a str,
    /// A verb.
    pub(crate) label: &'a str,
    /// What it is done to, for who does not see where the button stands.
    pub(crate) to: &'a str,
    /// Classes of the button.
    pub(crate) class: &'a str,
}

impl Action<'_> {
    /// The button, with what else it sends.
    pub(crate) fn button(&self, fields: &[(&str, &str)]) -> Markup {
        html! {
            form.act method="post" action=(self.path) {
                input type="hidden" name="back" value=(self.back);
                @for (name, value) in fields { input type="hidden" name=(name) value=(value); }
                button class=(self.class) type="submit" {
                    (self.label)
                    @if !self.to.is_empty() { span.sr { " " (self.to) } }
                }
            }
        }
    }
}
