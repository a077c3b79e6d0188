//! What a cluster serves: its kinds from aggregated discovery, and the definitions of the custom ones that matter.

use std::collections::{BTreeMap, BTreeSet};

use futures::StreamExt as _;
use serde::Deserialize;

use super::api::{Api, ApiError, Verb};
use crate::drift::catalog::{Catalog, KindInfo};
use crate::drift::crd;
use crate::drift::kind::{EXCLUSIVE, Gvk, WATCHED_CLUSTER_WIDE};
use crate::drift::node::Node;

/// Everything that the cluster serves, without the fields of the kinds.
#[derive(Debug, Clone, Default)]
pub struct Served {
    kinds: BTreeMap<Gvk, Resource>,
    /// Groups whose own server did not answer: their kinds may be there or not.
    stale: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Resource {
    plural: String,
    namespaced: bool,
    listable: bool,
    /// Position among the versions of the group: 0 is preferred.
    rank: usize,
}

/// Asks the cluster what it serves: two requests.
///
/// # Errors
/// A cluster that cannot be reached or does not let us ask.
pub async fn served(api: &Api) -> Result<Served, ApiError> {
    const ACCEPT: &str = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList";
    let mut served = Served::default();
    for path in ["/api", "/apis"] {
        let body = api.get_as(Verb::Get, path, ACCEPT).await?;
        let list: GroupList = serde_json::from_slice(&body)
            .map_err(|error| ApiError::Status(200, format!("{path} is no aggregated discovery: {error}")))?;
        list.items.into_iter().for_each(|group| served.add(group));
    }
    Ok(served)
}

impl Served {
    fn add(&mut self, group: Group) {
        let name = group.metadata.name.unwrap_or_default();
        for (rank, version) in group.versions.into_iter().enumerate() {
            if version.freshness.as_deref() == Some("Stale") {
                self.stale.insert(name.clone());
            }
            for resource in version.resources {
                let Some(kind) = resource.response_kind.kind.filter(|kind| !kind.is_empty()) else { continue };
                let gvk = Gvk { group: name.clone(), version: version.version.clone(), kind };
                let resource = Resource {
                    plural: resource.resource,
                    namespaced: resource.scope == "Namespaced",
                    listable: resource.verbs.iter().any(|verb| verb == "list"),
                    rank,
                };
                // Some kinds answer more than one resource (`bindings`); the one that can be listed counts.
                if resource.listable || !self.kinds.contains_key(&gvk) {
                    self.kinds.insert(gvk, resource);
                }
            }
        }
    }

    /// The kinds that are read even where Git has none of them, at the version that the server prefers.
    pub fn always_read(&self) -> BTreeSet<Gvk> {
        let wanted = EXCLUSIVE.iter().chain(WATCHED_CLUSTER_WIDE);
        wanted.filter_map(|(group, kind)| self.preferred(group, kind)).collect()
    }

    fn preferred(&self, group: &str, kind: &str) -> Option<Gvk> {
        let of_kind = self.kinds.iter().filter(|(gvk, _)| gvk.group == group && gvk.kind == kind);
        of_kind.min_by_key(|(_, resource)| resource.rank).map(|(gvk, _)| gvk.clone())
    }

