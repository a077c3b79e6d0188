//! Proof of claims over a whole fleet.
//!
//! Pairs are never listed: a claim is checked once for every two classes of pods and each relation of their namespaces,
//! and for the few pairs that classes do not decide one by one.

mod forbid;
mod pairs;
mod require;
mod standing;
mod subjects;

use serde::Serialize;

use super::claims::{Claim, Claims};
use super::model::Model;
use super::outside::Outside;
use super::reach::Reach;
use super::witness::Witness;
use subjects::Subjects;
pub(crate) use subjects::members;

/// How a claim fares.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It cannot be told; this never passes.
    NotCheckable,
}

/// The verdict on one claim.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimVerdict {
    /// The claim's id.
    pub id: String,
    /// The claim.
    pub text: String,
    /// How it fares.
    pub verdict: Verdict,
    /// Why it is not checkable, or in what way it holds trivially.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many pairs of ends the verdict is about.
    pub pairs: u64,
    /// How many of them had to be looked at.
    pub examined: u64,
    /// Counterexamples, at most three.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<Witness>,
    /// How many different counterexamples there are.
    pub failures: u64,
}

impl ClaimVerdict {
    /// Adds the verdict on another part of the same claim. The worse of the two counts.
    fn join(&mut self, part: Self) {
        let rank = |verdict| match verdict {
            Verdict::Holds => 0,
            Verdict::NotCheckable => 1,
            Verdict::Fails => 2,
        };
        if rank(part.verdict) > rank(self.verdict) {
            self.verdict = part.verdict;
        }
        self.reason = self.reason.take().or(part.reason);
        self.pairs += part.pairs;
        self.examined += part.examined;
        self.failures += part.failures;
        let room = SHOWN.saturating_sub(self.witnesses.len());
        self.witnesses.extend(part.witnesses.into_iter().take(room));
    }
}

/// Counterexamples that a verdict shows.
const SHOWN: usize = 3;

/// Proves claims over one model.
pub(crate) struct Prover<'m> {
    model: &'m Model,
    claims: &'m Claims,
    pub reach: Reach<'m>,
    pub outside: Outside<'m>,
    subjects: Subjects<'m>,
}

/// What has been found about a claim so far.
#[derive(Default)]
struct Tally {
    pairs: u64,
    examined: u64,
    failures: u64,
    witnesses: Vec<Witness>,
    /// Set where only the count matters: a witness costs more than the verdict.
    is_silent: bool,
    missing: Option<String>,
}

impl Tally {
    fn fail(&mut self, witness: impl FnOnce() -> Witness) {
        self.failures += 1;
        if !self.is_silent && self.witnesses.len() < SHOWN {
            self.witnesses.push(witness());
        }
    }
}

impl<'m> Prover<'m> {
    pub fn new(model: &'m Model, claims: &'m Claims) -> Self {
        let reach = Reach::new(model);
        let outside = Outside::new(&reach);
        Self { model, claims, reach, outside, subjects: Subjects::new(model, claims) }
    }

    /// The verdicts in the order of the claims.
    pub fn verdicts(&self) -> Vec<ClaimVerdict> {
        let profile = self.model.settings.profile;
        let meant = self.claims.claims.iter().filter(|claim| claim.profile.is_none_or(|own| own == profile));
        let mut verdicts: Vec<ClaimVerdict> = Vec::new();
        for verdict in meant.map(|claim| self.verdict(claim)) {
            match verdicts.last_mut() {
                // One claim may be made in parts, such as one for each customer.
                Some(last) if last.id == verdict.id => last.join(verdict),
                _ => verdicts.push(verdict),
            }
        }
        verdicts
    }

    fn verdict(&self, claim: &Claim) -> ClaimVerdict {
        let mut tally = Tally::default();
        if let Some(flow) = &claim.require {
            self.require(flow, &mut tally);
        } else if !claim.require_any.is_empty() {
            self.require_any(&claim.require_any, &mut tally);
        } else if let Some(flow) = &claim.forbid {
            self.forbid(flow, claim, &mut tally);
        } else if let Some(isolation) = &claim.isolate {
            self.isolate(isolation, &mut tally);
        } else if let Some(powerless) = &claim.powerless {
            self.powerless(powerless, &mut tally);
        }
        let verdict = match (&tally.missing, tally.failures) {
            (_, 1..) => Verdict::Fails,
            (Some(_), 0) if !claim.when_present => Verdict::NotCheckable,
            _ => Verdict::Holds,
        };
        ClaimVerdict {
            id: claim.id.clone(),
            text: claim.text.clone(),
            verdict,
            reason: tally.missing,
            pairs: tally.pairs,
            examined: tally.examined,
            witnesses: tally.witnesses,
            failures: tally.failures,
        }
    }
}
