//! The tenants' history, newest first, from Git alone.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::rc::Rc;

use git2::{Oid, Repository, Sort};
use serde::Serialize;

use super::Place;
use super::events::{Glimpse, Happening, happenings};
use super::tree::{Difference, Folders, broken};
use crate::error::{Error, Result};

/// What happened, who did it, when, and in which commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// What happened.
    #[serde(flatten)]
    pub what: Happening,
    /// When the change was written, with its author's offset (RFC 3339).
    pub time: String,
    /// Who wrote it.
    pub author: String,
    /// Its author's address.
    pub email: String,
    /// The commit of the fleet.
    pub source: String,
    /// The first commit of the output that holds it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// Only this tenant, under its earlier names as well.
    pub slug: Option<&'a str>,
    /// Where the history begins.
    pub revision: &'a str,
    /// At most so many.
    pub limit: usize,
}

/// Walks the history once, newest first.
///
/// # Errors
/// The history cannot be read.
pub fn log(place: &Place, question: Question<'_>, outputs: &Outputs) -> Result<Vec<Event>> {
    let git = &place.git;
    let tip = git
        .revparse_single(question.revision)
        .and_then(|found| found.peel_to_commit())
        .map_err(|error| Error::user(format!("there is no revision {}", question.revision)).cause(error.message()))?;
    let mut walk = git.revwalk().map_err(|error| broken(&error))?;
    walk.set_sorting(Sort::TOPOLOGICAL | Sort::TIME)
        .and_then(|()| walk.push(tip.id()))
        .map_err(|error| broken(&error))?;
    let mut reader = Reader::new(place)?;
    let mut names: Option<BTreeSet<String>> = question.slug.map(|slug| BTreeSet::from([slug.to_owned()]));
    let mut events = Vec::new();
    for oid in walk {
        let oid = oid.map_err(|error| broken(&error))?;
        let found = reader.happenings(oid)?;
        if found.is_empty() {
            continue;
        }
        let commit = git.find_commit(oid).map_err(|error| broken(&error))?;
        for what in found {
            if let Some(names) = &mut names {
                if !names.contains(&what.tenant) {
                    continue;
                }
                // Before this commit it had another name.
                names.extend((what.event == "renamed").then(|| what.from.clone()).flatten());
            }
            events.push(event(what, &commit, outputs));
            if events.len() >= question.limit {
                return Ok(events);
            }
        }
    }
    Ok(events)
}

fn event(what: Happening, commit: &git2::Commit<'_>, outputs: &Outputs) -> Event {
    let author = commit.author();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let time = author.when();
    let offset = jiff::tz::Offset::from_seconds(time.offset_minutes() * 60).unwrap_or(jiff::tz::Offset::UTC);
    let stamp = jiff::Timestamp::from_second(time.seconds()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    Event {
        what,
        time: stamp.display_with_offset(offset).to_string(),
        author: text(author.name_bytes()),
        email: text(author.email_bytes()),
        source: commit.id().to_string(),
        output: outputs.0.get(&commit.id()).map(Oid::to_string),
    }
}

/// Reads what single commits did to the tenants' files.
struct Reader<'a> {
    git: &'a Repository,
    folders: Folders<'a>,
    glimpses: HashMap<Oid, Rc<Glimpse>>,
}

/// Versions of files that are kept: the older side of a change is the newer one of the change before.
const GLIMPSES: usize = 20_000;

impl<'a> Reader<'a> {
    fn new(place: &'a Place) -> Result<Self> {
        let folders = Folders::new(&place.git, format!("{}tenants", place.prefix))?;
        Ok(Self { git: &place.git, folders, glimpses: HashMap::new() })
    }

    fn happenings(&mut self, commit: Oid) -> Result<Vec<Happening>> {
        let own = self.folders.id(commit)?;
        let parents: Vec<Oid> = self.git.find_commit(commit).map_err(|error| broken(&error))?.parent_ids().collect();
        let mut before = Vec::new();
        for parent in &parents {
            before.push(self.folders.id(*parent)?);
        }
        if before.is_empty() {
            before.push(None);
        }
        // What equals a parent's came from there.
        if before.contains(&own) {
            return Ok(Vec::new());
        }
        let mut differences = self.folders.differences(before[0], own)?;
        for other in &before[1..] {
            let others: BTreeSet<Box<[u8]>> =
                self.folders.differences(*other, own)?.into_iter().map(|(name, ..)| name).collect();
            differences.retain(|(name, ..)| others.contains(name));
        }
        self.tell(differences)
    }

