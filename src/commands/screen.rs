//! Where words go: reports to standard output or their files, everything else to standard error.

use std::io::{IsTerminal as _, Write as _};

use clap::ValueEnum as _;

use crate::cli::{Colour, Format, Global, OutputSpec};
use crate::error::{Error, Result};
use crate::finding::{Finding, exit_code};
use crate::report::{self, Detail, Report, Style};
use crate::secrets::leak;
use crate::source::Source;

use super::timings::Timings;

/// The two streams and the options that rule them.
#[derive(Debug)]
pub struct Screen {
    global: Global,
}

impl Screen {
    /// A screen with these options.
    pub fn new(global: &Global) -> Self {
        Self { global: global.clone() }
    }

    /// The options of every command.
    pub fn global(&self) -> &Global {
        &self.global
    }

    /// Writes to standard output. A reader that went away is no error.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, text: &str) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                Err(Error::environment("cannot write to standard output").cause(error))
            }
            _ => Ok(()),
        }
    }

    /// Says something on standard error, unless asked to be quiet.
    pub fn say(&self, line: &str) {
        if !self.global.quiet {
            self.complain(line);
        }
    }

    /// Says something on standard error in any case. Secrets are covered, wherever the words came from.
    pub fn complain(&self, line: &str) {
        // Nothing is left to tell of it if standard error is gone.
        let _ = writeln!(std::io::stderr().lock(), "{}", leak::mask(line));
    }

    /// Writes a report in every format that was asked for; text to standard error if none was.
    ///
    /// # Errors
    /// A file of a report cannot be written.
    pub fn report(&self, report: &Report, source: &Source) -> Result<()> {
        let make = |format, style| match format {
            Format::Text => Some(report::text(report, source, style, self.detail())),
            _ => derived(report, format),
        };
        let missing = self.emit_files(&make)?;
        if self.global.output.is_empty() || missing {
            let style = self.style(std::io::stderr().is_terminal());
            let text = report::text(report, source, style, self.detail());
            // Its secrets are covered by the report itself, colours and all.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
        Ok(())
    }

    /// Shows a report as text on standard error, whatever formats were asked for.
    pub fn words(&self, report: &Report, source: &Source) {
        let style = self.style(std::io::stderr().is_terminal());
        let text = report::text(report, source, style, self.detail());
        // Its secrets are covered by the report itself, colours and all.
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Tells what stands in a command's way; gives the exit code that it asks for.
    ///
    /// # Errors
    /// A file of a report cannot be written.
    pub fn refuse(&self, command: &'static str, mut findings: Vec<Finding>, source: &Source) -> Result<u8> {
        findings.sort();
        let code = exit_code(&findings);
        self.report(&Report { command, verdicts: Vec::new(), findings }, source)?;
        Ok(code)
    }

    /// Writes a report in every format that was asked for, as text to standard output if none was. Text and JSON are the
    /// command's own, from `own`; the others derive from the report.
    ///
    /// # Errors
    /// A file of a report cannot be written.
    pub fn emit(&self, report: &Report, own: &dyn Fn(Format, Style) -> Option<String>) -> Result<()> {
        let make = |format, style| own(format, style).or_else(|| derived(report, format));
        if self.global.output.is_empty() {
            let style = self.style(std::io::stdout().is_terminal());
            return self.print(&make(Format::Text, style).unwrap_or_default());
        }
        self.emit_files(&make).map(|_| ())
    }

    /// Writes what `make` makes in every format that was asked for; says whether one has no form.
    fn emit_files(&self, make: &dyn Fn(Format, Style) -> Option<String>) -> Result<bool> {
        let mut missing = false;
        for spec in &self.global.output {
            let style = self.style(spec.path.is_none() && std::io::stdout().is_terminal());
            match make(spec.format, style) {
                Some(text) => self.put(spec.path.as_deref(), &text)?,
                None => missing = true,
            }
        }
        Ok(missing)
    }

    fn detail(&self) -> Detail {
        if self.global.verbose > 0 { Detail::Every } else { Detail::Folded }
    }

    /// Writes an answer in every format that was asked for, as text if none was. `form` knows the formats.
    ///
    /// # Errors
    /// A format that the command does not have, or a file that cannot be written.
    pub fn write(&self, form: impl Fn(Format) -> Option<String>) -> Result<()> {
        let text = OutputSpec { format: Format::Text, path: None };
        let wanted = if self.global.output.is_empty() { std::slice::from_ref(&text) } else { &self.global.output };
        let mut written = Vec::new();
        for spec in wanted {
            match form(spec.format) {
                Some(text) => written.push((spec.path.as_deref(), text)),
                None => return Err(unknown_form(spec.format)),
            }
        }
        written.into_iter().try_for_each(|(path, text)| self.put(path, &text))
    }

    fn put(&self, path: Option<&std::path::Path>, text: &str) -> Result<()> {
        match path {
            None => self.print(text),
            Some(path) => std::fs::write(path, text).map_err(|error| {
                Error::environment(format!("cannot write the report {}", path.display())).cause(error)
            }),
        }
    }

    /// Says where the time went, if asked.
    pub fn timings(&self, timings: &Timings) {
        if self.global.timings {
            timings.lines().for_each(|line| self.complain(&line));
        }
    }

    /// Whether a format was asked for.
    pub fn wants(&self, format: Format) -> bool {
        self.global.output.iter().any(|spec| spec.format == format)
    }

    /// A spinner for long work, on a terminal only.
    pub fn progress(&self, what: &'static str) -> indicatif::ProgressBar {
        if self.global.quiet || !std::io::stderr().is_terminal() {
            return indicatif::ProgressBar::hidden();
        }
        let bar = indicatif::ProgressBar::new_spinner().with_message(what);
        bar.enable_steady_tick(std::time::Duration::from_millis(100));
        bar
    }

    /// Colours or none, for a stream.
    pub fn style(&self, is_terminal: bool) -> Style {
        let coloured = match self.global.color {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => is_terminal && std::env::var_os("NO_COLOR").is_none(),
        };
        if coloured { Style::Coloured } else { Style::Plain }
    }
}

fn unknown_form(format: Format) -> Error {
    let name = format.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    Error::usage(format!("this command does not write {name}"))
}

/// A report in a format that needs neither sources nor a terminal; none in the formats of pictures and tables.
fn derived(report: &Report, format: Format) -> Option<String> {
    Some(match format {
        Format::Text => report::text(report, &Source::default(), Style::Plain, Detail::Every),
        Format::Json => report::json(report, super::version()),
        Format::Markdown => report::markdown(report),
        Format::Sarif => report::sarif(report, super::version()),
        Format::Junit => report::junit(report),
        Format::Gitlab => report::gitlab(report),
        Format::Github => report::github(report),
        Format::Html => report::html(report, super::version()),
        Format::Csv | Format::Dot | Format::Svg => return None,
    })
}
