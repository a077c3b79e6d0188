//! Follows one kind: reads all of its objects, then watches, and reads a second time what differs.
//!
//! Bodies are dropped as soon as they are compared. What is kept of a kind is what [`Seen`] keeps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;

use super::api::{Api, ApiError, Setback, Verb, backoff};
use super::follower::Follower;
use super::list::{MOST_GETS, Subject, collection_path, gap, object_path, percent_encode, read_all};
use super::stream::Lines;
use crate::drift::compare::{KindRun, Seen, key_of};
use crate::drift::node::Node;
use crate::drift::page::{Event, EventKind};

/// API servers send a bookmark about once a minute; a watch that says nothing for twice that long is dead.
const IDLE: Duration = Duration::from_secs(120);

/// A server that streams lists says something at least this often until the list is complete.
const IDLE_AT_FIRST: Duration = Duration::from_secs(10);

/// How long a kind that is refused or absent is left alone.
const LATER: Duration = Duration::from_secs(60);

/// How long after its time a difference waits at most for Git to be looked at again.
const PATIENCE: Duration = Duration::from_secs(15);

/// What the followers of a generation share.
pub struct Shared {
    /// The connection.
    pub api: Api,
    /// What they compare with.
    pub subject: Subject,
    /// How long a difference must last before it counts; none to count it at once.
    pub settle: Option<Duration>,
    /// Places for those that read all their objects.
    pub places: Arc<Semaphore>,
    /// Told when something changed.
    pub news: Arc<Notify>,
    /// Told when the credentials or the connection may need to be made anew.
    pub renew: Arc<Notify>,
    /// Watches that ended and were begun again.
    pub restarts: Arc<AtomicU64>,
    /// When Git was last looked at, and whom to ask to look.
    pub looked: watch::Receiver<Instant>,
    /// Asks for a look at Git.
    pub look: Arc<Notify>,
}

/// When a difference is read again, and since when it is known.
#[derive(Clone, Copy)]
struct Due {
    at: Instant,
    since: Instant,
}

/// How a watch ended.
enum End {
    /// As agreed, or because what it began from is too old: begin afresh at once.
    Regular,
    Setback(Setback),
}

/// Follows the kind until it is dropped.
pub async fn follow(follower: Arc<Follower>, shared: Arc<Shared>) {
    let path = collection_path(&follower.info, None);
    let mut watch =
        Watch { follower: &follower, shared: &shared, path, from: None, pages: false, due: BTreeMap::new() };
    let mut failures = 0;
    loop {
        let begun = Instant::now();
        let wait = match watch.run().await {
            End::Regular => {
                failures = 0;
                Duration::from_millis(if begun.elapsed() < Duration::from_secs(1) { 1000 } else { 0 })
            }
            End::Setback(setback) => {
                failures = if begun.elapsed() > IDLE_AT_FIRST { 1 } else { failures + 1 };
                watch.note(&setback, failures)
            }
        };
        shared.restarts.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(wait).await;
    }
}

/// A follower at work.
struct Watch<'a> {
    follower: &'a Follower,
    shared: &'a Shared,
    path: String,
    /// The version to go on from; none to begin afresh.
    from: Option<String>,
    /// Whether the server streams no lists.
    pages: bool,
    due: BTreeMap<String, Due>,
}

