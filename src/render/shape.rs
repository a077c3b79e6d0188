//! Shapes: what a template's text is when every interpolated value is left out.
//!
//! A template does not write a value but a numbered hole; the value is kept aside. The text with holes depends on what
//! the template's conditions and loops saw, not on the values, so few distinct texts exist however many tenants there
//! are. Each is parsed and brought into canonical form once; for every tenant its values are then written into the
//! holes by the canonical emitter. Values never pass through a YAML parser, so they cannot inject anything.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::manifest::object::{self, IdRef};
use crate::secrets::leak;
use crate::yaml::{self, Emitter, Limits, Place, Sink, Span};

/// The value of a hole. Tenants have most of their values in common, and hold them in common.
pub type Held = Arc<Value>;

/// Begins a hole in a template's text; belongs to no other text (private use).
pub const OPEN: char = '\u{E000}';
/// Ends a hole.
pub const CLOSE: char = '\u{E001}';

/// A template's text with holes, parsed and in canonical form.
#[derive(Debug, Clone)]
pub struct Shape {
    documents: Vec<Document>,
    /// Bytes of the text between the holes.
    length: usize,
    suspect: bool,
    /// Holes in fields for credentials, each with the key of its field.
    guarded: Vec<(usize, String)>,
}

#[derive(Debug, Clone)]
struct Document {
    /// The manifest; holes stand as texts.
    value: Value,
    identity: Result<Identity, String>,
    pieces: Vec<Piece>,
}

/// The identity of a manifest.
#[derive(Debug, Clone)]
struct Identity {
    api_version: Part,
    kind: Part,
    namespace: Option<Part>,
    name: Part,
}

/// A text, or the hole in which it will stand.
#[derive(Debug, Clone)]
enum Part {
    Text(String),
    Hole(usize),
}

#[derive(Debug, Clone)]
enum Piece {
    Text(String),
    Hole(usize, Place),
}

/// Labels that every object carries.
const LABELS: [(&str, &str); 2] =
    [("app.kubernetes.io/managed-by", "tenantry"), ("app.kubernetes.io/part-of", "soctalk")];

/// Why a text with holes is no shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShapeError {
    /// Place in the rendered text.
    pub span: Span,
    /// What is wrong.
    pub message: String,
}

impl Shape {
    /// Parses a text with holes.
    ///
    /// # Errors
    /// The text is no YAML, or a value does not stand as a whole scalar.
    pub fn compile(text: &str) -> Result<Self, ShapeError> {
        let parsed = yaml::parse(text, Limits { aliases: false, ..Limits::MANIFEST })
            .map_err(|error| ShapeError { span: error.span, message: error.message })?;
        let mut documents = Vec::new();
        for document in parsed {
            check_holes(&document.root)?;
            let mut value = document.root.to_json();
            if value.is_null() {
                continue;
            }
            add_labels(&mut value);
            let mut collector = Collector { pieces: Vec::new() };
            Emitter::new(&mut collector).document(&value);
            documents.push(Document { identity: Identity::of(&value), value, pieces: collector.pieces });
        }
        let suspect = documents.iter().any(|document| is_suspect(&document.pieces));
        let pieces = documents.iter().flat_map(|document| &document.pieces);
        let length = pieces.map(|piece| if let Piece::Text(text) = piece { text.len() } else { 0 }).sum();
        let mut guarded = Vec::new();
        documents.iter().for_each(|document| guard(&document.value, &mut guarded));
        Ok(Self { documents, length, suspect, guarded })
    }

    /// About how many bytes the text takes with these values, so that it need not grow.
    pub fn room(&self, values: &[Held]) -> usize {
        // A text in quotes; numbers are short, and lists and mappings few.
        let room = |value: &Held| if let Value::String(text) = value.as_ref() { text.len() + 2 } else { 8 };
        self.length + values.iter().map(room).sum::<usize>()
    }

    /// Writes the canonical text of all documents with these values.
    pub fn write(&self, values: &[Held], out: &mut String) {
        for document in &self.documents {
            for piece in &document.pieces {
                match piece {
                    Piece::Text(text) => out.push_str(text),
                    Piece::Hole(index, place) => {
                        Emitter::new(out).value(values.get(*index).map_or(&Value::Null, AsRef::as_ref), *place);
                    }
                }
            }
        }
    }

