//! Which part of the tree a run is about: some tenants, a shard, a label selector.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::desired::Unit;
use super::node::Node;

/// Which part of the tree a run is about; by default all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only these tenants' units.
    pub tenants: Option<BTreeSet<String>>,
    /// Only this share of the tenants.
    pub shard: Option<Shard>,
    /// Only objects with these labels.
    pub selector: Selector,
}

/// One of several equal parts of the tenants. The system unit belongs to the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which part, from 0.
    pub index: u32,
    /// How many parts.
    pub count: u32,
}

/// A label selector: all requirements must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Requirement {
    Equals(String, String),
    Differs(String, String),
    Exists(String),
    Lacks(String),
}

impl Filter {
    /// Whether the run is about everything that Git says of the cluster.
    pub fn is_whole(&self) -> bool {
        *self == Filter::default()
    }

    /// Whether a unit belongs to the part.
    pub fn admits(&self, unit: &Unit) -> bool {
        let named = match (&self.tenants, unit.tenant()) {
            (None, _) => true,
            (Some(tenants), Some(slug)) => tenants.contains(slug),
            (Some(_), None) => false,
        };
        named && self.shard.is_none_or(|shard| shard.admits(unit))
    }

    /// Whether an object has the labels.
    pub fn selects(&self, object: &Node<'_>) -> bool {
        self.selector.0.iter().all(|requirement| requirement.holds(object))
    }
}

impl Shard {
    /// Reads `i/n` with i from 0 to n-1, as an Indexed Job counts.
    ///
    /// # Errors
    /// What was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || format!("{text:?} is not a shard such as 0/4 (the first of four)");
        let (index, count) = text.split_once('/').ok_or_else(expected)?;
        let shard =
            Shard { index: index.parse().map_err(|_| expected())?, count: count.parse().map_err(|_| expected())? };
        if shard.index < shard.count { Ok(shard) } else { Err(expected()) }
    }

    fn admits(self, unit: &Unit) -> bool {
        match unit.tenant() {
            None => self.index == 0,
            Some(slug) => {
                let digest = Sha256::digest(slug.as_bytes());
                let number = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
                number % self.count == self.index
            }
        }
    }
}

impl Selector {
    /// Reads `a=b,c!=d,e,!f`.
    ///
    /// # Errors
    /// The part that is none of these.
    pub fn parse(text: &str) -> Result<Self, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let requirements: Result<Vec<Requirement>, String> = parts
            .map(|part| {
                let word = |text: &str| {
                    let text = text.trim();
                    let fine = !text.is_empty()
                        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte));
                    if fine {
                        Ok(text.to_owned())
                    } else {
                        Err(format!("{part:?} is no label requirement (a=b, a!=b, a, !a)"))
                    }
                };
                if let Some((key, value)) = part.split_once("!=") {
                    Ok(Requirement::Differs(word(key)?, word(value)?))
                } else if let Some((key, value)) = part.split_once('=') {
                    Ok(Requirement::Equals(word(key)?, word(value.trim_start_matches('='))?))
                } else if let Some(key) = part.strip_prefix('!') {
                    Ok(Requirement::Lacks(word(key)?))
                } else {
                    Ok(Requirement::Exists(word(part)?))
                }
            })
            .collect();
        Ok(Selector(requirements?))
    }
}

impl Requirement {
    fn holds(&self, object: &Node<'_>) -> bool {
        let label = |key: &str| object.at(&["metadata", "labels", key]).and_then(Node::as_text);
        match self {
            Requirement::Equals(key, value) => label(key) == Some(value),
            Requirement::Differs(key, value) => label(key) != Some(value),
            Requirement::Exists(key) => label(key).is_some(),
            Requirement::Lacks(key) => label(key).is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_belongs_to_exactly_one_shard() {
        for count in [1, 3, 7] {
            for number in 0..200 {
                let unit = Unit::Tenant(format!("t{number}"));
                let homes = (0..count).filter(|&index| Shard { index, count }.admits(&unit)).count();
                assert_eq!(homes, 1);
            }
            assert_eq!((0..count).filter(|&index| Shard { index, count }.admits(&Unit::System)).count(), 1);
        }
    }

    #[test]
    fn shards_are_read_and_refused() {
        assert_eq!(Shard::parse("2/3"), Ok(Shard { index: 2, count: 3 }));
        for text in ["3/3", "0/0", "1", "a/b", "-1/2", "1/2/3"] {
            assert!(Shard::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn selectors_select() {
        let object = Node::from_json(br#"{"metadata":{"labels":{"a":"b","x.y/z":"1"}}}"#).unwrap();
        for (text, holds) in [
            ("", true),
            ("a=b", true),
            ("a==b,x.y/z=1", true),
            ("a!=b", false),
            ("c!=d", true),
            ("a", true),
            ("c", false),
            ("!c,a", true),
            ("!a", false),
        ] {
            let filter = Filter { selector: Selector::parse(text).unwrap(), ..Filter::default() };
            assert_eq!(filter.selects(&object), holds, "{text}");
        }
        assert!(Selector::parse("a in (b)").is_err() && Selector::parse("=b").is_err());
    }

    #[test]
    fn naming_tenants_leaves_the_rest_out() {
        let filter = Filter { tenants: Some(BTreeSet::from(["acme".to_owned()])), ..Filter::default() };
        assert!(filter.admits(&Unit::of("tenants/acme/a.yaml")));
        assert!(!filter.admits(&Unit::of("tenants/acme-2/a.yaml")));
        assert!(!filter.admits(&Unit::of("system/a.yaml")));
    }
}
