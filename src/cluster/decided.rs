//! Which lines of the fleet decide what differs, for a check that goes on.
//!
//! To find a line takes rendering a unit many times, far longer than a change may take to be told. So a difference is told
//! without its line first; the line is looked for beside, and kept for as long as neither Git nor the fleet changes.

use std::collections::{BTreeMap, BTreeSet};

use crate::drift::change::Verdict;
use crate::report::drift::{Decided, Difference, Document, Object};

/// Most units whose differences are traced: each is rendered about a hundred times.
pub const MOST_UNITS: usize = 40;

/// Said of a report with more drifted units than that.
pub const MORE_UNITS: &str = "deciding lines are told for the worst units only";

/// A unit: a tenant, or the system unit.
pub type Unit = Option<String>;

/// The units with differences that count, the worst first, [`MOST_UNITS`] at most; and whether there are more.
pub fn worst_units(document: &Document) -> (Vec<Unit>, bool) {
    let mut units: Vec<Unit> = Vec::new();
    let mut seen = BTreeSet::new();
    for difference in document.drift() {
        if !seen.insert(&difference.tenant) {
            continue;
        }
        if units.len() == MOST_UNITS {
            return (units, true);
        }
        units.push(difference.tenant.clone());
    }
    (units, false)
}

/// Lines that are known, of one revision and one state of the fleet.
#[derive(Debug, Default)]
pub struct Lines {
    known: BTreeMap<Key, Option<Decided>>,
    notes: BTreeSet<String>,
    /// The state of the fleet; none where none is at hand.
    fleet: Option<String>,
    /// Counts what made everything known void, so that an answer that comes too late is recognised.
    era: u64,
    is_asking: bool,
}

type Key = (Object, String, Verdict);

/// What is to be found out.
#[derive(Debug)]
pub struct Question {
    /// The report, with the differences whose lines are not known, and no notes.
    pub document: Document,
    /// Their units.
    pub units: Vec<Unit>,
    /// When it was asked.
    pub era: u64,
}

impl Lines {
    /// The fleet as it is now; none where none is at hand. Whether it is another one than before.
    pub fn is_moved(&mut self, fleet: Option<String>) -> bool {
        let moved = self.fleet != fleet;
        if moved {
            self.fleet = fleet;
            self.forget();
        }
        moved
    }

    /// Something else is compared with from now on.
    pub fn forget(&mut self) {
        self.era += 1;
        self.known.clear();
        self.notes.clear();
    }

    /// Puts the known lines into a report. What still is to be found out is the answer.
    pub fn fill(&mut self, document: &mut Document) -> Option<Question> {
        self.fleet.as_ref()?;
        let (units, is_more) = worst_units(document);
        let mut unknown = BTreeSet::new();
        for difference in document.differences.iter_mut().filter(|difference| difference.drift) {
            match self.known.get(&key(difference)) {
                Some(line) => difference.decided_by.clone_from(line),
                None => drop(unknown.insert(difference.tenant.clone())),
            }
        }
        document.notes.extend(self.notes.iter().cloned());
        if is_more {
            document.notes.push(MORE_UNITS.to_owned());
        }
        let units: Vec<Unit> = units.into_iter().filter(|unit| unknown.contains(unit)).collect();
        if units.is_empty() || self.is_asking {
            return None;
        }
        self.is_asking = true;
        let mut question = document.clone();
        question.notes.clear();
        question.differences.retain(|difference| {
            difference.drift && units.contains(&difference.tenant) && !self.known.contains_key(&key(difference))
        });
        Some(Question { document: question, units, era: self.era })
    }

    /// Takes what was found out; whether anything of it is new.
    pub fn take(&mut self, answer: Question) -> bool {
        self.is_asking = false;
        if answer.era != self.era {
            return false;
        }
        let mut is_new = !answer.document.notes.is_empty();
        self.notes.extend(answer.document.notes);
        for mut difference in answer.document.differences {
            let line = difference.decided_by.take();
            is_new |= line.is_some();
            self.known.insert(key(&difference), line);
        }
        is_new
    }
}

