//! The schemas that are in force for a fleet.

use super::bundle::Bundle;
use super::catalog::Catalog;
use super::import::Import;
use crate::config::SCHEMAS;
use crate::finding::{Class, Finding, Location};
use crate::source::Source;
use crate::yaml::{self, Limits};

/// The program's schemas and the fleet's own.
///
/// # Errors
/// A file that is no bundle and holds no definitions.
pub fn of_fleet(source: &Source) -> Result<Catalog, Box<Finding>> {
    let mut catalog = Catalog::own().map_err(|reason| {
        Box::new(Finding::error("schema/bundle", Class::Incomplete, format!("the program's own schemas: {reason}")))
    })?;
    for (path, text) in source.below(SCHEMAS) {
        let refuse = |message: String, place: Location| {
            let finding = Finding::invalid("schema/bundle", format!("{path}: {message}")).at(place);
            Box::new(
                finding.hint("make a bundle with `tenantry schemas import`, or put a CustomResourceDefinition here"),
            )
        };
        if path.ends_with(".json") {
            catalog.add(Bundle::parse(text).map_err(|reason| refuse(reason, Location::file(path)))?);
            continue;
        }
        let documents = yaml::parse(text, Limits::MANIFEST)
            .map_err(|error| refuse(error.message, Location::new(path, error.span)))?;
        let mut import = Import::default();
        import.source(path);
        for document in documents {
            let value = document.root.to_json();
            if !value.is_null() {
                let place = Location::new(path, document.root.span);
                import.definition(&value).map_err(|error| refuse(error.to_string(), place))?;
            }
        }
        let bundle = import.text().map_err(|error| error.to_string()).and_then(|text| Bundle::parse(&text));
        catalog.add(bundle.map_err(|reason| refuse(reason, Location::file(path)))?);
    }
    Ok(catalog)
}
