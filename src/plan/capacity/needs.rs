//! What one tenant, and the control plane, ask of a cluster.

use super::Resource;
use crate::config::Install;
use crate::config::quantity::{self, Milli};
use crate::config::tenant::{Components, WazuhMode};
use crate::config::types::Quantity;
use crate::plan::origin::Silent;
use crate::plan::sizing::{self, Quota, Sizes};
use crate::plan::{ClusterPlan, TenantPlan};

/// Bytes that one revision of a tenant's release takes in etcd: Helm keeps chart, values and manifests, compressed, in a
/// Secret. Measured: the packed chart has 27 KB, values and manifests a third of that; base64 adds a third.
const REVISION: Milli = 48 << 10;
/// Revisions that are kept (`maxHistory` of the release).
const REVISIONS: Milli = 5;
/// Bytes of a tenant's rendered manifests; a test holds it to what is rendered.
pub(super) const MANIFESTS: Milli = 42 << 10;
/// How many times its manifest an object takes: who owns which field, status, and what follows from it (pods, endpoints).
const GROWTH: Milli = 3;

/// Amounts in thousandths, by resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Need {
    cpu: Milli,
    memory: Milli,
    storage: Milli,
    pods: Milli,
    claims: Milli,
    addresses: Milli,
    namespaces: Milli,
    services: Milli,
    etcd: Milli,
}

impl Need {
    /// The amount of one resource.
    pub fn of(&self, resource: Resource) -> Milli {
        match resource {
            Resource::Cpu => self.cpu,
            Resource::Memory => self.memory,
            Resource::Storage => self.storage,
            Resource::Pods => self.pods,
            Resource::PersistentVolumeClaims => self.claims,
            Resource::LoadBalancers => self.addresses,
            Resource::Namespaces => self.namespaces,
            Resource::Services => self.services,
            Resource::Etcd => self.etcd,
            Resource::EdgePorts | Resource::Releases => 0,
        }
    }

    fn new(quota: &Quota, sizes: &Sizes, mode: WazuhMode) -> Self {
        let milli = |text: &Quantity| quantity::parse(text.as_str()).unwrap_or(0);
        // Each component but the adapter has a Service of its own, and agents have one more.
        let services = sizes.keys().filter(|name| **name != "adapter").count() + 1;
        Self {
            cpu: milli(&quota.requests.cpu),
            memory: milli(&quota.requests.memory),
            storage: milli(&quota.storage),
            pods: Milli::from(quota.pods) * 1000,
            claims: Milli::from(quota.persistent_volume_claims) * 1000,
            addresses: if mode == WazuhMode::LoadBalancer { 1000 } else { 0 },
            namespaces: 1000,
            services: services as Milli * 1000,
            etcd: (REVISION * REVISIONS + MANIFESTS * GROWTH) * 1000,
        }
    }
}

/// What a tenant asks for. One that is suspended keeps its quota, since it comes back.
pub fn of(tenant: &TenantPlan<'_>) -> Need {
    Need::new(&tenant.quota, &tenant.sizes, tenant.wazuh_mode)
}

/// What one more tenant asks for that follows the install's defaults.
pub fn newcomer(install: &Install) -> Need {
    let sizes = sizing::sizes(install.defaults.profile, &Components::default(), false, &mut Silent);
    Need::new(&sizing::derive(&sizes), &sizes, install.defaults.wazuh_ingress_mode)
}

/// What the control plane takes of what tenants share: its edge has an address where it uses their pool.
pub fn of_control_plane(install: &Install, cluster: &ClusterPlan<'_>) -> Need {
    let pool = |annotations: &std::collections::BTreeMap<String, String>| -> Vec<(String, String)> {
        let own = annotations.iter().filter(|(_, value)| !value.contains("<address>"));
        own.map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let has_edge = cluster.tenants.values().any(|tenant| tenant.wazuh_mode == WazuhMode::EdgeHaproxy);
    let same_pool = install
        .wazuh_ingress
        .edge
        .as_ref()
        .is_some_and(|edge| pool(&edge.annotations) == pool(&install.wazuh_ingress.load_balancer.annotations));
    let addresses = if has_edge && same_pool { 1000 } else { 0 };
    Need { addresses, namespaces: 1000, ..Need::default() }
}
