//! `list`, `show` and `compat`: what the files say, resolved.

use serde_json::json;

use super::fleet;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::{CompatArgs, Format, ShowArgs};
use crate::config::compatibility::Status;
use crate::config::tenant::Tenant;
use crate::config::types::Version;
use crate::error::{Error, Result, exit};
use crate::plan::{self, Decision, Journal};

/// The tenants as a table.
pub fn list(screen: &Screen) -> Result<u8> {
    let mut timings = Timings::default();
    let loaded = fleet::load(&screen.global().fleet, &mut timings)?;
    let Some(fleet) = &loaded.fleet else { return screen.refuse("inspect", loaded.findings, &loaded.source) };
    let (plan, findings) = plan::plan(fleet, &loaded.source);
    let mut rows = Vec::new();
    for (slug, tenant) in &fleet.tenants {
        let resolved =
            plan.as_ref().and_then(|plan| plan.clusters.iter().find_map(|cluster| cluster.tenants.get(slug.as_str())));
        rows.push(json!({
            "slug": slug,
            "name": tenant.tenant.display_name,
            "state": tenant.lifecycle.state,
            "cluster": tenant.tenant.cluster,
            "tier": resolved.map(|plan| plan.tier),
            "profile": resolved.map(|plan| plan.profile),
            "chart": resolved.map(|plan| plan.chart_version),
            "ingress": resolved.map(|plan| plan.wazuh_mode),
            "hostname": resolved.map(|plan| plan.hostname.as_str()),
        }));
    }
    if screen.wants(Format::Json) {
        screen.print(&format!("{}\n", serde_json::to_string_pretty(&rows).unwrap_or_default()))?;
    } else {
        screen.print(&table(
            &rows,
            &["slug", "state", "cluster", "tier", "profile", "chart", "ingress", "hostname", "name"],
        ))?;
    }
    screen.timings(&timings);
    if plan.is_none() { screen.refuse("inspect", findings, &loaded.source) } else { Ok(exit::OK) }
}

/// One tenant's values.
pub fn show(screen: &Screen, args: &ShowArgs) -> Result<u8> {
    let loaded = fleet::load(&screen.global().fleet, &mut Timings::default())?;
    let Some(fleet) = &loaded.fleet else { return screen.refuse("inspect", loaded.findings, &loaded.source) };
    let Some(tenant) = fleet.tenants.get(&args.slug) else {
        let known: Vec<String> = fleet.tenants.keys().cloned().collect();
        let error = Error::user(format!("there is no tenant {}", args.slug));
        return Err(match crate::config::schema::nearest(&args.slug, &known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("`tenantry list` shows them"),
        });
    };
    let name = tenant.tenant.cluster.as_str();
    let Some(cluster) = fleet.install.clusters.iter().find(|cluster| cluster.name.as_str() == name) else {
        let (_, findings) = plan::plan(fleet, &loaded.source);
        return screen.refuse("inspect", findings, &loaded.source);
    };
    let system = cluster.system_version.as_ref().unwrap_or(&fleet.install.charts.system_version);
    let mut journal = Journal::default();
    let (_, mut findings) = plan::resolve(fleet, cluster, system, tenant, &mut journal);
    plan::place(&mut findings, fleet, &loaded.source, &loaded.memo);
    let mut decisions = identity(tenant);
    decisions.extend(journal.0);
    if screen.wants(Format::Json) {
        let rows: Vec<_> = decisions
            .iter()
            .map(|decision| json!({ "field": decision.field, "value": decision.value, "origin": decision.origin.to_string() }))
            .collect();
        screen.print(&format!("{}\n", serde_json::to_string_pretty(&rows).unwrap_or_default()))?;
    } else {
        screen.print(&lines(&decisions, args.origin))?;
    }
    if findings.is_empty() { Ok(exit::OK) } else { screen.refuse("inspect", findings, &loaded.source) }
}

/// What the tenant's file says outright.
fn identity(tenant: &Tenant) -> Vec<Decision> {
    let own = |field: &str, value: String, pointer: &str| Decision {
        field: field.into(),
        value,
        origin: plan::Origin::Tenant(pointer.into()),
    };
    vec![
        own("tenant.slug", tenant.tenant.slug.to_string(), "/tenant/slug"),
        own("tenant.id", tenant.tenant.id.to_string(), "/tenant/id"),
        own("tenant.displayName", tenant.tenant.display_name.to_string(), "/tenant/displayName"),
        own("tenant.cluster", tenant.tenant.cluster.to_string(), "/tenant/cluster"),
        own("lifecycle.state", tenant.lifecycle.state.as_str().into(), "/lifecycle/state"),
    ]
}

fn lines(decisions: &[Decision], origin: bool) -> String {
    let field = decisions.iter().map(|decision| decision.field.len()).max().unwrap_or(0);
    let value = decisions.iter().map(|decision| decision.value.chars().count()).max().unwrap_or(0).min(48);
    let mut text = String::new();
    for decision in decisions {
        let line = format!("{:<field$}  {:<value$}", decision.field, decision.value);
        let line = if origin { format!("{line}  # {}", decision.origin) } else { line };
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// Whether a chart version runs under a system version.
pub fn compat(screen: &Screen, args: &CompatArgs) -> Result<u8> {
    let version = |text: &str| {
        Version::parse(text)
            .map_err(|expected| Error::usage(format!("{text:?} is no version")).hint(format!("expected {expected}")))
    };
    let (system, tenant) = (version(&args.system)?, version(&args.tenant)?);
    let loaded = fleet::load(&screen.global().fleet, &mut Timings::default())?;
    let Some(fleet) = &loaded.fleet else { return screen.refuse("inspect", loaded.findings, &loaded.source) };
    let entry = fleet.compatibility.find(&system, &tenant);
    let word = entry.map_or("unknown", |entry| entry.status.as_str());
    let notes = entry.and_then(|entry| entry.notes.clone());
    if screen.wants(Format::Json) {
        let value = json!({ "system": system, "tenant": tenant, "status": word, "notes": notes });
        screen.print(&format!("{value}\n"))?;
    } else {
        let notes = notes.map(|notes| format!(" ({notes})")).unwrap_or_default();
        screen.print(&format!("{word}{notes}\n"))?;
    }
    Ok(match entry.map(|entry| entry.status) {
        Some(Status::Supported | Status::Deprecated) => exit::OK,
        Some(Status::Blocked) | None => exit::GUARD,
    })
}

/// Columns, aligned.
pub fn table(rows: &[serde_json::Value], columns: &[&str]) -> String {
    let text = |row: &serde_json::Value, column: &str| match &row[column] {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Null => "-".into(),
        other => other.to_string(),
    };
    let widths: Vec<usize> = columns
        .iter()
        .map(|column| rows.iter().map(|row| text(row, column).chars().count()).max().unwrap_or(0).max(column.len()))
        .collect();
    let mut out = String::new();
    let mut line = |cells: Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        out.push_str(padded.join("  ").trim_end());
        out.push('\n');
    };
    line(columns.iter().map(|column| column.to_uppercase()).collect());
    for row in rows {
        line(columns.iter().map(|column| text(row, column)).collect());
    }
    out
}
