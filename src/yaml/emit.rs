//! Writes YAML in one canonical form.
//!
//! `apiVersion`, `kind`, `metadata`, `name`, `namespace` first in every mapping, the other keys sorted; two spaces a level;
//! a string is quoted wherever any YAML 1.1 or 1.2 reader could take it for something else.

use serde_json::Value;

/// Where canonical YAML goes, and what to do at leaves that are not known yet.
pub trait Sink {
    /// Takes the next piece of text.
    fn text(&mut self, text: &str);
    /// Offers a string before it is written; a sink that takes it over returns true and must later write what
    /// [`Emitter::value`] would write there, at that indentation.
    fn take(&mut self, text: &str, place: Place) -> bool;
}

impl Sink for String {
    fn text(&mut self, text: &str) {
        self.push_str(text);
    }

    fn take(&mut self, _text: &str, _place: Place) -> bool {
        false
    }
}

/// Where a value stands: behind a key or a dash, and how deep its own content would be indented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Whether it stands behind a dash (else behind `key:`, or it is the document).
    pub item: bool,
    /// Spaces before the lines of a collection or block of text that stands here.
    pub indent: usize,
}

/// The text of a stream of documents, each begun by `---`.
pub fn emit_documents<'a>(documents: impl IntoIterator<Item = &'a Value>) -> String {
    let mut text = String::new();
    for document in documents {
        Emitter::new(&mut text).document(document);
    }
    text
}

/// Writes values into a [`Sink`].
pub struct Emitter<'a, S: Sink> {
    sink: &'a mut S,
}

impl<'a, S: Sink> Emitter<'a, S> {
    /// An emitter into a sink.
    pub fn new(sink: &'a mut S) -> Self {
        Self { sink }
    }

    /// Writes `---` and a document with its final newline.
    pub fn document(&mut self, value: &Value) {
        self.sink.text("---");
        match value {
            Value::Object(map) if !map.is_empty() => {
                self.sink.text("\n");
                self.mapping(map, 0, false);
            }
            Value::Array(items) if !items.is_empty() => {
                self.sink.text("\n");
                self.sequence(items, 0, false);
            }
            other => self.value(other, Place { item: false, indent: 0 }),
        }
    }

    /// Writes what follows `key:` or `-`, up to and with the newline.
    pub fn value(&mut self, value: &Value, place: Place) {
        match value {
            Value::Object(map) if !map.is_empty() && place.item => {
                self.sink.text(" ");
                self.mapping(map, place.indent, true);
            }
            Value::Object(map) if !map.is_empty() => {
                self.sink.text("\n");
                self.mapping(map, place.indent, false);
            }
            Value::Array(items) if !items.is_empty() && place.item => {
                self.sink.text(" ");
                self.sequence(items, place.indent, true);
            }
            Value::Array(items) if !items.is_empty() => {
                self.sink.text("\n");
                // Kubernetes' own style: dashes stand under their key.
                self.sequence(items, place.indent.saturating_sub(2), false);
            }
            Value::Object(_) => self.sink.text(" {}\n"),
            Value::Array(_) => self.sink.text(" []\n"),
            Value::Null => self.sink.text(" null\n"),
            Value::Bool(true) => self.sink.text(" true\n"),
            Value::Bool(false) => self.sink.text(" false\n"),
            Value::Number(number) => {
                self.sink.text(" ");
                self.sink.text(&number.to_string());
                self.sink.text("\n");
            }
            Value::String(text) => {
                if !self.sink.take(text, place) {
                    self.string(text, place.indent);
                }
            }
        }
    }

    fn mapping(&mut self, map: &serde_json::Map<String, Value>, indent: usize, mut inline_first: bool) {
        for key in ordered_keys(map) {
            if !std::mem::take(&mut inline_first) {
                self.pad(indent);
            }
            if plain_is_safe(key) {
                self.sink.text(key);
            } else {
                self.sink.text(&quoted(key));
            }
            self.sink.text(":");
            if let Some(value) = map.get(key) {
                self.value(value, Place { item: false, indent: indent + 2 });
            }
        }
    }

    fn sequence(&mut self, items: &[Value], indent: usize, mut inline_first: bool) {
        for item in items {
            if !std::mem::take(&mut inline_first) {
                self.pad(indent);
            }
            self.sink.text("-");
            self.value(item, Place { item: true, indent: indent + 2 });
        }
    }

    fn string(&mut self, text: &str, indent: usize) {
        if plain_is_safe(text) {
            self.sink.text(" ");
            self.sink.text(text);
            self.sink.text("\n");
        } else if block_is_safe(text) {
            self.sink.text(if text.ends_with('\n') { " |\n" } else { " |-\n" });
            for line in text.lines() {
                if !line.is_empty() {
                    self.pad(indent.max(2));
                    self.sink.text(line);
                }
                self.sink.text("\n");
            }
        } else {
            self.sink.text(" ");
            self.sink.text(&quoted(text));
            self.sink.text("\n");
        }
    }

    fn pad(&mut self, indent: usize) {
        const SPACES: &str = "                                                                ";
        let mut left = indent;
        while left > 0 {
            let now = left.min(SPACES.len());
            self.sink.text(&SPACES[..now]);
            left -= now;
        }
    }
}

