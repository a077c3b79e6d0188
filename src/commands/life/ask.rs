//! Questions on a terminal, one a line; an empty answer takes what stands in brackets.

use std::io::{BufRead as _, IsTerminal as _};

use crate::commands::screen::Screen;
use crate::error::{Error, Result};

/// Whether somebody is there to answer.
pub fn is_possible() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// Asks until the answer can be taken.
///
/// # Errors
/// The terminal was closed.
pub fn ask<T>(
    screen: &Screen,
    question: &str,
    default: Option<&str>,
    take: impl Fn(&str) -> std::result::Result<T, String>,
) -> Result<T> {
    loop {
        let shown = default.map(|default| format!(" [{default}]")).unwrap_or_default();
        screen.complain(&format!("{question}{shown}:"));
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        if !matches!(read, Ok(bytes) if bytes > 0) {
            return Err(Error::usage("the questions were not answered").hint("give the answers as options: --help"));
        }
        let answer = match line.trim() {
            "" => default.unwrap_or_default(),
            answer => answer,
        };
        match take(answer) {
            Ok(value) => return Ok(value),
            Err(expected) => screen.complain(&format!("  expected {expected}")),
        }
    }
}

/// One of some words.
pub fn choice(screen: &Screen, question: &str, words: &[String], default: &str) -> Result<String> {
    ask(screen, &format!("{question} ({})", words.join(", ")), Some(default), |answer| {
        if words.iter().any(|word| word == answer) {
            Ok(answer.to_owned())
        } else {
            Err(format!("one of {}", words.join(", ")))
        }
    })
}
