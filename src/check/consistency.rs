//! Whether the files agree with each other: whose addresses are whose, and which host names hide others.
//!
//! Ids, slugs and ports that two tenants have are refused when the fleet is decided ([`crate::plan`]), objects that two
//! units have by another check.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use super::{Input, Outcome};
use crate::config::install::Cluster;
use crate::config::types::Cidr;
use crate::config::{self, tenant_file};
use crate::finding::{Class, Finding, Location};
use crate::plan::names::soc_domain;

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let customers = customers(input);
    let mut findings = shared(input, &customers);
    findings.extend(own(input, &customers));
    findings.extend(reserved(input));
    findings.extend(hosts(input));
    Outcome::Ran(findings)
}

/// A customer's block: which tenant's, and the number of the entry in its file.
struct Block<'a> {
    net: IpNet,
    slug: &'a str,
    cluster: &'a str,
    entry: usize,
}

impl Block<'_> {
    fn pointer(&self) -> String {
        format!("/wazuhIngress/customerCIDRs/{}", self.entry)
    }

    fn place(&self, input: &Input<'_>) -> Location {
        config::locate(input.source, &tenant_file(self.slug), &self.pointer())
    }

    fn finding(&self, input: &Input<'_>, finding: Finding) -> Finding {
        finding.at(self.place(input)).tenant(self.slug).path(self.pointer())
    }
}

/// The blocks of every tenant that is rendered, in order of their addresses, the widest first.
fn customers<'a>(input: &Input<'a>) -> Vec<Block<'a>> {
    let mut blocks = Vec::new();
    for cluster in &input.plan.clusters {
        for (slug, tenant) in &cluster.tenants {
            for (entry, cidr) in tenant.tenant.wazuh_ingress.customer_cidrs.iter().enumerate() {
                let Some(net) = net(cidr) else { continue };
                blocks.push(Block { net, slug, cluster: cluster.cluster.name.as_str(), entry });
            }
        }
    }
    blocks.sort_by_key(|block| (block.net.network(), block.net.prefix_len(), block.slug, block.entry));
    blocks
}

fn net(cidr: &Cidr) -> Option<IpNet> {
    cidr.as_str().parse::<IpNet>().ok().map(|net| net.trunc())
}

/// Two blocks lie in each other or apart: of the blocks before it in order, only those can hold one that hold the one
/// before it. One finding a block, against the narrowest of another tenant around it.
fn shared(input: &Input<'_>, blocks: &[Block<'_>]) -> Vec<Finding> {
    let mut around: Vec<&Block<'_>> = Vec::new();
    let mut findings = Vec::new();
    for block in blocks {
        around.retain(|other| other.net.contains(&block.net));
        if let Some(other) = around.iter().rev().find(|other| other.slug != block.slug) {
            let message = format!(
                "customers {} and {} both send agents from {}: either could reach the other's door",
                other.slug, block.slug, block.net
            );
            let finding = Finding::warning("consistency/shared-addresses", message)
                .found(format!("{} of {} at {}", other.net, other.slug, other.place(input)))
                .hint(
                    "narrow one of the two; where both come through one shared gateway, that cannot be told apart here",
                );
            findings.push(block.finding(input, finding));
        }
        // Two tenants with the same block say as much as a thousand.
        if around.iter().rev().take(2).filter(|other| other.net == block.net).count() < 2 {
            around.push(block);
        }
    }
    findings
}

/// Blocks that hold addresses of the cluster itself, which no customer has.
fn own(input: &Input<'_>, blocks: &[Block<'_>]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, cluster) in input.plan.install.clusters.iter().enumerate() {
        let ranges = ranges(cluster);
        if ranges.is_empty() {
            continue;
        }
        for block in blocks.iter().filter(|block| block.cluster == cluster.name.as_str()) {
            for (field, what, entry, net) in &ranges {
                if !(net.contains(&block.net) || block.net.contains(net)) {
                    continue;
                }
                let name = &cluster.name;
                let message = format!(
                    "the addresses {} of tenant {} overlap those of {what} of cluster {name}",
                    block.net, block.slug
                );
                let at = config::locate(input.source, "install.yaml", &format!("/clusters/{index}/{field}/{entry}"));
                let finding = Finding::error("consistency/own-addresses", Class::Check, message);
                let finding = finding.found(format!("{net} at {at}"));
                findings.push(block.finding(input, finding.hint("give the addresses that the customer is seen with")));
            }
        }
    }
    findings
}