    /// The manifests with these values.
    pub fn objects<'a>(&'a self, values: &'a [Held]) -> impl Iterator<Item = Value> + 'a {
        self.manifests().map(|manifest| fill(manifest, values))
    }

    /// The manifests with holes: texts that [`hole`] tells.
    pub fn manifests(&self) -> impl Iterator<Item = &Value> {
        self.documents.iter().map(|document| &document.value)
    }

    /// The identities of the manifests with these values, without building the manifests.
    ///
    /// # Errors
    /// A document lacks a part of its identity.
    pub fn identities<'a>(&'a self, values: &'a [Held]) -> impl Iterator<Item = Result<IdRef<'a>, String>> {
        self.documents.iter().map(|document| {
            let id = document.identity.as_ref().map_err(String::clone)?;
            let namespace = id.namespace.as_ref().map(|part| part.text(values, "metadata/namespace")).transpose()?;
            Ok(IdRef {
                api_version: id.api_version.text(values, "apiVersion")?,
                kind: id.kind.text(values, "kind")?,
                namespace,
                name: id.name.text(values, "metadata/name")?,
            })
        })
    }

    /// Whether the text itself, whatever its values, looks as if it held a secret.
    pub fn is_suspect(&self) -> bool {
        self.suspect
    }

    /// Whether a value looks like a secret because of the field that it stands in.
    pub fn is_suspect_with(&self, values: &[Held]) -> bool {
        let holds = |(hole, key): &(usize, String)| {
            let text = values.get(*hole).and_then(|value| AsRef::<Value>::as_ref(value).as_str());
            text.is_some_and(|text| leak::in_field(key, text))
        };
        self.guarded.iter().any(holds)
    }
}

impl Identity {
    fn of(manifest: &Value) -> Result<Self, String> {
        let id = IdRef::of(manifest)?;
        Ok(Self {
            api_version: Part::of(id.api_version),
            kind: Part::of(id.kind),
            namespace: id.namespace.map(Part::of),
            name: Part::of(id.name),
        })
    }
}

impl Part {
    fn of(text: &str) -> Self {
        hole(text).map_or_else(|| Self::Text(text.to_owned()), Self::Hole)
    }

    fn text<'a>(&'a self, values: &'a [Held], field: &str) -> Result<&'a str, String> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Hole(index) => object::text(values.get(*index).map(AsRef::as_ref), field),
        }
    }
}

/// Whether the pieces of text look as if they held a secret. (A value stands as a whole scalar: no secret can begin in
/// the text and end in a value.)
fn is_suspect(pieces: &[Piece]) -> bool {
    let texts = pieces.iter().filter_map(|piece| match piece {
        Piece::Text(text) => Some(text.as_str()),
        Piece::Hole(..) => None,
    });
    !leak::find(&texts.collect::<Vec<_>>().join("\n")).is_empty()
}

/// Collects the holes that stand in fields for credentials.
fn guard(value: &Value, guarded: &mut Vec<(usize, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| guard(item, guarded)),
        Value::Object(map) => {
            for (key, text) in leak::fields(map) {
                if let Some(hole) = hole(text).filter(|_| leak::is_for_credentials(key)) {
                    guarded.push((hole, key.to_owned()));
                }
            }
            map.values().for_each(|item| guard(item, guarded));
        }
        _ => {}
    }
}

/// Collects canonical text, and a hole wherever the emitter meets one.
struct Collector {
    pieces: Vec<Piece>,
}

impl Sink for Collector {
    fn text(&mut self, text: &str) {
        match self.pieces.last_mut() {
            Some(Piece::Text(last)) => last.push_str(text),
            _ => self.pieces.push(Piece::Text(text.to_owned())),
        }
    }

    fn take(&mut self, text: &str, place: Place) -> bool {
        match hole(text) {
            Some(index) => {
                self.pieces.push(Piece::Hole(index, place));
                true
            }
            None => false,
        }
    }
}

