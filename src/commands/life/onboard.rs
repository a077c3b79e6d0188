//! `onboard`: the file of a new customer.

use super::base::Base;
use super::proposal::{FileChange, Halt, Outcome, Proposal, Row};
use super::{ask, set};
use crate::cli::OnboardArgs;
use crate::commands::screen::Screen;
use crate::config::install::Cluster;
use crate::config::tenant::State;
use crate::config::types::{Cidr, Label, Text};
use crate::config::{Fleet, tenant_file};
use crate::edit::{self, Value};
use crate::error::{Error, Result};
use crate::plan::compat;
use crate::render::backend::{self, Owner};

/// Fields, dotted, in the order of the file.
type Fields = Vec<(String, Value)>;

/// What a copy takes from another tenant: how it is served, and nothing that is the customer's own.
const COPIED: [&str; 7] =
    ["tenant.tier", "tenant.cluster", "sizing", "components", "resourceQuota", "wazuhIngress.mode", "wazuhIngress.tls"];

/// What `onboard` proposes.
pub fn propose(screen: &Screen, args: &OnboardArgs, base: &Base) -> Outcome {
    let fleet = base.fleet()?;
    refuse_taken(args, base, fleet)?;
    let mut args = args.clone();
    let copied = match &args.from {
        Some(slug) => copied(base, slug)?,
        None => Vec::new(),
    };
    complete(screen, &mut args, fleet, &copied)?;
    let cluster = cluster(&args, fleet, &copied)?;
    let fields = fields(&args, base, fleet, cluster, copied)?;
    let text = text(&args, base, &fields)?;
    let slug = args.slug.as_str();
    let mut proposal = Proposal::new(format!("Onboard tenant {slug}"));
    for (field, value) in &fields {
        let to = edit::shown(value);
        proposal.rows.push(Row { tenant: slug.into(), field: field.clone(), from: "-".into(), to });
    }
    if let Some(from) = &args.from {
        proposal.notes.push(format!(
            "taken from {from}: tier, sizing, way in; not taken: branding, model, Cortex, networks, addresses, which are the customer's own"
        ));
    }
    tell(&mut proposal, &args, fleet, &fields);
    proposal.files.push(FileChange { path: tenant_file(slug), before: None, after: Some(text) });
    Ok(proposal)
}

/// A slug belongs to one tenant for ever, tombstones included.
fn refuse_taken(args: &OnboardArgs, base: &Base, fleet: &Fleet) -> Result<()> {
    let slug = args.slug.as_str();
    let Some(tenant) = fleet.tenants.get(slug) else {
        return match base.text(&tenant_file(slug))? {
            Some(_) => Err(Error::guard(format!("{} is there already", tenant_file(slug)))),
            None => Ok(()),
        };
    };
    let error = Error::guard(format!("{slug} is taken: its tenant is {}", tenant.lifecycle.state.as_str()));
    Err(match tenant.lifecycle.state {
        State::Retired => error.hint("a tombstone keeps its slug until its retention is over; choose another one"),
        _ => error.hint("choose another slug"),
    })
}

/// The values of another tenant that a new one may take.
fn copied(base: &Base, slug: &str) -> Result<Fields, Halt> {
    base.tenant(slug)?;
    let path = tenant_file(slug);
    let text = base.text(&path)?.unwrap_or_default();
    let value = edit::value_of(&path, &text)?;
    let find = |field: &&str| {
        let at: Vec<&str> = field.split('.').collect();
        value.at(&at).filter(|value| **value != Value::Null).map(|value| ((*field).to_owned(), value.clone()))
    };
    Ok(COPIED.iter().filter_map(find).collect())
}

