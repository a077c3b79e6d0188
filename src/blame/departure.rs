//! The line of the fleet that a person edits to change a rendered manifest.
//!
//! Where the fleet has a template of its own in the place of the program's, that is its first line that departs from the
//! program's and speaks of what is wrong; else it is the field of the tenant's file or of `install.yaml`.

use similar::{ChangeTag, TextDiff};

use crate::config;
use crate::finding::{Finding, Location};
use crate::render::embedded;
use crate::source::Source;

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

/// The line of the fleet's own template that writes one of some objects (`Kind namespace/name`, or a pod as
/// `namespace/name[Kind]`): in its document the first that departs from the program's template, else its name; the first
/// line of the template if it names none of them.
pub fn in_document(template: &str, text: &str, objects: &str) -> Location {
    let twin = embedded(template.trim_start_matches("templates/")).unwrap_or_default();
    let departing = departures(twin, text);
    let documents = documents(text);
    let wanted: Vec<(&str, &str)> = objects.split(", ").map(kind_and_name).collect();
    let named =
        |document: &&Written<'_>| wanted.iter().any(|(kind, name)| document.kind == *kind && document.name == *name);
    let of_kind = |document: &&Written<'_>| wanted.iter().any(|(kind, _)| document.kind == *kind);
    let departs =
        |document: &Written<'_>| departing.iter().map(|(line, _)| *line).find(|line| document.lines.contains(line));
    let own: Vec<&Written<'_>> = documents.iter().filter(named).collect();
    let line = match own.as_slice() {
        [] => documents.iter().filter(of_kind).find_map(departs),
        [first, ..] => own.iter().find_map(|document| departs(document)).or(Some(first.name_at)),
    };
    Location { line: line.unwrap_or(1), ..Location::file(template) }
}

/// The kind and the name of an object.
fn kind_and_name(object: &str) -> (&str, &str) {
    let (kind, path) = match object.strip_suffix(']').and_then(|pod| pod.split_once('[')) {
        Some((path, kind)) => (kind, path),
        None => object.split_once(' ').unwrap_or_default(),
    };
    (kind, path.rsplit('/').next().unwrap_or_default())
}

/// A document of a template, as far as its text says what it is.
struct Written<'t> {
    /// Its lines, from 1.
    lines: std::ops::Range<u32>,
    kind: &'t str,
    name: &'t str,
    name_at: u32,
}

fn documents(text: &str) -> Vec<Written<'_>> {
    let empty = |start: u32| Written { lines: start..start, kind: "", name: "", name_at: start };
    let mut documents = vec![empty(1)];
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim() == "---" {
            documents.push(empty(line + 1));
        } else if let Some(document) = documents.last_mut() {
            document.lines.end = line + 1;
            if let Some(kind) = text.strip_prefix("kind:") {
                document.kind = kind.trim();
            } else if let (Some(name), "") = (text.strip_prefix("  name:"), document.name) {
                (document.name, document.name_at) = (name.trim(), line);
            }
        }
    }
    documents
}

/// Every line of a text that departs from its twin, from 1, with what is written there; where lines are gone, the one that
/// stands there now.
fn departures(twin: &str, text: &str) -> Vec<(u32, Option<String>)> {
    let (mut line, mut found) = (1, Vec::new());
    for change in TextDiff::from_lines(twin, text).iter_all_changes() {
        if change.tag() != ChangeTag::Equal {
            found.push((line, (change.tag() == ChangeTag::Insert).then(|| change.value().to_owned())));
        }
        line += u32::from(change.tag() != ChangeTag::Delete);
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
    let departing = departures(twin, text);
    let says = |written: &String| words.iter().any(|word| written.contains(word));
    let first = departing.iter().find(|(_, written)| written.as_ref().is_some_and(says)).or(departing.first());
    first.map_or(1, |(line, _)| *line)
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
