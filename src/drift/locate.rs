//! Finds the line of a file that says what a path should be.

use super::diff::{Path, Step};
use super::node::Node;
use super::shape::{List, Shape, item_key};
use crate::yaml::{self, Limits, Value};

/// One document of a file.
pub struct Locator {
    root: Option<yaml::Node>,
}

impl Locator {
    /// The document with a number, from 0. A text that the stricter reader refuses has no lines to tell.
    pub fn new(text: &str, document: usize) -> Self {
        let mut documents = yaml::parse(text, Limits::MANIFEST).unwrap_or_default();
        let root = (document < documents.len()).then(|| documents.swap_remove(document).root);
        Locator { root }
    }

    /// The line of the field, or of the nearest thing around it that the file has.
    pub fn line(&self, path: &Path, shape: &Shape) -> Option<u32> {
        self.walk(path, shape).map(|(line, _)| line)
    }

    /// Whether the file states the field itself: not, if its value is a default. An unreadable file states everything.
    pub fn states(&self, path: &Path, shape: &Shape) -> bool {
        self.walk(path, shape).is_none_or(|(_, found)| found)
    }

    /// The line that was reached, and whether the whole path was found.
    fn walk(&self, path: &Path, shape: &Shape) -> Option<(u32, bool)> {
        let mut node = self.root.as_ref()?;
        let mut shape = Some(shape);
        let mut line = node.span.line;
        for step in &path.0 {
            let next = match (&node.value, step) {
                (Value::Map(entries), Step::Field(name)) => {
                    let entry = entries.iter().find(|entry| entry.key == *name);
                    shape = shape.and_then(|shape| shape.field(name));
                    entry.map(|entry| (&entry.node, entry.key_span.line))
                }
                (Value::Seq(items), Step::Index(index)) => {
                    shape = shape.and_then(|shape| shape.items.as_deref());
                    items.get(*index).map(|item| (item, item.span.line))
                }
                (Value::Seq(items), Step::Key(key)) => {
                    let keys = match shape.map(|shape| &shape.list) {
                        Some(List::Keyed(keys)) => keys.as_slice(),
                        _ => &[],
                    };
                    let found = items.iter().find(|item| same_item(item, key, keys));
                    shape = shape.and_then(|shape| shape.items.as_deref());
                    found.map(|item| (item, item.span.line))
                }
                _ => None,
            };
            let Some((child, child_line)) = next else { return Some((line, false)) };
            node = child;
            line = child_line;
        }
        Some((line, node.value != Value::Null))
    }
}

/// Whether an item of the file, which may leave defaults out, is the one with a key.
fn same_item(item: &yaml::Node, key: &str, keys: &[String]) -> bool {
    let json = item.to_json().to_string();
    let Ok(item) = Node::from_json(json.as_bytes()) else { return false };
    let own = item_key(&item, keys);
    own == key || (!own.is_empty() && key.strip_prefix(&own).is_some_and(|rest| rest.starts_with(',')))
}

#[cfg(test)]
mod tests {
    use super::super::builtin;
    use super::super::kind::Known;
    use super::*;

    const SERVICE: &str = "---\na: 1\n---\nspec:\n  ports:\n  - port: 53\n    protocol: UDP\n  - port: 80\n    name: web\n  selector:\n    app: x\n";

    fn line(steps: Vec<Step>) -> Option<u32> {
        Locator::new(SERVICE, 1).line(&Path(steps), &builtin::shape(Known::Service))
    }

    fn field(name: &str) -> Step {
        Step::Field(name.to_owned())
    }

    #[test]
    fn fields_and_keyed_items_have_lines() {
        assert_eq!(line(vec![field("spec"), field("selector"), field("app")]), Some(11));
        let udp = Step::Key("port=53,protocol=UDP".into());
        assert_eq!(line(vec![field("spec"), field("ports"), udp, field("protocol")]), Some(7));
        let tcp = Step::Key("port=80,protocol=TCP".into());
        assert_eq!(line(vec![field("spec"), field("ports"), tcp, field("name")]), Some(9));
    }

    #[test]
    fn what_the_file_does_not_say_is_told_by_what_stands_around_it() {
        assert_eq!(line(vec![field("spec"), field("externalIPs")]), Some(4));
        assert_eq!(line(vec![field("metadata"), field("labels")]), Some(4));
        let tcp = Step::Key("port=80,protocol=TCP".into());
        let states = |steps: Vec<Step>| Locator::new(SERVICE, 1).states(&Path(steps), &builtin::shape(Known::Service));
        assert!(states(vec![field("spec"), field("ports"), tcp.clone(), field("name")]));
        assert!(!states(vec![field("spec"), field("ports"), tcp, field("protocol")]));
        assert_eq!(Locator::new("a: [", 0).line(&Path::default(), &Shape::default()), None);
    }
}
