//! `upgrade`: another version of soctalk-tenant, for one tenant or for the fleet in waves.

use super::base::Base;
use super::proposal::{Halt, Outcome, Proposal};
use crate::cli::UpgradeArgs;
use crate::config::Fleet;
use crate::config::tenant::Tenant;
use crate::config::types::Version;
use crate::edit::Change;
use crate::error::{Error, Result};
use crate::plan::{lifecycle, waves};

/// What `upgrade` proposes.
pub fn propose(args: &UpgradeArgs, base: &Base) -> Outcome {
    if args.canary.is_some_and(|amount| amount.of(100) == 0) {
        return Err(Error::usage("a wave of no tenant is none")
            .hint("--canary takes a number from 1, or a share")
            .into());
    }
    let fleet = base.fleet()?;
    let scope = scope(args, base, fleet)?;
    let is_there = |slug: &str| fleet.tenants.get(slug).is_some_and(|tenant| *version(fleet, tenant) == args.to);
    let done = scope.iter().filter(|slug| is_there(slug)).count();
    if args.go_on && done == 0 && !scope.is_empty() {
        let error = Error::guard(format!("no tenant is at {} yet: there is no wave to continue", args.to));
        return Err(error.hint("begin with --canary N or --canary P%").into());
    }
    let order = waves::order(scope.iter().copied(), &args.to);
    let wave = waves::wave(&order, args.canary, args.go_on, is_there);
    let mut proposal = Proposal::new(title(args, &wave));
    proposal.nothing = match scope.len() - done {
        0 if scope.len() == 1 => format!("nothing to change: {} is at {} already", scope[0], args.to),
        0 => format!("nothing to change: all {} are at {} already", scope.len(), args.to),
        left => format!(
            "nothing to change: this wave is at {} already, {left} of {} are left: --continue",
            args.to,
            scope.len()
        ),
    };
    let mut slugs = wave.clone();
    slugs.sort_unstable();
    for slug in &slugs {
        refuse_downgrade(args, fleet, slug)?;
    }
    for slug in &slugs {
        proposal.edit(base, slug, &[Change::set("tenant.chartVersion", args.to.as_str())])?;
        // What held before was the install's where the file named none.
        if let Some(row) = proposal.rows.last_mut().filter(|row| row.from == "-")
            && let Some(tenant) = fleet.tenants.get(*slug)
        {
            row.from = format!("{} (default)", version(fleet, tenant));
        }
    }
    let left = scope.len() - done - wave.len();
    if left > 0 {
        proposal.notes.push(format!("{} of {} are at {} with this wave", scope.len() - left, scope.len(), args.to));
        let mut again = vec![format!("tenantry upgrade{} --to {} --continue", words(args), args.to)];
        again.extend(args.canary.map(|amount| format!("--canary {amount}")));
        again.extend(args.downgrade.then(|| "--downgrade".to_owned()));
        proposal.next.push(format!("once these run well: {}", again.join(" ")));
    } else if args.all && fleet.install.charts.tenant_version != args.to {
        let old = &fleet.install.charts.tenant_version;
        proposal.next.push(format!("new tenants still get {old}: raise charts.tenantVersion in install.yaml"));
    }
    Ok(proposal)
}

fn title(args: &UpgradeArgs, wave: &[&str]) -> String {
    let who = match wave {
        [one] => format!("tenant {one}"),
        many => format!("{} tenants", many.len()),
    };
    format!("Upgrade {who} to soctalk-tenant {}", args.to)
}

/// The options that name the tenants, to be written again.
fn words(args: &UpgradeArgs) -> String {
    match (&args.selector, args.all) {
        (Some(selector), _) => format!(" -l {selector}"),
        (None, true) => " --all".into(),
        (None, false) => args.slugs.iter().map(|slug| format!(" {slug}")).collect(),
    }
}

/// The version that a tenant runs.
fn version<'a>(fleet: &'a Fleet, tenant: &'a Tenant) -> &'a Version {
    tenant.tenant.chart_version.as_ref().unwrap_or(&fleet.install.charts.tenant_version)
}

