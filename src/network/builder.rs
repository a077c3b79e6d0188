//! From documents to a [`Model`].

use std::collections::{BTreeMap, HashMap, HashSet};

use super::cilium;
use super::fault::Fault;
use super::input::{Refusal, Refusals, Source};
use super::kubernetes;
use super::label::{Interner, Labels, Sym};
use super::model::{CLUSTER_KEY, Document, Model, NAME_KEY, Namespace, Note, Pod, SERVICE_ACCOUNT_KEY};
use super::objects::{self, At, Identity, IngressObject, NamespaceObject, ServiceObject, Workload};
use super::policy::{NamespaceTerm, Policy, PolicyKind};
use super::rbac::{self, Grants};
use super::reader::Node;
use super::settings::Settings;
use super::stand_in;

/// Collects documents one by one; a document may be dropped as soon as it has been added.
pub(crate) struct Builder<'s> {
    settings: &'s Settings,
    pub interner: Interner,
    documents: Vec<Document>,
    namespaces: Vec<NamespaceObject>,
    workloads: Vec<Workload>,
    pub policies: Vec<Policy>,
    services: Vec<ServiceObject>,
    ingresses: Vec<IngressObject>,
    grants: Grants,
    void: Vec<Refusal>,
    notes: Vec<Note>,
    ignored: BTreeMap<String, usize>,
    refused: Vec<Refusal>,
    seen: HashMap<(&'static str, Sym, Sym), At>,
}

