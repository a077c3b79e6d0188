//! Every rendered manifest against the schema of its kind and version, as strictly as the API server's field validation.
//!
//! Ten thousand tenants have a few dozen shapes. A shape is held against the schema once; of each manifest only the
//! values in its holes are looked at.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};

use rayon::prelude::*;
use serde_json::Value;

use super::{Input, Outcome};
use crate::blame::{Blame, Spot};
use crate::config::SCHEMAS;
use crate::finding::{Class, Finding};
use crate::manifest::ObjectId;
use crate::render::{FileContent, Rendered, RenderedUnit, Shape, fill, hole};
use crate::schemas::{Catalog, Fault, FaultKind, Open, Todo, of_fleet, whole};

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let catalog = match of_fleet(input.source) {
        Ok(catalog) => catalog,
        Err(finding) => return Outcome::Ran(vec![*finding]),
    };
    let shapes = Shapes { catalog: &catalog, known: RwLock::default() };
    let found: Vec<Raw> =
        input.units.par_iter().enumerate().flat_map_iter(|(unit, rendered)| of_unit(&shapes, unit, rendered)).collect();
    Outcome::Ran(findings(input, found))
}

/// Shapes that were held against their schemas.
struct Shapes<'c> {
    catalog: &'c Catalog,
    known: RwLock<HashMap<usize, Arc<Vec<Judged<'c>>>>>,
}

/// A manifest of a shape, held against its schema.
struct Judged<'c> {
    verdict: Known,
    faults: Vec<Fault>,
    todo: Vec<(Todo<'c>, Part)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// Its kind has a schema.
    Yes,
    /// It has none.
    No,
    /// The kind itself is a value: each manifest is looked at as a whole.
    ByValue,
}

/// What is looked at.
enum Part {
    Hole(usize),
    Tree(Value),
}

/// A fault of a manifest.
struct Raw {
    unit: usize,
    template: Option<&'static str>,
    object: ObjectId,
    /// Where all manifests of a shape have it: the shape and the number of the manifest.
    shared: Option<(usize, usize)>,
    /// None: the kind has no schema.
    fault: Option<Fault>,
}

impl<'c> Shapes<'c> {
    fn judged(&self, shape: &Arc<Shape>) -> Arc<Vec<Judged<'c>>> {
        let key = Arc::as_ptr(shape) as usize;
        if let Ok(known) = self.known.read()
            && let Some(judged) = known.get(&key)
        {
            return Arc::clone(judged);
        }
        let judged = Arc::new(shape.manifests().map(|manifest| self.judge(manifest)).collect::<Vec<_>>());
        if let Ok(mut known) = self.known.write() {
            known.insert(key, Arc::clone(&judged));
        }
        judged
    }

    fn judge(&self, manifest: &Value) -> Judged<'c> {
        let is_hole = |name: &str| manifest.get(name).and_then(Value::as_str).is_some_and(|text| hole(text).is_some());
        if is_hole("apiVersion") || is_hole("kind") {
            return Judged { verdict: Known::ByValue, faults: Vec::new(), todo: Vec::new() };
        }
        let Some(verdict) = whole(self.catalog, manifest, |text| hole(text).is_some()) else {
            return Judged { verdict: Known::No, faults: Vec::new(), todo: Vec::new() };
        };
        let with_part = |todo: Todo<'c>| {
            let value = todo.place.of(manifest).unwrap_or(&Value::Null);
            let part = match (&todo.open, value.as_str().and_then(hole)) {
                (Open::Hole(..) | Open::Label(_) | Open::Names(_), Some(number)) => Part::Hole(number),
                _ => Part::Tree(value.clone()),
            };
            (todo, part)
        };
        let todo = verdict.todo.into_iter().map(with_part).collect();
        Judged { verdict: Known::Yes, faults: verdict.faults, todo }
    }
}

