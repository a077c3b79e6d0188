//! Rotation policies that cannot be kept: stricter than what renews the secrets, or contradicting themselves.

use std::collections::BTreeMap;

use super::{Input, Outcome};
use crate::config;
use crate::config::rotation::{Class as Kind, Rule};
use crate::finding::{Class, Finding};
use crate::secrets::{INVENTORY, Origin, due};

/// Shortest life of a certificate, and least time before its end at which cert-manager renews it, in seconds.
const CERTIFICATE: (u64, u64) = (3600, 300);
/// External Secrets reads the backend once a minute at most here: what lives shorter than two of them is read dead.
const MINTED: u64 = 120;
/// What a person rotates is recorded by the day.
const BY_HAND: u64 = 86_400;

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<(String, Kind), String> = BTreeMap::new();
    for (file, policy) in &input.plan.fleet.rotation {
        for (index, rule) in policy.rules.iter().enumerate() {
            let at = |field: &str| config::locate(input.source, file, &format!("/rules/{index}/{field}"));
            let kind = rule.kind.as_str();
            for (field, message, hint) in faults(rule, input) {
                let finding = Finding::error("secrets/policy-unmet", Class::Check, format!("{kind}: {message}"));
                findings.push(finding.at(at(field)).path(format!("/rules/{index}/{field}")).hint(hint));
            }
            let tiers: Vec<String> = match policy.applies_to.tiers.as_slice() {
                [] => vec!["every tier".to_owned()],
                tiers => tiers
                    .iter()
                    .map(|tier| format!("tier {}", serde_json::to_string(tier).unwrap_or_default().replace('"', "")))
                    .collect(),
            };
            for tier in tiers {
                if let Some(first) = seen.insert((tier.clone(), rule.kind), file.clone()) {
                    let message = format!("{kind} for {tier} is ruled twice: first in {first}, which holds");
                    seen.insert((tier, rule.kind), first);
                    let finding = Finding::warning("secrets/policy-shadowed", message);
                    findings.push(finding.at(at("kind")).hint("keep one of the two"));
                }
            }
        }
    }
    Outcome::Ran(findings)
}

/// The field, what is wrong with it, and what to do.
fn faults(rule: &Rule, input: &Input<'_>) -> Vec<(&'static str, String, &'static str)> {
    let mut faults = Vec::new();
    let life = rule.max_ttl.as_ref().map(|span| span.seconds());
    let before = rule.rotate_before.as_ref().map(|span| span.seconds());
    if let (Some(life), Some(before)) = (life, before)
        && before >= life
    {
        faults.push(("rotateBefore", "it begins to rotate before it exists".to_owned(), "shorten rotateBefore"));
    }
    let dynamic = input.plan.install.secrets.dynamic_database.is_some();
    let origins = origins(rule.kind, dynamic);
    if origins.is_empty() {
        return faults;
    }
    if rule.auto_rotate && !origins.iter().any(|origin| due::rotates_itself(*origin)) {
        let message = "autoRotate is true, and none of its secrets rotates by itself".to_owned();
        faults.push((
            "autoRotate",
            message,
            "set autoRotate: false; `tenantry secrets due` tells when a person has to",
        ));
    }
    let least = match rule.kind {
        Kind::TlsCert => (CERTIFICATE.0, "cert-manager issues nothing that lives shorter than 1h"),
        _ if origins.contains(&Origin::Dynamic) => (MINTED, "the backend is read once a minute at most"),
        _ => (BY_HAND, "a person rotates them, and the files record the day"),
    };
    if life.is_some_and(|life| life < least.0) {
        faults.push(("maxTTL", format!("its life is shorter than can be kept: {}", least.1), "allow a longer maxTTL"));
    }
    if rule.kind == Kind::TlsCert && before.is_some_and(|before| before < CERTIFICATE.1) {
        let message = "cert-manager renews no later than 5m before the end".to_owned();
        faults.push(("rotateBefore", message, "allow a longer rotateBefore"));
    }
    faults
}

/// Where the secrets of a class come from here.
fn origins(class: Kind, dynamic: bool) -> Vec<Origin> {
    let rows = INVENTORY.iter().filter(|row| row.class == class).map(|row| row.origin);
    match class {
        // The hour of this class is that of users which the backend mints; fixed passwords are the administrators' class.
        Kind::DatabaseCredentials if dynamic => vec![Origin::Dynamic],
        Kind::DatabaseCredentials => Vec::new(),
        _ => rows.collect(),
    }
}
