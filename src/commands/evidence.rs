//! `evidence`: what was proved about one revision, as a pack for an auditor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use jiff::civil::Date;
use rayon::prelude::*;

use super::check::whole;
use super::diff::base::Home;
use super::diff::held;
use super::fleet::{self, Checked, Loaded};
use super::origin::today;
use super::screen::Screen;
use super::timings::Timings;
use crate::check::{self, Kept};
use crate::cli::{EvidenceArgs, Format};
use crate::config::install::AdmissionEngine;
use crate::config::rotation::Class;
use crate::config::tenant::Tier;
use crate::config::{Fleet, RotationPolicy};
use crate::drift::desired::Files;
use crate::drift::exempt;
use crate::error::{Error, Result, exit};
use crate::exempt::Exemption;
use crate::finding::{Finding, Severity, exit_code};
use crate::manifest::{Digest, Unit};
use crate::network::{Proof, Verdict};
use crate::plan::Plan;
use crate::plan::capacity::{Basis, of_fleet};
use crate::render::Job;
use crate::report::evidence::{self as report, Document, Exempted, Fact, Input, Judged, Subject};
use crate::secrets::due::{self, Due};
use crate::secrets::rows;
use crate::source;
use crate::yaml::{self, Limits};

/// Level of pod security that every tenant's namespace must enforce at least.
const LEVELS: [&str; 2] = ["baseline", "restricted"];

/// Runs the command.
pub fn run(screen: &Screen, args: &EvidenceArgs) -> Result<u8> {
    let mut timings = Timings::default();
    let bar = screen.progress("proving");
    let root = &screen.global().fleet;
    let (loaded, name, revision) = fleet_of(root, args, &mut timings)?;
    let checked = whole(&loaded, &mut timings);
    let mut ignored = Vec::new();
    let Some(plan) = fleet::plan(&loaded, &mut ignored) else {
        let first = checked.findings.iter().find(|finding| finding.severity == Severity::Error);
        let error = Error::user("the fleet is invalid: there is nothing to prove");
        let error = first.iter().fold(error, |error, finding| error.cause(&finding.message));
        return Err(error.hint("`tenantry check` says what is wrong, line by line"));
    };
    let proofs = timings.step("proofs", || proofs(&loaded, &plan));
    let today = args.now.unwrap_or_else(today);
    let facts = vec![
        network(&proofs),
        capacity(&proofs, &plan),
        rotation(plan.fleet),
        rotation_due(&plan, today),
        admission(plan.fleet, &checked),
    ];
    let mut input =
        Input { subject: subject(&loaded, &plan, name, revision), facts, limits: limits(args), ..Input::default() };
    input.exemptions = of_gate(&loaded);
    if let Some(repo) = &args.repo {
        input.exemptions.extend(exemptions(root, repo, args)?);
    }
    let code = exit_code(&checked.findings);
    input.checks = checked.verdicts;
    input.findings = checked.findings;
    let document = Document::new(input, fleet::VERSION);
    bar.finish_and_clear();
    screen.write(|format| match format {
        Format::Text => Some(report::text(&document)),
        Format::Json => Some(report::json(&document)),
        Format::Html => Some(report::html(&document)),
        _ => None,
    })?;
    screen.timings(&timings);
    Ok(match document.verdict {
        _ if code != exit::OK => code,
        Judged::Proved => exit::OK,
        Judged::Failed => exit::FINDINGS,
        Judged::NotChecked => exit::INCOMPLETE,
    })
}

/// The fleet at a revision, or the files as they are.
fn fleet_of(root: &Path, args: &EvidenceArgs, timings: &mut Timings) -> Result<(Loaded, String, Option<String>)> {
    let Some(name) = &args.rev else {
        return Ok((
            fleet::load_on(args.now.unwrap_or_else(today), root, timings)?,
            "the files as they are".to_owned(),
            None,
        ));
    };
    let home = Home::of(root)?;
    let named = home.revision(name)?;
    let source = source::revision::at(&home.path(), named.commit, &home.folder)?;
    if source.files.is_empty() {
        return Err(Error::user(format!("{name} holds no fleet here")).hint("name a revision that has install.yaml"));
    }
    let day = args.now.unwrap_or_else(today);
    Ok((fleet::loaded_on(day, source, root, timings), name.clone(), Some(named.commit.to_string())))
}

