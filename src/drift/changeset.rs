//! The result of a run: every difference, what was read, and whether that was all.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Class, Item, Severity, Verdict};
use super::compare::KindResult;
use super::desired::{Desired, Problem};
use super::exempt::{self, Exemption, ExemptionUse};
use super::kind::{Gvk, Known, ObjectRef};

/// What came of the attempt to read a kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All of its objects were read.
    Read(KindResult),
    /// They were not.
    Unread(Gap),
}

/// Why something was not read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "why", content = "detail")]
pub enum Gap {
    /// The API server refused (401, 403): what it said.
    Refused(String),
    /// The cluster does not serve the kind: why that is known.
    Absent(String),
    /// It failed in another way, after all attempts: what happened last.
    Failed(String),
    /// It was read, but some of it cannot be judged: what and why.
    Unjudged(String),
}

/// How much of a kind was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The kind.
    pub kind: Gvk,
    /// Its objects in Git.
    pub declared: usize,
    /// Its objects in the cluster that were read.
    pub live: usize,
    /// What is missing from the picture; none if nothing is.
    pub gap: Option<Gap>,
}

/// The state of a tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TenantState {
    /// Nothing differs.
    Clean,
    /// Something differs.
    Drifted,
    /// Nothing that was read differs, but not all was read.
    Unknown,
}

/// The verdict on a run. Unread is never clean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Overall {
    /// All was read, nothing differs.
    Clean,
    /// All was read, something differs.
    Drift,
    /// Not all was read.
    Incomplete,
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeSet {
    /// Every difference, the worst first; exempted ones and those only worth knowing included.
    pub items: Vec<Item>,
    /// What was read, by kind.
    pub coverage: Vec<Coverage>,
    /// Files of Git that could not be read.
    pub problems: Vec<Problem>,
    /// What was left out on purpose, in words.
    pub skipped: Vec<String>,
    /// What became of the exemptions.
    pub exemptions: Vec<ExemptionUse>,
    /// Tenants of Git and their state.
    pub tenants: BTreeMap<String, TenantState>,
    /// Objects of Git in this run.
    pub objects: usize,
}

impl ChangeSet {
    /// Puts the parts of a run together. `today` decides about exemptions.
    pub fn assemble(
        desired: &Desired,
        outcomes: BTreeMap<Gvk, Outcome>,
        exemptions: &[Exemption],
        today: Date,
    ) -> ChangeSet {
        let mut items = Vec::new();
        let mut coverage = Vec::new();
        for (kind, outcome) in outcomes {
            let declared = desired.kinds.get(&kind).map_or(0, |index| index.entries.len());
            let (live, gap) = match outcome {
                Outcome::Read(result) => {
                    items.extend(result.items);
                    (result.live, unjudged(&result.unjudged))
                }
                Outcome::Unread(gap) => (0, Some(gap)),
            };
            coverage.push(Coverage { kind, declared, live, gap });
        }
        coverage.extend(desired.unserved.iter().map(|(kind, objects)| absent(kind, objects)));
        coverage.sort_by(|a, b| a.kind.cmp(&b.kind));
        collapse_namespaces(&mut items);
        let uses = exempt::apply(&mut items, exemptions, today, desired.filter.is_whole());
        items.sort_by(|a, b| b.severity.cmp(&a.severity).then_with(|| a.cmp(b)));
        let mut set = ChangeSet {
            items,
            coverage,
            problems: desired.problems.clone(),
            skipped: skipped(desired),
            exemptions: uses,
            tenants: BTreeMap::new(),
            objects: desired.objects,
        };
        set.tenants = set.tenant_states(desired);
        set
    }

    /// Whether everything was read that the run was about.
    pub fn is_complete(&self) -> bool {
        self.problems.is_empty() && self.coverage.iter().all(|kind| kind.gap.is_none())
    }

    /// The differences that count.
    pub fn drift(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().filter(|item| item.is_drift())
    }

