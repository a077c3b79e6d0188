//! Tells which line of the fleet decides what differs, where the fleet is at hand.

use crate::cli::Global;
use crate::cluster::decided::{self, MORE_UNITS, worst_units};
use crate::cluster::tree;
use crate::commands::fleet;
use crate::commands::timings::Timings;
use crate::drift::change::Verdict;
use crate::drift::desired::Files;
use crate::manifest::{ObjectId, PROVENANCE, Provenance};
use crate::render::Templates;
use crate::report::drift::{Decided, Difference, Document, Object};
use crate::trace::{Influence, Tracer, Unit};

/// What of a fleet its manifests are rendered from.
const FLEET: [&str; 5] = ["install.yaml", "compatibility.yaml", "tenants", "policies", "templates"];

/// Fills the deciding lines in. Without a fleet nothing happens; what stands against it is noted in the document.
pub fn fill(global: &Global, files: &dyn Files, document: &mut Document) {
    let (units, is_more) = worst_units(document);
    if units.is_empty() || !has_fleet(global) {
        return;
    }
    if is_more {
        document.notes.push(MORE_UNITS.to_owned());
    }
    trace(global, files, document, &units);
}

/// Whether a fleet is at hand.
pub fn has_fleet(global: &Global) -> bool {
    global.fleet.join(FLEET[0]).exists()
}

/// What the fleet looks like; none where it is not at hand, or cannot be looked at right now.
pub fn appearance(global: &Global) -> Option<String> {
    if !has_fleet(global) {
        return None;
    }
    tree::appearance(&global.fleet, &FLEET).ok()
}

/// Looks for the lines that decide what differs in some units.
pub fn trace(global: &Global, files: &dyn Files, document: &mut Document, units: &[decided::Unit]) {
    let mut timings = Timings::default();
    let loaded = match fleet::load(&global.fleet, &mut timings) {
        Ok(loaded) => loaded,
        Err(error) => return document.notes.push(format!("deciding lines are not told: {}", error.message())),
    };
    let templates = Templates::load(loaded.source.below("templates/"));
    let (Some(fleet), Ok(templates)) = (&loaded.fleet, templates) else {
        let note = "deciding lines are not told: the fleet has findings, see `tenantry check`";
        return document.notes.push(note.to_owned());
    };
    let tracer = Tracer { fleet, source: &loaded.source, templates: &templates, version: fleet::VERSION };
    let cluster = document.checked.cluster.clone();
    for tenant in units {
        let unit = Unit { cluster: &cluster, tenant: tenant.as_deref() };
        if !is_current(&tracer, unit, files) {
            let name = tenant.as_deref().unwrap_or("system");
            document.notes.push(format!(
                "the fleet is not what the unit {name} was rendered from: its deciding lines may be others by now"
            ));
        }
        of_unit(&tracer, unit, document);
    }
}

fn is_current(tracer: &Tracer<'_>, unit: Unit<'_>, files: &dyn Files) -> bool {
    let path = match unit.tenant {
        Some(slug) => format!("tenants/{slug}/{PROVENANCE}"),
        None => format!("system/{PROVENANCE}"),
    };
    let recorded = files.read(&path).and_then(|bytes| Provenance::parse(&bytes));
    recorded.is_ok_and(|recorded| tracer.is_current(unit, recorded.inputs) == Some(true))
}

fn of_unit(tracer: &Tracer<'_>, unit: Unit<'_>, document: &mut Document) {
    let own = tracer.tenant(unit);
    // The install's values are many: they are tried only where the tenant's own decide nothing.
    let mut install: Option<Influence> = None;
    for difference in document.differences.iter_mut().filter(|difference| difference.drift) {
        if difference.tenant.as_deref() != unit.tenant {
            continue;
        }
        let Some(path) = asked(difference) else { continue };
        let object = id(&difference.object);
        let found = match own.decider(&object, path) {
            Some(found) => Some(found),
            None => install.get_or_insert_with(|| tracer.install(unit)).decider(&object, path),
        };
        difference.decided_by = match (found, unit.tenant) {
            (Some((file, pointer)), _) => Some(line(tracer, file, pointer)),
            // That the tenant is there at all makes every object of its unit.
            (None, Some(slug)) if path.is_empty() => Some(line(tracer, &crate::config::tenant_file(slug), "")),
            (None, _) => None,
        };
    }
}

/// The path to ask for: of an item that was added to a list, the list; of what Git does not have, nothing.
fn asked(difference: &Difference) -> Option<&str> {
    let path = difference.path.as_str();
    match difference.verdict {
        Verdict::Added if path.is_empty() => None,
        Verdict::Added => path.strip_suffix(']')?.rsplit_once('[').map(|(list, _)| list),
        Verdict::Changed | Verdict::Missing | Verdict::Reordered => Some(path),
    }
}

fn line(tracer: &Tracer<'_>, file: &str, pointer: &str) -> Decided {
    let line = tracer.locate(file, pointer).line;
    Decided { file: file.to_owned(), line, field: pointer.to_owned() }
}

fn id(object: &Object) -> ObjectId {
    match &object.namespace {
        Some(namespace) => ObjectId::namespaced(&object.api_version, &object.kind, namespace, object.name.as_str()),
        None => ObjectId::cluster(&object.api_version, &object.kind, object.name.as_str()),
    }
}
