//! A picture of what may talk to what: fixed namespaces, one namespace of each group, and the outside.
//!
//! Every workload lists what it accepts from whom, so that nothing has to be traced along lines; the lines are there for
//! the overview. What every pod of a namespace may do alike is one line of the namespace.

mod html;
mod svg;

use std::collections::{BTreeMap, BTreeSet};

use super::addresses::IpSet;
use super::claims::Claims;
use super::connections::describe;
use super::decide;
use super::model::Model;
use super::outside::{self, Outside};
use super::party::{Bound, Party};
use super::policy::{Direction, Entity};
use super::ports::PortSet;
use super::proof::Proof;
use super::prove::members;
use super::reach::Reach;

/// Names that a picture shows at most; the others are counted.
const NAMES_SHOWN: usize = 6;

/// The picture as an SVG document.
#[must_use]
pub fn svg(model: &Model, claims: &Claims) -> String {
    svg::draw(&scene(model, claims))
}

/// The picture with the verdicts, findings and assumptions of a proof, as an HTML document without any outside reference.
#[must_use]
pub fn html(model: &Model, claims: &Claims, proof: &Proof) -> String {
    html::page(&svg(model, claims), claims, proof)
}

/// What is drawn.
struct Scene {
    frames: Vec<Frame>,
    arrows: Vec<Arrow>,
}

/// A namespace, or the outside.
struct Frame {
    title: String,
    subtitle: String,
    column: usize,
    nodes: Vec<Node>,
    /// What holds for every node of the frame.
    remarks: Vec<String>,
}

/// A workload, or something outside.
struct Node {
    name: String,
    /// What it accepts and from whom.
    accepts: BTreeMap<String, Vec<String>>,
}

/// From a node, or from a whole frame, to a node.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Arrow {
    from_frame: usize,
    /// Absent if every node of the frame does the same.
    from_node: Option<usize>,
    to_frame: usize,
    to_node: usize,
    label: String,
}

/// One end before it is placed.
enum Actor {
    Pod(u32),
    Addresses(IpSet),
    Machine(Entity),
    Name(String),
    /// Names that are not shown one by one.
    MoreNames,
}

struct Cast {
    title: String,
    subtitle: String,
    column: usize,
    actors: Vec<(String, Actor)>,
}

fn scene(model: &Model, claims: &Claims) -> Scene {
    let reach = Reach::new(model);
    let outside = Outside::new(&reach);
    let casts = casts(model, claims);
    let mut flows: BTreeMap<(usize, usize, String), BTreeSet<(usize, usize)>> = BTreeMap::new();
    for (f, from) in casts.iter().enumerate() {
        for (n, (_, source)) in from.actors.iter().enumerate() {
            for (t, to) in casts.iter().enumerate() {
                for (m, (_, target)) in to.actors.iter().enumerate() {
                    // What others do among themselves is not this picture's business.
                    if (f, n) == (t, m) || (from.column == 0 && to.column == 0) {
                        continue;
                    }
                    let flow = flow(&reach, &outside, source, target);
                    if !flow.is_none() {
                        flows.entry((t, m, describe(model, &flow))).or_default().insert((f, n));
                    }
                }
            }
        }
    }
    let mut scene = Scene { frames: casts.iter().map(frame).collect(), arrows: Vec::new() };
    take_meshes(&mut scene, &casts, &mut flows);
    for ((t, m, label), sources) in flows {
        place(&mut scene, &casts, (t, m), &label, &sources);
    }
    scene.arrows.sort();
    scene
}

fn frame(cast: &Cast) -> Frame {
    let nodes = cast.actors.iter().map(|(name, _)| Node { name: name.clone(), accepts: BTreeMap::new() });
    Frame {
        title: cast.title.clone(),
        subtitle: cast.subtitle.clone(),
        column: cast.column,
        nodes: nodes.collect(),
        remarks: Vec::new(),
    }
}

