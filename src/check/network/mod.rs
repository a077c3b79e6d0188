//! The proof of the claims about the network, over everything that is rendered for a cluster.
//!
//! The units of a cluster are proved together, those that stay as they are in the output included: what one tenant's
//! policies open is decided by everybody's. A cluster of which every unit stays was proved when it was written, since the
//! claims and the program's version are among what its units are rendered from. Neither is one proved again of which the
//! units that change say to the network what they said when it was last proved.

mod derived;
mod findings;
mod state;
pub mod workloads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rayon::prelude::*;

use super::{Input, Outcome};
use crate::config::Install;
use crate::config::install::{Cluster, NetworkMode, NodeLocal};
use crate::config::types::Cidr;
use crate::finding::Finding;
use crate::manifest::IdRef;
use crate::network::{Claims, FileLines, Model, Profile, Refusals, Settings, Source, StandIn, StandInPort, prove};
use crate::plan::{ClusterPlan, Plan, names};
use crate::render::RenderedUnit;

/// Where NodeLocal DNSCache listens by default.
const NODE_LOCAL: std::net::Ipv4Addr = std::net::Ipv4Addr::new(169, 254, 20, 10);
/// Units that are turned into documents at once: enough for every core, few enough to stay small.
const CHUNK: usize = 128;
/// API groups that say nothing about the network, nor of who may change it.
const IRRELEVANT: [&str; 9] = [
    "admissionregistration.k8s.io",
    "argoproj.io",
    "cert-manager.io",
    "external-secrets.io",
    "externaldns.k8s.io",
    "generators.external-secrets.io",
    "helm.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "source.toolkit.fluxcd.io",
];
/// Kinds without a group that say nothing about it either.
const IRRELEVANT_CORE: [&str; 5] = ["ConfigMap", "LimitRange", "ResourceQuota", "Secret", "ServiceAccount"];

/// Whether the proof needs a file of a unit; others need not be rendered for it.
pub fn needs(file: &str) -> bool {
    !matches!(
        file,
        "certificates.yaml" | "compatibility.yaml" | "dns.yaml" | "quota.yaml" | "secrets.yaml" | "system-secrets.yaml"
    )
}

/// A unit: a list, and where in it.
type Place = (Arc<Vec<RenderedUnit>>, usize);

/// One cluster with everything that is rendered for it.
pub struct Scope<'a> {
    /// The cluster.
    pub cluster: &'a ClusterPlan<'a>,
    /// The claims, about this fleet's namespaces.
    pub claims: Claims,
    settings: Settings,
    /// The units, each as a place in a list.
    units: Vec<Place>,
}

/// The clusters that may have changed.
fn clusters<'a>(input: &Input<'a>) -> impl Iterator<Item = &'a ClusterPlan<'a>> {
    let (plan, settled) = (input.plan, input.settled);
    plan.clusters.iter().filter(move |cluster| !settled.contains(cluster.cluster.name.as_str()))
}

/// The clusters that may have changed, each with all of its units.
///
/// # Errors
/// What is missing of a cluster: a proof over a part proves nothing.
pub fn scopes<'a>(input: &Input<'a>) -> Result<Vec<Scope<'a>>, String> {
    clusters(input).map(|cluster| scope(input, cluster)).collect()
}

/// A part of a cluster, for what a change does to it. Nothing is ever proved over a part.
pub fn part<'a>(plan: &'a Plan<'a>, cluster: &'a ClusterPlan<'a>, units: &Arc<Vec<RenderedUnit>>) -> Scope<'a> {
    let claims = claims(plan, cluster);
    let settings = claims.settings(&settings(plan.install, cluster.cluster));
    let name = cluster.cluster.name.as_str();
    let own = units.iter().enumerate().filter(|(_, unit)| unit.cluster() == name);
    Scope { cluster, claims, settings, units: own.map(|(at, _)| (Arc::clone(units), at)).collect() }
}

/// What the proof of a cluster takes for granted, whatever runs there.
pub fn assumptions(plan: &Plan<'_>, cluster: &ClusterPlan<'_>) -> Vec<String> {
    let claims = claims(plan, cluster);
    crate::network::standing_assumptions(&claims.settings(&settings(plan.install, cluster.cluster)), &claims)
}

