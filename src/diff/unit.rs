//! Compares two renders of one unit.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use serde_json::Value;

use super::change::{Action, Change, Direction, Moved};
use super::fence::Fences;
use super::naming::Naming;
use super::rename;
use super::weigh::{self, Weight};
use super::workload;
use crate::drift::catalog::KindInfo;
use crate::drift::diff::{self, Path};
use crate::drift::kind::{Gvk, Known};
use crate::drift::mask;
use crate::drift::node::Node;
use crate::manifest::{Digest, IdRef, ObjectId};
use crate::render::RenderedUnit;

/// Length from which a shown value may have been shortened, in bytes.
const LONG: usize = 240;

/// What differs between two renders of a unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// The unit's own names, after the change.
    pub naming: Naming,
    /// What differs; empty if only the way it is written does.
    pub changes: Vec<Change>,
}

/// What is known about kinds of objects, looked up once.
#[derive(Debug, Default)]
pub struct Kinds(RwLock<HashMap<Gvk, Arc<KindInfo>>>);

impl Kinds {
    /// Notes what is known of a kind from elsewhere: a cluster's own definition of it.
    pub fn know(&self, info: KindInfo) {
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(info.gvk.clone(), Arc::new(info));
    }

    fn get(&self, id: &ObjectId) -> Arc<KindInfo> {
        let gvk = Gvk::new(&id.api_version, &id.kind);
        if let Some(info) = self.0.read().unwrap_or_else(PoisonError::into_inner).get(&gvk) {
            return Arc::clone(info);
        }
        // Names in paths and scope do not matter here.
        let info = match gvk.is_custom() {
            true => KindInfo::undefined(gvk.clone(), "", true, &[]),
            false => KindInfo::builtin(gvk.clone(), "", true, &[]),
        };
        let mut kinds = self.0.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(kinds.entry(gvk).or_insert_with(|| Arc::new(info)))
    }
}

/// An object, made comparable.
struct Object<'v> {
    info: Arc<KindInfo>,
    node: Node<'v>,
}

/// Manifests by what they are, without the unit's own names.
type Objects<'v> = BTreeMap<ObjectId, Object<'v>>;

/// Compares two renders of a unit. Files that are the same are not looked into.
pub fn compare(before: (&RenderedUnit, &Naming), after: (&RenderedUnit, &Naming), kinds: &Kinds) -> Comparison {
    let renamed = before.1 != after.1;
    let differs = |name: &str| renamed || before.0.differs_in(after.0, name);
    let values = |unit: &RenderedUnit| -> Vec<Value> {
        let files = unit.files.iter().filter(|(name, _)| differs(name));
        files.flat_map(|(_, content)| content.objects()).collect()
    };
    let (old, new) = (values(before.0), values(after.0));
    let (old, new) = (objects(&old, before.1, kinds), objects(&new, after.1, kinds));
    let mut changes = Vec::new();
    for (id, one) in &old {
        if let Some(other) = new.get(id) {
            fields(id, one, &other.node, &mut changes);
        }
    }
    whole(&old, &new, &mut changes);
    fence(&old, after, &mut changes);
    changes.sort();
    Comparison { naming: after.1.clone(), changes }
}

/// Compares what Helm makes of a release on both sides. `made_by` names the chart.
pub fn compare_made(
    before: (&[Value], &Naming),
    after: (&[Value], &Naming),
    made_by: &str,
    kinds: &Kinds,
) -> Vec<Change> {
    let (old, new) = (objects(before.0, before.1, kinds), objects(after.0, after.1, kinds));
    let mut changes = Vec::new();
    for (id, one) in &old {
        if let Some(other) = new.get(id) {
            fields(id, one, &other.node, &mut changes);
        }
    }
    whole(&old, &new, &mut changes);
    changes.iter_mut().for_each(|change| change.made_by = Some(made_by.to_owned()));
    changes.sort();
    changes
}

