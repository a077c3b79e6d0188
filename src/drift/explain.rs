//! Additions to a live object that are no drift: a closed table of what the API server, controllers and appliers add.
//!
//! An addition is explained only while Git is silent about the same field. Everything else that was added is drift.

use std::borrow::Cow;

use super::kind::Known;
use super::node::Node;

/// What may be added to objects of one kind; at most 64 rules.
#[derive(Debug, Clone, Default)]
pub struct Explanations {
    rules: Vec<Rule>,
}

/// Which rules do not hold for an object, because Git sets the field itself: one bit a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Silenced(u64);

#[derive(Debug, Clone)]
struct Rule {
    path: Cow<'static, [&'static str]>,
    part: Part,
}

#[derive(Debug, Clone)]
enum Part {
    /// The field at the path, if the object and the value are as they should be.
    Field(fn(&Node<'_>, &Node<'_>) -> bool),
    /// The field of every item of the list at the path.
    ItemField(&'static str),
    /// These texts in the list at the path.
    Elements(&'static [&'static str]),
    /// These keys of the map at the path.
    Keys(&'static [&'static str]),
    /// This key of the map at the path, with this value.
    KeyValue(&'static str, &'static str),
    /// Keys of the map at the path that begin with one of these; from the install's configuration.
    Prefixes(Vec<String>),
}

impl Explanations {
    /// The table for a kind, with label and annotation prefixes that the install allows controllers to add.
    pub fn of(kind: Known, allowed_prefixes: &[String]) -> Self {
        let mut rules = everywhere();
        rules.extend(of_kind(kind));
        if !allowed_prefixes.is_empty() {
            for path in [LABELS, ANNOTATIONS] {
                rules.push(Rule { path: Cow::Borrowed(path), part: Part::Prefixes(allowed_prefixes.to_vec()) });
            }
        }
        Explanations { rules }
    }

    /// The rules about which Git is not silent in this object.
    pub fn silenced_by(&self, desired: &Node<'_>) -> Silenced {
        let mut bits = 0;
        for (index, rule) in self.rules.iter().enumerate() {
            if rule.finds(desired) {
                bits |= 1 << index;
            }
        }
        Silenced(bits)
    }

    /// Takes explained additions out of a live object.
    pub fn strip(&self, live: &mut Node<'_>, silenced: Silenced) {
        for (index, rule) in self.rules.iter().enumerate() {
            if silenced.0 & (1 << index) == 0 {
                rule.strip(live);
            }
        }
    }
}

impl Rule {
    fn finds(&self, object: &Node<'_>) -> bool {
        let Some(target) = object.at(&self.path) else { return false };
        match &self.part {
            Part::Field(_) => true,
            Part::ItemField(field) => target.as_list().unwrap_or_default().iter().any(|item| item.get(field).is_some()),
            Part::Elements(known) => {
                let items = target.as_list().unwrap_or_default();
                items.iter().filter_map(Node::as_text).any(|text| known.contains(&text))
            }
            Part::Keys(keys) => keys.iter().any(|key| target.get(key).is_some()),
            Part::KeyValue(key, _) => target.get(key).is_some(),
            Part::Prefixes(prefixes) => {
                target.as_map().is_some_and(|map| map.iter().any(|(key, _)| starts_with_any(key, prefixes)))
            }
        }
    }

    fn strip(&self, object: &mut Node<'_>) {
        match &self.part {
            Part::Field(as_it_should_be) => {
                let explained = object.at(&self.path).is_some_and(|value| as_it_should_be(object, value));
                if let Some((last, parents)) = self.path.split_last()
                    && explained
                    && let Some(parent) = object.at_mut(parents).and_then(Node::as_map_mut)
                {
                    parent.remove(last);
                }
            }
            Part::ItemField(field) => {
                if let Some(Node::List(items)) = object.at_mut(&self.path) {
                    items.iter_mut().filter_map(Node::as_map_mut).for_each(|item| drop(item.remove(field)));
                }
            }
            Part::Elements(known) => {
                if let Some(Node::List(items)) = object.at_mut(&self.path) {
                    items.retain(|item| !item.as_text().is_some_and(|text| known.contains(&text)));
                }
            }
            Part::Keys(keys) => self.strip_keys(object, |key, _| keys.contains(&key)),
            Part::KeyValue(key, value) => {
                self.strip_keys(object, |k, v| k == *key && v.as_text() == Some(value));
            }
            Part::Prefixes(prefixes) => self.strip_keys(object, |key, _| starts_with_any(key, prefixes)),
        }
    }