/// `apiVersion`, `kind`, `metadata`, `name` and `namespace` first, the others sorted.
fn ordered_keys(map: &serde_json::Map<String, Value>) -> Vec<&str> {
    let mut keys: Vec<&str> = map.keys().map(String::as_str).collect();
    keys.sort_unstable_by_key(|key| {
        let rank = match *key {
            "apiVersion" => 0,
            "kind" => 1,
            "metadata" => 2,
            "name" => 3,
            "namespace" => 4,
            _ => 5,
        };
        (rank, *key)
    });
    keys
}

/// Whether a string may stand without quotes for every YAML 1.1 and 1.2 reader: it begins with a letter or `/`, holds
/// only letters, digits, `_ . / @ -`, single inner blanks and inner colons, and is none of the words that some reader
/// takes for a boolean, a null or a number.
pub fn plain_is_safe(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    if !(first.is_ascii_alphabetic() || *first == b'/') || matches!(last, b' ' | b':') {
        return false;
    }
    let mut previous = 0_u8;
    for byte in bytes {
        let fine = match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'/' | b'@' | b'-' => {
                previous != b':' || *byte != b' '
            }
            b' ' => previous != b':' && previous != b' ',
            b':' => true,
            _ => false,
        };
        if !fine {
            return false;
        }
        previous = *byte;
    }
    !is_reserved_word(text)
}

fn is_reserved_word(text: &str) -> bool {
    if text.len() > 5 {
        return false;
    }
    const WORDS: [&str; 11] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Text of several lines that a literal block can hold without loss.
fn block_is_safe(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.ends_with("\n\n")
        && text.lines().all(|line| !line.ends_with([' ', '\t']))
        && text.lines().last().is_some_and(|line| !line.is_empty())
        && text.chars().all(|character| character == '\n' || is_printable(character))
}

/// What every reader takes inside quotes as it stands.
pub fn is_printable(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{2028}' | '\u{2029}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}' | '\u{E000}'..='\u{F8FF}'
        )
        && u32::from(character) <= 0xFFFF
}

/// The text in double quotes, as every reader takes it.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            character if is_printable(character) => out.push(character),
            character if u32::from(character) <= 0xFF => out.push_str(&format!("\\x{:02X}", u32::from(character))),
            character if u32::from(character) <= 0xFFFF => out.push_str(&format!("\\u{:04X}", u32::from(character))),
            character => out.push_str(&format!("\\U{:08X}", u32::from(character))),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Limits, parse};
    use super::*;

    #[test]
    fn writes_the_canonical_form() {
        let value = json!({
            "spec": {"ports": [{"port": 80, "name": "http"}, {"port": 1}], "empty": {}, "none": [], "nested": [[1, 2], []]},
            "kind": "Service",
            "metadata": {"labels": {"b": "no", "a": "1.0"}, "name": "x"},
            "apiVersion": "v1",
            "data": {"config": "line one\nline two\n", "odd": "a\n\n"},
        });
        let expected = "---\napiVersion: v1\nkind: Service\nmetadata:\n  name: x\n  labels:\n    a: \"1.0\"\n    b: \"no\"\n\
                        data:\n  config: |\n    line one\n    line two\n  odd: \"a\\n\\n\"\n\
                        spec:\n  empty: {}\n  nested:\n  - - 1\n    - 2\n  - []\n  none: []\n  ports:\n  - name: http\n    port: 80\n  - port: 1\n";
        assert_eq!(emit_documents([&value]), expected);
    }

    #[test]
    fn quotes_what_any_reader_could_take_for_something_else() {
        for text in [
            "",
            "y",
            "No",
            "ON",
            "null",
            "~",
            "1",
            "0x1f",
            "1_000",
            "12:30",
            "1e3",
            ".inf",
            "a: b",
            "a #b",
            "a:",
            "- a",
            "#a",
            "&a",
            "*a",
            "!a",
            "%a",
            "@a",
            "`a",
            "{a",
            "[a",
            "|",
            ">",
            "a ",
            " a",
            "2026-01-01",
            "=",
            "<<",
            "é",
            "a,b",
        ] {
            assert!(!plain_is_safe(text), "{text}");
        }
        for text in ["a", "soctalk-system", "v1.0.0", "apps/v1", "/healthz", "Example MSSP", "ghcr.io/x:y", "truetype"]
        {
            assert!(plain_is_safe(text), "{text}");
        }
    }

    /// Any value, with texts that are hard to write.
    pub(crate) fn tree() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            any::<String>(),
            "[a-z0-9:#\\- \\n\\t\"'{}\\[\\]|>&*!%@`,\\\\]{0,12}",
            "(y|no|on|0x1|1_0|1e3|~|null|<<|=|---|\\.\\.\\.)",
            "[ a-z]{0,3}(\\n[ a-z]{0,3}){0,4}",
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..5).prop_map(|map| map
                    .into_iter()
                    .filter(|(key, _)| key != "<<")
                    .collect::<serde_json::Map<_, _>>()
                    .into()),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_with_three_readers(value in tree()) {
            let text = emit_documents([&value]);
            let ours = parse(&text, Limits::MANIFEST);
            prop_assert!(ours.is_ok(), "{text}\n{ours:?}");
            prop_assert_eq!(ours.unwrap()[0].root.to_json(), value.clone(), "{}", text);
            let second: Value = serde_saphyr::from_str(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(&second, &value, "{}", &text);
            let third: Value = serde_yaml::from_str(&text).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
            prop_assert_eq!(&third, &value, "{}", &text);
        }
    }
}
