//! Publishes what a check that goes on knows: the report, the metrics, and whether it may be relied on.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use tokio::time::Instant;

use super::generation::Committed;
use super::view::{Desired, Ready, View};
use super::watch::{Checker, News};
use crate::drift::change::Verdict;
use crate::drift::changeset::{ChangeSet, Overall, TenantState};
use crate::report::drift::{Checked, Cluster, Document, Source};

impl Checker {
    /// Publishes what is known now.
    pub(super) fn publish(&mut self) {
        let (now, time) = (Instant::now(), Timestamp::now());
        let took_over = self.take_over(now);
        // What time alone changes (a kind that fell silent, a roll-out that is over) is looked for now and then.
        let look_again = time.as_second() % 5 == 0;
        if (self.is_dirty || took_over || look_again)
            && let Some(current) = &self.current
        {
            let today = time.to_zoned(jiff::tz::TimeZone::UTC).date();
            let mut set = current.set(&self.tracker, now, today);
            let transitions = self.tracker.observe(&mut set, time);
            if took_over {
                *self.facts.checks.entry(result(set.overall())).or_default() += 1;
                self.facts.durations.add((now - current.began).as_secs_f64());
            }
            let mut document = self.document_of(&current.committed, &set, time);
            let (question, files) = (self.lines.fill(&mut document), Arc::clone(&current.committed.files));
            let document = Arc::new(document);
            if let Some(question) = question {
                self.ask(files, question);
            }
            self.count(&set);
            self.document = Some(Arc::clone(&document));
            self.is_dirty = false;
            for transition in &transitions {
                let (change, object) = (transition.change, transition.object.to_string());
                tracing::info!(?change, object, tenant = transition.tenant, effect = transition.effect, "drift");
            }
            let has_new_lines = std::mem::take(&mut self.has_new_lines);
            if took_over || has_new_lines || !transitions.is_empty() {
                // Nobody writes Events any more once the program ends.
                let _ = self.outlets.news.send(News { transitions, document });
            }
        }
        self.succeed(now, time);
        self.facts.is_leader = *self.outlets.is_leader.borrow();
        self.facts.requests = self.api.requests();
        self.facts.watch_restarts = self.restarts.load(Ordering::Relaxed);
        self.facts.revision = self.revision().map(str::to_owned);
        self.facts.is_desired_stale = self.stuck.is_some();
        let ready = self.ready(now, time);
        let view = View { document: self.document.clone(), facts: self.facts.clone(), ready };
        self.outlets.view.send_replace(Arc::new(view));
    }

    /// Lets the next generation take over once everything is read.
    fn take_over(&mut self, now: Instant) -> bool {
        let patience = self.api.limits().total_timeout;
        let ready = self.next.as_ref().is_some_and(|next| next.is_begun(now) || now - next.began > patience);
        if ready {
            let before = self.revision().map(str::to_owned);
            self.current = self.next.take();
            if self.revision() != before.as_deref() {
                self.lines.forget();
            }
            tracing::info!(revision = self.revision(), "the cluster is read");
        }
        ready
    }

    fn count(&mut self, set: &ChangeSet) {
        let mut objects: BTreeMap<(String, String), u64> = BTreeMap::new();
        for ((kind, verdict), count) in set.counts() {
            objects.insert((kind, verdict_word(verdict).to_owned()), count as u64);
        }
        for ((kind, _), count) in set.pending() {
            *objects.entry((kind, "pending".to_owned())).or_default() += count as u64;
        }
        // A kind that has none any more is told as such, and does not just vanish.
        for key in self.facts.objects.keys() {
            objects.entry(key.clone()).or_insert(0);
        }
        self.facts.objects = objects;
        let states =
            [("clean", TenantState::Clean), ("drifted", TenantState::Drifted), ("unknown", TenantState::Unknown)];
        let of = |wanted: TenantState| set.tenants.values().filter(|state| **state == wanted).count() as u64;
        self.facts.tenants = states.into_iter().map(|(word, state)| (word, of(state))).collect();
        let unread = set.coverage.iter().filter(|kind| kind.gap.is_some()).count() as u64;
        self.facts.kinds = BTreeMap::from([("read", set.coverage.len() as u64 - unread), ("unread", unread)]);
    }

    fn document_of(&self, committed: &Committed, set: &ChangeSet, time: Timestamp) -> Document {
        let checked = Checked {
            cluster: committed.cluster.clone(),
            repository: committed.name.clone(),
            revision: Some(committed.revision.clone()),
            branch: committed.asked.clone(),
            live: Cluster::Server(self.api.address().to_owned()),
            at: time.to_string(),
            parts: self.settings.parts.clone(),
        };
        let repository = if committed.is_commit { "." } else { &committed.name };
        let source = Source {
            repository: repository.to_owned(),
            revision: committed.is_commit.then(|| committed.revision.clone()),
            context: None,
            applier: committed.applier,
        };
        let mut document = Document::new(set, checked, &committed.prefix, &source, &self.settings.version);
        if committed.is_commit && !document.differences.is_empty() {
            document.notes.push(format!("the commands that put back are meant for a clone of {}", committed.name));
        }
        if let Some(reason) = &self.stuck {
            document
                .notes
                .push(format!("compared with what was good last; what Git has now is not followed: {reason}"));
        }
        document
    }

    fn succeed(&mut self, now: Instant, time: Timestamp) {
        let complete = self.document.as_ref().is_some_and(|document| document.verdict != Overall::Incomplete);
        let silence = self.current.as_ref().and_then(|current| current.silence(now));
        if let (true, Some(silence)) = (complete, silence) {
            self.last_success = Some(time - jiff::SignedDuration::try_from(silence).unwrap_or_default());
            #[allow(clippy::cast_precision_loss)] // milliseconds fit 52 bits
            let seconds = self.last_success.unwrap_or(time).as_millisecond() as f64 / 1000.0;
            self.facts.last_success = Some(seconds);
        }
    }

    fn ready(&self, now: Instant, time: Timestamp) -> Ready {
        let shown = self.current.as_ref().or(self.next.as_ref());
        Ready {
            desired: match shown {
                Some(shown) => Desired::Compiled(shown.committed.revision.clone()),
                None => Desired::None,
            },
            trouble: [self.stuck.clone(), self.unreachable.clone()].into_iter().flatten().collect(),
            kinds: shown.map(|shown| shown.phases(now)).unwrap_or_default(),
            is_begun: self.current.is_some(),
            age: self.last_success.map(|success| time.duration_since(success).unsigned_abs()),
            fresh: self.settings.fresh,
        }
    }
}

fn verdict_word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Changed => "changed",
        Verdict::Missing => "missing",
        Verdict::Added => "added",
        Verdict::Reordered => "reordered",
    }
}

fn result(overall: Overall) -> &'static str {
    match overall {
        Overall::Clean => "clean",
        Overall::Drift => "drift",
        Overall::Incomplete => "incomplete",
    }
}
