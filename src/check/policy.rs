//! The fleet's admission policies, asked about every rendered object before a cluster asks them; their cases; and
//! default-deny in every managed namespace.
//!
//! A policy is asked once for all objects that agree in what it reads. Whether the policies are shipped
//! (`admission.engine`) makes no difference here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, RwLock};

use rayon::prelude::*;
use serde_json::{Map, Value};

use super::{Input, Outcome};
use crate::admission::{self, Asked, Policy, Resource, Subject, Verdict};
use crate::blame::{Blame, Spot};
use crate::config::install::GitopsEngine;
use crate::config::{self, CASES};
use crate::finding::{Class, Finding, Location, Severity};
use crate::manifest::{IdRef, ObjectId};
use crate::render::{FileContent, RenderedUnit, Shape, fill, hole};
use crate::schemas::{Catalog, Place, Step, of_fleet};
use crate::yaml::{self, Limits};

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let catalog = match of_fleet(input.source) {
        Ok(catalog) => catalog,
        Err(finding) => return Outcome::NotChecked(finding.message),
    };
    let mut findings = Vec::new();
    let policies = read(input, &mut findings);
    let namespaces = namespaces(input);
    findings.extend(without_default_deny(input, &namespaces));
    findings.extend(cases(input, &catalog, &policies));
    let asked: Vec<&Policy> = policies.iter().filter(|policy| policy.server_only.is_none()).collect();
    let guard =
        Guard { catalog: &catalog, asked, namespaces: &namespaces, user: user(input), shapes: RwLock::default() };
    let refused: Vec<Refusal<'_>> =
        input.units.par_iter().enumerate().flat_map_iter(|(number, unit)| guard.of_unit(number, unit)).collect();
    findings.extend(told(input, refused));
    Outcome::Ran(findings)
}

