//! Strict reading of JSON documents: every access knows its path, every mismatch is a refusal with a place.

use std::fmt::Write as _;

use serde_json::Value;

use super::input::{Place, Refusal, Source};

/// A field of a document, linked to the field that holds it.
#[derive(Clone, Copy)]
pub(crate) struct Node<'v, 'p> {
    pub value: &'v Value,
    source: &'v Source,
    up: Option<&'p Node<'v, 'p>>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Key(&'p str),
    Index(usize),
}

impl<'v, 'p> Node<'v, 'p> {
    /// The document itself.
    pub fn root(source: &'v Source) -> Self {
        Self { value: &source.value, source, up: None, step: Step::Root }
    }

    /// A field of an object. A field that is `null` counts as absent, as for the API server.
    pub fn get<'s>(&'s self, key: &'s str) -> Option<Node<'v, 's>>
    where
        'v: 's,
    {
        let value = self.value.get(key).filter(|value| !value.is_null())?;
        Some(Node { value, source: self.source, up: Some(self), step: Step::Key(key) })
    }

    /// A field that must be there.
    pub fn need<'s>(&'s self, key: &'s str) -> Result<Node<'v, 's>, Refusal> {
        self.get(key).ok_or_else(|| self.refuse(&format!("field `{key}` is missing")))
    }

    /// Refuses every field that is not in `known`: a field that is not understood is never skipped.
    pub fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        for key in self.object()?.keys() {
            if !known.contains(&key.as_str()) {
                let child = Node { value: self.value, source: self.source, up: Some(self), step: Step::Key(key) };
                return Err(child.refuse("this field is not supported"));
            }
        }
        Ok(())
    }

    pub fn object(&self) -> Result<&'v serde_json::Map<String, Value>, Refusal> {
        self.value.as_object().ok_or_else(|| self.refuse("expected a mapping"))
    }

    pub fn list<'s>(&'s self) -> Result<impl Iterator<Item = Node<'v, 's>> + use<'s, 'v, 'p>, Refusal> {
        let items = self.value.as_array().ok_or_else(|| self.refuse("expected a list"))?;
        Ok(items.iter().enumerate().map(move |(index, value)| Node {
            value,
            source: self.source,
            up: Some(self),
            step: Step::Index(index),
        }))
    }

    /// The fields of an object with their names.
    pub fn fields<'s>(&'s self) -> Result<impl Iterator<Item = (&'v str, Node<'v, 's>)> + use<'s, 'v, 'p>, Refusal> {
        Ok(self.object()?.iter().map(move |(key, value)| {
            (key.as_str(), Node { value, source: self.source, up: Some(self), step: Step::Key(key) })
        }))
    }

    pub fn text(&self) -> Result<&'v str, Refusal> {
        self.value.as_str().ok_or_else(|| self.refuse("expected a string"))
    }

    pub fn boolean(&self) -> Result<bool, Refusal> {
        self.value.as_bool().ok_or_else(|| self.refuse("expected true or false"))
    }

    pub fn integer(&self) -> Result<i64, Refusal> {
        self.value.as_i64().ok_or_else(|| self.refuse("expected a whole number"))
    }

    /// A refusal of this very field.
    pub fn refuse(&self, message: &str) -> Refusal {
        Refusal { place: self.place(), object: String::new(), field: self.dotted(), message: message.to_owned() }
    }

    pub fn place(&self) -> Place {
        Place { file: self.source.file.clone(), line: self.source.lines.line(&self.pointer()) }
    }

    /// The JSON pointer of this field inside the document.
    pub fn pointer(&self) -> String {
        let mut pointer = self.up.map(Node::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(key) => {
                pointer.push('/');
                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
            }
            Step::Index(index) => {
                let _ = write!(pointer, "/{index}");
            }
        }
        pointer
    }

    /// The path as people write it: `spec.egress[0].to`.
    fn dotted(&self) -> String {
        let mut path = self.up.map(Node::dotted).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Key(key) if path.is_empty() => path.push_str(key),
            Step::Key(key) => {
                let _ = write!(path, ".{key}");
            }
            Step::Index(index) => {
                let _ = write!(path, "[{index}]");
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::super::input::LineIndex;
    use super::*;
    use serde_json::json;

    fn source(value: Value) -> Source {
        Source { value, file: "f.yaml".into(), lines: LineIndex::starting_at(1) }
    }

    #[test]
    fn refusals_name_the_path() {
        let source = source(json!({"spec": {"egress": [{"to": 5}]}}));
        let root = Node::root(&source);
        let spec = root.need("spec").unwrap();
        let egress = spec.need("egress").unwrap();
        let rule = egress.list().unwrap().next().unwrap();
        let to = rule.get("to").unwrap();
        assert_eq!(to.list().err().unwrap().field, "spec.egress[0].to");
        assert_eq!(to.pointer(), "/spec/egress/0/to");
        assert_eq!(
            rule.only(&["from"]).unwrap_err().to_string(),
            "f.yaml:1: spec.egress[0].to: this field is not supported"
        );
        assert_eq!(root.need("kind").err().unwrap().message, "field `kind` is missing");
    }

    #[test]
    fn null_counts_as_absent() {
        let source = source(json!({"spec": null}));
        assert!(Node::root(&source).get("spec").is_none());
    }

    #[test]
    fn pointers_escape_slashes() {
        let source = source(json!({"a/b~c": {}}));
        assert_eq!(Node::root(&source).get("a/b~c").unwrap().pointer(), "/a~1b~0c");
    }
}
