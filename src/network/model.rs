//! A set of manifests as the engine sees it: namespaces, pods, policies and Services, each with its origin.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::builder::Builder;
use super::input::{LineIndex, Place, Refusal, Refusals, Source};
use super::label::{Interner, Labels, Sym};
use super::objects::{At, IngressObject, PodPort, ServiceObject};
use super::policy::{Direction, NamespaceTerm, PodTerm, Policy, Rule};
use super::rbac::Grants;
use super::settings::Settings;

/// The key under which a namespace carries its own name. No label key can have an `@`.
pub(crate) const NAME_KEY: &str = "@name";
/// The key under which a pod carries the name of its cluster (Cilium).
pub(crate) const CLUSTER_KEY: &str = "@cluster";
/// The key under which a pod carries its service account (Cilium).
pub(crate) const SERVICE_ACCOUNT_KEY: &str = "@serviceaccount";

/// Everything that the answers are computed from.
#[derive(Debug)]
pub struct Model {
    pub(crate) settings: Settings,
    pub(crate) interner: Interner,
    pub(crate) documents: Vec<Document>,
    /// Sorted by name.
    pub(crate) namespaces: Vec<Namespace>,
    /// Sorted by namespace, name and kind.
    pub(crate) pods: Vec<Pod>,
    /// Sorted by namespace (clusterwide first), name, kind and spec.
    pub(crate) policies: Vec<Policy>,
    pub(crate) services: Vec<ServiceObject>,
    pub(crate) ingresses: Vec<IngressObject>,
    pub(crate) grants: Grants,
    /// Policies that the API server or Cilium will not have.
    pub(crate) void: Vec<Refusal>,
    /// What parsing noticed.
    pub(crate) notes: Vec<Note>,
    /// Objects of kinds that say nothing about reachability: how many of each.
    pub(crate) ignored: BTreeMap<String, usize>,
    /// For each pod the policies that select it, ascending.
    pub(crate) selected_by: Vec<Vec<u32>>,
}

#[derive(Debug)]
pub(crate) struct Document {
    pub file: Arc<str>,
    pub lines: LineIndex,
}

#[derive(Debug)]
pub(crate) struct Namespace {
    pub name: Sym,
    /// As the manifest declares them.
    pub declared: Labels,
    /// As policies see them, the name and `kubernetes.io/metadata.name` included.
    pub labels: Labels,
    /// Absent if no manifest declares the namespace.
    pub at: Option<At>,
    /// The pods of the namespace, as a range of [`Model::pods`].
    pub pods: std::ops::Range<u32>,
    /// The policies of the namespace, as a range of [`Model::policies`].
    pub policies: std::ops::Range<u32>,
}

/// The pods of one workload, which are all alike.
#[derive(Debug)]
pub(crate) struct Pod {
    pub namespace: u32,
    pub name: Sym,
    pub kind: &'static str,
    /// The owner that stands for the pod in reports: kind and name.
    pub owner: Option<(Box<str>, Sym)>,
    /// As Services see them.
    pub labels: Labels,
    /// As policies see them.
    pub identity: Labels,
    pub ports: Vec<PodPort>,
    pub host_network: bool,
    /// Absent for stand-ins.
    pub at: Option<At>,
    /// Whether the pod is no manifest's but an assumption.
    pub is_stand_in: bool,
    /// Whether the stand-in was made to fit a selector of a policy.
    pub fits_a_selector: bool,
}

/// Something worth reporting that parsing noticed.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Note {
    pub rule: &'static str,
    pub at: At,
    pub object: String,
    pub message: String,
}

impl Model {
    /// Reads the documents. One that is given away is dropped as soon as it has been read.
    ///
    /// # Errors
    /// If any document is malformed or holds something that is not supported: all such places, in order.
    pub fn build<S: Borrow<Source>>(
        sources: impl IntoIterator<Item = S>,
        settings: &Settings,
    ) -> Result<Self, Refusals> {
        let mut builder = Builder::new(settings);
        for source in sources {
            builder.add(source.borrow());
        }
        builder.finish()
    }

    /// The settings that the model was built with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Policies that are understood but not in force, because the API server or Cilium rejects them.
    #[must_use]
    pub fn void_policies(&self) -> &[Refusal] {
        &self.void
    }