/// The number of the hole that a text is, if it is one.
pub fn hole(text: &str) -> Option<usize> {
    text.strip_prefix(OPEN)?.strip_suffix(CLOSE)?.parse().ok()
}

fn check_holes(node: &yaml::Node) -> Result<(), ShapeError> {
    let is_part = |text: &str| text.contains([OPEN, CLOSE]);
    match &node.value {
        yaml::Value::Str(text) if is_part(text) && hole(text).is_none() => Err(ShapeError {
            span: node.span,
            message: "a value must be a whole scalar: join the parts inside the braces, {{ \"a-\" ~ b }}".into(),
        }),
        yaml::Value::Seq(items) => items.iter().try_for_each(check_holes),
        yaml::Value::Map(entries) => entries.iter().try_for_each(|entry| {
            if is_part(&entry.key) {
                let message = "a key cannot be a value: give the whole mapping with the filter `yaml`".into();
                return Err(ShapeError { span: entry.key_span, message });
            }
            check_holes(&entry.node)
        }),
        _ => Ok(()),
    }
}

/// Adds the labels that every object carries; a template's own go before.
fn add_labels(manifest: &mut Value) {
    if manifest.get("kind").and_then(Value::as_str) == Some("Kustomization") && manifest.get("metadata").is_none() {
        return;
    }
    let Some(Value::Object(metadata)) = manifest.get_mut("metadata") else { return };
    let labels = metadata.entry("labels").or_insert_with(|| Value::Object(Map::new()));
    if let Value::Object(labels) = labels {
        for (key, value) in LABELS {
            labels.entry(key).or_insert_with(|| value.into());
        }
    }
}

/// The labels that every object carries, for mappings of labels that are values themselves.
pub fn with_labels(mut labels: Map<String, Value>) -> Value {
    for (key, value) in LABELS {
        labels.entry(key).or_insert_with(|| value.into());
    }
    labels.into()
}

/// A part of a manifest with the values in its holes.
pub fn fill(value: &Value, values: &[Held]) -> Value {
    // A copy keeps the order of the fields; to put them together anew would sort them once more.
    let mut filled = value.clone();
    put(&mut filled, values);
    filled
}

fn put(value: &mut Value, values: &[Held]) {
    match value {
        Value::String(text) => {
            if let Some(index) = hole(text) {
                *value = values.get(index).map(|value| Value::clone(value)).unwrap_or_default();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| put(item, values)),
        Value::Object(map) => map.values_mut().for_each(|item| put(item, values)),
        _ => {}
    }
}

/// The hole with a number, as it stands in a text.
pub fn hole_text(index: usize) -> Cow<'static, str> {
    Cow::Owned(format!("{OPEN}{index}{CLOSE}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_spliced_as_the_emitter_writes_them() {
        let text = "kind: \u{E000}0\u{E001}\nspec:\n  list:\n    - \u{E000}1\u{E001}\n    - {a: \u{E000}2\u{E001}}\n  tree: \u{E000}3\u{E001}\n";
        let shape = Shape::compile(text).unwrap();
        for values in [
            vec![json!("x"), json!("y: z"), json!("no"), json!({"b": [1], "a": {}})],
            vec![json!("a\nb\n"), json!([1, [2]]), json!({"x": "y"}), json!([])],
            vec![json!(1), json!(null), json!(true), json!("a\n\nb")],
        ] {
            let values: Vec<Held> = values.into_iter().map(Arc::new).collect();
            let mut out = String::new();
            shape.write(&values, &mut out);
            let objects: Vec<Value> = shape.objects(&values).collect();
            assert_eq!(out, yaml::emit_documents(&objects));
            assert_eq!(yaml::parse(&out, Limits::MANIFEST).unwrap()[0].root.to_json(), objects[0]);
        }
    }

    #[test]
    fn a_value_in_part_of_a_scalar_or_key_is_refused() {
        for text in [
            "a: x\u{E000}0\u{E001}",
            "a: \u{E000}0\u{E001}\u{E000}1\u{E001}",
            "\u{E000}0\u{E001}: a",
            "a: |\n  \u{E000}0\u{E001}\n",
        ] {
            assert!(Shape::compile(text).is_err(), "{text}");
        }
    }
}