/// The field, what has the addresses, the number of the entry, the addresses.
fn ranges(cluster: &Cluster) -> Vec<(&'static str, &'static str, usize, IpNet)> {
    let fields = [
        ("podCIDRs", "the pods", &cluster.pod_cidrs),
        ("serviceCIDRs", "the Services", &cluster.service_cidrs),
        ("nodeCIDRs", "the nodes", &cluster.node_cidrs),
        ("apiServerCIDRs", "the API server", &cluster.api_server_cidrs),
    ];
    let of = |(field, what, cidrs): (&'static str, &'static str, &Vec<Cidr>)| {
        let nets: Vec<_> = cidrs.iter().enumerate().filter_map(|(entry, cidr)| Some((entry, net(cidr)?))).collect();
        nets.into_iter().map(move |(entry, net)| (field, what, entry, net))
    };
    fields.into_iter().flat_map(of).collect()
}

/// Addresses that two tenants reserve, or a tenant and an edge: a load balancer gives each to one Service.
fn reserved(input: &Input<'_>) -> Vec<Finding> {
    let mut owners: BTreeMap<IpAddr, (String, Location)> = BTreeMap::new();
    for (index, cluster) in input.plan.install.clusters.iter().enumerate() {
        let Some(address) = cluster.edge_address.as_ref().and_then(|address| address.as_str().parse().ok()) else {
            continue;
        };
        let at = config::locate(input.source, "install.yaml", &format!("/clusters/{index}/edgeAddress"));
        owners.entry(address).or_insert((format!("the edge of cluster {}", cluster.name), at));
    }
    let mut findings = Vec::new();
    let pointer = "/wazuhIngress/loadBalancerAddress";
    for (slug, tenant) in input.plan.clusters.iter().flat_map(|cluster| &cluster.tenants) {
        let address = tenant.tenant.wazuh_ingress.load_balancer_address.as_ref();
        let Some(address) = address.and_then(|address| address.as_str().parse::<IpAddr>().ok()) else { continue };
        match owners.get(&address) {
            None => drop(owners.insert(address, (format!("tenant {slug}"), Location::file(tenant_file(slug))))),
            Some((owner, at)) => {
                let at = match owner.strip_prefix("tenant ") {
                    Some(other) => config::locate(input.source, &tenant_file(other), pointer),
                    None => at.clone(),
                };
                let message = format!("the address {address} of tenant {slug} belongs to {owner}");
                let finding = Finding::error("consistency/reserved-address", Class::Check, message).tenant(*slug);
                let finding = finding.path(pointer).found(at.to_string());
                let finding =
                    finding.hint("reserve another address of the pool, or none: the load balancer chooses one");
                findings.push(finding.at(config::locate(input.source, &tenant_file(slug), pointer)));
            }
        }
    }
    findings
}

/// The wildcard of the customers' pages stands for every name below it: no other name may lie there.
fn hosts(input: &Input<'_>) -> Vec<Finding> {
    let install = input.plan.install;
    let names = &install.ingress.hostnames;
    let Some(customers) = names.customer.as_str().strip_prefix("*.").filter(|_| install.ingress.enabled) else {
        return Vec::new();
    };
    let mut findings = Vec::new();
    for cluster in &input.plan.clusters {
        let agents = soc_domain(install, cluster.cluster);
        if agents == customers {
            let message = format!(
                "agents and web pages of the tenants of cluster {} have the same names: <slug>.{agents}",
                cluster.cluster.name
            );
            let finding = Finding::error("consistency/shadowed-host", Class::Check, message);
            let finding = finding.path("/ingress/hostnames/customer").found(names.customer.to_string());
            let finding = finding.hint("a page's name then leads to the agents' door: give the pages another domain");
            findings.push(finding.at(config::locate(input.source, "install.yaml", "/ingress/hostnames/customer")));
        }
    }
    // The page of the tenant with that slug.
    let slug = names.mssp.as_str().strip_suffix(customers).and_then(|rest| rest.strip_suffix('.'));
    if let Some(slug) = slug.filter(|slug| input.plan.fleet.tenants.contains_key(*slug)) {
        let at = config::locate(input.source, "install.yaml", "/ingress/hostnames/mssp");
        let message = format!("the page of tenant {slug} has the MSSP's own name, {}", names.mssp);
        let finding = Finding::error("consistency/shadowed-host", Class::Check, message).tenant(slug);
        let finding = finding.path("/tenant/slug").found(format!("{} at {at}", names.mssp));
        let finding = finding.hint("give the MSSP's page a name outside of the customers' domain");
        findings.push(finding.at(config::locate(input.source, &tenant_file(slug), "/tenant/slug")));
    }
    findings
}
