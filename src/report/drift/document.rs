//! The document itself.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::restore::{self, Source};
use crate::drift::change::{Class, Item, Pending, Severity, Verdict, Writer};
use crate::drift::changeset::{ChangeSet, Gap, Overall, TenantState};
use crate::drift::exempt::ExemptionUse;

/// What a drift check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Document {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `DriftReport`.
    pub kind: String,
    /// Version of the program.
    pub tool_version: String,
    /// Clean, drift or incomplete.
    pub verdict: Overall,
    /// What was compared with what.
    pub checked: Checked,
    /// Numbers.
    pub counts: Counts,
    /// What was read, by kind.
    pub coverage: Vec<KindCoverage>,
    /// What in Git, or of the run itself, could not be taken into account. Any of these makes the run incomplete.
    pub unreadable: Vec<Unreadable>,
    /// What was left out on purpose.
    pub skipped: Vec<String>,
    /// Remarks about this report.
    pub notes: Vec<String>,
    /// What became of the exemptions.
    pub exemptions: Vec<ExemptionUse>,
    /// Tenants of Git and their state.
    pub tenants: BTreeMap<String, TenantState>,
    /// Every difference, the worst first.
    pub differences: Vec<Difference>,
}

/// What was compared with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The cluster's name in Git.
    pub cluster: String,
    /// Repository or folder of the committed tree, without credentials.
    pub repository: String,
    /// The commit; none for a folder that is no repository.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub revision: Option<String>,
    /// The branch or revision that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub branch: Option<String>,
    /// Where live objects came from.
    pub live: Cluster,
    /// When the check began: RFC 3339, UTC.
    pub at: String,
    /// The part of the fleet; all of it if every field is absent.
    #[serde(flatten)]
    pub parts: Parts,
}

/// Where live objects came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Cluster {
    /// An API server, by its address.
    Server(String),
    /// A saved dump, by its path.
    Dump(String),
}

/// The part of the fleet that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parts {
    /// Only these tenants.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenants: Option<Vec<String>>,
    /// Only objects with these labels.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub selector: Option<String>,
    /// Only this share of the tenants: `0/4`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub shard: Option<String>,
}

/// Numbers of a check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Counts {
    /// Objects in Git.
    pub declared: usize,
    /// Objects read from the cluster.
    pub live: usize,
    /// Differences that count, by severity.
    pub drift: BTreeMap<String, usize>,
    /// Differences only worth knowing.
    pub info: usize,
    /// Differences that exemptions cover.
    pub exempted: usize,
    /// Differences that do not count yet.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub pending: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // as serde calls it
fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// How much of a kind was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KindCoverage {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Its objects in Git.
    pub declared: usize,
    /// Its objects in the cluster that were read.
    pub live: usize,
    /// What is missing from the picture; none if nothing is.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gap: Option<Gap>,
}

/// Something that could not be taken into account.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unreadable {
    /// Where; none where no file is at fault.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub place: Option<Rendered>,
    /// Why.
    pub reason: String,
}

/// A line of a rendered file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rendered {
    /// File, from the root of the repository.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// The line of a config file that decides a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Decided {
    /// File of the fleet.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
    /// Field, as a JSON pointer; empty for the file as a whole.
    pub field: String,
}

/// An object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object {
    /// `apps/v1`.
    pub api_version: String,
    /// `Deployment`.
    pub kind: String,
    /// Namespace; none for objects of the cluster.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub namespace: Option<String>,
    /// Name.
    pub name: String,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Difference {
    /// Whether it counts: not exempted, and more than worth knowing.
    pub drift: bool,
    /// How much it matters.
    pub severity: Severity,
    /// What it does.
    pub class: Class,
    /// How it differs from Git.
    pub verdict: Verdict,
    /// The tenant whose unit it belongs to; none for the system unit.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant: Option<String>,
    /// The object.
    pub object: Object,
    /// The field; empty for the object as a whole.
    pub path: String,
    /// What it opens or closes.
    pub effect: String,
    /// What Git says, as JSON, shortened, secrets masked.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub expected: Option<String>,
    /// What the cluster says, likewise.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub found: Option<String>,
    /// Where Git says it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub rendered: Option<Rendered>,
    /// The line of the fleet that decides it; only where the fleet is at hand.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub decided_by: Option<Decided>,
    /// Who wrote it last according to `managedFields`: a hint, since any client can write anything there.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub last_writer_hint: Option<Writer>,
    /// The exemption that covers it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub exemption: Option<String>,
    /// Why it does not count yet, where a check goes on.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub pending: Option<Pending>,
    /// When the object was first seen to differ, where a check goes on: RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub since: Option<String>,
    /// The command that puts it back.
    pub restore: String,
}

