//! What is known of one kind at any moment.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::list::Subject;
use crate::drift::catalog::KindInfo;
use crate::drift::change::{Item, Pending};
use crate::drift::changeset::{Gap, Outcome};
use crate::drift::compare::{KindRun, Seen};
use crate::drift::track::Tracker;

/// A kind of which nothing was heard for so long is not known any more.
const STALE: Duration = Duration::from_secs(180);

/// One kind and what is known of it.
pub struct Follower {
    /// The kind.
    pub info: KindInfo,
    pub(super) state: Mutex<State>,
}

/// What is known of a kind.
#[derive(Default)]
pub(super) struct State {
    pub(super) seen: Seen,
    /// Whether all objects were read once.
    pub(super) complete: bool,
    /// Objects that were read a second time and still differed.
    pub(super) confirmed: BTreeSet<String>,
    /// When the server was last heard.
    pub(super) contact: Option<Instant>,
    /// Why the kind cannot be read, as long as that is so.
    pub(super) refused: Option<Gap>,
    /// What happened last that was no success.
    pub(super) trouble: Option<String>,
}

/// Where a follower is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Not everything was read yet.
    Beginning,
    /// Everything was read, and changes arrive.
    Following,
    /// It cannot be read.
    Unread,
}

impl Follower {
    /// Nothing read yet.
    pub fn new(info: KindInfo) -> Self {
        Follower { info, state: Mutex::default() }
    }

    /// Where it is.
    pub fn phase(&self, now: Instant) -> Phase {
        let Ok(state) = self.state.lock() else { return Phase::Unread };
        match (&state.refused, state.complete) {
            (Some(_), _) => Phase::Unread,
            (None, true) if state.is_stale(now) => Phase::Unread,
            (None, true) => Phase::Following,
            (None, false) => Phase::Beginning,
        }
    }

    /// When the server was last heard.
    pub fn contact(&self) -> Option<Instant> {
        self.state.lock().ok()?.contact
    }

    /// What is known now. `rolling` says that objects which are what an earlier revision said do not count yet.
    pub fn outcome(&self, subject: &Subject, tracker: &Tracker, rolling: bool, now: Instant) -> Outcome {
        let Ok(mut state) = self.state.lock() else {
            return Outcome::Unread(Gap::Failed("the comparison broke: this is a defect of tenantry".to_owned()));
        };
        let trouble = || state.trouble.as_ref().map(|trouble| format!(": {trouble}")).unwrap_or_default();
        if let Some(gap) = &state.refused {
            return Outcome::Unread(gap.clone());
        }
        if !state.complete {
            return Outcome::Unread(Gap::Failed(format!("not read yet{}", trouble())));
        }
        if state.is_stale(now) {
            let silence = state.contact.map_or(STALE, |contact| now - contact).as_secs();
            return Outcome::Unread(Gap::Failed(format!("not heard of for {silence} s{}", trouble())));
        }
        let run =
            KindRun::resume(&subject.desired, subject.files.as_ref(), &self.info, std::mem::take(&mut state.seen));
        let result = run.so_far(|key, behind, item: &mut Item| {
            item.pending = if behind && rolling {
                Some(Pending::RollingOut)
            } else if !state.confirmed.contains(key) && !tracker.is_confirmed(&item.object) {
                Some(Pending::Settling)
            } else {
                None
            };
        });
        state.seen = run.pause();
        Outcome::Read(result)
    }

    /// Lets a comparison go on with what is known.
    pub(super) fn with_run<T>(
        &self,
        subject: &Subject,
        act: impl FnOnce(&mut KindRun<'_>, &mut BTreeSet<String>) -> T,
    ) -> T {
        // A comparison that broke leaves a lock that tells of it: see [`Follower::outcome`].
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let seen = std::mem::take(&mut state.seen);
        let mut run = KindRun::resume(&subject.desired, subject.files.as_ref(), &self.info, seen);
        let result = act(&mut run, &mut state.confirmed);
        state.seen = run.pause();
        result
    }
}

impl State {
    fn is_stale(&self, now: Instant) -> bool {
        self.contact.is_none_or(|contact| now.saturating_duration_since(contact) > STALE)
    }
}
