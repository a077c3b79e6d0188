//! Labels and label selectors over interned strings.

use std::collections::HashMap;
use std::sync::Arc;

/// An interned string. Symbols of one [`Interner`] are equal exactly when their strings are; their order is that of
/// first use, which is why it never reaches an output.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Sym(u32);

/// The strings behind the symbols.
#[derive(Default, Debug)]
pub(crate) struct Interner {
    symbols: HashMap<Arc<str>, Sym>,
    strings: Vec<Arc<str>>,
}

impl Interner {
    pub fn intern(&mut self, text: &str) -> Sym {
        if let Some(symbol) = self.symbols.get(text) {
            return *symbol;
        }
        let symbol = Sym(u32::try_from(self.strings.len()).unwrap_or(u32::MAX));
        let shared: Arc<str> = text.into();
        self.strings.push(shared.clone());
        self.symbols.insert(shared, symbol);
        symbol
    }

    /// The symbol of a string that has been seen before.
    pub fn find(&self, text: &str) -> Option<Sym> {
        self.symbols.get(text).copied()
    }

    pub fn text(&self, symbol: Sym) -> &str {
        &self.strings[symbol.0 as usize]
    }
}

/// Labels of one object, sorted by key.
#[derive(Clone, PartialEq, Eq, Hash, Default, Debug)]
pub(crate) struct Labels(Vec<(Sym, Sym)>);

impl Labels {
    pub fn new(mut pairs: Vec<(Sym, Sym)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup_by_key(|(key, _)| *key);
        Self(pairs)
    }

    pub fn get(&self, key: Sym) -> Option<Sym> {
        self.0.binary_search_by_key(&key, |(key, _)| *key).ok().map(|at| self.0[at].1)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Sym, Sym)> + '_ {
        self.0.iter().copied()
    }
}

/// The test of one requirement. Values are sorted and distinct.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Test {
    In(Vec<Sym>),
    NotIn(Vec<Sym>),
    Exists,
    DoesNotExist,
}

/// One requirement of a selector.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct Requirement {
    pub key: Sym,
    pub test: Test,
}

impl Requirement {
    /// `NotIn` and `DoesNotExist` hold for objects without the key.
    /// Source: Kubernetes, *Labels and Selectors*, set-based requirement; `labels.Requirement.Matches` of apimachinery.
    pub fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(self.key);
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.binary_search(&value).is_ok()),
            Test::NotIn(values) => value.is_none_or(|value| values.binary_search(&value).is_err()),
            Test::Exists => value.is_some(),
            Test::DoesNotExist => value.is_none(),
        }
    }
}

/// A label selector: the conjunction of its requirements. The empty selector matches everything.
/// Source: Kubernetes API reference, `LabelSelector`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub(crate) struct Selector(Vec<Requirement>);

impl Selector {
    pub fn new(mut requirements: Vec<Requirement>) -> Self {
        for requirement in &mut requirements {
            if let Test::In(values) | Test::NotIn(values) = &mut requirement.test {
                values.sort_unstable();
                values.dedup();
            }
        }
        requirements.sort();
        requirements.dedup();
        Self(requirements)
    }