/// Asks for what is missing where somebody can answer; a script is told of everything that is missing at once.
fn complete(screen: &Screen, args: &mut OnboardArgs, fleet: &Fleet, copied: &Fields) -> Result<()> {
    let clusters: Vec<String> = fleet.install.clusters.iter().map(|cluster| cluster.name.to_string()).collect();
    let needs_cluster = args.cluster.is_none() && clusters.len() > 1 && !has(copied, "tenant.cluster");
    if !ask::is_possible() {
        let missing = [(args.name.is_none(), "--name"), (needs_cluster, "--cluster")];
        let missing: Vec<&str> = missing.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
        if missing.is_empty() {
            return Ok(());
        }
        let error = Error::usage(format!("missing: {}", missing.join(", ")));
        return Err(error.hint(format!("clusters: {}", clusters.join(", "))));
    }
    let asked = args.name.is_none() || needs_cluster;
    if args.name.is_none() {
        args.name = Some(ask::ask(screen, "Name of the customer", None, Text::parse)?);
    }
    if needs_cluster {
        let name = ask::choice(screen, "Cluster", &clusters, &clusters[0])?;
        args.cluster = Label::parse(&name).ok();
    }
    if !asked || args.from.is_some() {
        return Ok(());
    }
    let defaults = &fleet.install.defaults;
    args.tier = Some(args.tier.map_or_else(|| one_of(screen, "Tier", defaults.tier, &["standard", "regulated"]), Ok)?);
    args.profile = Some(
        args.profile.map_or_else(|| one_of(screen, "Profile", defaults.profile, &["small-dev", "pilot-prod"]), Ok)?,
    );
    let modes = ["loadbalancer", "edge-haproxy"];
    args.ingress = Some(
        args.ingress.map_or_else(|| one_of(screen, "Agents come in by", defaults.wazuh_ingress_mode, &modes), Ok)?,
    );
    if args.cidr.is_empty() {
        args.cidr = ask::ask(screen, "Networks of its agents, with commas; empty for anywhere", Some(""), cidrs)?;
    }
    Ok(())
}

fn cidrs(text: &str) -> std::result::Result<Vec<Cidr>, String> {
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(Cidr::parse).collect()
}

/// Asks for a closed word of the config.
fn one_of<T: serde::Serialize + serde::de::DeserializeOwned>(
    screen: &Screen,
    question: &str,
    default: T,
    words: &[&str],
) -> Result<T> {
    let default = serde_json::to_value(&default).ok().and_then(|value| value.as_str().map(str::to_owned));
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let answer = ask::choice(screen, question, &words, &default.unwrap_or_default())?;
    serde_json::from_value(serde_json::Value::String(answer)).map_err(|error| Error::internal(error.to_string()))
}

fn has(fields: &Fields, name: &str) -> bool {
    fields.iter().any(|(field, _)| field == name)
}

fn cluster<'a>(args: &OnboardArgs, fleet: &'a Fleet, copied: &Fields) -> Result<&'a Cluster> {
    let clusters = &fleet.install.clusters;
    let copied = copied.iter().find(|(field, _)| field == "tenant.cluster").map(|(_, value)| edit::shown(value));
    let name = args.cluster.as_ref().map(|name| name.to_string()).or(copied);
    let name = name.unwrap_or_else(|| clusters.first().map(|cluster| cluster.name.to_string()).unwrap_or_default());
    clusters.iter().find(|cluster| cluster.name.as_str() == name).ok_or_else(|| {
        let known: Vec<&str> = clusters.iter().map(|cluster| cluster.name.as_str()).collect();
        Error::user(format!("install.yaml has no cluster {name}")).hint(format!("clusters: {}", known.join(", ")))
    })
}

/// Every field of the new file.
fn fields(args: &OnboardArgs, base: &Base, fleet: &Fleet, cluster: &Cluster, copied: Fields) -> Result<Fields, Halt> {
    let id = args.id.as_ref().map_or_else(|| uuid::Uuid::new_v4().hyphenated().to_string(), |id| id.to_string());
    let name = args.name.as_ref().map(Text::as_str).unwrap_or_default();
    let state = if args.pending { State::Pending } else { State::Provisioning };
    let mut fields: Fields = Vec::new();
    let mut put = |field: &str, value: Value| match fields.iter_mut().find(|(known, _)| known == field) {
        Some((_, known)) => *known = value,
        None => fields.push((field.to_owned(), value)),
    };
    put("tenant.id", id.into());
    put("tenant.slug", args.slug.as_str().into());
    put("tenant.displayName", name.into());
    copied.into_iter().for_each(|(field, value)| put(&field, value));
    put("tenant.cluster", cluster.name.as_str().into());
    put("lifecycle.state", state.as_str().into());
    put("lifecycle.since", base.today.as_str().into());
    let word = |value: serde_json::Value| Value::from(value.as_str().unwrap_or_default());
    let given = [
        ("tenant.tier", args.tier.map(|tier| serde_json::json!(tier))),
        ("tenant.chartVersion", args.chart_version.as_ref().map(|version| serde_json::json!(version))),
        ("sizing.profile", args.profile.map(|profile| serde_json::json!(profile))),
        ("integrations.externalCortexUrl", args.external_cortex.as_ref().map(|url| serde_json::json!(url))),
        ("wazuhIngress.mode", args.ingress.map(|mode| serde_json::json!(mode))),
        ("wazuhIngress.tls.mode", args.tls.map(|mode| serde_json::json!(mode))),
    ];
    for (field, value) in given {
        if let Some(value) = value {
            // A section that was copied as a whole gives way to its field.
            put(field, word(value));
        }
    }
    if !args.cidr.is_empty() {
        put("wazuhIngress.customerCIDRs", Value::Seq(args.cidr.iter().map(|cidr| cidr.as_str().into()).collect()));
    }
    for text in &args.set {
        let (key, value) = set::pair(text)?;
        put(key, set::value_of(fleet, key, value)?);
    }
    if !has(&fields, "tenant.chartVersion")
        && let Some(version) = newer_than_default(fleet, cluster)
    {
        fields.push(("tenant.chartVersion".into(), version.into()));
    }
    let mode = fields.iter().find(|(field, _)| field == "wazuhIngress.mode").map(|(_, value)| edit::shown(value));
    let mode = mode.unwrap_or_else(|| fleet.install.defaults.wazuh_ingress_mode.as_str().into());
    if mode == "edge-haproxy" && !has(&fields, "wazuhIngress.edgePorts") {
        fields.push(("wazuhIngress.edgePorts".into(), set::free_ports(fleet)?));
    }
    Ok(fields)
}

