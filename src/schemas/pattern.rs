//! Regular expressions of schemas. The API server reads them as Go does (RE2); here they become the dialect of the crate
//! `regex`, which differs in what `\d` and friends mean and in what may stand inside brackets.

use std::sync::OnceLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// A regular expression as a schema gives it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pattern {
    text: String,
    #[serde(skip)]
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches somewhere; none if it cannot be read.
    pub fn matches(&self, text: &str) -> Option<bool> {
        let regex = self.compiled.get_or_init(|| Regex::new(&translated(&self.text)?).ok());
        regex.as_ref().map(|regex| regex.is_match(text))
    }
}

/// The same expression for the crate `regex`; none for syntax that it does not have.
fn translated(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len() + 16);
    let mut characters = text.chars().peekable();
    let mut inside = false;
    let mut first = false;
    while let Some(character) = characters.next() {
        let starts = std::mem::take(&mut first);
        match character {
            '\\' => escape(characters.next()?, inside, &mut out)?,
            '[' if !inside => {
                inside = true;
                first = true;
                out.push('[');
                if characters.next_if_eq(&'^').is_some() {
                    out.push('^');
                }
                // A bracket that closes at once stands for itself.
                if characters.next_if_eq(&']').is_some() {
                    out.push_str("\\]");
                    first = false;
                }
            }
            '[' if characters.peek() == Some(&':') => out.push('['),
            '[' => out.push_str("\\["),
            ':' if inside && characters.peek() == Some(&']') && out.contains("[:") => {
                characters.next();
                out.push_str(":]");
            }
            ']' if inside => {
                inside = false;
                out.push(']');
            }
            // Set operations of the crate are plain characters in Go.
            '&' | '~' if inside => {
                out.push('\\');
                out.push(character);
            }
            '-' if inside && (starts || characters.peek() == Some(&']')) => out.push_str("\\-"),
            other => out.push(other),
        }
    }
    Some(out)
}

fn escape(character: char, inside: bool, out: &mut String) -> Option<()> {
    let class = match character {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[0-9A-Za-z_]",
        'W' => "[^0-9A-Za-z_]",
        's' => "[\\t\\n\\x0C\\r ]",
        'S' => "[^\\t\\n\\x0C\\r ]",
        'b' if !inside => "(?-u:\\b)",
        'B' if !inside => "(?-u:\\B)",
        'Q' | 'E' | 'C' => return None,
        other => {
            out.push('\\');
            out.push(other);
            return Some(());
        }
    };
    out.push_str(class);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_to_the_api_server() {
        let cases = [
            (r"^\d+$", "12", Some(true)),
            (r"^\d+$", "١٢", Some(false)),
            (r"^[\w.-]+$", "a_b.c-d", Some(true)),
            (r"^[\w.-]+$", "é", Some(false)),
            (r"^[^\s]+$", "a b", Some(false)),
            (r"^[[a-z]+$", "[a", Some(true)),
            (r"^[a&&b~~]+$", "&&~", Some(true)),
            (r"^[]a]+$", "]a", Some(true)),
            (r"^[-a-c]$", "-", Some(true)),
            (r"^([0-9]+(\.[0-9]+)?(ms|s|m|h))+$", "1h30m", Some(true)),
            (r"^[[:alpha:]]+$", "ab", Some(true)),
            (r"a\Qb", "ab", None),
            (r"(?=a)", "a", None),
        ];
        for (text, value, expected) in cases {
            let pattern = Pattern { text: text.into(), compiled: OnceLock::new() };
            assert_eq!(pattern.matches(value), expected, "{text} {value}");
        }
    }
}
