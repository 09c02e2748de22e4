//! Prints findings as they come up, one a line, and counts them.

use std::io;
use std::io::Write;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::output::Output;
use crate::cli::width::line;
use crate::source::Severity;
use crate::vmdb::Finding;

/// Findings on their way to standard output.
pub(crate) struct Findings<'a> {
    format: Format,
    out: &'a mut Output,
    errors: usize,
    warnings: usize,
    failed: Option<io::Error>,
}

impl<'a> Findings<'a> {
    pub(crate) fn new(format: Format, out: &'a mut Output) -> Self {
        Self {
            format,
            out,
            errors: 0,
            warnings: 0,
            failed: None,
        }
    }

    /// Prints one. That it could not be printed is told by [`Findings::end`].
    pub(crate) fn add(&mut self, finding: &Finding) {
        match finding.severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        if self.failed.is_none() {
            self.failed = self.print(finding).err();
        }
    }

    /// Where they go, for what stands beside them.
    pub(crate) fn out(&mut self) -> &mut Output {
        self.out
    }

    fn print(&mut self, finding: &Finding) -> io::Result<()> {
        if self.format == Format::Json {
            return self.out.json_line(finding);
        }
        let palette = self.out.palette;
        let (style, severity) = match finding.severity {
            Severity::Error => (palette.bad, "error"),
            Severity::Warning => (palette.warning, "warning"),
        };
        let (strong, dim) = (palette.strong, palette.dim);
        writeln!(
            self.out,
            "{style}{severity}[{}]{style:#}: {strong}{}{strong:#}: {}{dim}; help: {}{dim:#}",
            finding.code,
            line(&finding.place),
            line(&finding.message),
            line(&finding.help),
        )
    }

    /// Says how much was looked at, for people, and whether there was an error.
    ///
    /// # Errors
    /// When the findings could not be printed.
    pub(crate) fn end(self, looked_at: &[(usize, &str)]) -> Result<ExitCode, CliError> {
        if let Some(error) = self.failed {
            return Err(error.into());
        }
        if self.format == Format::Text {
            let looked_at = looked_at.iter().map(|(number, thing)| count(*number, thing));
            let looked_at: Vec<String> = looked_at.collect();
            writeln!(
                self.out,
                "verified {}: {}, {}",
                looked_at.join(" and "),
                count(self.errors, "error"),
                count(self.warnings, "warning")
            )?;
        }
        Ok(if self.errors == 0 {
            ExitCode::Fine
        } else {
            ExitCode::No
        })
    }
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
