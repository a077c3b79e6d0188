//! What a failed claim shows: two ends, what flows or does not, and the places that are to blame.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use super::decide::Reason;
use super::explain::{Explanation, SideReport};
use super::input::Place;
use super::model::Model;
use super::party::{Bound, Party};
use super::ports::PortSet;

/// A counterexample to a claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    /// The counterexample in one sentence.
    pub message: String,
    /// The source; empty if the claim is not about connections.
    pub src: String,
    /// The destination; empty if the claim is not about connections.
    pub dst: String,
    /// What flows though it is forbidden, or does not flow though it is required.
    pub conn: String,
    /// The lines to look at first: rules that allow what is forbidden; policies that refuse what is required.
    pub guilty: Vec<Place>,
    /// Everything that decides at both ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<Box<Explanation>>,
}

impl fmt::Display for Witness {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{}", self.message)?;
        if let Some(explanation) = &self.explanation {
            let text = explanation.to_string();
            text.lines().skip(1).try_for_each(|line| writeln!(out, "{line}"))?;
        }
        self.guilty.iter().try_for_each(|place| writeln!(out, "  look at {place}"))
    }
}

impl Witness {
    /// Something flows that must not.
    pub(crate) fn open(model: &Model, from: Party, to: Party, ports: &PortSet) -> Self {
        let ends = (from.clone(), to.clone());
        let explanation = super::explain::between(model, from, to, ports, Bound::Possible);
        let mut guilty = BTreeSet::new();
        for (side, party) in [(&explanation.egress, &ends.0), (&explanation.ingress, &ends.1)] {
            guilty.extend(side.allowed_by.iter().map(|one| one.place.clone()));
            guilty.extend(open_end(model, side, party));
        }
        Self {
            message: format!("{} can reach {} : {ports}", explanation.src, explanation.dst),
            src: explanation.src.clone(),
            dst: explanation.dst.clone(),
            conn: ports.to_string(),
            guilty: guilty.into_iter().collect(),
            explanation: Some(Box::new(explanation)),
        }
    }

    /// One side would let something through that must not flow, if the other did.
    pub(crate) fn half_open(model: &Model, from: Party, to: Party, ports: &PortSet) -> Self {
        let mut witness = Self::open(model, from, to, ports);
        let is_refused = |side: &SideReport| side.allowed_by.is_empty() && side.reason == Reason::Policies;
        let refusing = witness.explanation.as_deref().and_then(|explanation| {
            let sides = [(&explanation.egress, "ingress"), (&explanation.ingress, "egress")];
            sides.into_iter().find(|(side, _)| is_refused(side)).map(|(_, open)| open)
        });
        if let Some(open) = refusing {
            witness.message = format!("{open} alone would let {} reach {} : {ports}", witness.src, witness.dst);
        }
        witness
    }

    /// Something does not flow that must.
    pub(crate) fn closed(model: &Model, from: Party, to: Party, missing: &PortSet) -> Self {
        let explanation = super::explain::between(model, from, to, missing, Bound::Certain);
        let mut guilty = BTreeSet::new();
        for side in [&explanation.egress, &explanation.ingress] {
            if side.allowed_by.is_empty() || !side.denied_by.is_empty() {
                guilty.extend(side.isolated_by.iter().chain(&side.denied_by).map(|one| one.place.clone()));
            }
        }
        Self {
            message: format!("{} does not surely reach {} : {missing}", explanation.src, explanation.dst),
            src: explanation.src.clone(),
            dst: explanation.dst.clone(),
            conn: missing.to_string(),
            guilty: guilty.into_iter().collect(),
            explanation: Some(Box::new(explanation)),
        }
    }

    /// Something that is not about a connection.
    pub(crate) fn about(message: String, guilty: Vec<Place>) -> Self {
        Self { message, src: String::new(), dst: String::new(), conn: String::new(), guilty, explanation: None }
    }
}

/// Where no policy isolates, the workload itself is to blame, or its namespace.
fn open_end(model: &Model, side: &SideReport, party: &Party) -> Option<Place> {
    let Party::Pod(pod) = party else { return None };
    let is_open = matches!(side.reason, Reason::NotIsolated | Reason::HostNetwork);
    is_open.then(|| pod_place(model, *pod)).flatten()
}

/// The manifest of a workload, or that of its namespace if the workload is assumed.
pub(crate) fn pod_place(model: &Model, pod: u32) -> Option<Place> {
    let at = model.pods[pod as usize].at.as_ref().or(model.namespace_of(pod).at.as_ref());
    at.map(|at| model.place(at))
}