/// The newest supported version on a cluster where the install's default may not run, or not for long.
fn newer_than_default(fleet: &Fleet, cluster: &Cluster) -> Option<String> {
    let system = cluster.system_version.as_ref().unwrap_or(&fleet.install.charts.system_version);
    compat::judge(&fleet.compatibility, system, &fleet.install.charts.tenant_version)?;
    compat::newest(&fleet.compatibility, system).map(|version| version.to_string())
}

/// The new file: fields added one by one, each in its place.
fn text(args: &OnboardArgs, base: &Base, fields: &Fields) -> Result<String, Halt> {
    let path = tenant_file(args.slug.as_str());
    let head = [("apiVersion".to_owned(), Value::from("tenantry.io/v1")), ("kind".to_owned(), Value::from("Tenant"))];
    let tenant =
        fields.iter().filter_map(|(field, value)| Some((field.strip_prefix("tenant.")?.to_owned(), value.clone())));
    let mut tenant: Vec<(String, Value)> = tenant.collect();
    tenant.sort_by_key(|(field, _)| {
        ["id", "slug", "displayName", "cluster", "tier", "chartVersion"].iter().position(|known| known == field)
    });
    let mut entries = head.to_vec();
    entries.push(("tenant".into(), Value::Map(tenant)));
    let changes: Vec<edit::Change> = fields
        .iter()
        .filter(|(field, _)| !field.starts_with("tenant."))
        .map(|(field, value)| edit::Change { path: set::path(field), value: Some(value.clone()) })
        .collect();
    Ok(edit::edit(&path, &edit::file(&schema_line(base), &entries), &changes)?)
}

/// The line that tells editors of the schema, if the fleet's files have one.
fn schema_line(base: &Base) -> String {
    let first =
        |text: &str| text.lines().next().filter(|line| line.starts_with("# yaml-language-server:")).map(str::to_owned);
    let known = base.loaded.source.below("tenants/").find_map(|(_, text)| first(text));
    known.map_or_else(String::new, |line| format!("{line}\n"))
}

/// What people have to do besides.
fn tell(proposal: &mut Proposal, args: &OnboardArgs, fleet: &Fleet, fields: &Fields) {
    let slug = args.slug.as_str();
    let id = fields.iter().find(|(field, _)| field == "tenant.id").map(|(_, value)| edit::shown(value));
    let owner = Owner::Tenant(slug, id.as_deref().unwrap_or_default());
    let mut names = vec![("llm", "the key of its language model")];
    if has(fields, "integrations.externalCortexUrl") {
        names.push(("cortex", "the key of the customer's Cortex"));
    }
    for (name, what) in names {
        let remote = backend::remote(&fleet.install, owner, name, "api_key", 1);
        let property =
            if remote.property.is_empty() { String::new() } else { format!(", property {}", remote.property) };
        proposal.next.push(format!("before the merge: put {what} into the backend at {}{property}", remote.key));
    }
    if args.pending {
        proposal.notes.push("slug, id and ports are reserved; nothing is rendered yet".into());
        proposal.next.push(format!("when it begins: tenantry activate {slug}"));
    } else {
        proposal.next.push(format!("once its adapter reports: tenantry activate {slug}"));
    }
}
