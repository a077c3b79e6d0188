//! What the files of a fleet promise, as claims: every tenant's language model, Cortex and agents, the install's
//! database and Git host. The claims of the policies folder speak of all tenants alike; these hold each to its own file.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::config::Install;
use crate::config::install::NetworkMode;
use crate::config::tenant::{TlsMode, WazuhMode};
use crate::config::types::Cidr;
use crate::network::{
    Claim, Class, Entity, EntityName, Flow, NamesClass, OneOrMore, OutsideClass, PortRange, PortSet, Protocol, Quantity,
};
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
        claims.push(no_other_host(install, cluster));
        claims.extend(tenants().map(no_other_host_of_tenant));
    }
    let (open, closed): (Vec<_>, Vec<_>) = tenants().partition(|tenant| tenant.agents_welcome);
    claims.extend(open.iter().filter_map(|tenant| agents(tenant)));
    if cilium {
        for entity in [Entity::RemoteNode, Entity::Host] {
            claims.extend(open.iter().filter_map(|tenant| rewritten_agents(tenant, entity)));
        }
    }
    claims.extend(open.iter().filter_map(|tenant| others(tenant)));
    let behind_edge = open.iter().filter(|tenant| tenant.wazuh_mode == WazuhMode::EdgeHaproxy);
    claims.extend(behind_edge.map(|tenant| behind(tenant)));
    claims.extend(closed.into_iter().map(self::closed));
    if install.wazuh_ingress.tls.http01 {
        let own = tenants().filter(|tenant| tenant.tls_mode == TlsMode::PerTenant);
        claims.extend(own.map(|tenant| http01(install, tenant)));
    }
    claims
}

