//! One commit on its way: composed, written, pushed, and then the branch and the work tree brought along.

use std::fs;
use std::path::Path;

use git2::{ObjectType, Oid, Repository};

use super::checkout::{self, Checkout};
use super::compose::{self, Order};
use super::fault;
use super::files::Work;
use super::lock::{LOCK, Writer};
use super::message::{Identity, Message};
use super::refs::{self, Moved};
use super::remote::{Pushed, Remote};
use super::repo::{Committed, Options, Outcome, WorkTree, ours};
use super::sign;
use super::target::{Location, Target};
use super::tree::{self, Memo};
use super::units::{Baseline, Intact};
use crate::error::{Error, Result};
use crate::manifest::tree::Changes;

/// Trees of units that were composed, and what is known of them.
pub(super) type Known = Vec<(Oid, Intact)>;

/// What is to be committed where.
pub(super) struct Commit<'a> {
    pub git: &'a Repository,
    pub memo: &'a Memo,
    pub target: &'a Target,
    pub remote: Option<&'a Remote>,
    pub baseline: &'a Baseline,
    pub changes: &'a Changes,
}

/// The tree that a branch is at and the commit that it is to move to.
struct Move {
    old: Option<Oid>,
    new: Oid,
    commit: Oid,
}

impl Commit<'_> {
    /// Whether the tree would be another.
    pub(super) fn is_stale(&self, options: Options<'_>) -> Result<bool> {
        let order = self.order(options, false)?;
        Ok(order.old != Some(compose::compose(self.git, self.memo, order)?.tree))
    }

    /// Makes the commit, or finds that there is nothing to commit.
    pub(super) fn make(&self, message: &Message, options: Options<'_>) -> Result<(Outcome, Known)> {
        let (git, parent) = (self.git, self.baseline.tip);
        let branch = self.target.reference();
        // Behind its remote, a clone moves further than this commit: its changes are found by comparison then.
        let behind = self.baseline.local != parent;
        let work = if self.is_here() { checkout::concerned(git, &branch)? } else { None };
        let order = self.order(options, work.is_some() && !behind)?;
        let mut composed = compose::compose(git, self.memo, order)?;
        let known = std::mem::take(&mut composed.known);
        let unchanged = order.old == Some(composed.tree) && !message.anew;
        if unchanged && !behind && self.remote.is_none_or(|_| self.baseline.there == parent) {
            return Ok((Outcome::Unchanged { commit: parent }, known));
        }
        let author = message.author.clone().unwrap_or_else(|| Identity::configured(git));
        let bytes = match parent.filter(|_| unchanged) {
            Some(_) => None,
            None => Some(message.commit(composed.tree, composed.units, parent, &author)?),
        };
        // A signed commit is made by Git itself, once its tree is there.
        let signs = bytes.is_some() && sign::is_wanted(git);
        let unsigned = bytes.as_ref().filter(|_| !signs);
        let mut commit = unsigned.map(|bytes| composed.pack.add(ObjectType::Commit, bytes, None)).or(parent);

        let ours = ours(git);
        fs::create_dir_all(&ours).map_err(|error| fault::disk("create", &ours, &error))?;
        let _writer = Writer::of_file(&ours.join(LOCK))?;
        checkout::recover(git, &ours)?;
        if self.is_here() {
            let tip = refs::tip(git, &branch)?;
            if tip != self.baseline.local {
                return Ok((Outcome::Moved { tip }, known));
            }
        }
        let changes = std::mem::take(&mut composed.changes);
        let mut checkout = work.map(|root| Checkout { git, work: Work { root, ours: &ours }, changes });
        if let Some(checkout) = checkout.as_ref().filter(|_| !behind) {
            checkout.admit()?;
        }
        if !unchanged {
            composed.pack.write(&git.commondir().join("objects/pack"))?;
        }
        if let Some(bytes) = bytes.as_ref().filter(|_| signs) {
            commit = Some(sign::commit(git, (composed.tree, parent), bytes, (&author, message))?);
        }
        let commit = commit.ok_or_else(|| Error::internal("a commit was neither made nor there"))?;
        let local = self.baseline.local.map(|local| tree::of_commit(git, local)).transpose()?;
        if let Some(checkout) = checkout.as_mut().filter(|_| behind) {
            checkout.changes = checkout::compare(git, local, composed.tree)?;
            checkout.admit()?;
        }
        if let Some(tip) = self.push(commit, (&author, message), &ours)? {
            return Ok((Outcome::Moved { tip }, known));
        }
        let moving = Move { old: local, new: composed.tree, commit };
        let work_tree = match self.advance(&moving, checkout.as_ref(), (&author, message), &ours)? {
            Ok(work_tree) => work_tree,
            Err(tip) if self.remote.is_none() => return Ok((Outcome::Moved { tip }, known)),
            Err(_) => {
                WorkTree::Left { reason: "the branch here moved while the commit was pushed".into(), paths: vec![] }
            }
        };
        if unchanged {
            return Ok((Outcome::Unchanged { commit: parent }, known));
        }
        let committed = Committed {
            commit,
            parent,
            tree: composed.units,
            written: composed.written,
            same: composed.same,
            kept: self.changes.keep.len(),
            removed: composed.removed,
            work_tree,
        };
        Ok((Outcome::Committed(committed), known))
    }

    fn order<'b>(&'b self, options: Options<'b>, list: bool) -> Result<Order<'b>> {
        Ok(Order {
            old: self.baseline.tip.map(|tip| tree::of_commit(self.git, tip)).transpose()?,
            path: self.target.path.as_deref(),
            baseline: self.baseline,
            changes: self.changes,
            tool_version: options.tool_version,
            list,
        })
    }

    /// Whether the repository has a branch of its own to move, and is no mere copy of a remote one.
    fn is_here(&self) -> bool {
        matches!(self.target.location, Location::Path(_))
    }

    /// Moves the branch at the remote; `Some` if it was moved by somebody else.
    fn push(&self, commit: Oid, (author, message): (&Identity, &Message), ours: &Path) -> Result<Option<Option<Oid>>> {
        let Some(remote) = self.remote.filter(|_| self.baseline.there != Some(commit)) else { return Ok(None) };
        if let Pushed::No(tip) = remote.push(self.baseline.there, commit)? {
            return Ok(Some(tip));
        }
        // The reference that follows the remote is a convenience: a fetch would set it too.
        let old = refs::tip(self.git, &remote.tracking).ok().flatten();
        if old != Some(commit) {
            let _ = refs::advance(self.git, ours, &remote.tracking, (old, commit), (author, message.time));
        }
        Ok(None)
    }

    /// Moves the branch here, and brings the work tree along; `Err` if it was moved by somebody else.
    fn advance(
        &self,
        moving: &Move,
        checkout: Option<&Checkout<'_>>,
        (author, message): (&Identity, &Message),
        ours: &Path,
    ) -> Result<std::result::Result<WorkTree, Option<Oid>>> {
        if !self.is_here() || self.baseline.local == Some(moving.commit) {
            return Ok(Ok(WorkTree::None));
        }
        let branch = self.target.reference();
        if checkout.is_some() {
            checkout::announce(ours, &branch, moving.old, moving.new)?;
        }
        let step = (self.baseline.local, moving.commit);
        let moved = refs::advance(self.git, ours, &branch, step, (author, message.time));
        if !matches!(moved, Ok(Moved::Yes)) {
            checkout::done(ours);
        }
        match moved? {
            Moved::Yes => Ok(Ok(checkout.map_or(WorkTree::None, |checkout| bring_along(checkout, ours)))),
            Moved::No(tip) => Ok(Err(tip)),
        }
    }
}

/// The commit stands; what hinders the work tree is told, and no failure of the run.
fn bring_along(checkout: &Checkout<'_>, ours: &Path) -> WorkTree {
    match checkout.apply() {
        Ok(paths) if paths.is_empty() => {
            checkout::done(ours);
            WorkTree::Updated { files: checkout.changes.len() }
        }
        Ok(paths) => {
            checkout::done(ours);
            WorkTree::Left { reason: "they changed while the commit was made".into(), paths }
        }
        // The journal stays, so that the next run tries again.
        Err(error) => WorkTree::Left { reason: error.to_string(), paths: Vec::new() },
    }
}
