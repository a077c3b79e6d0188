//! What policies refuse, as findings with the line that a person edits.

use std::collections::{BTreeMap, BTreeSet};

use super::ask::{Manifest, Refusal};
use crate::admission::{self, Verdict};
use crate::blame::{Blame, Spot};
use crate::check::Input;
use crate::finding::{Class, Finding};

/// One finding a refusal; what all objects of a shape share is told once.
pub(super) fn told(input: &Input<'_>, refused: Vec<Refusal<'_>>) -> Vec<Finding> {
    if refused.is_empty() {
        return Vec::new();
    }
    let mut counts: BTreeMap<(&str, Option<Manifest>), usize> = BTreeMap::new();
    for refusal in &refused {
        *counts.entry((&refusal.policy.name, refusal.shared)).or_insert(0) += 1;
    }
    let blame = Blame::new(input.plan.fleet, input.source, crate::VERSION);
    let mut told: BTreeSet<(&str, Manifest)> = BTreeSet::new();
    let mut findings = Vec::new();
    for refusal in &refused {
        let others = match refusal.shared {
            Some(shape) if !told.insert((&refusal.policy.name, shape)) => continue,
            Some(_) => counts[&(refusal.policy.name.as_str(), refusal.shared)] - 1,
            None => 0,
        };
        findings.push(finding(input, &blame, refusal, others));
    }
    findings
}

fn finding(input: &Input<'_>, blame: &Blame<'_>, refusal: &Refusal<'_>, others: usize) -> Finding {
    let unit = &input.units[refusal.unit];
    let more = if others == 0 { String::new() } else { format!(" (and {others} more objects of this shape)") };
    let (policy, object) = (&refusal.policy.name, &refusal.object);
    let finding = match &refusal.verdict {
        Verdict::NotCheckable(reason) => {
            let message = format!("policy {policy} could not be asked about {object}: {reason}{more}");
            let finding = Finding::error("policy/not-checkable", Class::Incomplete, message);
            finding
                .hint(format!("leave it to the API server with the annotation {} and a reason", admission::SERVER_ONLY))
        }
        Verdict::Refused(messages) => {
            let message = format!("policy {policy} refuses {object}: {}{more}", messages.join("; "));
            if refusal.policy.denies() {
                Finding::error("policy/denied", Class::Check, message)
            } else {
                Finding::warning("policy/warned", message)
            }
        }
        Verdict::Allowed => Finding::warning("policy/warned", format!("policy {policy}: {object}")),
    };
    let spot = Spot {
        cluster: unit.cluster(),
        tenant: unit.tenant.as_deref(),
        template: refusal.template,
        object,
        place: &refusal.place,
        fixed: refusal.shared.is_some(),
    };
    let finding = finding.object(object.to_string()).at(blame.locate(&spot));
    match &unit.tenant {
        Some(tenant) => finding.tenant(tenant),
        None => finding,
    }
}
