//! One change: of a field, of an object, of a whole unit.

use schemars::JsonSchema;
use serde::Serialize;

use crate::drift::change::Severity;
use crate::manifest::{Digest, ObjectId};

/// What happens to an object or a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It goes.
    Removed,
    /// An object of the same kind with nearly the same content comes in its place. In a cluster: one goes, one comes.
    Renamed,
    /// It gets another value.
    Changed,
    /// It comes.
    Added,
    /// The same items in another order.
    Reordered,
}

/// What a change permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// More than before.
    Opens,
    /// Less than before.
    Closes,
    /// Neither, as far as can be told.
    Neutral,
}

/// What a change is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Area {
    /// Which traffic passes.
    Network,
    /// Who may do what, and pods' identities.
    Access,
    /// What may be admitted, pod security included.
    Admission,
    /// How much a namespace may use.
    Quota,
    /// Secrets, stores and certificates.
    Secrets,
    /// Pods and what they run.
    Workload,
    /// How the tree reaches the cluster.
    Delivery,
    /// Anything else.
    Other,
}

/// One change. Texts hold the tenant's own names as placeholders ([`super::Naming`]), so that equal changes are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Change {
    /// The object; the one that goes, if it is renamed.
    pub object: ObjectId,
    /// What it is called afterwards, if it is renamed.
    pub renamed_to: Option<ObjectId>,
    /// The field (`spec.ports[port=80,protocol=TCP].name`); empty for the object as a whole.
    pub path: String,
    /// What happens.
    pub action: Action,
    /// What it permits.
    pub direction: Direction,
    /// What it is about.
    pub area: Area,
    /// How much it matters.
    pub severity: Severity,
    /// What it does, in one line.
    pub effect: String,
    /// Whether pods restart, as far as the manifests tell: a release's values may change a pod template.
    pub restarts: bool,
    /// The value before, as JSON on one line; masked where it could be a secret, shortened.
    pub before: Option<String>,
    /// The value after, likewise.
    pub after: Option<String>,
    /// Tells shortened values apart.
    pub full: Option<Digest>,
    /// The chart that Helm makes the object from: `soctalk-tenant 1.0.0 → 1.1.0`; none for what stands in the tree.
    pub made_by: Option<String>,
}

impl Change {
    /// Whether the object has pods or data of its own.
    pub fn is_of_workload(&self) -> bool {
        let kinds = ["Deployment", "StatefulSet", "DaemonSet", "Job", "CronJob", "PersistentVolumeClaim"];
        kinds.contains(&self.object.kind.as_str())
    }

    /// Says of a release's change that its workloads are told by themselves.
    pub fn is_expanded(&mut self) {
        let release = matches!(self.object.kind.as_str(), "HelmRelease" | "Application") && self.made_by.is_none();
        if release && self.restarts && !self.path.is_empty() {
            self.restarts = false;
            "the release is upgraded: what Helm makes of it is told by itself".clone_into(&mut self.effect);
        }
    }
}

/// How a whole unit changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Moved {
    /// It is not rendered any more.
    Removed,
    /// The same tenant under another slug: in the cluster its namespace is deleted and a new one made.
    Renamed,
    /// The same tenant on another cluster.
    Relocated,
    /// It is rendered for the first time.
    Added,
}

/// A whole unit that comes, goes or moves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UnitChange {
    /// What happens.
    pub action: Moved,
    /// The tenant; none for a control plane and what tells the GitOps engine to sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// The folder: `clusters/eu-1/tenants/acme`; that after the change, if there is one.
    pub path: String,
    /// The folder before a rename or relocation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Objects in it.
    pub objects: usize,
    /// Objects that Helm makes of its releases besides, where they are expanded and the unit comes or goes as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made: Option<usize>,
}
