//! Requests to an API server that end in time: each has a limit, attempts are counted, the run has a deadline.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use http::response::Parts;
use http::{Request, StatusCode, header};
use kube::client::Body;
use serde::Deserialize;
use tokio::time::Instant;

/// Bounds on what is asked of an API server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For one request, its body included.
    pub request_timeout: Duration,
    /// For the whole run.
    pub total_timeout: Duration,
    /// Attempts at one request.
    pub attempts: u32,
    /// Lists under way at once.
    pub concurrency: usize,
    /// Objects on a page of a list.
    pub page_size: u32,
}

impl Default for Limits {
    /// For CI: a minute a request, ten minutes a run, five attempts, eight lists at once, pages of 500.
    fn default() -> Self {
        Limits {
            request_timeout: Duration::from_secs(60),
            total_timeout: Duration::from_secs(600),
            attempts: 5,
            concurrency: 8,
            page_size: 500,
        }
    }
}

/// A connection to an API server, for one run.
#[derive(Clone)]
pub struct Api {
    client: Arc<RwLock<kube::Client>>,
    limits: Limits,
    deadline: Instant,
    requests: Arc<Mutex<BTreeMap<(&'static str, u16), u64>>>,
    address: Arc<str>,
}

/// Why a request came to nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ApiError {
    /// 401, and what the server says: the credentials are none, or not any more.
    Unauthorized(String),
    /// 403, and what the server says.
    Refused(String),
    /// 404.
    NotFound,
    /// 410: the continuation or resource version is too old.
    Gone,
    /// Another status that a further attempt would not change.
    Status(u16, String),
    /// No usable answer in all attempts: what happened last.
    Unavailable(String),
    /// The time of the run is over: what happened last, if anything did.
    Deadline(Option<String>),
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApiError::Unauthorized(message) => write!(f, "the credentials are refused: {message}"),
            ApiError::Refused(message) => write!(f, "refused: {message}"),
            ApiError::NotFound => f.write_str("not found"),
            ApiError::Gone => f.write_str("the list expired while it was read"),
            ApiError::Status(code, message) => write!(f, "status {code}: {message}"),
            ApiError::Unavailable(last) => write!(f, "no answer: {last}"),
            ApiError::Deadline(None) => f.write_str("the time of the run is over"),
            ApiError::Deadline(Some(last)) => write!(f, "the time of the run is over; before that: {last}"),
        }
    }
}

impl std::error::Error for ApiError {}

/// What a request is for, in the words of RBAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// One object.
    Get,
    /// A collection.
    List,
    /// A collection, as it changes.
    Watch,
}

impl Verb {
    fn name(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Watch => "watch",
        }
    }
}

impl Api {
    /// The run's time begins now.
    pub fn new(client: kube::Client, limits: Limits) -> Self {
        let deadline = Instant::now() + limits.total_timeout;
        let client = Arc::new(RwLock::new(client));
        Api { client, limits, deadline, requests: Arc::default(), address: Arc::from("") }
    }

    /// The same connection with the address of its server, for reports.
    #[must_use]
    pub fn at(self, address: &str) -> Self {
        Api { address: Arc::from(address), ..self }
    }

    /// The address of the server, if it is known.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The same connection with the time of a new run.
    #[must_use]
    pub fn renewed(&self) -> Self {
        Api { deadline: Instant::now() + self.limits.total_timeout, ..self.clone() }
    }

    /// The bounds.
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// The client behind it, as it is now.
    pub fn client(&self) -> kube::Client {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Goes on with another client, whose credentials are fresh. Every clone of this connection does.
    pub fn replace_client(&self, client: kube::Client) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = client;
    }