/// Kinds that make pods.
pub(crate) const WORKLOADS: &[&str] =
    &["Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "ReplicationController"];

/// Kinds that decide about traffic and that the engine does not know: tiers, other plugins, redirections.
const REFUSED: &[(&str, &str)] = &[
    ("policy.networking.k8s.io", "AdminNetworkPolicy"),
    ("policy.networking.k8s.io", "BaselineAdminNetworkPolicy"),
    ("policy.networking.k8s.io", "ClusterNetworkPolicy"),
    ("crd.projectcalico.org", "NetworkPolicy"),
    ("crd.projectcalico.org", "GlobalNetworkPolicy"),
    ("projectcalico.org", "NetworkPolicy"),
    ("projectcalico.org", "GlobalNetworkPolicy"),
    ("crd.antrea.io", "NetworkPolicy"),
    ("crd.antrea.io", "ClusterNetworkPolicy"),
    ("cilium.io", "CiliumLocalRedirectPolicy"),
    ("extensions", "NetworkPolicy"),
];

impl<'s> Builder<'s> {
    pub fn new(settings: &'s Settings) -> Self {
        Self {
            settings,
            interner: Interner::default(),
            documents: Vec::new(),
            namespaces: Vec::new(),
            workloads: Vec::new(),
            policies: Vec::new(),
            services: Vec::new(),
            ingresses: Vec::new(),
            grants: Grants::default(),
            void: Vec::new(),
            notes: Vec::new(),
            ignored: BTreeMap::new(),
            refused: Vec::new(),
            seen: HashMap::new(),
        }
    }

    pub fn add(&mut self, source: &Source) {
        let document = u32::try_from(self.documents.len()).unwrap_or(u32::MAX);
        self.documents.push(Document { file: source.file.clone(), lines: source.lines.clone() });
        self.object(&Node::root(source), document);
    }

    /// Takes one object, or the objects of a list.
    fn object(&mut self, node: &Node<'_, '_>, document: u32) {
        if let Err(refusal) = self.try_object(node, document) {
            self.refused.push(refusal);
        }
    }

    fn try_object(&mut self, node: &Node<'_, '_>, document: u32) -> Result<(), Refusal> {
        if node.value.is_null() {
            return Ok(());
        }
        if is_no_object(node) {
            self.ignore("document without kind");
            return Ok(());
        }
        node.object()?;
        let (version, kind) = (node.need("apiVersion")?.text()?, node.need("kind")?.text()?);
        self.typed_object(node, document, version, kind)
    }

    fn typed_object(&mut self, node: &Node<'_, '_>, document: u32, version: &str, kind: &str) -> Result<(), Refusal> {
        if let Some(items) = node.get("items").filter(|_| kind.ends_with("List")) {
            for item in items.list()? {
                if let Err(refusal) = self.item(&item, document, version, kind) {
                    self.refused.push(refusal);
                }
            }
            return Ok(());
        }
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let named = |refusal: Refusal| Refusal { object: object_name(kind, node), ..refusal };
        self.dispatch(node, document, group, version, kind).map_err(named)
    }

    /// An item of a typed list may leave out what the list says: the API server does so in its own answers.
    fn item(&mut self, item: &Node<'_, '_>, document: u32, version: &str, list: &str) -> Result<(), Refusal> {
        item.object()?;
        let inherited = list.strip_suffix("List").unwrap_or_default();
        if inherited.is_empty() || item.get("kind").is_some() {
            let (version, kind) = (item.need("apiVersion")?.text()?, item.need("kind")?.text()?);
            return self.typed_object(item, document, version, kind);
        }
        self.typed_object(item, document, version, inherited)
    }

    fn dispatch(
        &mut self,
        node: &Node<'_, '_>,
        document: u32,
        group: &str,
        version: &str,
        kind: &str,
    ) -> Result<(), Refusal> {
        if REFUSED.contains(&(group, kind)) {
            return Err(node.refuse(&format!("{kind} of {group} is not supported")));
        }
        match (group, kind) {
            ("", "Namespace") => {
                let identity = self.identity("Namespace", node, document, false)?;
                let labels = objects::labels(node.get("metadata").as_ref(), &mut self.interner)?;
                self.namespaces.push(NamespaceObject { identity, labels });
            }
            ("" | "apps" | "batch", _) if WORKLOADS.contains(&kind) => {
                let kind = WORKLOADS.iter().copied().find(|known| *known == kind).unwrap_or_default();
                let identity = self.identity(kind, node, document, true)?;
                self.workloads.push(objects::workload(node, identity, kind, &mut self.interner)?);
            }
            ("", "Service") => {
                let identity = self.identity("Service", node, document, true)?;
                self.services.push(objects::service(node, identity, &mut self.interner)?);
            }
            ("networking.k8s.io", "Ingress") => {
                let identity = self.identity("Ingress", node, document, true)?;
                self.ingresses.push(objects::ingress(node, identity, &mut self.interner)?);
            }
            ("rbac.authorization.k8s.io", _) => self.grant(node, document, kind)?,
            ("networking.k8s.io", "NetworkPolicy") if version == "v1" => {
                self.policy(node, document, PolicyKind::Network)?
            }
            ("cilium.io", "CiliumNetworkPolicy") if version == "v2" => {
                self.policy(node, document, PolicyKind::Cilium)?
            }
            ("cilium.io", "CiliumClusterwideNetworkPolicy") if version == "v2" => {
                self.policy(node, document, PolicyKind::CiliumClusterwide)?;
            }
            (_, "NetworkPolicy" | "CiliumNetworkPolicy" | "CiliumClusterwideNetworkPolicy") => {
                return Err(node.refuse(&format!("{kind} of {group}/{version} is not supported")));
            }
            _ => self.other(node, document, kind),
        }
        Ok(())
    }

    fn ignore(&mut self, what: &str) {
        *self.ignored.entry(what.to_owned()).or_default() += 1;
    }

    /// An object of a kind that is not read. One that makes pods is worth a finding: its pods are missing here.
    fn other(&mut self, node: &Node<'_, '_>, document: u32, kind: &str) {
        self.ignore(kind);
        let containers = node.value.pointer("/spec/template/spec/containers");
        if containers.is_some_and(serde_json::Value::is_array) {
            self.notes.push(Note {
                rule: "unknown-workload",
                at: At { document, pointer: node.pointer().into() },
                object: object_name(kind, node),
                message: format!("objects of kind {kind} make pods that are not part of this answer"),
            });
        }
    }

    fn grant(&mut self, node: &Node<'_, '_>, document: u32, kind: &str) -> Result<(), Refusal> {
        match kind {
            "Role" | "ClusterRole" => {
                let is_cluster = kind == "ClusterRole";
                let identity =
                    self.identity(if is_cluster { "ClusterRole" } else { "Role" }, node, document, !is_cluster)?;
                self.grants.roles.push(rbac::role(node, identity, is_cluster)?);
            }
            "RoleBinding" | "ClusterRoleBinding" => {
                let is_cluster = kind == "ClusterRoleBinding";
                let known = if is_cluster { "ClusterRoleBinding" } else { "RoleBinding" };
                let identity = self.identity(known, node, document, !is_cluster)?;
                self.grants.bindings.push(rbac::binding(node, identity, is_cluster, &mut self.interner)?);
            }
            _ => self.ignore(kind),
        }
        Ok(())
    }

    /// Name and namespace. The same object twice is noted: only one of the two can be in force.
    fn identity(
        &mut self,
        kind: &'static str,
        node: &Node<'_, '_>,
        document: u32,
        is_namespaced: bool,
    ) -> Result<Identity, Refusal> {
        let metadata = node.need("metadata")?;
        let name = match metadata.get("name") {
            Some(name) => name.text()?,
            // A generated name is known to the cluster only; the prefix stands for it.
            None => metadata.need("generateName")?.text()?,
        };
        let namespace = match metadata.get("namespace") {
            Some(namespace) if is_namespaced => namespace.text()?,
            _ if is_namespaced => "default",
            _ => "",
        };
        let at = At { document, pointer: format!("{}/metadata/name", node.pointer()).into() };
        let (namespace, name) = (self.interner.intern(namespace), self.interner.intern(name));
        let identity = Identity { namespace, name, at: at.clone() };
        if metadata.get("name").is_some() && self.seen.insert((kind, namespace, name), at.clone()).is_some() {
            let rule = if kind == "Namespace" { "duplicate-namespace" } else { "duplicate-object" };
            let object = object_name(kind, node);
            let message = format!("{object} is declared more than once: which one is in force is not known");
            self.notes.push(Note { rule, at, object, message });
        }
        Ok(identity)
    }

    fn policy(&mut self, node: &Node<'_, '_>, document: u32, kind: PolicyKind) -> Result<(), Refusal> {
        let is_namespaced = kind != PolicyKind::CiliumClusterwide;
        let identity = self.identity(kind.name(), node, document, is_namespaced)?;
        let object = object_name(kind.name(), node);
        if kind != PolicyKind::Network && !self.settings.is_cilium() {
            let refusal = node.refuse("the profile `kubernetes` has nobody who enforces this kind");
            self.void.push(Refusal { object, ..refusal });
            return Ok(());
        }
        let mut specs = Vec::new();
        let mut list = None;
        if kind == PolicyKind::Network {
            node.only(&["apiVersion", "kind", "metadata", "spec", "status"])?;
        } else {
            node.only(&["apiVersion", "kind", "metadata", "spec", "specs", "status"])?;
            list = node.get("specs");
        }
        let spec = node.get("spec");
        specs.extend(spec);
        if let Some(list) = &list {
            specs.extend(list.list()?);
        }
        match self.specs(&specs, node, kind, &identity) {
            Ok(policies) => self.policies.extend(policies),
            Err(Fault::Refused(refusal)) => return Err(refusal),
            Err(Fault::Void(refusal)) => self.void.push(Refusal { object, ..refusal }),
        }
        Ok(())
    }

    /// One policy a spec. One faulty spec voids the whole object.
    fn specs(
        &mut self,
        specs: &[Node<'_, '_>],
        node: &Node<'_, '_>,
        kind: PolicyKind,
        identity: &Identity,
    ) -> Result<Vec<Policy>, Fault> {
        let namespace = (kind != PolicyKind::CiliumClusterwide).then_some(identity.namespace);
        if specs.is_empty() {
            return Err(Fault::void(node, "the policy has no spec"));
        }
        let mut policies = Vec::new();
        for spec in specs {
            let pointer: Box<str> = spec.pointer().into();
            let (subject, ingress, egress) = if kind == PolicyKind::Network {
                let parsed = kubernetes::parse(spec, &mut self.interner)?;
                for direction in parsed.ignored {
                    let field = spec.get(direction.name()).map_or_else(|| spec.pointer(), |list| list.pointer());
                    self.notes.push(Note {
                        rule: "policy-types",
                        at: At { document: identity.at.document, pointer: field.into() },
                        object: object_name(kind.name(), node),
                        message: format!(
                            "the {} rules do nothing: policyTypes leaves the direction out",
                            direction.name()
                        ),
                    });
                }
                (parsed.subject, parsed.ingress, parsed.egress)
            } else {
                let version = self.settings.cilium;
                let empty_lists = Vec::new();
                let mut context = cilium::Context { interner: &mut self.interner, version, namespace, empty_lists };
                let parsed = cilium::parse(spec, &mut context)?;
                for pointer in context.empty_lists {
                    self.notes.push(Note {
                        rule: "empty-peer-list",
                        at: At { document: identity.at.document, pointer: pointer.into() },
                        object: object_name(kind.name(), node),
                        message: "an empty list of peers selects nobody: the rule matches nothing".to_owned(),
                    });
                }
                if parsed.foreign_subject {
                    self.notes.push(Note {
                        rule: "contradictory-subject",
                        at: At {
                            document: identity.at.document,
                            pointer: format!("{pointer}/endpointSelector").into(),
                        },
                        object: object_name(kind.name(), node),
                        message: "the subject names another namespace; Cilium holds it to the policy's own".to_owned(),
                    });
                }
                (parsed.subject, parsed.ingress, parsed.egress)
            };
            let (name, document) = (identity.name, identity.at.document);
            policies.push(Policy { kind, namespace, name, document, spec: pointer, subject, ingress, egress });
        }
        Ok(policies)
    }

    pub fn finish(mut self) -> Result<Model, Refusals> {
        if !self.refused.is_empty() {
            self.refused.sort();
            return Err(Refusals(self.refused));
        }
        let mut pods = self.pods();
        let stand_ins = stand_in::pods(self.settings, &mut self.interner, &self.policies, &self.namespaces);
        pods.extend(stand_ins);
        let namespaces = self.all_namespaces(&pods);
        let index: HashMap<Sym, u32> = namespaces.iter().zip(0..).map(|(namespace, at)| (namespace.name, at)).collect();
        let interner = &self.interner;
        let mut placed: Vec<Pod> =
            pods.into_iter().map(|(namespace, pod)| Pod { namespace: index[&namespace], ..pod }).collect();
        placed.sort_by(|a, b| {
            (a.namespace, interner.text(a.name), a.kind).cmp(&(b.namespace, interner.text(b.name), b.kind))
        });
        self.policies.sort_by(|a, b| {
            let key = |policy: &Policy| {
                (
                    policy.namespace.map(|namespace| interner.text(namespace).to_owned()),
                    interner.text(policy.name).to_owned(),
                    policy.kind,
                    policy.spec.len(),
                    policy.spec.clone(),
                    policy.document,
                )
            };
            key(a).cmp(&key(b))
        });
        self.services.sort_by(|a, b| {
            let key = |service: &ServiceObject| {
                (interner.text(service.identity.namespace).to_owned(), interner.text(service.identity.name).to_owned())
            };
            key(a).cmp(&key(b))
        });
        self.void.sort();
        self.notes.sort();
        let mut model = Model {
            settings: self.settings.clone(),
            interner: self.interner,
            documents: self.documents,
            namespaces,
            pods: placed,
            policies: self.policies,
            services: self.services,
            ingresses: self.ingresses,
            grants: self.grants,
            void: self.void,
            notes: self.notes,
            ignored: self.ignored,
            selected_by: Vec::new(),
        };
        fill_ranges(&mut model, &index);
        model.selected_by = model.pod_ids().map(|pod| selecting(&model, pod)).collect();
        Ok(model)
    }

    /// The pods of the workloads, with the name of their namespace. Workloads whose live pods are in the input are
    /// represented by those.
    fn pods(&mut self) -> Vec<(Sym, Pod)> {
        let workloads = std::mem::take(&mut self.workloads);
        let owners: HashMap<(Sym, &str, Sym), &Workload> =
            workloads.iter().map(|own| ((own.identity.namespace, own.kind, own.identity.name), own)).collect();
        let mut represented = HashSet::new();
        for workload in workloads.iter().filter(|workload| matches!(workload.kind, "Pod" | "ReplicaSet" | "Job")) {
            let mut current = workload;
            while let Some((kind, name)) = &current.owner {
                let Some(owner) = owners.get(&(workload.identity.namespace, kind, *name)) else { break };
                if !represented.insert((owner.identity.namespace, owner.kind, owner.identity.name)) {
                    break;
                }
                current = owner;
            }
        }
        let mut pods = Vec::new();
        for workload in &workloads {
            let key = (workload.identity.namespace, workload.kind, workload.identity.name);
            if represented.contains(&key) {
                continue;
            }
            let owner = top_owner(workload, &owners);
            pods.push((workload.identity.namespace, pod(workload, owner, self.settings, &mut self.interner)));
        }
        pods
    }

    /// Declared namespaces and those that something is in. Each carries its name as a label.
    fn all_namespaces(&mut self, pods: &[(Sym, Pod)]) -> Vec<Namespace> {
        let mut labels: HashMap<Sym, (Labels, Option<At>)> = HashMap::new();
        for object in std::mem::take(&mut self.namespaces) {
            labels.entry(object.identity.name).or_insert((object.labels, Some(object.identity.at)));
        }
        let policies = self.policies.iter().filter_map(|policy| policy.namespace);
        let services = self.services.iter().map(|service| service.identity.namespace);
        for name in pods.iter().map(|(namespace, _)| *namespace).chain(policies).chain(services) {
            labels.entry(name).or_default();
        }
        let mut namespaces: Vec<Namespace> = Vec::with_capacity(labels.len());
        for (name, (declared, at)) in labels {
            let labels = namespace_labels(name, &declared, self.settings, &mut self.interner);
            namespaces.push(Namespace { name, declared, labels, at, pods: 0..0, policies: 0..0 });
        }
        namespaces.sort_by(|a, b| self.interner.text(a.name).cmp(self.interner.text(b.name)));
        namespaces
    }
}

/// Every namespace has `kubernetes.io/metadata.name`, written in its manifest or not (Kubernetes, *Automatic labelling*).
fn namespace_labels(name: Sym, declared: &Labels, settings: &Settings, interner: &mut Interner) -> Labels {
    let automatic = interner.intern("kubernetes.io/metadata.name");
    let mut pairs = vec![(automatic, name)];
    pairs.extend(declared.iter().filter(|(key, _)| *key != automatic));
    if settings.is_cilium() {
        let filter = &settings.label_filter;
        pairs.retain(|(key, _)| filter.keeps(&format!("io.cilium.k8s.namespace.labels.{}", interner.text(*key))));
    }
    pairs.push((interner.intern(NAME_KEY), name));
    Labels::new(pairs)
}

/// Labels as policies see them: with Cilium the identity-relevant ones, and those that Cilium adds itself. Labels that
/// pretend to be Cilium's own are dropped (`pkg/k8s/utils`, `SanitizePodLabels`).
pub(crate) fn identity_labels(labels: &Labels, account: Sym, settings: &Settings, interner: &mut Interner) -> Labels {
    if !settings.is_cilium() {
        return labels.clone();
    }
    let is_seen = |key: &str| {
        let is_forged = key.starts_with("io.cilium.k8s.") || key == "io.kubernetes.pod.namespace";
        !is_forged && settings.label_filter.keeps(key)
    };
    let mut pairs: Vec<(Sym, Sym)> = labels.iter().filter(|(key, _)| is_seen(interner.text(*key))).collect();
    pairs.push((interner.intern(CLUSTER_KEY), interner.intern(&settings.cluster_name)));
    pairs.push((interner.intern(SERVICE_ACCOUNT_KEY), account));
    Labels::new(pairs)
}

fn pod(workload: &Workload, owner: Option<(Box<str>, Sym)>, settings: &Settings, interner: &mut Interner) -> Pod {
    let mut ports = workload.ports.clone();
    ports.sort_unstable();
    ports.dedup();
    Pod {
        namespace: 0,
        name: workload.identity.name,
        kind: workload.kind,
        owner,
        labels: workload.labels.clone(),
        identity: identity_labels(&workload.labels, workload.service_account, settings, interner),
        ports,
        host_network: workload.host_network,
        at: Some(workload.identity.at.clone()),
        is_stand_in: false,
        fits_a_selector: false,
    }
}

fn top_owner(workload: &Workload, owners: &HashMap<(Sym, &str, Sym), &Workload>) -> Option<(Box<str>, Sym)> {
    let mut top = workload.owner.clone()?;
    // Chains are short (Pod, ReplicaSet, Deployment); the bound guards against owners that own each other.
    for _ in 0..8 {
        let next = owners.get(&(workload.identity.namespace, &top.0, top.1)).and_then(|owner| owner.owner.clone());
        match next {
            Some(next) => top = next,
            None => break,
        }
    }
    Some(top)
}

fn fill_ranges(model: &mut Model, index: &HashMap<Sym, u32>) {
    for (position, pod) in (0u32..).zip(&model.pods) {
        let range = &mut model.namespaces[pod.namespace as usize].pods;
        *range = if range.start >= range.end { position..position + 1 } else { range.start..position + 1 };
    }
    for (position, policy) in (0u32..).zip(&model.policies) {
        let Some(namespace) = policy.namespace.and_then(|name| index.get(&name)) else { continue };
        let range = &mut model.namespaces[*namespace as usize].policies;
        *range = if range.start >= range.end { position..position + 1 } else { range.start..position + 1 };
    }
}

/// The policies whose subject a pod is. A pod on its node's network is outside of policy.
/// Source: Kubernetes, *Network Policies*, hostNetwork pods; Cilium, endpoint management.
fn selecting(model: &Model, pod: u32) -> Vec<u32> {
    if model.pods[pod as usize].host_network {
        return Vec::new();
    }
    let clusterwide =
        0..u32::try_from(model.policies.partition_point(|policy| policy.namespace.is_none())).unwrap_or(0);
    let own = model.namespace_of(pod).policies.clone();
    let mut selecting = Vec::new();
    for index in clusterwide.chain(own) {
        let policy = &model.policies[index as usize];
        if is_subject(model, policy, pod) {
            selecting.push(index);
        }
    }
    selecting
}

fn is_subject(model: &Model, policy: &Policy, pod: u32) -> bool {
    match &policy.subject.namespaces {
        NamespaceTerm::Own => policy.subject.pods.matches(&model.pods[pod as usize].identity),
        NamespaceTerm::Matching(_) => model.term_matches(&policy.subject, policy.namespace, pod),
    }
}

/// Whether a document is no Kubernetes object at all, such as a file of chart values or of a package manager.
fn is_no_object(node: &Node<'_, '_>) -> bool {
    match node.value {
        serde_json::Value::Array(items) => items.iter().all(|item| item.get("kind").is_none()),
        _ => node.value.get("apiVersion").is_none() && node.value.get("kind").is_none(),
    }
}

fn object_name(kind: &str, node: &Node<'_, '_>) -> String {
    let text = |field| node.value.pointer(&format!("/metadata/{field}")).and_then(serde_json::Value::as_str);
    match (text("namespace"), text("name").or_else(|| text("generateName"))) {
        (Some(namespace), Some(name)) => format!("{kind} {namespace}/{name}"),
        (None, Some(name)) => format!("{kind} {name}"),
        _ => kind.to_owned(),
    }
}
