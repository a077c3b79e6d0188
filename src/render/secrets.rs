//! Values of the secret templates: External Secrets, generators and stores of one namespace, from the inventory.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use super::backend::{self, Owner};
use crate::config::Fleet;
use crate::config::rotation::Class;
use crate::config::tenant::Tier;
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::plan::{ClusterPlan, TenantPlan};
use crate::secrets::due::rule;
use crate::secrets::inventory::{EXTERNAL_POSTGRES, Key, Origin, Row, Scope};
use crate::secrets::rows::{DYNAMIC, system_rows, tenant_rows};

/// What the secret templates see.
#[derive(Debug, Clone, Default, Serialize)]
pub struct SecretsContext {
    /// Namespace.
    pub namespace: String,
    /// Spec of the store that is read.
    pub store: Value,
    /// Spec of the store that is written.
    pub primary_store: Value,
    /// Generated values.
    pub generators: Vec<Generator>,
    /// Secrets that External Secrets makes.
    pub external: Vec<External>,
}

/// A value that is generated once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Generator {
    /// Name of the generator and of the push.
    pub name: String,
    /// Characters.
    pub length: u32,
    /// Of these, digits.
    pub digits: u32,
    /// Where it is pushed to.
    pub remote_key: String,
    /// Property under that key.
    pub property: String,
}

/// A Secret that External Secrets makes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct External {
    /// Name of the ExternalSecret and of the Secret.
    pub name: String,
    /// Labels, where the object lies in another namespace than its tenant's.
    pub labels: Option<Value>,
    /// How often the backend is read, as Go writes it.
    pub refresh: String,
    /// Type of the Secret.
    pub r#type: &'static str,
    /// Keys of the Secret, as templates of External Secrets.
    pub template: BTreeMap<&'static str, String>,
    /// Values that are read.
    pub data: Vec<Item>,
}

/// A value that is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// Name of the value in the template.
    pub key: String,
    /// Key in the backend.
    pub remote_key: String,
    /// Property under that key.
    pub property: String,
}

/// The install's own secrets.
pub fn system(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> SecretsContext {
    let install = &fleet.install;
    let mut context = stores(fleet, cluster.cluster, SYSTEM_NAMESPACE);
    for row in system_rows(fleet) {
        // A database user that the backend mints has a manifest of its own.
        if row.name == DYNAMIC && install.secrets.dynamic_database.is_some() {
            continue;
        }
        add(&mut context, fleet, row, row.name.to_owned(), Owner::Install, Tier::Standard, 1, None);
    }
    if !install.postgres.enabled {
        context.external.push(external_postgres(fleet));
    }
    context
}

/// The six values of an external Postgres (R0: `existingSecret`), put into the backend by an operator.
fn external_postgres(fleet: &Fleet) -> External {
    let keys: Vec<&'static str> = EXTERNAL_POSTGRES.keys.iter().map(Key::name).collect();
    let item = |key: &'static str| {
        let remote = backend::remote(&fleet.install, Owner::Install, EXTERNAL_POSTGRES.backend_name, key, 1);
        Item { key: key.into(), remote_key: remote.key, property: remote.property }
    };
    External {
        name: EXTERNAL_POSTGRES.name.into(),
        labels: None,
        refresh: refresh(fleet, Class::DatabaseCredentials, Tier::Standard),
        r#type: "Opaque",
        template: keys.iter().map(|key| (*key, format!("{{{{ .{key} }}}}"))).collect(),
        data: keys.into_iter().map(item).collect(),
    }
}

/// A tenant's secrets in its own namespace, or those in `soctalk-system` that the control plane reads.
pub fn tenant(fleet: &Fleet, tenant: &TenantPlan<'_>, scope: Scope, labels: Option<&Value>) -> SecretsContext {
    let namespace = if scope == Scope::Tenant { tenant.namespace.as_str() } else { SYSTEM_NAMESPACE };
    let mut context = stores(fleet, tenant.cluster, namespace);
    let identity = &tenant.tenant.tenant;
    let owner = Owner::Tenant(identity.slug.as_str(), identity.id.as_str());
    for row in tenant_rows(tenant, scope) {
        let name = row.secret_name(identity.id.as_str());
        let version = tenant.tenant.secrets.iter().find(|(key, _)| key.as_str() == row.backend_name);
        let version = version.map_or(1, |(_, rotated)| rotated.version);
        // The key of a customer's own Cortex is the customer's to give.
        let row = if row.backend_name == "cortex" && tenant.cortex.is_some() {
            &Row { origin: Origin::Backend, ..*row }
        } else {
            row
        };
        add(&mut context, fleet, row, name, owner, tenant.tier, version, labels);
    }
    if scope == Scope::Tenant && tenant.tls_mode == crate::config::tenant::TlsMode::Wildcard {
        context.external.push(wildcard(fleet, tenant));
    }
    context
}

/// The shared certificate of the enrolment channel, read from the backend.
fn wildcard(fleet: &Fleet, tenant: &TenantPlan<'_>) -> External {
    let item = |key: &'static str, short: &str| {
        let owner = Owner::Shared(tenant.cluster.name.as_str());
        let remote = backend::remote(&fleet.install, owner, "wazuh-wildcard", key, 1);
        Item { key: short.into(), remote_key: remote.key, property: remote.property }
    };
    External {
        name: "wazuh-tls".into(),
        labels: None,
        refresh: refresh(fleet, Class::TlsCert, tenant.tier),
        r#type: "kubernetes.io/tls",
        template: BTreeMap::from([("tls.crt", "{{ .crt }}".to_owned()), ("tls.key", "{{ .key }}".to_owned())]),
        data: vec![item("tls.crt", "crt"), item("tls.key", "key")],
    }
}