/// Who is in the picture: the outside and namespaces of assumed pods at the left, fixed namespaces in the middle, one
/// namespace of each group at the right.
fn casts(model: &Model, claims: &Claims) -> Vec<Cast> {
    let mut casts = Vec::new();
    let grouped: Vec<Vec<bool>> = claims.groups.values().map(|group| members(model, &group.labels)).collect();
    for name in fixed_namespaces(claims) {
        let at = model.find_namespace(name).filter(|at| !grouped.iter().any(|members| members[*at as usize]));
        if let Some(at) = at {
            casts.push(namespace(model, at, String::new()));
        }
    }
    // The group that most claims speak of comes first; others may hold the same namespaces.
    let mut groups: Vec<_> = claims.groups.iter().collect();
    groups.sort_by_key(|(name, _)| std::cmp::Reverse(spoken_of(claims, name)));
    for (name, group) in groups {
        let members = members(model, &group.labels);
        let count = members.iter().filter(|member| **member).count();
        let is_shown = |at: &usize| casts.iter().any(|cast| cast.title == model.text(model.namespaces[*at].name));
        if let Some(at) = members.iter().position(|member| *member).filter(|at| !is_shown(at)) {
            let subtitle = format!("one of {count} in group {name}; the proof is about all");
            let mut cast = namespace(model, u32::try_from(at).unwrap_or(u32::MAX), subtitle);
            cast.column = 2;
            casts.push(cast);
        }
    }
    casts.retain(|cast| !cast.actors.is_empty());
    casts.insert(0, world(model, &casts));
    casts
}

/// How many claims speak of a group.
fn spoken_of(claims: &Claims, group: &str) -> usize {
    let is_group = |class: &super::claims::Class| {
        class.namespace.as_deref().is_some_and(|name| name.strip_prefix('$') == Some(group))
    };
    let flows = |claim: &super::claims::Claim| {
        let flows = claim.require.iter().chain(&claim.require_any).chain(&claim.forbid);
        flows.flat_map(|flow| [&flow.from, &flow.to]).any(is_group)
    };
    claims.claims.iter().filter(|claim| flows(claim)).count()
}