fn subject(loaded: &Loaded, plan: &Plan<'_>, name: String, revision: Option<String>) -> Subject {
    let files = loaded.source.files.iter().flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()]);
    let charts = loaded.source.charts.iter().flat_map(|(path, bytes)| [path.as_bytes(), bytes.as_slice()]);
    let clusters = plan.clusters.iter().map(|one| (one.cluster.name.to_string(), one.tenants.len())).collect();
    Subject { name, revision, inputs: Digest::of_parts(files.chain(charts)).to_string(), clusters }
}

/// The proofs of all clusters.
fn proofs(loaded: &Loaded, plan: &Plan<'_>) -> Result<Vec<(String, Proof)>, String> {
    let mut findings = Vec::new();
    let said = |findings: &[Finding]| findings.first().map(|found| found.message.clone()).unwrap_or_default();
    let Some(prepared) = fleet::prepare(loaded, plan, &mut findings) else { return Err(said(&findings)) };
    let part = |job: &Job<'_>| job.part(&prepared.templates, check::network::needs);
    let units: Result<Vec<_>, _> = prepared.jobs.par_iter().map(part).collect();
    let units = Arc::new(units.map_err(|found| said(&found))?);
    let (kept, settled) = (Kept::default(), BTreeSet::new());
    let all = check::Input {
        source: &loaded.source,
        plan,
        units: &units,
        kept: &kept,
        settled: &settled,
        memo: &loaded.memo,
    };
    let prove = |scope: &check::network::Scope<'_>| {
        let model = scope.model().map_err(|refusals| refusals.to_string())?;
        Ok((scope.cluster.cluster.name.to_string(), crate::network::prove(&model, &scope.claims)))
    };
    check::network::scopes(&all)?.par_iter().map(prove).collect()
}

/// The claims about the network, cluster by cluster, with what their proof takes for granted.
fn network(proofs: &Result<Vec<(String, Proof)>, String>) -> Fact {
    let mut fact = Fact { claim: "isolation", ..Fact::default() };
    let proofs = match proofs {
        Ok(proofs) => proofs,
        Err(why) => return Fact { faults: vec![why.clone()], ..fact },
    };
    let mut assumptions = BTreeSet::new();
    for (cluster, proof) in proofs {
        let held = proof.verdicts.iter().filter(|one| one.verdict == Verdict::Holds).count();
        let pairs: u64 = proof.verdicts.iter().map(|one| one.pairs).sum();
        let (all, size) = (proof.verdicts.len(), &proof.size);
        fact.facts.push(format!(
            "{cluster}: {held} of {all} claims hold, over {pairs} pairs of ends; {} workloads, {} policies",
            size.workloads, size.policies
        ));
        let others = proof.verdicts.iter().filter(|one| one.verdict != Verdict::Holds);
        fact.faults.extend(others.map(|one| format!("{cluster}: {}: {}", one.id, one.text)));
        assumptions.extend(proof.assumptions.iter().cloned());
    }
    fact.assumptions = assumptions.into_iter().collect();
    fact
}

/// What the agents of Cilium must hold in each cluster, and what the tenants' quotas and addresses take of what is declared.
fn capacity(proofs: &Result<Vec<(String, Proof)>, String>, plan: &Plan<'_>) -> Fact {
    let mut fact = Fact { claim: "capacity", ..Fact::default() };
    match proofs {
        Err(why) => fact.faults.push(why.clone()),
        Ok(proofs) => {
            for (cluster, proof) in proofs {
                let Some(found) = &proof.capacity else {
                    fact.facts.push(format!("{cluster}: without Cilium, nothing bounds identities or policy maps"));
                    continue;
                };
                let said = format!(
                    "{cluster}: {} of {} identities, {} of {} policy map entries at {}",
                    found.identities, found.most_identities, found.entries, found.most_entries, found.largest_endpoint
                );
                if found.fits() { fact.facts.push(said) } else { fact.faults.push(said) }
            }
        }
    }
    for usage in of_fleet(plan) {
        let whose = usage.cluster.unwrap_or("the fleet");
        let what = usage.resource.title();
        let Some(limit) = usage.limit.as_ref().filter(|limit| limit.basis == Basis::Declared) else {
            if usage.limit.is_none() {
                fact.assumptions.push(format!("{whose}: enough {what}: install.yaml declares none"));
            }
            continue;
        };
        let amount = |milli| usage.resource.amount(milli);
        let said = format!("{whose}: {what}: {} of {} that are declared", amount(usage.used), amount(limit.amount));
        if usage.is_exceeded() { fact.faults.push(said) } else { fact.facts.push(said) }
    }
    fact
}

