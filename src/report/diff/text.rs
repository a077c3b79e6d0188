//! The comparison for a person: what is deleted, what opens and closes, what restarts, then everything, the worst first.

use std::fmt::Write as _;

use super::document::{Access, Document, Entry, Side, Verdict};
use crate::diff::{AccessAction, Flow, FlowChange, Moved, Sort, UnitChange};
use crate::report::order::counted;
use crate::report::{Detail, Style};
use crate::secrets::leak;

/// Names in a list before the others are counted.
const NAMES: usize = 6;
/// Units, changes of a heading or connections before the others are counted.
const LINES: usize = 40;

/// One line: what the change amounts to.
pub fn headline(document: &Document) -> String {
    let counts = &document.counts;
    if document.verdict == Verdict::Same {
        return format!("no differences in {}", counted(counts.units.common, "unit"));
    }
    let said = [
        (counts.deleted, "deletes", counted(counts.deleted, "object")),
        (counts.opens, "opens in", counted(counts.opens, "place")),
        (counts.access_added, "gives access to Secrets in", counted(counts.access_added, "place")),
        (counts.connections_added, "adds", counted(counts.connections_added, "connection")),
        (counts.connections_changed, "changes", counted(counts.connections_changed, "connection")),
        (counts.closes, "closes in", counted(counts.closes, "place")),
        (counts.access_removed, "takes access to Secrets in", counted(counts.access_removed, "place")),
        (counts.connections_removed, "removes", counted(counts.connections_removed, "connection")),
        (counts.restarts, "may restart pods of", counted(counts.restarts, "unit")),
    ];
    let mut parts: Vec<String> =
        said.iter().filter(|(count, ..)| *count > 0).map(|(_, verb, what)| format!("{verb} {what}")).collect();
    if parts.is_empty() {
        parts.push("opens, closes, deletes and restarts nothing".into());
    }
    let incomplete = if document.verdict == Verdict::Incomplete { "INCOMPLETE: " } else { "" };
    format!("{incomplete}{}: {}", who(document), parts.join(", "))
}

/// `3 tenants and 1 control plane`.
fn who(document: &Document) -> String {
    let (tenants, planes) = (document.counts.tenants.len(), document.counts.control_planes.len());
    match (tenants, planes) {
        (0, 0) => "no unit".into(),
        (tenants, 0) => counted(tenants, "tenant"),
        (0, planes) => counted(planes, "control plane"),
        (tenants, planes) => format!("{} and {}", counted(tenants, "tenant"), counted(planes, "control plane")),
    }
}

/// The whole report; nothing if nothing differs.
pub fn text(document: &Document, style: Style, detail: Detail) -> String {
    if document.verdict == Verdict::Same {
        return String::new();
    }
    let paint = Paint(style);
    let most = if detail == Detail::Every { usize::MAX } else { LINES };
    let mut out = format!("{}\n", paint.bold(&headline(document)));
    let _ = writeln!(out, "from {} to {}", side(&document.base), side(&document.head));
    let list = |names: Vec<&String>| some(names.into_iter().map(String::as_str), most.clamp(NAMES, NAMES * 4));
    if !document.counts.tenants.is_empty() {
        let _ = writeln!(out, "tenants: {}", list(document.counts.tenants.iter().collect()));
    }
    if !document.counts.control_planes.is_empty() {
        let _ = writeln!(out, "control planes: {}", list(document.counts.control_planes.iter().collect()));
    }
    for reason in &document.incomplete {
        let _ = writeln!(out, "not told: {reason}");
    }
    units(&mut out, document, &paint, most);
    heading(&mut out, "access to Secrets", document.access.len(), &paint);
    for one in document.access.iter().take(most) {
        let _ = writeln!(out, "  {}\n      {}", access(one), whose(&one.tenants, &one.control_planes, NAMES));
    }
    left(&mut out, document.access.len(), most);
    connections(&mut out, document, &paint, most);
    for sort in [Sort::Deletes, Sort::Opens, Sort::Closes, Sort::Restarts, Sort::Other] {
        let entries: Vec<&Entry> = document.changes.iter().filter(|entry| entry.sort == sort).collect();
        heading(&mut out, heading_of(sort), entries.len(), &paint);
        entries.iter().take(most).for_each(|one| entry(&mut out, one, &paint));
        left(&mut out, entries.len(), most);
    }
    for note in &document.notes {
        let _ = writeln!(out, "\nnote: {note}");
    }
    leak::mask(&out)
}

/// The words above changes of a kind.
pub(super) fn heading_of(sort: Sort) -> &'static str {
    match sort {
        Sort::Deletes => "deleted",
        Sort::Opens => "opened",
        Sort::Closes => "closed",
        Sort::Restarts => "may restart pods",
        Sort::Other => "otherwise changed",
    }
}

/// `main (1a2b3c4d5e6f)`.
pub(super) fn side(side: &Side) -> String {
    match &side.revision {
        Some(revision) => format!("{} ({})", side.name, revision.get(..12).unwrap_or(revision)),
        None => side.name.clone(),
    }
}