/// Namespaces that claims name, in the order of the claims.
fn fixed_namespaces(claims: &Claims) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for claim in &claims.claims {
        let flows = claim.require.iter().chain(&claim.require_any).chain(&claim.forbid).chain(&claim.unless);
        for class in flows.flat_map(|flow| [&flow.from, &flow.to]) {
            let Some(name) = class.namespace.as_deref() else { continue };
            if !name.starts_with('$') && name != "*" && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// The pods of a namespace. Assumed pods stand aside where there are others.
fn namespace(model: &Model, at: u32, subtitle: String) -> Cast {
    let own = &model.namespaces[at as usize];
    let pods = |stand_ins: bool| {
        let pods = own.pods.clone().filter(move |pod| {
            let pod = &model.pods[*pod as usize];
            pod.is_stand_in == stand_ins && !pod.fits_a_selector
        });
        let named = pods.map(|pod| (model.text(model.pods[pod as usize].name).to_owned(), Actor::Pod(pod)));
        named.collect::<Vec<_>>()
    };
    let rendered = pods(false);
    let (actors, column) = if rendered.is_empty() { (pods(true), 0) } else { (rendered, 1) };
    Cast { title: model.text(own.name).to_owned(), subtitle, column, actors }
}

/// Everything outside that the pods of the picture speak of.
fn world(model: &Model, casts: &[Cast]) -> Cast {
    let pods = casts.iter().flat_map(|cast| &cast.actors).filter_map(|(_, actor)| match actor {
        Actor::Pod(pod) => Some(*pod),
        _ => None,
    });
    let (mut machines, mut names) = (BTreeSet::new(), BTreeSet::new());
    for pod in pods {
        for direction in Direction::BOTH {
            machines.extend(outside::mentioned_machines(model, pod, direction));
        }
        names.extend(outside::names(model, pod).into_keys().map(|name| name.to_string()));
    }
    let caches = model.settings.resolver.node_local.iter().fold(IpSet::none(), |all, one| all.union(&IpSet::one(*one)));
    let internet = IpSet::all().difference(&model.settings.inside()).difference(&caches);
    let mut actors = vec![("internet".to_owned(), Actor::Addresses(internet))];
    if !caches.is_none() {
        actors.push(("DNS cache on the node".to_owned(), Actor::Addresses(caches)));
    }
    actors.extend(machines.into_iter().map(|entity| (entity.name().to_owned(), Actor::Machine(entity))));
    let hidden = names.len().saturating_sub(NAMES_SHOWN);
    actors.extend(names.into_iter().take(NAMES_SHOWN).map(|name| (name.clone(), Actor::Name(name))));
    if hidden > 0 {
        actors.push((format!("and {hidden} more names"), Actor::MoreNames));
    }
    Cast { title: "outside".to_owned(), subtitle: String::new(), column: 0, actors }
}

fn flow(reach: &Reach<'_>, outside: &Outside<'_>, from: &Actor, to: &Actor) -> PortSet {
    let model = reach.model;
    match (from, to) {
        (Actor::Pod(from), Actor::Pod(to)) => reach.flow(*from, *to, Bound::Possible),
        (Actor::Pod(pod), Actor::Addresses(set)) => outside.world(*pod, Direction::Egress).any_of(set),
        (Actor::Addresses(set), Actor::Pod(pod)) => outside.world(*pod, Direction::Ingress).any_of(set),
        (Actor::Pod(pod), Actor::Machine(entity)) => {
            decide::side(model, *pod, Direction::Egress, &Party::Entity(*entity), Bound::Certain).flow
        }
        (Actor::Machine(entity), Actor::Pod(pod)) if *entity != Entity::Host => {
            decide::side(model, *pod, Direction::Ingress, &Party::Entity(*entity), Bound::Certain).flow
        }
        (Actor::Pod(pod), Actor::Name(wanted)) => {
            let names = outside::names(model, *pod);
            names.into_iter().find(|(name, _)| name.text() == wanted).map(|(_, flow)| flow).unwrap_or_default()
        }
        (Actor::Pod(pod), Actor::MoreNames) => {
            let names = outside::names(model, *pod).into_values();
            names.fold(PortSet::none(), |all, flow| all.union(&flow))
        }
        _ => PortSet::none(),
    }
}

type Flows = BTreeMap<(usize, usize, String), BTreeSet<(usize, usize)>>;

/// A frame whose nodes all reach each other in the same way says so once.
fn take_meshes(scene: &mut Scene, casts: &[Cast], flows: &mut Flows) {
    for (f, cast) in casts.iter().enumerate() {
        let size = cast.actors.len();
        let labels: BTreeSet<String> =
            flows.keys().filter(|(t, ..)| *t == f).map(|(.., label)| label.clone()).collect();
        for label in labels {
            let is_mesh = size > 1
                && (0..size).all(|m| {
                    let sources = flows.get(&(f, m, label.clone()));
                    sources.is_some_and(|sources| (0..size).all(|n| n == m || sources.contains(&(f, n))))
                });
            if is_mesh {
                scene.frames[f].remarks.push(format!("all of these reach each other: {label}"));
                for m in 0..size {
                    if let Some(sources) = flows.get_mut(&(f, m, label.clone())) {
                        sources.retain(|(own, _)| *own != f);
                    }
                }
            }
        }
    }
}

fn place(scene: &mut Scene, casts: &[Cast], (t, m): (usize, usize), label: &str, sources: &BTreeSet<(usize, usize)>) {
    for (f, cast) in casts.iter().enumerate() {
        let own: Vec<usize> = sources.iter().filter(|(frame, _)| *frame == f).map(|(_, node)| *node).collect();
        let is_whole = own.len() > 1 && own.len() == cast.actors.len();
        let mut arrow = |from_node, who: &str| {
            scene.frames[t].nodes[m].accepts.entry(label.to_owned()).or_default().push(who.to_owned());
            scene.arrows.push(Arrow { from_frame: f, from_node, to_frame: t, to_node: m, label: label.to_owned() });
        };
        if is_whole {
            arrow(None, &format!("all of {}", cast.title));
        } else {
            own.into_iter().for_each(|node| arrow(Some(node), &cast.actors[node].0));
        }
    }
}
