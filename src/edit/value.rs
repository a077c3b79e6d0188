//! Values with their keys in the order of the file, and how they are written.

use serde_json::Value as Json;

use crate::yaml::{self, Limits, Style, quoted};

/// A value of a config file.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction or exponent, as written.
    Float(String),
    /// Text.
    Text(String),
    /// Items.
    Seq(Vec<Value>),
    /// Entries, in order.
    Map(Vec<(String, Value)>),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u32> for Value {
    fn from(number: u32) -> Self {
        Self::Int(number.into())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

impl From<&yaml::Node> for Value {
    fn from(node: &yaml::Node) -> Self {
        match &node.value {
            yaml::Value::Null => Self::Null,
            yaml::Value::Bool(value) => Self::Bool(*value),
            yaml::Value::Int(number) => Self::Int(*number),
            yaml::Value::Float(text) => Self::Float(text.clone()),
            yaml::Value::Str(text) => Self::Text(text.clone()),
            yaml::Value::Seq(items) => Self::Seq(items.iter().map(Self::from).collect()),
            yaml::Value::Map(entries) => {
                Self::Map(entries.iter().map(|entry| (entry.key.clone(), Self::from(&entry.node))).collect())
            }
        }
    }
}

impl Value {
    /// A mapping.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// Reads a value as it is written in a file: `7`, `[a, b]`, `{ k: v }`; anything that is no YAML is text.
    pub fn read(text: &str) -> Self {
        match yaml::parse(text, Limits::CONFIG).as_deref() {
            Ok([document]) => Self::from(&document.root),
            _ => Self::Text(text.to_owned()),
        }
    }

    /// The same value as JSON.
    pub fn to_json(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Bool(value) => Json::Bool(*value),
            Self::Int(number) => Json::from(*number),
            Self::Float(text) => text
                .parse::<f64>()
                .ok()
                .and_then(serde_json::Number::from_f64)
                .map_or_else(|| Json::String(text.clone()), Json::Number),
            Self::Text(text) => Json::String(text.clone()),
            Self::Seq(items) => Json::Array(items.iter().map(Self::to_json).collect()),
            Self::Map(entries) => {
                Json::Object(entries.iter().map(|(key, value)| (key.clone(), value.to_json())).collect())
            }
        }
    }

    /// The value at a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self, |value, key| match value {
            Self::Map(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Self::Seq(items) => items.get(key.parse::<usize>().ok()?),
            _ => None,
        })
    }

    fn is_leaf(&self) -> bool {
        !matches!(self, Self::Seq(_) | Self::Map(_))
    }

    /// Whether it reads well on one line: no collection in a collection, not too long.
    pub(super) fn is_short(&self) -> bool {
        let leaves = match self {
            Self::Seq(items) => items.iter().all(Self::is_leaf),
            Self::Map(entries) => entries.iter().all(|(_, value)| value.is_leaf()),
            _ => true,
        };
        leaves && self.flow().chars().count() <= 90
    }

    /// On one line.
    pub(super) fn flow(&self) -> String {
        match self {
            Self::Seq(items) => format!("[{}]", items.iter().map(Self::flow).collect::<Vec<_>>().join(", ")),
            Self::Map(entries) if entries.is_empty() => "{}".into(),
            Self::Map(entries) => {
                let pairs = entries.iter().map(|(key, value)| format!("{}: {}", text_of(key), value.flow()));
                format!("{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
            leaf => leaf.leaf(Style::Plain),
        }
    }

    /// A scalar in the quotes that it had, if they hold it.
    pub(super) fn leaf(&self, style: Style) -> String {
        match self {
            Self::Null => "null".into(),
            Self::Bool(value) => value.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Float(text) => text.clone(),
            Self::Text(text) => match style {
                Style::DoubleQuoted => quoted(text),
                Style::SingleQuoted if !text.contains(['\n', '\t', '\r']) => format!("'{}'", text.replace('\'', "''")),
                _ => text_of(text),
            },
            Self::Seq(_) | Self::Map(_) => self.flow(),
        }
    }

    /// The lines of an entry, without the last line's end. `indent` is in blanks, `step` what the file indents by;
    /// `deep` says that short collections are to be written over several lines as well.
    pub(super) fn entry(&self, key: &str, indent: usize, step: usize, deep: bool) -> String {
        let head = format!("{}{}:", " ".repeat(indent), text_of(key));
        match self {
            Self::Map(entries) if !entries.is_empty() && (deep || !self.is_short()) => {
                let lines = entries.iter().map(|(key, value)| value.entry(key, indent + step, step, false));
                std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
            }
            Self::Seq(items) if !items.is_empty() && !self.is_short() => {
                let lines = items.iter().map(|item| format!("{}- {}", " ".repeat(indent + step), item.flow()));
                std::iter::once(head).chain(lines).collect::<Vec<_>>().join("\n")
            }
            other => format!("{head} {}", other.flow()),
        }
    }
}

/// A text without quotes where every reader of the fleet's files takes it for the same text.
fn text_of(text: &str) -> String {
    let fits =
        |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '/' | '@' | '-' | ':' | ' ' | '+' | '(' | ')' | '=');
    let plain = text.starts_with(|c: char| c.is_alphanumeric() || c == '/')
        && text.chars().all(fits)
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !text.contains("  ")
        && !is_time_or_word(text)
        && Value::read(text) == Value::from(text);
    if plain { text.to_owned() } else { quoted(text) }
}

/// What readers of YAML 1.1 take for a number or a truth: `12:30`, `1_000`, `yes`.
fn is_time_or_word(text: &str) -> bool {
    let number = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'_'));
    const WORDS: [&str; 6] = ["y", "n", "yes", "no", "on", "off"];
    number || WORDS.iter().any(|word| text.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_reads_back() {
        for text in [
            "acme",
            "1.0.1",
            "2026-09-01",
            "Dunmore & Sons: Solicitors",
            "yes",
            "7",
            "12:30",
            "",
            " a",
            "#1a73e8",
            "a,b",
            "1e3",
            "https://a.b:8443/v1",
            "null",
            "é ü",
            "a\nb",
            "192.0.2.0/25",
        ] {
            let value = Value::from(text);
            for style in [Style::Plain, Style::SingleQuoted, Style::DoubleQuoted] {
                assert_eq!(Value::read(&value.leaf(style)), value, "{text:?} {style:?}");
            }
            let list = Value::Seq(vec![value.clone(), Value::map([("k", value)])]);
            assert_eq!(Value::read(&list.flow()), list, "{text:?}");
        }
        assert_eq!(text_of("1.0.1"), "1.0.1");
        assert_eq!(text_of("yes"), "\"yes\"");
    }

    #[test]
    fn long_and_nested_values_are_written_over_lines() {
        let value = Value::map([("mode", "x".into()), ("tls", Value::map([("mode", "v".into())]))]);
        assert_eq!(value.entry("a", 0, 2, true), "a:\n  mode: x\n  tls: { mode: v }");
        assert_eq!(Value::map([]).entry("a", 2, 2, true), "  a: {}");
    }
}
