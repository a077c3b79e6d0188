//! The values of every release against the schema of its chart, merged with the chart's defaults as Helm does.

use std::collections::BTreeMap;

use jsonschema::Validator;
use rayon::prelude::*;
use serde_json::Value;

use super::{Input, Outcome};
use crate::finding::{Class, Finding, Location};
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
    });
    Outcome::Ran(findings.collect())
}

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

fn findings(charts: &BTreeMap<&str, Chart>, object: &Value, tenant: Option<&str>) -> Vec<Finding> {
    let values = object.pointer("/spec/values").or_else(|| object.pointer("/spec/source/helm/valuesObject"));
    let Some(values) = values else { return Vec::new() };
    let chart = if tenant.is_some() { "soctalk-tenant" } else { "soctalk-system" };
    let Some(chart_contract) = charts.get(chart) else { return Vec::new() };
    let merged = merge(&chart_contract.defaults, values);
    let errors = chart_contract.validator.iter_errors(&merged).map(|error| {
        let path = error.instance_path().as_str().to_owned();
        let file = tenant.map_or_else(|| "install.yaml".to_owned(), crate::config::tenant_file);
        let message = format!("the values of {chart} break its schema at {path} ({})", error.kind().keyword());
        let finding = Finding::error("chart/values", Class::Check, message).path(path).at(Location::file(file));
        let finding = finding.hint(format!("see charts/{chart}/values.schema.json"));
        match tenant {
            Some(tenant) => finding.tenant(tenant),
            None => finding,
        }
    });
    errors.collect()
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
