//! Compares the live objects of one kind with Git as they arrive.
//!
//! A page is parsed object by object; an object that equals Git costs its fingerprint and is dropped. Only one that differs
//! is read again from its file.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::catalog::KindInfo;
use super::change::{Class, Item, Place, Severity, Verdict};
use super::classify::{self, Judgement};
use super::desired::{Declared, Desired, Entry, Files, KindIndex, split_key};
use super::diff::{self, Change, Path, Step};
use super::extras;
use super::kind::ObjectRef;
use super::locate::Locator;
use super::managed::Records;
use super::mask;
use super::node::Node;
use super::shape::Origin;

/// The comparison of one kind. It sees each live object once; [`KindRun::recheck`] sees one again.
pub struct KindRun<'d> {
    desired: &'d Desired,
    files: &'d dyn Files,
    info: &'d KindInfo,
    index: Option<&'d KindIndex>,
    seen: Vec<bool>,
    live: usize,
    findings: BTreeMap<String, Vec<Item>>,
    unjudged: BTreeMap<String, String>,
    key: String,
    scratch: Vec<u8>,
}

/// What came of one kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct KindResult {
    /// Live objects that were read.
    pub live: usize,
    /// Objects of Git.
    pub declared: usize,
    /// Differences.
    pub items: Vec<Item>,
    /// Objects about which nothing can be said, and why.
    pub unjudged: BTreeMap<String, String>,
}

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

impl<'d> KindRun<'d> {
    /// Nothing seen yet.
    pub fn new(desired: &'d Desired, files: &'d dyn Files, info: &'d KindInfo) -> Self {
        let index = desired.kinds.get(&info.gvk);
        KindRun {
            desired,
            files,
            info,
            index,
            seen: vec![false; index.map_or(0, |index| index.entries.len())],
            live: 0,
            findings: BTreeMap::new(),
            unjudged: BTreeMap::new(),
            key: String::new(),
            scratch: Vec::new(),
        }
    }

    /// Takes a page of a LIST: `{"metadata": …, "items": […]}`.
    ///
    /// # Errors
    /// A body that is none. The run is then good for nothing: part of the page may have been taken.
    pub fn page(&mut self, body: &[u8]) -> Result<PageEnd, String> {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let end = PageSeed(self).deserialize(&mut deserializer).map_err(|error| error.to_string())?;
        deserializer.end().map_err(|error| error.to_string())?;
        Ok(end)
    }

    /// Takes one live object.
    pub fn object(&mut self, live: Node<'_>) {
        let mut key = std::mem::take(&mut self.key);
        key.clear();
        let text = |field: &str| live.at(&["metadata", field]).and_then(Node::as_text);
        if let Some(namespace) = text("namespace") {
            key.push_str(namespace);
            key.push('/');
        }
        key.push_str(text("name").unwrap_or_default());
        self.live += 1;
        self.judge(&key, live);
        self.key = key;
    }

    /// The objects that differ so far, those that were not seen included: what to read once more before it is told.
    pub fn suspects(&self) -> Vec<String> {
        let unseen =
            self.entries().iter().zip(&self.seen).filter(|(_, seen)| !**seen).map(|(entry, _)| entry.key.to_string());
        self.findings.keys().cloned().chain(unseen).collect()
    }

    /// Takes what one object is now; none if it is not there.
    pub fn recheck(&mut self, key: &str, live: Option<Node<'_>>) {
        self.findings.remove(key);
        self.unjudged.remove(key);
        match live {
            Some(live) => self.judge(key, live),
            None => {
                if let Some(position) = self.index.and_then(|index| index.find(key)) {
                    self.seen[position] = false;
                }
            }
        }
    }

    /// What came of it, objects that were never seen included.
    pub fn finish(mut self) -> KindResult {
        for (entry, seen) in self.entries().iter().zip(&self.seen) {
            if !seen {
                let judgement = classify::missing(self.info.known);
                let item = self.whole(&entry.key, Some(entry), Verdict::Missing, judgement);
                self.findings.insert(entry.key.to_string(), vec![item]);
            }
        }
        let declared = self.entries().len();
        let items = self.findings.into_values().flatten().collect();
        KindResult { live: self.live, declared, items, unjudged: self.unjudged }
    }

