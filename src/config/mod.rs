//! The shapes of the files of a fleet, and how texts become valid values or findings with their place.

pub mod capacity;
pub mod compatibility;
pub mod install;
pub mod quantity;
pub mod rotation;
pub mod schema;
pub mod tenant;
pub mod types;

use std::collections::BTreeMap;

use rayon::prelude::*;
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use self::compatibility::Compatibility;
pub use self::install::Install;
pub use self::rotation::RotationPolicy;
pub use self::schema::{API_VERSION, Kind};
pub use self::tenant::Tenant;
use crate::finding::{Finding, Location};
use crate::manifest::{Digest, ObjectId};
use crate::memo::Memo;
use crate::network::Claims;
use crate::source::Source;
use crate::yaml::{self, Limits, Node, Span};

/// A fleet whose every file is valid by itself.
#[derive(Debug, Clone)]
pub struct Fleet {
    /// `install.yaml`.
    pub install: Install,
    /// Tenants by slug.
    pub tenants: BTreeMap<String, Tenant>,
    /// Digests of the texts of the tenants' files, by slug.
    pub texts: BTreeMap<String, Digest>,
    /// `compatibility.yaml`.
    pub compatibility: Compatibility,
    /// Rotation policies by file.
    pub rotation: BTreeMap<String, RotationPolicy>,
    /// Kubernetes objects under `policies/` (ValidatingAdmissionPolicies and bindings), in order of file and document.
    pub policies: Vec<PolicyObject>,
    /// Digest of the schemas that the fleet adds to the program's own, if it adds any.
    pub schemas: Option<Digest>,
    /// What must and what must not be reachable: `policies/network-claims.yaml`, or the program's own.
    pub claims: Claims,
}

/// A Kubernetes object from `policies/`, to be shipped as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct PolicyObject {
    /// The file.
    pub file: String,
    /// Place of the document.
    pub span: Span,
    /// The object.
    pub value: Value,
}

impl Fleet {
    /// What it ships as it is under that name (`Kind namespace/name`).
    pub fn shipped(&self, object: &str) -> Option<&PolicyObject> {
        self.policies.iter().find(|policy| ObjectId::of(&policy.value).is_ok_and(|id| id.to_string() == object))
    }
}

impl PolicyObject {
    /// Its document.
    pub fn place(&self) -> Location {
        Location::new(&self.file, self.span)
    }
}

/// Path of a tenant's file.
pub fn tenant_file(slug: &str) -> String {
    format!("tenants/{slug}.yaml")
}

/// Reads every file of a fleet. All findings of all files are returned, sorted; the fleet only if none is an error.
pub fn parse(source: &Source) -> (Option<Fleet>, Vec<Finding>) {
    parse_with(source, &Memo::default())
}

/// As [`parse`], but tenant files that a memo knows are not read again; of the others it learns.
pub fn parse_with(source: &Source, memo: &Memo) -> (Option<Fleet>, Vec<Finding>) {
    let mut findings = source.findings.clone();
    let mut take = |mut more: Vec<Finding>| findings.append(&mut more);

    let install = read_required::<Install>(source, "install.yaml", Kind::Install, &mut take);
    let compatibility = read_required::<Compatibility>(source, "compatibility.yaml", Kind::Compatibility, &mut take);
    let (rotation, policies) = read_policies(source, &mut take);
    let claims = read_claims(source).map_err(&mut take).ok();

    let files: Vec<(&str, &str)> = source.below("tenants/").collect();
    let read: Vec<_> = files.par_iter().map(|(path, text)| (*path, read_tenant(path, text, memo))).collect();
    let (mut tenants, mut texts) = (BTreeMap::new(), BTreeMap::new());
    for (path, result) in read {
        match result {
            Ok((tenant, text)) => {
                take(name_matches(path, &tenant, source));
                let slug = tenant.tenant.slug.to_string();
                texts.insert(slug.clone(), text);
                tenants.insert(slug, tenant);
            }
            Err(found) => take(found),
        }
    }
    if let Some(install) = &install {
        take(install_rules(install, source));
    }
    findings.sort();
    findings.dedup();
    let fleet = match (install, compatibility, claims) {
        (Some(install), Some(compatibility), Some(claims)) if !crate::finding::any_error(&findings) => {
            let own = source.below(SCHEMAS).flat_map(|(path, text)| [path.as_bytes(), text.as_bytes()]);
            let schemas = source.below(SCHEMAS).next().is_some().then(|| Digest::of_parts(own));
            Some(Fleet { install, tenants, texts, compatibility, rotation, policies, schemas, claims })
        }
        _ => None,
    };
    (fleet, findings)
}