fn key(difference: &Difference) -> Key {
    (difference.object.clone(), difference.path.clone(), difference.verdict)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report with one difference a word, of the tenant that it names.
    fn document(tenants: &[&str]) -> Document {
        let difference = |(number, tenant): (usize, &&str)| {
            serde_json::json!({
                "drift": true, "severity": "high", "class": "widening", "verdict": "changed", "tenant": tenant,
                "object": {"apiVersion": "v1", "kind": "ConfigMap", "namespace": tenant, "name": format!("m{number}")},
                "path": "data.a", "effect": "", "restore": "",
            })
        };
        let document = serde_json::json!({
            "apiVersion": "tenantry.io/v1", "kind": "DriftReport", "toolVersion": "1", "verdict": "drift",
            "checked": {"cluster": "c", "repository": "r", "live": {"server": "s"}, "at": "2026-01-01T00:00:00Z"},
            "counts": {"declared": 1, "live": 1, "drift": {}, "info": 0, "exempted": 0},
            "coverage": [], "unreadable": [], "skipped": [], "notes": [], "exemptions": [], "tenants": {},
            "differences": tenants.iter().enumerate().map(difference).collect::<Vec<_>>(),
        });
        serde_json::from_value(document).unwrap()
    }

    fn line(number: u32) -> Decided {
        Decided { file: "tenants/a.yaml".into(), line: number, field: "/tenant/tier".into() }
    }

    #[test]
    fn a_line_is_asked_for_once_and_kept_until_something_moves() {
        let mut lines = Lines::default();
        let base = document(&["a", "a", "b"]);
        assert!(lines.fill(&mut base.clone()).is_none(), "without a fleet there is nothing to ask");
        assert!(lines.is_moved(Some("one".into())) && !lines.is_moved(Some("one".into())));
        let mut question = lines.fill(&mut base.clone()).unwrap();
        assert_eq!(question.units, [Some("a".to_owned()), Some("b".to_owned())]);
        assert!(lines.fill(&mut base.clone()).is_none(), "one question at a time");
        question.document.differences[0].decided_by = Some(line(7));
        question.document.notes.push("a remark".into());
        assert!(lines.take(question));
        let mut told = base.clone();
        assert!(lines.fill(&mut told).is_none(), "that nothing decides a value is an answer, too");
        assert_eq!((&told.differences[0].decided_by, &told.differences[2].decided_by), (&Some(line(7)), &None));
        assert_eq!(told.notes.last().map(String::as_str), Some("a remark"));
        assert!(lines.is_moved(Some("two".into())));
        assert!(lines.fill(&mut base.clone()).is_some(), "the fleet moved");
    }

    #[test]
    fn an_answer_about_what_is_gone_is_dropped() {
        let mut lines = Lines::default();
        lines.is_moved(Some("one".into()));
        let base = document(&["a"]);
        let mut question = lines.fill(&mut base.clone()).unwrap();
        question.document.differences[0].decided_by = Some(line(7));
        lines.forget();
        assert!(!lines.take(question));
        let mut told = base.clone();
        assert!(lines.fill(&mut told).is_some());
        assert_eq!(told.differences[0].decided_by, None);
    }

    #[test]
    fn of_very_many_units_the_worst_are_traced() {
        let names: Vec<String> = (0..MOST_UNITS + 1).map(|number| format!("t{number:02}")).collect();
        let mut base = document(&names.iter().map(String::as_str).collect::<Vec<_>>());
        let mut lines = Lines::default();
        lines.is_moved(Some("one".into()));
        let question = lines.fill(&mut base).unwrap();
        assert_eq!((question.units.len(), question.document.differences.len()), (MOST_UNITS, MOST_UNITS));
        assert!(base.notes.iter().any(|note| note == MORE_UNITS));
        lines.take(question);
        assert!(lines.fill(&mut base).is_none(), "the rest is not asked for after all");
    }
}
