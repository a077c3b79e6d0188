//! The check that goes on: follows Git and the cluster, and publishes what it knows after every change.
//!
//! Git and cluster may each fail for a while. What was known last stays, is never called fresh, and says why it is old.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::api::{Api, backoff};
use super::check::CheckOptions;
use super::decided::{Lines, Question};
use super::follow::Shared;
use super::generation::{Committed, Generation, Making, Prepared};
use super::view::View;
use crate::drift::desired::{Earlier, Files};
use crate::drift::track::{Tracker, Transition};
use crate::error::{Error, Result};
use crate::report::drift::{Document, Parts};
use crate::telemetry::Facts;

/// Changes that arrive within this time are published together.
const TOGETHER: Duration = Duration::from_millis(50);

/// How often what time alone changes is published.
const TICK: Duration = Duration::from_secs(1);

/// Least time between two looks at Git that somebody asked for.
const LOOK_GAP: Duration = Duration::from_secs(2);

/// How often kinds are looked for that Git has and the cluster does not.
const UNSERVED: Duration = Duration::from_secs(300);

/// How many earlier revisions explain what is still on its way.
const MOST_EARLIER: usize = 4;

/// Where the committed tree comes from. Both calls may take long: they run on threads of their own.
pub trait Upstream: Send + Sync + 'static {
    /// The tree as it is now.
    ///
    /// # Errors
    /// A repository that cannot be reached or read, one without the cluster, exemptions that are invalid.
    fn look(&self) -> Result<Committed>;

    /// Whether a revision has another one behind it.
    ///
    /// # Errors
    /// Why that cannot be told.
    fn follows(&self, newer: &str, older: &str) -> Result<bool>;

    /// What the fleet looks like that the tree is rendered from; none where it is not at hand.
    fn fleet(&self) -> Option<String> {
        None
    }

    /// Looks for the lines of the fleet that decide what is asked.
    fn decide(&self, _files: &dyn Files, _question: &mut Question) {}
}

/// How the check goes on.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Part of the tree, prefixes, and how long a difference must last. Exemptions come with the tree.
    pub options: CheckOptions,
    /// The part, for reports.
    pub parts: Parts,
    /// How often Git is looked at.
    pub poll: Duration,
    /// How often everything is read again; up to a tenth sooner, so that replicas do not do it together.
    pub resync: Duration,
    /// How long after a new revision what the one before said does not count.
    pub rollout: Duration,
    /// Without a success for so long, it is not ready.
    pub fresh: Duration,
    /// Version of the program.
    pub version: String,
}

/// What began to count and what ended, with the report that says so.
pub struct News {
    /// The transitions.
    pub transitions: Vec<Transition>,
    /// The report.
    pub document: Arc<Document>,
}

/// Whom the check tells.
pub struct Outlets {
    /// Always the newest.
    pub view: watch::Sender<Arc<View>>,
    /// Every transition.
    pub news: mpsc::UnboundedSender<News>,
    /// Whether this replica writes.
    pub is_leader: watch::Receiver<bool>,
    /// Told when the credentials may have to be read anew.
    pub renew: Arc<Notify>,
}

/// The check that goes on.
pub struct Checker {
    pub(super) api: Api,
    pub(super) upstream: Arc<dyn Upstream>,
    pub(super) settings: Settings,
    pub(super) outlets: Outlets,
    pub(super) current: Option<Generation>,
    pub(super) next: Option<Generation>,
    pub(super) tracker: Tracker,
    pub(super) document: Option<Arc<Document>>,
    pub(super) facts: Facts,
    pub(super) lines: Lines,
    /// Whether lines were found that the newest report in the cluster lacks.
    pub(super) has_new_lines: bool,
    /// Why Git cannot be followed, as long as that is so; why the cluster cannot be asked.
    pub(super) stuck: Option<String>,
    pub(super) unreachable: Option<String>,
    pub(super) failures: u32,
    pub(super) last_success: Option<Timestamp>,
    /// What is under way.
    pub(super) looking: bool,
    pub(super) preparing: bool,
    pub(super) looked: watch::Sender<Instant>,
    pub(super) next_look: Instant,
    pub(super) next_resync: Instant,
    pub(super) is_dirty: bool,
    pub(super) changed: Arc<Notify>,
    pub(super) look: Arc<Notify>,
    pub(super) restarts: Arc<AtomicU64>,
    pub(super) done: mpsc::UnboundedSender<Done>,
}

