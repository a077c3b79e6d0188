//! Pages of a LIST and events of a WATCH, object by object as they are parsed.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::node::Node;

/// How a page of a LIST ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageEnd {
    /// Objects on the page.
    pub objects: usize,
    /// Where the next page begins; none after the last.
    pub next: Option<String>,
    /// The version of the collection, to watch from.
    pub resource_version: String,
}

/// Reads a page, `{"metadata": …, "items": […]}`, and hands each object on.
///
/// # Errors
/// A body that is none. Part of the page may have been handed on.
pub fn read(body: &[u8], each: &mut dyn FnMut(Node<'_>)) -> Result<PageEnd, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let end = PageSeed(each).deserialize(&mut deserializer).map_err(|error| error.to_string())?;
    deserializer.end().map_err(|error| error.to_string())?;
    Ok(end)
}

/// One line of a WATCH.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    /// What happened.
    #[serde(rename = "type")]
    pub kind: EventKind,
    /// To what: the object as it is now (as it was, if it was deleted); of an error, a `Status`.
    #[serde(borrow)]
    pub object: Node<'a>,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum EventKind {
    /// It came to be, or is one of those that are there at the beginning.
    Added,
    /// It is another.
    Modified,
    /// It went.
    Deleted,
    /// Nothing: the server only tells how far the watch is.
    Bookmark,
    /// The watch ends.
    Error,
}

impl<'a> Event<'a> {
    /// Reads a line.
    ///
    /// # Errors
    /// A line that is no event.
    pub fn parse(line: &'a [u8]) -> Result<Self, String> {
        serde_json::from_slice(line).map_err(|error| error.to_string())
    }

    /// The version of the object, to go on from.
    pub fn version(&self) -> Option<&str> {
        self.object.at(&["metadata", "resourceVersion"]).and_then(Node::as_text).filter(|version| !version.is_empty())
    }

    /// Whether everything that was there at the beginning has been told.
    pub fn ends_beginning(&self) -> bool {
        let mark = self.object.at(&["metadata", "annotations", "k8s.io/initial-events-end"]);
        self.kind == EventKind::Bookmark && mark.and_then(Node::as_text) == Some("true")
    }

    /// Of an error: its status code and what the server says.
    pub fn status(&self) -> (u16, String) {
        let code = match self.object.get("code") {
            Some(Node::Int(code)) => u16::try_from(*code).unwrap_or_default(),
            _ => 0,
        };
        (code, self.object.get("message").and_then(Node::as_text).unwrap_or_default().to_owned())
    }
}

struct PageSeed<'r>(&'r mut dyn FnMut(Node<'_>));

impl<'de> DeserializeSeed<'de> for PageSeed<'_> {
    type Value = PageEnd;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PageEnd, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_> {
    type Value = PageEnd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<PageEnd, A::Error> {
        let mut end = PageEnd::default();
        let mut is_list = false;
        while let Some(key) = map.next_key::<&str>()? {
            match key {
                "items" => {
                    is_list = true;
                    end.objects = map.next_value_seed(ItemsSeed(&mut *self.0))?;
                }
                "metadata" => {
                    let metadata: Node<'de> = map.next_value()?;
                    let text = |key: &str| metadata.get(key).and_then(Node::as_text).filter(|text| !text.is_empty());
                    end.next = text("continue").map(str::to_owned);
                    end.resource_version = text("resourceVersion").unwrap_or_default().to_owned();
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        if is_list { Ok(end) } else { Err(serde::de::Error::custom("it holds no items")) }
    }
}

struct ItemsSeed<'r>(&'r mut dyn FnMut(Node<'_>));

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("objects")
    }

    /// A list of built-ins without objects may say `null`.
    fn visit_none<E>(self) -> Result<usize, E> {
        Ok(0)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_seq(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<usize, A::Error> {
        let mut count = 0;
        while let Some(object) = items.next_element::<Node<'de>>()? {
            (self.0)(object);
            count += 1;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_tell_where_they_are() {
        let bookmark = br#"{"type":"BOOKMARK","object":{"kind":"Role","metadata":{"resourceVersion":"7","annotations":{"k8s.io/initial-events-end":"true"}}}}"#;
        let event = Event::parse(bookmark).unwrap();
        assert_eq!((event.kind, event.version(), event.ends_beginning()), (EventKind::Bookmark, Some("7"), true));
        let later = br#"{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"8"}}}"#;
        assert!(!Event::parse(later).unwrap().ends_beginning());
        let gone = br#"{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old"}}"#;
        assert_eq!(Event::parse(gone).unwrap().status(), (410, "too old".to_owned()));
        let added = br#"{"type":"ADDED","object":{"metadata":{"name":"n","managedFields":[{"manager":"m"}]}}}"#;
        let event = Event::parse(added).unwrap();
        assert_eq!(event.object.at(&["metadata", "managedFields"]), Some(&Node::Raw(r#"[{"manager":"m"}]"#)));
        for broken in [&b"{"[..], b"{}", br#"{"type":"OTHER","object":{}}"#, br#"{"type":"ADDED"}"#] {
            assert!(Event::parse(broken).is_err());
        }
    }
}
