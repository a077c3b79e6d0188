//! DNS names and the patterns of Cilium's `toFQDNs` and `rules.dns`.
//!
//! Source: Cilium documentation, *DNS based* and *DNS Policy and IP Discovery*; `pkg/policy/api/fqdn.go`.

use std::fmt;

/// A name or a pattern. Names are lower case without the trailing dot.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Pattern {
    Name(Box<str>),
    /// `*` stands for any characters of one label; `*` alone for every name; a leading `**.` for one or more labels.
    Glob(Box<str>),
}

impl Pattern {
    /// A `matchName`: letters, digits, `-`, `_` and dots.
    pub fn name(text: &str) -> Option<Self> {
        let name = normal(text)?;
        name.chars().all(is_name_character).then(|| Self::Name(name.into()))
    }

    /// A `matchPattern`: a name that may hold `*`.
    pub fn glob(text: &str) -> Option<Self> {
        let glob = normal(text)?;
        glob.chars().all(|character| is_name_character(character) || character == '*').then(|| Self::Glob(glob.into()))
    }

    /// Whether the pattern covers the name.
    pub fn matches(&self, name: &str) -> bool {
        let Some(name) = normal(name) else { return false };
        match self {
            Self::Name(own) => **own == *name,
            Self::Glob(glob) if **glob == *"*" => true,
            Self::Glob(glob) => match glob.strip_prefix("**.") {
                Some(tail) => subdomains(&name).any(|rest| matches_glob(tail.as_bytes(), rest.as_bytes())),
                None => matches_glob(glob.as_bytes(), name.as_bytes()),
            },
        }
    }

    /// Whether this pattern surely covers every name that `other` covers.
    pub fn covers(&self, other: &Self) -> bool {
        match other {
            _ if self == other || self.is_every_name() => true,
            Self::Name(name) => self.matches(name),
            // A `*` of the narrower pattern is tried with text that no pattern spells out.
            Self::Glob(glob) if glob.starts_with("**.") || **glob == *"*" => false,
            Self::Glob(glob) => self.matches(&glob.replace('*', "q0-x")) && self.matches(&glob.replace('*', "")),
        }
    }

    pub fn is_every_name(&self) -> bool {
        matches!(self, Self::Glob(glob) if **glob == *"*")
    }

    /// Whether names of half the internet match: a wildcard with at most one fixed label behind it.
    pub fn is_too_wide(&self) -> bool {
        match self {
            Self::Name(_) => false,
            Self::Glob(glob) => glob.split('.').filter(|label| !label.contains('*')).count() < 2,
        }
    }

    /// Whether every name of the pattern is one that the cluster's own DNS answers: `toFQDNs` never matches those.
    pub fn is_in_cluster(&self) -> bool {
        ["svc.cluster.local", "pod.cluster.local"].iter().any(|zone| self.text().ends_with(zone))
            || self.text().ends_with(".svc")
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Name(text) | Self::Glob(text) => text,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.text())
    }
}

/// Whether a text looks like a DNS name rather than an address or a path: labels with at least one dot.
pub(crate) fn is_dns_name(text: &str) -> bool {
    let labels: Vec<&str> = text.trim_end_matches('.').split('.').collect();
    labels.len() > 1
        && labels.iter().all(|label| !label.is_empty() && label.chars().all(is_name_character))
        && labels.last().is_some_and(|top| top.chars().any(|character| character.is_ascii_alphabetic()))
}

fn normal(text: &str) -> Option<String> {
    let trimmed = text.trim_end_matches('.').to_ascii_lowercase();
    (!trimmed.is_empty()).then_some(trimmed)
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
}

/// What is left of a name after one or more of its leading labels.
fn subdomains(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices('.').map(|(at, _)| &name[at + 1..])
}

fn matches_glob(glob: &[u8], name: &[u8]) -> bool {
    match glob.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => {
            let label = name.iter().position(|byte| *byte == b'.').unwrap_or(name.len());
            (0..=label).any(|skip| matches_glob(rest, &name[skip..]))
        }
        Some((first, rest)) => name.split_first().is_some_and(|(head, tail)| head == first && matches_glob(rest, tail)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glob(text: &str) -> Pattern {
        Pattern::glob(text).unwrap()
    }

    #[test]
    fn a_star_stops_at_dots() {
        // The examples of Cilium's documentation.
        for (pattern, name, expected) in [
            ("*.cilium.io", "sub.cilium.io", true),
            ("*.cilium.io", "cilium.io", false),
            ("*.cilium.io", "sub.sub.cilium.io", false),
            ("part*ial.com", "partial.com", true),
            ("part*ial.com", "part-extra-ial.com", true),
            ("part*ial.com", "part.extra.ial.com", false),
            ("*", "anything.at.all", true),
            ("**.cilium.io", "app.cilium.io", true),
            ("**.cilium.io", "test.app.cilium.io", true),
            ("**.cilium.io", "cilium.io", false),
            ("special*service.api.cilium.io", "special-region1-service.api.cilium.io", true),
            ("special*service.api.cilium.io", "region1-service.api.cilium.io", false),
        ] {
            assert_eq!(glob(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn names_match_exactly_without_case_and_final_dot() {
        let name = Pattern::name("API.openai.com.").unwrap();
        assert!(name.matches("api.openai.com") && name.matches("Api.OpenAI.com."));
        assert!(!name.matches("openai.com") && !name.matches("x.api.openai.com"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        assert_eq!(Pattern::name("*.openai.com"), None);
        assert_eq!(Pattern::name(""), None);
        assert_eq!(Pattern::name("https://openai.com"), None);
        assert_eq!(Pattern::glob("(a|b).com"), None);
    }

    #[test]
    fn covering() {
        for (wide, narrow, expected) in [
            ("*", "*.a.com", true),
            ("*.a.com", "*.a.com", true),
            ("*.com", "*.a.com", false),
            ("**.com", "*.a.com", true),
            ("a*.b.com", "ax*.b.com", true),
            ("ax*.b.com", "a*.b.com", false),
            ("*.a.com", "**.a.com", false),
        ] {
            assert_eq!(glob(wide).covers(&glob(narrow)), expected, "{wide} {narrow}");
        }
        assert!(glob("*.a.com").covers(&Pattern::name("x.a.com").unwrap()));
    }

    #[test]
    fn wide_and_in_cluster_patterns() {
        assert!(glob("*").is_too_wide() && glob("*.com").is_too_wide() && glob("**.com").is_too_wide());
        assert!(!glob("*.openai.com").is_too_wide() && !Pattern::name("com").unwrap().is_too_wide());
        assert!(glob("*.svc.cluster.local").is_in_cluster());
        assert!(Pattern::name("cortex.tenant-a.svc").unwrap().is_in_cluster());
        assert!(!Pattern::name("svc.example.com").unwrap().is_in_cluster());
    }

    #[test]
    fn names_are_told_from_addresses() {
        assert!(is_dns_name("api.openai.com") && is_dns_name("a.b."));
        assert!(!is_dns_name("10.0.0.1") && !is_dns_name("web") && !is_dns_name("ns/pod") && !is_dns_name("a..b"));
    }
}