/// What came of work in the background.
pub(super) enum Done {
    Looked(Instant, Option<String>, Result<Committed>),
    Judged(Committed, Result<bool>),
    Prepared(Box<Result<Prepared>>),
    Decided(Box<Question>),
}

/// Follows Git and the cluster until `stop` says so.
pub async fn watch(
    api: Api,
    upstream: Arc<dyn Upstream>,
    settings: Settings,
    outlets: Outlets,
    mut stop: watch::Receiver<bool>,
) {
    let (done, mut results) = mpsc::unbounded_channel();
    let now = Instant::now();
    let mut checker = Checker {
        facts: Facts { version: settings.version.clone(), ..Facts::default() },
        api,
        upstream,
        next_resync: now + settings.resync,
        settings,
        outlets,
        current: None,
        next: None,
        tracker: Tracker::default(),
        document: None,
        lines: Lines::default(),
        has_new_lines: false,
        stuck: None,
        unreachable: None,
        failures: 0,
        last_success: None,
        looking: false,
        preparing: false,
        looked: watch::Sender::new(now),
        next_look: now,
        is_dirty: true,
        changed: Arc::default(),
        look: Arc::default(),
        restarts: Arc::default(),
        done,
    };
    let (changed, look) = (Arc::clone(&checker.changed), Arc::clone(&checker.look));
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = told(&mut stop) => return,
            Some(done) = results.recv() => checker.take(done),
            () = tokio::time::sleep_until(checker.next_look), if !checker.looking => checker.begin_look(),
            () = look.notified() => checker.ask_to_look(),
            () = changed.notified() => {
                checker.is_dirty = true;
                tokio::time::sleep(TOGETHER).await;
                checker.publish();
            }
            _ = tick.tick() => checker.publish(),
        }
    }
}

/// Waits until somebody says so; one who is gone says so too.
pub async fn told(stop: &mut watch::Receiver<bool>) {
    drop(stop.wait_for(|stop| *stop).await);
}

impl Checker {
    fn begin_look(&mut self) {
        let now = Instant::now();
        (self.looking, self.next_look) = (true, now + self.settings.poll);
        let (upstream, done) = (Arc::clone(&self.upstream), self.done.clone());
        tokio::task::spawn_blocking(move || done.send(Done::Looked(now, upstream.fleet(), upstream.look())));
    }

    fn ask_to_look(&mut self) {
        let soon = *self.looked.borrow() + LOOK_GAP;
        self.next_look = self.next_look.min(soon);
    }

    fn take(&mut self, done: Done) {
        match done {
            Done::Looked(at, fleet, committed) => {
                self.looking = false;
                self.looked.send_replace(at);
                self.is_dirty |= self.lines.is_moved(fleet);
                match committed {
                    Ok(committed) => self.consider(committed),
                    Err(error) => self.keep(&one_line(&error)),
                }
            }
            Done::Judged(committed, Ok(true)) => self.prepare(committed),
            Done::Judged(committed, answer) => {
                self.preparing = false;
                let why = answer.err().map(|error| format!(": {}", one_line(&error))).unwrap_or_default();
                let (asked, new) = (committed.asked.unwrap_or_default(), committed.revision);
                self.keep(&format!("{asked} was rewritten: {new} does not follow what was checked before{why}"));
            }
            Done::Prepared(prepared) => self.take_prepared(*prepared),
            Done::Decided(answer) => {
                // What time passed meanwhile may have brought more to ask.
                self.is_dirty = true;
                self.has_new_lines |= self.lines.take(*answer);
            }
        }
    }

    /// Has lines of the fleet looked for, on a thread of its own.
    pub(super) fn ask(&self, files: Arc<dyn Files + Send + Sync>, mut question: Question) {
        let (upstream, done) = (Arc::clone(&self.upstream), self.done.clone());
        tokio::task::spawn_blocking(move || {
            upstream.decide(files.as_ref(), &mut question);
            done.send(Done::Decided(Box::new(question)))
        });
    }

