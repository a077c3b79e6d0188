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
    /// The files do not say how old it is.
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
    let Some(day) = since else { return Age { version, since, ends: None, due: Due::Unrecorded } };
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