/// The place that a JSON pointer names in a file of the source.
pub fn locate(source: &Source, file: &str, pointer: &str) -> Location {
    let root = source.text(file).and_then(|text| yaml::parse(text, Limits::CONFIG).ok());
    match root.as_ref().and_then(|documents| documents.first()) {
        Some(document) => Location::new(file, document.root.locate(pointer)),
        None => Location::file(file),
    }
}

fn read_required<T: DeserializeOwned>(
    source: &Source,
    path: &str,
    kind: Kind,
    take: &mut impl FnMut(Vec<Finding>),
) -> Option<T> {
    let Some(text) = source.text(path) else {
        // A file that is there and could not be read has its finding already.
        if !source.findings.iter().any(|finding| finding.location.as_ref().is_some_and(|place| place.file == path)) {
            let finding = Finding::invalid("config/missing-file", format!("the fleet has no {path}"));
            take(vec![finding.at(Location::file(path)).hint("`tenantry init` in an empty folder shows one")]);
        }
        return None;
    };
    read(path, text, kind).map_err(take).ok()
}

/// Reads a tenant's file, or takes its value from the memo.
fn read_tenant(path: &str, text: &str, memo: &Memo) -> Result<(Tenant, Digest), Vec<Finding>> {
    let digest = Digest::of(text.as_bytes());
    if let Some(tenant) = memo.value(&digest).and_then(|json| serde_json::from_str(json).ok()) {
        return Ok((tenant, digest));
    }
    read_as(path, text, Kind::Tenant, |value| memo.learn_value(digest, value.to_string()))
        .map(|tenant| (tenant, digest))
}

/// Reads one config file.
///
/// # Errors
/// Everything that is wrong with it.
pub fn read<T: DeserializeOwned>(path: &str, text: &str, kind: Kind) -> Result<T, Vec<Finding>> {
    read_as(path, text, kind, |_| ())
}

/// As [`read`], but the value is brought into the form of today first.
///
/// # Errors
/// Everything that is wrong with it then.
pub fn read_adapted<T: DeserializeOwned>(
    path: &str,
    text: &str,
    kind: Kind,
    adapt: impl FnOnce(&mut Value),
) -> Result<T, Vec<Finding>> {
    let root = single_document(path, text)?;
    let mut value = without_nulls(root.to_json());
    adapt(&mut value);
    read_value(path, &root, value, kind, |_| ())
}

/// As [`read`]; `valid` sees the value once its schema holds.
fn read_as<T: DeserializeOwned>(
    path: &str,
    text: &str,
    kind: Kind,
    valid: impl FnOnce(&Value),
) -> Result<T, Vec<Finding>> {
    let root = single_document(path, text)?;
    read_value(path, &root, without_nulls(root.to_json()), kind, valid)
}

/// The value of a file, if it is what its kind allows.
fn read_value<T: DeserializeOwned>(
    path: &str,
    root: &Node,
    value: Value,
    kind: Kind,
    valid: impl FnOnce(&Value),
) -> Result<T, Vec<Finding>> {
    let mut findings = kind.validate(&value);
    for finding in &mut findings {
        let pointer = finding.path.clone().unwrap_or_default();
        finding.location = Some(Location::new(path, place_of(root, &pointer, finding.rule)));
    }
    if !findings.is_empty() {
        return Err(findings);
    }
    valid(&value);
    serde_path_to_error::deserialize(value).map_err(|error| {
        let pointer = pointer_of(error.path());
        let finding = Finding::invalid("config/value", error.inner().to_string()).path(pointer.clone());
        vec![finding.at(Location::new(path, root.locate(&pointer)))]
    })
}

/// An unknown field is shown at its key, everything else at its value.
fn place_of(root: &Node, pointer: &str, rule: &str) -> yaml::Span {
    if rule == "config/unknown-field"
        && let Some((parent, key)) = pointer.rsplit_once('/')
        && let Some(entry) =
            node_at(root, parent).and_then(|node| node.entry(&key.replace("~1", "/").replace("~0", "~")))
    {
        return entry.key_span;
    }
    root.locate(pointer)
}

fn node_at<'a>(root: &'a Node, pointer: &str) -> Option<&'a Node> {
    pointer.split('/').skip(1).try_fold(root, |node, part| match &node.value {
        yaml::Value::Seq(items) => items.get(part.parse::<usize>().ok()?),
        _ => node.get(&part.replace("~1", "/").replace("~0", "~")),
    })
}

