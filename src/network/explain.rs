//! Why a connection is allowed or refused: both directions, with every policy and rule that decides.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::Serialize;

use super::addresses::IpSet;
use super::connections::{behind, describe, is_workload, target_ports};
use super::decide::{self, Contribution, Reason, Side};
use super::fqdn::is_dns_name;
use super::input::Place;
use super::model::Model;
use super::names;
use super::party::{Bound, Party};
use super::policy::{Direction, Entity};
use super::ports::{PortSet, Protocol};

/// One end of a question: a workload, a Service, an address, an entity or a DNS name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct End {
    text: String,
    kind: EndKind,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum EndKind {
    Party(Party),
    /// Position in [`Model::services`].
    Service(usize),
}

/// A text that names nothing in the input.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownEnd {
    /// The text.
    pub text: String,
    /// What it could have meant.
    pub candidates: Vec<String>,
}

impl fmt::Display for UnknownEnd {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.candidates.is_empty() {
            return write!(
                out,
                "`{}` is no workload or Service of the input, no address, no entity such as {{host}}, and no DNS name",
                self.text
            );
        }
        write!(out, "`{}` is not one thing: {}", self.text, self.candidates.join(", "))
    }
}

impl std::error::Error for UnknownEnd {}

impl End {
    /// Reads an end: `namespace/name`, `namespace/name[Kind]` (a Service with `[Service]`), an address, prefix or range,
    /// `{entity}`, or a DNS name.
    ///
    /// # Errors
    /// If nothing, or more than one thing, has that name.
    pub fn parse(model: &Model, text: &str) -> Result<Self, UnknownEnd> {
        let end = |kind| Ok(Self { text: text.to_owned(), kind });
        if let Some(entity) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            return match Entity::named(entity) {
                Some(Entity::World) => end(EndKind::Party(Party::Addresses(IpSet::all()))),
                Some(entity) if entity.is_machine() => end(EndKind::Party(Party::Entity(entity))),
                _ => Err(UnknownEnd { text: text.to_owned(), candidates: Vec::new() }),
            };
        }
        if let Ok(address) = text.parse::<IpAddr>() {
            return end(EndKind::Party(Party::Addresses(IpSet::one(address))));
        }
        if let Ok(net) = text.parse::<IpNet>() {
            return end(EndKind::Party(Party::Addresses(IpSet::of(net))));
        }
        if let Some(set) =
            text.split_once('-').and_then(|(first, last)| IpSet::range(first.parse().ok()?, last.parse().ok()?))
        {
            return end(EndKind::Party(Party::Addresses(set)));
        }
        if let Some(name) = text.strip_suffix("[Service]") {
            return service(model, text, name)
                .map(|position| Self { text: text.to_owned(), kind: EndKind::Service(position) });
        }
        match workload(model, text) {
            Ok(pod) => Ok(Self { text: model.pod_name(pod), kind: EndKind::Party(Party::Pod(pod)) }),
            Err(unknown) if unknown.candidates.is_empty() && is_dns_name(text) => {
                end(EndKind::Party(Party::Name(text.into())))
            }
            Err(unknown) => Err(unknown),
        }
    }
}

/// Ends that the prover builds.
impl End {
    pub(crate) fn of(model: &Model, party: Party) -> Self {
        let text = match &party {
            Party::Pod(pod) => model.pod_name(*pod),
            Party::Addresses(set) => set.to_string(),
            Party::Entity(entity) => format!("{{{}}}", entity.name()),
            Party::Name(name) => name.to_string(),
            Party::Stranger => "a pod of an unknown namespace".to_owned(),
        };
        Self { text, kind: EndKind::Party(party) }
    }
}

/// Explains a connection between two parties, about the given ports: why it is possible, or why it is not certain.
pub(crate) fn between(model: &Model, from: Party, to: Party, ports: &PortSet, bound: Bound) -> Explanation {
    let (src, dst) = (End::of(model, from.clone()), End::of(model, to.clone()));
    one(model, (&src, &from), (&dst, &to), Some(ports.clone()), bound)
}