    fn why_absent(&self, gvk: &Gvk) -> String {
        if self.stale.contains(&gvk.group) {
            return format!("the server of the group {} does not answer", gvk.group);
        }
        let versions: Vec<&str> = self
            .kinds
            .keys()
            .filter(|other| other.group == gvk.group && other.kind == gvk.kind)
            .map(|other| other.version.as_str())
            .collect();
        if versions.is_empty() {
            format!("the cluster has no {}", gvk.kind)
        } else {
            format!("the cluster serves {} only at {}", gvk.kind, versions.join(", "))
        }
    }
}

/// Looks kinds up: where they are, and what their fields are.
///
/// A definition that may not be read leaves a kind whose additions cannot be judged; that is no failure here.
///
/// # Errors
/// A definition that could not be read for another reason than permission.
pub async fn look_up(
    api: &Api,
    served: &Served,
    kinds: &BTreeSet<Gvk>,
    allowed_prefixes: &[String],
    catalog: &mut Catalog,
) -> Result<(), ApiError> {
    let mut definitions = BTreeSet::new();
    for gvk in kinds.iter().filter(|gvk| !catalog.knows(gvk)).cloned().collect::<Vec<_>>() {
        match served.kinds.get(&gvk).filter(|resource| resource.listable) {
            None => catalog.insert_absent(gvk.clone(), served.why_absent(&gvk)),
            Some(resource) if gvk.is_custom() => {
                definitions.insert((gvk, resource.plural.clone(), resource.namespaced));
            }
            Some(resource) => {
                let info = KindInfo::builtin(gvk, resource.plural.clone(), resource.namespaced, allowed_prefixes);
                catalog.insert(info);
            }
        }
    }
    let lookups = futures::stream::iter(definitions)
        .map(|(gvk, plural, namespaced)| async move { define(api, gvk, plural, namespaced, allowed_prefixes).await });
    let mut found = lookups.buffer_unordered(api.limits().concurrency);
    while let Some(info) = found.next().await {
        catalog.insert(info?);
    }
    Ok(())
}

async fn define(
    api: &Api,
    gvk: Gvk,
    plural: String,
    namespaced: bool,
    allowed_prefixes: &[String],
) -> Result<KindInfo, ApiError> {
    let path = format!("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{}", gvk.group);
    let definition = match api.get(Verb::Get, &path).await {
        Ok(body) => Node::from_json(&body).ok().and_then(|crd| crd::read(&crd).ok()),
        // Not allowed, or served by an aggregated API server: the defaults stay unknown.
        Err(ApiError::Unauthorized(_) | ApiError::Refused(_) | ApiError::NotFound) => None,
        Err(error) => return Err(error),
    };
    let known = definition.and_then(|definition| KindInfo::custom(&definition, &gvk.version, allowed_prefixes));
    Ok(known.unwrap_or_else(|| KindInfo::undefined(gvk, plural, namespaced, allowed_prefixes)))
}

#[derive(Deserialize)]
struct GroupList {
    #[serde(default)]
    items: Vec<Group>,
}

#[derive(Deserialize)]
struct Group {
    #[serde(default)]
    metadata: GroupMetadata,
    #[serde(default)]
    versions: Vec<VersionEntry>,
}

#[derive(Deserialize, Default)]
struct GroupMetadata {
    name: Option<String>,
}

#[derive(Deserialize)]
struct VersionEntry {
    version: String,
    #[serde(default)]
    resources: Vec<ResourceEntry>,
    freshness: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ResourceEntry {
    resource: String,
    #[serde(default)]
    response_kind: ResponseKind,
    scope: String,
    #[serde(default)]
    verbs: Vec<String>,
}

#[derive(Deserialize, Default)]
struct ResponseKind {
    kind: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served() -> Served {
        let json = r#"{"items":[{"metadata":{"name":"networking.k8s.io"},"versions":[
            {"version":"v1","freshness":"Current","resources":[
                {"resource":"networkpolicies","responseKind":{"kind":"NetworkPolicy"},"scope":"Namespaced","verbs":["list","get"]}]},
            {"version":"v1beta1","resources":[
                {"resource":"networkpolicies","responseKind":{"kind":"NetworkPolicy"},"scope":"Namespaced","verbs":["list"]}]}]},
            {"metadata":{"name":"x.io"},"versions":[{"version":"v1","freshness":"Stale"}]}]}"#;
        let mut served = Served::default();
        let list: GroupList = serde_json::from_str(json).unwrap();
        list.items.into_iter().for_each(|group| served.add(group));
        served
    }

    #[test]
    fn the_preferred_version_is_read_where_git_is_silent() {
        assert_eq!(served().always_read(), BTreeSet::from([Gvk::new("networking.k8s.io/v1", "NetworkPolicy")]));
    }

    #[test]
    fn absence_has_a_reason() {
        let why = |api_version: &str, kind: &str| served().why_absent(&Gvk::new(api_version, kind));
        assert!(why("networking.k8s.io/v2", "NetworkPolicy").contains("only at v1, v1beta1"));
        assert!(why("x.io/v1", "K").contains("does not answer"));
        assert!(why("y.io/v1", "K").contains("has no K"));
    }
}
