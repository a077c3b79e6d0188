//! What is due for rotation: the rotation policies against the days that the files record. The day of today is an argument.

use jiff::civil::Date;
use serde::Serialize;

use super::inventory::Origin;
use super::rows::Entry;
use crate::config::Fleet;
use crate::config::RotationPolicy;
use crate::config::rotation::{Class, Rule};
use crate::config::tenant::Tier;
use crate::config::types::Day;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// Whether a Secret has to be rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Due {
    /// Its life is over.
    Overdue,
    /// It ends soon: within `rotateBefore`, or the last tenth.
    Soon,
    /// The files do not say how old it is, or name a day that is still to come.
    Unrecorded,
    /// It may live on.
    Fine,
    /// It rotates by itself, or no policy limits its life.
    Automatic,
}

impl Due {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overdue => "overdue",
            Self::Soon => "soon",
            Self::Unrecorded => "unrecorded",
            Self::Fine => "fine",
            Self::Automatic => "automatic",
        }
    }
}

/// What is known of a Secret's age.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Age {
    /// Version that the files record, from 1.
    pub version: u32,
    /// The day of its last rotation, or a day on which it was there already.
    pub since: Option<Date>,
    /// The day on which its life ends.
    pub ends: Option<Date>,
    /// The verdict.
    pub due: Due,
}

/// The rule for a class and tier: a policy that names the tier goes before one that names none.
pub fn rule(fleet: &Fleet, class: Class, tier: Tier) -> Option<&Rule> {
    let find = |wanted: fn(&RotationPolicy, Tier) -> bool| {
        let policies = fleet.rotation.values().filter(|policy| wanted(policy, tier));
        policies.flat_map(|policy| &policy.rules).find(|rule| rule.kind == class)
    };
    find(|policy, tier| policy.applies_to.tiers.contains(&tier))
        .or_else(|| find(|policy, _| policy.applies_to.tiers.is_empty()))
}

/// Whether a value changes without a person: the backend mints it, cert-manager renews it, SocTalk mints it.
pub fn rotates_itself(origin: Origin) -> bool {
    matches!(origin, Origin::Dynamic | Origin::Certificate | Origin::Minted)
}

/// The class by which a Secret's life is limited. A database user whose password is fixed is an administrator's password:
/// the hour that the class of database credentials has is that of users which the backend mints.
pub fn class(entry: &Entry<'_>) -> Class {
    match (entry.row.class, entry.origin) {
        (Class::DatabaseCredentials, origin) if origin != Origin::Dynamic => Class::AdminPassword,
        (class, _) => class,
    }
}

/// What is known of a Secret's age on a day.
pub fn age(fleet: &Fleet, entry: &Entry<'_>, today: Date) -> Age {
    let (version, since) = recorded(fleet, entry);
    let tier = entry.tenant.map_or(Tier::Standard, |tenant| tenant.tier);
    let rule = rule(fleet, class(entry), tier);
    let life = rule.and_then(|rule| rule.max_ttl.as_ref()).map(|span| span.seconds().div_ceil(DAY));
    let Some(life) = life.filter(|_| !rotates_itself(entry.origin)) else {
        return Age { version, since, ends: None, due: Due::Automatic };
    };
    // A day that is still to come is a slip of the pen: it would keep the Secret from ever being due.
    let Some(day) = since.filter(|day| *day <= today) else {
        return Age { version, since, ends: None, due: Due::Unrecorded };
    };
    let before = rule.and_then(|rule| rule.rotate_before.as_ref()).map(|span| span.seconds().div_ceil(DAY));
    let ends = after(day, life);
    let warned = after(day, life.saturating_sub(before.unwrap_or(life.div_ceil(10))));
    let due = if today > ends {
        Due::Overdue
    } else if today >= warned {
        Due::Soon
    } else {
        Due::Fine
    };
    Age { version, since, ends: Some(ends), due }
}

/// Version and day of the last rotation; a tenant's that never was is as old as its state, if that says since when.
fn recorded(fleet: &Fleet, entry: &Entry<'_>) -> (u32, Option<Date>) {
    let parse = |day: &Day| day.as_str().parse::<Date>().ok();
    let named = |name: &str| name == entry.row.backend_name;
    match entry.tenant {
        None => {
            let own = fleet.install.secrets.rotated.iter().find(|(name, _)| named(name.as_str()));
            (1, own.and_then(|(_, day)| parse(day)))
        }
        Some(tenant) => match tenant.tenant.secrets.iter().find(|(name, _)| named(name.as_str())) {
            Some((_, rotated)) => (rotated.version, parse(&rotated.rotated)),
            None => (1, tenant.tenant.lifecycle.since.as_ref().and_then(parse)),
        },
    }
}

