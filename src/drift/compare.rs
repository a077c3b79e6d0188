//! Compares the live objects of one kind with Git as they arrive.
//!
//! A page is parsed object by object; an object that equals Git costs its fingerprint and is dropped. Only one that differs
//! is read again from its file.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

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
use super::node::{Fingerprint, Node};
use super::page::{self, PageEnd};
use super::shape::Origin;

/// The comparison of one kind. It sees each live object once; [`KindRun::recheck`] sees one again.
pub struct KindRun<'d> {
    desired: &'d Desired,
    files: &'d dyn Files,
    info: &'d KindInfo,
    index: Option<&'d KindIndex>,
    known: Seen,
    key: String,
    scratch: Vec<u8>,
}

/// What a comparison has seen so far. It outlives what a [`KindRun`] borrows, so that a watch can go on with it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    seen: Vec<bool>,
    live: usize,
    findings: BTreeMap<String, Vec<Item>>,
    unjudged: BTreeMap<String, String>,
    /// Objects that differ from Git, and are what an earlier revision said.
    behind: BTreeSet<String>,
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

impl<'d> KindRun<'d> {
    /// Nothing seen yet.
    pub fn new(desired: &'d Desired, files: &'d dyn Files, info: &'d KindInfo) -> Self {
        Self::resume(desired, files, info, Seen::default())
    }

    /// Goes on with what was seen of the same objects of Git.
    pub fn resume(desired: &'d Desired, files: &'d dyn Files, info: &'d KindInfo, mut known: Seen) -> Self {
        let index = desired.kinds.get(&info.gvk);
        known.seen.resize(index.map_or(0, |index| index.entries.len()), false);
        KindRun { desired, files, info, index, known, key: String::new(), scratch: Vec::new() }
    }

    /// What was seen, to go on with later.
    pub fn pause(self) -> Seen {
        self.known
    }

    /// Takes a page of a LIST: `{"metadata": …, "items": […]}`.
    ///
    /// # Errors
    /// A body that is none. The run is then good for nothing: part of the page may have been taken.
    pub fn page(&mut self, body: &[u8]) -> Result<PageEnd, String> {
        page::read(body, &mut |live| self.object(live))
    }

    /// Takes one live object.
    pub fn object(&mut self, live: Node<'_>) {
        let mut key = std::mem::take(&mut self.key);
        key_of(&live, &mut key);
        self.known.live += 1;
        self.judge(&key, live);
        self.key = key;
    }

    /// Takes what one object has become, or that it came to be (`new`), by its key.
    pub fn changed(&mut self, key: &str, live: Node<'_>, new: bool) {
        self.known.live += usize::from(new);
        self.recheck(key, Some(live));
    }

    /// Takes that one object was deleted.
    pub fn deleted(&mut self, key: &str) {
        self.known.live = self.known.live.saturating_sub(1);
        self.recheck(key, None);
    }

    /// The objects that differ so far, those that were not seen included: what to read once more before it is told.
    pub fn suspects(&self) -> Vec<String> {
        let unseen = self.unseen().map(|entry| entry.key.to_string());
        self.known.findings.keys().cloned().chain(unseen).collect()
    }

    /// Whether one object differs as far as is known, or is not there.
    pub fn is_suspect(&self, key: &str) -> bool {
        let unseen = || self.index.and_then(|index| index.find(key)).is_some_and(|position| !self.known.seen[position]);
        self.known.findings.contains_key(key) || unseen()
    }

    /// Takes what one object is now; none if it is not there.
    pub fn recheck(&mut self, key: &str, live: Option<Node<'_>>) {
        self.known.findings.remove(key);
        self.known.unjudged.remove(key);
        self.known.behind.remove(key);
        match live {
            Some(live) => self.judge(key, live),
            None => {
                if let Some(position) = self.index.and_then(|index| index.find(key)) {
                    self.known.seen[position] = false;
                }
            }
        }
    }

    /// What came of it, objects that were never seen included.
    pub fn finish(mut self) -> KindResult {
        let missing: Vec<(String, Item)> = self.missing().collect();
        let Seen { mut findings, unjudged, live, .. } = std::mem::take(&mut self.known);
        findings.extend(missing.into_iter().map(|(key, item)| (key, vec![item])));
        let items = findings.into_values().flatten().collect();
        KindResult { live, declared: self.entries().len(), items, unjudged }
    }

