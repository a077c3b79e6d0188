//! The differences between two values, as paths.
//!
//! Both values are canonical. Keyed lists are compared by key and sets by element. In atomic lists equal items are matched
//! first, so that one added rule is one difference, not a shift of all the others.

use std::fmt;
use std::sync::LazyLock;

use super::change::Verdict;
use super::node::{Map, Node};
use super::shape::{List, Shape, item_key};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A field of a map.
    Field(String),
    /// An item of an atomic list.
    Index(usize),
    /// An item of a keyed list: `port=80,protocol=TCP`.
    Key(String),
}

/// A path into an object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Path(pub Vec<Step>);

/// One difference.
#[derive(Debug, Clone, PartialEq)]
pub struct Change<'n> {
    /// Where: for items of atomic lists, the index in Git if the item is there, else in the cluster.
    pub path: Path,
    /// How.
    pub verdict: Verdict,
    /// What Git says.
    pub expected: Option<&'n Node<'n>>,
    /// What the cluster says.
    pub found: Option<&'n Node<'n>>,
}

/// All differences, in the order of the fields.
pub fn diff<'n>(desired: &'n Node<'n>, live: &'n Node<'n>, shape: &Shape) -> Vec<Change<'n>> {
    let mut walk = Walk { path: Path::default(), changes: Vec::new() };
    walk.values(desired, live, Some(shape));
    walk.changes
}

impl Path {
    /// The names of the fields on the way, without list positions.
    pub fn fields(&self) -> Vec<&str> {
        self.0
            .iter()
            .filter_map(|step| match step {
                Step::Field(name) => Some(name.as_str()),
                Step::Index(_) | Step::Key(_) => None,
            })
            .collect()
    }

    /// Whether the path begins with these fields (list positions do not count).
    pub fn under(&self, fields: &[&str]) -> bool {
        self.fields().starts_with(fields)
    }
}

/// `spec.ports[port=80].name`, `metadata.labels["a.b/c"]`.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            match step {
                Step::Field(name) if plain(name) => write!(f, "{}{name}", if index == 0 { "" } else { "." })?,
                Step::Field(name) => write!(f, "[{}]", serde_json::Value::from(name.as_str()))?,
                Step::Index(position) => write!(f, "[{position}]")?,
                Step::Key(key) => write!(f, "[{key}]")?,
            }
        }
        Ok(())
    }
}

fn plain(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

struct Walk<'n> {
    path: Path,
    changes: Vec<Change<'n>>,
}

impl<'n> Walk<'n> {
    fn values(&mut self, desired: &'n Node<'n>, live: &'n Node<'n>, shape: Option<&Shape>) {
        match (desired, live) {
            _ if desired == live => {}
            (Node::Map(a), Node::Map(b)) => {
                let mut names: Vec<&'n str> = a.iter().chain(b.iter()).map(|(name, _)| name).collect();
                names.sort_unstable();
                names.dedup();
                for name in names {
                    let below = shape.and_then(|shape| shape.field(name));
                    self.step(Step::Field(name.to_owned()), |walk| walk.optional(a.get(name), b.get(name), below));
                }
            }
            (Node::List(a), Node::List(b)) => {
                let items = shape.and_then(|shape| shape.items.as_deref());
                match shape.map(|shape| &shape.list) {
                    Some(List::Keyed(keys)) => self.keyed(a, b, keys, items),
                    Some(List::Set | List::Commutative) => self.bag(a, b, items, true),
                    Some(List::Atomic) | None => self.bag(a, b, items, false),
                }
            }
            _ => self.push(Verdict::Changed, Some(desired), Some(live)),
        }
    }

    fn optional(&mut self, desired: Option<&'n Node<'n>>, live: Option<&'n Node<'n>>, shape: Option<&Shape>) {
        match (desired, live) {
            (Some(a), Some(b)) => self.values(a, b, shape),
            (Some(a), None) => match self.nothing_like(a) {
                Some(nothing) => self.values(a, nothing, shape),
                None => self.push(Verdict::Missing, desired, None),
            },
            (None, Some(b)) => match self.nothing_like(b) {
                Some(nothing) => self.values(nothing, b, shape),
                None => self.push(Verdict::Added, None, live),
            },
            (None, None) => {}
        }
    }

    /// What stands for an absent value where each part has a meaning of its own: labels, annotations, finalizers.
    fn nothing_like(&self, present: &Node<'_>) -> Option<&'static Node<'static>> {
        const PARTS: [&[&str]; 4] =
            [&["metadata"], &["metadata", "labels"], &["metadata", "annotations"], &["metadata", "finalizers"]];
        static NO_MAP: LazyLock<Node<'static>> = LazyLock::new(|| Node::Map(Map::default()));
        static NO_LIST: Node<'static> = Node::List(Vec::new());
        if !PARTS.contains(&self.path.fields().as_slice()) {
            return None;
        }
        match present {
            Node::Map(_) => Some(&NO_MAP),
            Node::List(_) => Some(&NO_LIST),
            _ => None,
        }
    }