/// Whether every class of credentials that the inventory knows has a longest life, or somebody who renews it.
fn rotation(fleet: &Fleet) -> Fact {
    let mut fact = Fact { claim: "rotation", ..Fact::default() };
    let classes = [
        Class::DatabaseCredentials,
        Class::ApiToken,
        Class::OauthClientSecret,
        Class::SigningKey,
        Class::AdminPassword,
        Class::TlsCert,
    ];
    for (whose, rules) in [
        ("everybody", rules(fleet, |policy| policy.applies_to.tiers.is_empty())),
        ("regulated tenants", rules(fleet, |policy| policy.applies_to.tiers.contains(&Tier::Regulated))),
    ] {
        for class in classes {
            let name = class.as_str();
            match rules.get(&class) {
                Some(Some(life)) => fact.facts.push(format!("{whose}: {name} live at most {life}")),
                Some(None) if class == Class::TlsCert => {
                    fact.facts.push(format!("{whose}: {name} are renewed by cert-manager"));
                }
                Some(None) => fact.faults.push(format!("{whose}: {name} may live for ever")),
                // What no policy of their own says, that of everybody says.
                None if whose == "everybody" => fact.faults.push(format!("no rotation policy speaks of {name}")),
                None => {}
            }
        }
    }
    fact
}

/// Most Secrets that a reason names.
const NAMED: usize = 20;

/// What has outlived its policy on a day, and what nobody recorded the age of.
fn rotation_due(plan: &Plan<'_>, today: Date) -> Fact {
    let (mut overdue, mut soon, mut unrecorded, mut fine) = (Vec::new(), 0, Vec::new(), 0);
    for cluster in &plan.clusters {
        for entry in rows::entries(plan.fleet, cluster) {
            let age = due::age(plan.fleet, &entry, today);
            let name = format!("{}: {}/{}", cluster.cluster.name, entry.namespace, entry.name);
            match age.due {
                Due::Overdue => {
                    let ended = age.ends.map(|day| format!(" since {day}")).unwrap_or_default();
                    overdue.push(format!("{name} is overdue{ended}"));
                }
                Due::Soon => soon += 1,
                Due::Unrecorded => unrecorded.push(name),
                Due::Fine | Due::Automatic => fine += 1,
            }
        }
    }
    let facts = vec![format!(
        "on {today}: {} overdue, {soon} due soon, {} of unrecorded age, {fine} live on or rotate by themselves",
        overdue.len(),
        unrecorded.len()
    )];
    let gaps = (!unrecorded.is_empty()).then(|| {
        let some = crate::report::diff::some(unrecorded.iter().map(String::as_str), NAMED);
        format!("no file records how old they are: {some}")
    });
    let more = overdue.len().saturating_sub(NAMED);
    overdue.truncate(NAMED);
    overdue.extend((more > 0).then(|| format!("and {more} more: `tenantry secrets due`")));
    Fact { claim: "rotation-due", facts, faults: overdue, gaps: gaps.into_iter().collect(), assumptions: Vec::new() }
}

fn rules(fleet: &Fleet, wanted: impl Fn(&RotationPolicy) -> bool) -> BTreeMap<Class, Option<String>> {
    let own = fleet.rotation.values().filter(|policy| wanted(policy));
    own.flat_map(|policy| &policy.rules)
        .map(|rule| (rule.kind, rule.max_ttl.as_ref().map(|life| life.to_string())))
        .collect()
}

