//! What of a cluster decides the verdicts on its network, as a digest: if that was proved before, so is this.
//!
//! Only a cluster of which nothing at all was to be said is noted as proved, so that no warning is lost.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::Value;

use super::{Scope, claims, expected, settings, sources};
use crate::check::Input;
use crate::manifest::Digest;
use crate::network::{Claims, Settings};
use crate::plan::ClusterPlan;
use crate::render::RenderedUnit;

/// Of how many units of a cluster a change is worth a look: where more changed, the proof itself is as fast.
const SMALL: usize = 8;

/// Whether this very state of the cluster's network was proved before.
pub fn is_proved(input: &Input<'_>, cluster: &ClusterPlan<'_>) -> bool {
    let name = cluster.cluster.name.as_str();
    let Some(proved) = input.memo.proved(name) else { return false };
    let changed: Vec<usize> = (0..input.units.len()).filter(|at| input.units[*at].cluster() == name).collect();
    if changed.len() > (cluster.tenants.len() / SMALL).max(SMALL) {
        return false;
    }
    let kept = input.kept.inputs(name).map(|(path, inputs)| Some((path, input.memo.footprint(path, &inputs)?)));
    let Some(mut footprints) = kept.collect::<Option<BTreeMap<&str, Digest>>>() else { return false };
    footprints.extend(changed.iter().map(|at| (input.units[*at].path.as_str(), footprint(input.units, *at))));
    if expected(cluster).iter().any(|path| !footprints.contains_key(path.as_str())) {
        return false;
    }
    let claims = claims(input.plan, cluster);
    let settings = claims.settings(&settings(input.plan.install, cluster.cluster));
    state(&claims, &settings, &footprints) == proved
}

/// Notes that a cluster was proved.
pub fn learn(input: &Input<'_>, scope: &Scope<'_>) {
    let name = scope.cluster.cluster.name.as_str();
    let inputs: BTreeMap<&str, Digest> = input.kept.inputs(name).collect();
    let prints: Vec<Digest> = scope.units.par_iter().map(|(list, at)| footprint(list, *at)).collect();
    let mut footprints = BTreeMap::new();
    for ((list, at), footprint) in scope.units.iter().zip(prints) {
        let (path, own) = (list[*at].path.as_str(), list[*at].inputs);
        input.memo.learn_footprint(path, inputs.get(path).copied().unwrap_or(own), footprint);
        footprints.insert(path, footprint);
    }
    input.memo.learn_proved(name, state(&scope.claims, &scope.settings, &footprints));
}

/// What the verdicts follow from.
fn state(claims: &Claims, settings: &Settings, footprints: &BTreeMap<&str, Digest>) -> Digest {
    let (claims, settings) = (serde_json::to_string(claims).unwrap_or_default(), format!("{settings:?}"));
    let units = footprints.iter().flat_map(|(path, footprint)| [path.as_bytes(), footprint.as_bytes()]);
    Digest::of_parts([claims.as_bytes(), settings.as_bytes()].into_iter().chain(units))
}

/// What a unit says to the network. Annotations say nothing, and neither do the values of a release but for the workloads
/// that follow from them.
fn footprint(list: &Arc<Vec<RenderedUnit>>, at: usize) -> Digest {
    let documents = sources(list, at).into_iter().map(|mut source| {
        if let Some(Value::Object(metadata)) = source.value.get_mut("metadata") {
            metadata.remove("annotations");
        }
        format!("{} {}", source.file, source.value)
    });
    let documents: Vec<String> = documents.collect();
    Digest::of_parts(documents.iter().map(String::as_bytes))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::check::{Kept, Outcome};
    use crate::memo::Memo;
    use crate::plan;
    use crate::render::{self, Before, Made, Templates, tests::source};
    use crate::source::Source;

    const ACME: &str = "tenants/acme.yaml";

    /// What a check of the fleet learns, once every unit was rendered.
    fn learnt(source: &Source) -> (Memo, BTreeMap<String, Digest>) {
        let mut recorded = BTreeMap::new();
        let memo = with(source, &Memo::default(), &BTreeMap::new(), |input| {
            recorded = input.units.iter().map(|unit| (unit.path.clone(), unit.inputs)).collect();
            assert_eq!(super::super::check(input), Outcome::Ran(Vec::new()));
            input.memo.encode([], &Digest::of(b"build")).unwrap()
        });
        (Memo::decode(memo, &Digest::of(b"build")), recorded)
    }

    /// Renders what is not recorded, as a run does, and asks something about it.
    fn with<T>(
        source: &Source,
        memo: &Memo,
        recorded: &BTreeMap<String, Digest>,
        ask: impl FnOnce(&Input<'_>) -> T,
    ) -> T {
        let fleet = crate::config::parse(source).0.unwrap();
        let plan = plan::plan(&fleet, source).0.unwrap();
        let (templates, jobs) = (Templates::load([]).unwrap(), render::jobs(&plan, "0"));
        let (mut units, mut stay) = (Vec::new(), Vec::new());
        for job in &jobs {
            let before = Before { recorded: recorded.get(&job.path).copied(), memo, rest: Digest::of(b"rest") };
            match job.make(&templates, before).unwrap() {
                Made::Rendered(unit) => units.push(unit),
                Made::Kept(inputs) => stay.push((job, inputs)),
            }
        }
        let (units, kept, settled) = (Arc::new(units), Kept::new(&templates, stay), BTreeSet::new());
        ask(&Input { source, plan: &plan, units: &units, kept: &kept, settled: &settled, memo })
    }

    fn changed(file: &str, from: &str, to: &str) -> Source {
        let mut source = source();
        let text = source.files.get_mut(file).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
        source
    }

    fn clusters_proved(source: &Source, memo: &Memo, recorded: &BTreeMap<String, Digest>) -> BTreeMap<String, bool> {
        with(source, memo, recorded, |input| {
            let one = |cluster: &ClusterPlan<'_>| (cluster.cluster.name.to_string(), is_proved(input, cluster));
            input.plan.clusters.iter().map(one).collect()
        })
    }

    #[test]
    fn what_says_nothing_to_the_network_needs_no_proof_and_what_does_needs_one() {
        let (memo, recorded) = learnt(&source());
        let own = source();
        let proved = |source: &Source| clusters_proved(source, &memo, &recorded)["eu-1"];
        assert!(proved(&own));
        assert!(proved(&changed(ACME, "displayName:", "displayName: Another # ")), "a name is for people");
        let agents = "cluster: eu-1\nwazuhIngress:\n  customerCIDRs: [198.51.100.0/24]";
        assert!(!proved(&changed(ACME, "cluster: eu-1", agents)), "another policy");
        assert!(!proved(&changed("policies/network-claims.yaml", "TCP/5432", "TCP/5433")), "another claim");
        let none = Memo::default();
        assert!(
            clusters_proved(&own, &none, &recorded).values().all(|proved| !proved),
            "nothing is known of the cluster"
        );
    }
}
