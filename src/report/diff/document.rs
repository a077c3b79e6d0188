//! The document: what is compared, what it amounts to, and every change, the worst first.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;

use crate::access::Act;
use crate::diff::{
    self, AccessAction, Action, Area, Changes, Direction, Flow, FlowChange, Folded, FoldedAccess, Moved, Sort,
    UnitChange, UnitRef,
};
use crate::drift::change::Severity;
use crate::manifest::ObjectId;

/// The report of `diff`, version `tenantry.io/v1`. Fields may be added within a version; none changes its meaning.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `tenantry.io/v1`.
    pub api_version: &'static str,
    /// `DiffReport`.
    pub kind: &'static str,
    /// Version of the program.
    pub tool_version: String,
    /// What came of it.
    pub verdict: Verdict,
    /// What is compared with.
    pub base: Side,
    /// What is compared.
    pub head: Side,
    /// What it amounts to.
    pub counts: Counts,
    /// Units that come, go or move.
    pub units: Vec<UnitChange>,
    /// Everything that changes inside of units, the worst first.
    pub changes: Vec<Entry>,
    /// Who may read or change which Secret by RBAC.
    pub access: Vec<Access>,
    /// Who may talk to whom.
    pub connections: Connections,
    /// What could not be told, and why.
    pub incomplete: Vec<String>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing differs.
    Same,
    /// Something differs.
    Differs,
    /// Something could not be told.
    Incomplete,
}

/// One side.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Side {
    /// `fleet`, `output` (a rendered repository) or `live` (a dump of a cluster).
    pub what: &'static str,
    /// How it was named: `origin/main`, `files as they are`.
    pub name: String,
    /// The commit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// What a change amounts to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Units.
    pub units: Units,
    /// Objects that are deleted, those of units that go included.
    pub deleted: usize,
    /// Changes that permit more, counted a unit.
    pub opens: usize,
    /// Changes that permit less.
    pub closes: usize,
    /// Units whose pods restart, as far as the manifests tell.
    pub restarts: usize,
    /// Access to Secrets that comes, counted a unit.
    pub access_added: usize,
    /// Access to Secrets that goes.
    pub access_removed: usize,
    /// Pairs of ends that can talk and could not, those of tenants that change alike included.
    pub connections_added: usize,
    /// Pairs between which other traffic may flow.
    pub connections_changed: usize,
    /// Pairs that can talk no more.
    pub connections_removed: usize,
    /// Tenants in which something changes, comes or goes.
    pub tenants: BTreeSet<String>,
    /// Clusters whose control plane changes.
    pub control_planes: BTreeSet<String>,
}

/// Numbers of units.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Units {
    /// On both sides.
    pub common: usize,
    /// On both sides, with the same objects.
    pub same: usize,
    /// Only after.
    pub added: usize,
    /// Only before.
    pub removed: usize,
    /// Under another name or on another cluster.
    pub moved: usize,
}

/// One change and everything that it happens to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The heading that it stands under.
    pub sort: Sort,
    /// What happens.
    pub action: Action,
    /// What it permits.
    pub direction: Direction,
    /// What it is about.
    pub area: Area,
    /// How much it matters.
    pub severity: Severity,
    /// Whether pods restart, as far as the manifests tell.
    pub restarts: bool,
    /// The object; `<slug>`, `<id>` and `<cluster>` stand for what differs between those that it happens to.
    pub object: ObjectId,
    /// What it is called afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renamed_to: Option<ObjectId>,
    /// The field; empty for the object as a whole.
    pub path: String,
    /// The chart that Helm makes the object from; absent for what stands in the tree itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_by: Option<String>,
    /// What it does.
    pub effect: String,
    /// The value before, masked and shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// The value after, masked and shortened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// To how many units it happens.
    pub count: usize,
    /// The tenants.
    pub tenants: Vec<String>,
    /// The clusters whose control plane it is.
    pub control_planes: Vec<String>,
}

/// Access to Secrets that comes or goes, and everything that it happens to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Whether it comes or goes.
    pub action: AccessAction,
    /// What it is: to read or change Secrets, or to become somebody who may.
    pub act: Act,
    /// Who: an account as `namespace/name`, `group NAME`, `user NAME`, `every account of NAMESPACE`.
    pub subject: String,
    /// The namespace; absent for every one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The Secrets, or the accounts that are acted as; empty for every one.
    pub names: Vec<String>,
    /// What it amounts to, in words.
    pub what: String,
    /// By which rights: `get secrets`.
    pub rights: String,
    /// Why they amount to it, where that is not plain.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub why: &'static str,
    /// To how many units it happens.
    pub count: usize,
    /// The tenants.
    pub tenants: Vec<String>,
    /// The clusters whose control plane it is.
    pub control_planes: Vec<String>,
}

/// Who may talk to whom, before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connections {
    /// Pairs between which other traffic may flow than before.
    pub changes: Vec<Flow>,
    /// Tenants for which they were not listed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_listed: Vec<String>,
}

/// What a document is made of.
#[derive(Debug, Clone, Default)]
pub struct Input {
    /// What is compared with.
    pub base: Side,
    /// What is compared.
    pub head: Side,
    /// Units on both sides, and how many of them are the same.
    pub common: (usize, usize),
    /// Units that come, go or move.
    pub units: Vec<UnitChange>,
    /// The changes.
    pub changes: Changes,
    /// Who may talk to whom.
    pub connections: Connections,
    /// What could not be told.
    pub incomplete: Vec<String>,
    /// Remarks.
    pub notes: Vec<String>,
}