/// Who applies what is rendered.
fn user(input: &Input<'_>) -> &'static str {
    match input.plan.install.gitops.engine {
        GitopsEngine::Flux => "system:serviceaccount:flux-system:kustomize-controller",
        GitopsEngine::Argocd => "system:serviceaccount:argocd:argocd-application-controller",
    }
}

/// The policies, and what is wrong with them.
fn read(input: &Input<'_>, findings: &mut Vec<Finding>) -> Vec<Policy> {
    let files = &input.plan.fleet.policies;
    let place = |file: &config::PolicyObject| Location { line: file.line, ..Location::file(&file.file) };
    let mut policies = Vec::new();
    for policy in admission::policies(files.iter().map(|file| &file.value)) {
        match policy {
            Ok(policy) => policies.push(policy),
            Err((index, reason)) => {
                let name = files[index].value["metadata"]["name"].as_str().unwrap_or_default();
                let finding = Finding::invalid("policy/invalid", format!("policy {name}: {reason}"));
                findings.push(finding.at(place(&files[index])));
            }
        }
    }
    for policy in &policies {
        let is_it = |file: &&config::PolicyObject| {
            file.value["kind"] == "ValidatingAdmissionPolicy" && file.value["metadata"]["name"] == policy.name.as_str()
        };
        let at = files.iter().find(is_it).map_or_else(|| Location::file("policies/admission"), place);
        if let Some(reason) = &policy.server_only {
            let finding = Finding::warning(
                "policy/server-only",
                format!("policy {} is not checked offline: {reason}", policy.name),
            );
            findings.push(Finding { severity: Severity::Info, ..finding }.at(at));
        } else if policy.bindings.is_empty() {
            let finding =
                Finding::warning("policy/unbound", format!("nothing binds policy {}: no cluster asks it", policy.name));
            findings.push(finding.at(at).hint("add a ValidatingAdmissionPolicyBinding beside it"));
        }
    }
    policies
}

/// Namespaces that are rendered, by cluster and name, each with its labels.
type Namespaces = BTreeMap<(String, String), (Value, Map<String, Value>)>;

fn namespaces(input: &Input<'_>) -> Namespaces {
    let clusters: BTreeSet<&str> = input.units.iter().map(RenderedUnit::cluster).collect();
    let stay: Vec<RenderedUnit> =
        clusters.into_iter().filter_map(|cluster| input.kept.system_namespace(cluster)).collect();
    let mut found = BTreeMap::new();
    for unit in input.units.iter().chain(&stay) {
        let of_namespaces = |content: &&FileContent| content.identities().iter().any(|id| id.kind == "Namespace");
        for content in unit.files.values().filter(of_namespaces) {
            for object in content.objects().into_iter().filter(|object| object["kind"] == "Namespace") {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let labels = admission::labels_of_namespace(&object, &name);
                found.insert((unit.cluster().to_owned(), name), (object, labels));
            }
        }
    }
    found
}

/// Managed namespaces in which not everything is forbidden first.
fn without_default_deny(input: &Input<'_>, namespaces: &Namespaces) -> Vec<Finding> {
    let mut guarded: BTreeSet<(&str, String)> = BTreeSet::new();
    let mut rendered: BTreeMap<(&str, String), &RenderedUnit> = BTreeMap::new();
    for unit in input.units.iter() {
        for content in unit.files.values() {
            let kinds: BTreeSet<&str> = content.identities().iter().map(|id| id.kind).collect();
            if kinds.contains("NetworkPolicy") {
                for object in content.objects().iter().filter(|object| admission::is_default_deny(object)) {
                    let namespace = object["metadata"]["namespace"].as_str().unwrap_or_default();
                    guarded.insert((unit.cluster(), namespace.to_owned()));
                }
            }
            for id in content.identities().iter().filter(|id| id.kind == "Namespace") {
                rendered.insert((unit.cluster(), id.name.to_owned()), unit);
            }
        }
    }
    let bare = namespaces.iter().filter(|((cluster, name), (object, _))| {
        let key = (cluster.as_str(), name.clone());
        rendered.contains_key(&key) && admission::is_managed(object) && !guarded.contains(&key)
    });
    bare.map(|((cluster, name), _)| {
        let unit = rendered.get(&(cluster.as_str(), name.clone()));
        let tenant = unit.and_then(|unit| unit.tenant.clone());
        let family = if tenant.is_some() { "tenant" } else { "system" };
        let template = format!("templates/{family}/network-policies.yaml.tera");
        let place = match (input.source.text(&template), &tenant) {
            (Some(_), _) => Location::file(template),
            (None, Some(slug)) => config::locate(input.source, &config::tenant_file(slug), "/tenant/slug"),
            (None, None) => Location::file("install.yaml"),
        };
        let message = format!("namespace {name} on cluster {cluster} has no policy that forbids everything first");
        let finding = Finding::error("policy/default-deny", Class::Check, message).object(format!("Namespace {name}"));
        let finding = finding
            .at(place)
            .expected("a NetworkPolicy with podSelector: {} and policyTypes: [Ingress, Egress] and no rules");
        match tenant {
            Some(tenant) => finding.tenant(tenant),
            None => finding,
        }
    })
    .collect()
}

/// Cases whose verdict is another than their name says.
fn cases(input: &Input<'_>, catalog: &Catalog, policies: &[Policy]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in input.source.below(CASES) {
        let place = Location::file(path);
        let wrong = |class: Class, message: String| {
            Finding::error("policy/case", class, format!("{path}: {message}")).at(place.clone())
        };
        let documents = match yaml::parse(text, Limits::MANIFEST) {
            Ok(documents) => documents.iter().map(|document| document.root.to_json()).collect(),
            Err(error) => {
                let finding = Finding::invalid("policy/case", error.message).at(Location::new(path, error.span));
                findings.push(finding);
                continue;
            }
        };
        let case = match admission::read_case(&path[CASES.len()..], documents) {
            Ok(case) => case,
            Err(reason) => {
                findings.push(wrong(Class::Invalid, reason));
                continue;
            }
        };
        let Some(policy) = policies.iter().find(|policy| policy.name == case.policy) else {
            findings.push(wrong(Class::Invalid, format!("there is no policy {}", case.policy)));
            continue;
        };
        let kind = |field: &str| case.object[field].as_str().unwrap_or_default();
        let Some(resource) = resource(catalog, kind("apiVersion"), kind("kind")) else {
            findings.push(wrong(Class::Incomplete, "there is no schema of its kind".into()));
            continue;
        };
        match case.verdict(policy, &resource, user(input)) {
            Verdict::NotCheckable(reason) if policy.server_only.is_none() => {
                findings.push(wrong(Class::Incomplete, reason))
            }
            Verdict::Refused(messages) if !case.denied => {
                findings
                    .push(wrong(Class::Check, format!("policy {} refuses it: {}", policy.name, messages.join("; "))));
            }
            Verdict::Allowed if case.denied => {
                findings.push(wrong(Class::Check, format!("policy {} allows it", policy.name)));
            }
            _ => {}
        }
    }
    findings
}

