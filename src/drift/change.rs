//! What a comparison says: one item a difference, with everything that a report needs.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::ObjectRef;

/// How the live state differs from Git at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Another value.
    Changed,
    /// In Git, not in the cluster. With an empty path: the whole object.
    Missing,
    /// In the cluster, not in Git. With an empty path: the whole object.
    Added,
    /// The same items in another order, where order has no meaning.
    Reordered,
}

/// What a difference does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// It permits more than Git does: network, access, quota, admission.
    Widening,
    /// It permits less than Git does.
    Tightening,
    /// It does neither, as far as can be told.
    Neutral,
    /// The object is not there.
    Missing,
    /// The object is being deleted.
    Terminating,
    /// It cannot be put back without deleting the object first.
    ImmutableMismatch,
}

/// How much a difference matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing; no drift.
    Info,
    /// Cosmetic.
    Low,
    /// Something works in another way than Git says.
    Medium,
    /// Isolation, access or a secret is affected.
    High,
    /// A tenant is open, or gone.
    Critical,
}

/// Where Git says it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    /// File, relative to the tree.
    pub file: String,
    /// Line, from 1.
    pub line: u32,
}

/// Who wrote a field last, according to `managedFields`. A hint: any client can write anything there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Writer {
    /// The name that the writer gave itself.
    pub manager: String,
    /// `Apply` or `Update`.
    pub operation: String,
    /// When, by the API server's clock.
    pub time: Option<String>,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Item {
    /// The object.
    pub object: ObjectRef,
    /// The tenant whose unit it belongs to; none for the system unit.
    pub tenant: Option<String>,
    /// Which field: `spec.ingress[1].from`; empty for the whole object.
    pub path: String,
    /// The path as a JSON pointer into the live object, where no list is on the way.
    pub pointer: Option<String>,
    /// How it differs.
    pub verdict: Verdict,
    /// What it does.
    pub class: Class,
    /// How much it matters.
    pub severity: Severity,
    /// What Git says, as JSON on one line; masked where it could be a secret.
    pub expected: Option<String>,
    /// What the cluster says, likewise.
    pub found: Option<String>,
    /// What it opens or closes, in one line.
    pub effect: String,
    /// Where Git says it: the line of the field, else of what stands around it.
    pub place: Option<Place>,
    /// Who wrote it last, as a hint.
    pub writer: Option<Writer>,
    /// The exemption that covers it: then it is no drift.
    pub exemption: Option<String>,
    /// Why it does not count yet, where a check goes on.
    pub pending: Option<Pending>,
    /// When the object was first seen to differ, where a check goes on.
    pub since: Option<Timestamp>,
}

/// Why a difference does not count yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Pending {
    /// It was seen a moment ago, and has not been read a second time.
    Settling,
    /// The object is what the revision before said: the new one is still being applied.
    RollingOut,
}

impl Severity {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Low => "low",
            Severity::Medium => "medium",
            Severity::High => "high",
            Severity::Critical => "critical",
        }
    }
}

impl Class {
    /// The word for it in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Widening => "widening",
            Class::Tightening => "tightening",
            Class::Neutral => "neutral",
            Class::Missing => "missing",
            Class::Terminating => "terminating",
            Class::ImmutableMismatch => "immutable-mismatch",
        }
    }
}

impl Item {
    /// Whether it counts as drift: not exempted, not pending, and more than worth knowing.
    pub fn is_drift(&self) -> bool {
        self.pending.is_none() && self.exemption.is_none() && self.severity > Severity::Info
    }
}
