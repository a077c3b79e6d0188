//! Claims: what must and what must not be reachable, as data.
//!
//! A claim speaks of classes of workloads, never of single ones: namespaces by label (a **group**), pods by label. A
//! claim about `$tenant` and `$other` is one about every two different namespaces of the group `tenant`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::policy::{Direction, Entity};
use super::ports::{PortSet, Protocol};
use super::rbac::Power;
use super::settings::{Profile, Resolver, StandIn};

/// A file of claims.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claims {
    /// `tenantry.io/v1`.
    pub api_version: String,
    /// `NetworkClaims`.
    pub kind: String,
    /// A name for reports.
    pub name: String,
    /// Groups of namespaces. `$name` in a claim stands for each namespace of the group `name`.
    #[serde(default)]
    pub groups: BTreeMap<String, Group>,
    /// What the manifests do not tell.
    #[serde(default)]
    pub assume: Assume,
    /// The claims, in the order of reports.
    pub claims: Vec<Claim>,
}

/// Namespaces with all of these labels.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Group {
    /// The labels.
    pub labels: BTreeMap<String, String>,
    /// Namespaces that claims do not mean although they have the labels.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub except: BTreeSet<String>,
}

/// What a proof takes for granted. Every item is printed with the verdicts.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assume {
    /// Pods that the manifests do not contain.
    #[serde(default)]
    pub workloads: Vec<StandIn>,
    /// The cluster's DNS, if it is not kube-dns.
    #[serde(default)]
    pub resolver: Option<Resolver>,
    /// Addresses of pods, Services, nodes and the API server, as far as they are known.
    #[serde(default)]
    pub addresses: Addresses,
    /// Sentences that no manifest can prove, such as what an operator has to keep up.
    #[serde(default)]
    pub statements: Vec<String>,
}

/// Known addresses of a cluster.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Addresses {
    /// Of pods.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub pods: Vec<IpNet>,
    /// Of Services.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub services: Vec<IpNet>,
    /// Of nodes.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub nodes: Vec<IpNet>,
    /// Of the API server.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub api_server: Vec<IpNet>,
}

/// One claim.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Claim {
    /// A stable id.
    pub id: String,
    /// The claim in one sentence.
    pub text: String,
    /// These flows have to work, all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<Flow>,
    /// In each namespace of the group that the flows speak of, one of these has to work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub require_any: Vec<Flow>,
    /// These flows have to be blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forbid: Option<Flow>,
    /// Flows that `forbid` does not mean.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<Flow>,
    /// Each side has to block a forbidden flow by itself: the sources if the destinations were open, and the
    /// destinations if the sources were. Without it, one side is enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub each_side: bool,
    /// These pods refuse what no rule allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolate: Option<Isolation>,
    /// Service accounts of these namespaces cannot do this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub powerless: Option<Powerless>,
    /// The profile that the claim is about; both without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// Whether the claim holds as long as one of its ends does not exist. Without it, such a claim is not checkable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub when_present: bool,
}

/// Connections between two classes.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Flow {
    /// The sources.
    pub from: Class,
    /// The destinations.
    pub to: Class,
    /// Ports of the destination, as `TCP/443`, `UDP/53`, `TCP/8000-8010`, `TCP` or `ICMP`. Without any: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<PortRange>,
    /// A required flow works as soon as any of the ports is open.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub any_port: bool,
}

/// A class of ends: pods, outside addresses, a machine of the cluster, or DNS names. Exactly one of `namespace`,
/// `outside`, `entity`, `names` and `hosts`.
#[derive(Clone, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Class {
    /// Pods of a namespace: its name, `*`, `$group`, `$other` (another namespace of the group that the other end
    /// names) or `$elsewhere` (any namespace but that of the other end).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Only pods with these labels; a list of values means one of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pods: BTreeMap<String, OneOrMore>,
    /// But not pods with all of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub except_pods: BTreeMap<String, OneOrMore>,
    /// Addresses outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<OutsideClass>,
    /// A machine: `host`, `remote-node`, `kube-apiserver`, `ingress` or `health`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub entity: Option<EntityName>,
    /// DNS names outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub names: Option<NamesClass>,
    /// Hosts outside of the cluster, by name: every one of them where they are required, exempt from `names: any` where
    /// that is forbidden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<String>,
}

