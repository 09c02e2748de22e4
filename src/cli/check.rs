//! `switchboard check`: everything wrong in the datastore, the scripts and the settings, at once.

use std::collections::BTreeSet;
use std::io;
use std::io::Write;

use crate::cli::error::CliError;
use crate::cli::exit_code::ExitCode;
use crate::cli::format::Format;
use crate::cli::options::GlobalOptions;
use crate::cli::output::Output;
use crate::cli::width;
use crate::cli::width::excerpt;
use crate::source::Diagnostic;
use crate::source::Severity;
use crate::switchboard::Switchboard;

/// Everything wrong in the datastore, the scripts and the settings, at once
///
/// Exit status 1 only where there is an error; a warning leaves it 0.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  switchboard check --automate automate --scripts scripts
  switchboard check --format json | jq -r 'select(.severity == \"error\") | .file'")]
pub(crate) struct Check {
    /// For people, or one JSON document a finding
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Check {
    pub(crate) fn run(&self, options: &GlobalOptions, out: &mut Output) -> Result<ExitCode, CliError> {
        let tree = options.source_tree()?;
        let loaded = Switchboard::load(&tree, None);
        let across_files = loaded.switchboard.check(&tree);
        let in_settings = options.settings_findings()?;
        let settings_text = options.settings_path().shown_text();
        let findings = tree
            .diagnostics()
            .iter()
            .chain(&loaded.diagnostics)
            .chain(&across_files)
            .chain(&in_settings);
        // What the tree found, the load may tell again.
        let findings: BTreeSet<&Diagnostic> = findings.collect();
        let mut findings: Vec<&Diagnostic> = findings.into_iter().collect();
        findings.sort_by(|a, b| (&a.file, a.line, a.column).cmp(&(&b.file, b.line, b.column)));
        for finding in &findings {
            let in_tree = tree.files().iter().find(|file| file.path == finding.file);
            let text = match in_tree {
                Some(file) => Some(&*file.text),
                None => settings_text.as_deref().filter(|_| in_settings.contains(finding)),
            };
            match self.format {
                Format::Text => print(out, finding, text.and_then(|text| line(text, finding.line)))?,
                Format::Json => out.json_line(finding)?,
            }
        }
        let errors = findings
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .count();
        if self.format == Format::Text {
            let warnings = findings.len() - errors;
            writeln!(
                out,
                "checked {}: {}, {}",
                count(tree.files().len(), "file"),
                count(errors, "error"),
                count(warnings, "warning")
            )?;
        }
        Ok(if errors == 0 { ExitCode::Fine } else { ExitCode::No })
    }
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

fn line(text: &str, number: u32) -> Option<&str> {
    text.lines().nth(usize::try_from(number).ok()?.checked_sub(1)?)
}

/// One finding with its line, the place marked.
fn print(out: &mut Output, finding: &Diagnostic, line: Option<&str>) -> io::Result<()> {
    let palette = out.palette;
    let (style, severity) = match finding.severity {
        Severity::Error => (palette.bad, "error"),
        Severity::Warning => (palette.warning, "warning"),
    };
    let (strong, dim) = (palette.strong, palette.dim);
    let message = width::line(&finding.message);
    writeln!(
        out,
        "{style}{severity}[{}]{style:#}: {strong}{message}{strong:#}",
        finding.code
    )?;
    let number = finding.line.to_string();
    let margin = " ".repeat(number.len());
    writeln!(
        out,
        "{margin}{dim}-->{dim:#} {}:{}:{}",
        width::line(&finding.file),
        finding.line,
        finding.column
    )?;
    if let Some(line) = line {
        let (shown, indent) = excerpt(line, finding.column);
        let indent = " ".repeat(indent);
        writeln!(out, "{margin} {dim}|{dim:#}")?;
        writeln!(out, "{dim}{number} |{dim:#} {shown}")?;
        writeln!(out, "{margin} {dim}|{dim:#} {indent}{style}^{style:#}")?;
    }
    if !finding.help.is_empty() {
        writeln!(out, "{margin} {dim}={dim:#} help: {}", width::line(&finding.help))?;
    }
    writeln!(out)
}
