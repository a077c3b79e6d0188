//! Where secrets come from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::types::{Day, HttpsUrl, Id, Label};

/// Where secret values live. Exactly one backend is given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Secrets {
    /// OpenBao or Vault.
    #[serde(default)]
    pub vault: Option<Vault>,
    /// AWS Secrets Manager.
    #[serde(default)]
    pub aws: Option<Aws>,
    /// Azure Key Vault.
    #[serde(default)]
    pub azure: Option<Azure>,
    /// Google Secret Manager.
    #[serde(default)]
    pub gcp: Option<Gcp>,
    /// Short-lived database users from the backend (Vault and OpenBao only) instead of the app role's fixed password.
    #[serde(default)]
    pub dynamic_database: Option<DynamicDatabase>,
    /// Days on which the install's own secrets were rotated last, by name; `tenantry secrets due` counts from them.
    #[serde(default)]
    pub rotated: BTreeMap<Label, Day>,
}

/// OpenBao or Vault, KV version 2, one independent cluster a region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Vault {
    /// Mount of the KV engine.
    pub mount: Label,
    /// Endpoint of each region; reads go to the region's own.
    pub endpoints: BTreeMap<Label, HttpsUrl>,
    /// Region that takes writes.
    pub primary: Label,
    /// Mount of the Kubernetes auth method; `<cluster>` stands for the cluster's name.
    #[serde(default = "auth_mount")]
    pub auth_mount: String,
    /// ConfigMap in each namespace that holds the CA of the endpoints under `ca.crt`; the system's CAs if absent.
    #[serde(default)]
    pub ca_config_map: Option<Label>,
}

fn auth_mount() -> String {
    "kubernetes-<cluster>".into()
}

/// AWS Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Aws {
    /// AWS region of each region.
    pub regions: BTreeMap<Label, Label>,
    /// Region that takes writes.
    pub primary: Label,
    /// Account that holds the roles `<prefix><namespace>` which the namespaces' accounts assume.
    pub account_id: String,
    /// Prefix of the roles.
    #[serde(default = "role_prefix")]
    pub role_prefix: String,
}

fn role_prefix() -> String {
    "soctalk-".into()
}

/// Azure Key Vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Azure {
    /// Vault of each region.
    pub vaults: BTreeMap<Label, HttpsUrl>,
    /// Region that takes writes.
    pub primary: Label,
    /// Azure AD tenant.
    pub azure_tenant_id: Id,
    /// Workload identity that every namespace's account is federated with.
    pub client_id: Id,
}

/// Google Secret Manager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gcp {
    /// Project of each region.
    pub projects: BTreeMap<Label, Label>,
    /// Region that takes writes.
    pub primary: Label,
}

/// Short-lived database users.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DynamicDatabase {
    /// Mount of the database engine.
    pub mount: Label,
    /// Role of the application's users.
    pub app_role: Label,
}