/// A policy that goes opens nothing where another holds its pods back: what it allowed is closed.
fn fence(old: &Objects<'_>, after: (&RenderedUnit, &Naming), changes: &mut [Change]) {
    let goes = |change: &&mut Change| {
        let known = old.get(&change.object).map(|object| object.info.known);
        change.action == Action::Removed
            && change.path.is_empty()
            && matches!(known, Some(Known::NetworkPolicy | Known::CiliumPolicy))
    };
    let mut fences = None;
    for change in changes.iter_mut().filter(goes) {
        let fences = fences.get_or_insert_with(|| Fences::of(after.0, after.1));
        let Some(object) = old.get(&change.object) else { continue };
        if let Some(name) = fences.around(change.object.namespace.as_deref(), &object.node) {
            change.direction = Direction::Closes;
            change.effect = format!("what it allowed is closed: {name} holds its pods back as before");
        }
    }
}

/// The objects that only one side has; those that were renamed are compared field by field too.
fn whole(old: &Objects<'_>, new: &Objects<'_>, changes: &mut Vec<Change>) {
    let only = |of: &Objects<'_>, other: &Objects<'_>| -> Vec<ObjectId> {
        of.keys().filter(|id| !other.contains_key(*id)).cloned().collect()
    };
    let (gone, come) = (only(old, new), only(new, old));
    let old_nodes: Vec<&Node<'_>> = gone.iter().map(|id| &old[id].node).collect();
    let new_nodes: Vec<&Node<'_>> = come.iter().map(|id| &new[id].node).collect();
    let alike = |i: usize, j: usize| {
        // What syncs a unit belongs to the unit: that of one tenant never becomes another's.
        let is_delivery = matches!(old[&gone[i]].info.known, Known::Kustomization | Known::Application);
        !is_delivery && gone[i].kind == come[j].kind && gone[i].api_version == come[j].api_version
    };
    let pairs = rename::pairs(&old_nodes, &new_nodes, alike);
    for (i, j) in &pairs {
        let (from, to) = (&gone[*i], &come[*j]);
        let weight = weigh::renamed(old[from].info.known);
        let change = object(from, Action::Renamed, weight, None, None);
        changes.push(Change { renamed_to: Some(to.clone()), ..change });
        fields(to, &old[from], &new[to].node, changes);
    }
    for (at, id) in gone.iter().enumerate().filter(|(at, _)| !pairs.iter().any(|(i, _)| i == at)) {
        let known = old[id].info.known;
        let weight = weigh::removed(known, old_nodes[at]);
        changes.push(object(id, Action::Removed, weight, Some((known, old_nodes[at])), None));
    }
    for (at, id) in come.iter().enumerate().filter(|(at, _)| !pairs.iter().any(|(_, j)| j == at)) {
        let known = new[id].info.known;
        let weight = weigh::added(known, new_nodes[at]);
        changes.push(object(id, Action::Added, weight, None, Some((known, new_nodes[at]))));
    }
}

/// A change of an object as a whole.
fn object(
    id: &ObjectId,
    action: Action,
    weight: Weight,
    before: Option<(Known, &Node<'_>)>,
    after: Option<(Known, &Node<'_>)>,
) -> Change {
    let shown = |side: Option<(Known, &Node<'_>)>| {
        let (kind, node) = side?;
        if workload::words(kind, node).is_some() {
            return None; // the effect says it in words
        }
        let content = node.get("spec").or_else(|| node.get("rules")).or_else(|| node.get("roleRef"))?;
        Some(mask::show(kind, &Path::default(), content))
    };
    let full = before.or(after).map(|(_, node)| digest(Some(node), None));
    change(id, String::new(), action, weight, (shown(before), shown(after), full))
}

/// The fields in which two objects differ.
fn fields(id: &ObjectId, before: &Object<'_>, after: &Node<'_>, changes: &mut Vec<Change>) {
    let kind = before.info.known;
    for one in diff::diff(&before.node, after, before.info.shape()) {
        let weight = weigh::field(kind, &one, &before.node, after);
        let show = |node: Option<&Node<'_>>| node.map(|node| mask::show(kind, &one.path, node));
        let (old, new) = (show(one.expected), show(one.found));
        let is_long = |text: &Option<String>| text.as_ref().is_some_and(|text| text.len() >= LONG);
        // A mask hides which value it was, too.
        let hides = |text: &Option<String>| text.as_ref().is_some_and(|text| text.contains(mask::MASK));
        let cut = is_long(&old) || is_long(&new) || hides(&old) || hides(&new);
        let full = cut.then(|| digest(one.expected, one.found));
        changes.push(change(id, one.path.to_string(), weigh::action(one.verdict), weight, (old, new, full)));
    }
}

fn change(
    id: &ObjectId,
    path: String,
    action: Action,
    weight: Weight,
    (before, after, full): (Option<String>, Option<String>, Option<Digest>),
) -> Change {
    let Weight { direction, area, severity, effect, restarts } = weight;
    let object = id.clone();
    let (renamed_to, made_by) = (None, None);
    Change {
        object,
        renamed_to,
        path,
        action,
        direction,
        area,
        severity,
        effect,
        restarts,
        before,
        after,
        full,
        made_by,
    }
}

fn digest(before: Option<&Node<'_>>, after: Option<&Node<'_>>) -> Digest {
    let text = |node: Option<&Node<'_>>| node.map(ToString::to_string).unwrap_or_default();
    Digest::of_parts([text(before).as_bytes(), text(after).as_bytes()])
}

fn objects<'v>(values: &'v [Value], naming: &Naming, kinds: &Kinds) -> Objects<'v> {
    let mut objects = Objects::new();
    for value in values {
        let Ok(id) = IdRef::of(value) else { continue };
        let hide = |text: &str| naming.hide(text).into_owned();
        let id = ObjectId {
            api_version: id.api_version.to_owned(),
            kind: id.kind.to_owned(),
            namespace: id.namespace.map(hide),
            name: hide(id.name),
        };
        let info = kinds.get(&id);
        let mut node = node(value, naming);
        info.canonical_desired(&id.name, &mut node);
        objects.insert(id, Object { info, node });
    }
    objects
}

