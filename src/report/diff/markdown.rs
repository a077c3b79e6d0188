//! The comparison as a comment on a pull request: worst first, and never longer than a comment may be.

use std::fmt::Write as _;

use super::document::{Document, Entry, Verdict};
use super::text::{access, flow, heading_of, headline, side, some, subject, unit, where_of, whose};
use crate::diff::{AccessAction, Direction, Moved, Sort};
use crate::report::markdown::{MOST, code, escape};
use crate::report::order::{counted, cut};
use crate::secrets::leak;

/// Most characters of one value, and of one line.
const VALUE: usize = 160;
const LINE: usize = 500;
/// Kept for the last line, which counts what did not fit.
const LAST: usize = 200;
/// Names in a list before the others are counted.
const NAMES: usize = 10;

/// The report; what does not fit is counted.
pub fn markdown(document: &Document) -> String {
    let mut page = Page { text: String::new(), length: 0, left: 0 };
    page.put(&format!("## {} `tenantry diff`: {}\n\n", sign(document), escape(&headline(document))));
    page.put(&format!("From {} to {}.\n", code(&side(&document.base)), code(&side(&document.head))));
    let tenants = document.counts.tenants.iter().map(String::as_str);
    if tenants.len() > 0 {
        page.put(&format!("\nTenants: {}\n", code(&cut(&some(tenants, 40), 2000))));
    }
    if !document.counts.control_planes.is_empty() {
        let planes = some(document.counts.control_planes.iter().map(String::as_str), 40);
        page.put(&format!("\nControl planes: {}\n", code(&cut(&planes, 2000))));
    }
    let lines =
        |lines: &[String]| lines.iter().map(|line| format!("- {}\n", escape(&cut(line, LINE)))).collect::<Vec<_>>();
    page.section("❓ Not told", lines(&document.incomplete));
    let units = |wanted: &dyn Fn(Moved) -> bool| -> Vec<String> {
        let some = document.units.iter().filter(|one| wanted(one.action));
        some.map(|one| format!("- {}\n", escape(&cut(&unit(one), LINE)))).collect()
    };
    page.section("🗑️ Units that go or move", units(&|action| action != Moved::Added));
    let entries =
        |sort: Sort| -> Vec<String> { document.changes.iter().filter(|entry| entry.sort == sort).map(item).collect() };
    page.section(&title("🗑️", Sort::Deletes), entries(Sort::Deletes));
    page.section(&title("🔓", Sort::Opens), entries(Sort::Opens));
    let accesses = |wanted: AccessAction| -> Vec<String> {
        let some = document.access.iter().filter(|one| one.action == wanted);
        some.map(|one| {
            let who = whose(&one.tenants, &one.control_planes, NAMES);
            format!("- {}<br>{}\n", code(&cut(&access(one), LINE)), escape(&cut(&who, LINE)))
        })
        .collect()
    };
    page.section("🔑 Access to Secrets given", accesses(AccessAction::Added));
    let flows = document.connections.changes.iter().map(|one| format!("- {}\n", code(&cut(&flow(one), LINE))));
    page.section("Connections", flows.collect());
    page.section(&title("🔒", Sort::Closes), entries(Sort::Closes));
    page.section("Access to Secrets taken", accesses(AccessAction::Removed));
    page.section("Units that come", units(&|action| action == Moved::Added));
    page.section(&title("🔁", Sort::Restarts), entries(Sort::Restarts));
    page.section(&title("", Sort::Other), entries(Sort::Other));
    page.section("Notes", lines(&document.notes));
    page.finish()
}

fn sign(document: &Document) -> &'static str {
    let bad = document.counts.deleted > 0
        || document.counts.access_added > 0
        || document.changes.iter().any(|entry| entry.direction == Direction::Opens);
    match document.verdict {
        Verdict::Same => "✅",
        Verdict::Incomplete => "❓",
        Verdict::Differs if bad => "⚠️",
        Verdict::Differs => "ℹ️",
    }
}

fn title(sign: &str, sort: Sort) -> String {
    let words = heading_of(sort);
    let (first, rest) = words.split_at(1);
    format!("{sign} {}{rest}", first.to_uppercase()).trim().to_owned()
}

