//! `log`: what happened to the tenants.

use serde_json::json;

use crate::cli::{Format, LogArgs};
use crate::commands::screen::Screen;
use crate::error::{Error, Result, exit};
use crate::history::{self, Event, Outputs, Place, Question};

/// Runs the command.
pub fn log(screen: &Screen, args: &LogArgs) -> Result<u8> {
    let root = &screen.global().fleet;
    let place = Place::find(root)?.ok_or_else(|| {
        Error::environment(format!("{} lies in no Git repository: there is no history", root.display()))
            .hint("name the fleet with -C DIR")
    })?;
    let default = root.join("rendered");
    let outputs = match &args.repo {
        Some(repo) => Outputs::read(&place.git, repo, &args.branch)?,
        None if default.join(".git").exists() => Outputs::read(&place.git, &default, &args.branch)?,
        None => Outputs::default(),
    };
    let limit = args.limit.unwrap_or(usize::MAX);
    let question = Question { slug: args.slug.as_deref(), revision: &args.rev, limit };
    let events = history::log(&place, question, &outputs)?;
    if events.is_empty() {
        screen.say(&match &args.slug {
            Some(slug) => format!("nothing is known of a tenant {slug}"),
            None => "no tenant was ever committed here".to_owned(),
        });
    }
    screen.write(|format| match format {
        Format::Text => Some(events.iter().map(line).collect()),
        Format::Json => {
            let value = json!({ "apiVersion": "tenantry.io/v1", "kind": "Log", "events": events });
            serde_json::to_string_pretty(&value).ok().map(|text| text + "\n")
        }
        _ => None,
    })?;
    Ok(exit::OK)
}

/// One line of the table.
fn line(event: &Event) -> String {
    let what = &event.what;
    let arrow = match (&what.from, &what.to) {
        (Some(from), Some(to)) => format!("{from} → {to}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => String::new(),
    };
    let subject = what.subject.as_deref().unwrap_or_default();
    let words: Vec<&str> = [what.event, subject, &arrow].into_iter().filter(|word| !word.is_empty()).collect();
    let short = |oid: &str| oid.chars().take(12).collect::<String>();
    let output = event.output.as_deref().map_or_else(|| "-".to_owned(), short);
    let (time, source) = (&event.time, short(&event.source));
    format!("{time}  {source}  {output:<12}  {:<20}  {}  ({})\n", what.tenant, words.join(" "), event.author)
}