/// The tenants that are meant. Those that were named must be open to an upgrade; of all, those that are.
fn scope<'a>(args: &'a UpgradeArgs, base: &'a Base, fleet: &'a Fleet) -> Result<Vec<&'a str>, Halt> {
    if !args.slugs.is_empty() {
        for slug in &args.slugs {
            lifecycle::admit(base.tenant(slug)?, "upgrade")?;
        }
        let mut slugs: Vec<&str> = args.slugs.iter().map(String::as_str).collect();
        slugs.sort_unstable();
        slugs.dedup();
        return Ok(slugs);
    }
    let terms = match (&args.selector, args.all) {
        (Some(selector), _) => terms(selector)?,
        (None, true) => Vec::new(),
        (None, false) => {
            return Err(Error::usage("name tenants, or --all, or --selector K=V").into());
        }
    };
    let is_open = |tenant: &Tenant| lifecycle::open(tenant.lifecycle.state).contains(&"upgrade");
    let chosen: Vec<&str> = fleet
        .tenants
        .iter()
        .filter(|(_, tenant)| is_open(tenant) && terms.iter().all(|term| term.holds(fleet, tenant)))
        .map(|(slug, _)| slug.as_str())
        .collect();
    if chosen.is_empty() {
        return Err(Error::user("no tenant is meant by that, or none that can be upgraded")
            .hint("`tenantry list` shows them")
            .into());
    }
    Ok(chosen)
}

/// `key=value` or `key!=value`.
struct Term<'a> {
    key: &'a str,
    value: &'a str,
    wanted: bool,
}

/// Keys of a selector.
const KEYS: [&str; 7] = ["cluster", "region", "tier", "profile", "state", "chart", "ingress"];

fn terms(selector: &str) -> Result<Vec<Term<'_>>> {
    let mut found = Vec::new();
    for part in selector.split(',').map(str::trim) {
        let (key, value, wanted) = match (part.split_once("!="), part.split_once('=')) {
            (Some((key, value)), _) => (key, value, false),
            (None, Some((key, value))) => (key, value, true),
            (None, None) => return Err(Error::usage(format!("{part:?} is not KEY=VALUE"))),
        };
        if !KEYS.contains(&key) {
            let known = KEYS.map(str::to_owned);
            let error =
                Error::usage(format!("tenants are not chosen by {key:?}")).hint(format!("keys: {}", KEYS.join(", ")));
            return Err(match crate::config::schema::nearest(key, &known) {
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            });
        }
        found.push(Term { key, value, wanted });
    }
    Ok(found)
}

impl Term<'_> {
    fn holds(&self, fleet: &Fleet, tenant: &Tenant) -> bool {
        let defaults = &fleet.install.defaults;
        let cluster = fleet.install.clusters.iter().find(|cluster| cluster.name == tenant.tenant.cluster);
        let found = match self.key {
            "cluster" => tenant.tenant.cluster.to_string(),
            "region" => cluster.map(|cluster| cluster.region.to_string()).unwrap_or_default(),
            "tier" => word(&tenant.tenant.tier.unwrap_or(defaults.tier)),
            "profile" => word(&tenant.sizing.profile.unwrap_or(defaults.profile)),
            "state" => tenant.lifecycle.state.as_str().to_owned(),
            "chart" => version(fleet, tenant).to_string(),
            _ => word(&tenant.wazuh_ingress.mode.unwrap_or(defaults.wazuh_ingress_mode)),
        };
        (found == self.value) == self.wanted
    }
}

/// A closed word of a config file as text.
fn word(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

fn refuse_downgrade(args: &UpgradeArgs, fleet: &Fleet, slug: &str) -> Result<()> {
    let Some(tenant) = fleet.tenants.get(slug) else { return Ok(()) };
    let parse = |version: &Version| semver::Version::parse(version.as_str()).ok();
    let from = version(fleet, tenant);
    if args.downgrade || parse(&args.to) >= parse(from) {
        return Ok(());
    }
    let error = Error::guard(format!("tenant {slug} runs {from}, which is newer than {}", args.to));
    Err(error
        .hint("to undo an upgrade, revert its commit: data may have been migrated since")
        .hint("--downgrade goes back all the same"))
}
