//! The steps of a tenant's life.

use super::base::Base;
use super::proposal::{FileChange, Outcome, Proposal, Row};
use crate::config::tenant::{State, Tenant};
use crate::config::tenant_file;
use crate::error::Error;
use crate::plan::lifecycle::{self, Step};

/// What a step proposes.
pub fn propose(base: &Base, slug: &str, step: Step) -> Outcome {
    let tenant = base.tenant(slug)?;
    let spans = &base.fleet()?.install.lifecycle;
    let Some(to) = lifecycle::next(tenant, step, spans, &base.today)? else { return removal(base, tenant) };
    let mut proposal = Proposal::new(title(step, slug));
    proposal.edit(base, slug, &lifecycle::changes(tenant, step, to, &base.today))?;
    tell(&mut proposal, base, tenant, step, to)?;
    Ok(proposal)
}

fn title(step: Step, slug: &str) -> String {
    let verb = match step {
        Step::Activate => "Activate",
        Step::Suspend => "Suspend",
        Step::Resume => "Resume",
        Step::Decommission(_) => "Decommission",
        Step::Retire => "Retire",
        Step::Remove => "Remove",
    };
    format!("{verb} tenant {slug}")
}

/// The file itself goes.
fn removal(base: &Base, tenant: &Tenant) -> Outcome {
    let slug = tenant.tenant.slug.as_str();
    let path = tenant_file(slug);
    let before = base.text(&path)?.ok_or_else(|| Error::environment(format!("{path} is gone")))?;
    let mut proposal = Proposal::new(title(Step::Remove, slug));
    let state = tenant.lifecycle.state.as_str();
    proposal.rows.push(Row { tenant: slug.into(), field: "file".into(), from: state.into(), to: "-".into() });
    proposal.files.push(FileChange { path, before: Some(before), after: None });
    proposal.notes.push("its slug, id and ports may be given to others from now on".into());
    Ok(proposal)
}

/// What a reviewer should know, and what comes next.
fn tell(
    proposal: &mut Proposal,
    base: &Base,
    tenant: &Tenant,
    step: Step,
    to: State,
) -> Result<(), super::proposal::Halt> {
    let slug = tenant.tenant.slug.as_str();
    let spans = &base.fleet()?.install.lifecycle;
    match step {
        Step::Activate if to == State::Provisioning => {
            proposal.next.push(format!("once its adapter reports: tenantry activate {slug}"));
        }
        Step::Activate => {}
        Step::Suspend => proposal.notes.push("its pods stop: the customer is not watched until it is resumed".into()),
        Step::Resume if tenant.lifecycle.state == State::Decommissioning => {
            proposal.notes.push("the grace period ends, and nothing is taken down: it is served as before".into());
        }
        Step::Resume => proposal.notes.push("its pods start again with the data that they left".into()),
        Step::Decommission(keep) => {
            let day = base.today.after(&spans.grace_period);
            let agents = if keep { "agents are let in until then" } else { "agents are no longer let in" };
            proposal.notes.push(format!("its data can be fetched until {day}; {agents}"));
            proposal.next.push(format!("from {day} on: tenantry retire {slug} (until then: tenantry resume {slug})"));
        }
        Step::Retire => {
            let day = base.today.after(&spans.retention);
            proposal.notes.push(
                "every manifest of the tenant goes, and with its namespace its data: there is no way back".into(),
            );
            proposal.notes.push(format!("its slug, id and ports stay reserved until {day}"));
            proposal.next.push(format!("from {day} on: tenantry remove {slug}"));
        }
        Step::Remove => {}
    }
    Ok(())
}
