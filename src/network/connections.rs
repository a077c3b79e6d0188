//! The list of all connections that policies allow.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use serde::Serialize;

use super::addresses::IpSet;
use super::decide;
use super::model::Model;
use super::objects::{BackendPort, TargetPort};
use super::outside::{self, Outside, World};
use super::party::{Bound, Party};
use super::policy::Direction;
use super::ports::{PortSet, Protocol};
use super::reach::{Reach, Relation};

/// One line of the list.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Connection {
    /// `namespace/name[Kind]`, an address range, `{entity}`, or `name[FQDN]`.
    pub src: String,
    /// The same.
    pub dst: String,
    /// What flows.
    pub flow: PortSet,
    /// `flow` as text: `All Connections` or `TCP 80,443`.
    pub conn: String,
}

/// In JSON, a connection has exactly `src`, `dst` and `conn`.
impl Serialize for Connection {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct as _;
        let mut fields = serializer.serialize_struct("Connection", 3)?;
        fields.serialize_field("src", &self.src)?;
        fields.serialize_field("dst", &self.dst)?;
        fields.serialize_field("conn", &self.conn)?;
        fields.end()
    }
}

/// Which connections to list.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Filter {
    /// One end is this workload: `namespace/name`, `name`, or either with `[Kind]`.
    pub workload: Option<String>,
    /// The other end contains this text. Without a workload, either end.
    pub peer: Option<String>,
    /// Seen from the workload (or from any pod, without one).
    pub direction: Option<Direction>,
    /// This port is among those that flow; without a protocol, of any.
    pub port: Option<(Option<Protocol>, u16)>,
    /// Also list the assumed workloads of the settings.
    pub stand_ins: bool,
    /// Also list what an ingress controller of which nothing is known may reach for the Ingress objects of the input.
    pub ingress_controller: bool,
}

/// The source of connections from an unknown ingress controller.
pub const INGRESS_CONTROLLER: &str = "{ingress-controller}";

/// Lists all connections, sorted by source and destination.
#[must_use]
pub fn connections(model: &Model, filter: &Filter) -> Vec<Connection> {
    let mut list = Vec::new();
    for_each_connection(model, filter, |connection| list.push(connection));
    list
}

/// Visits all connections in the order of the list, keeping none: memory grows with the pods, not with their pairs.
pub fn for_each_connection(model: &Model, filter: &Filter, mut visit: impl FnMut(Connection)) {
    let lister = Lister::new(model, filter);
    let mut sources = lister.outside_sources();
    if filter.ingress_controller {
        sources.insert(INGRESS_CONTROLLER.to_owned(), lister.ingress_controller());
    }
    for (position, peer) in lister.peers.iter().enumerate() {
        while let Some(entry) = sources.first_entry().filter(|entry| *entry.key() < peer.name) {
            let (name, row) = entry.remove_entry();
            lister.emit(&name, row, &mut visit);
        }
        let row = lister.row(position);
        lister.emit(&peer.name, row, &mut visit);
    }
    for (name, row) in sources {
        lister.emit(&name, row, &mut visit);
    }
}

/// A workload in the list: pods of one owner, if nothing tells them apart.
struct Listed {
    name: String,
    pod: u32,
}

type Row = Vec<(String, PortSet)>;

struct Lister<'m> {
    model: &'m Model,
    filter: &'m Filter,
    reach: Reach<'m>,
    outside: Outside<'m>,
    /// Sorted by name.
    peers: Vec<Listed>,
    /// The listed peers of each class, by position.
    by_class: Vec<Vec<u32>>,
    position_of: HashMap<u32, u32>,
    rows: std::cell::RefCell<HashMap<u32, Rc<ClassRow>>>,
}

/// What a class may send to each class, without the empty flows.
struct ClassRow {
    same: Vec<(u32, PortSet)>,
    different: Vec<(u32, PortSet)>,
}

impl<'m> Lister<'m> {
    fn new(model: &'m Model, filter: &'m Filter) -> Self {
        let reach = Reach::new(model);
        let outside = Outside::new(&reach);
        let peers = listed(model, &outside, filter.stand_ins);
        let mut by_class = vec![Vec::new(); reach.classes.classes.len()];
        let mut position_of = HashMap::new();
        for (position, peer) in (0u32..).zip(&peers) {
            by_class[reach.classes.class_of[peer.pod as usize] as usize].push(position);
            position_of.insert(peer.pod, position);
        }
        Self { model, filter, reach, outside, peers, by_class, position_of, rows: Default::default() }
    }

    /// The destinations of one workload.
    fn row(&self, position: usize) -> Row {
        let source = &self.peers[position];
        let mut row: Row = self.to_pods(source.pod);
        row.extend(self.to_outside(source.pod));
        row
    }