    /// Decides what to do about what Git has.
    fn consider(&mut self, committed: Committed) {
        let now = Instant::now();
        let newest = self.next.as_ref().or(self.current.as_ref());
        let same = newest.is_some_and(|newest| newest.committed.revision == committed.revision);
        if same {
            self.stuck = None;
        }
        // A kind that the cluster lacks may come: that is looked for sooner.
        let unserved = self.current.as_ref().filter(|current| current.unserved() > 0 && self.next.is_none());
        let resync = now >= self.next_resync || unserved.is_some_and(|current| now - current.began > UNSERVED);
        if self.preparing || (same && !resync) {
            return;
        }
        self.preparing = true;
        let moved = newest.filter(|newest| newest.committed.is_commit && committed.is_commit && !same);
        let Some(older) = moved.map(|newest| newest.committed.revision.clone()) else { return self.prepare(committed) };
        let (upstream, done) = (Arc::clone(&self.upstream), self.done.clone());
        tokio::task::spawn_blocking(move || {
            let answer = upstream.follows(&committed.revision, &older);
            done.send(Done::Judged(committed, answer))
        });
    }

    fn prepare(&mut self, committed: Committed) {
        let (before, rolling_until) = self.before(&committed.revision);
        let options = self.settings.options.clone();
        let making = Making { api: self.api.clone(), committed, options, before, rolling_until };
        let done = self.done.clone();
        tokio::spawn(async move { done.send(Done::Prepared(Box::new(making.prepare().await))) });
    }

    /// What earlier revisions said, and until when that explains differences.
    fn before(&self, revision: &str) -> (Vec<Arc<Earlier>>, Instant) {
        let now = Instant::now();
        let newest = self.next.as_ref().or(self.current.as_ref());
        let Some(newest) = newest.filter(|_| !self.settings.rollout.is_zero()) else { return (Vec::new(), now) };
        let still = now < newest.rolling_until;
        let mut before = if still { newest.before.clone() } else { Vec::new() };
        if newest.committed.revision == revision {
            return (before, newest.rolling_until);
        }
        before.insert(0, newest.as_earlier());
        before.truncate(MOST_EARLIER);
        (before, now + self.settings.rollout)
    }

    fn take_prepared(&mut self, prepared: Result<Prepared>) {
        self.preparing = false;
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                self.failures += 1;
                tracing::warn!(error = one_line(&error), "the check cannot begin");
                self.unreachable = Some(one_line(&error));
                *self.facts.checks.entry("failed").or_default() += 1;
                self.outlets.renew.notify_one();
                self.next_look = Instant::now() + backoff(self.failures, "prepare");
                return;
            }
        };
        (self.failures, self.unreachable) = (0, None);
        let first = prepared.problems().first();
        if let (Some(problem), true) = (first, self.current.is_some() || self.next.is_some()) {
            let (revision, count) = (prepared.revision(), prepared.problems().len());
            let (file, line) = (&problem.place.file, problem.place.line);
            let reason = format!("{revision} cannot be used: {file}:{line}: {} ({count} problems)", problem.reason);
            return self.keep(&reason);
        }
        tracing::info!(revision = prepared.revision(), "reading the cluster");
        let jitter = self.settings.resync.mul_f64(f64::from(std::process::id() % 100) / 1000.0);
        self.next_resync = Instant::now() + self.settings.resync - jitter;
        self.stuck = None;
        let (settle, looked) = (self.settings.options.settle, self.looked.subscribe());
        self.next = Some(prepared.follow(|api, subject, places| Shared {
            api,
            subject,
            settle,
            places,
            news: Arc::clone(&self.changed),
            renew: Arc::clone(&self.outlets.renew),
            restarts: Arc::clone(&self.restarts),
            looked,
            look: Arc::clone(&self.look),
        }));
    }

    /// Git has something that cannot be used: what was good last is kept.
    fn keep(&mut self, reason: &str) {
        if self.stuck.as_deref() != Some(reason) {
            tracing::warn!(reason, kept = self.revision(), "the committed tree cannot be followed");
        }
        self.stuck = Some(reason.to_owned());
        self.is_dirty = true;
    }

    /// The revision that is compared with.
    pub(super) fn revision(&self) -> Option<&str> {
        self.current.as_ref().map(|current| current.committed.revision.as_str())
    }
}

/// An error with its causes, without hints.
fn one_line(error: &Error) -> String {
    let causes = error.causes().iter().map(|cause| format!(": {cause}"));
    format!("{}{}", error.message(), causes.collect::<String>()).replace('\n', " ")
}
