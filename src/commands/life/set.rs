//! `set`: single values of a tenant's file.

use serde_json::Value as Json;

use super::base::Base;
use super::proposal::{Halt, Outcome, Proposal};
use crate::cli::SetArgs;
use crate::config::schema::nearest;
use crate::config::tenant::{State, Tenant};
use crate::config::{Fleet, Kind};
use crate::edit::{Change, Value};
use crate::error::{Error, Result};
use crate::plan::{edge, lifecycle};

/// The word that stands for a pair of ports that nobody has.
const FREE: &str = "free";

/// What `set` proposes.
pub fn propose(args: &SetArgs, base: &Base) -> Outcome {
    let tenant = base.tenant(&args.slug)?;
    if tenant.lifecycle.state != State::Pending {
        lifecycle::admit(tenant, "set")?;
    }
    let fleet = base.fleet()?;
    let mut changes = Vec::new();
    for text in &args.values {
        let (key, value) = pair(text)?;
        may_change(fleet, tenant, key)?;
        changes.push(Change { path: path(key), value: Some(value_of(fleet, key, value)?) });
    }
    for key in &args.unset {
        may_change(fleet, tenant, key)?;
        is_field(key)?;
        changes.push(Change { path: path(key), value: None });
    }
    refuse_twice(&changes)?;
    let names: Vec<String> = changes.iter().map(|change| change.path.join(".")).collect();
    let mut proposal = Proposal::new(format!("Set {} of tenant {}", names.join(", "), args.slug));
    proposal.nothing = format!("nothing to change: {} has these values already", args.slug);
    proposal.edit(base, &args.slug, &changes)?;
    Ok(proposal)
}

/// What is set and removed at once, or set twice, is meant in one way only by luck.
fn refuse_twice(changes: &[Change]) -> Result<()> {
    for (at, one) in changes.iter().enumerate() {
        for other in &changes[at + 1..] {
            if one.path.starts_with(&other.path) || other.path.starts_with(&one.path) {
                let (one, other) = (one.path.join("."), other.path.join("."));
                let what = if one == other { one } else { format!("{one} and {other}") };
                return Err(Error::usage(format!("{what} would be changed twice")).hint("say once what it is to be"));
            }
        }
    }
    Ok(())
}

/// Removing a field that no file has would change nothing, and look as if it were done.
fn is_field(key: &str) -> Result<()> {
    let mut schema = Kind::Tenant.schema().clone();
    for part in path(key) {
        schema = resolve(&schema);
        let Some(fields) = schema["properties"].as_object() else { return Ok(()) };
        if let Some(inner) = fields.get(&part) {
            schema = inner.clone();
            continue;
        }
        if schema["additionalProperties"] != Json::Bool(false) {
            return Ok(());
        }
        let known: Vec<String> = fields.keys().cloned().collect();
        let error = Error::user(format!("a tenant's file has no field {key}"));
        return Err(match nearest(&part, &known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint(format!("fields there: {}", known.join(", "))),
        });
    }
    Ok(())
}

/// Splits `KEY=VALUE`.
pub fn pair(text: &str) -> Result<(&str, &str)> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() => Ok((key, value)),
        Some((key, "")) if !key.is_empty() => {
            Err(Error::usage(format!("{key} is given no value")).hint(format!("--unset {key} removes it")))
        }
        _ => Err(Error::usage(format!("{text:?} is not KEY=VALUE")).hint("for example sizing.profile=small-dev")),
    }
}

