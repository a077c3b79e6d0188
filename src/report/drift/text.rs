//! The report for a person: the verdict first, then what was not read, then what differs, by tenant, the worst first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::document::{Cluster, Difference, Document};
use crate::drift::change::{Pending, Severity};
use crate::drift::changeset::{Gap, Overall, TenantState};
use crate::drift::exempt::ExemptionState;
use crate::report::Style;
use crate::secrets::leak;

/// The whole report.
pub fn text(document: &Document, style: Style) -> String {
    let mut out = String::new();
    let paint = Paint(style);
    summary(&mut out, document, &paint);
    coverage(&mut out, document, &paint);
    for (unit, differences) in units(document) {
        let _ = writeln!(out, "\n{}", paint.bold(&unit));
        for difference in differences {
            one(&mut out, difference, &paint);
        }
    }
    exemptions(&mut out, document);
    for line in &document.notes {
        let _ = writeln!(out, "\nnote: {line}");
    }
    leak::mask(&out)
}

/// One line for a log. It says clean only where everything was read.
pub fn headline(document: &Document) -> String {
    let checked = &document.checked;
    let revision = checked.revision.as_deref().map(|id| format!(" at {id}")).unwrap_or_default();
    let objects = counted(document.counts.declared, "object");
    let what = format!("{objects} of cluster {}{revision}", checked.cluster);
    let drift: usize = document.counts.drift.values().sum();
    match document.verdict {
        Overall::Clean => format!("{}: {what}", clean_word(document).to_lowercase()),
        Overall::Drift => format!("drift: {} in {what}", counted(drift, "difference")),
        Overall::Incomplete => {
            let gaps = document.gaps().count();
            let (unread, files) = (counted(gaps, "kind"), counted(document.unreadable.len(), "problem"));
            let found = if drift == 0 { "no difference".to_owned() } else { counted(drift, "difference") };
            format!("incomplete: {unread} not read, {files}; {found} in what was read of {what}")
        }
    }
}

/// A dump never shows what it left out, so nothing more than itself is called clean.
fn clean_word(document: &Document) -> &'static str {
    match document.checked.live {
        Cluster::Server(_) => "CLEAN",
        Cluster::Dump(_) => "NO DRIFT IN THE DUMP",
    }
}

/// Why a kind was not read, in one line.
pub fn gap(gap: &Gap) -> String {
    match gap {
        Gap::Refused(detail) => format!("not permitted: {detail}"),
        Gap::Absent(detail) => format!("not there: {detail}"),
        Gap::Failed(detail) => format!("failed: {detail}"),
        Gap::Unjudged(detail) => format!("cannot be judged: {detail}"),
    }
}

fn summary(out: &mut String, document: &Document, paint: &Paint) {
    let (word, severity) = match document.verdict {
        Overall::Clean => (clean_word(document), Severity::Info),
        Overall::Drift => {
            ("DRIFT", document.drift().map(|difference| difference.severity).max().unwrap_or(Severity::Low))
        }
        Overall::Incomplete => ("INCOMPLETE", Severity::Critical),
    };
    let checked = &document.checked;
    let live = match &checked.live {
        Cluster::Server(address) => address.clone(),
        Cluster::Dump(path) => format!("the dump {path}"),
    };
    let _ = writeln!(out, "{}  cluster {} ({live}), {}", paint.weight(severity, word), checked.cluster, checked.at);
    let branch = checked.branch.as_deref().map(|branch| format!(" ({branch})")).unwrap_or_default();
    let revision = checked.revision.as_deref().map(|id| format!(" at {id}")).unwrap_or_default();
    let _ = writeln!(out, "  against {}{revision}{branch}", checked.repository);
    let parts = &checked.parts;
    let part = |name: &str, value: Option<String>| value.map(|value| format!("{name} {value}"));
    let only: Vec<String> = [
        part("tenants", parts.tenants.as_ref().map(|tenants| tenants.join(", "))),
        part("labels", parts.selector.clone()),
        part("shard", parts.shard.clone()),
    ]
    .into_iter()
    .flatten()
    .collect();
    if !only.is_empty() {
        let _ = writeln!(out, "  only {}", only.join("; "));
    }
    let _ = writeln!(out, "  {}", numbers(document));
    let states = |wanted: TenantState| document.tenants.values().filter(|state| **state == wanted).count();
    let _ = writeln!(
        out,
        "  tenants: {} drifted, {} clean, {} unknown",
        states(TenantState::Drifted),
        states(TenantState::Clean),
        states(TenantState::Unknown)
    );
}

fn numbers(document: &Document) -> String {
    let counts = &document.counts;
    let mut parts = Vec::new();
    for severity in [Severity::Critical, Severity::High, Severity::Medium, Severity::Low] {
        if let Some(count) = counts.drift.get(severity.as_str()) {
            parts.push(format!("{count} {}", severity.as_str()));
        }
    }
    let total: usize = counts.drift.values().sum();
    let mut line = match total {
        0 => "no difference in what was read".to_owned(),
        _ => format!("{}: {}", counted(total, "difference"), parts.join(", ")),
    };
    if counts.exempted > 0 {
        let _ = write!(line, "; {} exempted", counts.exempted);
    }
    if counts.info > 0 {
        let _ = write!(line, "; {} only worth knowing", counts.info);
    }
    if counts.pending > 0 {
        let _ = write!(line, "; {} pending", counts.pending);
    }
    let declared = counted(counts.declared, "object");
    let _ = write!(line, " ({declared} in Git, {} read from the cluster)", counts.live);
    line
}