impl Watch<'_> {
    /// One watch from its request to its end.
    async fn run(&mut self) -> End {
        let ended = match self.from.clone() {
            None if self.pages => self.begin_with_pages().await,
            None => self.begin_with_stream().await,
            Some(version) => self.go_on(&version).await,
        };
        match ended {
            Ok(()) => End::Regular,
            Err(Setback { error: ApiError::Gone, .. }) => {
                tracing::info!(kind = %self.follower.info.gvk, "the watch is too far behind: reading all objects again");
                self.from = None;
                End::Regular
            }
            Err(setback) => End::Setback(setback),
        }
    }

    async fn begin_with_pages(&mut self) -> Result<(), Setback> {
        let place = self.shared.places.acquire().await;
        let api = self.shared.api.renewed();
        let read = read_all(&api, &self.shared.subject, &self.follower.info, &[None]).await;
        let (run, version) = read.map_err(|error| Setback { error, after: None })?;
        self.begun(run.pause(), &version);
        drop(place);
        self.go_on(&version).await
    }

    /// Reads all objects as the beginning of a watch, which spares the server the pages.
    async fn begin_with_stream(&mut self) -> Result<(), Setback> {
        let place = self.shared.places.acquire().await;
        let path = format!("{}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan", self.query());
        let body = match self.shared.api.watch(&path).await {
            Ok(body) => body,
            Err(Setback { error: ApiError::Status(400 | 422, _), .. }) => {
                self.pages = true;
                return Ok(());
            }
            Err(setback) => return Err(setback),
        };
        let mut lines = Lines::new(body);
        let subject = &self.shared.subject;
        let mut run = KindRun::new(&subject.desired, subject.files.as_ref(), &self.follower.info);
        let version = loop {
            let line = match lines.next(IDLE_AT_FIRST).await {
                Ok(Some(line)) => line,
                Ok(None) => return Err(unavailable("the list ended before it was complete")),
                Err(error) => {
                    // A server that knows no streamed lists says no more after the last object.
                    self.pages = true;
                    return Err(Setback { error, after: None });
                }
            };
            let event = Event::parse(line).map_err(|reason| unavailable(&format!("no event: {reason}")))?;
            match event.kind {
                EventKind::Added | EventKind::Modified => run.object(event.object),
                EventKind::Deleted => {
                    let mut key = String::new();
                    key_of(&event.object, &mut key);
                    run.deleted(&key);
                }
                EventKind::Error => return Err(refused(&event)),
                EventKind::Bookmark if event.ends_beginning() => {
                    break event.version().unwrap_or_default().to_owned();
                }
                EventKind::Bookmark => {}
            }
        };
        self.begun(run.pause(), &version);
        drop(place);
        self.read(lines).await
    }

    async fn go_on(&mut self, version: &str) -> Result<(), Setback> {
        let path = format!("{}&resourceVersion={}", self.query(), percent_encode(version));
        let body = self.shared.api.watch(&path).await?;
        self.heard();
        self.read(Lines::new(body)).await
    }

    /// Servers end watches after a time; a different one for each kind, so that they do not all return at once.
    fn query(&self) -> String {
        let spread = self.path.bytes().fold(7_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into())) % 120;
        format!("{}?watch=true&allowWatchBookmarks=true&timeoutSeconds={}", self.path, 240 + spread)
    }

    /// Everything was read.
    fn begun(&mut self, seen: Seen, version: &str) {
        self.from = Some(version.to_owned());
        {
            let mut state = self.follower.state.lock().unwrap_or_else(PoisonError::into_inner);
            (state.seen, state.complete, state.refused, state.trouble) = (seen, true, None, None);
            state.contact = Some(Instant::now());
        }
        let suspects: BTreeSet<String> =
            self.follower.with_run(&self.shared.subject, |run, _| run.suspects()).into_iter().collect();
        self.due.retain(|key, _| suspects.contains(key));
        for key in suspects {
            self.suspect(key);
        }
        self.shared.news.notify_one();
    }

    /// Takes events until the watch ends, and reads again what is due in between.
    async fn read(&mut self, mut lines: Lines) -> Result<(), Setback> {
        loop {
            let due = self.due.values().map(|due| due.at).min();
            let due = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = due => self.read_again().await,
                line = lines.next(IDLE) => match line {
                    Ok(Some(line)) => self.take(line)?,
                    Ok(None) => return Ok(()),
                    Err(error) => return Err(Setback { error, after: None }),
                },
            }
        }
    }

    fn take(&mut self, line: &[u8]) -> Result<(), Setback> {
        let event = Event::parse(line).map_err(|reason| unavailable(&format!("no event: {reason}")))?;
        if event.kind == EventKind::Error {
            return Err(refused(&event));
        }
        if let Some(version) = event.version() {
            self.from = Some(version.to_owned());
        }
        self.heard();
        if event.kind == EventKind::Bookmark {
            return Ok(());
        }
        let mut key = String::new();
        key_of(&event.object, &mut key);
        let (before, after) = self.follower.with_run(&self.shared.subject, |run, confirmed| {
            let before = run.is_suspect(&key);
            match event.kind {
                EventKind::Deleted => run.deleted(&key),
                kind => run.changed(&key, event.object, kind == EventKind::Added),
            }
            let after = run.is_suspect(&key);
            if !after {
                confirmed.remove(&key);
            }
            (before, after)
        });
        if after {
            self.suspect(key);
        } else {
            self.due.remove(&key);
        }
        if before || after {
            self.shared.news.notify_one();
        }
        Ok(())
    }

    /// An object differs: it is read again in time, unless that is done.
    fn suspect(&mut self, key: String) {
        let Some(settle) = self.shared.settle else {
            let mut state = self.follower.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.confirmed.insert(key);
            return;
        };
        let known = self.follower.with_run(&self.shared.subject, |_, confirmed| confirmed.contains(&key));
        if !known {
            let now = Instant::now();
            self.due.entry(key).or_insert(Due { at: now + settle, since: now });
        }
    }

    /// Reads again what is due. Git is looked at first: what was merged a moment ago is no drift.
    async fn read_again(&mut self) {
        let now = Instant::now();
        let looked = *self.shared.looked.borrow();
        let mut ready = Vec::new();
        for (key, due) in self.due.iter_mut().filter(|(_, due)| due.at <= now) {
            if looked < due.since && now < due.since + PATIENCE {
                due.at = now + Duration::from_millis(250);
                self.shared.look.notify_one();
            } else {
                ready.push(key.clone());
            }
        }
        if ready.is_empty() {
            return;
        }
        let api = self.shared.api.renewed();
        // Of very many, the watch itself is the second reading.
        let wanted = if ready.len() > MOST_GETS { Vec::new() } else { ready.clone() };
        let requests: Vec<_> = wanted
            .into_iter()
            .map(|key| {
                let (api, path) = (api.clone(), object_path(&self.follower.info, &key));
                async move { (key, api.get(Verb::Get, &path).await) }
            })
            .collect();
        let answers: Vec<_> = futures::stream::iter(requests).buffer_unordered(8).collect().await;
        let mut failed = BTreeSet::new();
        self.follower.with_run(&self.shared.subject, |run, confirmed| {
            for (key, answer) in answers {
                match answer {
                    Ok(body) => match Node::from_json(&body) {
                        Ok(live) => run.recheck(&key, Some(live)),
                        Err(_) => drop(failed.insert(key)),
                    },
                    Err(ApiError::NotFound) => run.recheck(&key, None),
                    Err(_) => drop(failed.insert(key)),
                }
            }
            for key in ready.iter().filter(|key| !failed.contains(*key) && run.is_suspect(key)) {
                confirmed.insert(key.clone());
            }
        });
        for key in ready {
            match self.due.get_mut(&key) {
                Some(due) if failed.contains(&key) => due.at = Instant::now() + Duration::from_secs(1),
                _ => drop(self.due.remove(&key)),
            }
        }
        self.shared.news.notify_one();
    }

    fn heard(&self) {
        let mut state = self.follower.state.lock().unwrap_or_else(PoisonError::into_inner);
        (state.contact, state.trouble) = (Some(Instant::now()), None);
    }

    /// Notes why a watch ended; says how long to wait.
    fn note(&mut self, setback: &Setback, failures: u32) -> Duration {
        let kind = &self.follower.info.gvk;
        let mut state = self.follower.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.trouble = Some(setback.error.to_string());
        let wait = match &setback.error {
            ApiError::Refused(_) | ApiError::NotFound => {
                tracing::warn!(%kind, error = %setback.error, "the kind cannot be read");
                state.refused = Some(gap(setback.error.clone()));
                // What comes back may be anything: all of it is read again.
                (state.complete, state.confirmed) = (false, BTreeSet::new());
                self.from = None;
                LATER
            }
            error => {
                tracing::info!(%kind, %error, failures, "the watch broke off and is begun again");
                if matches!(error, ApiError::Unauthorized(_)) || failures.is_multiple_of(3) {
                    self.shared.renew.notify_one();
                }
                backoff(failures, &self.path)
            }
        };
        self.shared.news.notify_one();
        setback.after.unwrap_or(wait)
    }
}

fn unavailable(reason: &str) -> Setback {
    Setback { error: ApiError::Unavailable(reason.to_owned()), after: None }
}

/// What an event of an error says.
fn refused(event: &Event<'_>) -> Setback {
    let error = match event.status() {
        (410, _) => ApiError::Gone,
        (401, message) => ApiError::Unauthorized(message),
        (403, message) => ApiError::Refused(message),
        (code, message) => ApiError::Unavailable(format!("status {code}: {message}")),
    };
    Setback { error, after: None }
}
