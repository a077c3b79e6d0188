//! Pairs of ports at the edge: unique over the fleet, tombstones included.

use std::collections::BTreeMap;

use crate::config::Fleet;
use crate::config::install::{Edge, PortRange};
use crate::config::tenant::{EdgePorts, State, Tenant, WazuhMode};
use crate::finding::{Finding, Severity};

/// Checks every pair that is written down, in whatever state its tenant is. A finding's tenant names the file and its
/// path the field.
pub fn check(fleet: &Fleet) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut owners: BTreeMap<u16, &str> = BTreeMap::new();
    let range = fleet.install.wazuh_ingress.edge.as_ref().map(|Edge { ports, .. }| *ports);
    for (slug, tenant) in by_age(fleet) {
        let mode = tenant.wazuh_ingress.mode.unwrap_or(fleet.install.defaults.wazuh_ingress_mode);
        let refuse =
            |message: String| Finding::invalid("plan/edge-ports", message).tenant(slug).path("/wazuhIngress/edgePorts");
        let Some(ports) = tenant.wazuh_ingress.edge_ports else {
            if mode == WazuhMode::EdgeHaproxy && tenant.lifecycle.state.is_rendered() {
                let free = range.and_then(|range| free(range, fleet));
                let hint = free.map_or_else(|| "the range in install.yaml is full: widen it".into(), suggestion);
                let finding =
                    Finding::invalid("plan/edge-ports", format!("tenant {slug} has no pair of ports at the edge"));
                findings.push(finding.tenant(slug).path("/wazuhIngress/mode").hint(hint));
            }
            continue;
        };
        let Some(range) = range else {
            findings.push(
                refuse("install.yaml gives no range of ports at the edge".into()).hint("add wazuhIngress.edge.ports"),
            );
            continue;
        };
        if ports.events % 2 != 0 || ports.enrollment != ports.events + 1 {
            let finding = refuse(format!("{}/{} is no pair", ports.events, ports.enrollment));
            findings.push(finding.expected("an even port for events and the next one for enrollment"));
        }
        if ports.events < range.from || ports.enrollment > range.to {
            let finding = refuse(format!("{}/{} is outside of the edge's range", ports.events, ports.enrollment));
            findings.push(finding.expected(format!("{} to {}", range.from, range.to)));
        }
        if let Some(owner) = [ports.events, ports.enrollment].into_iter().find_map(|port| owners.get(&port)) {
            let hint = free(range, fleet).map_or_else(
                || "the range in install.yaml is full: widen it".into(),
                |pair| format!("{}, which `tenantry set {slug} wazuhIngress.edgePorts=free` writes", suggestion(pair)),
            );
            findings.push(
                refuse(format!("the ports {}/{} belong to tenant {owner}", ports.events, ports.enrollment)).hint(hint),
            );
            let held = format!("tenant {owner} holds these ports, and keeps them");
            let held = Finding { severity: Severity::Info, ..Finding::invalid("plan/edge-ports", held) };
            let held = held.tenant(*owner).path("/wazuhIngress/edgePorts");
            findings.push(held.hint(format!(
                "if {owner} came later: `tenantry set {owner} wazuhIngress.edgePorts=free` moves it instead"
            )));
        }
        owners.entry(ports.events).or_insert(slug);
        owners.entry(ports.enrollment).or_insert(slug);
    }
    findings
}

/// Whoever holds a pair for longest keeps it, so that the younger one is told to move: tombstones first, then by how far
/// they are in their lives and since when.
fn by_age(fleet: &Fleet) -> Vec<(&String, &Tenant)> {
    let mut tenants: Vec<_> = fleet.tenants.iter().collect();
    tenants.sort_by_key(|(slug, tenant)| {
        let rank = match tenant.lifecycle.state {
            State::Retired => 0,
            State::Decommissioning => 1,
            State::Suspended | State::Active => 2,
            State::Provisioning => 3,
            State::Pending => 4,
        };
        (rank, tenant.lifecycle.since.clone(), *slug)
    });
    tenants
}

/// The lowest pair that no tenant has, tombstones included.
pub fn free(range: PortRange, fleet: &Fleet) -> Option<EdgePorts> {
    let taken: std::collections::BTreeSet<u16> = fleet
        .tenants
        .values()
        .filter_map(|tenant| tenant.wazuh_ingress.edge_ports)
        .flat_map(|ports| [ports.events, ports.enrollment])
        .collect();
    (range.from..range.to)
        .step_by(2)
        .map(|events| EdgePorts { events, enrollment: events + 1 })
        .find(|pair| !taken.contains(&pair.events) && !taken.contains(&pair.enrollment))
}

fn suggestion(pair: EdgePorts) -> String {
    format!("free: edgePorts: {{ events: {}, enrollment: {} }}", pair.events, pair.enrollment)
}