    /// What came of it so far, by object, while it goes on. `mark` sees each object that differs, with whether it is what
    /// an earlier revision said.
    pub fn so_far(&self, mut mark: impl FnMut(&str, bool, &mut Item)) -> KindResult {
        let mut items = Vec::new();
        let known = self.known.findings.iter().flat_map(|(key, items)| items.iter().map(move |item| (key, item)));
        for (key, item) in known {
            let mut item = item.clone();
            mark(key, self.known.behind.contains(key), &mut item);
            items.push(item);
        }
        for (key, mut item) in self.missing() {
            let new = self.before(&key).any(|fingerprint| fingerprint.is_none());
            mark(&key, new, &mut item);
            items.push(item);
        }
        KindResult {
            live: self.known.live,
            declared: self.entries().len(),
            items,
            unjudged: self.known.unjudged.clone(),
        }
    }

    /// What earlier revisions said of an object.
    fn before(&self, key: &str) -> impl Iterator<Item = Option<Fingerprint>> {
        self.desired.before.iter().map(move |before| before.fingerprint(&self.info.gvk, key))
    }

    fn unseen(&self) -> impl Iterator<Item = &'d Entry> {
        self.entries().iter().zip(&self.known.seen).filter(|(_, seen)| !**seen).map(|(entry, _)| entry)
    }

    fn missing(&self) -> impl Iterator<Item = (String, Item)> {
        self.unseen().map(|entry| {
            let judgement = classify::missing(self.info.known);
            (entry.key.to_string(), self.whole(&entry.key, Some(entry), Verdict::Missing, judgement))
        })
    }

    fn entries(&self) -> &'d [Entry] {
        self.index.map_or(&[], |index| &index.entries)
    }

    fn judge(&mut self, key: &str, mut live: Node<'_>) {
        let Some(position) = self.index.and_then(|index| index.find(key)) else { return self.judge_extra(key, &live) };
        self.known.seen[position] = true;
        let entry = &self.entries()[position];
        if live.at(&["metadata", "deletionTimestamp"]).is_some() {
            let item = self.whole(key, Some(entry), Verdict::Changed, classify::terminating(self.info.known));
            self.known.findings.insert(key.to_owned(), vec![item]);
            return;
        }
        let records = raw_records(&live);
        self.info.canonical_live(&mut live, entry.silenced);
        let fingerprint = live.fingerprint(&mut self.scratch);
        if fingerprint == entry.fingerprint {
            return;
        }
        if self.before(key).any(|before| before == Some(fingerprint)) {
            self.known.behind.insert(key.to_owned());
        }
        match self.desired.declared(self.info, entry, self.files) {
            Ok(declared) => self.differences(key, entry, &declared, &live, &records),
            Err(reason) => drop(self.known.unjudged.insert(key.to_owned(), reason)),
        }
    }

    fn judge_extra(&mut self, key: &str, live: &Node<'_>) {
        let Some(item) = self.extra(key, live) else { return };
        match self.desired.has_elsewhere(self.files, &self.info.gvk, key) {
            Ok(true) => {}
            Ok(false) => {
                if self.before(key).any(|before| before.is_some()) {
                    self.known.behind.insert(key.to_owned());
                }
                self.known.findings.insert(key.to_owned(), vec![item]);
            }
            Err(reason) => drop(self.known.unjudged.insert(key.to_owned(), reason)),
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
                self.known.unjudged.insert(key.to_owned(), reason);
                continue;
            }
            let line = locator.line(&whereabouts(change), self.info.shape()).unwrap_or(entry.line);
            let place = Place { file: declared.file.clone(), line };
            items.push(self.item(key, entry, change, &declared.node, live, &records, place));
        }
        if changes.is_empty() {
            // Fingerprints differ and no difference is found: never take that for equality.
            self.known.unjudged.insert(key.to_owned(), "it differs in a way that cannot be told".to_owned());
        }
        if !items.is_empty() {
            self.known.findings.insert(key.to_owned(), items);
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
            pointer: change.path.pointer(),
            verdict: change.verdict,
            class: judgement.class,
            severity: judgement.severity,
            expected: show(change.expected),
            found: show(change.found),
            effect: judgement.effect,
            place: Some(place),
            writer: if change.verdict == Verdict::Missing { records.last() } else { owner },
            exemption: None,
            pending: None,
            since: None,
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
            pointer: None,
            verdict,
            class: judgement.class,
            severity: judgement.severity,
            expected: None,
            found: None,
            effect: judgement.effect,
            place: entry.map(|entry| self.desired.place_of(entry)),
            writer: None,
            exemption: None,
            pending: None,
            since: None,
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

/// The key of an object: `namespace/name`, or `name`.
pub fn key_of(live: &Node<'_>, key: &mut String) {
    key.clear();
    let text = |field: &str| live.at(&["metadata", field]).and_then(Node::as_text);
    if let Some(namespace) = text("namespace") {
        key.push_str(namespace);
        key.push('/');
    }
    key.push_str(text("name").unwrap_or_default());
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