fn single_document(path: &str, text: &str) -> Result<Node, Vec<Finding>> {
    let documents = yaml::parse(text, Limits::CONFIG).map_err(|error| {
        let finding = Finding::invalid("config/syntax", error.message.clone()).at(Location::new(path, error.span));
        vec![match error.hint {
            Some(hint) => finding.hint(hint),
            None => finding,
        }]
    })?;
    let count = documents.len();
    let second = documents.get(1).map(|document| document.root.span).unwrap_or_default();
    match documents.into_iter().next() {
        Some(document) if count == 1 && matches!(document.root.value, yaml::Value::Map(_)) => Ok(document.root),
        Some(document) if count == 1 && document.root.value != yaml::Value::Null => {
            let finding = Finding::invalid("config/type", format!("{path} is not a mapping"));
            Err(vec![finding.at(Location::new(path, document.root.span)).expected("fields, one a line")])
        }
        Some(_) if count > 1 => {
            let finding = Finding::invalid("config/documents", format!("{path} holds {count} documents, not one"));
            Err(vec![finding.at(Location::new(path, second)).hint("one file a customer: split it at `---`")])
        }
        _ => {
            let finding = Finding::invalid("config/empty", format!("{path} is empty"));
            Err(vec![finding.at(Location::file(path)).hint("remove it, or fill it in")])
        }
    }
}

/// A key with nothing behind it counts as absent.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(map) => map
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key, without_nulls(value)))
            .collect::<serde_json::Map<_, _>>()
            .into(),
        Value::Array(items) => items.into_iter().map(without_nulls).collect::<Vec<_>>().into(),
        other => other,
    }
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => String::new(),
        })
        .collect()
}

fn read_policies(
    source: &Source,
    take: &mut impl FnMut(Vec<Finding>),
) -> (BTreeMap<String, RotationPolicy>, Vec<PolicyObject>) {
    let (mut rotation, mut objects) = (BTreeMap::new(), Vec::new());
    for (path, text) in source.below("policies/") {
        if path.starts_with("policies/rotation/") {
            match read::<RotationPolicy>(path, text, Kind::RotationPolicy) {
                Ok(policy) => drop(rotation.insert(path.to_owned(), policy)),
                Err(found) => take(found),
            }
        } else if path.starts_with("policies/admission/") && !path.starts_with(CASES) {
            match yaml::parse(text, Limits::MANIFEST) {
                Ok(documents) => objects.extend(documents.into_iter().map(|document| PolicyObject {
                    file: path.to_owned(),
                    span: document.root.span,
                    value: document.root.to_json(),
                })),
                Err(error) => {
                    take(vec![Finding::invalid("config/syntax", error.message).at(Location::new(path, error.span))]);
                }
            }
        }
    }
    (rotation, objects)
}

/// Where a fleet keeps schemas of its own: bundles (`.json`) and CustomResourceDefinitions (`.yaml`).
pub const SCHEMAS: &str = "policies/schemas/";

/// Where a fleet keeps objects that its admission policies are tried with.
pub const CASES: &str = "policies/admission/cases/";

/// Where a fleet keeps its claims about the network.
pub const CLAIMS_FILE: &str = "policies/network-claims.yaml";

/// The claims of a fleet without a file of its own.
const OWN_CLAIMS: &str = include_str!("../../policies/network-claims.yaml");

fn read_claims(source: &Source) -> Result<Claims, Vec<Finding>> {
    claims_of(CLAIMS_FILE, source.text(CLAIMS_FILE).unwrap_or(OWN_CLAIMS))
}

/// Reads a file of claims about the network.
///
/// # Errors
/// Everything that is wrong with it.
pub fn claims_of(path: &str, text: &str) -> Result<Claims, Vec<Finding>> {
    let claims = read::<Claims>(path, text, Kind::NetworkClaims)?;
    let root = single_document(path, text)?;
    let fault = |(pointer, message): (String, String)| {
        let place = Location::new(path, root.locate(&pointer));
        Finding::invalid("config/network-claims", message).path(pointer).at(place)
    };
    let faults: Vec<Finding> = claims.faults().into_iter().map(fault).collect();
    if faults.is_empty() { Ok(claims) } else { Err(faults) }
}

fn name_matches(path: &str, tenant: &Tenant, source: &Source) -> Vec<Finding> {
    let slug = tenant.tenant.slug.as_str();
    if path == tenant_file(slug) {
        return Vec::new();
    }
    let finding = Finding::invalid("config/file-name", format!("the file of tenant {slug} must be named after it"));
    vec![
        finding
            .at(locate(source, path, "/tenant/slug"))
            .tenant(slug)
            .expected(tenant_file(slug))
            .found(path)
            .hint("rename the file; a slug never changes once the tenant exists"),
    ]
}

