//! Names that are derived, never typed: namespaces, host names, paths in the secret backend.

use std::collections::BTreeMap;

use crate::config::Install;
use crate::config::install::Cluster;
use crate::config::tenant::Tenant;

/// Namespace of the control plane.
pub const SYSTEM_NAMESPACE: &str = "soctalk-system";

/// Namespace of a tenant.
pub fn namespace(slug: &str) -> String {
    format!("tenant-{slug}")
}

/// Host name at which a tenant's agents enrol: the region is part of it where the install has several.
pub fn hostname(install: &Install, cluster: &Cluster, slug: &str) -> String {
    let several = install.clusters.iter().any(|other| other.region != cluster.region);
    if several {
        format!("{slug}.soc.{}.{}", cluster.region, install.domain)
    } else {
        format!("{slug}.soc.{}", install.domain)
    }
}

/// Domain of all tenants of a cluster's region.
pub fn soc_domain(install: &Install, cluster: &Cluster) -> String {
    hostname(install, cluster, "x").trim_start_matches("x.").to_owned()
}

/// Labels of a tenant's namespace (R0).
pub fn namespace_labels(install: &Install, tenant: &Tenant) -> BTreeMap<&'static str, String> {
    BTreeMap::from([
        ("tenant", "true".to_owned()),
        ("managed-by", "soctalk".to_owned()),
        ("mssp-id", install.install.mssp_id.to_string()),
        ("install-id", install.install.install_id.to_string()),
        ("tenant-id", tenant.tenant.id.to_string()),
    ])
}

/// Path of a folder in the rendered tree for a tenant's unit.
pub fn tenant_unit(cluster: &str, slug: &str) -> String {
    format!("clusters/{cluster}/tenants/{slug}")
}

/// Name of the cluster that a unit belongs to, by its path.
pub fn cluster_of(unit: &str) -> &str {
    unit.split('/').nth(1).unwrap_or_default()
}

/// Path of the control plane's unit.
pub fn system_unit(cluster: &str) -> String {
    format!("clusters/{cluster}/system")
}
