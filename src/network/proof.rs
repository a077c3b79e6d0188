//! The whole proof: verdicts, findings, capacity, and what all of it takes for granted.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::capacity::{Capacity, capacity};
use super::claims::Claims;
use super::lints::{Severity, Violation, lints_with};
use super::model::{Model, Size};
use super::outside::{mentions_names, names};
use super::prove::{ClaimVerdict, Prover, Verdict};
use super::settings::{Profile, Settings};

/// What a proof says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Proof {
    /// Whether every claim holds and no policy is broken.
    pub holds: bool,
    /// One verdict a claim, in the order of the claims.
    pub verdicts: Vec<ClaimVerdict>,
    /// What is wrong with policies by themselves.
    pub findings: Vec<Violation>,
    /// What the policies ask of the cluster (profile `cilium`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Capacity>,
    /// What the verdicts take for granted.
    pub assumptions: Vec<String>,
    /// What was looked at.
    pub size: Size,
    /// Classes of pods that no policy tells apart.
    pub classes: usize,
}

impl Claims {
    /// The settings of a proof of these claims: what they assume is added to what is known otherwise.
    #[must_use]
    pub fn settings(&self, base: &Settings) -> Settings {
        let mut settings = base.clone();
        settings.stand_ins.extend(self.assume.workloads.iter().cloned());
        if let Some(resolver) = &self.assume.resolver {
            settings.resolver = resolver.clone();
        }
        let known = &self.assume.addresses;
        settings.pod_cidrs.extend(&known.pods);
        settings.service_cidrs.extend(&known.services);
        settings.node_cidrs.extend(&known.nodes);
        settings.api_server.extend(&known.api_server);
        settings.groups = self.groups.iter().map(|(name, group)| (name.clone(), group.labels.clone())).collect();
        settings
    }
}

/// Proves claims over a model, which has to be built with [`Claims::settings`].
#[must_use]
pub fn prove(model: &Model, claims: &Claims) -> Proof {
    let prover = Prover::new(model, claims);
    let verdicts = prover.verdicts();
    let groups = claims.groups.iter().map(|(name, group)| (name.clone(), group.labels.clone())).collect();
    let findings = lints_with(&prover.reach, &prover.outside, &groups);
    let capacity = (model.settings.profile == Profile::Cilium).then(|| capacity(&prover.outside, model));
    let holds = verdicts.iter().all(|one| one.verdict == Verdict::Holds)
        && findings.iter().all(|one| one.severity != Severity::Error)
        && capacity.as_ref().is_none_or(Capacity::fits);
    let assumptions = assumptions(model, claims);
    Proof {
        holds,
        verdicts,
        findings,
        capacity,
        assumptions,
        size: model.size(),
        classes: prover.reach.classes.classes.len(),
    }
}

/// What no manifest tells. Each sentence is something that an operator can check.
fn assumptions(model: &Model, claims: &Claims) -> Vec<String> {
    let mut list = standing_assumptions(&model.settings, claims);
    list.extend(names_in_union(model));
    list
}

/// What a proof takes for granted whatever the manifests are.
pub fn standing_assumptions(settings: &Settings, claims: &Claims) -> Vec<String> {
    let mut list = vec![
        "the pods, labels and policies of the cluster are those of the manifests".to_owned(),
        "replies to a connection that is allowed are allowed; a pod always reaches itself".to_owned(),
    ];
    match settings.profile {
        Profile::Cilium => list.extend([
            format!("Cilium {} enforces policy in its default mode, with host and remote nodes as identities of their own", settings.cilium),
            "the DNS proxy is on (enable-l7-proxy), and answers for names outside give addresses outside of the cluster".to_owned(),
            "clients outside are seen with their own addresses where externalTrafficPolicy is Local, and as nodes elsewhere".to_owned(),
        ]),
        Profile::Kubernetes => list.extend([
            "the network plugin enforces NetworkPolicy as documented, egress and address blocks included".to_owned(),
            "traffic between a pod and its own node is always let through".to_owned(),
        ]),
    }
    let unknown = [
        ("pods", settings.pod_cidrs.is_empty() && settings.profile == Profile::Kubernetes),
        ("nodes", settings.node_cidrs.is_empty()),
        ("the API server", settings.api_server.is_empty() && settings.profile == Profile::Kubernetes),
    ];
    for (what, _) in unknown.iter().filter(|(_, is_unknown)| *is_unknown) {
        list.push(format!("the addresses of {what} are not known: blocks are not checked against them"));
    }
    list.extend(settings.stand_ins.iter().map(|one| {
        let any = if one.any_labels { ", with any labels" } else { "" };
        format!("a workload {}/{} exists besides the manifests{any}", one.namespace, one.name)
    }));
    list.extend(claims.assume.statements.iter().cloned());
    list
}

/// Names that several policies open for one workload are open for all that it does.
fn names_in_union(model: &Model) -> Vec<String> {
    let mut list = BTreeSet::new();
    for pod in model.pod_ids().filter(|pod| mentions_names(model, *pod)) {
        let policies = model.deciding(pod, super::policy::Direction::Egress).filter(|(_, policy)| {
            let mut peers = policy.egress.rules.iter().flat_map(|rule| &rule.peers);
            peers.any(|item| matches!(item.peer, super::policy::Peer::Names(_)))
        });
        let (policies, names) = (policies.count(), names(model, pod).len());
        if policies > 1 {
            list.insert(format!(
                "{} reaches the union of {names} DNS names of {policies} policies: which of them it uses for whom is its own decision",
                model.pod_name(pod)
            ));
        }
    }
    list.into_iter().collect()
}

/// The proof as text for people.
impl fmt::Display for Proof {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for one in &self.verdicts {
            let word = match one.verdict {
                Verdict::Holds => "holds",
                Verdict::Fails => "FAILS",
                Verdict::NotCheckable => "NOT CHECKABLE",
            };
            write!(out, "{word:<13} {}: {} ({} pairs, {} examined)", one.id, one.text, one.pairs, one.examined)?;
            match &one.reason {
                Some(reason) => writeln!(out, ": {reason}")?,
                None => writeln!(out)?,
            }
            for witness in &one.witnesses {
                witness.to_string().lines().try_for_each(|line| writeln!(out, "    {line}"))?;
            }
        }
        for finding in &self.findings {
            let word = if finding.severity == Severity::Error { "error" } else { "warning" };
            writeln!(out, "{word}: {finding}")?;
        }
        if let Some(capacity) = &self.capacity {
            writeln!(
                out,
                "capacity: {} of {} identities; {} of {} policy map entries ({})",
                capacity.identities,
                capacity.most_identities,
                capacity.entries,
                capacity.most_entries,
                capacity.largest_endpoint
            )?;
            if let Some(advice) = capacity.advice() {
                writeln!(out, "  {advice}")?;
            }
        }
        let size = &self.size;
        writeln!(
            out,
            "{} namespaces, {} workloads ({} assumed), {} policies, {} classes",
            size.namespaces, size.workloads, size.stand_ins, size.policies, self.classes
        )?;
        writeln!(out, "assumed:")?;
        self.assumptions.iter().try_for_each(|one| writeln!(out, "  - {one}"))
    }
}
