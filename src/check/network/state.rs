//! What of a cluster decides the verdicts on its network, as a digest: if that was proved before, so is this.
//!
//! A cluster of which nothing worse than warnings was to be said is noted as proved, with those warnings; they count on
//! for as long as the files that they point to are what they were.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Scope, claims, expected, settings, sources};
use crate::check::Input;
use crate::finding::{Class, Finding, Location, Severity};
use crate::manifest::Digest;
use crate::memo::Fact;
use crate::network::{Claims, Settings, Source as Document};
use crate::plan::ClusterPlan;
use crate::rules;
use crate::source::Source;

/// Of how many units of a cluster a change is worth a look: where more changed, the proof itself is as fast.
const SMALL: usize = 8;

/// A warning, as it is kept.
#[derive(Serialize, Deserialize)]
struct Warning {
    rule: String,
    place: Option<(String, u32, u32, u32)>,
    tenant: Option<String>,
    object: Option<String>,
    path: Option<String>,
    message: String,
    expected: Option<String>,
    found: Option<String>,
    hint: Option<String>,
}

/// The warnings about this very state of the cluster's network, if it was proved before.
pub fn proved(input: &Input<'_>, cluster: &ClusterPlan<'_>) -> Option<Vec<Finding>> {
    let name = cluster.cluster.name.as_str();
    let (proved, warnings) = input.memo.proved(name)?;
    let changed: Vec<usize> = (0..input.units.len()).filter(|at| input.units[*at].cluster() == name).collect();
    if changed.len() > (cluster.tenants.len() / SMALL).max(SMALL) {
        return None;
    }
    let kept =
        input.kept.inputs(name).map(|(path, inputs)| Some((path, input.memo.fact(Fact::Footprint, path, &inputs)?)));
    let mut footprints = kept.collect::<Option<BTreeMap<&str, Digest>>>()?;
    let print = |at: &usize| (input.units[*at].path.as_str(), footprint(&sources(input.units, *at)));
    footprints.extend(changed.iter().map(print));
    if expected(cluster).iter().any(|path| !footprints.contains_key(path.as_str())) {
        return None;
    }
    let claims = claims(input.plan, cluster);
    let settings = claims.settings(&settings(input.plan.install, cluster.cluster));
    let warnings = serde_json::from_str::<Vec<Warning>>(warnings).ok()?;
    let warnings = warnings.into_iter().map(finding).collect::<Option<Vec<_>>>()?;
    (state(&claims, &settings, &footprints, input.source, &warnings) == proved).then_some(warnings)
}

/// Notes that a cluster was proved, if nothing worse than warnings was found in all of its units.
pub fn learn(input: &Input<'_>, scope: &Scope<'_>, prints: &[Digest], found: &[Finding]) {
    if prints.len() != scope.units.len() {
        return;
    }
    let Some(warnings) = found.iter().map(warning).collect::<Option<Vec<_>>>() else { return };
    let Ok(text) = serde_json::to_string(&warnings) else { return };
    let name = scope.cluster.cluster.name.as_str();
    let inputs: BTreeMap<&str, Digest> = input.kept.inputs(name).collect();
    let mut footprints = BTreeMap::new();
    for ((list, at), footprint) in scope.units.iter().zip(prints.iter().copied()) {
        let (path, own) = (list[*at].path.as_str(), list[*at].inputs);
        input.memo.learn_fact(Fact::Footprint, path, inputs.get(path).copied().unwrap_or(own), footprint);
        footprints.insert(path, footprint);
    }
    input.memo.learn_proved(name, state(&scope.claims, &scope.settings, &footprints, input.source, found), text);
}

/// What the verdicts follow from, and the places of the warnings.
fn state(
    claims: &Claims,
    settings: &Settings,
    footprints: &BTreeMap<&str, Digest>,
    source: &Source,
    warnings: &[Finding],
) -> Digest {
    let (claims, settings) = (serde_json::to_string(claims).unwrap_or_default(), format!("{settings:?}"));
    let units = footprints.iter().flat_map(|(path, footprint)| [path.as_bytes(), footprint.as_bytes()]);
    let files: BTreeSet<&str> =
        warnings.iter().filter_map(|warning| Some(warning.location.as_ref()?.file.as_str())).collect();
    let files = files.into_iter().flat_map(|file| [file, source.text(file).unwrap_or_default()]).map(str::as_bytes);
    Digest::of_parts([claims.as_bytes(), settings.as_bytes()].into_iter().chain(units).chain(files))
}

/// How a warning is kept; `None` for what is worse.
fn warning(finding: &Finding) -> Option<Warning> {
    let Finding { location, rule, severity, class, tenant, object, path, message, expected, found, hint, exempted: _ } =
        finding.clone();
    let place = location.map(|at| (at.file, at.line, at.column, at.length));
    let is_warning = severity == Severity::Warning && class == Class::Check;
    let rule = rule.to_owned();
    is_warning.then_some(Warning { rule, place, tenant, object, path, message, expected, found, hint })
}

/// A warning that was kept; `None` if its rule is not known.
fn finding(warning: Warning) -> Option<Finding> {
    let Warning { rule, place, tenant, object, path, message, expected, found, hint } = warning;
    let location = place.map(|(file, line, column, length)| Location { file, line, column, length });
    let rule = rules::find(&rule)?.id.as_str();
    Some(Finding { location, tenant, object, path, expected, found, hint, ..Finding::warning(rule, message) })
}