    pub fn requirements(&self) -> &[Requirement] {
        &self.0
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|requirement| requirement.holds(labels))
    }

    /// Whether no set of labels can match: two requirements on one key exclude each other.
    pub fn is_contradictory(&self) -> bool {
        self.0.iter().any(|requirement| self.leaves_nothing(requirement.key))
    }

    /// A value for each key that the selector asks for, so that the selector matches; `None` if it contradicts itself.
    /// `fresh` stands for a value that no selector names.
    pub fn witness(&self, fresh: Sym) -> Option<Labels> {
        let mut pairs = Vec::new();
        for requirement in &self.0 {
            let key = requirement.key;
            if pairs.iter().any(|(known, _)| *known == key) {
                continue;
            }
            if self.leaves_nothing(key) {
                return None;
            }
            match self.allowed(key) {
                Some(values) => pairs.push((key, values[0])),
                None if self.on(key).any(|test| *test == Test::Exists) => pairs.push((key, fresh)),
                None => {}
            }
        }
        Some(Labels::new(pairs))
    }

    fn on(&self, key: Sym) -> impl Iterator<Item = &Test> {
        self.0.iter().filter(move |requirement| requirement.key == key).map(|requirement| &requirement.test)
    }

    /// The values that all `In` requirements on a key leave after the `NotIn` ones; `None` without any `In`.
    fn allowed(&self, key: Sym) -> Option<Vec<Sym>> {
        let mut left: Option<Vec<Sym>> = None;
        for test in self.on(key) {
            if let Test::In(values) = test {
                left = Some(match left {
                    None => values.clone(),
                    Some(left) => left.into_iter().filter(|value| values.contains(value)).collect(),
                });
            }
        }
        let excluded = |value: &Sym| self.on(key).any(|test| matches!(test, Test::NotIn(not) if not.contains(value)));
        left.map(|values| values.into_iter().filter(|value| !excluded(value)).collect())
    }

    fn leaves_nothing(&self, key: Sym) -> bool {
        let allowed = self.allowed(key);
        if allowed.as_ref().is_some_and(Vec::is_empty) {
            return true;
        }
        let must_exist = allowed.is_some() || self.on(key).any(|test| *test == Test::Exists);
        must_exist && self.on(key).any(|test| *test == Test::DoesNotExist)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Words(Interner);

    impl Words {
        fn labels(&mut self, text: &str) -> Labels {
            let pairs = text.split_whitespace().map(|pair| pair.split_once('=').unwrap());
            Labels::new(pairs.map(|(key, value)| (self.0.intern(key), self.0.intern(value))).collect())
        }

        /// `a=x|y` In, `a!=x` NotIn, `a` Exists, `!a` DoesNotExist.
        fn selector(&mut self, text: &str) -> Selector {
            let terms: Vec<&str> = text.split_whitespace().collect();
            Selector::new(terms.into_iter().map(|term| self.requirement(term)).collect())
        }

        fn requirement(&mut self, term: &str) -> Requirement {
            let mut values = |text: &str| text.split('|').map(|value| self.0.intern(value)).collect::<Vec<_>>();
            let (key, test) = if let Some((key, not)) = term.split_once("!=") {
                (key, Test::NotIn(values(not)))
            } else if let Some((key, value)) = term.split_once('=') {
                (key, Test::In(values(value)))
            } else if let Some(key) = term.strip_prefix('!') {
                (key, Test::DoesNotExist)
            } else {
                (term, Test::Exists)
            };
            Requirement { key: self.0.intern(key), test }
        }
    }

    #[test]
    fn requirements_are_and_and_values_are_or() {
        let mut words = Words(Interner::default());
        for (selector, labels, expected) in [
            ("", "", true),
            ("", "a=1", true),
            ("a=1", "a=1 b=2", true),
            ("a=1 b=3", "a=1 b=2", false),
            ("a=1|2", "a=2", true),
            ("a=1", "", false),
            ("a", "a=9", true),
            ("a", "b=9", false),
        ] {
            let (selector, labels) = (words.selector(selector), words.labels(labels));
            assert_eq!(selector.matches(&labels), expected, "{selector:?} {labels:?}");
        }
    }

    #[test]
    fn not_in_and_does_not_exist_match_objects_without_the_key() {
        let mut words = Words(Interner::default());
        for (selector, labels, expected) in [
            ("a!=1", "", true),
            ("a!=1", "b=1", true),
            ("a!=1", "a=2", true),
            ("a!=1|2", "a=2", false),
            ("!a", "", true),
            ("!a", "a=1", false),
        ] {
            let (selector, labels) = (words.selector(selector), words.labels(labels));
            assert_eq!(selector.matches(&labels), expected, "{selector:?} {labels:?}");
        }
    }

    #[test]
    fn contradictions_are_found_and_everything_else_has_a_witness() {
        let mut words = Words(Interner::default());
        for (text, contradictory) in [
            ("", false),
            ("a=1 a=1|2", false),
            ("a=1 a=2", true),
            ("a=1 a!=1", true),
            ("a=1|2 a!=1", false),
            ("a !a", true),
            ("a=1 !a", true),
            ("a!=1 !a", false),
            ("a a!=1", false),
            ("a=1 !b c", false),
        ] {
            let selector = words.selector(text);
            assert_eq!(selector.is_contradictory(), contradictory, "{text}");
            let fresh = words.0.intern("⟨fresh⟩");
            let witness = selector.witness(fresh);
            assert_eq!(witness.is_none(), contradictory, "{text}");
            assert!(witness.is_none_or(|labels| selector.matches(&labels)), "{text}");
        }
    }

    #[test]
    fn symbols_are_equal_exactly_when_strings_are() {
        let mut interner = Interner::default();
        let (a, b) = (interner.intern("a"), interner.intern("b"));
        assert_ne!(a, b);
        assert_eq!(interner.intern("a"), a);
        assert_eq!(interner.find("c"), None);
        assert_eq!(interner.text(b), "b");
    }
}