fn of_unit(shapes: &Shapes<'_>, unit: usize, rendered: &RenderedUnit) -> Vec<Raw> {
    let mut found = Vec::new();
    for content in rendered.files.values() {
        match content {
            FileContent::Template(content) => of_template(shapes, unit, content, &mut found),
            FileContent::Objects(objects) => {
                objects.iter().for_each(|object| as_a_whole(shapes.catalog, unit, None, object, &mut found));
            }
        }
    }
    found
}

fn of_template(shapes: &Shapes<'_>, unit: usize, content: &Rendered, found: &mut Vec<Raw>) {
    let judged = shapes.judged(content.shape());
    let values = content.values();
    let template = Some(content.template());
    let mut faults = Vec::new();
    for (number, (judged, id)) in judged.iter().zip(content.identities()).enumerate() {
        let shared = Some((Arc::as_ptr(content.shape()) as usize, number));
        let raw = |shared, fault| {
            id.as_ref().ok().map(|id| Raw { unit, template, object: ObjectId::from(*id), shared, fault })
        };
        match judged.verdict {
            Known::Yes => {}
            Known::No => found.extend(raw(shared, None)),
            Known::ByValue => {
                let object = content.objects().nth(number).unwrap_or_default();
                as_a_whole(shapes.catalog, unit, template, &object, found);
            }
        }
        found.extend(judged.faults.iter().filter_map(|fault| raw(shared, Some(fault.clone()))));
        for (todo, part) in &judged.todo {
            match part {
                Part::Hole(hole) => {
                    todo.check(shapes.catalog, values.get(*hole).map_or(&Value::Null, AsRef::as_ref), &mut faults);
                }
                Part::Tree(tree) => todo.check(shapes.catalog, &fill(tree, values), &mut faults),
            }
        }
        found.extend(faults.drain(..).filter_map(|fault| raw(None, Some(fault))));
    }
}

fn as_a_whole(catalog: &Catalog, unit: usize, template: Option<&'static str>, object: &Value, found: &mut Vec<Raw>) {
    let Ok(id) = ObjectId::of(object) else { return };
    let raw = |fault| Raw { unit, template, object: id.clone(), shared: None, fault };
    match whole(catalog, object, |_| false) {
        None => found.push(raw(None)),
        Some(verdict) => found.extend(verdict.faults.into_iter().map(|fault| raw(Some(fault)))),
    }
}

/// One finding a fault; what all manifests of a shape share is told once, with their number.
fn findings(input: &Input<'_>, found: Vec<Raw>) -> Vec<Finding> {
    if found.is_empty() {
        return Vec::new();
    }
    let mut unknown: BTreeMap<(String, String), (usize, usize, ObjectId)> = BTreeMap::new();
    let mut shared: BTreeMap<((usize, usize), Fault), usize> = BTreeMap::new();
    let mut told: Vec<Raw> = Vec::new();
    for raw in found {
        match (&raw.fault, raw.shared) {
            (None, _) => {
                let kind = (raw.object.api_version.clone(), raw.object.kind.clone());
                unknown.entry(kind).or_insert((0, raw.unit, raw.object)).0 += 1;
            }
            (Some(fault), Some(shape)) => {
                let count = shared.entry((shape, fault.clone())).or_insert(0);
                *count += 1;
                if *count == 1 {
                    told.push(raw);
                }
            }
            (Some(_), None) => told.push(raw),
        }
    }
    let blame = Blame::new(input.plan.fleet, input.source, crate::VERSION);
    let mut findings: Vec<Finding> = unknown.into_iter().map(|(kind, (count, ..))| of_kind(kind, count)).collect();
    for raw in told {
        let Some(fault) = &raw.fault else { continue };
        let others = raw.shared.and_then(|shape| shared.get(&(shape, fault.clone()))).map_or(0, |count| count - 1);
        findings.push(of_fault(input, &blame, &raw, fault, others));
    }
    findings
}

