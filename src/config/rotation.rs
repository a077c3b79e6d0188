//! The shape of rotation policies: how long a class of secrets may live (R3).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::tenant::Tier;
use super::types::{Label, Span};

/// `policies/rotation/*.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RotationPolicy {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `RotationPolicy`.
    pub kind: String,
    /// Name.
    pub name: Label,
    /// Whose secrets it rules; the install's own and every tenant's if absent.
    #[serde(default)]
    pub applies_to: AppliesTo,
    /// Rules, one a class.
    #[schemars(length(min = 1))]
    pub rules: Vec<Rule>,
}

/// Whose secrets a policy rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppliesTo {
    /// Tenants of these tiers; a policy that names tiers goes before one that does not.
    #[serde(default)]
    pub tiers: Vec<Tier>,
}

/// How long a class may live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The class.
    pub kind: Class,
    /// Longest life; absent for what cert-manager rules.
    #[serde(default, rename = "maxTTL")]
    pub max_ttl: Option<Span>,
    /// Whether it rotates without a person.
    #[serde(default)]
    pub auto_rotate: bool,
    /// How long before the end it rotates.
    #[serde(default)]
    pub rotate_before: Option<Span>,
    /// Who must approve.
    #[serde(default)]
    pub require_approval: Vec<Label>,
}

/// Classes of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Users of databases.
    DatabaseCredentials,
    /// Tokens and keys of interfaces.
    ApiToken,
    /// Secrets of OAuth clients.
    OauthClientSecret,
    /// Keys that sign.
    SigningKey,
    /// Administrators' passwords of the data plane.
    AdminPassword,
    /// Certificates.
    TlsCert,
}

impl Class {
    /// The word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DatabaseCredentials => "database-credentials",
            Self::ApiToken => "api-token",
            Self::OauthClientSecret => "oauth-client-secret",
            Self::SigningKey => "signing-key",
            Self::AdminPassword => "admin-password",
            Self::TlsCert => "tls-cert",
        }
    }
}
