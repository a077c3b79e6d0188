//! Checks on the rendered text itself.

use rayon::prelude::*;

use super::{Input, Outcome};
use crate::finding::{Class, Finding, Location};
use crate::manifest::ObjectId;
use crate::render::{RenderedUnit, duplicates as find_duplicates};
use crate::secrets::leak;
use crate::yaml::{self, Limits};

/// Up to this many units are read back whole; of more, one in as many (chosen by their digests) and every shape.
const WHOLE: usize = 64;

pub(super) fn duplicates(input: &Input<'_>) -> Outcome {
    let fleet = input.plan.fleet;
    let place = |finding: Finding| match finding.object.as_deref().and_then(|id| fleet.shipped(id)) {
        Some(shipped) => finding.at(shipped.place()),
        None => finding,
    };
    Outcome::Ran(find_duplicates(input.units).into_iter().map(place).collect())
}

pub(super) fn parses_back(input: &Input<'_>) -> Outcome {
    let chosen =
        |unit: &&RenderedUnit| input.units.len() <= WHOLE || usize::from(unit.inputs.as_bytes()[0]) % WHOLE == 0;
    let findings = input.units.par_iter().filter(chosen).flat_map_iter(|unit| {
        unit.files.iter().filter_map(|(name, content)| {
            let path = format!("{}/{name}", unit.path);
            let refuse = |what: String| Some(Finding::error("check/canonical", Class::Check, format!("{path} {what}")));
            match yaml::parse(&content.text(), Limits::MANIFEST) {
                Err(error) => refuse(format!("is not YAML: {error}")),
                Ok(documents) => {
                    let read: Vec<_> = documents.iter().map(|document| document.root.to_json()).collect();
                    if read == content.objects() {
                        None
                    } else {
                        refuse("does not parse back to what was meant".into())
                    }
                }
            }
        })
    });
    Outcome::Ran(findings.collect())
}

pub(super) fn no_secret_objects(input: &Input<'_>) -> Outcome {
    let findings = input.units.par_iter().flat_map_iter(|unit| {
        let objects = unit.files.values().flat_map(|content| content.identities());
        objects.filter(|id| id.kind == "Secret" && id.api_version == "v1").map(|id| {
            let id = ObjectId::from(id);
            let finding = Finding::error("secrets/object", Class::Guard, format!("{id} is an object of kind Secret"));
            let finding = finding.hint("render an ExternalSecret that refers to the backend").object(id.to_string());
            match input.plan.fleet.shipped(&id.to_string()) {
                Some(shipped) => finding.at(shipped.place()),
                None => finding,
            }
        })
    });
    Outcome::Ran(findings.collect())
}

pub(super) fn no_material(input: &Input<'_>) -> Outcome {
    let findings = input.units.par_iter().filter(|unit| unit.is_suspect()).flat_map_iter(|unit| {
        unit.files.iter().filter(|(_, content)| content.is_suspect()).flat_map(|(name, content)| {
            let file = format!("{}/{name}", unit.path);
            let mut findings = leak::findings(&file, &content.text());
            if findings.is_empty() {
                // It may be in a value that the text breaks over lines or escapes.
                let found = content.objects().into_iter().flat_map(|object| leak::in_object(&object));
                findings.extend(found.map(|finding| finding.at(Location::file(file.as_str()))));
            }
            if let Some(tenant) = &unit.tenant {
                findings.iter_mut().for_each(|finding| finding.tenant = Some(tenant.clone()));
            }
            findings
        })
    });
    Outcome::Ran(findings.collect())
}
