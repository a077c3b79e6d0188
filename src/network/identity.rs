//! Which labels Cilium makes part of a pod's identity: only these can be seen by a policy.
//!
//! Source: Cilium documentation, *Limiting Identity-Relevant Labels*, and `pkg/labelsfilter` of its source.

use std::fmt;

/// A list of label patterns, as in Cilium's `labels` option: a pattern with a leading `!` excludes.
///
/// A key is kept if the longest match of an including pattern is longer than the shortest match of an excluding one;
/// without any match it is kept, unless the option named an including pattern of its own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LabelFilter {
    patterns: Vec<Pattern>,
    /// Set as soon as the operator adds an including pattern: then only included keys are kept.
    only_included: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Pattern {
    exclude: bool,
    pieces: Vec<Piece>,
}

/// A pattern is a regular expression in Cilium; only what such lists use in practice is understood.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Piece {
    Literal(char),
    AnyOne,
    AnyMany,
    End,
}

/// A pattern that uses more of regular expressions than literals, `\` escapes, `.`, `.*` and `$`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsupportedPattern(pub String);

impl fmt::Display for UnsupportedPattern {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "label pattern `{}` uses more than literals, escapes, `.`, `.*` and `$`", self.0)
    }
}

impl std::error::Error for UnsupportedPattern {}

const ALWAYS_INCLUDED: &[&str] = &[
    r"io\.kubernetes\.pod\.namespace",
    r"io\.cilium\.k8s\.namespace\.labels",
    r"app\.kubernetes\.io",
    r"io\.cilium\.k8s\.policy\.cluster",
    r"io\.cilium\.k8s\.policy\.serviceaccount",
];

const EXCLUDED_BY_DEFAULT: &[&str] = &[
    r"io\.kubernetes",
    r"kubernetes\.io",
    r"statefulset\.kubernetes\.io/pod-name",
    r"apps\.kubernetes\.io/pod-index",
    r"batch\.kubernetes\.io/job-completion-index",
    r"batch\.kubernetes\.io/controller-uid",
    r".*beta\.kubernetes\.io",
    r"k8s\.io",
    r"pod-template-generation",
    r"pod-template-hash",
    r"controller-revision-hash",
    r"annotation.*",
    r"controller-uid",
    r"etcd_node",
];

impl Default for LabelFilter {
    /// The filter of an agent without a `labels` option.
    fn default() -> Self {
        let included = ALWAYS_INCLUDED.iter().map(|pattern| (false, *pattern));
        let excluded = EXCLUDED_BY_DEFAULT.iter().map(|pattern| (true, *pattern));
        // The built-in patterns are within the supported subset, which the tests below check.
        let patterns = included.chain(excluded).filter_map(|(exclude, text)| Pattern::parse(exclude, text)).collect();
        Self { patterns, only_included: false }
    }
}

impl LabelFilter {
    /// The default filter plus the operator's own patterns, in the form of the `labels` option (`k8s:!app.internal`,
    /// `!stage`, `team`).
    ///
    /// # Errors
    /// If a pattern uses more of regular expressions than this type understands.
    pub fn with(patterns: &[String]) -> Result<Self, UnsupportedPattern> {
        let mut filter = Self::default();
        for text in patterns {
            let bare = text.strip_prefix("k8s:").unwrap_or(text);
            let (exclude, body) = bare.strip_prefix('!').map_or((false, bare), |body| (true, body));
            let pattern = Pattern::parse(exclude, body).ok_or_else(|| UnsupportedPattern(text.clone()))?;
            filter.only_included |= !exclude;
            filter.patterns.push(pattern);
        }
        Ok(filter)
    }

    /// Whether a label with this key (without its source) is part of the identity.
    #[must_use]
    pub fn keeps(&self, key: &str) -> bool {
        let matches = |exclude: bool| {
            let patterns = self.patterns.iter().filter(move |pattern| pattern.exclude == exclude);
            patterns.filter_map(|pattern| pattern.matched(key))
        };
        let included = matches(false).max().unwrap_or(0);
        let ignored = matches(true).min().unwrap_or(0);
        (!self.only_included && ignored == 0) || included > ignored
    }
}