fn workload(model: &Model, text: &str) -> Result<u32, UnknownEnd> {
    let mut found: Vec<(String, u32)> =
        model.pod_ids().map(|pod| (model.pod_name(pod), pod)).filter(|(name, _)| is_workload(name, text)).collect();
    found.sort();
    found.dedup_by(|a, b| a.0 == b.0);
    match found.as_slice() {
        [(_, pod)] => Ok(*pod),
        _ => {
            let candidates = found.into_iter().map(|(name, _)| name).collect();
            Err(UnknownEnd { text: text.to_owned(), candidates })
        }
    }
}

fn service(model: &Model, text: &str, name: &str) -> Result<usize, UnknownEnd> {
    let full = |position: &usize| {
        let identity = &model.services[*position].identity;
        format!("{}/{}", model.text(identity.namespace), model.text(identity.name))
    };
    let found: Vec<usize> = (0..model.services.len()).filter(|position| is_workload(&full(position), name)).collect();
    match found.as_slice() {
        [position] => Ok(*position),
        _ => Err(UnknownEnd { text: text.to_owned(), candidates: found.iter().map(full).collect() }),
    }
}

/// The answer to one question.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The source.
    pub src: String,
    /// The destination.
    pub dst: String,
    /// The port that was asked for, as `TCP 443`; absent if the question was about all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<String>,
    /// The Service and port that led to this pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// Whether the port is allowed (or anything, if none was asked for).
    pub allowed: bool,
    /// What flows surely.
    pub conn: String,
    /// What may flow in addition, depending on what the manifests do not tell; absent if nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub possible: Option<String>,
    /// The source's side.
    pub egress: SideReport,
    /// The destination's side.
    pub ingress: SideReport,
    /// What else is worth knowing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// What decides at one end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SideReport {
    /// Egress or ingress.
    pub direction: Direction,
    /// The end.
    pub subject: String,
    /// Why it is decided this way.
    pub reason: Reason,
    /// What this side lets through.
    pub conn: String,
    /// The policies that make the end refuse what nothing allows.
    pub isolated_by: Vec<RuleRef>,
    /// Rules that allow (the port that was asked for).
    pub allowed_by: Vec<RuleRef>,
    /// Rules that match the other end, but on other ports.
    pub other_ports: Vec<RuleRef>,
    /// Rules that deny.
    pub denied_by: Vec<RuleRef>,
}

/// A policy or one of its rules, with its place.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleRef {
    /// `Kind namespace/name`.
    pub policy: String,
    /// The rule, as `egress[2]`; absent for the policy as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// What the rule contributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conn: Option<String>,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
}

impl fmt::Display for RuleRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.policy)?;
        if let Some(rule) = &self.rule {
            write!(out, " {rule}")?;
        }
        if let Some(conn) = &self.conn {
            write!(out, " ({conn})")?;
        }
        write!(out, " at {}", self.place)
    }
}

/// Explains a connection; one answer for each kind of pod behind a Service.
#[must_use]
pub fn explain(model: &Model, src: &End, dst: &End, port: Option<(Protocol, u16)>) -> Vec<Explanation> {
    let Some(from) = src.party() else {
        return Vec::new();
    };
    match &dst.kind {
        EndKind::Party(to) => {
            let wanted = port.map(|(protocol, port)| PortSet::one(protocol, port));
            vec![one(model, (src, from), (dst, to), wanted, Bound::Certain)]
        }
        EndKind::Service(position) => through_service(model, (src, from), dst, *position, port),
    }
}

impl End {
    /// The party, unless the end is a Service: Services send nothing.
    fn party(&self) -> Option<&Party> {
        match &self.kind {
            EndKind::Party(party) => Some(party),
            EndKind::Service(_) => None,
        }
    }

    /// Whether connections can come from this end.
    #[must_use]
    pub fn is_source(&self) -> bool {
        self.party().is_some_and(|party| !matches!(party, Party::Name(_)))
    }
}