fn of_install(install: &Install, cilium: bool) -> Vec<Claim> {
    let mut claims = Vec::new();
    if let Some(external) = install.postgres.external.as_ref().filter(|_| !install.postgres.enabled) {
        let cidrs = OutsideClass { cidrs: networks(&external.cidrs), ..anywhere() };
        let to = if cilium { hosts(external.host.as_str()) } else { outside(cidrs) };
        let elsewhere = OutsideClass { except: networks(&external.cidrs), ..anywhere() };
        claims.push(Claim {
            require: Some(flow(system(&DATABASE_CLIENTS), to, vec![tcp(external.port)])),
            ..claim("control-plane-to-external-postgres", "The control plane reaches the database outside.")
        });
        claims.push(Claim {
            forbid: Some(flow(system(&DATABASE_CLIENTS), outside(elsewhere), vec![tcp(external.port)])),
            ..claim("control-plane-to-no-other-postgres", "No other address is reached on the database's port.")
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

/// Names that policies of the control plane may open: those of the files.
fn no_other_host(install: &Install, cluster: &ClusterPlan<'_>) -> Claim {
    let mut by_port: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for tenant in cluster.tenants.values() {
        for external in std::iter::once(&tenant.llm).chain(&tenant.cortex) {
            by_port.entry(external.port).or_default().insert(&external.host);
        }
    }
    let models = by_port.into_iter().map(|(port, names)| {
        let to = Class { hosts: names.into_iter().map(str::to_owned).collect(), ..Class::default() };
        flow(system(&["soctalk-orchestrator"]), to, vec![tcp(port)])
    });
    let mut unless: Vec<Flow> = models.collect();
    if let Some(external) = install.postgres.external.as_ref().filter(|_| !install.postgres.enabled) {
        unless.push(flow(system(&DATABASE_CLIENTS), hosts(external.host.as_str()), vec![tcp(external.port)]));
    }
    let git = &install.gitops.repository;
    unless.push(flow(system(&["tenantry-drift"]), hosts(git.host().as_str()), vec![tcp(git.port())]));
    let all = Class { namespace: Some(SYSTEM_NAMESPACE.to_owned()), ..Class::default() };
    let any = Class { names: Some(NamesClass::Any), ..Class::default() };
    Claim {
        forbid: Some(flow(all, any, Vec::new())),
        unless,
        ..claim("control-plane-to-no-other-host", "The control plane reaches no host by name but those of the files.")
    }
}

fn no_other_host_of_tenant(tenant: &TenantPlan<'_>) -> Claim {
    let cortex = tenant
        .cortex
        .as_ref()
        .map(|cortex| flow(pods(&tenant.namespace, &["thehive"]), hosts(&cortex.host), vec![tcp(cortex.port)]));
    let any = Class { names: Some(NamesClass::Any), ..Class::default() };
    Claim {
        forbid: Some(flow(everything_of(tenant), any, Vec::new())),
        unless: cortex.into_iter().collect(),
        ..claim("tenant-to-no-other-host", "No pod of a tenant reaches a host by name but the Cortex of its file.")
    }
}

/// The customer's addresses, or every one.
fn customers(tenant: &TenantPlan<'_>) -> Vec<IpNet> {
    networks(&tenant.tenant.wazuh_ingress.customer_cidrs)
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
    let from = outside(OutsideClass { cidrs: customers(tenant), ..anywhere() });
    Some(Claim {
        require: Some(flow(from, to, ports)),
        ..claim("customers-to-own-door", "Agents are let in from every address of their tenant's file.")
    })
}

/// Agents from anywhere may come with a node's address.
fn rewritten_agents(tenant: &TenantPlan<'_>, entity: Entity) -> Option<Claim> {
    let (to, ports) = door(tenant).filter(|_| customers(tenant).is_empty())?;
    let from = Class { entity: Some(EntityName(entity)), ..Class::default() };
    let text = "Where agents come from anywhere, they may come with a node's address.";
    Some(Claim { require: Some(flow(from, to, ports)), ..claim("rewritten-agents-to-own-door", text) })
}

fn others(tenant: &TenantPlan<'_>) -> Option<Claim> {
    let own = customers(tenant);
    if own.is_empty() {
        return None;
    }
    let (to, ports) = door(tenant)?;
    let from = outside(OutsideClass { except: own, ..anywhere() });
    Some(Claim {
        forbid: Some(flow(from, to, ports)),
        ..claim("others-to-own-door", "Where a tenant's file names addresses, agents come from no other.")
    })
}

fn behind(tenant: &TenantPlan<'_>) -> Claim {
    Claim {
        forbid: Some(flow(outside(anywhere()), everything_of(tenant), Vec::new())),
        ..claim("nobody-past-the-edge", "A tenant whose agents come through the edge is open to nobody else outside.")
    }
}

fn closed(tenant: &TenantPlan<'_>) -> Claim {
    Claim {
        forbid: Some(flow(outside(anywhere()), everything_of(tenant), Vec::new())),
        ..claim("nobody-to-closed-tenant", "A tenant that is being decommissioned lets no agents in.")
    }
}

/// The certificate authority's questions arrive through the ingress controller.
fn http01(install: &Install, tenant: &TenantPlan<'_>) -> Claim {
    let from = Class { namespace: Some(install.ingress.namespace.to_string()), ..Class::default() };
    let label = ("acme.cert-manager.io/http01-solver".to_owned(), OneOrMore::One("true".to_owned()));
    let to = Class { pods: BTreeMap::from([label]), ..everything_of(tenant) };
    Claim {
        require: Some(flow(from, to, vec![tcp(8089)])),
        ..claim(
            "ingress-to-http01-solver",
            "HTTP-01 challenges reach the solver of every tenant with its own certificate.",
        )
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

fn outside(class: OutsideClass) -> Class {
    Class { outside: Some(class), ..Class::default() }
}

fn anywhere() -> OutsideClass {
    OutsideClass { quantity: Quantity::Every, cidrs: Vec::new(), except: Vec::new() }
}

fn networks(cidrs: &[Cidr]) -> Vec<IpNet> {
    cidrs.iter().filter_map(|cidr| cidr.as_str().parse().ok()).collect()
}

fn everything_of(tenant: &TenantPlan<'_>) -> Class {
    Class { namespace: Some(tenant.namespace.clone()), ..Class::default() }
}

fn system(names: &[&str]) -> Class {
    pods(SYSTEM_NAMESPACE, names)
}

fn pods(namespace: &str, names: &[&str]) -> Class {
    let names = OneOrMore::More(names.iter().map(|name| (*name).to_owned()).collect());
    let pods = BTreeMap::from([("app.kubernetes.io/name".to_owned(), names)]);
    Class { namespace: Some(namespace.to_owned()), pods, ..Class::default() }
}