fn of_kind((api_version, kind): (String, String), count: usize) -> Finding {
    let message =
        format!("{count} objects of kind {kind} ({api_version}) could not be checked: there is no schema of it");
    Finding::error("schema/unknown-kind", Class::Incomplete, message).hint(format!(
        "put its CustomResourceDefinition into {SCHEMAS}, or a bundle: `tenantry schemas import --from-cluster --kind {api_version}/{kind}`"
    ))
}

fn of_fault(input: &Input<'_>, blame: &Blame<'_>, raw: &Raw, fault: &Fault, others: usize) -> Finding {
    let unit = &input.units[raw.unit];
    let (rule, class) = rule(fault.kind);
    let more = match others {
        0 => String::new(),
        count => format!(" (and {count} more objects of this shape)"),
    };
    let field = fault.place.dotted();
    let at = if field.is_empty() { String::new() } else { format!(": {field}") };
    let message = format!("{}{at}: {}{more}", raw.object, fault.message);
    let spot = Spot {
        cluster: unit.cluster(),
        tenant: unit.tenant.as_deref(),
        template: raw.template,
        object: &raw.object,
        place: &fault.place,
        fixed: raw.shared.is_some(),
    };
    let mut finding = Finding::error(rule, class, message)
        .object(raw.object.to_string())
        .path(fault.place.pointer())
        .at(blame.locate(&spot));
    finding.expected.clone_from(&fault.expected);
    finding.found.clone_from(&fault.found);
    match &unit.tenant {
        Some(tenant) => finding.tenant(tenant),
        None => finding,
    }
}

