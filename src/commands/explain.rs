//! `explain`: what a rule says, why, and how to mend what it found.

use super::screen::Screen;
use crate::cli::{ExplainRuleArgs, Format};
use crate::error::{Error, Result, exit};
use crate::rules::{self, Rule};

/// Runs the command.
pub fn run(screen: &Screen, args: &ExplainRuleArgs) -> Result<u8> {
    let wanted: Vec<&Rule> = match &args.rule {
        None => rules::all().iter().collect(),
        Some(word) => one(word)?,
    };
    let table = args.rule.is_none() && !args.all;
    screen.write(|format| match format {
        Format::Text if table => Some(list(&wanted)),
        Format::Text => Some(wanted.iter().map(|rule| rules::text(rule)).collect::<Vec<_>>().join("\n")),
        Format::Markdown if table => Some(rules::index()),
        Format::Markdown => Some(wanted.iter().map(|rule| rules::markdown(rule)).collect::<Vec<_>>().join("\n")),
        Format::Json => Some(format!("{}\n", serde_json::to_string_pretty(&wanted).unwrap_or_default())),
        _ => None,
    })?;
    Ok(exit::OK)
}

/// The rule with this id, or the only one whose name the word is.
fn one(word: &str) -> Result<Vec<&'static Rule>> {
    let meant = rules::meant(word);
    let known = rules::find(word).or_else(|| match meant.as_slice() {
        [id] if id.rsplit('/').next() == Some(word) => rules::find(id),
        _ => None,
    });
    known.map(|rule| vec![rule]).ok_or_else(|| {
        let error = Error::usage(format!("there is no rule {word:?}"));
        error.hint(match meant.as_slice() {
            [] => "all of them: tenantry explain".to_owned(),
            ids => format!("did you mean {}?", ids.join(", ")),
        })
    })
}

fn list(wanted: &[&Rule]) -> String {
    let width = wanted.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
    let class = wanted.iter().map(|rule| rule.class.len()).max().unwrap_or(0);
    wanted.iter().map(|rule| format!("{:<width$}  {:<class$}  {}\n", rule.id, rule.class, rule.title)).collect()
}