fn resource(catalog: &Catalog, api_version: &str, kind: &str) -> Option<Resource> {
    let entry = catalog.entry(api_version, kind)?;
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    Some(Resource {
        group: group.into(),
        version: version.into(),
        plural: entry.plural.clone(),
        kind: kind.into(),
        namespaced: entry.namespaced,
    })
}

/// Where an object was rendered.
struct Where<'u> {
    unit: usize,
    cluster: &'u str,
    template: Option<&'static str>,
    manifest: Manifest,
}

/// A shape, and the number of a manifest in it.
type Manifest = (usize, usize);

/// All policies, and what they said of shapes.
struct Guard<'a> {
    catalog: &'a Catalog,
    asked: Vec<&'a Policy>,
    namespaces: &'a Namespaces,
    user: &'static str,
    shapes: RwLock<HashMap<usize, Arc<Vec<Vec<Known>>>>>,
}

/// What a policy reads of a manifest of a shape, and what it said so far.
struct Known {
    policy: usize,
    resource: Resource,
    read: Value,
    labels: Value,
    /// Where the values are that it reads.
    holes: Vec<Place>,
    /// Whether every object of the shape has the same verdict.
    fixed: bool,
    said: Mutex<HashMap<String, Asked>>,
}

/// Verdicts that are remembered of one policy and shape; most have one, or one a tenant.
const REMEMBERED: usize = 4096;

/// An object that a policy does not let pass.
struct Refusal<'a> {
    policy: &'a Policy,
    unit: usize,
    template: Option<&'static str>,
    object: ObjectId,
    place: Place,
    shared: Option<Manifest>,
    verdict: Verdict,
}

