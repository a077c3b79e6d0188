//! Every rule of the gate: a fault that is planted into a real fleet and found at the line that is to blame, and a near
//! miss of it that nobody hears of.
//!
//! `tests/rules/<family>.yaml` says what is planted, where it is found, and what is almost the same and fine; of rules
//! that another test plants, which test that is. A rule that is in none of these files fails.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by its panic"
)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "rules/plant.rs"]
mod plant;

use std::collections::{BTreeMap, BTreeSet};

use plant::{Case, Family};
use rayon::prelude::*;
use tenantry::finding::Finding;
use tenantry::rules::{self, Rule};

/// The families of what `check` finds. (The others are of commands of their own, and tested with them.)
const FAMILIES: [&str; 15] = [
    "access",
    "capacity",
    "chart",
    "charts",
    "check",
    "config",
    "consistency",
    "exempt",
    "network",
    "plan",
    "policy",
    "reference",
    "render",
    "schema",
    "secrets",
];
/// What is read before anything is known of a fleet.
const READING: &str = "source";

fn families() -> BTreeMap<String, Family> {
    let files = fleet::files(&fleet::root().join("tests/rules"));
    let data = files.into_iter().filter(|(path, _)| path.ends_with(".yaml"));
    let read = |(path, bytes): (String, Vec<u8>)| {
        let family = serde_yaml::from_slice(&bytes).unwrap_or_else(|error| panic!("tests/rules/{path}: {error}"));
        (path, family)
    };
    data.map(read).collect()
}

fn all() -> impl Iterator<Item = &'static Rule> {
    rules::all().iter().filter(|rule| {
        let family = rule.id.split('/').next().unwrap();
        FAMILIES.contains(&family) || family == READING
    })
}

#[test]
fn every_fault_is_found_at_its_line_and_every_near_miss_is_silent() {
    let families = families();
    let cases: Vec<(&Family, &Case)> =
        families.values().flat_map(|family| family.cases.iter().map(move |case| (family, case))).collect();
    let wrong: Vec<String> = cases.par_iter().flat_map_iter(|(family, case)| judge(family, case)).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What is wrong with a case.
fn judge(family: &Family, case: &Case) -> Vec<String> {
    let Some(rule) = rules::find(&case.rule) else { return vec![format!("{}: there is no such rule", case.rule)] };
    let mut wrong = Vec::new();
    let planted = plant::findings(family, case, &case.plant);
    let of_rule: Vec<&Finding> = planted.found.iter().filter(|finding| finding.rule == rule.id).collect();
    let at_place: Vec<&&Finding> = of_rule.iter().filter(|finding| planted.is_at(finding, case)).collect();
    if at_place.is_empty() {
        let said = if of_rule.is_empty() { told(&planted.found) } else { told(of_rule.iter().copied()) };
        wrong.push(format!("{} is not found at {}; found:\n{said}", rule.id, case.place()));
    }
    for finding in at_place {
        let severity = format!("{:?}", finding.severity).to_lowercase();
        let class = format!("{:?}", finding.class).to_lowercase();
        if !rule.severity.split(", ").any(|known| known == severity) || rule.class != class {
            let table = format!("{} ({})", rule.severity, rule.class);
            wrong.push(format!("{} is {severity} ({class}), and the table says {table}", rule.id));
        }
    }
    let near = plant::findings(family, case, &case.near);
    let heard = |finding: &&Finding| {
        finding.rule == rule.id || (finding.stops() && !case.beside.iter().any(|beside| beside == finding.rule))
    };
    let heard: Vec<&Finding> = near.found.iter().filter(heard).collect();
    if !heard.is_empty() {
        wrong.push(format!("the near miss of {} is not silent:\n{}", rule.id, told(heard)));
    }
    wrong
}

fn told<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> String {
    let line = |finding: &Finding| {
        let place = finding.location.as_ref().map_or_else(|| "nowhere".to_owned(), ToString::to_string);
        format!("    {place}: {}: {}", finding.rule, finding.message)
    };
    let lines: BTreeSet<String> = findings.into_iter().map(line).collect();
    lines.into_iter().collect::<Vec<_>>().join("\n")
}

/// A new rule comes with a fault and a near miss.
#[test]
fn every_rule_has_a_case_or_a_test_of_its_own() {
    let families = families();
    let cases = families.values().flat_map(|family| family.cases.iter().map(|case| case.rule.as_str()));
    let cases: BTreeSet<&str> = cases.collect();
    let elsewhere: Vec<_> =
        families.iter().flat_map(|(path, family)| family.elsewhere.iter().map(move |one| (path, one))).collect();
    let mut wrong = Vec::new();
    for rule in all() {
        let times = elsewhere.iter().filter(|(_, one)| one.rule == rule.id).count();
        if times + usize::from(cases.contains(rule.id.as_str())) != 1 {
            let what = if times == 0 { "has no case" } else { "is told of more than once" };
            wrong.push(format!(
                "{} {what}: tests/rules/*.yaml need `cases:` with `plant`, `at` and `near` for it, or, where another test \
                 does that, `elsewhere:` with `test: file::function`",
                rule.id
            ));
        }
    }
    for (path, one) in &elsewhere {
        if rules::find(&one.rule).is_none() {
            wrong.push(format!("tests/rules/{path}: there is no rule {}", one.rule));
        }
        wrong.extend(one.fault().map(|fault| format!("tests/rules/{path}: {}: {fault}", one.rule)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The unplanted fleets are silent, or a fault that is found would say nothing.
#[test]
fn the_fleets_are_clean_before_anything_is_planted() {
    let families = families();
    let mut bases: BTreeMap<String, (&Family, &Case)> = BTreeMap::new();
    for family in families.values() {
        for case in &family.cases {
            let base = format!("{} {:?} {:?}", case.fleet(family), case.tenants(family), case.checks(family));
            bases.entry(base).or_insert((family, case));
        }
    }
    let wrong = bases.par_iter().filter_map(|(base, (family, case))| {
        let found = plant::findings(family, case, &[]).found;
        let loud: Vec<&Finding> = found.iter().filter(|finding| finding.stops()).collect();
        (!loud.is_empty()).then(|| format!("{base}:\n{}", told(loud)))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!bases.is_empty());
}