fn after(day: Date, days: u64) -> Date {
    let span = jiff::Span::new().try_days(i64::try_from(days).unwrap_or(i64::MAX));
    span.ok().and_then(|span| day.checked_add(span).ok()).unwrap_or(Date::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;
    use crate::secrets::rows;
    use crate::source::Source;

    /// The age of a Secret on a day, in a fleet where fenwick (standard) or borealis (regulated) has these lines.
    fn aged(slug: &str, lines: &str, name: &str, today: &str) -> Age {
        let mut source = crate::render::tests::source();
        let file = config::tenant_file(slug);
        let text = source.files.get_mut(&file).unwrap();
        if let Some(at) = text.find("\nsecrets:") {
            text.truncate(at + 1);
        }
        text.push_str(lines);
        of(&source, slug, name, today)
    }

    fn of(source: &Source, slug: &str, name: &str, today: &str) -> Age {
        let (fleet, findings) = config::parse(source);
        let fleet = fleet.unwrap_or_else(|| panic!("{findings:#?}"));
        let (plan, findings) = crate::plan::plan(&fleet, source);
        let plan = plan.unwrap_or_else(|| panic!("{findings:#?}"));
        let tenant = plan.clusters.iter().find_map(|cluster| cluster.tenants.get(slug)).unwrap();
        let entry = rows::of_tenant(tenant).find(|entry| entry.row.backend_name == name).unwrap();
        age(&fleet, &entry, today.parse().unwrap())
    }

    fn rotated(day: &str) -> String {
        format!("secrets:\n  wazuh-bootstrap: {{ version: 2, rotated: {day} }}\n")
    }

    fn due(day: &str, today: &str) -> Due {
        aged("fenwick", &rotated(day), "wazuh-bootstrap", today).due
    }

    /// Administrators' passwords live 180 days; the last tenth is a warning.
    #[test]
    fn a_life_ends_behind_its_last_day() {
        let age = aged("fenwick", &rotated("2026-01-01"), "wazuh-bootstrap", "2026-06-30");
        assert_eq!(age.ends, Some("2026-06-30".parse().unwrap()));
        assert_eq!((age.version, age.since), (2, Some("2026-01-01".parse().unwrap())));
        assert_eq!(age.due, Due::Soon, "on its last day it may still live");
        assert_eq!(due("2026-01-01", "2026-07-01"), Due::Overdue, "overdue by one day");
        assert_eq!(due("2026-01-01", "2026-06-12"), Due::Soon, "the last tenth begins");
        assert_eq!(due("2026-01-01", "2026-06-11"), Due::Fine);
        assert_eq!(due("2026-01-01", "2026-01-01"), Due::Fine, "on the day of its rotation");
    }

    #[test]
    fn a_leap_day_is_a_day() {
        // 180 days from 2028-02-29 end on 2028-08-27; from the day before, in a year without one, on 2027-08-27.
        assert_eq!((due("2028-02-29", "2028-08-27"), due("2028-02-29", "2028-08-28")), (Due::Soon, Due::Overdue));
        assert_eq!((due("2027-02-28", "2027-08-27"), due("2027-02-28", "2027-08-28")), (Due::Soon, Due::Overdue));
        assert_eq!((due("2028-02-28", "2028-08-26"), due("2028-02-28", "2028-08-27")), (Due::Soon, Due::Overdue));
    }

    #[test]
    fn what_was_never_rotated_is_as_old_as_the_tenants_state_or_of_unknown_age() {
        let never = aged("fenwick", "", "thehive-bootstrap", "2026-09-02");
        assert_eq!((never.version, never.since), (1, Some("2026-09-01".parse().unwrap())), "since it was suspended");
        assert_eq!(never.due, Due::Fine);
        let unknown = aged("borealis", "", "thehive-bootstrap", "2026-09-02");
        assert_eq!((unknown.due, unknown.since, unknown.ends), (Due::Unrecorded, None, None));
    }

    #[test]
    fn a_record_from_the_future_says_nothing() {
        let age = aged("fenwick", &rotated("2062-06-15"), "wazuh-bootstrap", "2026-06-16");
        assert_eq!((age.due, age.ends), (Due::Unrecorded, None), "a slip of the pen would hide it for decades");
        assert_eq!(due("2026-06-15", "2026-06-15"), Due::Fine);
        assert_eq!(due("2026-06-16", "2026-06-15"), Due::Unrecorded);
    }

    #[test]
    fn what_renews_itself_and_what_no_policy_limits_is_never_due() {
        assert_eq!(aged("fenwick", "", "wazuh-certs", "2099-01-01").due, Due::Automatic);
        assert_eq!(aged("fenwick", "", "adapter-token", "2099-01-01").due, Due::Automatic);
        let mut source = crate::render::tests::source();
        source.files.retain(|file, _| !file.starts_with("policies/rotation/"));
        assert_eq!(
            of(&source, "fenwick", "wazuh-bootstrap", "2099-01-01").due,
            Due::Automatic,
            "a class without a rule"
        );
    }

    #[test]
    fn a_policy_for_the_tier_goes_before_one_for_all() {
        // 90 days for the regulated, 180 for the others.
        let of = |slug, today| aged(slug, &rotated("2026-01-01"), "wazuh-bootstrap", today).due;
        assert_eq!((of("borealis", "2026-04-01"), of("borealis", "2026-04-02")), (Due::Soon, Due::Overdue));
        assert_eq!(of("fenwick", "2026-04-02"), Due::Fine);
    }
}
