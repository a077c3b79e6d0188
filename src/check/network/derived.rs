//! What the files of a fleet promise, as claims: every tenant's language model, Cortex and agents, the install's
//! database and Git host. The claims of the policies folder speak of all tenants alike; these hold each to its own file.

use ipnet::IpNet;

use crate::config::Install;
use crate::config::install::NetworkMode;
use crate::config::tenant::WazuhMode;
use crate::network::{Claim, Class, Flow, OneOrMore, OutsideClass, PortRange, PortSet, Protocol, Quantity};
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::plan::{ClusterPlan, TenantPlan};

/// Components of the control plane that use the database.
const DATABASE_CLIENTS: [&str; 4] = ["soctalk-api", "soctalk-controller", "soctalk-migrate", "soctalk-orchestrator"];

/// The claims that follow from the files. Claims with one id are one claim in parts.
pub fn claims(install: &Install, cluster: &ClusterPlan<'_>) -> Vec<Claim> {
    let cilium = install.network.mode == NetworkMode::Cilium;
    let mut claims = of_install(install, cilium);
    let tenants = || cluster.tenants.values();
    if cilium {
        claims.extend(tenants().map(llm));
    }
    claims.extend(tenants().filter_map(|tenant| cortex(tenant, cilium)));
    if cilium {
        claims.extend(tenants().filter_map(orchestrator_to_cortex));
    }
    claims.extend(tenants().filter(|tenant| tenant.agents_welcome).filter_map(agents));
    claims.extend(tenants().filter(|tenant| tenant.agents_welcome).filter_map(others));
    claims.extend(tenants().filter(|tenant| !tenant.agents_welcome).map(closed));
    claims
}

fn of_install(install: &Install, cilium: bool) -> Vec<Claim> {
    let mut claims = Vec::new();
    if let Some(external) = install.postgres.external.as_ref().filter(|_| !install.postgres.enabled) {
        let cidrs = external.cidrs.iter().filter_map(|cidr| cidr.as_str().parse().ok()).collect();
        let to = if cilium { hosts(external.host.as_str()) } else { addresses(Quantity::Every, cidrs) };
        claims.push(Claim {
            require: Some(flow(system(&DATABASE_CLIENTS), to, vec![tcp(external.port)])),
            ..claim("control-plane-to-external-postgres", "The control plane reaches the database outside.")
        });
    }
    if install.drift.enabled && install.drift.digest.is_some() {
        let git = &install.gitops.repository;
        let (to, port) = match cilium {
            true => (hosts(git.host().as_str()), git.port()),
            false => (system(&["soctalk-egress-proxy"]), 3128),
        };
        claims.push(Claim {
            require: Some(flow(system(&["tenantry-drift"]), to, vec![tcp(port)])),
            ..claim("drift-checker-to-git", "The drift checker reaches the repository of manifests.")
        });
    }
    claims
}

fn llm(tenant: &TenantPlan<'_>) -> Claim {
    let to = hosts(&tenant.llm.host);
    Claim {
        require: Some(flow(system(&["soctalk-orchestrator"]), to, vec![tcp(tenant.llm.port)])),
        ..claim("orchestrator-to-own-llm", "The orchestrator reaches the language model of every tenant's file.")
    }
}

fn orchestrator_to_cortex(tenant: &TenantPlan<'_>) -> Option<Claim> {
    let cortex = tenant.cortex.as_ref()?;
    Some(Claim {
        require: Some(flow(system(&["soctalk-orchestrator"]), hosts(&cortex.host), vec![tcp(cortex.port)])),
        ..claim("orchestrator-to-own-cortex", "The orchestrator reaches the external Cortex of a tenant's file.")
    })
}

fn cortex(tenant: &TenantPlan<'_>, cilium: bool) -> Option<Claim> {
    let cortex = tenant.cortex.as_ref()?;
    let (to, port) = match cilium {
        true => (hosts(&cortex.host), cortex.port),
        false => (system(&["soctalk-egress-proxy"]), 3128),
    };
    Some(Claim {
        require: Some(flow(pods(&tenant.namespace, &["thehive"]), to, vec![tcp(port)])),
        ..claim("thehive-to-own-cortex", "TheHive reaches the external Cortex of its tenant's file.")
    })
}

/// The customer's addresses, or every one.
fn customers(tenant: &TenantPlan<'_>) -> Vec<IpNet> {
    tenant.tenant.wazuh_ingress.customer_cidrs.iter().filter_map(|cidr| cidr.as_str().parse().ok()).collect()
}

/// Where agents arrive: the pods that take them, and on which ports.
fn door(tenant: &TenantPlan<'_>) -> Option<(Class, Vec<PortRange>)> {
    match tenant.wazuh_mode {
        WazuhMode::LoadBalancer => Some((pods(&tenant.namespace, &["wazuh-manager"]), vec![tcp(1514), tcp(1515)])),
        WazuhMode::EdgeHaproxy => {
            let ports = tenant.tenant.wazuh_ingress.edge_ports?;
            Some((system(&["wazuh-edge-haproxy"]), vec![tcp(ports.events), tcp(ports.enrollment)]))
        }
    }
}

fn agents(tenant: &TenantPlan<'_>) -> Option<Claim> {
    let (to, ports) = door(tenant)?;
    let from = addresses(Quantity::Every, customers(tenant));
    Some(Claim {
        require: Some(flow(from, to, ports)),
        ..claim("customers-to-own-door", "Agents are let in from every address of their tenant's file.")
    })
}

fn others(tenant: &TenantPlan<'_>) -> Option<Claim> {
    let own = customers(tenant);
    if own.is_empty() {
        return None;
    }
    let (to, ports) = door(tenant)?;
    let outside = OutsideClass { quantity: Quantity::Every, cidrs: Vec::new(), except: own };
    let from = Class { outside: Some(outside), ..Class::default() };
    Some(Claim {
        forbid: Some(flow(from, to, ports)),
        ..claim("others-to-own-door", "Where a tenant's file names addresses, agents come from no other.")
    })
}

fn closed(tenant: &TenantPlan<'_>) -> Claim {
    let from = addresses(Quantity::Every, Vec::new());
    Claim {
        forbid: Some(flow(from, Class { namespace: Some(tenant.namespace.clone()), ..Class::default() }, Vec::new())),
        ..claim("nobody-to-closed-tenant", "A tenant that is being decommissioned lets no agents in.")
    }
}

fn claim(id: &str, text: &str) -> Claim {
    Claim { id: id.to_owned(), text: text.to_owned(), ..Claim::default() }
}

fn flow(from: Class, to: Class, ports: Vec<PortRange>) -> Flow {
    Flow { from, to, ports, any_port: false }
}

fn tcp(port: u16) -> PortRange {
    PortRange(PortSet::range(Protocol::Tcp, port, port))
}

fn hosts(host: &str) -> Class {
    Class { hosts: vec![host.to_owned()], ..Class::default() }
}

fn addresses(quantity: Quantity, cidrs: Vec<IpNet>) -> Class {
    Class { outside: Some(OutsideClass { quantity, cidrs, except: Vec::new() }), ..Class::default() }
}

fn system(names: &[&str]) -> Class {
    pods(SYSTEM_NAMESPACE, names)
}

fn pods(namespace: &str, names: &[&str]) -> Class {
    let names = OneOrMore::More(names.iter().map(|name| (*name).to_owned()).collect());
    let pods = std::collections::BTreeMap::from([("app.kubernetes.io/name".to_owned(), names)]);
    Class { namespace: Some(namespace.to_owned()), pods, ..Class::default() }
}
