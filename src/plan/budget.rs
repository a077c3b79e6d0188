//! The deletion budget: how much may vanish from the output in one run, and who said that more may.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::waves::Amount;
use crate::config::install::Guard;
use crate::finding::{Class, Finding, Location};
use crate::plan::vanished::Vanished;

/// Trailer of a commit of the fleet with which a person acknowledges that more vanishes than the budget allows.
pub const TRAILER: &str = "Tenantry-Allow-Delete";

/// File at the top of the fleet whose new lines acknowledge as the trailer does: for teams whose forge writes the messages.
pub const FILE: &str = "deletions.md";

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Tenants that go as a whole.
    Tenants,
    /// Objects in all.
    Objects,
    /// Objects of one kind.
    Kind,
    /// Objects of one unit.
    Unit,
}

impl Measure {
    fn word(self) -> &'static str {
        match self {
            Self::Tenants => "tenants",
            Self::Objects => "objects",
            Self::Kind => "kind",
            Self::Unit => "unit",
        }
    }
}

/// A limit, as an option gives it: `3`, `5%`, `kind=40`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// What it limits.
    pub measure: Measure,
    /// To how much.
    pub amount: Amount,
}

impl FromStr for Limit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (word, amount) = text.split_once('=').unwrap_or(("tenants", text));
        let measures = [Measure::Tenants, Measure::Objects, Measure::Kind, Measure::Unit];
        let measure = measures.into_iter().find(|measure| measure.word() == word);
        let measure = measure.ok_or_else(|| format!("{word:?} is none of tenants, objects, kind, unit"))?;
        Ok(Self { measure, amount: amount.parse()? })
    }
}

type Limits = BTreeMap<Measure, Amount>;

/// The limits of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Those that hold.
    limits: Limits,
    /// Those that would hold without the command line.
    usual: Limits,
}

impl Budget {
    /// The limits of `install.yaml`, over them those of the command line. Where neither says anything: one tenant, 50
    /// objects, 25 of a kind, a quarter of a unit.
    pub fn new(guard: &Guard, given: &[Limit]) -> Self {
        let objects = &guard.max_delete_objects;
        let parse = |text: &Option<String>, default: Amount| {
            text.as_ref().and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        let usual = BTreeMap::from([
            (Measure::Tenants, parse(&guard.max_delete, Amount::Count(1))),
            (Measure::Objects, parse(&objects.overall, Amount::Count(50))),
            (Measure::Kind, parse(&objects.kind, Amount::Count(25))),
            (Measure::Unit, parse(&objects.unit, Amount::Percent(25))),
        ]);
        let mut limits = usual.clone();
        limits.extend(given.iter().map(|limit| (limit.measure, limit.amount)));
        Self { limits, usual }
    }
}

/// Somebody's word that so much may vanish: `tenants=2`, `kind/NetworkPolicy=300`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leave {
    /// What it is about.
    pub what: String,
    /// At most so many.
    pub count: usize,
    /// The commit that says so.
    pub commit: String,
}

/// Reads the trailers in the message of a commit, or in lines of a list.
pub fn leaves(message: &str, commit: &str) -> Vec<Leave> {
    let is_list_mark = |c: char| c.is_whitespace() || matches!(c, '-' | '*' | '`');
    let lines = message.lines().map(|line| line.trim_matches(is_list_mark));
    let trailers = lines.filter_map(|line| line.strip_prefix(TRAILER)?.strip_prefix(':'));
    let leave = |part: &str| {
        let (what, count) = part.split_once('=')?;
        Some(Leave { what: what.trim().to_owned(), count: count.trim().parse().ok()?, commit: commit.to_owned() })
    };
    trailers.flat_map(|list| list.split(',')).filter_map(leave).collect()
}

/// What a count exceeds.
struct Excess {
    measure: Measure,
    /// Of how many.
    whole: usize,
    what: String,
    said: String,
    count: usize,
    limit: Amount,
    examples: Vec<String>,
}

impl Excess {
    /// How many other limits would let pass.
    fn limit_by(&self, limits: &Limits) -> usize {
        limits.get(&self.measure).map_or(usize::MAX, |limit| limit.of(self.whole))
    }
}

/// What the budget says of a change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// An error for each count that nobody acknowledged.
    pub findings: Vec<Finding>,
    /// What was acknowledged and made use of, for the commit of the output: `tenants=2 (<commit>)`.
    pub used: Vec<String>,
}