/// Whether clusters refuse what leaves the contract, and tenants' namespaces enforce pod security.
fn admission(fleet: &Fleet, checked: &Checked) -> Fact {
    let mut fact = Fact { claim: "admission", ..Fact::default() };
    if fleet.install.admission.engine == AdmissionEngine::None {
        fact.faults.push("install.yaml switches admission policies off (admission.engine: none)".into());
    }
    let names = |kind: &str| -> BTreeSet<String> {
        let own = fleet.policies.iter().filter(|policy| policy.value["kind"] == kind);
        let key = if kind.ends_with("Binding") { "/spec/policyName" } else { "/metadata/name" };
        own.filter_map(|policy| policy.value.pointer(key)?.as_str().map(str::to_owned)).collect()
    };
    let (policies, bound) = (names("ValidatingAdmissionPolicy"), names("ValidatingAdmissionPolicyBinding"));
    if policies.is_empty() {
        fact.faults.push("the fleet ships no ValidatingAdmissionPolicy".into());
    }
    fact.facts.extend(policies.intersection(&bound).map(|name| format!("policy {name} is shipped and bound")));
    fact.faults.extend(policies.difference(&bound).map(|name| format!("policy {name} is bound nowhere")));
    let Some(verified) = &checked.verified else {
        fact.faults.push("namespaces were not looked at: the gate refused the fleet".into());
        return fact;
    };
    let tenants: Vec<_> = verified.changes().write.values().filter(|unit| unit.path.contains("/tenants/")).collect();
    let lax: Vec<&str> = tenants.iter().filter(|unit| !enforces(unit)).map(|unit| unit.path.as_str()).collect();
    fact.facts.push(format!(
        "{} of {} tenants' namespaces enforce pod security",
        tenants.len() - lax.len(),
        tenants.len()
    ));
    fact.faults.extend(lax.into_iter().map(|path| format!("{path}: its namespace enforces no pod security")));
    fact
}

/// Whether the namespace of a tenant's unit enforces a level of pod security.
fn enforces(unit: &Unit) -> bool {
    let text = unit.files.get("namespace.yaml").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let documents = text.and_then(|text| yaml::parse(&text, Limits::MANIFEST).ok()).unwrap_or_default();
    documents.iter().map(|document| document.root.to_json()).any(|object| {
        let level = &object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"];
        object["kind"] == "Namespace" && level.as_str().is_some_and(|level| LEVELS.contains(&level))
    })
}

/// Findings of the gate that somebody answers for.
fn of_gate(loaded: &Loaded) -> Vec<Exempted> {
    let entries = loaded.exemptions.entries.iter().map(|held| &held.entry);
    entries.map(|entry| exempted(entry, String::new(), loaded.today)).collect()
}

fn exempted(entry: &Exemption, cluster: String, today: Date) -> Exempted {
    Exempted {
        cluster,
        rule: entry.rule.clone(),
        expired: entry.is_over(today),
        expires: entry.expires.to_string(),
        id: entry.id.to_string(),
        owner: entry.owner.to_string(),
        reason: entry.reason.to_string(),
    }
}

/// Drift that somebody answers for, from the exemptions of an output repository.
fn exemptions(root: &Path, repo: &str, args: &EvidenceArgs) -> Result<Vec<Exempted>> {
    let held = held(root, repo, &args.branch, args.path.as_deref(), None)?;
    let today = args.now.unwrap_or_else(today);
    let mut found = Vec::new();
    for (path, file) in &held.others {
        let mut parts = path.split('/');
        let (Some("clusters"), Some(cluster), Some(exempt::FILE), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let read = exempt::read(&One(held.read(*file)?)).map_err(|problems| {
            let error = Error::incomplete(format!("{path} of {repo} cannot be read"));
            problems
                .into_iter()
                .fold(error, |error, problem| error.cause(format!("line {}: {}", problem.place.line, problem.reason)))
        })?;
        found.extend(read.iter().map(|one| exempted(one, cluster.to_owned(), today)));
    }
    found.sort();
    Ok(found)
}

/// The one file that exemptions are read from.
struct One(Vec<u8>);

impl Files for One {
    fn list(&self) -> Result<Vec<String>, String> {
        Ok(vec![exempt::FILE.to_owned()])
    }

    fn read(&self, _path: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.clone())
    }
}

/// What the pack leaves out, said openly.
fn limits(args: &EvidenceArgs) -> Vec<String> {
    let mut limits = vec![
        "what the clusters run: `tenantry drift` compares them with what was rendered".to_owned(),
        "who approved what: the forge and the repository's history say".to_owned(),
        "how old a secret is in its backend: the files record on which day it was rotated, and are believed".to_owned(),
    ];
    if args.repo.is_none() {
        limits.push("exemptions of drift: they stand in the output repository, which --repo names".to_owned());
    }
    limits
}
