//! Colours, on a terminal only, and never with `NO_COLOR`.

use std::env;
use std::io;
use std::io::IsTerminal;

use clap::builder::styling::AnsiColor;
use clap::builder::styling::Style;

/// The styles of printed results; without colour each of them prints nothing.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Palette {
    /// What the eye should find first.
    pub(crate) strong: Style,
    /// What it may pass over.
    pub(crate) dim: Style,
    /// Done.
    pub(crate) good: Style,
    /// Failed.
    pub(crate) bad: Style,
    /// Not as it should be.
    pub(crate) warning: Style,
    /// Where things lead.
    pub(crate) link: Style,
}

impl Palette {
    /// Colours, if standard output wants them.
    pub(crate) fn for_stdout() -> Self {
        if wants_color(io::stdout().is_terminal()) {
            Self::colored()
        } else {
            Self::default()
        }
    }

    fn colored() -> Self {
        Self {
            strong: Style::new().bold(),
            dim: Style::new().dimmed(),
            good: AnsiColor::Green.on_default(),
            bad: AnsiColor::Red.on_default().bold(),
            warning: AnsiColor::Yellow.on_default(),
            link: AnsiColor::Cyan.on_default(),
        }
    }
}

/// Whether to colour what goes to a place that is a terminal or not (see no-color.org).
pub(crate) fn wants_color(is_terminal: bool) -> bool {
    let is_refused = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    is_terminal && !is_refused
}