impl Pattern {
    fn parse(exclude: bool, text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(next) = chars.next() {
            pieces.push(match next {
                '\\' => Piece::Literal(chars.next()?),
                '.' if chars.next_if_eq(&'*').is_some() => Piece::AnyMany,
                '.' => Piece::AnyOne,
                // Matches are anchored at the start already.
                '^' if pieces.is_empty() => continue,
                '$' if chars.peek().is_none() => Piece::End,
                '*' | '+' | '?' | '(' | ')' | '[' | ']' | '{' | '}' | '|' | '^' | '$' => return None,
                literal => Piece::Literal(literal),
            });
        }
        (!pieces.is_empty()).then_some(Self { exclude, pieces })
    }

    /// The length of the match at the start of the key, the longest one, as `regexp` finds it.
    fn matched(&self, key: &str) -> Option<usize> {
        longest(&self.pieces, key.as_bytes())
    }
}

fn longest(pieces: &[Piece], rest: &[u8]) -> Option<usize> {
    let Some((piece, pieces)) = pieces.split_first() else { return Some(0) };
    match piece {
        Piece::End => rest.is_empty().then_some(0),
        Piece::AnyMany => (0..=rest.len()).rev().find_map(|skip| Some(skip + longest(pieces, &rest[skip..])?)),
        Piece::AnyOne => Some(1 + longest(pieces, rest.get(1..)?)?),
        Piece::Literal(expected) => {
            let (first, rest) = rest.split_first()?;
            (char::from(*first) == *expected).then(|| longest(pieces, rest).map(|length| 1 + length))?
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_pattern_is_understood() {
        assert_eq!(LabelFilter::default().patterns.len(), ALWAYS_INCLUDED.len() + EXCLUDED_BY_DEFAULT.len());
    }

    #[test]
    fn the_default_filter() {
        let filter = LabelFilter::default();
        for kept in [
            "app",
            "k8s-app",
            "app.kubernetes.io/name",
            "io.kubernetes.pod.namespace",
            "io.cilium.k8s.namespace.labels.kubernetes.io/metadata.name",
            "io.cilium.k8s.policy.serviceaccount",
            "helm.sh/chart",
            "managed-by",
        ] {
            assert!(filter.keeps(kept), "{kept}");
        }
        for dropped in [
            "pod-template-hash",
            "controller-revision-hash",
            "statefulset.kubernetes.io/pod-name",
            "apps.kubernetes.io/pod-index",
            "batch.kubernetes.io/controller-uid",
            "kubernetes.io/hostname",
            "k8s.io/cluster",
            "io.kubernetes.container.name",
            "node.beta.kubernetes.io/type",
            "annotation.kubectl",
            "etcd_node",
        ] {
            assert!(!filter.keeps(dropped), "{dropped}");
        }
    }

    #[test]
    fn a_pattern_matches_at_the_start_only() {
        // `k8s.io` inside a key excludes nothing: the match has to begin at the first character.
        assert!(LabelFilter::default().keeps("example.k8s.io/x"));
    }

    #[test]
    fn excluding_patterns_of_the_operator() {
        let filter = LabelFilter::with(&["!stage".to_owned(), r"k8s:!team\..*".to_owned()]).unwrap();
        assert!(!filter.keeps("stage") && !filter.keeps("team.a") && filter.keeps("team") && filter.keeps("app"));
    }

    #[test]
    fn one_including_pattern_makes_the_filter_a_list() {
        let filter = LabelFilter::with(&["role".to_owned()]).unwrap();
        assert!(filter.keeps("role") && filter.keeps("app.kubernetes.io/name"));
        assert!(!filter.keeps("app"));
    }

    #[test]
    fn patterns_beyond_the_subset_are_refused() {
        assert_eq!(LabelFilter::with(&["(a|b)".to_owned()]), Err(UnsupportedPattern("(a|b)".to_owned())));
    }
}
