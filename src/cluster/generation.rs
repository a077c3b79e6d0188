//! One revision of Git and everything that follows the cluster against it.
//!
//! A new revision, and every full reading again, is a new generation beside the old one. It takes over when all of its
//! kinds are read, so that nothing is ever unknown in between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::api::Api;
use super::check::{CheckOptions, extra_kinds, prepare, unreachable};
use super::discover;
use super::follow::{self, Shared};
use super::follower::{Follower, Phase};
use super::list::Subject;
use crate::drift::changeset::ChangeSet;
use crate::drift::desired::{Desired, Earlier, Files, Problem};
use crate::drift::exempt::Exemption;
use crate::drift::kind::Gvk;
use crate::drift::track::Tracker;
use crate::error::Result;
use crate::report::drift::Applier;

/// The committed tree of a cluster, as it was found at one moment.
#[derive(Clone)]
pub struct Committed {
    /// The files of the cluster's folder.
    pub files: Arc<dyn Files + Send + Sync>,
    /// Exemptions that stand beside them.
    pub exemptions: Vec<Exemption>,
    /// The cluster's name.
    pub cluster: String,
    /// Names the content: a commit, or a digest of a folder.
    pub revision: String,
    /// Whether the revision is a commit.
    pub is_commit: bool,
    /// The branch or revision that was asked for.
    pub asked: Option<String>,
    /// The repository or folder, as reports name it.
    pub name: String,
    /// The folder of the cluster from its root.
    pub prefix: String,
    /// Who applies the tree.
    pub applier: Applier,
}

/// Everything that a generation is made with.
pub struct Making {
    /// The connection.
    pub api: Api,
    /// What Git says.
    pub committed: Committed,
    /// Part of the tree, and prefixes that controllers may add.
    pub options: CheckOptions,
    /// What earlier revisions said, the newest first.
    pub before: Vec<Arc<Earlier>>,
    /// Until when they explain differences.
    pub rolling_until: Instant,
}

/// What is ready to be followed.
pub struct Prepared {
    making: Making,
    desired: Desired,
    kinds: Vec<crate::drift::catalog::KindInfo>,
    began: Instant,
}

/// A revision that is followed.
pub struct Generation {
    /// What Git says.
    pub committed: Committed,
    /// When it was begun.
    pub began: Instant,
    /// What earlier revisions said, the newest first, and until when they explain differences.
    pub before: Vec<Arc<Earlier>>,
    /// See [`Making::rolling_until`].
    pub rolling_until: Instant,
    subject: Subject,
    followers: Vec<Arc<Follower>>,
    /// The tasks end when this is dropped.
    _tasks: JoinSet<()>,
}

impl Making {
    /// Asks the cluster what it serves, and reads the tree.
    ///
    /// # Errors
    /// A cluster that cannot be reached, a tree that cannot be listed.
    pub async fn prepare(self) -> Result<Prepared> {
        let began = Instant::now();
        let api = self.api.renewed();
        let served = discover::served(&api).await.map_err(|error| unreachable(&error))?;
        let (mut desired, catalog) = prepare(&api, &served, self.committed.files.as_ref(), &self.options).await?;
        desired.before = self.before.clone();
        let mut kinds: BTreeSet<Gvk> = desired.kinds.keys().cloned().collect();
        kinds.extend(extra_kinds(&served, &desired, &kinds));
        let kinds = kinds.iter().filter_map(|gvk| catalog.get(gvk).cloned()).collect();
        Ok(Prepared { making: self, desired, kinds, began })
    }
}

impl Prepared {
    /// What of the tree cannot be read.
    pub fn problems(&self) -> &[Problem] {
        &self.desired.problems
    }

    /// The revision.
    pub fn revision(&self) -> &str {
        &self.making.committed.revision
    }

    /// Begins to follow all kinds. `shared` makes what the followers share, from what they compare with.
    pub fn follow(self, shared: impl FnOnce(Api, Subject, Arc<Semaphore>) -> Shared) -> Generation {
        let Prepared { making, desired, kinds, began } = self;
        let subject = Subject { desired: Arc::new(desired), files: Arc::clone(&making.committed.files) };
        let places = Arc::new(Semaphore::new(making.api.limits().concurrency.max(1)));
        let shared = Arc::new(shared(making.api, subject.clone(), places));
        let followers: Vec<Arc<Follower>> = kinds.into_iter().map(|info| Arc::new(Follower::new(info))).collect();
        let mut tasks = JoinSet::new();
        for follower in &followers {
            tasks.spawn(follow::follow(Arc::clone(follower), Arc::clone(&shared)));
        }
        Generation {
            committed: making.committed,
            began,
            before: making.before,
            rolling_until: making.rolling_until,
            subject,
            followers,
            _tasks: tasks,
        }
    }
}

impl Generation {
    /// How many kinds are followed, how many cannot be read, and how many are not read yet.
    pub fn phases(&self, now: Instant) -> (usize, usize, usize) {
        let count = |wanted: Phase| self.followers.iter().filter(|follower| follower.phase(now) == wanted).count();
        (count(Phase::Following), count(Phase::Unread), count(Phase::Beginning))
    }

    /// Whether every kind was read, or cannot be.
    pub fn is_begun(&self, now: Instant) -> bool {
        self.phases(now).2 == 0
    }

    /// How long ago the kind was heard of that was not heard of for the longest; none if one never was.
    pub fn silence(&self, now: Instant) -> Option<Duration> {
        let contacts: Option<Vec<Instant>> = self.followers.iter().map(|follower| follower.contact()).collect();
        Some(contacts?.into_iter().min().map_or(Duration::ZERO, |contact| now.saturating_duration_since(contact)))
    }

    /// What is known now. `today` decides about exemptions.
    pub fn set(&self, tracker: &Tracker, now: Instant, today: Date) -> ChangeSet {
        let rolling = now < self.rolling_until;
        let outcome = |follower: &Arc<Follower>| {
            (follower.info.gvk.clone(), follower.outcome(&self.subject, tracker, rolling, now))
        };
        let outcomes = self.followers.iter().map(outcome).collect();
        ChangeSet::assemble(&self.subject.desired, outcomes, &self.committed.exemptions, today)
    }

    /// What this revision says, for the next one.
    pub fn as_earlier(&self) -> Arc<Earlier> {
        Arc::new(self.subject.desired.as_earlier())
    }

    /// Kinds that Git has and the cluster does not serve.
    pub fn unserved(&self) -> usize {
        self.subject.desired.unserved.len()
    }
}
