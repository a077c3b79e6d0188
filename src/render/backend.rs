//! The secret backend as External Secrets sees it: stores of a namespace, and where a secret lies.

use serde_json::{Value, json};

use crate::config::Install;
use crate::config::install::{Aws, Azure, Cluster, Gcp, Vault};
use crate::config::types::Label;

/// Service account of a namespace that reads from the backend.
pub const READER: &str = "secrets-reader";
/// Service account of a namespace that pushes generated values to the primary region.
pub const WRITER: &str = "secrets-writer";

/// Where one value lies: the backend's key and, for backends that hold several values under a key, the property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteRef {
    /// Key.
    pub key: String,
    /// Property; empty where the backend has none.
    pub property: String,
}

/// Whose secret it is.
#[derive(Debug, Clone, Copy)]
pub enum Owner<'a> {
    /// The install's.
    Install,
    /// A tenant's: slug and id.
    Tenant(&'a str, &'a str),
    /// Shared by the tenants of a cluster.
    Shared(&'a str),
}

/// Where the value `property` of the secret `name` lies. Vault paths and AWS names are `mssp-<id>/tenants/<slug>/<name>`;
/// Azure and GCP allow no slash, so there the tenant's id (of fixed length, so that no two names meet) takes its place.
pub fn remote(install: &Install, owner: Owner<'_>, name: &str, property: &str, version: u32) -> RemoteRef {
    let mssp = &install.install.mssp_id;
    let name = if version > 1 { format!("{name}-v{version}") } else { name.to_owned() };
    let secrets = &install.secrets;
    if secrets.azure.is_some() || secrets.gcp.is_some() {
        let middle = match owner {
            Owner::Install => "install".to_owned(),
            Owner::Tenant(_, id) => format!("tenant-{id}"),
            Owner::Shared(cluster) => format!("shared-{cluster}"),
        };
        return RemoteRef {
            key: format!("mssp-{mssp}-{middle}-{name}-{}", property.replace(['.', '_'], "-")),
            property: String::new(),
        };
    }
    let middle = match owner {
        Owner::Install => "install".to_owned(),
        Owner::Tenant(slug, _) => format!("tenants/{slug}"),
        Owner::Shared(cluster) => format!("shared/{cluster}"),
    };
    RemoteRef { key: format!("mssp-{mssp}/{middle}/{name}"), property: property.to_owned() }
}

/// Spec of the store that a namespace reads from: the backend of the cluster's own region.
pub fn read_store(install: &Install, cluster: &Cluster, namespace: &str) -> Value {
    store(install, cluster, namespace, &cluster.region, READER)
}

/// Spec of the store that a namespace pushes to: the backend of the primary region.
pub fn write_store(install: &Install, cluster: &Cluster, namespace: &str) -> Value {
    let secrets = &install.secrets;
    let primary = secrets
        .vault
        .as_ref()
        .map(|vault| &vault.primary)
        .or_else(|| secrets.aws.as_ref().map(|aws| &aws.primary))
        .or_else(|| secrets.azure.as_ref().map(|azure| &azure.primary))
        .or_else(|| secrets.gcp.as_ref().map(|gcp| &gcp.primary));
    store(install, cluster, namespace, primary.unwrap_or(&cluster.region), WRITER)
}

fn store(install: &Install, cluster: &Cluster, namespace: &str, region: &Label, account: &str) -> Value {
    let secrets = &install.secrets;
    let provider = match (&secrets.vault, &secrets.aws, &secrets.azure, &secrets.gcp) {
        (Some(given), ..) => json!({ "vault": vault(given, cluster, namespace, region, account) }),
        (_, Some(given), ..) => json!({ "aws": aws(given, namespace, region, account) }),
        (_, _, Some(given), _) => json!({ "azurekv": azure(given, region, account) }),
        (.., Some(given)) => json!({ "gcpsm": gcp(given, region, account) }),
        // Config refuses an install without a backend.
        _ => json!({}),
    };
    json!({ "provider": provider })
}

/// One role a namespace and direction: no tenant's store can read another's paths.
fn vault(vault: &Vault, cluster: &Cluster, namespace: &str, region: &Label, account: &str) -> Value {
    let mut spec = vault_provider(vault, cluster, region, &role(namespace, account), account);
    spec["path"] = json!(vault.mount.as_str());
    spec["version"] = json!("v2");
    spec
}

/// Server and login at OpenBao or Vault.
pub fn vault_provider(vault: &Vault, cluster: &Cluster, region: &Label, role: &str, account: &str) -> Value {
    let server = vault.endpoints.get(region).map(|url| url.as_str()).unwrap_or_default();
    let mount = vault.auth_mount.replace("<cluster>", cluster.name.as_str());
    let mut spec = json!({
        "server": server,
        "auth": { "kubernetes": { "mountPath": mount, "role": role, "serviceAccountRef": { "name": account } } },
    });
    if let Some(map) = &vault.ca_config_map {
        spec["caProvider"] = json!({ "type": "ConfigMap", "name": map.as_str(), "key": "ca.crt" });
    }
    spec
}

fn role(namespace: &str, account: &str) -> String {
    if account == WRITER { format!("{namespace}-writer") } else { namespace.to_owned() }
}

fn aws(aws: &Aws, namespace: &str, region: &Label, account: &str) -> Value {
    json!({
        "service": "SecretsManager",
        "region": aws.regions.get(region).map(Label::as_str).unwrap_or_default(),
        "role": format!("arn:aws:iam::{}:role/{}{}", aws.account_id, aws.role_prefix, role(namespace, account)),
        "auth": { "jwt": { "serviceAccountRef": { "name": account } } },
    })
}

fn azure(azure: &Azure, region: &Label, account: &str) -> Value {
    json!({
        "authType": "WorkloadIdentity",
        "vaultUrl": azure.vaults.get(region).map(|url| url.as_str()).unwrap_or_default(),
        "environmentType": "PublicCloud",
        "serviceAccountRef": { "name": account },
    })
}

fn gcp(gcp: &Gcp, region: &Label, account: &str) -> Value {
    let project = gcp.projects.get(region).map(Label::as_str).unwrap_or_default();
    json!({ "projectID": project, "auth": { "workloadIdentity": { "serviceAccountRef": { "name": account } } } })
}

/// Annotations with which the backend's own identity system knows a service account.
pub fn account_annotations(install: &Install) -> Option<Value> {
    let azure = install.secrets.azure.as_ref()?;
    Some(json!({
        "azure.workload.identity/client-id": azure.client_id.as_str(),
        "azure.workload.identity/tenant-id": azure.azure_tenant_id.as_str(),
    }))
}