    fn strip_keys(&self, object: &mut Node<'_>, explained: impl Fn(&str, &Node<'_>) -> bool) {
        if let Some(map) = object.at_mut(&self.path).and_then(Node::as_map_mut) {
            map.retain(|key, value| !explained(key, value));
        }
    }
}

fn starts_with_any(key: &str, prefixes: &[String]) -> bool {
    prefixes.iter().any(|prefix| key.starts_with(prefix.as_str()))
}

const LABELS: &[&str] = &["metadata", "labels"];
const ANNOTATIONS: &[&str] = &["metadata", "annotations"];
const FINALIZERS: &[&str] = &["metadata", "finalizers"];

/// Ownership marks of appliers, and finalizers of the controllers whose objects we render.
fn everywhere() -> Vec<Rule> {
    vec![
        keys(LABELS, &["kustomize.toolkit.fluxcd.io/name", "kustomize.toolkit.fluxcd.io/namespace"]),
        keys(LABELS, &["helm.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/namespace"]),
        keys(LABELS, &["argocd.argoproj.io/instance"]),
        Rule { path: Cow::Borrowed(LABELS), part: Part::KeyValue("app.kubernetes.io/managed-by", "Helm") },
        keys(
            ANNOTATIONS,
            &[
                "kubectl.kubernetes.io/last-applied-configuration",
                "meta.helm.sh/release-name",
                "meta.helm.sh/release-namespace",
                "argocd.argoproj.io/tracking-id",
                "argocd.argoproj.io/installation-id",
            ],
        ),
        Rule {
            path: Cow::Borrowed(FINALIZERS),
            part: Part::Elements(&[
                "finalizers.fluxcd.io",
                "externalsecrets.external-secrets.io/externalsecret-cleanup",
                "pushsecret.externalsecrets.io/finalizer",
                "secretstore.externalsecrets.io/finalizer",
                "resources-finalizer.argocd.argoproj.io",
                "service.kubernetes.io/load-balancer-cleanup",
                "kubernetes.io/pvc-protection",
                "foregroundDeletion",
                "orphan",
            ]),
        },
    ]
}

