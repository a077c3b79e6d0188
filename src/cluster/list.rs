//! Reads all objects of a kind in pages and compares them while the next page is on its way.

use std::sync::Arc;

use super::api::{Api, ApiError, Verb};
use crate::drift::catalog::KindInfo;
use crate::drift::changeset::Gap;
use crate::drift::compare::{KindResult, KindRun};
use crate::drift::desired::{Desired, Files, split_key};
use crate::drift::node::Node;

/// How often an expired list is begun again.
const RESTARTS: u32 = 3;

/// Most objects of one kind that are read again one by one; above, the list is read again.
pub(super) const MOST_GETS: usize = 200;

/// What a run compares with.
#[derive(Clone)]
pub struct Subject {
    /// What Git says.
    pub desired: Arc<Desired>,
    /// Where it says it.
    pub files: Arc<dyn Files + Send + Sync>,
}

/// Reads and compares all objects of a kind; suspects a second time after `settle`.
///
/// # Errors
/// Why not all of them were read.
pub async fn compare_kind(
    api: &Api,
    subject: &Subject,
    info: &KindInfo,
    scopes: &[Option<String>],
    settle: Option<std::time::Duration>,
) -> Result<KindResult, Gap> {
    let (mut run, _) = read_all(api, subject, info, scopes).await.map_err(gap)?;
    if let Some(settle) = settle {
        let suspects = run.suspects();
        if !suspects.is_empty() {
            tokio::time::sleep(settle).await;
            if suspects.len() > MOST_GETS {
                (run, _) = read_all(api, subject, info, scopes).await.map_err(gap)?;
            } else {
                read_again(api, info, &mut run, &suspects).await.map_err(gap)?;
            }
        }
    }
    Ok(run.finish())
}

/// The path of a collection, of a namespace or of the whole cluster.
pub fn collection_path(info: &KindInfo, namespace: Option<&str>) -> String {
    let group = match info.gvk.group.as_str() {
        "" => format!("/api/{}", info.gvk.version),
        group => format!("/apis/{group}/{}", info.gvk.version),
    };
    match namespace.filter(|_| info.namespaced) {
        Some(namespace) => format!("{group}/namespaces/{namespace}/{}", info.plural),
        None => format!("{group}/{}", info.plural),
    }
}

/// The path of an object; `key` is `namespace/name` or `name`.
pub fn object_path(info: &KindInfo, key: &str) -> String {
    let (namespace, name) = split_key(key);
    // Names of RBAC objects may hold characters that mean something in a path.
    format!("{}/{}", collection_path(info, namespace), percent_encode(name))
}

/// Reads all objects of a kind; also the version of the last scope's collection, to watch from.
pub(super) async fn read_all<'d>(
    api: &Api,
    subject: &'d Subject,
    info: &'d KindInfo,
    scopes: &[Option<String>],
) -> Result<(KindRun<'d>, String), ApiError> {
    let mut restarts = 0;
    'again: loop {
        let mut run = KindRun::new(&subject.desired, subject.files.as_ref(), info);
        let mut version = String::new();
        for scope in scopes {
            match read_scope(api, info, scope.as_deref(), &mut run).await {
                Ok(of_list) => version = of_list,
                // What was read so far belongs to another moment than the rest: begin afresh.
                Err(ApiError::Gone) if restarts < RESTARTS => {
                    restarts += 1;
                    continue 'again;
                }
                Err(error) => return Err(error),
            }
        }
        return Ok((run, version));
    }
}

async fn read_scope(
    api: &Api,
    info: &KindInfo,
    namespace: Option<&str>,
    run: &mut KindRun<'_>,
) -> Result<String, ApiError> {
    let base = format!("{}?limit={}", collection_path(info, namespace), api.limits().page_size);
    let mut body = api.get(Verb::List, &base).await?;
    loop {
        // The continuation stands before the objects: the next page is asked for while this one is compared.
        let next = continuation(&body).map(|token| {
            let (api, path) = (api.clone(), format!("{base}&continue={}", percent_encode(&token)));
            tokio::spawn(async move { api.get(Verb::List, &path).await })
        });
        let end = run.page(&body).map_err(|error| ApiError::Unavailable(format!("a page that is no list: {error}")))?;
        body = match (next, end.next) {
            (Some(next), Some(_)) => next.await.map_err(|error| ApiError::Unavailable(error.to_string()))??,
            (None, Some(token)) => api.get(Verb::List, &format!("{base}&continue={}", percent_encode(&token))).await?,
            (_, None) => return Ok(end.resource_version),
        };
    }
}

async fn read_again(api: &Api, info: &KindInfo, run: &mut KindRun<'_>, suspects: &[String]) -> Result<(), ApiError> {
    for key in suspects {
        match api.get(Verb::Get, &object_path(info, key)).await {
            Ok(body) => {
                let live = Node::from_json(&body).map_err(|error| ApiError::Unavailable(error.to_string()))?;
                run.recheck(key, Some(live));
            }
            Err(ApiError::NotFound) => run.recheck(key, None),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The token of the next page, from what stands before the objects; none where it does not.
fn continuation(body: &[u8]) -> Option<String> {
    let head = body.len().min(4096);
    let items = body[..head].windows(8).position(|window| window == b"\"items\":")?;
    let before = std::str::from_utf8(&body[..items]).ok()?.trim_end();
    let document = format!("{}}}", before.strip_suffix(',')?);
    let node = Node::from_json(document.as_bytes()).ok()?;
    let token = node.at(&["metadata", "continue"])?.as_text()?;
    (!token.is_empty()).then(|| token.to_owned())
}

pub(super) fn gap(error: ApiError) -> Gap {
    match error {
        ApiError::Unauthorized(message) | ApiError::Refused(message) => Gap::Refused(message),
        ApiError::NotFound => Gap::Absent("the cluster does not serve it any more".to_owned()),
        other => Gap::Failed(other.to_string()),
    }
}

pub(super) fn percent_encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::kind::Gvk;

    #[test]
    fn paths_name_collections_and_objects() {
        let info = |api_version: &str, kind: &str, plural: &str, namespaced: bool| {
            KindInfo::builtin(Gvk::new(api_version, kind), plural, namespaced, &[])
        };
        let services = info("v1", "Service", "services", true);
        assert_eq!(collection_path(&services, None), "/api/v1/services");
        assert_eq!(object_path(&services, "a/b"), "/api/v1/namespaces/a/services/b");
        let rbac = info("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", false);
        let expected = "/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode";
        assert_eq!(object_path(&rbac, "system:node"), expected);
    }

    #[test]
    fn the_next_page_is_known_before_the_objects_are_read() {
        let body = br#"{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1","continue":"abc="},"items":[{"a":1}]}"#;
        assert_eq!(continuation(body).as_deref(), Some("abc="));
        assert_eq!(continuation(br#"{"metadata":{"resourceVersion":"1"},"items":[]}"#), None);
        assert_eq!(continuation(br#"{"items":[],"metadata":{"continue":"x"}}"#), None);
        assert_eq!(percent_encode("a=+/"), "a%3D%2B%2F");
    }
}