fn item(entry: &Entry) -> String {
    let value = |value: &Option<String>| value.as_ref().map(|value| code(&cut(value, VALUE)));
    let values = match (value(&entry.before), value(&entry.after)) {
        (Some(before), Some(after)) => format!(": {before} → {after}"),
        (Some(before), None) => format!(": − {before}"),
        (None, Some(after)) => format!(": + {after}"),
        (None, None) => String::new(),
    };
    let who = escape(&cut(&where_of(entry, NAMES), LINE));
    format!("- {}{values}<br>{}; {who}\n", code(&cut(&subject(entry), LINE)), escape(&entry.effect))
}

/// Text that never grows longer than a comment may be.
struct Page {
    text: String,
    length: usize,
    left: usize,
}

impl Page {
    /// Adds what must be there; the head of a report is far shorter than a comment may be.
    fn put(&mut self, text: &str) {
        let text = leak::mask(text);
        self.length += text.chars().count();
        self.text.push_str(&text);
    }

    /// Adds a heading and items, as far as they fit; once something did not fit, nothing follows.
    fn section(&mut self, title: &str, items: Vec<String>) {
        if items.is_empty() {
            return;
        }
        let mut head = format!("\n### {title} ({})\n\n", items.len());
        for item in items {
            // Masked before it is measured: what stands for a secret has a length of its own.
            let item = leak::mask(&format!("{head}{item}"));
            let room = item.chars().count();
            if self.left > 0 || self.length + room + LAST > MOST {
                self.left += 1;
                continue;
            }
            self.text.push_str(&item);
            self.length += room;
            head.clear();
        }
    }

    fn finish(mut self) -> String {
        if self.left > 0 {
            let left = counted(self.left, "more entry").replace("entrys", "entries");
            let _ = writeln!(self.text, "\n**{left} did not fit**: the JSON and HTML reports hold them all.");
        }
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::super::document::{Input, Side};
    use super::*;
    use crate::diff::{Action, Area, Change, Changes, Folded, UnitChange, UnitRef};
    use crate::drift::change::Severity;
    use crate::manifest::ObjectId;

    fn change(number: usize, direction: Direction) -> Change {
        Change {
            object: ObjectId::namespaced("networking.k8s.io/v1", "NetworkPolicy", &format!("tenant-t{number:05}"), "p"),
            renamed_to: None,
            path: format!("spec.ingress[{number}]"),
            action: Action::Changed,
            direction,
            area: Area::Network,
            severity: Severity::High,
            effect: "lets more traffic pass | <b>@team</b>".into(),
            restarts: false,
            before: Some("é`".repeat(200)),
            after: Some("x".repeat(200)),
            full: None,
            made_by: None,
        }
    }

    fn many(count: usize) -> Document {
        let unit = |number: usize| UnitRef { cluster: "eu".into(), tenant: Some(format!("t{number:05}")) };
        let folded = |number: usize| {
            let direction = if number.is_multiple_of(2) { Direction::Opens } else { Direction::Closes };
            Folded { change: change(number, direction), units: vec![unit(number)] }
        };
        let mut changes: Vec<Folded> = (0..count).map(folded).collect();
        changes.sort_by_key(|one| Sort::of(&one.change));
        let changes = Changes { fields: changes, access: Vec::new() };
        let goes = |number: usize| UnitChange {
            action: Moved::Removed,
            tenant: Some(format!("gone{number}")),
            path: format!("clusters/eu/tenants/gone{number}"),
            from: None,
            objects: 50,
            made: None,
        };
        let side = Side { what: "fleet", name: "main".into(), revision: None };
        let input =
            Input { base: side.clone(), head: side, units: (0..3).map(goes).collect(), changes, ..Input::default() };
        Document::new(input, "0")
    }

    #[test]
    fn ten_thousand_changed_tenants_fit_and_the_worst_are_there() {
        let text = markdown(&many(10_000));
        let length = text.chars().count();
        assert!(length <= MOST && length > MOST - 4000, "{length}");
        assert!(text.contains("tenant gone2"), "deletions come first");
        assert!(text.contains("Opened (5000)") && !text.contains("Closed ("), "{}", &text[..600]);
        assert!(text.contains("did not fit"));
    }

    #[test]
    fn what_is_shown_is_text_and_nothing_else() {
        let text = markdown(&many(3));
        assert!(!text.contains("<b>") && !text.contains("@team"), "{text}");
        assert!(!text.contains("did not fit"));
    }

    #[test]
    fn nothing_that_differs_is_said() {
        let text = markdown(&Document::new(Input::default(), "0"));
        assert!(text.starts_with("## ✅ `tenantry diff`: no differences"), "{text}");
    }
}
