//! The Secrets that exist: which rows of the inventory apply to an install and to a tenant.

use super::inventory::{EXTERNAL_POSTGRES, INVENTORY, Origin, Row, Scope, When};
use crate::config::Fleet;
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::plan::{ClusterPlan, TenantPlan};

/// A Secret of a cluster.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: String,
    /// What the inventory says of it.
    pub row: &'static Row,
    /// Where its value comes from here: the inventory's word but for what the install or tenant decides otherwise.
    pub origin: Origin,
    /// Accounts of its namespace that read it: of the inventory's, those whose pods run.
    pub readers: Vec<&'static str>,
    /// Whose it is; none for the install's own.
    pub tenant: Option<&'a TenantPlan<'a>>,
}

/// Rows of the inventory that exist once in `soctalk-system`.
pub fn system_rows(fleet: &Fleet) -> impl Iterator<Item = &'static Row> + '_ {
    INVENTORY.iter().filter(|row| row.scope == Scope::System).filter(|row| match row.when {
        When::OwnPostgres => fleet.install.postgres.enabled,
        When::Licensing => fleet.install.licensing.enabled,
        _ => true,
    })
}

/// Rows of the inventory that exist for a tenant, in one of the two scopes.
pub fn tenant_rows<'a>(tenant: &'a TenantPlan<'_>, scope: Scope) -> impl Iterator<Item = &'static Row> + 'a {
    let own_cortex = tenant.cortex.is_none();
    INVENTORY.iter().filter(move |row| row.scope == scope).filter(move |row| row.when != When::OwnCortex || own_cortex)
}

/// Every Secret of a cluster: the install's own, then each tenant's.
pub fn entries<'a>(fleet: &'a Fleet, cluster: &'a ClusterPlan<'_>) -> impl Iterator<Item = Entry<'a>> {
    of_install(fleet).chain(cluster.tenants.values().flat_map(of_tenant))
}

/// The install's own Secrets, which every cluster has.
pub fn of_install(fleet: &Fleet) -> impl Iterator<Item = Entry<'_>> {
    let external = (!fleet.install.postgres.enabled).then_some(&EXTERNAL_POSTGRES);
    let minted = fleet.install.secrets.dynamic_database.is_some();
    system_rows(fleet).chain(external).map(move |row| Entry {
        namespace: SYSTEM_NAMESPACE,
        name: row.name.to_owned(),
        row,
        origin: if minted && row.name == DYNAMIC { Origin::Dynamic } else { row.origin },
        readers: row.readers.to_vec(),
        tenant: None,
    })
}

/// The database user that the backend mints where the install says so.
pub const DYNAMIC: &str = "soctalk-postgres-app-creds";

/// Every Secret of a tenant.
pub fn of_tenant<'a>(tenant: &'a TenantPlan<'_>) -> impl Iterator<Item = Entry<'a>> {
    let id = tenant.tenant.tenant.id.as_str();
    let accounts = tenant.accounts();
    let runs = move |scope: Scope, reader: &&'static str| scope != Scope::Tenant || accounts.contains(reader);
    let scope = |scope, namespace: &'a str| {
        tenant_rows(tenant, scope).map(move |row| Entry {
            namespace,
            name: row.secret_name(id),
            row,
            // The key of a customer's own Cortex is the customer's to give.
            origin: if row.backend_name == "cortex" && tenant.cortex.is_some() { Origin::Backend } else { row.origin },
            readers: row.readers.to_vec(),
            tenant: Some(tenant),
        })
    };
    let both = scope(Scope::TenantInSystem, SYSTEM_NAMESPACE).chain(scope(Scope::Tenant, tenant.namespace.as_str()));
    both.map(move |mut entry| {
        entry.readers.retain(|reader| runs(entry.row.scope, reader));
        entry
    })
}