    /// The verdict.
    pub fn overall(&self) -> Overall {
        if !self.is_complete() {
            Overall::Incomplete
        } else if self.drift().next().is_some() {
            Overall::Drift
        } else {
            Overall::Clean
        }
    }

    /// How many objects have drifted, by kind and verdict.
    pub fn counts(&self) -> BTreeMap<(String, Verdict), usize> {
        by_kind(self.drift())
    }

    /// How many objects differ in a way that does not count yet, by kind and verdict.
    pub fn pending(&self) -> BTreeMap<(String, Verdict), usize> {
        let pending =
            |item: &&Item| item.pending.is_some() && item.exemption.is_none() && item.severity > Severity::Info;
        by_kind(self.items.iter().filter(pending))
    }

    fn tenant_states(&self, desired: &Desired) -> BTreeMap<String, TenantState> {
        let drifted: BTreeSet<&str> = self.drift().filter_map(|item| item.tenant.as_deref()).collect();
        let otherwise = if self.is_complete() { TenantState::Clean } else { TenantState::Unknown };
        let state = |slug: &str| if drifted.contains(slug) { TenantState::Drifted } else { otherwise };
        desired.tenants().into_iter().map(|slug| (slug.to_owned(), state(slug))).collect()
    }
}

fn by_kind<'i>(items: impl Iterator<Item = &'i Item>) -> BTreeMap<(String, Verdict), usize> {
    let objects: BTreeSet<(&ObjectRef, Verdict)> = items.map(|item| (&item.object, item.verdict)).collect();
    let mut counts = BTreeMap::new();
    for (object, verdict) in objects {
        *counts.entry((object.gvk.kind.clone(), verdict)).or_default() += 1;
    }
    counts
}

fn unjudged(objects: &BTreeMap<String, String>) -> Option<Gap> {
    let (object, reason) = objects.iter().next()?;
    let others = match objects.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more objects)"),
    };
    Some(Gap::Unjudged(format!("{object}: {reason}{others}")))
}

fn absent(kind: &Gvk, objects: &[ObjectRef]) -> Coverage {
    let example = objects.first().map(ToString::to_string).unwrap_or_default();
    let detail = format!("the cluster does not serve {kind}, which Git has ({example})");
    Coverage { kind: kind.clone(), declared: objects.len(), live: 0, gap: Some(Gap::Absent(detail)) }
}

fn skipped(desired: &Desired) -> Vec<String> {
    let mut skipped = Vec::new();
    if desired.filter.tenants.is_some() {
        skipped.push("namespaces labelled as tenants that Git lacks: only some tenants were asked for".to_owned());
    }
    if desired.filter.tenants.is_some() {
        skipped.push("the system unit: only some tenants were asked for".to_owned());
    }
    if !desired.problems.is_empty() {
        skipped.push("objects that Git lacks: files that cannot be read may declare them".to_owned());
    }
    skipped
}

/// A namespace that is gone or going takes all its objects along: one finding, not one an object.
fn collapse_namespaces(items: &mut Vec<Item>) {
    let gone: BTreeSet<String> = items
        .iter()
        .filter(|item| item.object.gvk.known() == Known::Namespace && item.path.is_empty())
        .filter(|item| matches!(item.class, Class::Missing | Class::Terminating))
        .map(|item| item.object.name.clone())
        .collect();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    items.retain(|item| {
        let Some(namespace) = item.object.namespace.as_ref().filter(|namespace| gone.contains(*namespace)) else {
            return true;
        };
        if item.path.is_empty() && matches!(item.class, Class::Missing | Class::Terminating) {
            *taken.entry(namespace.clone()).or_default() += 1;
        }
        false
    });
    for item in items {
        if item.object.namespace.is_none()
            && item.severity == Severity::Critical
            && let Some(count) = taken.get(&item.object.name)
        {
            item.effect.push_str(&format!(" ({count} objects of Git)"));
        }
    }
}