impl<'a> Guard<'a> {
    fn of_unit(&self, number: usize, unit: &RenderedUnit) -> Vec<Refusal<'a>> {
        let mut refused = Vec::new();
        for content in unit.files.values() {
            match content {
                FileContent::Template(rendered) => {
                    let shape = Arc::as_ptr(rendered.shape()) as usize;
                    let known = self.known(rendered.shape());
                    for (at, (known, id)) in known.iter().zip(rendered.identities()).enumerate() {
                        let Ok(id) = id else { continue };
                        let at = Where {
                            unit: number,
                            cluster: unit.cluster(),
                            template: Some(rendered.template()),
                            manifest: (shape, at),
                        };
                        refused
                            .extend(known.iter().filter_map(|known| self.refusal(known, id, &at, rendered.values())));
                    }
                }
                FileContent::Objects(objects) => {
                    let at = Where { unit: number, cluster: unit.cluster(), template: None, manifest: (0, 0) };
                    for object in objects {
                        let Ok(id) = IdRef::of(object) else { continue };
                        refused.extend(self.learn(object).iter().filter_map(|known| self.refusal(known, id, &at, &[])));
                    }
                }
            }
        }
        refused
    }

    fn refusal(&self, known: &Known, id: IdRef<'_>, at: &Where<'_>, values: &[Value]) -> Option<Refusal<'a>> {
        let Asked::Yes(verdict) = self.ask(known, id, at.cluster, values) else { return None };
        (verdict != Verdict::Allowed).then(|| Refusal {
            policy: self.asked[known.policy],
            unit: at.unit,
            template: at.template,
            object: ObjectId::from(id),
            place: self.guilty(known, id, at.cluster, values),
            shared: (known.fixed && at.template.is_some()).then_some(at.manifest),
            verdict,
        })
    }

    fn known(&self, shape: &Arc<Shape>) -> Arc<Vec<Vec<Known>>> {
        let key = Arc::as_ptr(shape) as usize;
        if let Ok(shapes) = self.shapes.read()
            && let Some(known) = shapes.get(&key)
        {
            return Arc::clone(known);
        }
        let known = Arc::new(shape.manifests().map(|manifest| self.learn(manifest)).collect::<Vec<_>>());
        match self.shapes.write() {
            Ok(mut shapes) => Arc::clone(shapes.entry(key).or_insert(known)),
            Err(_) => known,
        }
    }

    /// The policies that could be about a manifest, with what they read of it.
    fn learn(&self, manifest: &Value) -> Vec<Known> {
        let text = |field: &str| manifest[field].as_str().unwrap_or_default();
        let Some(resource) = resource(self.catalog, text("apiVersion"), text("kind")) else { return Vec::new() };
        let of = |(policy, asked): (usize, &&Policy)| {
            asked.knows(&resource).then(|| {
                let read = asked.of_object(manifest);
                let labels = manifest["metadata"]["labels"].clone();
                let mut holes = Vec::new();
                find_holes(&read, &mut Place::default(), &mut holes);
                let fixed = holes.is_empty() && !asked.reads_around() && !has_hole(&labels);
                Known { policy, resource: resource.clone(), read, labels, holes, fixed, said: Mutex::default() }
            })
        };
        self.asked.iter().enumerate().filter_map(of).collect()
    }

    /// The place of the value without which the object would pass; the object as a whole if no single one decides.
    fn guilty(&self, known: &Known, id: IdRef<'_>, cluster: &str, values: &[Value]) -> Place {
        if let [only] = known.holes.as_slice() {
            return only.clone();
        }
        let without = |place: &&Place| {
            let Some(number) = place.of(&known.read).and_then(Value::as_str).and_then(hole) else { return false };
            let mut values = values.to_vec();
            if let Some(value) = values.get_mut(number) {
                *value = Value::String(String::new());
            }
            self.ask(known, id, cluster, &values) == Asked::Yes(Verdict::Allowed)
        };
        known.holes.iter().find(without).cloned().unwrap_or_default()
    }

    fn ask(&self, known: &Known, id: IdRef<'_>, cluster: &str, values: &[Value]) -> Asked {
        let policy = self.asked[known.policy];
        let is_namespace = known.resource.plural == "namespaces" && known.resource.group.is_empty();
        let of_namespace = id.namespace.or(is_namespace.then_some(id.name));
        let namespace = of_namespace.and_then(|name| self.namespaces.get(&(cluster.to_owned(), name.to_owned())));
        let labels = if has_hole(&known.labels) { fill(&known.labels, values) } else { known.labels.clone() };
        let labels = labels.as_object().cloned().unwrap_or_default();
        let elsewhere = of_namespace.map(|name| admission::labels_of_namespace(&Value::Null, name));
        let own = namespace.map(|(_, labels)| labels).or(elsewhere.as_ref());
        let object = if known.holes.is_empty() { known.read.clone() } else { fill(&known.read, values) };
        let subject = Subject {
            resource: &known.resource,
            object: &object,
            old: None,
            name: id.name,
            namespace: namespace.map(|(object, _)| object),
            namespace_name: of_namespace,
            namespace_labels: own,
            labels: &labels,
            user: self.user,
        };
        if !policy.is_met(&subject) {
            return Asked::No;
        }
        let around = if policy.reads_around() { format!("{id:?}") } else { String::new() };
        let key = if known.holes.is_empty() { around } else { format!("{around}{object}") };
        if let Ok(said) = known.said.lock()
            && let Some(asked) = said.get(&key)
        {
            return asked.clone();
        }
        let asked = policy.ask_all(&subject);
        if let Ok(mut said) = known.said.lock()
            && said.len() < REMEMBERED
        {
            said.insert(key, asked.clone());
        }
        asked
    }
}