    /// Kinds of objects that were read but say nothing about reachability, with their number.
    #[must_use]
    pub fn ignored_kinds(&self) -> &BTreeMap<String, usize> {
        &self.ignored
    }

    /// How many namespaces, pods (workloads) and policies there are.
    #[must_use]
    pub fn size(&self) -> Size {
        let stand_ins = self.pods.iter().filter(|pod| pod.is_stand_in).count();
        Size {
            namespaces: self.namespaces.len(),
            workloads: self.pods.len() - stand_ins,
            stand_ins,
            policies: self.policies.len(),
        }
    }

    pub(crate) fn place(&self, at: &At) -> Place {
        let document = &self.documents[at.document as usize];
        Place { file: document.file.clone(), line: document.lines.line(&at.pointer) }
    }

    /// Where a policy is: at its name, or at its entry in a list of specs.
    pub(crate) fn policy_at(&self, policy: &Policy) -> At {
        let pointer = match policy.spec.strip_suffix("/spec") {
            Some(object) => format!("{object}/metadata/name").into(),
            None => policy.spec.clone(),
        };
        At { document: policy.document, pointer }
    }

    pub(crate) fn rule_place(&self, policy: &Policy, rule: &Rule) -> Place {
        self.place(&At { document: policy.document, pointer: rule.pointer(policy).into() })
    }

    pub(crate) fn text(&self, symbol: Sym) -> &str {
        self.interner.text(symbol)
    }

    pub(crate) fn namespace_of(&self, pod: u32) -> &Namespace {
        &self.namespaces[self.pods[pod as usize].namespace as usize]
    }

    pub(crate) fn find_namespace(&self, name: &str) -> Option<u32> {
        let found = self.namespaces.binary_search_by(|namespace| self.text(namespace.name).cmp(name)).ok()?;
        u32::try_from(found).ok()
    }

    /// `namespace/name[Kind]`, the form of np-guard's analyzer; the owner's name if the pod has an owner.
    pub(crate) fn pod_name(&self, pod: u32) -> String {
        let pod = &self.pods[pod as usize];
        let namespace = self.text(self.namespaces[pod.namespace as usize].name);
        match &pod.owner {
            Some((kind, name)) => format!("{namespace}/{}[{kind}]", self.text(*name)),
            None => format!("{namespace}/{}[{}]", self.text(pod.name), pod.kind),
        }
    }

    /// `Kind namespace/name`.
    pub(crate) fn policy_name(&self, policy: &Policy) -> String {
        match policy.namespace {
            Some(namespace) => format!("{} {}/{}", policy.kind.name(), self.text(namespace), self.text(policy.name)),
            None => format!("{} {}", policy.kind.name(), self.text(policy.name)),
        }
    }

    /// Whether a term of a policy in `home` matches a pod by its labels.
    pub(crate) fn term_matches(&self, term: &PodTerm, home: Option<Sym>, pod: u32) -> bool {
        let namespace = self.namespace_of(pod);
        let is_inside = match &term.namespaces {
            NamespaceTerm::Own => Some(namespace.name) == home,
            NamespaceTerm::Matching(selector) => selector.matches(&namespace.labels),
        };
        is_inside && term.pods.matches(&self.pods[pod as usize].identity)
    }

    /// The policies that decide a direction of a pod's traffic.
    pub(crate) fn deciding(&self, pod: u32, direction: Direction) -> impl Iterator<Item = (u32, &Policy)> {
        self.selected_by[pod as usize].iter().filter_map(move |index| {
            let policy = &self.policies[*index as usize];
            let section = policy.section(direction);
            (section.isolates || !section.rules.is_empty()).then_some((*index, policy))
        })
    }

    /// Pods by index.
    pub(crate) fn pod_ids(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.pods.len()).unwrap_or(u32::MAX)
    }
}

/// How big a [`Model`] is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Size {
    /// Namespaces, those only referred to included.
    pub namespaces: usize,
    /// Workloads of the manifests.
    pub workloads: usize,
    /// Assumed workloads.
    pub stand_ins: usize,
    /// Policies that are in force.
    pub policies: usize,
}
