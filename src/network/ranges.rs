//! Finite sets of integers as sorted, disjoint, non-adjacent closed intervals.
//!
//! Ports, IPv4 and IPv6 addresses are all sets of this form, so the set laws are proved once.

use std::fmt;

/// An integer type that can bound an interval.
pub trait Point: Copy + Ord + fmt::Debug {
    /// The smallest value of the type.
    const MIN: Self;
    /// The largest value of the type.
    const MAX: Self;
    /// The next value, or `None` at [`Point::MAX`].
    fn next(self) -> Option<Self>;
    /// The previous value, or `None` at [`Point::MIN`].
    fn previous(self) -> Option<Self>;
}

macro_rules! points {
    ($($integer:ty),*) => {$(
        impl Point for $integer {
            const MIN: Self = <$integer>::MIN;
            const MAX: Self = <$integer>::MAX;
            fn next(self) -> Option<Self> { self.checked_add(1) }
            fn previous(self) -> Option<Self> { self.checked_sub(1) }
        }
    )*};
}
points!(u16, u32, u128);

/// A set of integers. Equal sets are equal values: the intervals are always in normal form.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ranges<T> {
    intervals: Vec<(T, T)>,
}

impl<T: Point> Ranges<T> {
    /// The empty set.
    #[must_use]
    pub const fn empty() -> Self {
        Self { intervals: Vec::new() }
    }

    /// Every value of the type.
    #[must_use]
    pub fn full() -> Self {
        Self::of(T::MIN, T::MAX)
    }

    /// The values from `first` to `last`, both included; empty if `first > last`.
    #[must_use]
    pub fn of(first: T, last: T) -> Self {
        if first > last { Self::empty() } else { Self { intervals: vec![(first, last)] } }
    }

    /// The set that the given closed intervals cover, in any order, overlapping or not.
    #[must_use]
    pub fn covering(mut intervals: Vec<(T, T)>) -> Self {
        intervals.retain(|(first, last)| first <= last);
        intervals.sort_unstable();
        let mut normal: Vec<(T, T)> = Vec::with_capacity(intervals.len());
        for (first, last) in intervals {
            match normal.last_mut() {
                Some(open) if open.1.next().is_none_or(|after| first <= after) => open.1 = open.1.max(last),
                _ => normal.push((first, last)),
            }
        }
        Self { intervals: normal }
    }

    /// Whether the set has no value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// Whether the set has every value of the type.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self.intervals.as_slice(), [(first, last)] if *first == T::MIN && *last == T::MAX)
    }

    /// Whether `value` is in the set.
    #[must_use]
    pub fn contains(&self, value: T) -> bool {
        let after = self.intervals.partition_point(|(first, _)| *first <= value);
        after > 0 && self.intervals[after - 1].1 >= value
    }

    /// The disjoint intervals in ascending order.
    #[must_use]
    pub fn intervals(&self) -> &[(T, T)] {
        &self.intervals
    }

    /// The smallest value of the set.
    #[must_use]
    pub fn first(&self) -> Option<T> {
        self.intervals.first().map(|(first, _)| *first)
    }

    /// The values of either set.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        let mut all = self.intervals.clone();
        all.extend_from_slice(&other.intervals);
        Self::covering(all)
    }

    /// The values of both sets.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        let mut common = Vec::new();
        let (mut left, mut right) = (0, 0);
        while left < self.intervals.len() && right < other.intervals.len() {
            let (a, b) = (self.intervals[left], other.intervals[right]);
            let (first, last) = (a.0.max(b.0), a.1.min(b.1));
            if first <= last {
                common.push((first, last));
            }
            if a.1 < b.1 { left += 1 } else { right += 1 }
        }
        Self { intervals: common }
    }

    /// The values that are not in the set.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut outside = Vec::with_capacity(self.intervals.len() + 1);
        let mut start = Some(T::MIN);
        for (first, last) in &self.intervals {
            if let (Some(from), Some(to)) = (start, first.previous())
                && from <= to
            {
                outside.push((from, to));
            }
            start = last.next();
        }
        if let Some(from) = start {
            outside.push((from, T::MAX));
        }
        Self { intervals: outside }
    }

    /// The values of this set that are not in `other`.
    #[must_use]
    pub fn difference(&self, other: &Self) -> Self {
        if self.is_empty() || other.is_empty() {
            return self.clone();
        }
        self.intersection(&other.complement())
    }

    /// Whether every value of this set is in `other`.
    #[must_use]
    pub fn is_subset(&self, other: &Self) -> bool {
        self.difference(other).is_empty()
    }

    /// Whether the sets have a value in common.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        !self.intersection(other).is_empty()
    }
}

impl<T: Point> Default for Ranges<T> {
    fn default() -> Self {
        Self::empty()
    }
}

impl<T: fmt::Debug> fmt::Debug for Ranges<T> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.intervals.iter().map(|(first, last)| format!("{first:?}-{last:?}"))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set() -> impl Strategy<Value = Ranges<u16>> {
        let edge = prop_oneof![Just(0u16), Just(1), Just(u16::MAX), 0u16..12, 65530u16..=u16::MAX];
        prop::collection::vec((edge.clone(), edge), 0..5).prop_map(Ranges::covering)
    }

    fn members(set: &Ranges<u16>) -> Vec<bool> {
        (0..=u16::MAX).map(|value| set.contains(value)).collect()
    }

    fn normal(set: &Ranges<u16>) -> bool {
        set.intervals.iter().all(|(first, last)| first <= last)
            && set.intervals.windows(2).all(|pair| pair[0].1 < pair[1].0 && pair[0].1 + 1 < pair[1].0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn operations_agree_with_membership(a in set(), b in set()) {
            let (in_a, in_b) = (members(&a), members(&b));
            for (result, expected) in [
                (a.union(&b), (|x, y| x || y) as fn(bool, bool) -> bool),
                (a.intersection(&b), |x, y| x && y),
                (a.difference(&b), |x, y| x && !y),
                (a.complement(), |x, _| !x),
            ] {
                prop_assert!(normal(&result), "{result:?}");
                let got = members(&result);
                prop_assert!((0..=u16::MAX as usize).all(|i| got[i] == expected(in_a[i], in_b[i])));
            }
        }

        #[test]
        fn a_difference_never_meets_what_was_taken_away(a in set(), b in set()) {
            prop_assert!(!a.difference(&b).meets(&b));
            prop_assert!(a.difference(&b).is_subset(&a));
            prop_assert_eq!(a.difference(&b).union(&a.intersection(&b)), a);
        }

        #[test]
        fn complement_is_an_involution_and_de_morgan_holds(a in set(), b in set()) {
            prop_assert_eq!(a.complement().complement(), a.clone());
            prop_assert_eq!(a.union(&b).complement(), a.complement().intersection(&b.complement()));
            prop_assert_eq!(a.is_subset(&b), a.union(&b) == b);
        }
    }

    #[test]
    fn adjacent_intervals_become_one() {
        assert_eq!(Ranges::covering(vec![(5u16, 9), (1, 4), (11, 12)]).intervals(), &[(1, 9), (11, 12)]);
        assert!(Ranges::covering(vec![(0u16, 7), (8, u16::MAX)]).is_full());
    }

    #[test]
    fn an_inverted_interval_is_empty() {
        assert!(Ranges::of(9u16, 3).is_empty());
        assert!(Ranges::<u16>::full().complement().is_empty());
    }
}