    fn tell(&mut self, differences: Vec<Difference>) -> Result<Vec<Happening>> {
        let mut read = Vec::new();
        for (name, old, new) in differences {
            let slug = String::from_utf8_lossy(&name).trim_end_matches(".yaml").to_owned();
            read.push((slug, self.glimpse(old)?, self.glimpse(new)?));
        }
        let mut found = Vec::new();
        let gone: HashMap<String, String> = read
            .iter()
            .filter(|(_, _, new)| new.is_none())
            .filter_map(|(slug, old, _)| Some((old.as_ref()?.id()?.to_owned(), slug.clone())))
            .collect();
        let mut renamed = BTreeSet::new();
        for (slug, old, new) in read.iter().filter(|(_, old, _)| old.is_none()) {
            let from = new.as_ref().and_then(|new| gone.get(new.id()?));
            if let Some(from) = from {
                let mut one = Happening::new(slug, "renamed");
                (one.from, one.to) = (Some(from.clone()), Some(slug.clone()));
                found.push(one);
                renamed.extend([from.clone(), slug.clone()]);
            } else {
                found.extend(happenings(slug, old.as_deref(), new.as_deref()));
            }
        }
        for (slug, old, new) in read.iter().filter(|(_, old, _)| old.is_some()) {
            if !renamed.contains(slug) {
                found.extend(happenings(slug, old.as_deref(), new.as_deref()));
            }
        }
        found.sort_by(|a, b| a.tenant.cmp(&b.tenant));
        Ok(found)
    }

    fn glimpse(&mut self, blob: Option<Oid>) -> Result<Option<Rc<Glimpse>>> {
        let Some(oid) = blob else { return Ok(None) };
        if let Some(known) = self.glimpses.get(&oid) {
            return Ok(Some(known.clone()));
        }
        let found = self.git.find_blob(oid).map_err(|error| broken(&error))?;
        let glimpse = Rc::new(Glimpse::of(found.content()));
        if self.glimpses.len() >= GLIMPSES {
            self.glimpses.clear();
        }
        self.glimpses.insert(oid, glimpse.clone());
        Ok(Some(glimpse))
    }
}

/// The first commit of the output that holds each commit of the fleet.
#[derive(Debug, Clone, Default)]
pub struct Outputs(HashMap<Oid, Oid>);

/// Trailer of an output commit that names the commit of the fleet.
const SOURCE: &str = "Source-Revision: ";

impl Outputs {
    /// Reads the trailers of an output branch. Commits of the fleet that are not here (a shallow clone) are passed over.
    ///
    /// # Errors
    /// The repository or the branch cannot be read.
    pub fn read(fleet: &Repository, output: &Path, branch: &str) -> Result<Self> {
        let failed = |error: git2::Error| {
            Error::environment(format!("cannot read the output repository {}", output.display())).cause(error.message())
        };
        let git = Repository::open(output).map_err(failed)?;
        let tip = git.find_reference(&format!("refs/heads/{branch}")).and_then(|tip| tip.peel_to_commit());
        let mut walk = git.revwalk().map_err(failed)?;
        walk.set_sorting(Sort::TOPOLOGICAL | Sort::REVERSE).map_err(failed)?;
        walk.push(tip.map_err(failed)?.id()).map_err(failed)?;
        let mut held = HashMap::new();
        for oid in walk {
            let oid = oid.map_err(failed)?;
            let commit = git.find_commit(oid).map_err(failed)?;
            let message = String::from_utf8_lossy(commit.message_bytes()).into_owned();
            let revision = message.lines().rev().find_map(|line| line.strip_prefix(SOURCE));
            let revision = revision.and_then(|text| Oid::from_str(text.trim().trim_end_matches("-dirty")).ok());
            let mut open: Vec<Oid> = revision.into_iter().collect();
            while let Some(source) = open.pop() {
                if held.contains_key(&source) {
                    continue;
                }
                let Ok(found) = fleet.find_commit(source) else { continue };
                held.insert(source, oid);
                open.extend(found.parent_ids());
            }
        }
        Ok(Self(held))
    }
}