impl Document {
    /// The document of a comparison.
    pub fn new(input: Input, tool_version: &str) -> Self {
        let Input { base, head, common, units, changes, connections, incomplete, notes } = input;
        let counts = counts(common, &units, &changes, &connections);
        let Changes { fields, access } = changes;
        let nothing = units.is_empty() && fields.is_empty() && access.is_empty() && connections.changes.is_empty();
        let verdict = match () {
            () if !incomplete.is_empty() => Verdict::Incomplete,
            () if nothing => Verdict::Same,
            () => Verdict::Differs,
        };
        Self {
            api_version: "tenantry.io/v1",
            kind: "DiffReport",
            tool_version: tool_version.to_owned(),
            verdict,
            base,
            head,
            counts,
            units,
            changes: fields.into_iter().map(entry).collect(),
            access: access.into_iter().map(access_of).collect(),
            connections,
            incomplete,
            notes,
        }
    }
}

fn counts(common: (usize, usize), units: &[UnitChange], changes: &Changes, connections: &Connections) -> Counts {
    let summary = diff::summary(&changes.fields);
    let access = |action: AccessAction| -> usize {
        changes.access.iter().filter(|one| one.change.action == action).map(|one| one.units.len()).sum()
    };
    let flows = |change: FlowChange| -> usize {
        connections.changes.iter().filter(|flow| flow.change == change).map(|flow| 1 + flow.alike.len()).sum()
    };
    let of = |action: &dyn Fn(Moved) -> bool| units.iter().filter(|unit| action(unit.action)).count();
    let mut counts = Counts {
        units: Units {
            common: common.0,
            same: common.1,
            added: of(&|action| action == Moved::Added),
            removed: of(&|action| action == Moved::Removed),
            moved: of(&|action| matches!(action, Moved::Renamed | Moved::Relocated)),
        },
        deleted: summary.deleted.saturating_sub(told_of_units(units, changes)),
        opens: summary.opens,
        closes: summary.closes,
        restarts: summary.restarts.len(),
        access_added: access(AccessAction::Added),
        access_removed: access(AccessAction::Removed),
        connections_added: flows(FlowChange::Added),
        connections_changed: flows(FlowChange::Changed),
        connections_removed: flows(FlowChange::Removed),
        ..Counts::default()
    };
    for unit in units {
        // A tenant that moves is deleted where it was.
        if unit.action != Moved::Added {
            counts.deleted += unit.objects + unit.made.unwrap_or_default();
        }
        note(&mut counts, unit.tenant.as_deref(), crate::plan::names::cluster_of(&unit.path));
    }
    let units = changes.fields.iter().map(|one| &one.units).chain(changes.access.iter().map(|one| &one.units));
    for unit in units.flatten() {
        note(&mut counts, unit.tenant.as_deref(), &unit.cluster);
    }
    counts
}

/// Deletions that are listed and belong to units that go: they are counted with the unit.
fn told_of_units(units: &[UnitChange], changes: &Changes) -> usize {
    let gone = units.iter().filter(|unit| unit.action == Moved::Removed && unit.made.is_some());
    let gone: BTreeSet<(&str, Option<&str>)> =
        gone.map(|unit| (crate::plan::names::cluster_of(&unit.path), unit.tenant.as_deref())).collect();
    let deletions = changes.fields.iter().filter(|one| Sort::of(&one.change) == Sort::Deletes);
    let of_gone = |unit: &&UnitRef| gone.contains(&(unit.cluster.as_str(), unit.tenant.as_deref()));
    deletions.filter(|one| one.change.made_by.is_some()).flat_map(|one| &one.units).filter(of_gone).count()
}

/// Notes whose unit something happens to.
fn note(counts: &mut Counts, tenant: Option<&str>, cluster: &str) {
    let (names, name) = match tenant {
        Some(slug) => (&mut counts.tenants, slug),
        None => (&mut counts.control_planes, cluster),
    };
    if !names.contains(name) {
        names.insert(name.to_owned());
    }
}

fn entry(folded: Folded) -> Entry {
    let Folded { change, units } = folded;
    let (count, (tenants, control_planes)) = (units.len(), whose(units));
    Entry {
        sort: Sort::of(&change),
        action: change.action,
        direction: change.direction,
        area: change.area,
        severity: change.severity,
        restarts: change.restarts,
        object: change.object,
        renamed_to: change.renamed_to,
        path: change.path,
        made_by: change.made_by,
        effect: change.effect,
        before: change.before,
        after: change.after,
        count,
        tenants,
        control_planes,
    }
}

fn access_of(folded: FoldedAccess) -> Access {
    let FoldedAccess { change, units } = folded;
    let (count, (tenants, control_planes)) = (units.len(), whose(units));
    Access {
        what: change.what(),
        action: change.action,
        act: change.act,
        subject: change.subject,
        namespace: change.namespace,
        names: change.names,
        rights: change.rights,
        why: change.why,
        count,
        tenants,
        control_planes,
    }
}

/// The tenants, and the clusters whose control plane it is.
fn whose(units: Vec<UnitRef>) -> (Vec<String>, Vec<String>) {
    let planes: BTreeSet<String> =
        units.iter().filter(|unit| unit.tenant.is_none()).map(|unit| unit.cluster.clone()).collect();
    (units.into_iter().filter_map(|unit| unit.tenant).collect(), planes.into_iter().collect())
}