/// What matters to the network in some files of a unit, releases as what they deploy.
pub fn documents(unit: &RenderedUnit, wanted: impl Fn(&str) -> bool) -> Vec<serde_json::Value> {
    let files = unit.files.iter().filter(|(name, _)| wanted(name));
    let files = files.map(|(name, content)| (name.clone(), content.clone())).collect();
    let unit = RenderedUnit { path: unit.path.clone(), tenant: unit.tenant.clone(), inputs: unit.inputs, files };
    sources(&Arc::new(vec![unit]), 0).into_iter().map(|source| source.value).collect()
}

/// A cluster with all of its units.
///
/// # Errors
/// What is missing of it: a proof over a part proves nothing.
fn scope<'a>(input: &Input<'a>, cluster: &'a ClusterPlan<'a>) -> Result<Scope<'a>, String> {
    let name = cluster.cluster.name.as_str();
    let mut units: Vec<Place> = Vec::new();
    for list in [Arc::clone(input.units), input.kept.units(name)?] {
        let own = list.iter().enumerate().filter(|(_, unit)| unit.cluster() == name);
        units.extend(own.map(|(at, _)| (Arc::clone(&list), at)));
    }
    units.sort_by(|(a, i), (b, j)| a[*i].path.cmp(&b[*j].path));
    let present: BTreeSet<&str> = units.iter().map(|(list, at)| list[*at].path.as_str()).collect();
    if let Some(missing) = expected(cluster).into_iter().find(|path| !present.contains(path.as_str())) {
        return Err(format!("{missing} is not at hand"));
    }
    let claims = claims(input.plan, cluster);
    let settings = claims.settings(&settings(input.plan.install, cluster.cluster));
    Ok(Scope { cluster, claims, settings, units })
}

/// Paths of the units without which nothing can be said of a cluster.
fn expected(cluster: &ClusterPlan<'_>) -> Vec<String> {
    let name = cluster.cluster.name.as_str();
    let mut expected: Vec<String> = cluster.tenants.keys().map(|slug| names::tenant_unit(name, slug)).collect();
    expected.push(names::system_unit(name));
    expected
}

/// The fleet's claims, with the namespaces that the install names and without tenants that let no agents in any more;
/// and what each tenant's file promises.
fn claims(plan: &Plan<'_>, cluster: &ClusterPlan<'_>) -> Claims {
    let install = plan.install;
    let mut claims = plan
        .fleet
        .claims
        .clone()
        .with_namespace("ingress-system", install.ingress.namespace.as_str())
        .with_namespace("monitoring", install.monitoring.namespace.as_str());
    if let Some(external) = install.postgres.external.as_ref().filter(|_| !install.postgres.enabled) {
        claims = claims.with_port(5432, external.port);
    }
    if install.wazuh_ingress.tls.http01 {
        claims.assume.workloads.push(http01_solver());
    }
    if let Some(served) = claims.groups.get_mut("served") {
        let closed = cluster.tenants.values().filter(|tenant| !tenant.agents_welcome);
        served.except.extend(closed.map(|tenant| tenant.namespace.clone()));
    }
    claims.claims.extend(derived::claims(install, cluster));
    claims
}

/// What is known of a cluster besides its manifests.
fn settings(install: &Install, cluster: &Cluster) -> Settings {
    let network = &install.network;
    let mut settings = Settings::new(match network.mode {
        NetworkMode::Cilium => Profile::Cilium,
        NetworkMode::CalicoEgressProxy => Profile::Kubernetes,
    });
    if let Ok(version) = network.cilium_version.as_str().parse() {
        settings.cilium = version;
    }
    let blocks = |cidrs: &[Cidr]| cidrs.iter().filter_map(|cidr| cidr.as_str().parse().ok()).collect();
    settings.api_server = blocks(&cluster.api_server_cidrs);
    settings.pod_cidrs = blocks(&cluster.pod_cidrs);
    settings.service_cidrs = blocks(&cluster.service_cidrs);
    settings.node_cidrs = blocks(&cluster.node_cidrs);
    match network.dns.node_local {
        NodeLocal::None => {}
        NodeLocal::Host => settings.resolver.node_local.push(NODE_LOCAL.into()),
        NodeLocal::Redirect => settings.stand_ins.push(node_local_pods()),
    }
    settings
}

/// NodeLocal DNSCache behind a local redirect policy: pods that answer in the place of kube-dns.
fn node_local_pods() -> StandIn {
    let port = |name: &str, protocol: &str| StandInPort { name: name.into(), port: 53, protocol: protocol.into() };
    StandIn {
        namespace: "kube-system".into(),
        name: "node-local-dns".into(),
        kind: None,
        labels: BTreeMap::from([("k8s-app".into(), "node-local-dns".into())]),
        any_labels: false,
        ports: vec![port("dns", "UDP"), port("dns-tcp", "TCP")],
        host_network: false,
    }
}

