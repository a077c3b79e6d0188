//! Which Flux controller takes care of a tenant.

use crate::config::Install;
use crate::manifest::Digest;

/// The shard of a tenant; none if there are none. It depends on the slug alone, so no tenant moves when another comes.
pub fn of(install: &Install, slug: &str) -> Option<String> {
    let shards = &install.gitops.shards;
    let digest = Digest::of(slug.as_bytes());
    let number = u64::from_le_bytes(digest.as_bytes()[..8].try_into().unwrap_or_default());
    let count = u64::try_from(shards.len()).ok().filter(|count| *count > 0)?;
    let index = usize::try_from(number % count).ok()?;
    shards.get(index).map(ToString::to_string)
}
