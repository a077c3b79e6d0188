//! `capacity`: what the tenants ask of each cluster, what there is, and how many more fit.

use std::fmt::Write as _;

use schemars::JsonSchema;
use serde::Serialize;

use super::fleet;
use super::screen::Screen;
use super::timings::Timings;
use crate::cli::{CapacityArgs, Format};
use crate::error::{Error, Result, exit};
use crate::finding::exit_code;
use crate::plan::capacity::{Basis, Usage, of_fleet};
use crate::plan::{self, Plan};
use crate::report::Report;

/// The answer as JSON.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Document {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `Capacity`.
    pub kind: String,
    /// Version of the program.
    pub tool_version: String,
    /// Resources of which the clusters are not told how much they have.
    pub undeclared: Vec<String>,
    /// The numbers.
    pub resources: Vec<Row>,
    /// How many more tenants of the default profile fit on each cluster.
    pub fits: Vec<Fit>,
}

/// One resource.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The cluster; absent for what the whole fleet shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What is counted.
    pub resource: String,
    /// The part, such as a shard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    /// What the tenants ask for, as Kubernetes writes amounts.
    pub used: String,
    /// How much there is; absent if nothing bounds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Who says how much there is: `declared`, or the source of what is known to work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub basis: Option<String>,
    /// Used share, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<i64>,
    /// How many more tenants of the default profile fit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fits: Option<i64>,
}

/// How many more tenants fit.
#[derive(Debug, Clone, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Fit {
    /// The cluster.
    pub cluster: String,
    /// How many; absent if nothing bounds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenants: Option<i64>,
    /// What runs out first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// The JSON Schema of the answer.
pub fn schema() -> serde_json::Value {
    crate::report::schema_of::<Document>("the JSON answer of `tenantry capacity`")
}

/// Runs the command.
pub fn run(screen: &Screen, args: &CapacityArgs) -> Result<u8> {
    let mut timings = Timings::default();
    let loaded = fleet::load(&screen.global().fleet, &mut timings)?;
    let mut findings = loaded.findings.clone();
    let Some(plan) = timings.step("plan", || fleet::plan(&loaded, &mut findings)) else {
        let code = exit_code(&findings);
        screen.report(&Report { command: "capacity", findings, ..Report::default() }, &loaded.source)?;
        return Ok(code);
    };
    if let Some(wanted) = &args.cluster
        && !plan.clusters.iter().any(|cluster| cluster.cluster.name.as_str() == wanted)
    {
        let known: Vec<&str> = plan.clusters.iter().map(|cluster| cluster.cluster.name.as_str()).collect();
        return Err(
            Error::user(format!("there is no cluster {wanted}")).hint(format!("clusters: {}", known.join(", ")))
        );
    }
    let usages = of_fleet(&plan);
    let wanted = |usage: &&Usage<'_>| {
        usage.cluster.is_none() || args.cluster.is_none() || usage.cluster == args.cluster.as_deref()
    };
    let usages: Vec<&Usage<'_>> = usages.iter().filter(wanted).collect();
    let document = document(&plan, &usages, args.cluster.as_deref());
    screen.write(|format| match format {
        Format::Text => Some(text(&document)),
        Format::Json => Some(format!("{}\n", serde_json::to_string_pretty(&document).unwrap_or_default())),
        _ => None,
    })?;
    screen.timings(&timings);
    let refused = usages.iter().any(|usage| {
        let declared = usage.limit.as_ref().is_some_and(|limit| limit.basis == Basis::Declared);
        usage.is_exceeded() && declared && usage.resource != plan::capacity::Resource::Etcd
    });
    Ok(if refused { exit::FINDINGS } else { exit::OK })
}

fn document(plan: &Plan<'_>, usages: &[&Usage<'_>], only: Option<&str>) -> Document {
    let number = |milli: i128| i64::try_from(milli).unwrap_or(i64::MAX);
    let row = |usage: &&Usage<'_>| Row {
        cluster: usage.cluster.map(str::to_owned),
        resource: usage.resource.title().to_owned(),
        part: usage.part.clone(),
        used: usage.resource.amount(usage.used),
        limit: usage.limit.as_ref().map(|limit| usage.resource.amount(limit.amount)),
        basis: usage.limit.as_ref().map(|limit| match limit.basis {
            Basis::Declared => "declared".to_owned(),
            Basis::Known(source) => source.to_owned(),
        }),
        percent: usage.percent().map(number),
        fits: usage.fits().map(number),
    };
    let names = plan.clusters.iter().map(|cluster| cluster.cluster.name.as_str());
    let fit = |cluster: &str| {
        // Shards take tenants by their names: the fleet has room for as long as one of them has.
        let of = usages.iter().filter(|usage| usage.cluster.is_none_or(|own| own == cluster) && usage.part.is_none());
        let least = of.filter_map(|usage| Some((usage.fits()?, usage.resource.title()))).min();
        let (tenants, first) = least.unzip();
        Fit { cluster: cluster.to_owned(), tenants: tenants.map(number), first: first.map(str::to_owned) }
    };
    let undeclared = usages.iter().filter(|usage| usage.limit.is_none());
    Document {
        api_version: "tenantry.io/v1".to_owned(),
        kind: "Capacity".to_owned(),
        tool_version: fleet::VERSION.to_owned(),
        undeclared: undeclared
            .map(|usage| format!("{}: {}", usage.cluster.unwrap_or("fleet"), usage.resource.title()))
            .collect(),
        resources: usages.iter().map(row).collect(),
        fits: names.filter(|name| only.is_none_or(|only| only == *name)).map(fit).collect(),
    }
}

/// The numbers as a table, the best known bound behind them.
fn text(document: &Document) -> String {
    let mut rows = vec![["CLUSTER", "RESOURCE", "USED", "OF", "SHARE", "FIT"].map(str::to_owned)];
    for row in &document.resources {
        let part = row.part.as_ref().map(|part| format!(" ({part})")).unwrap_or_default();
        let known = row.basis.as_deref().is_some_and(|basis| basis != "declared");
        let limit = row.limit.as_ref().map_or_else(|| "not declared".to_owned(), Clone::clone);
        rows.push([
            row.cluster.clone().unwrap_or_else(|| "(fleet)".to_owned()),
            format!("{}{part}", row.resource),
            row.used.clone(),
            if known { format!("~{limit}") } else { limit },
            row.percent.map(|percent| format!("{percent} %")).unwrap_or_default(),
            row.fits.map(|fits| fits.to_string()).unwrap_or_default(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    let mut out = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let pad = widths[column] - cell.chars().count();
            let (before, after) = if column < 2 { (0, pad) } else { (pad, 0) };
            let _ = write!(line, "{}{cell}{}  ", " ".repeat(before), " ".repeat(after));
        }
        let _ = writeln!(out, "{}", line.trim_end());
    }
    out.push_str("~ nothing is declared: what is known to work elsewhere (-o json names the source)\n");
    for fit in &document.fits {
        let _ = match (fit.tenants, &fit.first) {
            (Some(tenants), Some(first)) => {
                writeln!(
                    out,
                    "{}: {tenants} more tenants of the default profile fit; {first} run out first",
                    fit.cluster
                )
            }
            _ => writeln!(out, "{}: nothing bounds the number of tenants", fit.cluster),
        };
    }
    out
}