/// What a unit says to the network. Annotations say nothing, and neither do the values of a release but for the workloads
/// that follow from them.
pub fn footprint(sources: &[Document]) -> Digest {
    let mut said = Vec::with_capacity(1 << 14);
    for source in sources {
        say_text(&source.file, &mut said);
        let Value::Object(fields) = &source.value else { continue };
        begin(b'{', fields.len(), &mut said);
        for (name, value) in fields {
            say_text(name, &mut said);
            match value {
                Value::Object(metadata) if name == "metadata" => {
                    let metadata = metadata.iter().filter(|(name, _)| *name != "annotations");
                    begin(b'{', metadata.clone().count(), &mut said);
                    metadata.for_each(|(name, value)| {
                        say_text(name, &mut said);
                        say(value, &mut said);
                    });
                }
                other => say(other, &mut said),
            }
        }
    }
    Digest::of(&said)
}

/// A value in a form in which no two are the same: each begins with its type, and with its length if it has one.
fn say(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Null => out.push(b'n'),
        Value::Bool(value) => out.extend_from_slice(if *value { b"t" } else { b"f" }),
        Value::Number(number) => {
            out.push(b'#');
            say_text(&number.to_string(), out);
        }
        Value::String(text) => {
            out.push(b's');
            say_text(text, out);
        }
        Value::Array(items) => {
            begin(b'[', items.len(), out);
            items.iter().for_each(|item| say(item, out));
        }
        Value::Object(fields) => {
            begin(b'{', fields.len(), out);
            for (name, value) in fields {
                say_text(name, out);
                say(value, out);
            }
        }
    }
}

fn begin(kind: u8, length: usize, out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&length.to_le_bytes());
}

fn say_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&text.len().to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Outcome;
    use crate::check::tests::beside;
    use crate::memo::Memo;
    use crate::render::tests::source;

    const ACME: &str = "tenants/acme.yaml";

    /// What a check of the fleet learns and says, once every unit was rendered.
    fn learnt(source: &Source) -> (Memo, BTreeMap<String, Digest>, Vec<Finding>) {
        let (mut recorded, mut found) = (BTreeMap::new(), Vec::new());
        let memo = beside(source, &Memo::default(), &BTreeMap::new(), |input| {
            recorded = input.units.iter().map(|unit| (unit.path.clone(), unit.inputs)).collect();
            let Outcome::Ran(said) = super::super::check(input) else { panic!("not checked") };
            found = said;
            input.memo.encode([], &Digest::of(b"build")).unwrap()
        });
        (Memo::decode(memo, &Digest::of(b"build")), recorded, found)
    }

    fn changed(file: &str, from: &str, to: &str) -> Source {
        let mut source = source();
        let text = source.files.get_mut(file).unwrap();
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
        source
    }

    fn clusters_proved(source: &Source, memo: &Memo, recorded: &BTreeMap<String, Digest>) -> BTreeMap<String, bool> {
        beside(source, memo, recorded, |input| {
            let one = |cluster: &ClusterPlan<'_>| (cluster.cluster.name.to_string(), proved(input, cluster).is_some());
            input.plan.clusters.iter().map(one).collect()
        })
    }

    #[test]
    fn what_says_nothing_to_the_network_needs_no_proof_and_what_does_needs_one() {
        let (memo, recorded, found) = learnt(&source());
        assert_eq!(found, []);
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

    #[test]
    fn warnings_about_what_is_not_proved_again_are_said_again_until_their_lines_move() {
        let source = source();
        let place = Location { file: ACME.into(), line: 7, column: 3, length: 4 };
        let warning = Finding::warning("network/shared-block", "one of them may be a mistake").at(place);
        let warning = warning.tenant("acme").object("NetworkPolicy x/y").found("z").hint("w");
        let mut recorded = BTreeMap::new();
        let memo = beside(&source, &Memo::default(), &BTreeMap::new(), |input| {
            recorded = input.units.iter().map(|unit| (unit.path.clone(), unit.inputs)).collect();
            for scope in super::super::scopes(input).unwrap() {
                let prints: Vec<Digest> = scope.sources_with(footprint).map(|(_, print)| print).collect();
                learn(input, &scope, &prints, std::slice::from_ref(&warning));
            }
            input.memo.encode([], &Digest::of(b"build")).unwrap()
        });
        let memo = Memo::decode(memo, &Digest::of(b"build"));
        let again = |source: &Source| {
            beside(source, &memo, &recorded, |input| {
                let of_eu = input.plan.clusters.iter().find(|cluster| cluster.cluster.name.as_str() == "eu-1").unwrap();
                proved(input, of_eu)
            })
        };
        assert_eq!(again(&source), Some(vec![warning]));
        let mut moved = source;
        moved.files.get_mut(ACME).unwrap().insert_str(0, "# a comment\n");
        assert_eq!(again(&moved), None, "proved anew: the line is another one");
    }

    #[test]
    fn what_fails_is_never_noted_as_proved() {
        let closed = changed("policies/network-claims.yaml", "TCP/5432", "TCP/5433");
        let (memo, recorded, found) = learnt(&closed);
        assert!(crate::finding::any_error(&found), "{found:#?}");
        assert!(clusters_proved(&closed, &memo, &recorded).values().all(|proved| !proved));
    }
}