    fn entries(&self) -> &'d [Entry] {
        self.index.map_or(&[], |index| &index.entries)
    }

    fn judge(&mut self, key: &str, mut live: Node<'_>) {
        let Some(position) = self.index.and_then(|index| index.find(key)) else {
            if let Some(item) = self.extra(key, &live) {
                self.findings.insert(key.to_owned(), vec![item]);
            }
            return;
        };
        self.seen[position] = true;
        let entry = &self.entries()[position];
        if live.at(&["metadata", "deletionTimestamp"]).is_some() {
            let item = self.whole(key, Some(entry), Verdict::Changed, classify::terminating(self.info.known));
            self.findings.insert(key.to_owned(), vec![item]);
            return;
        }
        let records = raw_records(&live);
        self.info.canonical_live(&mut live, entry.silenced);
        if live.fingerprint(&mut self.scratch) == entry.fingerprint {
            return;
        }
        match self.desired.declared(self.info, entry, self.files) {
            Ok(declared) => self.differences(key, entry, &declared, &live, &records),
            Err(reason) => drop(self.unjudged.insert(key.to_owned(), reason)),
        }
    }

    fn differences(&mut self, key: &str, entry: &Entry, declared: &Declared, live: &Node<'_>, records: &str) {
        let changes = diff::diff(&declared.node, live, self.info.shape());
        let records = Records::read(records);
        let locator = Locator::new(&declared.text, declared.document);
        let mut items = Vec::new();
        for change in &changes {
            let stated = |path: &Path| locator.states(path, self.info.shape());
            if change.verdict == Verdict::Missing && self.info.origin == Origin::Custom && !stated(&change.path) {
                // The API server sets the defaults of the version at which an object is stored, which may be another than
                // Git's. No client can take a default away, so nothing was changed here.
                continue;
            }
            if !self.info.exact && change.verdict == Verdict::Added {
                let reason = format!("{} may be a default, and the defaults of the kind are not known", change.path);
                self.unjudged.insert(key.to_owned(), reason);
                continue;
            }
            let line = locator.line(&whereabouts(change), self.info.shape()).unwrap_or(entry.line);
            let place = Place { file: declared.file.clone(), line };
            items.push(self.item(key, entry, change, &declared.node, live, &records, place));
        }
        if changes.is_empty() {
            // Fingerprints differ and no difference is found: never take that for equality.
            self.unjudged.insert(key.to_owned(), "it differs in a way that cannot be told".to_owned());
        }
        if !items.is_empty() {
            self.findings.insert(key.to_owned(), items);
        }
    }

    #[allow(clippy::too_many_arguments)] // one object, seen from all sides
    fn item(
        &self,
        key: &str,
        entry: &Entry,
        change: &Change<'_>,
        declared: &Node<'_>,
        live: &Node<'_>,
        records: &Records,
        place: Place,
    ) -> Item {
        let mut judgement = classify::field(self.info.known, change, declared, live);
        let owner = records.writer(&change.path);
        let unowned = change.verdict == Verdict::Added && owner.is_none() && !records.is_empty();
        if unowned && self.info.origin == Origin::Custom && judgement.class != Class::Widening {
            let effect = "nobody set it: probably a default of an earlier definition of the kind";
            judgement = Judgement { class: Class::Neutral, severity: Severity::Info, effect: effect.to_owned() };
        }
        let empty_map = |node: &Node<'_>| node.as_map().is_some_and(|map| map.is_empty());
        let emptied = change.expected.is_some_and(empty_map) && change.found == Some(&Node::Null);
        if emptied && self.info.origin == Origin::Custom {
            let effect = "server-side apply leaves null where Git emptied a map";
            judgement = Judgement { class: Class::Neutral, severity: Severity::Info, effect: effect.to_owned() };
        }
        let show = |node: Option<&Node<'_>>| node.map(|node| mask::show(self.info.known, &change.path, node));
        Item {
            object: self.reference(key),
            tenant: self.desired.unit_of(entry).tenant().map(str::to_owned),
            path: change.path.to_string(),
            verdict: change.verdict,
            class: judgement.class,
            severity: judgement.severity,
            expected: show(change.expected),
            found: show(change.found),
            effect: judgement.effect,
            place: Some(place),
            writer: if change.verdict == Verdict::Missing { records.last() } else { owner },
            exemption: None,
        }
    }

    /// An item about the object as a whole.
    fn whole(&self, key: &str, entry: Option<&Entry>, verdict: Verdict, judgement: Judgement) -> Item {
        let (namespace, _) = split_key(key);
        let tenant = match entry {
            Some(entry) => self.desired.unit_of(entry).tenant().map(str::to_owned),
            None => namespace.and_then(|namespace| self.desired.tenant_of_namespace(namespace)).map(str::to_owned),
        };
        Item {
            tenant,
            object: self.reference(key),
            path: String::new(),
            verdict,
            class: judgement.class,
            severity: judgement.severity,
            expected: None,
            found: None,
            effect: judgement.effect,
            place: entry.map(|entry| self.desired.place_of(entry)),
            writer: None,
            exemption: None,
        }
    }

    fn extra(&self, key: &str, live: &Node<'_>) -> Option<Item> {
        // What a file that cannot be read declares is not known, so nothing can be called extra.
        if !self.desired.problems.is_empty() || self.desired.has(&self.info.gvk, key) {
            return None;
        }
        let judgement = extras::judge(self.desired, self.info, key, live)?;
        let mut item = self.whole(key, None, Verdict::Added, judgement);
        let content = live.get("spec").or_else(|| live.get("rules")).or_else(|| live.get("roleRef"));
        item.found = content.map(|content| mask::show(self.info.known, &Path::default(), content));
        item.writer = Records::read(&raw_records(live)).last();
        Some(item)
    }

    fn reference(&self, key: &str) -> ObjectRef {
        let (namespace, name) = split_key(key);
        ObjectRef { gvk: self.info.gvk.clone(), namespace: namespace.map(str::to_owned), name: name.to_owned() }
    }
}

/// The path to look up in the file: an item that was added to a list has no line, but its list has.
fn whereabouts(change: &Change<'_>) -> Path {
    let mut path = change.path.clone();
    if change.verdict == Verdict::Added && matches!(path.0.last(), Some(Step::Index(_))) {
        path.0.pop();
    }
    path
}

/// The JSON of `managedFields`; a saved dump has it parsed already.
fn raw_records<'a>(live: &Node<'a>) -> Cow<'a, str> {
    match live.at(&["metadata", "managedFields"]) {
        Some(Node::Raw(json)) => Cow::Borrowed(json),
        Some(parsed) => Cow::Owned(parsed.to_string()),
        None => Cow::Borrowed("[]"),
    }
}

struct PageSeed<'r, 'd>(&'r mut KindRun<'d>);

impl<'de> DeserializeSeed<'de> for PageSeed<'_, '_> {
    type Value = PageEnd;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<PageEnd, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for PageSeed<'_, '_> {
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

struct ItemsSeed<'r, 'd>(&'r mut KindRun<'d>);

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_, '_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_, '_> {
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
            self.0.object(object);
            count += 1;
        }
        Ok(count)
    }
}