/// cert-manager's pods for HTTP-01 challenges come and go in every tenant's namespace.
fn http01_solver() -> StandIn {
    StandIn {
        namespace: "$tenant".into(),
        name: "http01-solver".into(),
        kind: None,
        labels: BTreeMap::from([("acme.cert-manager.io/http01-solver".into(), "true".into())]),
        any_labels: false,
        ports: vec![StandInPort { name: "http".into(), port: 8089, protocol: "TCP".into() }],
        host_network: false,
    }
}

impl Scope<'_> {
    /// The namespaces, pods and policies of the cluster.
    ///
    /// # Errors
    /// What the engine does not understand.
    pub fn model(&self) -> Result<Model, Refusals> {
        Model::build(self.sources(), &self.settings)
    }

    /// Everything that is rendered for the cluster and matters to the network, releases as what they deploy.
    pub fn sources(&self) -> impl Iterator<Item = Source> + '_ {
        self.sources_with(|_| ()).flat_map(|(sources, ())| sources)
    }

    /// As [`Self::sources`], a unit each, with something that is told of each while it is at hand.
    fn sources_with<T: Send>(&self, tell: impl Fn(&[Source]) -> T + Sync) -> impl Iterator<Item = (Vec<Source>, T)> {
        self.units.chunks(CHUNK).flat_map(move |chunk| {
            let of_unit = |(list, at): &Place| {
                let sources = sources(list, *at);
                let told = tell(&sources);
                (sources, told)
            };
            chunk.par_iter().map(of_unit).collect::<Vec<_>>()
        })
    }

    /// What is known of the cluster besides its manifests, and what the claims assume.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }
}

/// The documents of a unit that matter, releases as what they deploy.
fn sources(list: &Arc<Vec<RenderedUnit>>, at: usize) -> Vec<Source> {
    let unit = &list[at];
    let mut sources = Vec::new();
    for (name, content) in unit.files.iter().filter(|(name, _)| needs(name)) {
        let wanted = content.objects_that(|id| is_release(id) || is_relevant(id));
        if wanted.is_empty() {
            continue;
        }
        let file: Arc<str> = format!("{}/{name}", unit.path).into();
        let (list, name) = (Arc::clone(list), name.clone());
        let lines = FileLines::of(move || list[at].files.get(&name).map(|content| content.text()).unwrap_or_default());
        for (position, value) in wanted {
            if IdRef::of(&value).is_ok_and(|id| is_release(&id)) {
                let deployed = workloads::deployed(&value).into_iter();
                let source = |value| Source { value, file: Arc::clone(&file), lines: lines.beginning_of(position) };
                sources.extend(deployed.map(source));
            } else {
                sources.push(Source { value, file: Arc::clone(&file), lines: lines.document(position) });
            }
        }
    }
    sources
}

fn is_release(id: &IdRef<'_>) -> bool {
    matches!(id.kind, "HelmRelease" | "Application")
}

fn is_relevant(id: &IdRef<'_>) -> bool {
    match id.api_version.split_once('/') {
        Some((group, _)) => !IRRELEVANT.contains(&group),
        None => !IRRELEVANT_CORE.contains(&id.kind),
    }
}

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let clusters: Vec<_> = clusters(input).collect();
    let found: Result<Vec<Vec<Finding>>, String> = clusters.par_iter().map(|cluster| one(input, cluster)).collect();
    match found {
        Ok(found) => Outcome::Ran(found.into_iter().flatten().collect()),
        Err(missing) => Outcome::NotChecked(missing),
    }
}

/// Proves a cluster, unless what its units say to the network is what was proved last.
fn one<'a>(input: &Input<'a>, cluster: &'a ClusterPlan<'a>) -> Result<Vec<Finding>, String> {
    if let Some(warnings) = state::proved(input, cluster) {
        return Ok(warnings);
    }
    let scope = scope(input, cluster)?;
    let mut footprints = Vec::with_capacity(scope.units.len());
    let units = scope.sources_with(state::footprint).inspect(|(_, footprint)| footprints.push(*footprint));
    let found = match Model::build(units.flat_map(|(sources, _)| sources), &scope.settings) {
        Ok(model) => findings::of_proof(input, &scope, &prove(&model, &scope.claims)),
        Err(refusals) => findings::of_refusals(input, &refusals),
    };
    state::learn(input, &scope, &footprints, &found);
    Ok(found)
}
