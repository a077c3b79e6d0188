//! `rotate`: the next version of a secret, or what to do where another one makes it.

use super::base::Base;
use super::proposal::{Halt, Outcome, Proposal};
use crate::cli::RotateArgs;
use crate::config::schema::nearest;
use crate::config::tenant::Tenant;
use crate::edit::{Change, Value};
use crate::error::{Error, Result};
use crate::plan::{lifecycle, names};
use crate::render::backend::{self, Owner};
use crate::secrets::rotation::{self, Way};
use crate::secrets::{Row, Scope};

/// What `rotate` proposes.
pub fn propose(args: &RotateArgs, base: &Base) -> Outcome {
    let tenant = base.tenant(&args.slug)?;
    lifecycle::admit(tenant, "rotate")?;
    let row = find(args, tenant)?;
    let own_cortex = tenant.integrations.external_cortex_url.is_none();
    let way = rotation::way(row, own_cortex);
    let version = tenant.secrets.iter().find(|(name, _)| name.as_str() == row.backend_name);
    if let Some((_, last)) = version.filter(|(_, last)| last.rotated > base.today) {
        let (name, day, today) = (row.backend_name, &last.rotated, &base.today);
        let error = Error::guard(format!("{name} was rotated on {day}, which is after the day given, {today}"));
        return Err(error.hint(format!("give a day from {day} on, or mend secrets.{name}.rotated")).into());
    }
    let version = version.map_or(1, |(_, rotated)| rotated.version);
    match (way, args.record) {
        (Way::Version, false) => next_version(args, base, tenant, row, version),
        (Way::Operator | Way::Minted, true) => record(args, base, row, version),
        (Way::Version, true) => Err(Halt::Error(
            Error::guard(format!("{} is generated: a day without a new version would be wrong", row.backend_name))
                .hint(format!("tenantry rotate {} {}", args.slug, row.backend_name)),
        )),
        (way, _) => Err(Halt::Error(elsewhere(args, base, tenant, row, way, version)?)),
    }
}

fn find(args: &RotateArgs, tenant: &Tenant) -> Result<&'static Row> {
    let own_cortex = tenant.integrations.external_cortex_url.is_none();
    let id = tenant.tenant.id.as_str();
    let row = rotation::find(&args.secret, id).ok_or_else(|| {
        let known = rotation::names();
        let error = Error::user(format!("there is no secret {}", args.secret));
        let error = error.hint(format!("secrets of a tenant: {}", known.join(", ")));
        match nearest(&args.secret, &known) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        }
    })?;
    if row.when == crate::secrets::inventory::When::OwnCortex && !own_cortex {
        let error =
            Error::guard(format!("tenant {} has no {}: its Cortex is the customer's", args.slug, row.backend_name));
        return Err(error.hint("its key is `cortex`"));
    }
    Ok(row)
}

fn next_version(args: &RotateArgs, base: &Base, tenant: &Tenant, row: &Row, version: u32) -> Outcome {
    let (slug, name) = (args.slug.as_str(), row.backend_name);
    let to = version + 1;
    let mut proposal = Proposal::new(format!("Rotate {name} of tenant {slug} to version {to}"));
    let at = format!("secrets.{name}");
    let changes = if version == 1 && !tenant.secrets.keys().any(|key| key.as_str() == name) {
        vec![Change::set(&at, Value::map([("version", to.into()), ("rotated", base.today.as_str().into())]))]
    } else {
        vec![Change::set(&format!("{at}.version"), to), Change::set(&format!("{at}.rotated"), base.today.as_str())]
    };
    proposal.edit(base, slug, &changes)?;
    let place = place(base, tenant, row, to)?;
    proposal.notes.push(format!("the new value is generated in the cluster and pushed to {place}; nobody sees it"));
    proposal
        .notes
        .push(format!("the old value stays at {} until it is deleted there", self::place(base, tenant, row, version)?));
    if let Some(besides) = rotation::besides(row) {
        proposal.next.push(besides.to_owned());
    }
    proposal.next.push(format!("undo: lower {at}.version to {version} again; the old value is still in the backend"));
    Ok(proposal)
}

/// Notes the day on which somebody else wrote the value.
fn record(args: &RotateArgs, base: &Base, row: &Row, version: u32) -> Outcome {
    let (slug, name) = (args.slug.as_str(), row.backend_name);
    let mut proposal = Proposal::new(format!("Record the rotation of {name} of tenant {slug}"));
    let at = format!("secrets.{name}");
    let changes = vec![
        Change::set(&format!("{at}.version"), version),
        Change::set(&format!("{at}.rotated"), base.today.as_str()),
    ];
    proposal.nothing = format!("nothing to change: {name} of {slug} was rotated on {} already", base.today);
    proposal.edit(base, slug, &changes)?;
    proposal.notes.push("no manifest changes: the value lies where it lay".into());
    Ok(proposal)
}

/// Where a value lies in the backend.
fn place(base: &Base, tenant: &Tenant, row: &Row, version: u32) -> Result<String, Halt> {
    let install = &base.fleet()?.install;
    let owner = match row.scope {
        Scope::System => Owner::Install,
        _ => Owner::Tenant(tenant.tenant.slug.as_str(), tenant.tenant.id.as_str()),
    };
    let values = row.keys.iter().filter_map(|key| match key {
        crate::secrets::inventory::Key::Value(name) => Some(*name),
        crate::secrets::inventory::Key::Constant(..) => None,
    });
    let places: Vec<String> = values
        .map(|key| {
            let remote = backend::remote(install, owner, row.backend_name, key, version);
            match remote.property.as_str() {
                "" => remote.key,
                property => format!("{} (property {property})", remote.key),
            }
        })
        .collect();
    Ok(places.join(", "))
}

/// What to do instead, where a version in the file changes nothing.
fn elsewhere(
    args: &RotateArgs,
    base: &Base,
    tenant: &Tenant,
    row: &Row,
    way: Way,
    version: u32,
) -> Result<Error, Halt> {
    let (slug, name) = (args.slug.as_str(), row.backend_name);
    let place = place(base, tenant, row, version)?;
    let namespace = match row.scope {
        Scope::Tenant => names::namespace(slug),
        _ => names::SYSTEM_NAMESPACE.to_owned(),
    };
    let note = format!("then note the day: tenantry rotate {slug} {name} --record");
    Ok(match way {
        Way::Operator => Error::guard(format!("{name} is given by an operator: no version in Git makes a new one"))
            .hint(format!("write the new value to {place} in the backend; External Secrets reads it by itself"))
            .hint(note),
        Way::Minted => Error::guard(format!("{name} is minted by SocTalk: no version in Git makes a new one"))
            .hint(format!("let SocTalk mint the next one; it writes it to {place}"))
            .hint(note),
        Way::Certificate => {
            let secret = row.secret_name(tenant.tenant.id.as_str());
            Error::guard(format!("{name} is a certificate: cert-manager renews it by the rotation policy"))
                .hint(format!("to renew it now: cmctl renew {secret} -n {namespace}"))
        }
        Way::Install | Way::Version => {
            let besides = "a database keeps its users' passwords: ALTER ROLE … WITH PASSWORD there first";
            let error = Error::guard(format!("{name} belongs to the install, not to tenant {slug}"));
            let error = if name.contains("postgres") { error.hint(besides) } else { error };
            error
                .hint(format!("write the new value to {place} in the backend, and restart what reads it"))
                .hint(format!("then note the day in install.yaml: secrets.rotated.{name}"))
        }
    })
}
