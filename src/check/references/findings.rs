//! What is said of names of nothing: one finding a place that a person edits.

use std::collections::BTreeMap;

use super::{Missing, Why};
use crate::blame::departure;
use crate::blame::{Blame, Spot};
use crate::check::Input;
use crate::finding::{Class, Finding, Location};
use crate::secrets::leak;

/// What tells one slip from another: its line in a template, the tenant, what is named or its kind, the field.
type Slip = (Option<Location>, Option<String>, String, String);

/// A slip in a template is found in every unit and in many objects: it is told once, with their number.
pub fn findings(input: &Input<'_>, found: Vec<Missing>) -> Vec<Finding> {
    if found.is_empty() {
        return Vec::new();
    }
    let blame = Blame::new(input.plan.fleet, input.source, crate::VERSION);
    let mut groups: BTreeMap<Slip, Vec<Missing>> = BTreeMap::new();
    for missing in found {
        let place = in_template(input, &missing);
        // In a template it is the same slip whoever the tenant is; elsewhere each tenant has a file of its own.
        let tenant = if place.is_some() { None } else { missing.tenant.clone() };
        let what = if place.is_some() { missing.kind.clone() } else { missing.target.clone() };
        groups.entry((place, tenant, what, field(&missing))).or_default().push(missing);
    }
    let told = groups.into_iter().map(|((place, ..), group)| {
        let first = &group[0];
        let place = place.unwrap_or_else(|| elsewhere(&blame, input, first));
        of(first, group.len() - 1).at(place)
    });
    told.collect()
}

/// The field without the numbers of items and what is named by tenants.
fn field(missing: &Missing) -> String {
    let text = missing.place.dotted();
    let mut out = String::new();
    let mut inside = false;
    for character in text.chars() {
        match character {
            '[' => inside = true,
            ']' => inside = false,
            _ if inside => {}
            other => out.push(other),
        }
    }
    format!("{} {out}", missing.object.kind)
}

/// The line of the fleet's own template.
fn in_template(input: &Input<'_>, missing: &Missing) -> Option<Location> {
    let last = missing.place.steps().iter().rev().find_map(|step| match step {
        crate::schemas::Step::Field(name) => Some(format!("{name}:")),
        crate::schemas::Step::Item(_) => None,
    });
    let words = [missing.name.as_str(), last.as_deref().unwrap_or("name:")];
    let own = departure::overridden(input.source, missing.template?, &words);
    // What is named may have lost its name where it is made.
    own.or_else(|| {
        let family = if missing.tenant.is_some() { "templates/tenant/" } else { "templates/system/" };
        let others = input.source.below("templates/").map(|(path, _)| path);
        let mut others = others.filter(|path| path.starts_with(family) || path.starts_with("templates/partials/"));
        others.find_map(|path| departure::overridden(input.source, path.trim_start_matches("templates/"), &words))
    })
}

/// The value that a name comes from, or the file of a policy.
fn elsewhere(blame: &Blame<'_>, input: &Input<'_>, missing: &Missing) -> Location {
    if matches!(missing.why, Why::Needed(_)) {
        let file = missing.tenant.as_deref().map(crate::config::tenant_file);
        return file.map_or_else(
            || Location::file("install.yaml"),
            |file| crate::config::locate(input.source, &file, "/tenant/slug"),
        );
    }
    blame.locate(&Spot {
        cluster: &missing.cluster,
        tenant: missing.tenant.as_deref(),
        template: missing.template,
        object: &missing.object,
        place: &missing.place,
        fixed: false,
    })
}

fn of(missing: &Missing, others: usize) -> Finding {
    let Missing { cluster, object, place, target, why, kind, name, .. } = missing;
    let more = match others {
        0 => String::new(),
        1 => " (and 1 more like it)".to_owned(),
        count => format!(" (and {count} more like it)"),
    };
    let (rule, message) = match why {
        Why::Nothing => {
            let text =
                format!("{object}: {} names {target}, which nothing renders on cluster {cluster}", place.dotted());
            ("reference/missing", text)
        }
        Why::Foreign => {
            let text = format!("{object}: {} names {target}, which belongs to another tenant", place.dotted());
            ("reference/foreign", text)
        }
        Why::Needed(by) => ("reference/unmade", format!("nothing makes {target}, which {by} cannot do without")),
    };
    let hint = match (&missing.near, kind.as_str()) {
        (Some(near), _) => format!("did you mean `{near}`?"),
        (None, "unit") => "the folder of a unit of this cluster".to_owned(),
        (None, _) if *why == Why::Foreign => "name an object of the tenant's own".to_owned(),
        (None, _) if matches!(why, Why::Needed(_)) => {
            "the inventory says what makes it; restore the template".to_owned()
        }
        (None, _) => format!(
            "correct the name; if the platform brings it, say so in install.yaml: provided: [{{ kind: {kind}, name: {name} }}]"
        ),
    };
    let finding = Finding::error(rule, Class::Check, leak::mask(&format!("{message}{more}")));
    let finding = finding.object(object.to_string()).path(place.pointer()).hint(hint);
    match &missing.tenant {
        Some(tenant) => finding.tenant(tenant),
        None => finding,
    }
}
