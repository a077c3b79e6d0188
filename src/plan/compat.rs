//! Which soctalk-tenant may run under which soctalk-system (R0).

use crate::config::Compatibility;
use crate::config::compatibility::Status;
use crate::config::types::Version;
use crate::finding::{Class, Finding};

/// What the matrix says of a combination: nothing if it is supported, a warning with the notes if it is deprecated,
/// and a refusal if it is blocked or unknown.
pub fn judge(matrix: &Compatibility, system: &Version, tenant: &Version) -> Option<Finding> {
    let pair = || format!("soctalk-tenant {tenant} under soctalk-system {system}");
    match matrix.find(system, tenant) {
        Some(entry) => {
            let notes = || entry.notes.clone().unwrap_or_else(|| instead(matrix, system));
            match entry.status {
                Status::Supported => None,
                Status::Deprecated => {
                    let finding = Finding::warning("plan/deprecated", format!("{} is deprecated", pair()));
                    Some(finding.hint(notes()))
                }
                Status::Blocked => {
                    let finding = Finding::error("plan/blocked", Class::Guard, format!("{} is blocked", pair()));
                    Some(finding.hint(notes()))
                }
            }
        }
        None => {
            let finding = Finding::error(
                "plan/unknown-version",
                Class::Guard,
                format!("{} is not in compatibility.yaml", pair()),
            );
            Some(finding.hint(instead(matrix, system)))
        }
    }
}

/// The newest version that is supported under a system version.
pub fn newest(matrix: &Compatibility, system: &Version) -> Option<semver::Version> {
    let known = matrix.matrix.iter().filter(|row| row.system == *system).flat_map(|row| &row.tenant);
    let supported = known.filter(|entry| entry.status == Status::Supported);
    supported.filter_map(|entry| semver::Version::parse(entry.version.as_str()).ok()).max()
}

/// What to run instead.
fn instead(matrix: &Compatibility, system: &Version) -> String {
    match newest(matrix, system) {
        Some(version) => format!("supported under soctalk-system {system}: {version}"),
        None => format!(
            "compatibility.yaml supports no version under soctalk-system {system}: add the combination once it was tested"
        ),
    }
}