/// Judges what vanishes. `tenants` is the number of tenants that the output holds; `named` are those whose deletion the
/// command line names, which are not counted.
pub fn judge(vanished: &Vanished, tenants: usize, budget: &Budget, leaves: &[Leave], named: &[String]) -> Verdict {
    let mut verdict = Verdict::default();
    let mut missing = Vec::new();
    // What the command line let pass is recorded as what a commit let pass.
    let raised = excesses(vanished, tenants, &budget.usual, named).into_iter();
    let raised = raised.filter(|excess| excess.count <= excess.limit_by(&budget.limits));
    verdict.used.extend(raised.map(|excess| format!("{}={} (--max-delete)", excess.what, excess.count)));
    let is_of = |path: &str, name: &str| {
        path.split_once("/tenants/").is_some_and(|(_, slug)| slug == name)
            || path.strip_prefix("clusters/") == Some(name)
    };
    let gone = named.iter().filter(|name| vanished.units.keys().any(|path| is_of(path, name)));
    verdict.used.extend(gone.map(|name| format!("{name} (--allow-delete)")));
    for excess in excesses(vanished, tenants, &budget.limits, named) {
        let leave = leaves.iter().find(|leave| leave.what == excess.what && leave.count >= excess.count);
        match leave {
            Some(leave) => verdict.used.push(format!("{}={} ({})", excess.what, excess.count, leave.commit)),
            None => missing.push(excess),
        }
    }
    // One line acknowledges everything.
    let all: Vec<String> = missing.iter().map(|excess| format!("{}={}", excess.what, excess.count)).collect();
    let hint = format!(
        "if this is meant, say so in a commit of the same pull request, or in a new line of {FILE}: `{TRAILER}: {}`; --max-delete raises the budget for one run",
        all.join(", ")
    );
    verdict.findings = missing.into_iter().map(|excess| finding(excess, &hint)).collect();
    verdict
}

fn finding(excess: Excess, hint: &str) -> Finding {
    let finding = Finding::error("render/deletion-budget", Class::Guard, excess.said)
        .expected(format!("at most {}", excess.limit))
        .found(excess.examples.join(", "));
    finding.at(Location::file("install.yaml")).path("/guard").hint(hint)
}

fn excesses(vanished: &Vanished, tenants: usize, limits: &Limits, named: &[String]) -> Vec<Excess> {
    let mut found = Vec::new();
    let mut test = |measure: Measure, name: &str, said: &str, count: usize, whole: usize, examples: Vec<String>| {
        let Some(limit) = limits.get(&measure).copied() else { return };
        if count > limit.of(whole) {
            let what = if name.is_empty() { measure.word().to_owned() } else { format!("{}/{name}", measure.word()) };
            found.push(Excess {
                measure,
                whole,
                what,
                said: format!("{count} {said}"),
                count,
                limit,
                examples: few(examples),
            });
        }
    };
    let gone = vanished.units.iter().filter_map(|(path, objects)| Some((path.split_once("/tenants/")?.1, objects)));
    let gone: Vec<(&str, &usize)> = gone.filter(|(slug, _)| !named.iter().any(|named| named == slug)).collect();
    let examples = gone.iter().map(|(slug, objects)| format!("{slug} ({objects} objects)")).collect();
    test(Measure::Tenants, "", "tenants would vanish from the output", gone.len(), tenants, examples);
    let objects: Vec<_> =
        vanished.objects.iter().flat_map(|(unit, ids)| ids.iter().map(move |id| (unit, id))).collect();
    let held = vanished.held.values().sum();
    let all = objects.iter().take(6).map(|(_, id)| id.to_string()).collect();
    test(Measure::Objects, "", "objects would vanish from units that stay", objects.len(), held, all);
    let mut kinds: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (_, id) in &objects {
        kinds.entry(&id.kind).or_default().push(id.to_string());
    }
    for (kind, ids) in kinds {
        let whole = vanished.kinds.get(kind).copied().unwrap_or(0);
        test(Measure::Kind, kind, &format!("objects of kind {kind} would vanish"), ids.len(), whole, ids);
    }
    for (unit, ids) in &vanished.objects {
        let name = unit.trim_start_matches("clusters/");
        let whole = vanished.held.get(unit).copied().unwrap_or(0);
        let examples = ids.iter().take(6).map(ToString::to_string).collect();
        test(Measure::Unit, name, &format!("objects of {unit} would vanish"), ids.len(), whole, examples);
    }
    found
}

