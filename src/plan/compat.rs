//! Which soctalk-tenant may run under which soctalk-system (R0).

use crate::config::Compatibility;
use crate::config::compatibility::Status;
use crate::config::types::Version;
use crate::finding::{Class, Finding};

/// What the matrix says of a combination: nothing if it is supported, a warning with the notes if it is deprecated,
/// and a refusal if it is blocked or unknown.
pub fn judge(matrix: &Compatibility, system: &Version, tenant: &Version) -> Option<Finding> {
    let pair = format!("soctalk-tenant {tenant} under soctalk-system {system}");
    match matrix.find(system, tenant) {
        Some(entry) => {
            let notes = entry.notes.clone();
            match entry.status {
                Status::Supported => None,
                Status::Deprecated => {
                    let finding = Finding::warning("plan/deprecated", format!("{pair} is deprecated"));
                    Some(finding.hint(notes.unwrap_or_else(|| newest(matrix, system))))
                }
                Status::Blocked => {
                    let finding = Finding::error("plan/blocked", Class::Guard, format!("{pair} is blocked"));
                    Some(finding.hint(notes.unwrap_or_else(|| newest(matrix, system))))
                }
            }
        }
        None => {
            let finding =
                Finding::error("plan/unknown-version", Class::Guard, format!("{pair} is not in compatibility.yaml"));
            Some(finding.hint(newest(matrix, system)))
        }
    }
}

/// The newest supported version under a system version, as a hint.
fn newest(matrix: &Compatibility, system: &Version) -> String {
    let supported = matrix.matrix.iter().filter(|row| row.system == *system).flat_map(|row| &row.tenant);
    let newest = supported
        .filter(|entry| entry.status == Status::Supported)
        .filter_map(|entry| semver::Version::parse(entry.version.as_str()).ok())
        .max();
    match newest {
        Some(version) => format!("supported under soctalk-system {system}: {version}"),
        None => format!(
            "compatibility.yaml supports no version under soctalk-system {system}: add the combination once it was tested"
        ),
    }
}