/// A Service's port leads to its target port; policies see the latter only.
fn through_service(
    model: &Model,
    src: (&End, &Party),
    dst: &End,
    position: usize,
    port: Option<(Protocol, u16)>,
) -> Vec<Explanation> {
    let service = &model.services[position];
    let mut answers: Vec<Explanation> = Vec::new();
    for pod in behind(model, service) {
        let mut ports = PortSet::none();
        for own in &service.ports {
            if port.is_none_or(|wanted| wanted == (own.protocol, own.port)) {
                ports = ports.union(&target_ports(model, pod, own.protocol, own.target));
            }
        }
        let end = End { text: model.pod_name(pod), kind: EndKind::Party(Party::Pod(pod)) };
        let mut answer = one(model, src, (&end, &Party::Pod(pod)), Some(ports.clone()), Bound::Certain);
        answer.via = Some(match port {
            Some((protocol, port)) => format!("{} {protocol} {port} -> {ports}", dst.text),
            None => format!("{} -> {ports}", dst.text),
        });
        if !answers.contains(&answer) {
            answers.push(answer);
        }
    }
    answers
}

fn one(
    model: &Model,
    (src, from): (&End, &Party),
    (dst, to): (&End, &Party),
    wanted: Option<PortSet>,
    reported: Bound,
) -> Explanation {
    let sides = |bound| {
        (side_of(model, from, Direction::Egress, to, bound), side_of(model, to, Direction::Ingress, from, bound))
    };
    let (egress, ingress) = sides(Bound::Certain);
    let (possible_egress, possible_ingress) = sides(Bound::Possible);
    let is_self = from == to && matches!(from, Party::Pod(_));
    let mut certain = egress.flow.intersection(&ingress.flow);
    let mut possible = possible_egress.flow.intersection(&possible_ingress.flow);
    if is_self {
        (certain, possible) = (decide::everything(model), decide::everything(model));
    }
    let more = possible.difference(&certain);
    let port = wanted.as_ref().map(ToString::to_string);
    let allowed = match &wanted {
        Some(ports) => !ports.is_none() && ports.is_subset(&certain),
        None => !certain.is_none(),
    };
    let (egress, ingress) = match reported {
        Bound::Certain => (egress, ingress),
        Bound::Possible => (possible_egress, possible_ingress),
    };
    let report = |subject: &End, direction, side: &Side| side_report(model, subject, direction, side, wanted.as_ref());
    Explanation {
        src: src.text.clone(),
        dst: dst.text.clone(),
        port,
        via: None,
        allowed,
        conn: describe(model, &certain),
        possible: (!more.is_none()).then(|| describe(model, &more)),
        egress: report(src, Direction::Egress, &egress),
        ingress: report(dst, Direction::Ingress, &ingress),
        notes: notes(model, from, to, is_self),
    }
}

fn side_of(model: &Model, own: &Party, direction: Direction, other: &Party, bound: Bound) -> Side {
    match own {
        Party::Pod(pod) => decide::side(model, *pod, direction, other, bound),
        _ => Side {
            isolating: Vec::new(),
            allowing: Vec::new(),
            denying: Vec::new(),
            flow: decide::everything(model),
            reason: Reason::NotAPod,
        },
    }
}

fn side_report(
    model: &Model,
    subject: &End,
    direction: Direction,
    side: &Side,
    wanted: Option<&PortSet>,
) -> SideReport {
    let meets = |one: &&Contribution| wanted.is_none_or(|ports| !ports.intersection(&one.ports).is_none());
    let refs = |list: &mut dyn Iterator<Item = &Contribution>| list.map(|one| rule_ref(model, one)).collect::<Vec<_>>();
    SideReport {
        direction,
        subject: subject.text.clone(),
        reason: side.reason,
        conn: describe(model, &side.flow),
        isolated_by: side.isolating.iter().map(|policy| policy_ref(model, *policy)).collect(),
        allowed_by: refs(&mut side.allowing.iter().filter(meets)),
        other_ports: refs(&mut side.allowing.iter().filter(|one| !meets(one))),
        denied_by: refs(&mut side.denying.iter().filter(meets)),
    }
}

