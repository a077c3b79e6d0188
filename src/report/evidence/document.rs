//! The pack: what it is about, the claims, the standards and threats that they support, and what was exempted.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::check::Verdict as Checked;
use crate::finding::Finding;

/// Claims, standards and threats.
static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let parsed = crate::yaml::parse(include_str!("claims.yaml"), crate::yaml::Limits::CONFIG);
    let value = parsed.ok().and_then(|documents| Some(documents.first()?.root.to_json())).unwrap_or_default();
    serde_json::from_value(value).unwrap_or_else(|error| unreachable!("the table is part of the program: {error}"))
});

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    claims: Vec<ClaimRow>,
    controls: Vec<Row>,
    threats: Vec<Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimRow {
    id: String,
    title: String,
    /// Checks of the gate that prove it; those that this version does not have do not count.
    checks: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    id: String,
    #[serde(default)]
    posture: String,
    claims: Vec<String>,
    #[serde(default)]
    limit: String,
}

/// How a claim fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judged {
    /// It was proved.
    Proved,
    /// It could not be checked, or this version has no check for it.
    NotChecked,
    /// It does not hold.
    Failed,
}

impl Judged {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proved => "proved",
            Self::NotChecked => "not checked",
            Self::Failed => "failed",
        }
    }
}

/// The report of `evidence`, version `tenantry.io/v1`. Fields may be added within a version; none changes its meaning.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `tenantry.io/v1`.
    pub api_version: &'static str,
    /// `EvidencePack`.
    pub kind: &'static str,
    /// Version of the program.
    pub tool_version: String,
    /// What it is about.
    pub subject: Subject,
    /// The worst verdict of all claims.
    pub verdict: Judged,
    /// The claims.
    pub claims: Vec<Claim>,
    /// Standards, and which claims support them.
    pub controls: Vec<Control>,
    /// Threats, and which claims are against them.
    pub threats: Vec<Control>,
    /// What somebody answers for, for a time.
    pub exemptions: Vec<Exempted>,
    /// Every check that ran, and its verdict.
    pub checks: Vec<Checked>,
    /// What the pack does not cover.
    pub limits: Vec<String>,
}

/// What a pack is about.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// How it was named.
    pub name: String,
    /// The commit, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Digest of every file of the fleet.
    pub inputs: String,
    /// Clusters, and how many tenants each has.
    pub clusters: BTreeMap<String, usize>,
}

/// A claim.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Claim {
    /// Stable id.
    pub id: String,
    /// What is claimed.
    pub title: String,
    /// How it fares.
    pub verdict: Judged,
    /// Checks of the gate that prove it.
    pub checks: Vec<String>,
    /// Why it fails or could not be checked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// What was found, in numbers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<String>,
    /// What the proof takes for granted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assumptions: Vec<String>,
}

/// A standard or a threat.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Control {
    /// Its name.
    pub id: String,
    /// What is said about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub posture: String,
    /// The worst verdict of the claims that support it; not checked if none does.
    pub verdict: Judged,
    /// The claims.
    pub claims: Vec<String>,
    /// What this pack cannot say about it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub limit: String,
}

/// Findings or drift that somebody answers for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Exempted {
    /// The cluster whose drift it is; empty for findings of the gate.
    pub cluster: String,
    /// The rule that it names.
    pub rule: String,
    /// Its id.
    pub id: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is fine.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: String,
    /// Whether that day is over.
    pub expired: bool,
}

/// Something that was looked at besides the checks: it decides a claim or adds to it.
#[derive(Debug, Clone, Default)]
pub struct Fact {
    /// The claim.
    pub claim: &'static str,
    /// What was found.
    pub facts: Vec<String>,
    /// Why the claim does not hold.
    pub faults: Vec<String>,
    /// What could not be told, so that the claim is not proved.
    pub gaps: Vec<String>,
    /// What is taken for granted.
    pub assumptions: Vec<String>,
}

/// What a pack is made of.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// What it is about.
    pub subject: Subject,
    /// Verdicts of the checks.
    pub checks: Vec<Checked>,
    /// Findings of the checks.
    pub findings: Vec<Finding>,
    /// What was looked at besides.
    pub facts: Vec<Fact>,
    /// Exemptions.
    pub exemptions: Vec<Exempted>,
    /// What the pack does not cover.
    pub limits: Vec<String>,
}

impl Document {
    /// The pack.
    pub fn new(input: Input, tool_version: &str) -> Self {
        let claims: Vec<Claim> = TABLE.claims.iter().map(|row| claim(row, &input)).collect();
        let rows = |rows: &[Row]| rows.iter().map(|row| control(row, &claims)).collect();
        Self {
            api_version: "tenantry.io/v1",
            kind: "EvidencePack",
            tool_version: tool_version.to_owned(),
            verdict: claims.iter().map(|claim| claim.verdict).max().unwrap_or(Judged::NotChecked),
            controls: rows(&TABLE.controls),
            threats: rows(&TABLE.threats),
            claims,
            subject: input.subject,
            exemptions: input.exemptions,
            checks: input.checks,
            limits: input.limits,
        }
    }
}

