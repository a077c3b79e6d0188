//! A change of the fleet's files that was not written yet, and what is to be said of it.

use std::collections::BTreeSet;

use super::base::Base;
use crate::config::tenant_file;
use crate::edit::{self, Change, Value};
use crate::error::Error;
use crate::finding::Finding;
use crate::source::{self, Source};

/// What a verb came to.
pub type Outcome = std::result::Result<Proposal, Halt>;

/// Why there is no proposal.
#[derive(Debug)]
pub enum Halt {
    /// It could not be made.
    Error(Error),
    /// Places in files stand against it.
    Findings(Vec<Finding>),
}

impl From<Error> for Halt {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<Finding> for Halt {
    fn from(finding: Finding) -> Self {
        Self::Findings(vec![finding])
    }
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// Path from the fleet's folder.
    pub path: String,
    /// Its text before; `None` if it is new.
    pub before: Option<String>,
    /// Its text after; `None` if it goes.
    pub after: Option<String>,
}

/// One value that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The tenant.
    pub tenant: String,
    /// The field, dotted.
    pub field: String,
    /// What it was; `-` if nothing.
    pub from: String,
    /// What it becomes; `-` if nothing.
    pub to: String,
}

/// A change, ready to be proved.
#[derive(Debug, Clone, Default)]
pub struct Proposal {
    /// Title of the pull request and subject of the commit.
    pub title: String,
    /// Files that change.
    pub files: Vec<FileChange>,
    /// Values that change, for people.
    pub rows: Vec<Row>,
    /// What a reviewer should know.
    pub notes: Vec<String>,
    /// What to do besides, and afterwards.
    pub next: Vec<String>,
    /// What to say if nothing changes.
    pub nothing: String,
}

impl Proposal {
    /// An empty one.
    pub fn new(title: impl Into<String>) -> Self {
        Self { title: title.into(), nothing: "nothing to change".into(), ..Self::default() }
    }

    /// Edits a tenant's file.
    pub fn edit(&mut self, base: &Base, slug: &str, changes: &[Change]) -> Result<(), Halt> {
        let path = tenant_file(slug);
        let before = base.text(&path)?.ok_or_else(|| Error::environment(format!("{path} is gone")))?;
        let after = edit::edit(&path, &before, changes)?;
        let (old, new) = (edit::value_of(&path, &before)?, edit::value_of(&path, &after)?);
        for change in changes {
            let at: Vec<&str> = change.path.iter().map(String::as_str).collect();
            let shown = |value: &Value| value.at(&at).map_or_else(|| "-".to_owned(), edit::shown);
            let (from, to) = (shown(&old), shown(&new));
            if from != to {
                self.rows.push(Row { tenant: slug.to_owned(), field: change.path.join("."), from, to });
            }
        }
        if before != after {
            self.files.push(FileChange { path, before: Some(before), after: Some(after) });
        }
        Ok(())
    }

    /// The files after the change.
    ///
    /// # Errors
    /// A new text is not fit for a file of a fleet.
    pub fn source(&self, before: &Source) -> Result<Source, Finding> {
        let mut source = before.clone();
        for change in &self.files {
            match &change.after {
                Some(text) => {
                    let text = source::decode(&change.path, text.clone().into_bytes())?;
                    source.files.insert(change.path.clone(), text);
                }
                None => drop(source.files.remove(&change.path)),
            }
        }
        Ok(source)
    }

    /// The tenants that it is about.
    pub fn tenants(&self) -> BTreeSet<&str> {
        self.files.iter().filter_map(|file| file.path.strip_prefix("tenants/")?.strip_suffix(".yaml")).collect()
    }
}