/// A manifest as a node, without the unit's own names.
fn node<'v>(value: &'v Value, naming: &Naming) -> Node<'v> {
    match value {
        Value::Null => Node::Null,
        Value::Bool(value) => Node::Bool(*value),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Node::Int(number),
            None => number.as_f64().map_or(Node::Null, Node::float),
        },
        Value::String(text) => Node::Text(naming.hide(text)),
        Value::Array(items) => Node::List(items.iter().map(|item| node(item, naming)).collect()),
        Value::Object(map) => {
            let key = |key: &'v String| -> Cow<'v, str> { naming.hide(key) };
            Node::Map(map.iter().map(|(name, value)| (key(name), node(value, naming))).collect())
        }
    }
}

/// A unit that only one side has: its path, tenant and the tenant's id.
pub type Lone<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

/// Units that went and units that came, joined where they are the same tenant's: positions, and how it moved.
pub fn joined(gone: &[Lone<'_>], come: &[Lone<'_>]) -> Vec<(usize, usize, Moved)> {
    let by_id: BTreeMap<&str, usize> =
        come.iter().enumerate().filter_map(|(at, (_, _, id))| Some(((*id)?, at))).collect();
    let moves = gone.iter().enumerate().filter_map(|(at, (_, slug, id))| {
        let other = *by_id.get((*id)?)?;
        let moved = if come[other].1 == *slug { Moved::Relocated } else { Moved::Renamed };
        Some((at, other, moved))
    });
    moves.collect()
}