fn has_hole(value: &Value) -> bool {
    let mut holes = Vec::new();
    find_holes(value, &mut Place::default(), &mut holes);
    !holes.is_empty()
}

fn find_holes(value: &Value, place: &mut Place, holes: &mut Vec<Place>) {
    match value {
        Value::String(text) if hole(text).is_some() => holes.push(place.clone()),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                place.push(Step::Item(index));
                find_holes(item, place, holes);
                place.pop();
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                place.push(Step::Field(name.clone()));
                find_holes(value, place, holes);
                place.pop();
            }
        }
        _ => {}
    }
}

/// One finding a refusal; what all objects of a shape share is told once.
fn told(input: &Input<'_>, refused: Vec<Refusal<'_>>) -> Vec<Finding> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::rendered;
    use crate::render::tests::source;

    const ACCOUNTS: &str = include_str!("../../templates/tenant/rbac.yaml.tera");
    const POLICIES: &str = include_str!("../../templates/tenant/network-policies.yaml.tera");
    const NAMESPACE: &str = include_str!("../../templates/tenant/namespace.yaml.tera");

    /// Rule, class and place of what is said about the repository's own fleet with some files put in.
    fn told(files: &[(&str, &str)]) -> BTreeSet<(&'static str, Class, String)> {
        let mut source = source();
        source.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        let Outcome::Ran(findings) = rendered(&source, check) else { panic!("not checked") };
        let place = |finding: &Finding| finding.location.as_ref().map(ToString::to_string).unwrap_or_default();
        findings.iter().map(|finding| (finding.rule, finding.class, place(finding))).collect()
    }

    fn line_of(text: &str, part: &str) -> usize {
        text.lines().position(|line| line.contains(part)).unwrap() + 1
    }

    #[test]
    fn what_a_policy_refuses_is_told_at_its_line_whether_policies_are_shipped_or_not() {
        let path = "templates/tenant/rbac.yaml.tera";
        let wide = ACCOUNTS.replacen("verbs: [get]", "verbs: [\"*\"]", 1);
        let role = format!("{path}:{}:1", line_of(&wide, "kind: Role"));
        let expected = BTreeSet::from([("policy/denied", Class::Check, role)]);
        assert_eq!(told(&[(path, &wide)]), expected);
        let unshipped = source().text("install.yaml").unwrap().replace("engine: vap", "engine: none");
        assert_eq!(told(&[(path, &wide), ("install.yaml", &unshipped)]), expected);
        // A near miss: another verb by name.
        let fine = ACCOUNTS.replacen("verbs: [get]", "verbs: [get, watch]", 1);
        assert_eq!(told(&[(path, &fine)]), BTreeSet::new());
    }

    #[test]
    fn a_refused_value_is_told_at_the_value() {
        let path = "templates/tenant/namespace.yaml.tera";
        // The slug decides the name; a label by the name of the customer is none of the contract's.
        let text = NAMESPACE.replace(
            "  labels: {{ namespace_labels | yaml }}\n",
            "  labels:\n    managed-by: soctalk\n    tier: {{ tenant.tier }}\n",
        );
        let found = told(&[(path, &text)]);
        assert!(
            !found.is_empty()
                && found.iter().all(|(rule, class, _)| (*rule, *class) == ("policy/denied", Class::Check)),
            "{found:?}"
        );
    }

    #[test]
    fn a_namespace_that_is_not_closed_first_is_told() {
        let path = "templates/tenant/network-policies.yaml.tera";
        let open = POLICIES.replacen("policyTypes: [Ingress, Egress]", "policyTypes: [Ingress]", 1);
        assert_eq!(
            told(&[(path, &open)]),
            BTreeSet::from([("policy/default-deny", Class::Check, format!("{path}:1:1"))])
        );
        let fine = POLICIES.replacen("policyTypes: [Ingress, Egress]", "policyTypes: [Egress, Ingress]", 1);
        assert_eq!(told(&[(path, &fine)]), BTreeSet::new());
    }

    #[test]
    fn a_case_that_comes_out_otherwise_is_told() {
        let source = source();
        let denied = source.text("policies/admission/cases/soctalk-images/deny-tag.yaml").unwrap();
        let allowed = source.text("policies/admission/cases/soctalk-images/allow-digest.yaml").unwrap();
        let case = |folder: &str, name: &str, text: &str, class: Class| {
            let path = format!("{CASES}{folder}/{name}.yaml");
            assert_eq!(told(&[(&path, text)]), BTreeSet::from([("policy/case", class, format!("{path}:1:1"))]));
        };
        case("soctalk-images", "allow-tag", denied, Class::Check);
        case("soctalk-images", "deny-digest", allowed, Class::Check);
        case("soctalk-images", "perhaps", allowed, Class::Invalid);
        case("no-such-policy", "allow-digest", allowed, Class::Invalid);
    }

    #[test]
    fn what_only_a_server_can_tell_never_passes_unless_the_policy_says_so() {
        let path = "policies/admission/more.yaml";
        let policy = |annotation: &str, expression: &str, bound: bool| {
            let binding = "---\napiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicyBinding\nmetadata: { name: more }\nspec: { policyName: more, validationActions: [Deny] }\n";
            format!(
                "apiVersion: admissionregistration.k8s.io/v1\nkind: ValidatingAdmissionPolicy\nmetadata:\n  name: more\n{annotation}spec:\n  matchConstraints:\n    resourceRules:\n      - {{ apiGroups: [\"\"], apiVersions: [v1], operations: [CREATE], resources: [resourcequotas] }}\n  validations:\n    - expression: \"{expression}\"\n{}",
                if bound { binding } else { "" }
            )
        };
        let asks = "authorizer.group('').resource('pods').check('get').allowed()";
        let rules = |text: &str| -> BTreeSet<(&'static str, Class)> {
            told(&[(path, text)]).into_iter().map(|(rule, class, _)| (rule, class)).collect()
        };
        assert_eq!(rules(&policy("", asks, true)), BTreeSet::from([("policy/not-checkable", Class::Incomplete)]));
        let excuse = "  annotations: { tenantry.io/server-only: it asks who may read pods }\n";
        assert_eq!(rules(&policy(excuse, asks, true)), BTreeSet::from([("policy/server-only", Class::Check)]));
        assert_eq!(rules(&policy("", "true", false)), BTreeSet::from([("policy/unbound", Class::Check)]));
        assert_eq!(rules(&policy("", "true &&", true)), BTreeSet::from([("policy/invalid", Class::Invalid)]));
        assert_eq!(rules(&policy("", "has(object.spec.hard)", true)), BTreeSet::new());
    }

    #[test]
    fn every_policy_has_cases_on_both_sides() {
        let source = source();
        let (fleet, _) = config::parse(&source);
        let fleet = fleet.unwrap();
        let paths: Vec<&str> = source.below(CASES).map(|(path, _)| &path[CASES.len()..]).collect();
        let policies = admission::policies(fleet.policies.iter().map(|policy| &policy.value));
        assert!(policies.len() > 10);
        for policy in policies {
            let name = policy.unwrap().name;
            for side in ["allow-", "deny-"] {
                assert!(
                    paths.iter().any(|path| path.starts_with(&format!("{name}/{side}"))),
                    "{name} has no case {side}"
                );
            }
        }
    }
}