    fn to_pods(&self, source: u32) -> Row {
        let classes = self.class_row(self.reach.classes.class_of[source as usize]);
        let exceptions = &self.reach.classes.exceptions;
        let mut row = Vec::new();
        for (relation, flows) in [(Relation::Same, &classes.same), (Relation::Different, &classes.different)] {
            for (class, flow) in flows {
                for position in &self.by_class[*class as usize] {
                    let target = &self.peers[*position as usize];
                    let is_meant = self.reach.relation(source, target.pod) == relation
                        && target.pod != source
                        && !exceptions.contains(&(source, target.pod));
                    if is_meant {
                        row.push((target.name.clone(), flow.clone()));
                    }
                }
            }
        }
        for target in self.reach.classes.exceptions_from.get(&source).into_iter().flatten() {
            let flow = decide::flow(self.model, source, *target, Bound::Possible);
            if let Some(position) = self.position_of.get(target).filter(|_| !flow.is_none()) {
                row.push((self.peers[*position as usize].name.clone(), flow));
            }
        }
        row
    }

    fn class_row(&self, class: u32) -> Rc<ClassRow> {
        if let Some(row) = self.rows.borrow().get(&class) {
            return row.clone();
        }
        let flows = |relation| {
            let all = 0..u32::try_from(self.by_class.len()).unwrap_or(u32::MAX);
            let flows = all.map(|other| (other, self.reach.compute(class, other, relation, Bound::Possible)));
            flows.filter(|(_, flow)| !flow.is_none()).collect()
        };
        let row = Rc::new(ClassRow { same: flows(Relation::Same), different: flows(Relation::Different) });
        // Rows are small, but a fleet in which everything differs has many: the memory for them is bounded.
        if self.rows.borrow().len() > 4096 {
            self.rows.borrow_mut().clear();
        }
        self.rows.borrow_mut().insert(class, row.clone());
        row
    }

    fn to_outside(&self, pod: u32) -> Row {
        let mut row = ranges(&self.outside.world(pod, Direction::Egress));
        for entity in outside::mentioned_machines(self.model, pod, Direction::Egress) {
            let flow = decide::side(self.model, pod, Direction::Egress, &Party::Entity(entity), Bound::Certain).flow;
            row.push((format!("{{{}}}", entity.name()), flow));
        }
        row.extend(outside::names(self.model, pod).into_iter().map(|(name, flow)| (format!("{name}[FQDN]"), flow)));
        row
    }

    /// The connections that come from outside, by source.
    fn outside_sources(&self) -> BTreeMap<String, Row> {
        let mut sources: BTreeMap<String, Row> = BTreeMap::new();
        for peer in &self.peers {
            let mut add =
                |source: String, flow: PortSet| sources.entry(source).or_default().push((peer.name.clone(), flow));
            for (range, flow) in ranges(&self.outside.world(peer.pod, Direction::Ingress)) {
                add(range, flow);
            }
            for entity in outside::mentioned_machines(self.model, peer.pod, Direction::Ingress) {
                let party = Party::Entity(entity);
                let flow = decide::side(self.model, peer.pod, Direction::Ingress, &party, Bound::Certain).flow;
                add(format!("{{{}}}", entity.name()), flow);
            }
        }
        sources
    }

    /// What an ingress controller without labels in an unknown namespace reaches of the Ingress objects' backends.
    fn ingress_controller(&self) -> Row {
        let mut flows: BTreeMap<u32, PortSet> = BTreeMap::new();
        for ingress in &self.model.ingresses {
            for (name, port) in &ingress.backends {
                for (pod, ports) in backend(self.model, ingress.identity.namespace, *name, *port) {
                    let open =
                        decide::side(self.model, pod, Direction::Ingress, &Party::Stranger, Bound::Possible).flow;
                    let flow = flows.entry(pod).or_default();
                    *flow = flow.union(&open.intersection(&ports));
                }
            }
        }
        let listed = flows.into_iter().filter_map(|(pod, flow)| Some((self.position_of.get(&pod)?, flow)));
        listed.map(|(position, flow)| (self.peers[*position as usize].name.clone(), flow)).collect()
    }

    fn emit(&self, source: &str, mut row: Row, visit: &mut impl FnMut(Connection)) {
        row.retain(|(target, flow)| !flow.is_none() && self.is_wanted(source, target, flow));
        row.sort();
        for (target, flow) in row {
            let conn = describe(self.model, &flow);
            visit(Connection { src: source.to_owned(), dst: target, flow, conn });
        }
    }

    fn is_wanted(&self, source: &str, target: &str, flow: &PortSet) -> bool {
        let filter = self.filter;
        let has_port = filter.port.is_none_or(|(protocol, port)| match protocol {
            Some(protocol) => flow.of(protocol).contains(port),
            None => Protocol::TRANSPORT.iter().any(|protocol| flow.of(*protocol).contains(port)),
        });
        let fits = |own: &str, other: &str| {
            filter.workload.as_ref().is_none_or(|wanted| is_workload(own, wanted))
                && filter.peer.as_ref().is_none_or(|wanted| other.contains(wanted.as_str()))
        };
        let egress = filter.direction != Some(Direction::Ingress) && fits(source, target) && is_workload_name(source);
        let ingress = filter.direction != Some(Direction::Egress) && fits(target, source) && is_workload_name(target);
        has_port && (egress || ingress)
    }
}