/// What the schema of `install.yaml` cannot say.
fn install_rules(install: &Install, source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut refuse = |pointer: &str, message: String, hint: &str| {
        let finding = Finding::invalid("config/install", message).path(pointer);
        findings.push(finding.at(locate(source, "install.yaml", pointer)).hint(hint));
    };
    let secrets = &install.secrets;
    let backends = [secrets.vault.is_some(), secrets.aws.is_some(), secrets.azure.is_some(), secrets.gcp.is_some()];
    match backends.into_iter().filter(|given| *given).count() {
        1 => {}
        0 => refuse("/secrets", "no secret backend is given".into(), "give one of vault, aws, azure, gcp"),
        count => refuse("/secrets", format!("{count} secret backends are given"), "keep one"),
    }
    if secrets.dynamic_database.is_some() && secrets.vault.is_none() {
        refuse(
            "/secrets/dynamicDatabase",
            "only vault mints database users".into(),
            "remove it, or use the vault backend",
        );
    }
    if !install.postgres.enabled && install.postgres.external.is_none() {
        refuse(
            "/postgres",
            "an external Postgres needs `external`".into(),
            "add postgres.external, or set enabled: true",
        );
    }
    if install.auth.mode == install::AuthMode::Proxy && install.oidc.is_none() {
        refuse("/auth/mode", "auth.mode proxy needs `oidc`".into(), "add oidc with the proxy's addresses");
    }
    let cilium = semver::Version::parse(install.network.cilium_version.as_str());
    if cilium.is_ok_and(|version| (version.major, version.minor) < (1, 16)) {
        let hint = "upgrade Cilium: before 1.16 it drops policies that select namespaces by label, silently";
        refuse("/network/ciliumVersion", "Cilium must be 1.16 or newer".into(), hint);
    }
    if let Some(edge) = &install.wazuh_ingress.edge
        && (edge.ports.from % 2 != 0 || edge.ports.to % 2 != 1 || edge.ports.to < edge.ports.from)
    {
        let hint = "begin with an even port and end with an odd one: pairs are (even, next)";
        refuse("/wazuhIngress/edge/ports", "the range of ports does not hold whole pairs".into(), hint);
    }
    cluster_rules(install, &mut refuse);
    findings
}

fn cluster_rules(install: &Install, refuse: &mut impl FnMut(&str, String, &str)) {
    let mut seen = BTreeMap::new();
    for (index, cluster) in install.clusters.iter().enumerate() {
        let at = format!("/clusters/{index}");
        if let Some(first) = seen.insert(cluster.name.clone(), index) {
            refuse(
                &format!("{at}/name"),
                format!("cluster {} is given twice (first as number {})", cluster.name, first + 1),
                "keep one",
            );
        }
        if install.network.mode == install::NetworkMode::CalicoEgressProxy && cluster.api_server_cidrs.is_empty() {
            let hint = "without them the controller and Flux cannot reach the API server";
            refuse(&at, format!("cluster {} needs apiServerCIDRs in calico-egress-proxy mode", cluster.name), hint);
        }
        let region = &cluster.region;
        let secrets = &install.secrets;
        let known = secrets
            .vault
            .as_ref()
            .map(|vault| vault.endpoints.contains_key(region))
            .or_else(|| secrets.aws.as_ref().map(|aws| aws.regions.contains_key(region)))
            .or_else(|| secrets.azure.as_ref().map(|azure| azure.vaults.contains_key(region)))
            .or_else(|| secrets.gcp.as_ref().map(|gcp| gcp.projects.contains_key(region)));
        if known == Some(false) {
            let hint = "add the region to the secret backend: reads go to the region's own endpoint";
            refuse(&format!("{at}/region"), format!("the secret backend does not know region {region}"), hint);
        }
    }
    let primary =
        install.secrets.vault.as_ref().map(|vault| (&vault.primary, vault.endpoints.contains_key(&vault.primary)));
    let primary = primary
        .or_else(|| install.secrets.aws.as_ref().map(|aws| (&aws.primary, aws.regions.contains_key(&aws.primary))))
        .or_else(|| {
            install.secrets.azure.as_ref().map(|azure| (&azure.primary, azure.vaults.contains_key(&azure.primary)))
        })
        .or_else(|| install.secrets.gcp.as_ref().map(|gcp| (&gcp.primary, gcp.projects.contains_key(&gcp.primary))));
    if let Some((primary, false)) = primary {
        refuse(
            "/secrets",
            format!("the primary region {primary} of the secret backend is none of its regions"),
            "correct it",
        );
    }
}