    /// Requests so far by verb and status; status 0 is no answer.
    pub fn requests(&self) -> BTreeMap<(&'static str, u16), u64> {
        self.requests.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Gets a path as JSON.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn get(&self, verb: Verb, path: &str) -> Result<bytes::Bytes, ApiError> {
        self.get_as(verb, path, "application/json").await
    }

    /// Gets a path in a form that the server offers.
    ///
    /// # Errors
    /// See [`ApiError`].
    pub async fn get_as(&self, verb: Verb, path: &str, accept: &str) -> Result<bytes::Bytes, ApiError> {
        let mut last = None;
        for attempt in 1..=self.limits.attempts {
            let wait = match self.attempt(verb, path, accept).await {
                Ok(body) => return Ok(body),
                Err(Attempt::Final(error)) => return Err(error),
                Err(Attempt::Again { reason, after }) => {
                    last = Some(reason);
                    after.unwrap_or_else(|| backoff(attempt, path))
                }
            };
            let over = Instant::now() + wait >= self.deadline;
            if over {
                return Err(ApiError::Deadline(last));
            }
            if attempt < self.limits.attempts {
                tokio::time::sleep(wait).await;
            }
        }
        Err(ApiError::Unavailable(last.unwrap_or_default()))
    }

    /// Asks for a collection as it changes; the answer comes for as long as the server likes. One attempt.
    ///
    /// # Errors
    /// Why there is no answer, and when to ask again.
    pub async fn watch(&self, path: &str) -> Result<Body, Setback> {
        let limit = Instant::now() + self.limits.request_timeout;
        let exchange = async {
            let (parts, body) = self.exchange(path, "application/json").await?;
            match parts.status.is_success() {
                true => Ok((parts, body)),
                false => Ok((parts, Body::from(body.collect_bytes().await?))),
            }
        };
        let answer = self.answered(Verb::Watch, limit, exchange).await;
        let refused = match answer {
            Ok((parts, body)) if parts.status.is_success() => return Ok(body),
            Ok((parts, body)) => refusal(parts.status, &parts.headers, &body.collect_bytes().await.unwrap_or_default()),
            Err(attempt) => attempt,
        };
        Err(match refused {
            Attempt::Final(error) => Setback { error, after: None },
            Attempt::Again { reason, after } => Setback { error: ApiError::Unavailable(reason), after },
        })
    }

    async fn attempt(&self, verb: Verb, path: &str, accept: &str) -> Result<bytes::Bytes, Attempt> {
        let limit = (Instant::now() + self.limits.request_timeout).min(self.deadline);
        let exchange = async {
            let (parts, body) = self.exchange(path, accept).await?;
            Ok((parts, body.collect_bytes().await?))
        };
        let (parts, body) = self.answered(verb, limit, exchange).await?;
        if parts.status.is_success() {
            return Ok(body);
        }
        Err(refusal(parts.status, &parts.headers, &body))
    }

    async fn exchange(&self, path: &str, accept: &str) -> Result<(Parts, Body), kube::Error> {
        let request = Request::get(path).header(header::ACCEPT, accept).header(header::ACCEPT_ENCODING, "identity");
        let request = request.body(Body::empty()).map_err(kube::Error::HttpError)?;
        let response = self.client().send(request).await?;
        Ok(response.into_parts())
    }

    /// Waits for an answer until `limit`, and counts it.
    async fn answered<T>(
        &self,
        verb: Verb,
        limit: Instant,
        exchange: impl Future<Output = Result<(Parts, T), kube::Error>>,
    ) -> Result<(Parts, T), Attempt> {
        let reason = match tokio::time::timeout_at(limit, exchange).await {
            Ok(Ok((parts, body))) => {
                self.count(verb.name(), parts.status.as_u16());
                return Ok((parts, body));
            }
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no answer within {:?}", self.limits.request_timeout),
        };
        self.count(verb.name(), 0);
        Err(Attempt::Again { reason, after: None })
    }

    /// Notes a request; status 0 is no answer.
    pub(super) fn count(&self, verb: &'static str, status: u16) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry((verb, status)).or_default() += 1;
    }
}

/// Why a watch did not begin, or ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setback {
    /// What happened.
    pub error: ApiError,
    /// How long the server asks to wait.
    pub after: Option<Duration>,
}

/// How an attempt failed.
enum Attempt {
    Final(ApiError),
    Again { reason: String, after: Option<Duration> },
}

fn refusal(status: StatusCode, headers: &header::HeaderMap, body: &[u8]) -> Attempt {
    let message = status_message(body);
    match status.as_u16() {
        401 => Attempt::Final(ApiError::Unauthorized(message)),
        403 => Attempt::Final(ApiError::Refused(message)),
        404 => Attempt::Final(ApiError::NotFound),
        410 => Attempt::Final(ApiError::Gone),
        429 | 500..=599 => {
            let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
            // A server may ask for patience, but not for an hour of it.
            let after = seconds.map(|seconds| Duration::from_secs(seconds.min(60)));
            Attempt::Again { reason: format!("status {}: {message}", status.as_u16()), after }
        }
        code => Attempt::Final(ApiError::Status(code, message)),
    }
}

/// What a `Status` object says, else the beginning of the body.
pub(super) fn status_message(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Status {
        message: String,
    }
    match serde_json::from_slice::<Status>(body) {
        Ok(status) => status.message,
        Err(_) => String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned(),
    }
}

/// 0.2 s, doubled each time up to 10 s; up to a half more by path, so that lists which fail together do not return together.
pub(super) fn backoff(attempt: u32, path: &str) -> Duration {
    let base =
        Duration::from_millis(200).saturating_mul(1 << attempt.min(10).saturating_sub(1)).min(Duration::from_secs(10));
    let spread = path.bytes().fold(attempt, |hash, byte| hash.wrapping_mul(31).wrapping_add(u32::from(byte))) % 64;
    base + base * spread / 128
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_final_or_worth_another_attempt() {
        let judged = |code: u16, retry_after: Option<&str>| {
            let mut headers = header::HeaderMap::new();
            if let Some(value) = retry_after {
                headers.insert(header::RETRY_AFTER, value.parse().unwrap());
            }
            refusal(StatusCode::from_u16(code).unwrap(), &headers, br#"{"kind":"Status","message":"m"}"#)
        };
        assert!(matches!(judged(401, None), Attempt::Final(ApiError::Unauthorized(_))));
        assert!(matches!(judged(403, None), Attempt::Final(ApiError::Refused(m)) if m == "m"));
        assert!(matches!(judged(404, None), Attempt::Final(ApiError::NotFound)));
        assert!(matches!(judged(410, None), Attempt::Final(ApiError::Gone)));
        assert!(matches!(judged(400, None), Attempt::Final(ApiError::Status(400, _))));
        let second = Duration::from_secs(1);
        assert!(matches!(judged(429, Some("1")), Attempt::Again { after: Some(after), .. } if after == second));
        assert!(matches!(judged(503, Some("3600")), Attempt::Again { after: Some(after), .. } if after == 60 * second));
        assert!(matches!(judged(500, Some("soon")), Attempt::Again { after: None, .. }));
    }

    #[test]
    fn waiting_grows_and_stays_bounded() {
        let waits: Vec<Duration> = (1..40).map(|attempt| backoff(attempt, "/api/v1/pods")).collect();
        assert!(waits[0] >= Duration::from_millis(200) && waits[0] < Duration::from_millis(300));
        assert!(waits.iter().all(|wait| *wait <= Duration::from_secs(15)));
        assert!(waits[10] >= Duration::from_secs(10));
    }
}