/// The first five, and how many more there are.
fn few(mut all: Vec<String>) -> Vec<String> {
    if all.len() > 5 {
        all.truncate(5);
        all.push("and more".into());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::ObjectId;

    fn vanished(tenants: usize, policies: usize, of: usize) -> Vanished {
        let unit = "clusters/eu/tenants/acme".to_owned();
        let ids = (0..policies).map(|n| ObjectId::namespaced("v1", "NetworkPolicy", "x", n.to_string())).collect();
        Vanished {
            units: (0..tenants).map(|n| (format!("clusters/eu/tenants/t{n}"), 70)).collect(),
            objects: if policies == 0 { BTreeMap::new() } else { BTreeMap::from([(unit.clone(), ids)]) },
            kinds: BTreeMap::from([("NetworkPolicy".to_owned(), of)]),
            held: BTreeMap::from([(unit, of)]),
        }
    }

    fn said(vanished: &Vanished, given: &[&str], leaves: &[Leave]) -> Vec<String> {
        let given: Vec<Limit> = given.iter().map(|text| text.parse().unwrap()).collect();
        let verdict = judge(vanished, 100, &Budget::new(&Guard::default(), &given), leaves, &["t9".into()]);
        verdict.findings.iter().map(|finding| finding.message.clone()).collect()
    }

    #[test]
    fn each_measure_refuses_above_its_limit_and_is_silent_at_it() {
        assert_eq!(said(&vanished(1, 0, 0), &[], &[]), [""; 0]);
        assert_eq!(said(&vanished(2, 0, 0), &[], &[]), ["2 tenants would vanish from the output"]);
        assert_eq!(said(&vanished(2, 0, 0), &["2%"], &[]), [""; 0]);
        assert_eq!(said(&vanished(10, 0, 0), &["9"], &[]), [""; 0], "t9 is named");
        assert_eq!(said(&vanished(0, 25, 100), &[], &[]), [""; 0]);
        assert_eq!(
            said(&vanished(0, 26, 100), &[], &[]),
            ["26 objects of kind NetworkPolicy would vanish", "26 objects of clusters/eu/tenants/acme would vanish"]
        );
        assert_eq!(said(&vanished(0, 26, 100), &["kind=26", "unit=26%"], &[]), [""; 0]);
        assert_eq!(said(&vanished(0, 51, 1000), &["kind=100%"], &[]), ["51 objects would vanish from units that stay"]);
    }

    #[test]
    fn a_trailer_acknowledges_what_it_names_and_no_more() {
        let message =
            "drop a policy\n\n* squashed\n  Tenantry-Allow-Delete: kind/NetworkPolicy=26, unit/eu/tenants/acme=30\n";
        let leaves = leaves(message, "abc");
        assert_eq!(leaves.len(), 2);
        assert_eq!(said(&vanished(0, 26, 100), &[], &leaves), [""; 0]);
        assert_eq!(said(&vanished(0, 27, 100), &[], &leaves).len(), 1);
        let budget = Budget::new(&Guard::default(), &[]);
        let verdict = judge(&vanished(0, 26, 100), 1, &budget, &leaves, &[]);
        assert_eq!(verdict.used, ["kind/NetworkPolicy=26 (abc)", "unit/eu/tenants/acme=26 (abc)"]);
        // So is what the command line lets pass, and nothing that needed no leave.
        let raised = Budget::new(&Guard::default(), &["3".parse().unwrap()]);
        let used = |gone: usize, named: &[String]| judge(&vanished(gone, 0, 0), 100, &raised, &[], named).used;
        assert_eq!(used(3, &[]), ["tenants=3 (--max-delete)"]);
        assert_eq!(used(2, &["t1".into(), "else".into()]), ["t1 (--allow-delete)"]);
        assert_eq!(used(1, &[]), [""; 0]);
        let refused = judge(&vanished(3, 0, 0), 100, &budget, &leaves, &[]);
        assert!(refused.findings[0].hint.as_deref().unwrap().contains("`Tenantry-Allow-Delete: tenants=3`"));
        for wrong in ["a=1", "5%%", "", "kind=", "kind"] {
            assert!(wrong.parse::<Limit>().is_err(), "{wrong}");
        }
    }
}
