//! Every policy of the rendered fleets, changed in every way that a slip could change it: the proof fails, or the engine
//! shows that the change makes no difference to anybody.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on says so by its panic"
)]

#[path = "support/fleet.rs"]
mod fleet;
#[path = "network/mutate.rs"]
mod mutate;
#[path = "support/proof.rs"]
mod proof;

use std::collections::BTreeSet;
use std::fs;

use mutate::{Mutant, mutants};
use proof::Cluster;
use rayon::prelude::*;
use tenantry::network::{self, End, Filter, Source};

/// What became of a mutant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    /// The proof fails, or the engine refuses the policy.
    Killed,
    /// Everything that may flow is what it was.
    Equivalent,
    /// Something else flows, and nothing says so.
    Survived,
}

fn fate(cluster: &Cluster, mutant: &Mutant, before: &str) -> Fate {
    let mut sources: Vec<Source> = cluster.sources.clone();
    match &mutant.value {
        Some(value) => sources[mutant.at].value = value.clone(),
        None => drop(sources.remove(mutant.at)),
    }
    let Ok(model) = cluster.model(&sources) else { return Fate::Killed };
    if !network::prove(&model, &cluster.claims).holds {
        return Fate::Killed;
    }
    if listed(&model) == before { Fate::Equivalent } else { Fate::Survived }
}

/// A machine is listed where a policy mentions it; what matters is what flows, mentioned or not.
const MACHINES: [&str; 3] = ["{host}", "{remote-node}", "{kube-apiserver}"];

/// All connections, those with assumed pods, machines and names included.
fn listed(model: &network::Model) -> String {
    let filter = Filter { stand_ins: true, ..Filter::default() };
    let mut list = network::connections(model, &filter);
    list.retain(|one| !MACHINES.contains(&one.src.as_str()) && !MACHINES.contains(&one.dst.as_str()));
    let pods: BTreeSet<&str> = list.iter().flat_map(|one| [one.src.as_str(), one.dst.as_str()]).collect();
    let mut text = network::format::connections(&list, network::format::Format::Text);
    for pod in pods.into_iter().filter(|name| name.contains('/')) {
        let end = |name: &str| End::parse(model, name).unwrap();
        for machine in MACHINES {
            for (src, dst) in [(pod, machine), (machine, pod)] {
                for answer in network::explain(model, &end(src), &end(dst), None) {
                    // The API server's machine is a node, or outside: what lets both in lets it in.
                    let possible = answer.possible.as_deref().unwrap_or_default();
                    let may = ports(&answer.conn).union(&ports(possible)).cloned().collect::<BTreeSet<_>>();
                    let surely = if machine == "{kube-apiserver}" { BTreeSet::new() } else { ports(&answer.conn) };
                    text += &format!("{src} => {dst} : {surely:?}, possibly {may:?}\n");
                }
            }
        }
    }
    text
}

/// Every port of a text such as `TCP 80-82,443,UDP 53` by itself; other words as they are.
fn ports(text: &str) -> BTreeSet<String> {
    let (mut found, mut protocol) = (BTreeSet::new(), "");
    for part in text.split(',').filter(|part| !part.is_empty() && *part != "No Connections") {
        let (own, range) = part.split_once(' ').unwrap_or((protocol, part));
        protocol = own;
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        match (first.parse::<u32>(), last.parse::<u32>()) {
            (Ok(first), Ok(last)) if last - first < 1000 => {
                found.extend((first..=last).map(|port| format!("{protocol} {port}")));
            }
            _ => drop(found.insert(part.to_owned())),
        }
    }
    found
}

#[test]
fn every_slip_is_caught_or_makes_no_difference() {
    let (mut killed, mut equivalent, mut survivors) = (0, 0, Vec::new());
    for (case, cluster) in [("repository", "eu-1"), ("calico-argocd-aws", "aws-eu")] {
        let known = fleet::fleets().into_iter().find(|known| known.name == case).unwrap();
        let mut cluster = proof::clusters(&known.root).into_iter().find(|one| one.name == cluster).unwrap();
        // Roles are no policies: without them each of some thousand proofs is shorter.
        cluster.sources.retain(|source| {
            !source.value["apiVersion"].as_str().is_some_and(|api| api.starts_with("rbac.authorization.k8s.io"))
        });
        let model = cluster.model(&cluster.sources).unwrap();
        let proved = network::prove(&model, &cluster.claims);
        assert!(proved.holds, "{proved}");
        let before = listed(&model);
        let mutants = mutants(&cluster.sources);
        let fates: Vec<Fate> = mutants.par_iter().map(|mutant| fate(&cluster, mutant, &before)).collect();
        for (mutant, fate) in mutants.iter().zip(fates) {
            match fate {
                Fate::Killed => killed += 1,
                Fate::Equivalent => equivalent += 1,
                Fate::Survived => {
                    survivors.push(format!("{case}: {}: {}", proof::name(&cluster.sources[mutant.at]), mutant.what));
                }
            }
        }
    }
    let total = killed + equivalent + survivors.len();
    assert!(survivors.is_empty(), "{} of {total} survived:\n{}", survivors.len(), survivors.join("\n"));
    assert!(total >= 500, "only {total} mutants");
    documented(&format!("{total} mutants: {killed} caught, {equivalent} equivalent, 0 unnoticed"));
}

/// The score stands in the documentation; `BLESS=1` writes it.
fn documented(score: &str) {
    let path = fleet::root().join("docs/network.md");
    let text = fs::read_to_string(&path).unwrap();
    let start = text.find("<!-- mutants -->").expect("the place of the score") + "<!-- mutants -->".len();
    let end = start + text[start..].find("<!-- -->").expect("the end of the score");
    if fleet::bless() {
        fs::write(&path, format!("{}{score}{}", &text[..start], &text[end..])).unwrap();
    } else {
        assert_eq!(&text[start..end], score, "BLESS=1 writes the score into {}", path.display());
    }
}