/// What becomes of a unit, in one line.
pub(super) fn unit(unit: &UnitChange) -> String {
    let name = match &unit.tenant {
        Some(slug) => format!("tenant {slug}"),
        None => unit.path.clone(),
    };
    let cluster = crate::plan::names::cluster_of(&unit.path);
    let objects = counted(unit.objects, "object");
    let made = unit.made.map(|made| format!(", and {made} that Helm makes")).unwrap_or_default();
    let from = unit.from.as_deref().unwrap_or_default();
    let last = from.rsplit('/').next().unwrap_or_default();
    match unit.action {
        Moved::Removed => format!("{name} on {cluster} goes: {objects} deleted{made}"),
        Moved::Added => format!("{name} comes on {cluster}: {objects}{made}"),
        Moved::Renamed => {
            format!("{name} was {last}: the namespace of {last} is deleted with its data, and another made ({objects})")
        }
        Moved::Relocated => {
            let old = crate::plan::names::cluster_of(from);
            format!("{name} moves from {old} to {cluster}: its data on {old} is deleted ({objects})")
        }
    }
}

fn units(out: &mut String, document: &Document, paint: &Paint, most: usize) {
    heading(out, "units that come, go or move", document.units.len(), paint);
    for one in document.units.iter().take(most) {
        let _ = writeln!(out, "  {}", unit(one));
    }
    left(out, document.units.len(), most);
}

fn connections(out: &mut String, document: &Document, paint: &Paint, most: usize) {
    let flows = &document.connections.changes;
    heading(out, "connections", flows.len(), paint);
    for one in flows.iter().take(most) {
        let _ = writeln!(out, "  {}", flow(one));
    }
    left(out, flows.len(), most);
    for line in &document.connections.not_listed {
        let _ = writeln!(out, "  not listed: {line}");
    }
}

/// Access that comes or goes, in one line.
pub(super) fn access(access: &Access) -> String {
    let (sign, may) = match access.action {
        AccessAction::Added => ("+", "can"),
        AccessAction::Removed => ("-", "could"),
    };
    let why = if access.why.is_empty() { String::new() } else { format!(": {}", access.why) };
    format!("{sign} {} {may} {} ({}{why})", access.subject, access.what, access.rights)
}

/// One pair of ends.
pub(super) fn flow(flow: &Flow) -> String {
    let nothing = "nothing";
    let (before, after) = (flow.before.as_deref().unwrap_or(nothing), flow.after.as_deref().unwrap_or(nothing));
    let (sign, what) = match flow.change {
        FlowChange::Added => ("+", after.to_owned()),
        FlowChange::Changed => ("~", format!("{before} becomes {after}")),
        FlowChange::Removed => ("-", before.to_owned()),
    };
    let alike = match flow.alike.len() {
        0 => String::new(),
        count => {
            format!("; likewise {} ({})", counted(count, "tenant"), some(flow.alike.iter().map(String::as_str), NAMES))
        }
    };
    format!("{sign} {} => {} : {what} [{}]{alike}", flow.source, flow.destination, flow.cluster)
}

fn entry(out: &mut String, entry: &Entry, paint: &Paint) {
    let _ = writeln!(out, "  {}: {}", paint.bold(&subject(entry)), entry.effect);
    let _ = writeln!(out, "      {}", where_of(entry, NAMES));
    for (sign, value, colour) in [("-", &entry.before, "31"), ("+", &entry.after, "32")] {
        if let Some(value) = value {
            let _ = writeln!(out, "      {}", paint.colour(&format!("{sign} {value}"), colour));
        }
    }
}

/// What changes: `NetworkPolicy tenant-acme/default-deny spec.policyTypes`.
pub(super) fn subject(entry: &Entry) -> String {
    let object = entry.object.to_string();
    match &entry.renamed_to {
        Some(to) => format!("{object} is renamed to {to}"),
        None if entry.path.is_empty() => object,
        None => format!("{object} {}", entry.path),
    }
}

/// Whom it happens to: `50 tenants: a, b, c and 47 more`, and what makes the object.
pub(super) fn where_of(entry: &Entry, names: usize) -> String {
    let whose = whose(&entry.tenants, &entry.control_planes, names);
    match &entry.made_by {
        Some(chart) => format!("{whose}; made by Helm from {chart}"),
        None => whose,
    }
}

/// `50 tenants: a, b, c and 47 more`.
pub(super) fn whose(tenants: &[String], control_planes: &[String], names: usize) -> String {
    let of = |word: &str, list: &[String]| match list {
        [] => None,
        [one] => Some(format!("{word} {one}")),
        list => Some(format!("{}: {}", counted(list.len(), word), some(list.iter().map(String::as_str), names))),
    };
    let both = [of("tenant", tenants), of("control plane", control_planes)];
    both.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// Some of a list, and how many more there are.
pub fn some<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize) -> String {
    let count = names.len();
    let mut list: Vec<&str> = names.take(most).collect();
    let more = format!("{} more", count - list.len());
    if count > list.len() {
        list.push(&more);
    }
    list.join(", ")
}

fn heading(out: &mut String, words: &str, count: usize, paint: &Paint) {
    if count > 0 {
        let _ = writeln!(out, "\n{}", paint.bold(&format!("{words} ({count})")));
    }
}

fn left(out: &mut String, count: usize, most: usize) {
    if count > most {
        let _ = writeln!(out, "  … {} more: -v, or -o json, shows each", count - most);
    }
}

struct Paint(Style);

impl Paint {
    fn bold(&self, text: &str) -> String {
        self.colour(text, "1")
    }

    fn colour(&self, text: &str, code: &str) -> String {
        match self.0 {
            Style::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Style::Plain => text.to_owned(),
        }
    }
}