/// One value or several.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One value.
    One(String),
    /// Any of several.
    More(Vec<String>),
}

impl OneOrMore {
    /// Whether a value is among these.
    #[must_use]
    pub fn contains(&self, value: &str) -> bool {
        match self {
            Self::One(own) => own == value,
            Self::More(own) => own.iter().any(|one| one == value),
        }
    }
}

/// Outside addresses.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OutsideClass {
    /// Whether a required flow has to work for every one of the addresses, or for some.
    #[serde(default)]
    pub quantity: Quantity,
    /// The addresses; all of both families if empty.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub cidrs: Vec<IpNet>,
    /// Without these.
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub except: Vec<IpNet>,
}

/// How many addresses a required flow is about.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Quantity {
    /// Every one.
    #[default]
    Every,
    /// At least one.
    Some,
}

/// Which DNS names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NamesClass {
    /// Every name that a policy of the source names: each has to work.
    Declared,
    /// Any name at all.
    Any,
}

/// The name of an entity that stands for machines.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EntityName(pub Entity);

impl Serialize for EntityName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for EntityName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        let entity = Entity::named(&name).filter(|entity| entity.is_machine());
        entity.map(Self).ok_or_else(|| serde::de::Error::custom(format!("`{name}` is not an entity with machines")))
    }
}

/// Pods that refuse what no rule allows.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Isolation {
    /// The pods: a class with a namespace.
    pub class: Class,
    /// The directions.
    pub directions: Vec<Direction>,
}

/// Powers that service accounts must not have.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Powerless {
    /// The namespaces: `$group`, a name, or `*`.
    pub namespace: String,
    /// The powers.
    pub powers: Vec<Power>,
}

/// Ports as a person writes them.
#[derive(Clone, PartialEq, Eq, Debug, JsonSchema)]
#[schemars(with = "String")]
pub struct PortRange(pub PortSet);

/// A text that is not ports such as `TCP/443`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotPorts(pub String);