fn claim(row: &ClaimRow, input: &Input) -> Claim {
    let checks: Vec<&Checked> = input.checks.iter().filter(|one| row.checks.iter().any(|id| id == one.check)).collect();
    let facts: Vec<&Fact> = input.facts.iter().filter(|fact| fact.claim == row.id).collect();
    let mut reasons: Vec<String> = facts.iter().flat_map(|fact| fact.faults.iter().cloned()).collect();
    reasons.extend(facts.iter().flat_map(|fact| fact.gaps.iter().cloned()));
    for one in checks.iter().filter(|one| one.verdict != "passed") {
        let why = one.reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        reasons.push(format!("check {}: {}{why}", one.check, one.verdict));
        let errors = input.findings.iter().filter(|found| found.stops());
        let own = errors.filter(|found| found.rule.split('/').next() == Some(one.check)).take(5);
        reasons.extend(own.map(|found| crate::secrets::leak::mask(&found.message)));
    }
    let failed = facts.iter().any(|fact| !fact.faults.is_empty()) || checks.iter().any(|one| one.verdict == "failed");
    let gaps = facts.iter().any(|fact| !fact.gaps.is_empty()) || checks.iter().any(|one| one.verdict == "not-checked");
    let unknown = gaps || (checks.is_empty() && facts.is_empty());
    if checks.is_empty() && facts.is_empty() {
        reasons.push("nothing was refused, and nothing that proves it ran".to_owned());
    }
    Claim {
        id: row.id.clone(),
        title: row.title.clone(),
        verdict: match (failed, unknown) {
            (true, _) => Judged::Failed,
            (false, true) => Judged::NotChecked,
            (false, false) => Judged::Proved,
        },
        checks: checks.iter().map(|one| one.check.to_owned()).collect(),
        reasons,
        facts: facts.iter().flat_map(|fact| fact.facts.iter().cloned()).collect(),
        assumptions: facts.iter().flat_map(|fact| fact.assumptions.iter().cloned()).collect(),
    }
}

fn control(row: &Row, claims: &[Claim]) -> Control {
    let own = claims.iter().filter(|claim| row.claims.contains(&claim.id));
    Control {
        id: row.id.clone(),
        posture: row.posture.clone(),
        verdict: own.map(|claim| claim.verdict).max().unwrap_or(Judged::NotChecked),
        claims: row.claims.clone(),
        limit: row.limit.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(check: &'static str, verdict: &'static str) -> Checked {
        Checked { check, proves: "", verdict, reason: None }
    }

    #[test]
    fn every_standard_and_threat_names_claims_that_exist() {
        let known: Vec<&str> = TABLE.claims.iter().map(|claim| claim.id.as_str()).collect();
        for row in TABLE.controls.iter().chain(&TABLE.threats) {
            assert!(row.claims.iter().all(|claim| known.contains(&claim.as_str())), "{}", row.id);
            assert!(!row.claims.is_empty() || !row.limit.is_empty(), "{} says neither what nor why not", row.id);
        }
        assert_eq!((TABLE.controls.len(), TABLE.threats.len()), (6, 10));
    }

    #[test]
    fn what_did_not_run_is_never_proved() {
        let of = |checks: Vec<Checked>, facts: Vec<Fact>| {
            let document = Document::new(Input { checks, facts, ..Input::default() }, "0");
            let verdict = |id: &str| document.claims.iter().find(|claim| claim.id == id).unwrap().verdict;
            (verdict("no-secrets"), verdict("rotation"), document.verdict)
        };
        let both = |verdict| vec![checked("no-secrets", "passed"), checked("no-material", verdict)];
        assert_eq!(of(both("passed"), vec![]).0, Judged::Proved);
        assert_eq!(of(both("not-checked"), vec![]).0, Judged::NotChecked);
        assert_eq!(of(both("failed"), vec![]), (Judged::Failed, Judged::NotChecked, Judged::Failed));
        let fact = |faults: Vec<String>| vec![Fact { claim: "rotation", faults, ..Fact::default() }];
        assert_eq!(of(vec![], fact(vec![])).1, Judged::Proved);
        assert_eq!(of(vec![], fact(vec!["x".into()])).1, Judged::Failed);
        let gap = vec![Fact { claim: "rotation", gaps: vec!["x".into()], ..Fact::default() }];
        assert_eq!(of(vec![], gap).1, Judged::NotChecked);
    }
}