impl Document {
    /// The document of a check. `prefix` is the folder of the cluster from the root of the repository.
    pub fn new(set: &ChangeSet, checked: Checked, prefix: &str, source: &Source, tool_version: &str) -> Document {
        let differences: Vec<Difference> = set.items.iter().map(|item| difference(item, prefix, source)).collect();
        let coverage: Vec<KindCoverage> = set
            .coverage
            .iter()
            .map(|kind| KindCoverage {
                api_version: kind.kind.api_version(),
                kind: kind.kind.kind.clone(),
                declared: kind.declared,
                live: kind.live,
                gap: kind.gap.clone(),
            })
            .collect();
        let unreadable = set.problems.iter().map(|problem| Unreadable {
            place: Some(rendered(prefix, &problem.place.file, problem.place.line)),
            reason: problem.reason.clone(),
        });
        let mut document = Document {
            api_version: "tenantry.io/v1".to_owned(),
            kind: "DriftReport".to_owned(),
            tool_version: tool_version.to_owned(),
            verdict: Overall::Clean,
            checked,
            counts: Counts { declared: set.objects, ..Counts::default() },
            coverage,
            unreadable: unreadable.collect(),
            skipped: set.skipped.clone(),
            notes: Vec::new(),
            exemptions: set.exemptions.clone(),
            tenants: set.tenants.clone(),
            differences,
        };
        document.settle();
        document
    }

    /// Counts again and judges again: what is unread or unreadable never leaves a document clean.
    pub fn settle(&mut self) {
        let complete = self.unreadable.is_empty() && self.coverage.iter().all(|kind| kind.gap.is_none());
        let mut counts = Counts { declared: self.counts.declared, ..Counts::default() };
        counts.live = self.coverage.iter().map(|kind| kind.live).sum();
        for difference in &self.differences {
            if difference.drift {
                *counts.drift.entry(difference.severity.as_str().to_owned()).or_default() += 1;
            } else if difference.exemption.is_some() {
                counts.exempted += 1;
            } else if difference.pending.is_some() {
                counts.pending += 1;
            } else {
                counts.info += 1;
            }
        }
        self.verdict = match (complete, counts.drift.is_empty()) {
            (false, _) => Overall::Incomplete,
            (true, false) => Overall::Drift,
            (true, true) => Overall::Clean,
        };
        if !complete {
            let clean = self.tenants.values_mut().filter(|state| **state == TenantState::Clean);
            clean.for_each(|state| *state = TenantState::Unknown);
        }
        self.counts = counts;
    }

    /// The differences that count.
    pub fn drift(&self) -> impl Iterator<Item = &Difference> {
        self.differences.iter().filter(|difference| difference.drift)
    }

    /// The kinds of which something is missing.
    pub fn gaps(&self) -> impl Iterator<Item = (&KindCoverage, &Gap)> {
        self.coverage.iter().filter_map(|kind| Some((kind, kind.gap.as_ref()?)))
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

fn difference(item: &Item, prefix: &str, source: &Source) -> Difference {
    let rendered = item.place.as_ref().map(|place| rendered(prefix, &place.file, place.line));
    Difference {
        drift: item.is_drift(),
        severity: item.severity,
        class: item.class,
        verdict: item.verdict,
        tenant: item.tenant.clone(),
        object: Object {
            api_version: item.object.gvk.api_version(),
            kind: item.object.gvk.kind.clone(),
            namespace: item.object.namespace.clone(),
            name: item.object.name.clone(),
        },
        path: item.path.clone(),
        effect: item.effect.clone(),
        expected: item.expected.clone(),
        found: item.found.clone(),
        restore: restore::command(item, rendered.as_ref(), source),
        rendered,
        decided_by: None,
        last_writer_hint: item.writer.clone(),
        exemption: item.exemption.clone(),
        pending: item.pending,
        since: item.since.map(|since| since.to_string()),
    }
}

fn rendered(prefix: &str, file: &str, line: u32) -> Rendered {
    let file = if prefix.is_empty() { file.to_owned() } else { format!("{prefix}/{file}") };
    Rendered { file, line }
}
