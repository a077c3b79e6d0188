//! The values of every release against the schema of its chart, merged with the chart's defaults as Helm does.

use std::collections::BTreeMap;

use jsonschema::Validator;
use rayon::prelude::*;
use serde_json::Value;

use super::{Input, Outcome};
use crate::blame::{Blame, Spot};
use crate::finding::{Class, Finding};
use crate::manifest::ObjectId;
use crate::render::RenderedUnit;
use crate::schemas::{Place, Step};
use crate::yaml::{self, Limits};

pub(super) fn check(input: &Input<'_>) -> Outcome {
    let mut charts = BTreeMap::new();
    for name in ["soctalk-system", "soctalk-tenant"] {
        match Chart::load(input, name) {
            Ok(chart) => drop(charts.insert(name, chart)),
            Err(reason) => return Outcome::NotChecked(reason),
        }
    }
    let findings = input.units.par_iter().flat_map_iter(|unit| {
        let releases =
            unit.files.iter().filter(|(name, _)| matches!(name.as_str(), "helmrelease.yaml" | "application.yaml"));
        releases
            .flat_map(|(_, content)| content.objects())
            .flat_map(|object| findings(&charts, &object, unit.tenant.as_deref()))
            .map(move |fault| (unit, fault))
    });
    let found: Vec<(&RenderedUnit, Fault)> = findings.collect();
    let blame = Blame::new(input.plan.fleet, input.source, crate::VERSION);
    Outcome::Ran(found.into_iter().map(|(unit, fault)| located(&blame, unit, fault)).collect())
}

/// A finding about a field of a release's values.
struct Fault {
    object: ObjectId,
    place: Place,
    finding: Finding,
}

/// The finding at the line that decides the value.
fn located(blame: &Blame<'_>, unit: &RenderedUnit, fault: Fault) -> Finding {
    let template = if unit.tenant.is_some() { "tenant/release.yaml.tera" } else { "system/release.yaml.tera" };
    let Fault { object, place, finding } = fault;
    let tenant = unit.tenant.as_deref();
    let spot = Spot {
        cluster: unit.cluster(),
        tenant,
        template: Some(template),
        object: &object,
        place: &place,
        fixed: false,
    };
    finding.at(blame.locate(&spot))
}

/// Where the values of a release stand, with Flux and with Argo CD.
const VALUES: [&str; 2] = ["/spec/values", "/spec/source/helm/valuesObject"];

/// The contracts of the program's own charts, for fleets without a copy of theirs.
const CONTRACTS: [(&str, &str); 4] = [
    ("soctalk-system/values.schema.json", include_str!("../../charts/soctalk-system/values.schema.json")),
    ("soctalk-system/values.yaml", include_str!("../../charts/soctalk-system/values.yaml")),
    ("soctalk-tenant/values.schema.json", include_str!("../../charts/soctalk-tenant/values.schema.json")),
    ("soctalk-tenant/values.yaml", include_str!("../../charts/soctalk-tenant/values.yaml")),
];

struct Chart {
    validator: Validator,
    defaults: Value,
}

impl Chart {
    fn load(input: &Input<'_>, name: &str) -> Result<Self, String> {
        let own = |file: &str| input.source.text(&format!("charts/{name}/{file}"));
        let text = |file: &str| {
            let known = CONTRACTS.iter().find(|(path, _)| *path == format!("{name}/{file}"));
            own(file).or(known.map(|(_, text)| *text)).ok_or_else(|| format!("there is no charts/{name}/{file}"))
        };
        let schema: Value = serde_json::from_str(text("values.schema.json")?)
            .map_err(|error| format!("charts/{name}/values.schema.json is no JSON: {error}"))?;
        let validator = jsonschema::validator_for(&schema)
            .map_err(|error| format!("charts/{name}/values.schema.json is no JSON Schema: {error}"))?;
        let defaults = yaml::parse(text("values.yaml")?, Limits::MANIFEST)
            .map_err(|error| format!("charts/{name}/values.yaml:{error}"))?;
        let defaults = defaults.first().map(|document| document.root.to_json()).unwrap_or_default();
        Ok(Self { validator, defaults })
    }
}

fn findings(charts: &BTreeMap<&str, Chart>, object: &Value, tenant: Option<&str>) -> Vec<Fault> {
    let values = VALUES.iter().find_map(|pointer| Some((*pointer, object.pointer(pointer)?)));
    let (Some((pointer, values)), Ok(id)) = (values, ObjectId::of(object)) else { return Vec::new() };
    let chart = if tenant.is_some() { "soctalk-tenant" } else { "soctalk-system" };
    let Some(chart_contract) = charts.get(chart) else { return Vec::new() };
    let merged = merge(&chart_contract.defaults, values);
    let errors = chart_contract.validator.iter_errors(&merged).map(|error| {
        let path = error.instance_path().as_str().to_owned();
        let place = place(&format!("{pointer}{path}"), object);
        let message = format!("the values of {chart} break its schema at {path} ({})", error.kind().keyword());
        let finding = Finding::error("chart/values", Class::Check, message).path(path);
        let finding = finding.hint(format!("see charts/{chart}/values.schema.json"));
        let finding = match tenant {
            Some(tenant) => finding.tenant(tenant),
            None => finding,
        };
        Fault { object: id.clone(), place, finding }
    });
    errors.collect()
}

/// The place that a JSON pointer names, as far as the object has it: defaults of the chart are not in it.
fn place(pointer: &str, object: &Value) -> Place {
    let (mut place, mut value) = (Place::default(), object);
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        let step = match value {
            Value::Array(_) => part.parse().ok().map(Step::Item),
            _ => Some(Step::Field(part)),
        };
        let Some(step) = step else { break };
        let mut further = place.clone();
        further.push(step);
        let Some(inner) = further.of(object) else { break };
        (place, value) = (further, inner);
    }
    place
}

/// Values over defaults, as Helm merges them: mappings deeply, everything else as a whole; null removes.
fn merge(defaults: &Value, values: &Value) -> Value {
    let (Value::Object(base), Value::Object(over)) = (defaults, values) else { return values.clone() };
    let kept = base.iter().filter(|(key, _)| !over.contains_key(*key)).map(|(key, value)| (key.clone(), value.clone()));
    let set = over.iter().filter(|(_, value)| !value.is_null());
    let set =
        set.map(|(key, value)| (key.clone(), base.get(key).map_or_else(|| value.clone(), |old| merge(old, value))));
    Value::Object(kept.chain(set).collect())
}
