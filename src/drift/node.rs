//! A JSON value that borrows from the text it was read from.
//!
//! A page of a LIST holds hundreds of objects that are compared and dropped at once. Borrowed strings and sorted vectors
//! cost a fraction of a tree of maps, in time and in memory.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

/// A value of JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Node<'a> {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number. A float that is whole counts as one, as it does for the API server.
    Int(i64),
    /// A number that is not whole, or does not fit 64 bits.
    Float(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Node<'a>>),
    /// A map.
    Map(Map<'a>),
    /// A part that was not parsed: `metadata.managedFields`, which is needed only for objects that differ.
    Raw(&'a str),
}

/// A map from text to values, sorted by key.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Map<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

/// 128 bits of SHA-256 over the canonical form of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

impl<'a> Node<'a> {
    /// Text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Node::Text(text.into())
    }

    /// A number as the API server keeps it: whole if it can be.
    pub fn float(number: f64) -> Self {
        // Every whole number below 2^53 is exact in both forms.
        if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 {
            #[allow(clippy::cast_possible_truncation)] // whole, and within range
            return Node::Int(number as i64);
        }
        Node::Float(number)
    }

    /// Reads JSON.
    ///
    /// # Errors
    /// Text that is not one JSON value.
    pub fn from_json(json: &'a [u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(json)
    }

    /// The map, if it is one.
    pub fn as_map(&self) -> Option<&Map<'a>> {
        match self {
            Node::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The map, if it is one.
    pub fn as_map_mut(&mut self) -> Option<&mut Map<'a>> {
        match self {
            Node::Map(map) => Some(map),
            _ => None,
        }
    }

    /// The items, if it is a list.
    pub fn as_list(&self) -> Option<&[Node<'a>]> {
        match self {
            Node::List(items) => Some(items),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value under a key, if this is a map that has it.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.as_map()?.get(key)
    }

    /// The value under a key of a key of …
    pub fn at(&self, keys: &[&str]) -> Option<&Node<'a>> {
        keys.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The value under a key of a key of …, to be changed.
    pub fn at_mut(&mut self, keys: &[&str]) -> Option<&mut Node<'a>> {
        keys.iter().try_fold(self, |node, key| node.as_map_mut()?.get_mut(key))
    }

    /// Whether it is `{}`, `[]`, `""` or `null`.
    pub fn is_empty(&self) -> bool {
        match self {
            Node::Null => true,
            Node::Text(text) => text.is_empty(),
            Node::List(items) => items.is_empty(),
            Node::Map(map) => map.is_empty(),
            Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Raw(_) => false,
        }
    }

    /// The same value, independent of the text it was read from.
    pub fn into_owned(self) -> Node<'static> {
        match self {
            Node::Null | Node::Raw(_) => Node::Null,
            Node::Bool(value) => Node::Bool(value),
            Node::Int(value) => Node::Int(value),
            Node::Float(value) => Node::Float(value),
            Node::Text(text) => Node::Text(Cow::Owned(text.into_owned())),
            Node::List(items) => Node::List(items.into_iter().map(Node::into_owned).collect()),
            Node::Map(map) => {
                let entries = map.0.into_iter();
                Node::Map(Map(entries.map(|(key, value)| (Cow::Owned(key.into_owned()), value.into_owned())).collect()))
            }
        }
    }

    /// The fingerprint of the value; `scratch` is memory that is used again and again.
    pub fn fingerprint(&self, scratch: &mut Vec<u8>) -> Fingerprint {
        scratch.clear();
        self.write_canonical(scratch);
        let digest = Sha256::digest(scratch.as_slice());
        let mut half = [0; 16];
        half.copy_from_slice(&digest[..16]);
        Fingerprint(half)
    }

    /// Writes the value so that two values give the same bytes exactly if they are equal.
    fn write_canonical(&self, out: &mut Vec<u8>) {
        match self {
            Node::Null | Node::Raw(_) => out.push(b'n'),
            Node::Bool(value) => out.push(if *value { b't' } else { b'f' }),
            Node::Int(value) => {
                out.push(b'i');
                out.extend_from_slice(&value.to_le_bytes());
            }
            Node::Float(value) => {
                out.push(b'd');
                out.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Node::Text(text) => write_text(text, out),
            Node::List(items) => {
                out.push(b'[');
                items.iter().for_each(|item| item.write_canonical(out));
                out.push(b']');
            }
            Node::Map(map) => {
                out.push(b'{');
                for (key, value) in &map.0 {
                    write_text(key, out);
                    value.write_canonical(out);
                }
                out.push(b'}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b's');
    out.extend_from_slice(&(text.len() as u64).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

/// JSON on one line.
impl fmt::Display for Node<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Node::Null => f.write_str("null"),
            Node::Bool(value) => write!(f, "{value}"),
            Node::Int(value) => write!(f, "{value}"),
            Node::Float(value) => write!(f, "{value}"),
            Node::Text(text) => f.write_str(&json_text(text)),
            Node::Raw(json) => f.write_str(json),
            Node::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    write!(f, "{}{item}", if index == 0 { "[" } else { "," })?;
                }
                f.write_str(if items.is_empty() { "[]" } else { "]" })
            }
            Node::Map(map) => {
                for (index, (key, value)) in map.0.iter().enumerate() {
                    write!(f, "{}{}:{value}", if index == 0 { "{" } else { "," }, json_text(key))?;
                }
                f.write_str(if map.is_empty() { "{}" } else { "}" })
            }
        }
    }
}

fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

impl<'a> Map<'a> {
    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value under a key.
    pub fn get(&self, key: &str) -> Option<&Node<'a>> {
        self.find(key).ok().map(|index| &self.0[index].1)
    }

    /// The value under a key, to be changed.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node<'a>> {
        self.find(key).ok().map(|index| &mut self.0[index].1)
    }

    /// Sets a key.
    pub fn insert(&mut self, key: impl Into<Cow<'a, str>>, value: Node<'a>) {
        let key = key.into();
        match self.find(&key) {
            Ok(index) => self.0[index].1 = value,
            Err(index) => self.0.insert(index, (key, value)),
        }
    }

    /// Sets a key that is absent or null.
    pub fn set_default(&mut self, key: &'static str, value: impl FnOnce() -> Node<'a>) {
        match self.find(key) {
            Ok(index) if self.0[index].1 == Node::Null => self.0[index].1 = value(),
            Ok(_) => {}
            Err(index) => self.0.insert(index, (Cow::Borrowed(key), value())),
        }
    }

    /// The map under a key, which is made if it is absent or null. None if something else stands there.
    pub fn map_at(&mut self, key: &'static str) -> Option<&mut Map<'a>> {
        self.set_default(key, || Node::Map(Map::default()));
        self.get_mut(key)?.as_map_mut()
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<Node<'a>> {
        self.find(key).ok().map(|index| self.0.remove(index).1)
    }

    /// Keys and values in the order of the keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node<'a>)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value))
    }

    /// Keys and values in the order of the keys, the values to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node<'a>)> {
        self.0.iter_mut().map(|entry| (&*entry.0, &mut entry.1))
    }

    /// Keeps the entries for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &mut Node<'a>) -> bool) {
        self.0.retain_mut(|(key, value)| keep(key, value));
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        // Maps of objects are small: a scan beats a binary search up to a dozen keys.
        if self.0.len() <= 12 {
            for (index, (candidate, _)) in self.0.iter().enumerate() {
                match candidate.as_ref().cmp(key) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => return Ok(index),
                    std::cmp::Ordering::Greater => return Err(index),
                }
            }
            return Err(self.0.len());
        }
        self.0.binary_search_by(|(candidate, _)| candidate.as_ref().cmp(key))
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Node<'a>)> for Map<'a> {
    /// The last of several values under one key wins.
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Node<'a>)>>(entries: I) -> Self {
        let mut entries: Vec<(Cow<'a, str>, Node<'a>)> = entries.into_iter().collect();
        if !entries.is_sorted_by(|a, b| a.0 < b.0) {
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            entries.reverse();
            entries.dedup_by(|a, b| a.0 == b.0);
            entries.reverse();
        }
        Map(entries)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NodeSeed::default().deserialize(deserializer)
    }
}