fn coverage(out: &mut String, document: &Document, paint: &Paint) {
    let gaps: Vec<_> = document.gaps().collect();
    let kinds = document.coverage.len();
    if gaps.is_empty() {
        let _ = writeln!(out, "  read: all of {}", counted(kinds, "kind"));
    } else {
        let line = format!("NOT READ: {} of {}", gaps.len(), counted(kinds, "kind"));
        let _ = writeln!(out, "  {}", paint.weight(Severity::Critical, &line));
        for (kind, why) in gaps {
            let _ = writeln!(out, "    {} {} ({} in Git): {}", kind.api_version, kind.kind, kind.declared, gap(why));
        }
    }
    if !document.unreadable.is_empty() {
        let line = format!("NOT TAKEN INTO ACCOUNT: {}", document.unreadable.len());
        let _ = writeln!(out, "  {}", paint.weight(Severity::Critical, &line));
        for unreadable in &document.unreadable {
            let place = unreadable.place.as_ref().map(|place| format!("{}:{}: ", place.file, place.line));
            let _ = writeln!(out, "    {}{}", place.unwrap_or_default(), unreadable.reason);
        }
    }
    for line in &document.skipped {
        let _ = writeln!(out, "  not looked for: {line}");
    }
}

/// Differences by unit; the unit with the worst first.
fn units(document: &Document) -> Vec<(String, Vec<&Difference>)> {
    let mut units: BTreeMap<String, Vec<&Difference>> = BTreeMap::new();
    for difference in &document.differences {
        let unit = difference.tenant.clone().map_or_else(|| "system".to_owned(), |slug| format!("tenant {slug}"));
        units.entry(unit).or_default().push(difference);
    }
    let mut units: Vec<_> = units.into_iter().collect();
    // The document has the worst first, so the first of a unit is its worst.
    let worst = |unit: &[&Difference]| unit.first().map_or(Severity::Info, |difference| difference.severity);
    units.sort_by(|a, b| worst(&b.1).cmp(&worst(&a.1)).then(a.0.cmp(&b.0)));
    units
}

fn one(out: &mut String, difference: &Difference, paint: &Paint) {
    let word = paint.weight(difference.severity, difference.severity.as_str());
    let verdict = serde_json::to_value(difference.verdict).ok().and_then(|value| value.as_str().map(str::to_owned));
    let path = if difference.path.is_empty() { String::new() } else { format!("  {}", difference.path) };
    let (class, verdict) = (difference.class.as_str(), verdict.unwrap_or_default());
    let _ = writeln!(out, "  {word} {class}, {verdict}: {}{path}", difference.object);
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "      {name:<9} {value}");
    };
    line("effect", &difference.effect);
    if let Some(expected) = &difference.expected {
        line("expected", expected);
    }
    if let Some(found) = &difference.found {
        line("found", found);
    }
    match &difference.rendered {
        Some(place) => line("rendered", &format!("{}:{}", place.file, place.line)),
        None => line("rendered", "nowhere: Git does not have it"),
    }
    if let Some(decided) = &difference.decided_by {
        let field = if decided.field.is_empty() { String::new() } else { format!(" ({})", decided.field) };
        line("decided", &format!("{}:{}{field}", decided.file, decided.line));
    }
    if let Some(writer) = &difference.last_writer_hint {
        let time = writer.time.as_deref().map(|time| format!(" at {time}")).unwrap_or_default();
        line(
            "hint",
            &format!("last written by {}{time}, says managedFields, which any client can write", writer.manager),
        );
    }
    if let Some(since) = &difference.since {
        line("since", since);
    }
    if let Some(pending) = difference.pending {
        line("pending", pending_word(pending));
    }
    match &difference.exemption {
        Some(exemption) => line("exempted", exemption),
        None if difference.drift => line("put back", &difference.restore),
        None => {}
    }
}

/// Why a difference does not count yet, in words.
pub fn pending_word(pending: Pending) -> &'static str {
    match pending {
        Pending::Settling => "seen a moment ago, and not read a second time yet",
        Pending::RollingOut => "the object is what the revision before said: the new one is being applied",
    }
}

fn exemptions(out: &mut String, document: &Document) {
    for exemption in &document.exemptions {
        let state = match &exemption.state {
            ExemptionState::Used { .. } => continue,
            ExemptionState::Unused => "covers nothing: remove it".to_owned(),
            ExemptionState::Expired { on } => format!("expired on {on} and covers nothing any more"),
        };
        let _ = writeln!(out, "\nexemption {} of {}: {state}", exemption.id, exemption.owner);
    }
}

fn counted(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Colours, or none.
struct Paint(Style);

impl Paint {
    fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn weight(&self, severity: Severity, text: &str) -> String {
        let code = match severity {
            Severity::Critical => "1;31",
            Severity::High => "31",
            Severity::Medium => "33",
            Severity::Low => "36",
            Severity::Info => "32",
        };
        self.wrap(code, text)
    }

    fn wrap(&self, code: &str, text: &str) -> String {
        match self.0 {
            Style::Plain => text.to_owned(),
            Style::Coloured => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
        }
    }
}
