//! The lease that lets one of several replicas write: `coordination.k8s.io/v1`, taken by compare-and-swap.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::pen::Pen;
use crate::cluster::api::ApiError;

/// A holder that was not heard of for so long has lost it.
const DURATION: i64 = 15;

/// One lease and who wants it.
pub struct Lease {
    collection: String,
    namespace: String,
    name: String,
    identity: String,
    /// What the lease of another holder looked like, and when that was first seen: clocks of machines differ, so what counts
    /// is how long it did not change here.
    other: Option<(String, Timestamp)>,
    /// Until when this replica has it, by its own clock.
    until: Option<Timestamp>,
}

impl Lease {
    /// Not held yet.
    pub fn new(namespace: &str, name: &str, identity: &str) -> Self {
        Lease {
            collection: format!("/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity: identity.to_owned(),
            other: None,
            until: None,
        }
    }

    /// Takes or renews it; whether it is held now.
    pub async fn hold(&mut self, pen: &Pen, now: Timestamp) -> bool {
        let held = match pen.read(&self.path()).await {
            Ok(None) => pen.create(&self.collection, &self.object(&Value::Null, now, true)).await.map(|_| true),
            Ok(Some(lease)) if self.is_free(&lease, now) => {
                pen.replace(&self.path(), &self.object(&lease, now, true)).await.map(|_| true)
            }
            Ok(Some(_)) => Ok(false),
            Err(error) => Err(error),
        };
        match held {
            Ok(true) => self.until = Some(now + SignedDuration::from_secs(DURATION)),
            Ok(false) => self.until = None,
            // Somebody else was faster.
            Err(ApiError::Status(409, _)) => self.until = None,
            Err(error) => tracing::warn!(%error, "the lease cannot be held"),
        }
        self.until.is_some_and(|until| now < until)
    }

    /// Gives it back, so that another replica need not wait.
    pub async fn release(&mut self, pen: &Pen) {
        if let Ok(Some(lease)) = pen.read(&self.path()).await
            && holder(&lease) == self.identity
        {
            // Should this fail, it ends by itself.
            let _ = pen.replace(&self.path(), &self.object(&lease, Timestamp::now(), false)).await;
        }
        self.until = None;
    }

    fn path(&self) -> String {
        format!("{}/{}", self.collection, self.name)
    }

    /// Whether it is ours, nobody's, or of a holder that was not heard of for too long.
    fn is_free(&mut self, lease: &Value, now: Timestamp) -> bool {
        let holder = holder(lease);
        if holder.is_empty() || holder == self.identity {
            return true;
        }
        let version = lease["metadata"]["resourceVersion"].as_str().unwrap_or_default().to_owned();
        let since = match &self.other {
            Some((known, since)) if *known == version => *since,
            _ => {
                self.other = Some((version, now));
                now
            }
        };
        let duration = lease["spec"]["leaseDurationSeconds"].as_i64().unwrap_or(DURATION).clamp(1, 600);
        now.duration_since(since) >= SignedDuration::from_secs(duration)
    }

    fn object(&self, before: &Value, now: Timestamp, held: bool) -> Value {
        let time = micros(now);
        let same = holder(before) == self.identity;
        let acquired = if same { before["spec"]["acquireTime"].clone() } else { json!(time) };
        let changes = before["spec"]["leaseTransitions"].as_i64().unwrap_or(0);
        json!({
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "namespace": self.namespace,
                "name": self.name,
                "resourceVersion": before["metadata"]["resourceVersion"],
            },
            "spec": {
                "holderIdentity": if held { self.identity.as_str() } else { "" },
                "leaseDurationSeconds": if held { DURATION } else { 1 },
                "acquireTime": acquired,
                "renewTime": time,
                "leaseTransitions": if same { changes } else { changes + 1 },
            },
        })
    }
}

fn holder(lease: &Value) -> &str {
    lease["spec"]["holderIdentity"].as_str().unwrap_or_default()
}

/// A time as Kubernetes' MicroTime is written.
pub fn micros(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S.%6fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: &str, version: &str) -> Value {
        json!({"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15}})
    }

    #[test]
    fn only_what_did_not_move_for_its_time_is_taken_from_another() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut mine = Lease::new("a", "b", "me");
        assert!(mine.is_free(&lease("", "1"), at(0)) && mine.is_free(&lease("me", "1"), at(0)));
        assert!(!mine.is_free(&lease("you", "1"), at(100)));
        assert!(!mine.is_free(&lease("you", "1"), at(114)));
        assert!(!mine.is_free(&lease("you", "2"), at(115)), "it was renewed");
        assert!(!mine.is_free(&lease("you", "2"), at(129)));
        assert!(mine.is_free(&lease("you", "2"), at(130)));
    }

    #[test]
    fn a_holder_that_changes_is_counted() {
        let mine = Lease::new("a", "b", "me");
        let mut before = lease("you", "7");
        before["spec"]["leaseTransitions"] = json!(3);
        let object = mine.object(&before, Timestamp::UNIX_EPOCH, true);
        assert_eq!(object["spec"]["leaseTransitions"], 4);
        assert_eq!(object["spec"]["renewTime"], "1970-01-01T00:00:00.000000Z");
        assert_eq!(object["metadata"]["resourceVersion"], "7");
        assert_eq!(mine.object(&lease("me", "8"), Timestamp::UNIX_EPOCH, false)["spec"]["holderIdentity"], "");
    }
}
