//! Finds what was renamed: an object that goes and one of the same kind that comes with nearly the same content.

use crate::drift::node::Node;

/// Share of common leaves from which two objects are taken for one that was renamed, in percent.
const ALIKE: usize = 80;
/// Most pairs that are looked at.
const MOST: usize = 2_500;

/// Pairs positions of `gone` and `come` by content, the most alike first. `may` says which may be paired at all.
pub(super) fn pairs(gone: &[&Node<'_>], come: &[&Node<'_>], may: impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    if gone.len() * come.len() > MOST {
        return Vec::new();
    }
    let mut scored = Vec::new();
    for (i, old) in gone.iter().enumerate() {
        for (j, new) in come.iter().enumerate() {
            let share = if may(i, j) { share(old, new) } else { 0 };
            if share >= ALIKE {
                scored.push((std::cmp::Reverse(share), i, j));
            }
        }
    }
    scored.sort_unstable();
    let (mut used, mut pairs) = ((vec![false; gone.len()], vec![false; come.len()]), Vec::new());
    for (_, i, j) in scored {
        if !used.0[i] && !used.1[j] {
            (used.0[i], used.1[j]) = (true, true);
            pairs.push((i, j));
        }
    }
    pairs.sort_unstable();
    pairs
}

/// Common leaves of all leaves of both, in percent.
fn share(old: &Node<'_>, new: &Node<'_>) -> usize {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    leaves(old, String::new(), &mut one);
    leaves(new, String::new(), &mut other);
    one.sort_unstable();
    other.sort_unstable();
    let (mut i, mut j, mut common) = (0, 0, 0_usize);
    while i < one.len() && j < other.len() {
        match one[i].cmp(&other[j]) {
            std::cmp::Ordering::Less => i += 1,
            std::cmp::Ordering::Greater => j += 1,
            std::cmp::Ordering::Equal => (i, j, common) = (i + 1, j + 1, common + 1),
        }
    }
    (200 * common).checked_div(one.len() + other.len()).unwrap_or(0)
}

/// Leaves with the names of the fields that lead to them; positions in lists do not count.
fn leaves(node: &Node<'_>, path: String, out: &mut Vec<String>) {
    match node {
        Node::Map(map) => map.iter().for_each(|(key, value)| leaves(value, format!("{path}/{key}"), out)),
        Node::List(items) => items.iter().for_each(|item| leaves(item, path.clone(), out)),
        leaf => out.push(format!("{path}={leaf}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_alike_are_paired_and_strangers_are_not() {
        let node = |text: &'static str| Node::from_json(text.as_bytes()).unwrap();
        let one = node(r#"{"spec":{"a":1,"b":2,"c":3,"d":4,"e":5}}"#);
        let near = node(r#"{"spec":{"a":1,"b":2,"c":3,"d":4,"e":6}}"#);
        let same = node(r#"{"spec":{"a":1,"b":2,"c":3,"d":4,"e":5}}"#);
        let other = node(r#"{"spec":{"a":9,"b":9,"c":3}}"#);
        assert_eq!(pairs(&[&one], &[&near, &same, &other], |_, _| true), [(0, 1)]);
        assert_eq!(pairs(&[&one], &[&near], |_, _| true), [(0, 0)]);
        assert_eq!(pairs(&[&one], &[&other], |_, _| true), []);
        assert_eq!(pairs(&[&one], &[&same], |_, _| false), []);
    }
}
