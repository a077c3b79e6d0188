//! What a check that goes on knows at one moment: the report, the metrics, and whether it may be relied on.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use crate::report::drift::Document;
use crate::telemetry::Facts;

/// What is known at one moment.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The report; none before the cluster was read once.
    pub document: Option<Arc<Document>>,
    /// The metrics.
    pub facts: Facts,
    /// Whether it may be relied on.
    pub ready: Ready,
}

/// Whether a view may be relied on, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ready {
    /// What it compares with.
    pub desired: Desired,
    /// Why Git or the cluster cannot be followed.
    pub trouble: Vec<String>,
    /// How many kinds are followed, cannot be read, are not read yet.
    pub kinds: (usize, usize, usize),
    /// Whether the cluster was read once.
    pub is_begun: bool,
    /// How long ago everything was known; none if it never was.
    pub age: Option<Duration>,
    /// How long ago that may be.
    pub fresh: Duration,
}

/// What is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Desired {
    /// Nothing: no revision could be read so far.
    #[default]
    None,
    /// A revision.
    Compiled(String),
}

impl Ready {
    /// Whether desired state is compiled, every kind was read, and everything was known a short time ago.
    pub fn is_ready(&self) -> bool {
        let fresh = self.age.is_some_and(|age| age <= self.fresh);
        self.desired != Desired::None && self.is_begun && self.kinds.1 == 0 && fresh
    }

    /// One line a condition, those that do not hold marked by `[-]`, as Kubernetes' own servers write it.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let mut line = |holds: bool, text: &str| {
            let _ = writeln!(out, "[{}]{text}", if holds { '+' } else { '-' });
        };
        match &self.desired {
            Desired::None => line(false, "desired: no revision could be read yet"),
            Desired::Compiled(revision) => line(true, &format!("desired: {revision}")),
        }
        let (following, unread, beginning) = self.kinds;
        let watches = format!("watches: {following} followed, {unread} cannot be read, {beginning} not read yet");
        line(self.is_begun && unread == 0, &watches);
        let (age, fresh) = (self.age.map(|age| age.as_secs()), self.fresh.as_secs());
        match age {
            Some(age) => line(age <= fresh, &format!("last success: {age} s ago (at most {fresh} s)")),
            None => line(false, "last success: never"),
        }
        for trouble in &self.trouble {
            let _ = writeln!(out, "note: {}", crate::secrets::leak::mask(trouble));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_condition_must_hold() {
        let fresh = Duration::from_secs(300);
        let good = Ready {
            desired: Desired::Compiled("abc".into()),
            trouble: vec!["main was rewritten".into()],
            kinds: (3, 0, 0),
            is_begun: true,
            age: Some(Duration::from_secs(300)),
            fresh,
        };
        assert!(good.is_ready() && !good.text().contains("[-]") && good.text().contains("note: main was rewritten"));
        for (bad, word) in [
            (Ready { desired: Desired::None, ..good.clone() }, "[-]desired"),
            (Ready { kinds: (2, 1, 0), ..good.clone() }, "[-]watches"),
            (Ready { is_begun: false, kinds: (0, 0, 3), ..good.clone() }, "[-]watches"),
            (Ready { age: Some(Duration::from_secs(301)), ..good.clone() }, "[-]last success"),
            (Ready { age: None, ..good.clone() }, "[-]last success: never"),
        ] {
            assert!(!bad.is_ready() && bad.text().contains(word), "{}", bad.text());
        }
    }
}
