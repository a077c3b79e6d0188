//! The steps of a tenant's life (R0): which are open in which state, and from which day on.

use crate::config::install::Lifecycle;
use crate::config::tenant::{State, Tenant};
use crate::config::types::{Day, Span};
use crate::edit::Change;
use crate::error::{Error, Result};

/// A step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Pending → provisioning → active.
    Activate,
    /// Stops its pods; disks and secrets stay.
    Suspend,
    /// Back into service.
    Resume,
    /// Begins the grace period; `true` lets agents in until it is over.
    Decommission(bool),
    /// Removes its manifests; a tombstone stays.
    Retire,
    /// Removes the tombstone.
    Remove,
}

impl Step {
    /// The verb.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Activate => "activate",
            Self::Suspend => "suspend",
            Self::Resume => "resume",
            Self::Decommission(_) => "decommission",
            Self::Retire => "retire",
            Self::Remove => "remove",
        }
    }
}

/// The verbs that are open in a state, apart from their days.
pub fn open(state: State) -> &'static [&'static str] {
    match state {
        State::Pending => &["activate", "remove"],
        State::Provisioning => &["activate", "decommission", "set", "upgrade", "rotate"],
        State::Active => &["suspend", "decommission", "set", "upgrade", "rotate"],
        State::Suspended => &["resume", "decommission", "set", "upgrade", "rotate"],
        State::Decommissioning => &["resume", "retire", "set", "rotate"],
        State::Retired => &["remove"],
    }
}

/// The state that a step leads to; `None` for the end.
///
/// # Errors
/// A guard error if the step is not open in the tenant's state, or not yet.
pub fn next(tenant: &Tenant, step: Step, spans: &Lifecycle, today: &Day) -> Result<Option<State>> {
    let state = tenant.lifecycle.state;
    admit(tenant, step.as_str())?;
    refuse_earlier(tenant, today)?;
    Ok(Some(match (step, state) {
        (Step::Activate, State::Pending) => State::Provisioning,
        (Step::Activate | Step::Resume, _) => State::Active,
        (Step::Suspend, _) => State::Suspended,
        (Step::Decommission(_), _) => State::Decommissioning,
        (Step::Retire, _) => {
            wait(tenant, "its grace period", &spans.grace_period, today)?;
            State::Retired
        }
        (Step::Remove, State::Pending) => return Ok(None),
        (Step::Remove, _) => {
            wait(tenant, "the retention of its tombstone", &spans.retention, today)?;
            return Ok(None);
        }
    }))
}

/// Refuses a verb that is not open in a tenant's state.
///
/// # Errors
/// A guard error with the verbs that are.
pub fn admit(tenant: &Tenant, verb: &str) -> Result<()> {
    let state = tenant.lifecycle.state;
    if open(state).contains(&verb) {
        return Ok(());
    }
    let slug = &tenant.tenant.slug;
    let error = Error::guard(format!("tenant {slug} is {}: `{verb}` is not open to it", state.as_str()));
    Err(error.hint(format!("open steps: {}", open(state).join(", "))))
}

/// A step is never dated before the one before it: a grace period could be over when it begins.
fn refuse_earlier(tenant: &Tenant, today: &Day) -> Result<()> {
    let Some(since) = tenant.lifecycle.since.as_ref().filter(|since| *since > today) else { return Ok(()) };
    let (slug, state) = (&tenant.tenant.slug, tenant.lifecycle.state.as_str());
    let error = Error::guard(format!("tenant {slug} is {state} since {since}, which is after the day given, {today}"));
    Err(error.hint(format!("give a day from {since} on, or mend lifecycle.since in tenants/{slug}.yaml")))
}

/// The first day on which a span that began with the tenant's state is over.
pub fn due(tenant: &Tenant, span: &Span) -> Option<Day> {
    tenant.lifecycle.since.as_ref().map(|since| since.after(span))
}

fn wait(tenant: &Tenant, what: &str, span: &Span, today: &Day) -> Result<()> {
    let slug = &tenant.tenant.slug;
    let Some(day) = due(tenant, span) else {
        let error =
            Error::user(format!("tenant {slug} does not say since when it is {}", tenant.lifecycle.state.as_str()));
        return Err(error.hint("add lifecycle.since to its file: the day of the step"));
    };
    if *today >= day {
        return Ok(());
    }
    let since = tenant.lifecycle.since.as_ref().map(Day::as_str).unwrap_or_default();
    let error = Error::guard(format!("tenant {slug}: {what} ends on {day}, and today is {today}"));
    Err(error
        .cause(format!("{} since {since}, and {span} by install.yaml", tenant.lifecycle.state.as_str()))
        .hint(format!("run it again from {day} on; open steps: {}", rest(tenant).join(", "))))
}