impl fmt::Display for NotPorts {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` is not ports such as TCP/443, UDP/53, TCP/8000-8010, TCP or ICMP", self.0)
    }
}

impl std::error::Error for NotPorts {}

impl std::str::FromStr for PortRange {
    type Err = NotPorts;

    fn from_str(text: &str) -> Result<Self, NotPorts> {
        let fail = || NotPorts(text.to_owned());
        let (name, ports) = text.split_once('/').map_or((text, None), |(name, ports)| (name, Some(ports)));
        let icmp = || {
            let both = PortSet::whole(Protocol::Icmp).union(&PortSet::whole(Protocol::Icmp6));
            (name == "ICMP" && ports.is_none()).then_some(Self(both))
        };
        let Some(protocol) = Protocol::transport(name) else { return icmp().ok_or_else(fail) };
        let Some(ports) = ports else { return Ok(Self(PortSet::whole(protocol))) };
        let (first, last) = ports.split_once('-').unwrap_or((ports, ports));
        match (first.parse::<u16>(), last.parse::<u16>()) {
            (Ok(first), Ok(last)) if 0 < first && first <= last => Ok(Self(PortSet::range(protocol, first, last))),
            _ => Err(fail()),
        }
    }
}

impl Serialize for PortRange {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string().replace(' ', "/"))
    }
}

impl<'de> Deserialize<'de> for PortRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Flow {
    /// The ports, or every one.
    pub(crate) fn port_set(&self) -> PortSet {
        if self.ports.is_empty() {
            return PortSet::all();
        }
        self.ports.iter().fold(PortSet::none(), |all, one| all.union(&one.0))
    }
}

impl Claims {
    /// The same claims about a namespace of another name, for installs that do not use the usual one.
    #[must_use]
    pub fn with_namespace(mut self, usual: &str, actual: &str) -> Self {
        let rename = |name: &mut String| {
            if name == usual {
                actual.clone_into(name);
            }
        };
        self.assume.workloads.iter_mut().for_each(|one| rename(&mut one.namespace));
        for claim in &mut self.claims {
            let flows = claim
                .require
                .iter_mut()
                .chain(&mut claim.require_any)
                .chain(&mut claim.forbid)
                .chain(&mut claim.unless);
            let ends = flows.flat_map(|flow| [&mut flow.from, &mut flow.to]);
            let classes = ends.chain(claim.isolate.iter_mut().map(|one| &mut one.class));
            classes.filter_map(|class| class.namespace.as_mut()).for_each(rename);
            claim.powerless.iter_mut().for_each(|one| rename(&mut one.namespace));
        }
        self
    }

    /// The same claims about another TCP port, for installs that do not use the usual one.
    #[must_use]
    pub fn with_port(mut self, usual: u16, actual: u16) -> Self {
        let usual = PortRange(PortSet::range(Protocol::Tcp, usual, usual));
        let actual = PortRange(PortSet::range(Protocol::Tcp, actual, actual));
        for claim in &mut self.claims {
            let flows = claim
                .require
                .iter_mut()
                .chain(&mut claim.require_any)
                .chain(&mut claim.forbid)
                .chain(&mut claim.unless);
            let ports = flows.flat_map(|flow| &mut flow.ports);
            ports.filter(|port| **port == usual).for_each(|port| *port = actual.clone());
        }
        self
    }

    /// What is wrong with the file beyond its shape: unknown groups, claims that claim nothing, ids given twice. Each
    /// with the JSON pointer of the place.
    #[must_use]
    pub fn faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.kind != "NetworkClaims" {
            faults.push(("/kind".to_owned(), format!("kind `{}` is not NetworkClaims", self.kind)));
        }
        let mut ids = BTreeSet::new();
        for (index, claim) in self.claims.iter().enumerate() {
            let pointer = format!("/claims/{index}");
            if !ids.insert(&claim.id) {
                faults.push((pointer.clone(), format!("claim {}: the id is given twice", claim.id)));
            }
            let own = self.claim_faults(claim).into_iter();
            faults.extend(own.map(|fault| (pointer.clone(), format!("claim {}: {fault}", claim.id))));
        }
        faults
    }

    fn claim_faults(&self, claim: &Claim) -> Vec<String> {
        let demands = [
            claim.require.is_some(),
            !claim.require_any.is_empty(),
            claim.forbid.is_some(),
            claim.isolate.is_some(),
            claim.powerless.is_some(),
        ];
        let mut faults = Vec::new();
        if demands.iter().filter(|one| **one).count() != 1 {
            faults.push("exactly one of require, requireAny, forbid, isolate and powerless is needed".to_owned());
        }
        let flows = claim.require.iter().chain(&claim.require_any).chain(&claim.forbid).chain(&claim.unless);
        for flow in flows {
            faults.extend(self.class_faults(&flow.from, &flow.to));
            faults.extend(self.class_faults(&flow.to, &flow.from));
            if flow.from.namespace.is_none() && flow.to.namespace.is_none() {
                faults.push("one end has to be pods".to_owned());
            }
            if flow.from.names.is_some() || !flow.from.hosts.is_empty() {
                faults.push("DNS names are destinations only".to_owned());
            }
        }
        if claim.forbid.as_ref().is_some_and(|flow| !flow.to.hosts.is_empty()) {
            faults.push("hosts are required, or exempt from what is forbidden: forbid `names: any`".to_owned());
        }
        if let Some(isolation) = &claim.isolate {
            faults.extend(self.class_faults(&isolation.class, &Class::default()));
            if isolation.class.namespace.is_none() || isolation.directions.is_empty() {
                faults.push("isolate needs pods and directions".to_owned());
            }
        }
        if let Some(name) = claim.powerless.as_ref().and_then(|one| one.namespace.strip_prefix('$')) {
            faults.extend((!self.groups.contains_key(name)).then(|| format!("there is no group `{name}`")));
        }
        faults
    }

    fn class_faults(&self, class: &Class, other: &Class) -> Vec<String> {
        let mut faults = Vec::new();
        let kinds = [
            class.namespace.is_some(),
            class.outside.is_some(),
            class.entity.is_some(),
            class.names.is_some(),
            !class.hosts.is_empty(),
        ];
        if kinds.iter().filter(|one| **one).count() != 1 {
            faults.push("an end needs exactly one of namespace, outside, entity, names and hosts".to_owned());
        }
        let group_of =
            |class: &Class| class.namespace.as_deref().and_then(|name| name.strip_prefix('$')).map(str::to_owned);
        match group_of(class).as_deref() {
            None | Some("elsewhere") => {}
            Some("other") => {
                if group_of(other).is_none_or(|name| !self.groups.contains_key(&name)) {
                    faults.push("`$other` needs a group at the other end".to_owned());
                }
            }
            Some(name) if self.groups.contains_key(name) => {}
            Some(name) => faults.push(format!("there is no group `{name}`")),
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(yaml: &str) -> Claims {
        serde_yaml::from_str(yaml).unwrap()
    }

    const HEAD: &str =
        "apiVersion: tenantry.io/v1\nkind: NetworkClaims\nname: x\ngroups: {tenant: {labels: {tenant: 'true'}}}\n";

    #[test]
    fn ports_as_people_write_them() {
        for (text, expected) in [
            ("TCP/443", "TCP 443"),
            ("UDP/53", "UDP 53"),
            ("TCP/8000-8010", "TCP 8000-8010"),
            ("SCTP", "SCTP 1-65535"),
            ("ICMP", "ICMP,ICMPv6"),
        ] {
            assert_eq!(text.parse::<PortRange>().unwrap().0.to_string(), expected);
        }
        for text in ["443", "tcp/443", "TCP/0", "TCP/9-8", "TCP/x", "ICMP/8", ""] {
            assert_eq!(text.parse::<PortRange>(), Err(NotPorts(text.to_owned())));
        }
    }

    #[test]
    fn a_good_file_has_no_faults() {
        let file = claims(&format!(
            "{HEAD}claims:\n\
             - {{id: a, text: t, forbid: {{from: {{namespace: $tenant}}, to: {{namespace: $other}}}}}}\n\
             - {{id: b, text: t, require: {{from: {{namespace: $tenant}}, to: {{entity: kube-apiserver}}, ports: [TCP/443]}}}}\n"
        ));
        assert_eq!(file.faults(), Vec::new());
    }

    #[test]
    fn faults_are_named() {
        for (claim, expected) in [
            ("{id: a, text: t}", "exactly one of require"),
            ("{id: a, text: t, forbid: {from: {namespace: $x}, to: {namespace: a}}}", "no group `x`"),
            ("{id: a, text: t, forbid: {from: {namespace: a}, to: {namespace: $other}}}", "`$other` needs a group"),
            ("{id: a, text: t, forbid: {from: {}, to: {namespace: a}}}", "an end needs exactly one"),
            ("{id: a, text: t, forbid: {from: {entity: host}, to: {outside: {}}}}", "one end has to be pods"),
            ("{id: a, text: t, forbid: {from: {names: any}, to: {namespace: a}}}", "destinations only"),
            ("{id: a, text: t, isolate: {class: {namespace: a}, directions: []}}", "isolate needs"),
            ("{id: a, text: t, powerless: {namespace: $y, powers: [write-namespaces]}}", "no group `y`"),
        ] {
            let faults = claims(&format!("{HEAD}claims:\n- {claim}\n")).faults();
            assert!(faults.iter().any(|(_, fault)| fault.contains(expected)), "{claim}: {faults:?}");
        }
        let twice = claims(&format!("{HEAD}claims:\n- {{id: a, text: t}}\n- {{id: a, text: t}}\n"));
        assert!(twice.faults().iter().any(|(_, fault)| fault.contains("given twice")));
    }

    #[test]
    fn a_namespace_of_another_name() {
        let file = claims(&format!(
            "{HEAD}assume: {{workloads: [{{namespace: ingress, name: c}}]}}\nclaims:\n\
             - {{id: a, text: t, require: {{from: {{namespace: ingress}}, to: {{namespace: $tenant}}, ports: [TCP/1]}}}}\n"
        ));
        let file = file.with_namespace("ingress", "edge");
        assert_eq!(file.assume.workloads[0].namespace, "edge");
        assert_eq!(file.claims[0].require.as_ref().unwrap().from.namespace.as_deref(), Some("edge"));
    }

    #[test]
    fn unknown_fields_are_refused() {
        let text = format!("{HEAD}claims:\n- {{id: a, text: t, forbids: {{}}}}\n");
        assert!(serde_yaml::from_str::<Claims>(&text).is_err());
    }
}