/// The path of a dotted key.
pub fn path(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

/// The value that a person means: by the type that the schema gives the field, else as YAML reads it.
///
/// # Errors
/// There is no free pair of ports.
pub fn value_of(fleet: &Fleet, key: &str, text: &str) -> Result<Value> {
    if key == "wazuhIngress.edgePorts" && text == FREE {
        return free_ports(fleet);
    }
    Ok(typed(Value::read(text), text, schema_of(&path(key)).as_ref()))
}

/// The lowest pair of ports that nobody has.
pub fn free_ports(fleet: &Fleet) -> Result<Value> {
    let range = fleet.install.wazuh_ingress.edge.as_ref().map(|edge| edge.ports).ok_or_else(|| {
        Error::user("install.yaml gives no range of ports at the edge").hint("add wazuhIngress.edge.ports to it")
    })?;
    let pair = edge::free(range, fleet).ok_or_else(|| {
        Error::user(format!("no pair of ports is free in {} to {}", range.from, range.to))
            .hint("widen wazuhIngress.edge.ports in install.yaml, or remove tombstones whose retention is over")
    })?;
    Ok(Value::map([("events", u32::from(pair.events).into()), ("enrollment", u32::from(pair.enrollment).into())]))
}

/// Text stays text where the schema wants it (`cpu=2`), and a list may be written with commas.
fn typed(value: Value, text: &str, schema: Option<&Json>) -> Value {
    let kind = schema.and_then(|schema| schema["type"].as_str());
    match (kind, &value) {
        (Some("string"), Value::Int(_) | Value::Float(_) | Value::Bool(_) | Value::Null) => Value::from(text),
        (Some("array"), Value::Seq(_) | Value::Map(_)) => value,
        (Some("array"), _) => {
            let inner = schema.map(|schema| resolve(&schema["items"]));
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            Value::Seq(items.map(|item| typed(Value::read(item), item, inner.as_ref())).collect())
        }
        _ => value,
    }
}

/// The schema of a field of a tenant's file.
fn schema_of(path: &[String]) -> Option<Json> {
    path.iter().try_fold(Kind::Tenant.schema().clone(), |schema, key| {
        let schema = resolve(&schema);
        let inner = schema["properties"].get(key).or_else(|| schema.get("additionalProperties"))?;
        inner.is_object().then(|| resolve(inner))
    })
}

fn resolve(schema: &Json) -> Json {
    let name = schema["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
    name.map_or_else(|| schema.clone(), |name| Kind::Tenant.schema()["$defs"][name].clone())
}

/// Some fields are written once, and some belong to a verb of their own.
fn may_change(fleet: &Fleet, tenant: &Tenant, key: &str) -> Result<(), Halt> {
    let slug = tenant.tenant.slug.as_str();
    let refuse = |why: String, hint: String| Err(Halt::Error(Error::guard(why).hint(hint)));
    let at = |section: &str| key == section || key.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'));
    if at("apiVersion") || at("kind") || key == "tenant" || at("tenant.id") || at("tenant.slug") {
        let hint = "a customer that needs another one is onboarded anew, and the old tenant decommissioned";
        return refuse(format!("{key} is written once, at onboarding"), hint.into());
    }
    if at("lifecycle") {
        let verbs = lifecycle::open(tenant.lifecycle.state).join(", ");
        return refuse(format!("{key} changes by the steps of a tenant's life"), format!("open steps: {verbs}"));
    }
    if at("secrets") {
        return refuse(format!("{key} changes by rotation"), format!("tenantry rotate {slug} SECRET"));
    }
    if at("tenant.cluster") && tenant.lifecycle.state != State::Pending {
        let why = format!("tenant {slug} runs on cluster {}: its data there would be deleted", tenant.tenant.cluster);
        return refuse(why, "onboard it anew on the other cluster, move its data, and decommission this one".into());
    }
    let has_ports = tenant.wazuh_ingress.edge_ports.is_some();
    if at("wazuhIngress.edgePorts") && has_ports && tenant.lifecycle.state != State::Pending {
        // One of two that have the same pair must move.
        let wrong = edge::check(fleet).iter().any(|finding| finding.tenant.as_deref() == Some(slug));
        if !wrong {
            let hint = "agents of the customer are set up with them; a new pair needs every agent set up anew";
            return refuse(format!("the ports of tenant {slug} are written once, at onboarding"), hint.into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_only_where_the_install_gives_a_range() {
        let mut fleet = crate::render::tests::fleet();
        assert!(free_ports(&fleet).is_ok());
        fleet.install.wazuh_ingress.edge = None;
        let error = free_ports(&fleet).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("install.yaml gives no range of ports at the edge"), "{error}");
    }
}