/// Where in an object the parser is, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Depth {
    #[default]
    Root,
    Metadata,
    Deeper,
}

#[derive(Default, Clone, Copy)]
struct NodeSeed(Depth);

impl<'de> DeserializeSeed<'de> for NodeSeed {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NodeSeed {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        #[allow(clippy::cast_precision_loss)] // the API server loses the same digits
        Ok(i64::try_from(value).map_or(Node::Float(value as f64), Node::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::float(value))
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(NodeSeed(Depth::Deeper))? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut entries = Vec::new();
        while let Some(Key(key)) = map.next_key()? {
            let value = match (self.0, key.as_ref()) {
                (Depth::Metadata, "managedFields") => Node::Raw(map.next_value::<&RawValue>()?.get()),
                (Depth::Root, "metadata") => map.next_value_seed(NodeSeed(Depth::Metadata))?,
                _ => map.next_value_seed(NodeSeed(Depth::Deeper))?,
            };
            entries.push((key, value));
        }
        Ok(Node::Map(entries.into_iter().collect()))
    }
}

/// A key, borrowed where it holds no escape.
struct Key<'a>(Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }

            fn visit_borrowed_str<E: de::Error>(self, value: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(value)))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(value.to_owned())))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(json: &str) -> Node<'_> {
        Node::from_json(json.as_bytes()).unwrap()
    }

    fn fingerprint(json: &str) -> Fingerprint {
        node(json).fingerprint(&mut Vec::new())
    }

    #[test]
    fn the_order_of_keys_does_not_matter_and_everything_else_does() {
        assert_eq!(fingerprint(r#"{"a":1,"b":[true,null,"x"]}"#), fingerprint(r#"{"b":[true,null,"x"],"a":1.0}"#));
        let different = [
            "1",
            "\"1\"",
            "1.5",
            "true",
            "false",
            "null",
            "[]",
            "{}",
            "\"\"",
            "[1]",
            "[[1]]",
            "[1,2]",
            "[2,1]",
            r#"{"a":"bc"}"#,
            r#"{"ab":"c"}"#,
            r#"{"a":"b","c":"d"}"#,
            r#"[{"a":1},{"b":2}]"#,
            r#"[{"a":1,"b":2}]"#,
        ];
        for (index, one) in different.iter().enumerate() {
            for other in &different[index + 1..] {
                assert_ne!(fingerprint(one), fingerprint(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn managed_fields_stay_raw_only_where_they_are_meant() {
        let json = r#"{"metadata":{"managedFields":[{"manager":"x"}],"name":"n"},"spec":{"managedFields":[1]}}"#;
        let object = node(json);
        assert_eq!(object.at(&["metadata", "managedFields"]), Some(&Node::Raw(r#"[{"manager":"x"}]"#)));
        assert_eq!(object.at(&["spec", "managedFields"]), Some(&Node::List(vec![Node::Int(1)])));
        assert_eq!(object.to_string(), json);
    }

    #[test]
    fn the_last_of_duplicate_keys_wins_as_in_the_api_server() {
        assert_eq!(node(r#"{"b":0,"a":1,"a":2}"#), node(r#"{"a":2,"b":0}"#));
    }

    #[test]
    fn maps_are_searched_whatever_their_size() {
        for size in [0, 1, 5, 12, 13, 40] {
            let map: Map<'_> = (0..size).rev().map(|i| (Cow::Owned(format!("k{i:02}")), Node::Int(i))).collect();
            for i in 0..size {
                assert_eq!(map.get(&format!("k{i:02}")), Some(&Node::Int(i)));
            }
            assert_eq!(map.get("a"), None);
            assert_eq!(map.get("z"), None);
        }
    }
}
