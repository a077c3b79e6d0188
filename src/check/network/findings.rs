//! What a proof says, as findings: each with the rendered lines that are to blame and the line that a person can edit.

use super::Scope;
use crate::blame::departure;
use crate::check::Input;
use crate::config;
use crate::finding::{Class, Finding, Location};
use crate::network::{Capacity, ClaimVerdict, Place, Proof, Refusals, Severity, Verdict, Violation, Witness};

/// Lines to blame that a finding names; `tenantry network explain` shows all of them.
const PLACES_SHOWN: usize = 4;

/// The rules of policies by themselves, under the names of the engine.
static RULES: [(&str, &str); 33] = [
    ("any-peer", "network/any-peer"),
    ("api-server-block", "network/api-server-block"),
    ("cluster-ip-block", "network/cluster-ip-block"),
    ("contradictory-subject", "network/contradictory-subject"),
    ("dead-peer", "network/dead-peer"),
    ("dead-subject", "network/dead-subject"),
    ("dns-misses-node-local", "network/dns-misses-node-local"),
    ("dns-widened", "network/dns-widened"),
    ("dns-without-tcp", "network/dns-without-tcp"),
    ("duplicate-namespace", "network/duplicate-namespace"),
    ("duplicate-object", "network/duplicate-object"),
    ("empty-peer-list", "network/empty-peer-list"),
    ("filtered-label", "network/filtered-label"),
    ("foreign-namespace", "network/foreign-namespace"),
    ("fqdn-in-cluster", "network/fqdn-in-cluster"),
    ("fqdn-without-dns", "network/fqdn-without-dns"),
    ("host-network", "network/host-network"),
    ("impossible-peer", "network/impossible-peer"),
    ("named-port-conflict", "network/named-port-conflict"),
    ("named-port-missing", "network/named-port-missing"),
    ("namespace-label-scope", "network/namespace-label-scope"),
    ("node-block", "network/node-block"),
    ("one-sided", "network/one-sided"),
    ("open-internet", "network/open-internet"),
    ("pod-block", "network/pod-block"),
    ("policy-types", "network/policy-types"),
    ("policy-void", "network/policy-void"),
    ("rewritten-source", "network/rewritten-source"),
    ("service-port", "network/service-port"),
    ("shared-block", "network/shared-block"),
    ("unknown-workload", "network/unknown-workload"),
    ("wide-entity", "network/wide-entity"),
    ("wide-fqdn", "network/wide-fqdn"),
];

fn rule(name: &str) -> &'static str {
    RULES.iter().find(|(own, _)| *own == name).map_or("network/policy", |(_, rule)| rule)
}

/// What the engine did not understand. Nothing was proved of such a cluster.
pub(super) fn of_refusals(input: &Input<'_>, refusals: &Refusals) -> Vec<Finding> {
    let one = |refusal: &crate::network::Refusal| {
        let message = format!("nothing is proved: {refusal}");
        let finding = Finding::error("network/unsupported", Class::Incomplete, message).path(refusal.field.clone());
        let finding = finding.hint("the engine refuses what it does not know: write the rule otherwise");
        located(input, finding, &refusal.place, &refusal.object)
    };
    refusals.0.iter().map(one).collect()
}

/// Every claim that does not hold, every rule that is broken, and a cluster that is too small.
pub(super) fn of_proof(input: &Input<'_>, scope: &Scope<'_>, proof: &Proof) -> Vec<Finding> {
    let mut findings = Vec::new();
    for verdict in proof.verdicts.iter().filter(|verdict| verdict.verdict != Verdict::Holds) {
        findings.extend(of_claim(input, scope, verdict));
    }
    // Before the first tenant comes, what is meant for tenants selects nobody.
    let is_premature = |violation: &&Violation| violation.rule == "dead-peer" && scope.cluster.tenants.is_empty();
    // That two customers share addresses is told of their files, with both lines.
    let is_told =
        |violation: &&Violation| violation.rule == "shared-block" && violation.object.contains("wazuh-agent-ingress");
    let violations = proof.findings.iter().filter(|violation| !is_premature(violation) && !is_told(violation));
    findings.extend(violations.map(|violation| of_violation(input, violation)));
    findings.extend(proof.capacity.as_ref().and_then(|capacity| of_capacity(input, scope, capacity)));
    findings
}

fn of_claim(input: &Input<'_>, scope: &Scope<'_>, verdict: &ClaimVerdict) -> Vec<Finding> {
    let cluster = scope.cluster.cluster.name.as_str();
    let at = scope.claims.claims.iter().position(|claim| claim.id == verdict.id);
    let place = at.map(|at| config::locate(input.source, config::CLAIMS_FILE, &format!("/claims/{at}")));
    if verdict.witnesses.is_empty() {
        let reason = verdict.reason.as_deref().unwrap_or("it cannot be told");
        let message = format!("claim {} cannot be checked on cluster {cluster}: {reason}", verdict.id);
        let finding = Finding::error("network/not-checkable", Class::Incomplete, message).expected(&verdict.text);
        return place.map(|place| vec![finding.clone().at(place)]).unwrap_or(vec![finding]);
    }
    verdict.witnesses.iter().map(|witness| of_witness(input, cluster, verdict, witness, place.clone())).collect()
}

