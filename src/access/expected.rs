//! What the inventory wants of a cluster: which Secret is read by whom.

use std::collections::{HashMap, HashSet};

use crate::config::Fleet;
use crate::plan::ClusterPlan;
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::secrets::rows;

/// The readers of the Secrets of a cluster, after the inventory.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// By namespace and name: accounts of the same namespace.
    readers: HashMap<String, HashMap<String, Vec<&'static str>>>,
    /// Namespaces of the control plane and of tenants.
    managed: HashSet<String>,
}

/// What the inventory wants of the wanted units of a cluster: of tenants by their slugs, of the control plane without.
pub fn expected(fleet: &Fleet, cluster: &ClusterPlan<'_>, wanted: impl Fn(Option<&str>) -> bool) -> Expected {
    let mut own = Expected::default();
    own.managed.insert(SYSTEM_NAMESPACE.to_owned());
    own.managed.extend(cluster.tenants.values().map(|tenant| tenant.namespace.clone()));
    let install = wanted(None).then(|| rows::of_install(fleet)).into_iter().flatten();
    let tenants = cluster.tenants.iter().filter(|(slug, _)| wanted(Some(slug)));
    for entry in install.chain(tenants.flat_map(|(_, tenant)| rows::of_tenant(tenant))) {
        own.readers.entry(entry.namespace.to_owned()).or_default().insert(entry.name, entry.readers);
    }
    own
}

impl Expected {
    /// The accounts that read a Secret; none if there is no such Secret.
    pub fn readers(&self, namespace: &str, secret: &str) -> Option<&[&'static str]> {
        self.readers.get(namespace)?.get(secret).map(Vec::as_slice)
    }

    /// Whether a namespace is the control plane's or a tenant's.
    pub fn is_managed(&self, namespace: &str) -> bool {
        self.managed.contains(namespace)
    }

    /// Every Secret by namespace and name with its readers, in no particular order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &str, &[&'static str])> {
        self.readers.iter().flat_map(|(namespace, secrets)| {
            secrets.iter().map(move |(name, readers)| (namespace.as_str(), name.as_str(), readers.as_slice()))
        })
    }
}