/// The id of the tenant whose unit it is, as its namespace's label says.
pub fn tenant_id(unit: &RenderedUnit) -> Option<String> {
    let mut namespaces = unit.files.values().flat_map(|content| content.objects_that(|id| id.kind == "Namespace"));
    namespaces.find_map(|(_, object)| object["metadata"]["labels"]["tenant-id"].as_str().map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::change::Area;
    use super::*;
    use crate::render::FileContent;

    fn unit(slug: &str, objects: Vec<Value>) -> (RenderedUnit, Naming) {
        let unit = RenderedUnit {
            path: format!("clusters/eu/tenants/{slug}"),
            tenant: Some(slug.into()),
            inputs: Digest::of(b""),
            files: BTreeMap::from([("all.yaml".into(), FileContent::Objects(objects))]),
        };
        (unit, Naming { slug: Some(slug.into()), id: None, cluster: "eu".into() })
    }

    fn policy(slug: &str, name: &str, port: u16) -> Value {
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
            "metadata": {"name": name, "namespace": format!("tenant-{slug}"), "labels": {"a": "b", "c": "d", "e": "f"}},
            "spec": {"podSelector": {}, "policyTypes": ["Ingress"],
                "ingress": [{"from": [{"podSelector": {"matchLabels": {"app": "x"}}}], "ports": [{"port": port}]}]}})
    }

    fn told(before: &(RenderedUnit, Naming), after: &(RenderedUnit, Naming)) -> Vec<Change> {
        compare((&before.0, &before.1), (&after.0, &after.1), &Kinds::default()).changes
    }

    #[test]
    fn the_same_change_to_two_tenants_is_one_change() {
        let change = |slug| told(&unit(slug, vec![policy(slug, "p", 80)]), &unit(slug, vec![policy(slug, "p", 81)]));
        let (one, other) = (change("acme"), change("oak"));
        assert_eq!(one, other);
        assert_eq!(one.len(), 1);
        assert_eq!((one[0].direction, one[0].area), (Direction::Opens, Area::Network));
        assert_eq!(one[0].effect, "lets more traffic pass");
    }

    #[test]
    fn a_default_that_is_written_out_is_no_change() {
        let mut explicit = policy("acme", "p", 80);
        explicit["spec"]["ingress"][0]["ports"][0]["protocol"] = "TCP".into();
        assert_eq!(told(&unit("acme", vec![policy("acme", "p", 80)]), &unit("acme", vec![explicit])), []);
    }

    #[test]
    fn a_renamed_object_is_not_a_deletion() {
        let before = unit("acme", vec![policy("acme", "old", 80)]);
        let changes = told(&before, &unit("acme", vec![policy("acme", "new", 80)]));
        assert_eq!(changes.len(), 1, "{changes:#?}");
        assert_eq!(changes[0].action, Action::Renamed);
        assert_eq!(changes[0].renamed_to.as_ref().map(|id| id.name.as_str()), Some("new"));
        let other = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "tenant-acme"},
            "spec": {"hard": {"cpu": "1"}}});
        let changes = told(&before, &unit("acme", vec![other]));
        assert_eq!(changes.iter().map(|one| one.action).collect::<Vec<_>>(), [Action::Removed, Action::Added]);
        assert_eq!(changes[0].direction, Direction::Opens, "pods may be selected by no policy any more");
        assert_eq!(changes[1].direction, Direction::Closes);
    }

    #[test]
    fn a_policy_that_goes_closes_where_another_holds_its_pods_back() {
        let mut all = policy("acme", "default-deny", 1);
        all["spec"] = json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]});
        let two = unit("acme", vec![all.clone(), policy("acme", "agents", 80)]);
        let changes = told(&two, &unit("acme", vec![all.clone()]));
        assert_eq!((changes.len(), changes[0].action, changes[0].direction), (1, Action::Removed, Direction::Closes));
        assert_eq!(changes[0].effect, "what it allowed is closed: default-deny holds its pods back as before");
        // Where that one goes as well, its pods are open.
        let gone = told(&two, &unit("acme", Vec::new()));
        assert!(gone.len() == 2 && gone.iter().all(|one| one.direction == Direction::Opens), "{gone:#?}");
    }

    #[test]
    fn a_renamed_tenant_is_compared_with_what_it_was() {
        let changes = told(&unit("acme", vec![policy("acme", "p", 80)]), &unit("oak", vec![policy("oak", "p", 80)]));
        assert_eq!(changes, []);
    }

    #[test]
    fn secrets_are_masked_and_still_told_apart() {
        let secret = |value: &str| {
            json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "r", "namespace": "n"},
                "spec": {"values": {"adminPassword": value}}})
        };
        let changes = |value| told(&unit("acme", vec![secret("hunter2canary")]), &unit("acme", vec![secret(value)]));
        let (one, other) = (changes("hunter3canary"), changes("hunter4canary"));
        assert!(one[0].restarts);
        assert!(!format!("{one:?}").contains("canary"), "{one:?}");
        assert_ne!(one, other);
    }

    #[test]
    fn a_unit_that_went_and_came_under_another_name_is_the_same_tenant() {
        let gone = [("clusters/a/tenants/x", Some("x"), Some("1")), ("clusters/a/tenants/y", Some("y"), Some("2"))];
        let come = [("clusters/a/tenants/z", Some("z"), Some("1")), ("clusters/b/tenants/y", Some("y"), Some("2"))];
        assert_eq!(joined(&gone, &come), [(0, 0, Moved::Renamed), (1, 1, Moved::Relocated)]);
        assert_eq!(joined(&gone, &[("clusters/a/tenants/q", Some("q"), Some("3"))]), []);
    }
}