/// What may be done instead of waiting.
fn rest(tenant: &Tenant) -> Vec<&'static str> {
    let state = tenant.lifecycle.state;
    let waits = |verb: &&&str| !matches!(**verb, "retire" | "remove");
    let verbs: Vec<&str> = open(state).iter().filter(waits).copied().collect();
    if verbs.is_empty() { vec!["none"] } else { verbs }
}

/// What a step changes in the tenant's file.
pub fn changes(tenant: &Tenant, step: Step, to: State, today: &Day) -> Vec<Change> {
    let mut changes = vec![Change::set("lifecycle.state", to.as_str()), Change::set("lifecycle.since", today.as_str())];
    match step {
        Step::Decommission(keep) if keep != tenant.lifecycle.keep_agent_ingress => {
            changes.push(Change::set("lifecycle.keepAgentIngress", keep));
        }
        Step::Decommission(_) | Step::Activate | Step::Suspend | Step::Remove => {}
        Step::Resume | Step::Retire => changes.push(Change::remove("lifecycle.keepAgentIngress")),
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenant(state: &str, since: &str) -> Tenant {
        let text = format!(
            "apiVersion: tenantry.io/v1\nkind: Tenant\ntenant: {{ id: 0b6f7d1a-8f4e-4c57-9d2a-1a5b0c7e4f01, slug: acme, displayName: Acme, cluster: eu-1 }}\nlifecycle: {{ state: {state}, since: {since} }}\n"
        );
        crate::config::read("tenants/acme.yaml", &text, crate::config::Kind::Tenant).unwrap()
    }

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    #[test]
    fn no_step_is_dated_before_the_one_before_it() {
        let step = |today: &str| {
            next(&tenant("active", "2026-02-01"), Step::Decommission(false), &Lifecycle::default(), &day(today))
        };
        let error = step("2026-01-31").unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(
            error.to_string().contains("active since 2026-02-01, which is after the day given, 2026-01-31"),
            "{error}"
        );
        assert_eq!(step("2026-02-01").unwrap(), Some(State::Decommissioning));
    }

    #[test]
    fn nothing_ends_of_which_nobody_knows_when_it_began() {
        let retire = |tenant: &Tenant| next(tenant, Step::Retire, &Lifecycle::default(), &day("2027-01-01"));
        let known = tenant("decommissioning", "2026-01-01");
        let mut unknown = known.clone();
        unknown.lifecycle.since = None;
        let error = retire(&unknown).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        assert!(error.to_string().contains("tenant acme does not say since when it is decommissioning"), "{error}");
        assert_eq!(retire(&known).unwrap(), Some(State::Retired));
    }

    #[test]
    fn every_step_is_open_where_it_should_be_and_refused_elsewhere_with_what_is() {
        let steps =
            [Step::Activate, Step::Suspend, Step::Resume, Step::Decommission(false), Step::Retire, Step::Remove];
        for (state, ends) in [
            ("pending", vec![Some("provisioning"), None, None, None, None, Some("gone")]),
            ("provisioning", vec![Some("active"), None, None, Some("decommissioning"), None, None]),
            ("active", vec![None, Some("suspended"), None, Some("decommissioning"), None, None]),
            ("suspended", vec![None, None, Some("active"), Some("decommissioning"), None, None]),
            ("decommissioning", vec![None, None, Some("active"), None, Some("retired"), None]),
            ("retired", vec![None, None, None, None, None, Some("gone")]),
        ] {
            let tenant = tenant(state, "2026-01-01");
            for (step, end) in steps.iter().zip(ends) {
                let found = next(&tenant, *step, &Lifecycle::default(), &day("2030-01-01"));
                match end {
                    Some(end) => assert_eq!(found.unwrap().map_or("gone", State::as_str), end, "{state} {step:?}"),
                    None => {
                        let error = found.unwrap_err();
                        assert_eq!(error.exit_code(), 4, "{state} {step:?}");
                        assert!(error.hints()[0].starts_with("open steps: "), "{error}");
                    }
                }
            }
        }
    }

    #[test]
    fn grace_and_retention_are_over_on_their_day_and_not_before() {
        for (state, step, early, due) in [
            ("decommissioning", Step::Retire, "2026-01-30", "2026-01-31"),
            ("retired", Step::Remove, "2026-12-31", "2027-01-01"),
        ] {
            let tenant = tenant(state, "2026-01-01");
            let error = next(&tenant, step, &Lifecycle::default(), &day(early)).unwrap_err();
            assert_eq!(error.exit_code(), 4);
            assert!(error.message().contains(due), "{error}");
            assert!(next(&tenant, step, &Lifecycle::default(), &day(due)).is_ok());
        }
    }
}