fn rule(kind: FaultKind) -> (&'static str, Class) {
    match kind {
        FaultKind::UnknownField => ("schema/unknown-field", Class::Check),
        FaultKind::MissingField => ("schema/missing-field", Class::Check),
        FaultKind::Type => ("schema/type", Class::Check),
        FaultKind::Value => ("schema/value", Class::Check),
        FaultKind::Duplicate => ("schema/duplicate-item", Class::Check),
        FaultKind::Rule => ("schema/rule", Class::Check),
        FaultKind::NotCheckable => ("schema/not-checkable", Class::Incomplete),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::check::tests::rendered;
    use crate::render::tests::source;

    const QUOTA: &str = include_str!("../../templates/tenant/quota.yaml.tera");
    const NAMESPACE: &str = include_str!("../../templates/tenant/namespace.yaml.tera");

    /// The findings about the repository's own fleet with some files put in.
    fn findings(files: &[(&str, &str)]) -> Vec<Finding> {
        let mut source = source();
        source.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())));
        match rendered(&source, check) {
            Outcome::Ran(findings) => findings,
            other => panic!("{other:?}"),
        }
    }

    /// Rule, class and place of each.
    fn told(findings: &[Finding]) -> BTreeSet<(&'static str, Class, String)> {
        let place = |finding: &Finding| finding.location.as_ref().map(ToString::to_string).unwrap_or_default();
        findings.iter().map(|finding| (finding.rule, finding.class, place(finding))).collect()
    }

    fn line_of(text: &str, part: &str) -> usize {
        text.lines().collect::<Vec<_>>().iter().rposition(|line| line.contains(part)).unwrap() + 1
    }

    #[test]
    fn a_fault_of_a_template_is_told_once_with_its_line() {
        let path = "templates/tenant/quota.yaml.tera";
        let cases = [
            (
                "    persistentvolumeclaims:",
                "  hardx: {}\n  hard2:\n    persistentvolumeclaims:",
                "schema/unknown-field",
                "hardx",
            ),
            ("  limits:\n", "  limit:\n", "schema/missing-field", "spec:"),
            ("max:\n", "max: [a]\n      ratio:\n", "schema/type", "max: [a]"),
            ("    - type: Container\n", "    - min: {}\n", "schema/missing-field", "limits:"),
            ("500m", "500x", "schema/value", "500x"),
        ];
        for (from, to, rule, at) in cases {
            let text = QUOTA.replace(from, to);
            let found = findings(&[(path, &text)]);
            let place = format!("{path}:{}:1", line_of(&text, at));
            assert!(told(&found).contains(&(rule, Class::Check, place.clone())), "{place} {found:#?}");
            let of_rule: Vec<_> = found.iter().filter(|finding| finding.rule == rule).collect();
            assert!(
                of_rule.iter().any(|finding| finding.message.contains("more objects of this shape")),
                "{of_rule:#?}"
            );
        }
        // A near miss: more of what the kind allows.
        let fine = QUOTA.replace("    - type: Container\n", "    - type: Container\n      min: { cpu: 1m }\n");
        assert_eq!(findings(&[(path, &fine)]), []);
    }

    #[test]
    fn a_fault_of_a_value_is_told_for_each_tenant_at_the_value() {
        let template =
            NAMESPACE.replace("  annotations:\n", "  labels:\n    shown: {{ tenant.display_name }}\n  annotations:\n");
        let template = template.replace("  labels: {{ namespace_labels | yaml }}\n", "");
        let found = findings(&[("templates/tenant/namespace.yaml.tera", &template)]);
        let source = source();
        // Names of more than one word are no values of labels; the others are.
        for (path, text) in source.below("tenants/") {
            let Some(line) = text.lines().position(|line| line.contains("displayName:")) else { continue };
            let is_rendered = !text.contains("state: retired");
            let (_, name) = text.lines().nth(line).unwrap().split_once("displayName:").unwrap();
            let is_wrong = is_rendered && name.trim().contains(' ');
            let here = |finding: &&Finding| finding.location.as_ref().is_some_and(|place| place.file == path);
            let of_file: Vec<_> = found.iter().filter(here).collect();
            assert_eq!(of_file.len(), usize::from(is_wrong), "{path}: {found:#?}");
            if is_wrong {
                assert_eq!(
                    (of_file[0].rule, of_file[0].location.as_ref().unwrap().line as usize),
                    ("schema/value", line + 1)
                );
            }
        }
        assert!(found.len() > 3, "{found:#?}");
    }

    #[test]
    fn a_kind_without_a_schema_is_not_checked_until_the_fleet_brings_one() {
        let policy = (
            "policies/admission/more.yaml",
            "apiVersion: example.io/v1\nkind: Guard\nmetadata:\n  name: a\nspec:\n  size: 3\n",
        );
        let found = findings(&[policy]);
        assert_eq!(told(&found), BTreeSet::from([("schema/unknown-kind", Class::Incomplete, String::new())]));
        let definition = |size: &str| {
            format!(
                "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {{name: guards.example.io}}\nspec:\n  group: example.io\n  scope: Cluster\n  names: {{kind: Guard, plural: guards}}\n  versions:\n    - name: v1\n      served: true\n      schema:\n        openAPIV3Schema:\n          type: object\n          properties:\n            spec:\n              type: object\n              x-kubernetes-validations:\n                - {{rule: 'self.size < 9', message: too large}}\n              properties: {{size: {{type: {size}}}}}\n"
            )
        };
        let path = "policies/schemas/guard.yaml";
        assert_eq!(findings(&[policy, (path, &definition("integer"))]), []);
        let found = findings(&[policy, (path, &definition("string"))]);
        assert!(
            told(&found).contains(&("schema/type", Class::Check, "policies/admission/more.yaml:6:9".into())),
            "{found:#?}"
        );
        let large = (policy.0, policy.1.replace("size: 3", "size: 9"));
        let found = findings(&[(large.0, &large.1), (path, &definition("integer"))]);
        assert_eq!(
            told(&found),
            BTreeSet::from([("schema/rule", Class::Check, "policies/admission/more.yaml:5:1".into())]),
            "{found:#?}"
        );
        let found = findings(&[(path, "kind: Guard\n")]);
        assert_eq!(told(&found), BTreeSet::from([("schema/bundle", Class::Invalid, format!("{path}:1:1"))]));
    }
}