fn of_kind(kind: Known) -> Vec<Rule> {
    match kind {
        Known::Namespace => vec![field(&["spec", "finalizers"], |_, value| value.to_string() == r#"["kubernetes"]"#)],
        Known::Service => service(),
        Known::ClusterRole => vec![field(&["rules"], |object, _| object.get("aggregationRule").is_some())],
        Known::PersistentVolumeClaim => vec![
            field(&["spec", "volumeName"], |_, _| true),
            field(&["spec", "storageClassName"], |_, _| true),
            keys(
                ANNOTATIONS,
                &[
                    "pv.kubernetes.io/bind-completed",
                    "pv.kubernetes.io/bound-by-controller",
                    "volume.beta.kubernetes.io/storage-provisioner",
                    "volume.kubernetes.io/storage-provisioner",
                    "volume.kubernetes.io/selected-node",
                ],
            ),
        ],
        Known::ValidatingWebhook | Known::MutatingWebhook => {
            vec![Rule { path: Cow::Borrowed(&["webhooks"]), part: Part::ItemField("caBundle") }]
        }
        Known::Deployment | Known::DaemonSet => {
            let revisions = &["deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation"];
            vec![keys(ANNOTATIONS, revisions)]
        }
        Known::Job => vec![
            field(&["spec", "selector"], |_, _| true),
            keys(&["spec", "template", "metadata", "labels"], JOB_LABELS),
            keys(LABELS, JOB_LABELS),
        ],
        // `flux reconcile` asks the controller this way; the controller only remembers that it was asked.
        Known::HelmRelease | Known::Kustomization | Known::Source => {
            let asked =
                &["reconcile.fluxcd.io/requestedAt", "reconcile.fluxcd.io/forceAt", "reconcile.fluxcd.io/resetAt"];
            vec![keys(ANNOTATIONS, asked)]
        }
        Known::Application => vec![keys(ANNOTATIONS, &["argocd.argoproj.io/refresh"])],
        _ => Vec::new(),
    }
}

const JOB_LABELS: &[&str] =
    &["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];

/// Addresses and ports that the API server allots. A Service that became headless is not explained.
fn service() -> Vec<Rule> {
    vec![
        field(&["spec", "clusterIPs"], |object, value| {
            let first = value.as_list().and_then(<[Node<'_>]>::first);
            first.is_some() && first == object.at(&["spec", "clusterIP"])
        }),
        field(&["spec", "clusterIP"], |_, value| value.as_text() != Some("None")),
        field(&["spec", "ipFamilies"], |_, value| value.as_list().is_some_and(|families| families.len() == 1)),
        field(&["spec", "ipFamilyPolicy"], |_, value| value.as_text() == Some("SingleStack")),
        field(&["spec", "healthCheckNodePort"], |_, _| true),
        Rule { path: Cow::Borrowed(&["spec", "ports"]), part: Part::ItemField("nodePort") },
    ]
}

fn field(path: &'static [&'static str], as_it_should_be: fn(&Node<'_>, &Node<'_>) -> bool) -> Rule {
    Rule { path: Cow::Borrowed(path), part: Part::Field(as_it_should_be) }
}

fn keys(path: &'static [&'static str], keys: &'static [&'static str]) -> Rule {
    Rule { path: Cow::Borrowed(path), part: Part::Keys(keys) }
}

/// Takes out maps of metadata that became empty.
pub fn drop_empty_metadata(object: &mut Node<'_>) {
    if let Some(metadata) = object.as_map_mut().and_then(|map| map.get_mut("metadata")).and_then(Node::as_map_mut) {
        metadata.retain(|_, value| !value.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stripped(kind: Known, desired: &str, live: &str) -> String {
        let explanations = Explanations::of(kind, &["example.com/".to_owned()]);
        let silenced = explanations.silenced_by(&Node::from_json(desired.as_bytes()).unwrap());
        let mut live = Node::from_json(live.as_bytes()).unwrap();
        explanations.strip(&mut live, silenced);
        drop_empty_metadata(&mut live);
        live.to_string()
    }

    #[test]
    fn what_the_api_server_allots_is_explained() {
        let live = r#"{"spec":{"clusterIP":"10.0.0.1","clusterIPs":["10.0.0.1"],"ipFamilies":["IPv4"],"ipFamilyPolicy":"SingleStack","ports":[{"nodePort":30000,"port":80}]}}"#;
        assert_eq!(stripped(Known::Service, "{}", live), r#"{"spec":{"ports":[{"port":80}]}}"#);
    }

    #[test]
    fn a_service_that_became_headless_is_not() {
        let live = r#"{"spec":{"clusterIP":"None","clusterIPs":["None"]}}"#;
        assert_eq!(stripped(Known::Service, "{}", live), r#"{"spec":{"clusterIP":"None"}}"#);
        assert_eq!(
            stripped(Known::Service, r#"{"spec":{"clusterIP":"None"}}"#, live),
            r#"{"spec":{"clusterIP":"None"}}"#
        );
    }

    #[test]
    fn what_git_sets_is_never_explained() {
        let live = r#"{"metadata":{"labels":{"kustomize.toolkit.fluxcd.io/name":"other"}}}"#;
        assert_eq!(stripped(Known::Other, "{}", live), r#"{"metadata":{}}"#);
        let desired = r#"{"metadata":{"labels":{"kustomize.toolkit.fluxcd.io/name":"mine"}}}"#;
        assert_eq!(stripped(Known::Other, desired, live), live);
    }

    #[test]
    fn only_known_marks_are_explained() {
        let live = r#"{"metadata":{"annotations":{"a":"b","example.com/x":"y","meta.helm.sh/release-name":"r"},"finalizers":["finalizers.fluxcd.io","other/finalizer"],"labels":{"app.kubernetes.io/managed-by":"someone"}}}"#;
        let rest = r#"{"metadata":{"annotations":{"a":"b"},"finalizers":["other/finalizer"],"labels":{"app.kubernetes.io/managed-by":"someone"}}}"#;
        assert_eq!(stripped(Known::Other, "{}", live), rest);
    }

    #[test]
    fn aggregated_rules_are_the_controllers() {
        let aggregated = r#"{"aggregationRule":{},"rules":[{}]}"#;
        assert_eq!(stripped(Known::ClusterRole, r#"{"aggregationRule":{}}"#, aggregated), r#"{"aggregationRule":{}}"#);
        assert_eq!(stripped(Known::ClusterRole, "{}", r#"{"rules":[{}]}"#), r#"{"rules":[{}]}"#);
        assert_eq!(stripped(Known::Role, "{}", aggregated), aggregated);
    }

    #[test]
    fn every_table_fits_its_bits() {
        for kind in [Known::Service, Known::PersistentVolumeClaim, Known::Job, Known::Other] {
            assert!(Explanations::of(kind, &[]).rules.len() <= 32, "{kind:?}");
        }
    }
}
