//! The line of the fleet that a person edits to change a rendered manifest.
//!
//! Where the fleet has a template of its own in the place of the program's, that is its first line that departs from the
//! program's and speaks of what is wrong; else it is the field of the tenant's file or of `install.yaml`.

use similar::{ChangeTag, TextDiff};

use crate::config;
use crate::finding::{Finding, Location};
use crate::manifest::ObjectId;
use crate::render::embedded;
use crate::source::Source;
use crate::yaml::{self, Limits};

/// The slug of the tenant of a rendered file.
pub fn tenant(file: &str) -> Option<&str> {
    file.split_once("/tenants/").and_then(|(_, rest)| rest.split('/').next())
}

/// The line to edit for a rendered file: `words` are what is wrong in it, `field` is that of the tenant's file.
pub fn locate(source: &Source, file: &str, words: &[&str], field: &str) -> Location {
    let slug = tenant(file);
    let name = file.rsplit('/').next().unwrap_or_default();
    let family = if slug.is_some() { "tenant" } else { "system" };
    let name = if matches!(name, "helmrelease.yaml" | "application.yaml") { "release.yaml" } else { name };
    let template = format!("templates/{family}/{name}.tera");
    if let Some(text) = source.text(&template) {
        let twin = embedded(&format!("{family}/{name}.tera")).unwrap_or_default();
        return Location { line: departure(twin, text, words), ..Location::file(template) };
    }
    match slug {
        Some(slug) => config::locate(source, &config::tenant_file(slug), field),
        None => Location::file("install.yaml"),
    }
}

/// The line of the fleet's own template in the place of the program's that departs from it and holds a word: the words are
/// tried in order. Templates that it includes belong to it. None if the fleet has none that departs.
pub fn overridden(source: &Source, template: &str, words: &[&str]) -> Option<Location> {
    let text = source.text(&format!("templates/{template}")).or_else(|| embedded(template))?;
    let included = text.split("{% include \"").skip(1).filter_map(|rest| rest.split('"').next());
    let own = std::iter::once(template).chain(included).filter_map(|name| {
        let (own, twin) = (source.text(&format!("templates/{name}"))?, embedded(name)?);
        Some((name, twin, own)).filter(|_| twin != own)
    });
    let own: Vec<_> = own.collect();
    let place = |name: &str, line| Location { line, ..Location::file(format!("templates/{name}")) };
    for word in words {
        for (name, twin, text) in &own {
            let line = departure(twin, text, &[word]);
            if text.lines().nth(line as usize - 1).is_some_and(|text| text.contains(word)) {
                return Some(place(name, line));
            }
        }
    }
    own.first().map(|(name, twin, text)| place(name, departure(twin, text, &[])))
}

/// The document of an object (`Kind namespace/name`) that the fleet ships as it is, below `policies/admission/`.
pub fn shipped(source: &Source, object: &str) -> Option<Location> {
    let files = source.below("policies/admission/").filter(|(path, _)| !path.starts_with("policies/admission/cases/"));
    files.into_iter().find_map(|(path, text)| {
        let documents = yaml::parse(text, Limits::MANIFEST).ok()?;
        let is_it = |root: &yaml::Node| ObjectId::of(&root.to_json()).is_ok_and(|id| id.to_string() == object);
        let document = documents.into_iter().find(|document| is_it(&document.root))?;
        Some(Location::new(path, document.root.span))
    })
}

/// The line of the fleet's own template that writes an object (`Kind namespace/name`): in its document the first that
/// departs from the program's template, else its name; the first line of the template if it does not name the object.
pub fn in_document(template: &str, text: &str, object: &str) -> Location {
    let twin = embedded(template.trim_start_matches("templates/")).unwrap_or_default();
    let (kind, name) = object.split_once(' ').unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let says = |at: usize, key: &str, value: &str| lines[at].strip_prefix(key).is_some_and(|rest| rest.trim() == value);
    let mut starts: Vec<usize> = vec![0];
    starts.extend(lines.iter().enumerate().filter(|(_, line)| line.trim() == "---").map(|(at, _)| at + 1));
    starts.push(lines.len() + 1);
    let documents = starts.windows(2).map(|pair| pair[0]..(pair[1] - 1).max(pair[0]));
    let of_kind: Vec<_> = documents.filter(|range| range.clone().any(|at| says(at, "kind:", kind))).collect();
    let named = of_kind.iter().find(|range| (*range).clone().any(|at| says(at, "  name:", name)));
    let departing = departures(twin, text);
    let departs = |range: &std::ops::Range<usize>| departing.iter().copied().find(|line| range.contains(&(line - 1)));
    let line = match named {
        Some(range) => departs(range).or_else(|| range.clone().find(|at| says(*at, "  name:", name)).map(|at| at + 1)),
        None => of_kind.iter().find_map(departs),
    };
    Location { line: line.and_then(|line| u32::try_from(line).ok()).unwrap_or(1), ..Location::file(template) }
}

/// Every line of a text that departs from its twin, from 1; where lines are gone, the one that stands there now.
fn departures(twin: &str, text: &str) -> Vec<usize> {
    let (mut line, mut found) = (1, Vec::new());
    for change in TextDiff::from_lines(twin, text).iter_all_changes() {
        if change.tag() != ChangeTag::Equal {
            found.push(line);
        }
        line += usize::from(change.tag() != ChangeTag::Delete);
    }
    found
}

/// A finding at the line to edit, with its tenant.
pub fn located(finding: Finding, source: &Source, file: &str, words: &[&str], field: &str) -> Finding {
    let finding = finding.at(locate(source, file, words, field));
    match tenant(file) {
        Some(slug) => finding.tenant(slug),
        None => finding,
    }
}

/// The first line of a text that departs from its twin and holds one of the words; else the first that departs at all.
fn departure(twin: &str, text: &str, words: &[&str]) -> u32 {
    let diff = TextDiff::from_lines(twin, text);
    let (mut line, mut first) = (1_u32, None);
    for change in diff.iter_all_changes() {
        if change.tag() != ChangeTag::Equal {
            first = first.or(Some(line));
            if change.tag() == ChangeTag::Insert && words.iter().any(|word| change.value().contains(word)) {
                return line;
            }
        }
        line += u32::from(change.tag() != ChangeTag::Delete);
    }
    first.unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_departs_and_says_it_is_named() {
        let twin = "a\nb\nc\nd\n";
        assert_eq!(departure(twin, "a\nx\nb\nc\nverbs: [list]\nd\n", &["list"]), 5);
        assert_eq!(departure(twin, "a\nx\nb\nc\nd\n", &["list"]), 2);
        assert_eq!(departure(twin, "a\nb\nd\n", &["list"]), 3);
        assert_eq!(departure(twin, twin, &["list"]), 1);
    }
}