/// Whether a listed name is a workload's and not an address range, an entity or a name.
fn is_workload_name(name: &str) -> bool {
    name.contains('/')
}

/// Whether a listed name is the one that a person wrote.
pub(crate) fn is_workload(listed: &str, wanted: &str) -> bool {
    let bare = listed.split('[').next().unwrap_or(listed);
    let short = bare.split_once('/').map_or(bare, |(_, name)| name);
    listed == wanted
        || bare == wanted
        || short == wanted
        || listed.split_once('/').is_some_and(|(_, name)| name == wanted)
}

/// The form of np-guard's analyzer. In plain Kubernetes the three protocols are all that there is.
pub(crate) fn describe(model: &Model, flow: &PortSet) -> String {
    if *flow == decide::everything(model) { "All Connections".to_owned() } else { flow.to_string() }
}

/// Pods of one owner are one peer if they are alike in everything, and otherwise listed one by one.
fn listed(model: &Model, outside: &Outside<'_>, stand_ins: bool) -> Vec<Listed> {
    let mut groups: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for pod in model.pod_ids().filter(|pod| stand_ins || !model.pods[*pod as usize].is_stand_in) {
        groups.entry(model.pod_name(pod)).or_default().push(pod);
    }
    let mut peers = Vec::new();
    for (name, pods) in groups {
        let kind = |pod: u32| outside.kind_of[pod as usize];
        if pods.iter().all(|pod| kind(*pod) == kind(pods[0])) {
            peers.push(Listed { name, pod: pods[0] });
            continue;
        }
        for pod in pods {
            let own = &model.pods[pod as usize];
            let namespace = model.text(model.namespace_of(pod).name);
            peers.push(Listed { name: format!("{namespace}/{}[{}]", model.text(own.name), own.kind), pod });
        }
    }
    peers.sort_by(|a, b| a.name.cmp(&b.name));
    peers
}

/// The contiguous ranges of outside addresses. IPv6 ranges are listed only where they differ from what the whole of
/// IPv4 says: `0.0.0.0-255.255.255.255` alone speaks for every outside address.
fn ranges(world: &World) -> Row {
    let mut row = Vec::new();
    let whole = |all: &IpSet| world.parts.iter().find(|(part, _)| all.is_subset(part)).map(|(_, flow)| flow);
    let (v4, v6) = (whole(&IpSet::all_v4()), whole(&IpSet::all_v6()));
    let is_uniform = v4.is_some() && v4 == v6;
    for (part, flow) in &world.parts {
        let shown = if is_uniform { part.intersection(&IpSet::all_v4()) } else { part.clone() };
        row.extend(shown.ranges().into_iter().map(|range| (range, flow.clone())));
    }
    row
}

/// The pods behind a Service port and the pod ports that it leads to.
fn backend(
    model: &Model,
    namespace: super::label::Sym,
    service: super::label::Sym,
    port: BackendPort,
) -> Vec<(u32, PortSet)> {
    let mut found = Vec::new();
    let services =
        model.services.iter().filter(|one| one.identity.namespace == namespace && one.identity.name == service);
    for one in services {
        for own in &one.ports {
            let is_meant = match port {
                BackendPort::Number(number) => own.port == number,
                BackendPort::Name(name) => own.name == Some(name),
            };
            if is_meant {
                found.extend(
                    behind(model, one).into_iter().map(|pod| (pod, target_ports(model, pod, own.protocol, own.target))),
                );
            }
        }
    }
    found
}

/// The pods that a Service selects.
pub(crate) fn behind(model: &Model, service: &super::objects::ServiceObject) -> Vec<u32> {
    let (Some(selector), Some(namespace)) =
        (&service.selector, model.find_namespace(model.text(service.identity.namespace)))
    else {
        return Vec::new();
    };
    let pods = model.namespaces[namespace as usize].pods.clone();
    pods.filter(|pod| selector.matches(&model.pods[*pod as usize].labels)).collect()
}

/// A target port on a pod: the number, or the container port of that name and protocol.
pub(crate) fn target_ports(model: &Model, pod: u32, protocol: Protocol, target: TargetPort) -> PortSet {
    match target {
        TargetPort::Number(number) => PortSet::one(protocol, number),
        TargetPort::Name(name) => {
            let own = model.pods[pod as usize].ports.iter();
            let named = own.filter(|port| port.name == Some(name) && port.protocol == protocol);
            named.fold(PortSet::none(), |all, port| all.union(&PortSet::one(protocol, port.port)))
        }
    }
}