fn of_witness(
    input: &Input<'_>,
    cluster: &str,
    verdict: &ClaimVerdict,
    witness: &Witness,
    claim: Option<Location>,
) -> Finding {
    let many = if verdict.failures > 1 { format!(" (1 of {})", verdict.failures) } else { String::new() };
    let message = format!("claim {} fails on cluster {cluster}{many}: {}", verdict.id, witness.message);
    let finding = Finding::error("network/claim", Class::Check, message).expected(&verdict.text);
    let finding = if witness.guilty.is_empty() { finding } else { finding.found(places(&witness.guilty)) };
    let finding = match witness.src.is_empty() {
        true => finding,
        false => finding.hint(format!(
            "tenantry network explain --cluster {cluster} '{}' '{}' shows every rule on both sides",
            witness.src, witness.dst
        )),
    };
    // What the fleet wrote itself is more likely to be meant than the program's, and the policy of a tenant than one that
    // all of them share.
    let is_own = |place: &&Place| input.source.text(&template(&place.file)).is_some();
    let of_tenant = |place: &&Place| tenant(&place.file).is_some();
    let guilty = witness.guilty.iter().min_by_key(|place| (!is_own(place), !of_tenant(place)));
    match guilty {
        Some(place) => located(input, finding, place, &object_of(witness)),
        None => claim.map_or_else(|| finding.clone(), |place| finding.clone().at(place)),
    }
}

/// The policies that a witness speaks of.
fn object_of(witness: &Witness) -> String {
    let Some(explanation) = &witness.explanation else { return String::new() };
    let sides = [&explanation.egress, &explanation.ingress];
    let rules = sides.into_iter().flat_map(|side| side.allowed_by.iter().chain(&side.isolated_by));
    let policies: std::collections::BTreeSet<&str> = rules.map(|rule| rule.policy.as_str()).collect();
    policies.into_iter().collect::<Vec<_>>().join(", ")
}

fn places(places: &[Place]) -> String {
    let shown: Vec<String> = places.iter().take(PLACES_SHOWN).map(ToString::to_string).collect();
    let hidden = places.len().saturating_sub(PLACES_SHOWN);
    let more = if hidden > 0 { format!(" and {hidden} more") } else { String::new() };
    shown.join(", ") + &more
}

fn of_violation(input: &Input<'_>, violation: &Violation) -> Finding {
    let rule = rule(violation.rule);
    let finding = match violation.severity {
        Severity::Error => Finding::error(rule, Class::Check, &violation.message),
        Severity::Warning => Finding::warning(rule, &violation.message),
    };
    let finding = finding.found(violation.place.to_string());
    located(input, finding, &violation.place, &violation.object)
}

fn of_capacity(input: &Input<'_>, scope: &Scope<'_>, capacity: &Capacity) -> Option<Finding> {
    let message = format!("cluster {}: {}", scope.cluster.cluster.name, capacity.advice()?);
    let finding = match capacity.fits() {
        true => Finding::warning("network/capacity", message),
        false => Finding::error("network/capacity", Class::Check, message),
    };
    Some(finding.at(config::locate(input.source, "install.yaml", "/clusters")))
}

/// Gives a finding the object, the tenant and the line that a person can edit.
fn located(input: &Input<'_>, finding: Finding, place: &Place, object: &str) -> Finding {
    let finding = if object.is_empty() { finding } else { finding.object(object) };
    let slug = tenant(&place.file);
    let finding = match slug {
        Some(slug) => finding.tenant(slug),
        None => finding,
    };
    let first = object.split(", ").next().unwrap_or_default();
    if let Some(shipped) = input.plan.fleet.shipped(first).filter(|_| place.file.ends_with("/admission.yaml")) {
        return finding.at(shipped.place());
    }
    let template = template(&place.file);
    if let Some(text) = input.source.text(&template) {
        return finding.at(departure::in_document(&template, text, object));
    }
    match slug {
        Some(slug) => finding.at(config::locate(input.source, &config::tenant_file(slug), field(object))),
        None => finding.at(config::locate(input.source, "install.yaml", "/network")),
    }
}

/// The tenant of a rendered file.
fn tenant(file: &str) -> Option<&str> {
    file.split_once("/tenants/").and_then(|(_, rest)| rest.split('/').next())
}

/// The template of a rendered file, as a fleet would override it.
fn template(file: &str) -> String {
    let name = file.rsplit('/').next().unwrap_or_default();
    let family = if tenant(file).is_some() { "tenant" } else { "system" };
    format!("templates/{family}/{name}.tera")
}

/// The field of a tenant's file that a policy comes from.
fn field(object: &str) -> &'static str {
    let fields = [
        ("orchestrator-llm-egress", "/llm/baseUrl"),
        ("thehive-external-cortex", "/integrations/externalCortexUrl"),
        ("thehive-egress-proxy", "/integrations/externalCortexUrl"),
        ("wazuh-agent-ingress", "/wazuhIngress"),
        ("wazuh-edge-tenant", "/wazuhIngress"),
    ];
    fields.iter().find(|(policy, _)| object.contains(policy)).map_or("/tenant/slug", |(_, field)| field)
}
