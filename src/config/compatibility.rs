//! The shape of `compatibility.yaml`: which soctalk-tenant runs under which soctalk-system (R0).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::types::Version;

/// `compatibility.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Compatibility {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `Compatibility`.
    pub kind: String,
    /// The matrix.
    #[schemars(length(min = 1))]
    pub matrix: Vec<Row>,
}

/// What runs under one version of soctalk-system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Version of soctalk-system.
    pub system: Version,
    /// Versions of soctalk-tenant.
    #[schemars(length(min = 1))]
    pub tenant: Vec<Entry>,
}

/// A version of soctalk-tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version.
    pub version: Version,
    /// Verdict.
    pub status: Status,
    /// Why, and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notes: Option<String>,
}

/// Verdict on a combination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Goes ahead.
    Supported,
    /// Goes ahead with a warning.
    Deprecated,
    /// Refused.
    Blocked,
}

impl Status {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Deprecated => "deprecated",
            Self::Blocked => "blocked",
        }
    }
}

impl Compatibility {
    /// The entry of a combination; `None` if the matrix does not know it, which refuses it.
    pub fn find(&self, system: &Version, tenant: &Version) -> Option<&Entry> {
        self.matrix
            .iter()
            .filter(|row| row.system == *system)
            .flat_map(|row| &row.tenant)
            .find(|entry| entry.version == *tenant)
    }
}