    fn keyed(&mut self, a: &'n [Node<'n>], b: &'n [Node<'n>], keys: &[String], items: Option<&Shape>) {
        let key_of = |item: &Node<'_>| item_key(item, keys);
        let mut names: Vec<String> = a.iter().chain(b).map(key_of).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let find = |list: &'n [Node<'n>]| list.iter().find(|item| key_of(item) == name);
            let (one, other) = (find(a), find(b));
            self.step(Step::Key(name), |walk| walk.optional(one, other, items));
        }
    }

    /// A list whose items have no key.
    fn bag(&mut self, a: &'n [Node<'n>], b: &'n [Node<'n>], items: Option<&Shape>, commutative: bool) {
        let (gone, new) = unmatched(a, b);
        if gone.is_empty() && new.is_empty() {
            // The same items: only the order differs. (Both lists are known to differ.)
            let verdict = if commutative { Verdict::Reordered } else { Verdict::Changed };
            self.changes.push(Change { path: self.path.clone(), verdict, expected: None, found: None });
            return;
        }
        let (pairs, gone, new) = pair(a, b, gone, new);
        for (one, other) in pairs {
            self.step(Step::Index(one), |walk| walk.values(&a[one], &b[other], items));
        }
        for index in gone {
            self.element(index, Verdict::Missing, &a[index]);
        }
        for index in new {
            self.element(index, Verdict::Added, &b[index]);
        }
    }

    /// An item that only one side has. A scalar is told by its value, so its path is the list's.
    fn element(&mut self, index: usize, verdict: Verdict, item: &'n Node<'n>) {
        let (expected, found) = if verdict == Verdict::Missing { (Some(item), None) } else { (None, Some(item)) };
        if matches!(item, Node::Map(_) | Node::List(_)) {
            self.step(Step::Index(index), |walk| walk.push(verdict, expected, found));
        } else {
            self.push(verdict, expected, found);
        }
    }

    fn step(&mut self, step: Step, walk: impl FnOnce(&mut Self)) {
        self.path.0.push(step);
        walk(self);
        self.path.0.pop();
    }

    fn push(&mut self, verdict: Verdict, expected: Option<&'n Node<'n>>, found: Option<&'n Node<'n>>) {
        self.changes.push(Change { path: self.path.clone(), verdict, expected, found });
    }
}

/// The positions of items that have no equal on the other side.
fn unmatched(a: &[Node<'_>], b: &[Node<'_>]) -> (Vec<usize>, Vec<usize>) {
    let mut new: Vec<usize> = (0..b.len()).collect();
    let mut gone = Vec::new();
    for (index, item) in a.iter().enumerate() {
        match new.iter().position(|&other| b[other] == *item) {
            Some(found) => drop(new.remove(found)),
            None => gone.push(index),
        }
    }
    (gone, new)
}

type Paired = (Vec<(usize, usize)>, Vec<usize>, Vec<usize>);

/// Matches items that were probably edited: each with the most similar one that is left.
fn pair(a: &[Node<'_>], b: &[Node<'_>], gone: Vec<usize>, mut new: Vec<usize>) -> Paired {
    let (mut pairs, mut lone) = (Vec::new(), Vec::new());
    for index in gone {
        let best = new.iter().enumerate().map(|(at, &other)| (similarity(&a[index], &b[other]), at));
        // Of equally similar ones, the first.
        match best.max_by_key(|(score, at)| (*score, usize::MAX - at)) {
            Some((score, at)) if score > 0 => pairs.push((index, new.remove(at))),
            _ => lone.push(index),
        }
    }
    (pairs, lone, new)
}

/// How many leaves two collections share; scalars are never alike.
fn similarity(a: &Node<'_>, b: &Node<'_>) -> usize {
    match (a, b) {
        (Node::Map(a), Node::Map(b)) => {
            let shared = a.iter().filter_map(|(name, value)| Some((value, b.get(name)?)));
            // Sharing a field at all counts for little, an equal value for much.
            1 + shared.map(|(x, y)| if x == y { 4 + leaves(x) } else { 1 + similarity(x, y) }).sum::<usize>()
        }
        (Node::List(a), Node::List(b)) => 4 * a.iter().filter(|item| b.contains(item)).count(),
        _ => 0,
    }
}