pub(crate) fn policy_ref(model: &Model, policy: u32) -> RuleRef {
    let policy = &model.policies[policy as usize];
    let place = model.place(&model.policy_at(policy));
    RuleRef { policy: model.policy_name(policy), rule: None, conn: None, place }
}

pub(crate) fn rule_ref(model: &Model, one: &Contribution) -> RuleRef {
    let policy = &model.policies[one.policy as usize];
    let rule = &policy.section(one.direction).rules[one.rule as usize];
    RuleRef {
        policy: model.policy_name(policy),
        rule: Some(format!("{}[{}]", rule.field, rule.index)),
        conn: Some(describe(model, &one.ports)),
        place: model.rule_place(policy, rule),
    }
}

fn notes(model: &Model, from: &Party, to: &Party, is_self: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if is_self {
        notes.push("a pod always reaches itself; the rules below hold between replicas".to_owned());
    }
    for (party, verb) in [(from, "opens"), (to, "accepts")] {
        if let Party::Pod(pod) = party
            && model.pods[*pod as usize].host_network
        {
            notes.push(format!("{} uses its node's network: no policy holds what it {verb}", model.pod_name(*pod)));
        }
    }
    if let (Party::Pod(pod), Party::Name(name)) = (from, to) {
        let resolution = names::resolution(model, *pod);
        if !resolution.has_resolver {
            notes.push("the cluster's DNS pods are not in the input, so toFQDNs rules cannot be confirmed".to_owned());
        } else if resolution.is_isolated && !resolution.learns(name) {
            notes.push("no rule with rules.dns lets the pod resolve this name through Cilium's proxy: toFQDNs rules for it never match".to_owned());
        }
    }
    notes
}

/// The answer as text for people.
impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.allowed { "allowed" } else { "refused" };
        match &self.port {
            Some(port) => writeln!(out, "{} => {} : {port} is {verdict}", self.src, self.dst)?,
            None => writeln!(out, "{} => {} : {}", self.src, self.dst, self.conn)?,
        }
        if let Some(via) = &self.via {
            writeln!(out, "  through {via}")?;
        }
        if let Some(possible) = &self.possible {
            writeln!(out, "  may flow as well, depending on addresses that the manifests do not tell: {possible}")?;
        }
        for side in [&self.egress, &self.ingress] {
            side.write(out)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "  note: {note}"))
    }
}

impl SideReport {
    fn write(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.direction.name();
        writeln!(out, "  {name} of {}: {}", self.subject, self.sentence())?;
        for (heading, list) in [
            ("denied by", &self.denied_by),
            ("allowed by", &self.allowed_by),
            ("other ports are allowed by", &self.other_ports),
        ] {
            list.iter().try_for_each(|one| writeln!(out, "    {heading} {one}"))?;
        }
        if self.allowed_by.is_empty() || !self.denied_by.is_empty() {
            self.isolated_by.iter().try_for_each(|one| writeln!(out, "    isolated by {one}"))?;
        }
        Ok(())
    }

    fn sentence(&self) -> String {
        match self.reason {
            Reason::HostNetwork => "open: the pod uses its node's network and is outside of policy".to_owned(),
            Reason::NotAPod => "nothing decides here: this is not a pod".to_owned(),
            Reason::NodeTraffic => "open: traffic of the pod's own node is always let through".to_owned(),
            Reason::NotIsolated if self.denied_by.is_empty() => "open: no policy selects it".to_owned(),
            Reason::NotIsolated => format!("no policy isolates it, but rules deny: {}", self.conn),
            Reason::Policies if self.allowed_by.is_empty() => {
                "refused: policies select it and no rule allows this".to_owned()
            }
            Reason::Policies => format!("policies let through {}", self.conn),
        }
    }
}
