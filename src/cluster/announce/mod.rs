//! Tells the cluster what drifted: Events where drift begins and ends, and OpenReports Reports. One replica at a time.
//!
//! These are the only writes of the program to a cluster, and both are off unless asked for. They go to the namespace of the
//! lease and nowhere else.

mod event;
mod lease;
mod pen;
mod report;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::api::{Api, ApiError};
use super::watch::{News, told};
use crate::drift::track::Transition;
use crate::report::drift::Document;
use lease::Lease;
use pen::Pen;

/// Transitions that come within this time are told together.
const TOGETHER: Duration = Duration::from_secs(1);

/// How often the lease is renewed.
const RENEWAL: Duration = Duration::from_secs(5);

/// How long a replica that does not write remembers what it saw.
const MEMORY: Duration = Duration::from_secs(60);

/// Who tells, what and where.
pub struct Announcer {
    /// The connection.
    pub api: Api,
    /// Whether to write Events.
    pub events: bool,
    /// Whether to write Reports.
    pub reports: bool,
    /// Namespace and name of the lease; everything is written to that namespace.
    pub lease: (String, String),
    /// The name of this replica.
    pub identity: String,
    /// Told whether this replica writes.
    pub leader: watch::Sender<bool>,
}

/// Tells until `stop` says so; gives the lease back then.
pub async fn announce(announcer: Announcer, mut news: mpsc::UnboundedReceiver<News>, mut stop: watch::Receiver<bool>) {
    if !announcer.events && !announcer.reports {
        // Nobody is told; the channel is kept empty.
        loop {
            tokio::select! {
                () = told(&mut stop) => return,
                Some(_) = news.recv() => {}
            }
        }
    }
    let (namespace, name) = announcer.lease.clone();
    let mut teller = Teller {
        pen: Pen::new(announcer.api.clone()),
        lease: Lease::new(&namespace, &name, &announcer.identity),
        namespace,
        events: announcer.events,
        reports: announcer.reports.then(report::Reports::default),
        identity: announcer.identity,
        waiting: Vec::new(),
        newest: None,
    };
    let mut renewal = tokio::time::interval(RENEWAL);
    renewal.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut tell_at: Option<Instant> = None;
    loop {
        tokio::select! {
            () = told(&mut stop) => break,
            _ = renewal.tick() => {
                let was = *announcer.leader.borrow();
                let is = teller.lease.hold(&teller.pen, Timestamp::now()).await;
                announcer.leader.send_replace(is);
                if is && !was {
                    tracing::info!("this replica writes Events and reports");
                    tell_at.get_or_insert(Instant::now());
                }
            }
            Some(news) = news.recv() => {
                teller.hear(news);
                tell_at.get_or_insert(Instant::now() + TOGETHER);
            }
            () = sleep_until(tell_at) => {
                tell_at = None;
                let writes = *announcer.leader.borrow();
                if writes && !teller.tell().await {
                    tell_at = Some(Instant::now() + RENEWAL);
                }
            }
        }
    }
    let writes = *announcer.leader.borrow();
    if writes {
        teller.lease.release(&teller.pen).await;
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// The announcer at work.
struct Teller {
    pen: Pen,
    lease: Lease,
    namespace: String,
    events: bool,
    /// None if no Reports are wanted, or the cluster does not have them.
    reports: Option<report::Reports>,
    identity: String,
    /// Transitions that were not told yet, and when they were heard. What another replica told while it held the lease is
    /// forgotten here after a while; what it may just have missed is told, perhaps once more.
    waiting: Vec<(Instant, Transition)>,
    newest: Option<Arc<Document>>,
}

impl Teller {
    fn hear(&mut self, news: News) {
        let now = Instant::now();
        self.waiting.retain(|(heard, _)| now - *heard < MEMORY);
        self.waiting.extend(news.transitions.into_iter().map(|transition| (now, transition)));
        self.newest = Some(news.document);
    }

    /// Writes what is new; whether all of it was written.
    async fn tell(&mut self) -> bool {
        let now = Instant::now();
        self.waiting.retain(|(heard, _)| now - *heard < MEMORY);
        if self.events {
            let waiting: Vec<Transition> = self.waiting.iter().map(|(_, transition)| transition.clone()).collect();
            let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events", self.namespace);
            for event in event::events(&waiting, &self.namespace, &self.identity, Timestamp::now()) {
                if let Err(error) = self.pen.create(&path, &event).await {
                    tracing::warn!(%error, "an Event cannot be written");
                    return false;
                }
            }
        }
        self.waiting.clear();
        let (Some(reports), Some(document)) = (&mut self.reports, &self.newest) else { return true };
        match reports.write(&self.pen, &self.namespace, document).await {
            Ok(()) => true,
            Err(ApiError::NotFound) => {
                tracing::info!("the cluster has no OpenReports: no Reports are written");
                self.reports = None;
                true
            }
            Err(error) => {
                tracing::warn!(%error, "a Report cannot be written");
                false
            }
        }
    }
}
