//! The reports of all shards as one. What a shard did not say is not known.

use std::collections::{BTreeMap, BTreeSet};

use super::document::{Document, KindCoverage, Unreadable};
use crate::drift::filter::Shard;

/// Puts the reports of all shards of one check together. A shard without a report makes the result incomplete.
///
/// # Errors
/// Reports that do not belong together, or none.
pub fn merge(documents: Vec<Document>) -> Result<Document, String> {
    let mut documents = documents.into_iter();
    let mut merged = documents.next().ok_or("there is no report to merge")?;
    let (first, count) = shard(&merged)?;
    let mut seen = BTreeSet::from([first]);
    let mut coverage: BTreeMap<(String, String), KindCoverage> = BTreeMap::new();
    add_coverage(&mut coverage, std::mem::take(&mut merged.coverage));
    for document in documents {
        let (index, other) = shard(&document)?;
        together(&merged, &document, count == other)?;
        if !seen.insert(index) {
            return Err(format!("there are two reports of the shard {index}/{count}"));
        }
        merged.counts.declared += document.counts.declared;
        merged.checked.at = merged.checked.at.min(document.checked.at);
        add_coverage(&mut coverage, document.coverage);
        merged.unreadable.extend(document.unreadable);
        merged.skipped.extend(document.skipped);
        merged.notes.extend(document.notes);
        merged.exemptions.extend(document.exemptions);
        merged.tenants.extend(document.tenants);
        merged.differences.extend(document.differences);
    }
    merged.unreadable.extend((0..count).filter(|index| !seen.contains(index)).map(|index| Unreadable {
        place: None,
        reason: format!("the shard {index}/{count} has no report: its tenants were not checked"),
    }));
    merged.checked.parts.shard = None;
    merged.coverage = coverage.into_values().collect();
    tidy(&mut merged);
    merged.settle();
    Ok(merged)
}

fn shard(document: &Document) -> Result<(u32, u32), String> {
    let text = document.checked.parts.shard.as_deref().ok_or("a report is not one of a shard (`--shard i/n`)")?;
    Shard::parse(text).map(|shard| (shard.index, shard.count))
}

fn together(one: &Document, other: &Document, same_count: bool) -> Result<(), String> {
    let (a, b) = (&one.checked, &other.checked);
    let differs = [
        ("number of shards", !same_count),
        ("cluster", a.cluster != b.cluster),
        ("commit", a.revision != b.revision),
        ("source of live objects", a.live != b.live),
        ("version of the program", one.tool_version != other.tool_version),
        ("selection", a.parts.tenants != b.parts.tenants || a.parts.selector != b.parts.selector),
    ];
    match differs.iter().find(|(_, differs)| *differs) {
        Some((what, _)) => Err(format!("the reports are not of one check: the {what} differs")),
        None => Ok(()),
    }
}

fn add_coverage(all: &mut BTreeMap<(String, String), KindCoverage>, some: Vec<KindCoverage>) {
    for kind in some {
        let key = (kind.api_version.clone(), kind.kind.clone());
        match all.get_mut(&key) {
            Some(known) => {
                known.declared += kind.declared;
                // Every shard lists the whole cluster.
                known.live = known.live.max(kind.live);
                known.gap = known.gap.take().or(kind.gap);
            }
            None => drop(all.insert(key, kind)),
        }
    }
}

/// What several shards say alike is said once.
fn tidy(merged: &mut Document) {
    merged.unreadable.sort();
    merged.unreadable.dedup();
    for lines in [&mut merged.skipped, &mut merged.notes] {
        lines.sort();
        lines.dedup();
    }
    merged.exemptions.sort_by(|a, b| a.id.cmp(&b.id));
    merged.exemptions.dedup_by(|later, first| later.id == first.id);
    merged.differences.sort_by(|a, b| {
        let key = |d: &super::Difference| (d.object.clone(), d.path.clone(), d.verdict);
        b.severity.cmp(&a.severity).then_with(|| key(a).cmp(&key(b)))
    });
    merged.differences.dedup();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn report(shard: &str) -> Value {
        json!({
            "apiVersion": "tenantry.io/v1", "kind": "DriftReport", "toolVersion": "1", "verdict": "clean",
            "checked": {"cluster": "c", "repository": "r", "revision": "abc", "live": {"server": "s"},
                "at": "2026-01-01T00:00:00Z", "shard": shard},
            "counts": {"declared": 1, "live": 1, "drift": {}, "info": 0, "exempted": 0},
            "coverage": [], "unreadable": [], "skipped": [], "notes": [], "exemptions": [], "tenants": {},
            "differences": [],
        })
    }

    fn merged(reports: Vec<Value>) -> Result<Document, String> {
        merge(reports.into_iter().map(|report| serde_json::from_value(report).unwrap()).collect())
    }

    #[test]
    fn reports_of_other_checks_are_refused() {
        assert_eq!(merged(vec![report("0/2"), report("1/2")]).unwrap().unreadable, []);
        for (pointer, value, word) in [
            ("/checked/shard", json!("1/3"), "number of shards"),
            ("/checked/cluster", json!("d"), "cluster"),
            ("/checked/revision", json!("def"), "commit"),
            ("/checked/live", json!({"dump": "s"}), "source of live objects"),
            ("/toolVersion", json!("2"), "version of the program"),
            ("/checked/shard", json!("0/2"), "two reports"),
        ] {
            let mut other = report("1/2");
            *other.pointer_mut(pointer).unwrap() = value;
            let refused = merged(vec![report("0/2"), other]).unwrap_err();
            assert!(refused.contains(word), "{pointer}: {refused}");
        }
        let mut selected = report("1/2");
        selected["checked"]["selector"] = json!("a=b");
        assert!(merged(vec![report("0/2"), selected]).unwrap_err().contains("selection"));
        assert!(merged(Vec::new()).is_err());
    }

    #[test]
    fn a_shard_without_a_report_is_not_known() {
        let part = merged(vec![report("2/3"), report("0/3")]).unwrap();
        assert_eq!(part.verdict, crate::drift::changeset::Overall::Incomplete);
        assert!(part.unreadable[0].reason.contains("the shard 1/3 has no report"));
    }
}