fn leaves(node: &Node<'_>) -> usize {
    match node {
        Node::Map(map) => map.iter().map(|(_, value)| leaves(value)).sum(),
        Node::List(items) => items.iter().map(leaves).sum(),
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Rule;
    use super::*;

    fn told(desired: &str, live: &str, rules: &[(&str, Rule)]) -> Vec<String> {
        let (a, b) = (Node::from_json(desired.as_bytes()).unwrap(), Node::from_json(live.as_bytes()).unwrap());
        let show = |node: Option<&Node<'_>>| node.map_or("-".to_owned(), ToString::to_string);
        diff(&a, &b, &Shape::from_rules(rules))
            .iter()
            .map(|c| format!("{:?} {} {} {}", c.verdict, c.path, show(c.expected), show(c.found)))
            .collect()
    }

    #[test]
    fn maps_tell_changed_missing_and_added() {
        let told = told(r#"{"a":{"b":1,"c":2},"x.y/z":1}"#, r#"{"a":{"b":2,"d":{}},"x.y/z":"1"}"#, &[]);
        assert_eq!(told, ["Changed a.b 1 2", "Missing a.c 2 -", "Added a.d - {}", r#"Changed ["x.y/z"] 1 "1""#]);
    }

    #[test]
    fn one_added_rule_is_one_difference_wherever_it_stands() {
        for live in [r#"[{"x":1},{"r":1},{"r":2}]"#, r#"[{"r":1},{"x":1},{"r":2}]"#, r#"[{"r":1},{"r":2},{"x":1}]"#] {
            let told = told(r#"[{"r":1},{"r":2}]"#, live, &[]);
            assert_eq!(told.len(), 1, "{told:?}");
            assert!(told[0].starts_with("Added [") && told[0].ends_with(r#"- {"x":1}"#), "{told:?}");
        }
    }

    #[test]
    fn an_edited_item_is_compared_with_what_it_was() {
        let desired = r#"[{"name":"a","p":1,"q":2},{"name":"b","p":1,"q":3}]"#;
        let told = told(desired, r#"[{"name":"b","p":1,"q":4},{"name":"a","p":1,"q":2}]"#, &[]);
        assert_eq!(told, ["Changed [1].q 3 4"]);
    }

    #[test]
    fn order_is_told_apart_from_content() {
        assert_eq!(told("[1,2]", "[2,1]", &[("[]", Rule::Zero("0"))]), ["Changed  - -"]);
        let commutative = [("l", Rule::Commutative)];
        assert_eq!(told(r#"{"l":[1,2]}"#, r#"{"l":[2,1]}"#, &commutative), ["Reordered l - -"]);
        assert_eq!(told(r#"{"l":[1,2]}"#, r#"{"l":[2,1,3]}"#, &commutative), ["Added l - 3"]);
        assert_eq!(told(r#"{"l":[1,1]}"#, r#"{"l":[1]}"#, &commutative), ["Missing l 1 -"]);
    }

    #[test]
    fn keyed_lists_are_compared_by_key() {
        let keyed = [("l", Rule::Keyed(&["port", "protocol"]))];
        let told = told(
            r#"{"l":[{"port":53,"protocol":"TCP","n":"a"},{"port":53,"protocol":"UDP"}]}"#,
            r#"{"l":[{"port":53,"protocol":"TCP","n":"b"},{"port":80,"protocol":"TCP"}]}"#,
            &keyed,
        );
        assert_eq!(
            told,
            [
                r#"Changed l[port=53,protocol=TCP].n "a" "b""#,
                r#"Missing l[port=53,protocol=UDP] {"port":53,"protocol":"UDP"} -"#,
                r#"Added l[port=80,protocol=TCP] - {"port":80,"protocol":"TCP"}"#,
            ]
        );
    }

    #[test]
    fn labels_are_told_one_by_one_even_where_there_were_none() {
        let labels = r#"{"metadata":{"finalizers":["f"],"labels":{"a":"1","b":"2"}}}"#;
        let added = [
            r#"Added metadata.finalizers - "f""#,
            r#"Added metadata.labels.a - "1""#,
            r#"Added metadata.labels.b - "2""#,
        ];
        assert_eq!(told("{}", labels, &[("metadata.finalizers", Rule::Set)]), added);
        assert_eq!(told(r#"{"metadata":{"labels":{"a":"1"}}}"#, "{}", &[]), [r#"Missing metadata.labels.a "1" -"#]);
    }

    #[test]
    fn a_number_is_not_its_text() {
        assert_eq!(told(r#"{"port":80}"#, r#"{"port":"80"}"#, &[]), [r#"Changed port 80 "80""#]);
    }
}
