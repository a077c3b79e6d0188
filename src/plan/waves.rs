//! Upgrades in waves: which tenants go first, always the same ones.

use std::str::FromStr;

use crate::config::types::Version;
use crate::manifest::Digest;

/// A number, or a share in per cent that is rounded up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(usize),
    /// So many of a hundred.
    Percent(u32),
}

impl Amount {
    /// How many of a whole that is.
    pub fn of(self, whole: usize) -> usize {
        match self {
            Self::Count(count) => count,
            Self::Percent(share) => (whole * share as usize).div_ceil(100),
        }
    }
}

impl FromStr for Amount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is neither a number nor a share such as 5%");
        match text.strip_suffix('%') {
            Some(share) => match share.parse::<u32>() {
                Ok(share) if share <= 100 => Ok(Self::Percent(share)),
                _ => Err(expected()),
            },
            None => text.parse().map(Self::Count).map_err(|_| expected()),
        }
    }
}

impl std::fmt::Display for Amount {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(share) => write!(f, "{share}%"),
        }
    }
}

/// The order in which tenants are upgraded to a version: by a digest of both, so that it is the same on every machine,
/// stays when tenants come and go, and lets another upgrade begin with others.
pub fn order<'a>(slugs: impl IntoIterator<Item = &'a str>, to: &Version) -> Vec<&'a str> {
    let mut slugs: Vec<(Digest, &str)> =
        slugs.into_iter().map(|slug| (Digest::of_parts([to.as_str().as_bytes(), slug.as_bytes()]), slug)).collect();
    slugs.sort_unstable();
    slugs.into_iter().map(|(_, slug)| slug).collect()
}

/// The next wave: of the tenants in `order`, those that are to go now. `done` says whether one is there already.
/// Without `go_on` the first wave is meant, whoever of it is there already; with it, the next of those that are not.
pub fn wave<'a>(order: &[&'a str], amount: Option<Amount>, go_on: bool, done: impl Fn(&str) -> bool) -> Vec<&'a str> {
    let size = amount.map_or(order.len(), |amount| amount.of(order.len()));
    let open = |slug: &&str| !done(slug);
    if go_on {
        order.iter().copied().filter(open).take(size).collect()
    } else {
        order.iter().copied().take(size).filter(open).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waves_are_stable_and_follow_each_other() {
        let names: Vec<String> = (0..50).map(|n| format!("t{n}")).collect();
        let version = Version::parse("1.1.0").unwrap();
        let order = order(names.iter().map(String::as_str), &version);
        let first = wave(&order, Some(Amount::Percent(10)), false, |_| false);
        assert_eq!(first.len(), 5);
        // The same command again: nothing more. The next wave: others.
        assert!(wave(&order, Some(Amount::Percent(10)), false, |slug| first.contains(&slug)).is_empty());
        let second = wave(&order, Some(Amount::Count(7)), true, |slug| first.contains(&slug));
        assert_eq!(second.len(), 7);
        assert!(second.iter().all(|slug| !first.contains(slug)));
        let rest = wave(&order, None, true, |slug| first.contains(&slug) || second.contains(&slug));
        assert_eq!(rest.len(), 38);
        // A tenant that goes changes no other's place; another version begins with others.
        let fewer = super::order(names[1..].iter().map(String::as_str), &version);
        let left: Vec<&str> = order.iter().copied().filter(|slug| *slug != "t0").collect();
        assert_eq!(fewer, left);
        assert_ne!(super::order(names.iter().map(String::as_str), &Version::parse("1.2.0").unwrap()), order);
    }

    #[test]
    fn amounts_are_numbers_or_shares() {
        assert_eq!("5%".parse::<Amount>().unwrap().of(30), 2);
        assert_eq!("3".parse::<Amount>().unwrap().of(30), 3);
        for wrong in ["", "%", "101%", "-1", "1.5", "a"] {
            assert!(wrong.parse::<Amount>().is_err(), "{wrong}");
        }
    }
}
