//! In which order people write the fields: a new field goes behind those that come before it.

/// Fields of a tenant's file, by the path of their section.
const TENANT: [(&str, &[&str]); 3] = [
    (
        "",
        &[
            "apiVersion",
            "kind",
            "tenant",
            "lifecycle",
            "branding",
            "llm",
            "integrations",
            "sizing",
            "components",
            "resourceQuota",
            "wazuhIngress",
            "secrets",
        ],
    ),
    ("tenant", &["id", "slug", "displayName", "cluster", "tier", "chartVersion"]),
    ("lifecycle", &["state", "since", "keepAgentIngress"]),
];

/// The place of a field in its section; those that are not listed come last.
pub(super) fn rank(section: &[String], key: &str) -> usize {
    let section = section.join(".");
    let fields = TENANT.iter().find(|(name, _)| *name == section).map(|(_, fields)| *fields);
    fields.and_then(|fields| fields.iter().position(|field| *field == key)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_section_lists_the_fields_of_its_schema() {
        let schema = crate::config::Kind::Tenant.schema();
        for (section, fields) in TENANT {
            let name = match section {
                "" => None,
                "tenant" => Some("Identity"),
                _ => Some("Lifecycle"),
            };
            let object = name.map_or(schema, |name| &schema["$defs"][name]);
            let mut known: Vec<&str> = object["properties"].as_object().unwrap().keys().map(String::as_str).collect();
            let mut listed = fields.to_vec();
            known.sort_unstable();
            listed.sort_unstable();
            assert_eq!(listed, known, "{section}");
        }
    }
}
