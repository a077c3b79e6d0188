//! One check of a cluster against a committed tree.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::api::{Api, ApiError};
use super::discover::{self, Served};
use super::list::{Subject, compare_kind};
use crate::drift::catalog::{Catalog, KindInfo};
use crate::drift::changeset::{ChangeSet, Gap, Outcome};
use crate::drift::desired::{Desired, Files, mentioned_kinds, split_key};
use crate::drift::exempt::Exemption;
use crate::drift::filter::Filter;
use crate::drift::kind::Gvk;
use crate::error::{Error, Result};

/// Above this many namespaces a kind is listed once for the whole cluster.
const MOST_SCOPES: usize = 10;

/// What to check, and how.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Which part of the tree.
    pub filter: Filter,
    /// Exemptions from Git.
    pub exemptions: Vec<Exemption>,
    /// Label and annotation prefixes that controllers may add.
    pub allowed_prefixes: Vec<String>,
    /// How long to wait before what differs is read once more; none to tell at once.
    pub settle: Option<Duration>,
}

/// Compares a cluster with the files of its folder. `today` decides about exemptions.
///
/// # Errors
/// A tree that cannot be listed, a cluster that cannot be reached at all. What could not be read in part is told by the
/// result, which is then not complete.
pub async fn check(
    api: &Api,
    files: Arc<dyn Files + Send + Sync>,
    options: &CheckOptions,
    today: Date,
) -> Result<ChangeSet> {
    let served = discover::served(api).await.map_err(|error| unreachable(&error))?;
    let (desired, catalog) = prepare(api, &served, files.as_ref(), options).await?;
    let mut kinds: BTreeSet<Gvk> = desired.kinds.keys().cloned().collect();
    kinds.extend(extra_kinds(&served, &desired, &kinds));
    let subject = Subject { desired: Arc::new(desired), files };
    let outcomes = compare_all(api, &subject, &catalog, kinds, options).await;
    Ok(ChangeSet::assemble(&subject.desired, outcomes, &options.exemptions, today))
}

/// Looks up the kinds of the tree and reads it.
///
/// # Errors
/// As [`check`].
pub async fn prepare(
    api: &Api,
    served: &Served,
    files: &dyn Files,
    options: &CheckOptions,
) -> Result<(Desired, Catalog)> {
    let unlisted = |reason: String| Error::environment("cannot list the files of the tree").cause(reason);
    let mut catalog = Catalog::default();
    let mut wanted = mentioned_kinds(files).map_err(unlisted)?;
    wanted.extend(served.always_read());
    loop {
        discover::look_up(api, served, &wanted, &options.allowed_prefixes, &mut catalog)
            .await
            .map_err(|error| unreachable(&error))?;
        let desired = Desired::read(files, &catalog, options.filter.clone()).map_err(unlisted)?;
        // A kind that only a full parse finds (flow style, for instance) is looked up now.
        let unknown: BTreeSet<Gvk> = desired.unserved.keys().filter(|gvk| !catalog.knows(gvk)).cloned().collect();
        if unknown.is_empty() {
            return Ok((desired, catalog));
        }
        wanted = unknown;
    }
}

/// Kinds to read for objects that Git lacks. A kind that Git has is read at Git's version, not at two.
pub(super) fn extra_kinds(served: &Served, desired: &Desired, have: &BTreeSet<Gvk>) -> Vec<Gvk> {
    if desired.namespaces.is_empty() {
        return Vec::new();
    }
    let in_git = |gvk: &Gvk| have.iter().any(|other| other.group == gvk.group && other.kind == gvk.kind);
    served.always_read().into_iter().filter(|gvk| !in_git(gvk)).collect()
}

async fn compare_all(
    api: &Api,
    subject: &Subject,
    catalog: &Catalog,
    kinds: BTreeSet<Gvk>,
    options: &CheckOptions,
) -> BTreeMap<Gvk, Outcome> {
    let places = Arc::new(Semaphore::new(api.limits().concurrency.max(1)));
    let mut tasks = JoinSet::new();
    for gvk in kinds {
        let Some(info) = catalog.get(&gvk).cloned() else { continue };
        let (api, subject, places, settle) = (api.clone(), subject.clone(), Arc::clone(&places), options.settle);
        tasks.spawn(async move {
            let _place = places.acquire_owned().await;
            let scopes = scopes(&subject.desired, &info);
            let outcome = match compare_kind(&api, &subject, &info, &scopes, settle).await {
                Ok(result) => Outcome::Read(result),
                Err(gap) => Outcome::Unread(gap),
            };
            (info.gvk, outcome)
        });
    }
    let mut outcomes = BTreeMap::new();
    while let Some(done) = tasks.join_next().await {
        match done {
            Ok((gvk, outcome)) => drop(outcomes.insert(gvk, outcome)),
            Err(error) => {
                // A task that panicked has compared nothing: that must show.
                let gvk = Gvk::new("tenantry.io/v1", "Comparison");
                outcomes.insert(gvk, Outcome::Unread(Gap::Failed(error.to_string())));
            }
        }
    }
    outcomes
}

/// Where to list a kind: the whole cluster, or the few namespaces that a part of the tree is about.
fn scopes(desired: &Desired, info: &KindInfo) -> Vec<Option<String>> {
    if desired.filter.tenants.is_none() || !info.namespaced {
        return vec![None];
    }
    let declared = desired.kinds.get(&info.gvk).into_iter().flat_map(|index| &index.entries);
    let mut namespaces: BTreeSet<&str> = declared.filter_map(|entry| split_key(&entry.key).0).collect();
    namespaces.extend(desired.namespaces.keys().map(String::as_str));
    if namespaces.len() > MOST_SCOPES {
        return vec![None];
    }
    namespaces.into_iter().map(|namespace| Some(namespace.to_owned())).collect()
}

pub(super) fn unreachable(error: &ApiError) -> Error {
    let hint = match error {
        ApiError::Unauthorized(_) | ApiError::Refused(_) => {
            "check the credentials, and the permissions that `docs/drift.md` lists"
        }
        _ => "check the address, the network and the certificates; --timeout allows for more time",
    };
    Error::environment("cannot read the cluster").cause(error).hint(hint)
}