fn stores(fleet: &Fleet, cluster: &crate::config::install::Cluster, namespace: &str) -> SecretsContext {
    SecretsContext {
        namespace: namespace.to_owned(),
        store: backend::read_store(&fleet.install, cluster, namespace),
        primary_store: backend::write_store(&fleet.install, cluster, namespace),
        ..SecretsContext::default()
    }
}

#[expect(clippy::too_many_arguments, reason = "one row of the inventory has this many sides")]
fn add(
    context: &mut SecretsContext,
    fleet: &Fleet,
    row: &Row,
    name: String,
    owner: Owner<'_>,
    tier: Tier,
    version: u32,
    labels: Option<&Value>,
) {
    if row.origin == Origin::Certificate {
        return;
    }
    let (mut template, mut data) = (BTreeMap::new(), Vec::new());
    for key in row.keys {
        match key {
            Key::Constant(key, value) => drop(template.insert(*key, (*value).to_owned())),
            Key::Value(key) => {
                let short = key.replace(['.', '-'], "_");
                let remote = backend::remote(&fleet.install, owner, row.backend_name, key, version);
                if let Origin::Generated { length } = row.origin {
                    context.generators.push(Generator {
                        name: name.clone(),
                        length,
                        digits: length / 4,
                        remote_key: remote.key.clone(),
                        property: remote.property.clone(),
                    });
                }
                template.insert(*key, format!("{{{{ .{short} }}}}"));
                data.push(Item { key: short, remote_key: remote.key, property: remote.property });
            }
        }
    }
    let refresh = refresh(fleet, row.class, tier);
    context.external.push(External { name, labels: labels.cloned(), refresh, r#type: "Opaque", template, data });
}

/// How often the backend is read: every hour, or 24 times in the life of a secret that lives shorter than a day.
fn refresh(fleet: &Fleet, class: Class, tier: Tier) -> String {
    let life = rule(fleet, class, tier).and_then(|rule| rule.max_ttl.as_ref()).map(|span| span.seconds());
    let seconds = life.map_or(3600, |life| (life / 24).clamp(60, 3600));
    crate::config::types::go_duration(seconds)
}

/// Life and renewal of certificates, as Go writes them: what the rotation policy says, else 90 and 30 days.
pub fn certificate_times(fleet: &Fleet, tier: Tier) -> (String, String) {
    let rule = rule(fleet, Class::TlsCert, tier);
    let life = rule.and_then(|rule| rule.max_ttl.as_ref()).map_or(90 * 86_400, |span| span.seconds());
    let before = rule.and_then(|rule| rule.rotate_before.as_ref()).map_or(life / 3, |span| span.seconds());
    (crate::config::types::go_duration(life), crate::config::types::go_duration(before))
}

/// Service accounts with the Secrets that each may read.
pub fn readers<'a>(rows: impl Iterator<Item = (&'a Row, String)>) -> BTreeMap<&'static str, Vec<String>> {
    let mut readers: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
    for (row, name) in rows {
        for reader in row.readers {
            readers.entry(reader).or_default().push(name.clone());
        }
    }
    readers.values_mut().for_each(|names| names.sort());
    readers
}

/// A service account as the RBAC templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Annotations.
    pub annotations: Option<Value>,
    /// Secrets that it may read.
    pub secrets: Option<Vec<String>>,
}

/// The accounts of a namespace: those of its pods, and the two of the secret stores.
pub fn accounts(fleet: &Fleet, pods: &[&'static str], readers: &BTreeMap<&'static str, Vec<String>>) -> Vec<Account> {
    let pods = pods.iter().map(|name| Account {
        name: (*name).to_owned(),
        annotations: None,
        secrets: readers.get(name).cloned(),
    });
    let stores = [backend::READER, backend::WRITER].map(|name| Account {
        name: name.into(),
        annotations: backend::account_annotations(&fleet.install),
        secrets: None,
    });
    let mut accounts: Vec<Account> = pods.chain(stores).collect();
    accounts.sort_by(|a, b| a.name.cmp(&b.name));
    accounts
}

/// The certificate for all tenants of a region, as its template sees it; `None` if no tenant of the cluster uses it.
pub fn wildcard_context(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Option<Value> {
    use crate::config::tenant::TlsMode;
    if !cluster.tenants.values().any(|tenant| tenant.tls_mode == TlsMode::Wildcard) {
        return None;
    }
    let (duration, renew_before) = certificate_times(fleet, Tier::Standard);
    let pushes: Vec<Value> = ["tls.crt", "tls.key"]
        .into_iter()
        .map(|key| {
            let owner = Owner::Shared(cluster.cluster.name.as_str());
            let remote = backend::remote(&fleet.install, owner, "wazuh-wildcard", key, 1);
            json!({ "key": key, "remote_key": remote.key, "property": remote.property })
        })
        .collect();
    Some(json!({
        "duration": duration,
        "renew_before": renew_before,
        "name": format!("*.{}", crate::plan::names::soc_domain(&fleet.install, cluster.cluster)),
        "issuer": fleet.install.wazuh_ingress.tls.issuer_ref.as_str(),
        "pushes": pushes,
    }))
}
