//! The Kubernetes objects that matter for reachability, read from their documents.

use super::input::Refusal;
use super::label::{Interner, Labels, Selector, Sym};
use super::ports::Protocol;
use super::reader::Node;

/// Where an object or a field is: a document of the input and a JSON pointer in it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct At {
    pub document: u32,
    pub pointer: Box<str>,
}

/// Name and namespace of an object.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub namespace: Sym,
    pub name: Sym,
    pub at: At,
}

#[derive(Debug)]
pub(crate) struct NamespaceObject {
    pub identity: Identity,
    pub labels: Labels,
}

/// A workload: what its pods look like.
#[derive(Debug)]
pub(crate) struct Workload {
    pub identity: Identity,
    pub kind: &'static str,
    /// Labels of the pods (of the pod template).
    pub labels: Labels,
    pub ports: Vec<PodPort>,
    pub host_network: bool,
    pub service_account: Sym,
    /// The controlling owner, as kind and name.
    pub owner: Option<(Box<str>, Sym)>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) struct PodPort {
    pub name: Option<Sym>,
    pub protocol: Protocol,
    pub port: u16,
}

#[derive(Debug)]
pub(crate) struct ServiceObject {
    pub identity: Identity,
    /// Absent for Services without a selector.
    pub selector: Option<Selector>,
    pub ports: Vec<ServicePort>,
    /// Whether clients outside of the cluster reach it (type LoadBalancer or NodePort).
    pub is_external: bool,
    /// Whether the source address of such clients survives (`externalTrafficPolicy: Local`).
    pub keeps_source: bool,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ServicePort {
    pub name: Option<Sym>,
    pub protocol: Protocol,
    pub port: u16,
    pub target: TargetPort,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TargetPort {
    Number(u16),
    Name(Sym),
}

/// An Ingress: the Services and ports behind it.
#[derive(Debug)]
pub(crate) struct IngressObject {
    pub identity: Identity,
    pub backends: Vec<(Sym, BackendPort)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BackendPort {
    Number(u16),
    Name(Sym),
}

/// Labels of a `metadata`.
pub(crate) fn labels(metadata: Option<&Node<'_, '_>>, interner: &mut Interner) -> Result<Labels, Refusal> {
    let mut pairs = Vec::new();
    if let Some(labels) = metadata.and_then(|metadata| metadata.get("labels")) {
        for (key, value) in labels.fields()? {
            pairs.push((interner.intern(key), interner.intern(value.text()?)));
        }
    }
    Ok(Labels::new(pairs))
}

/// Reads a workload of one of the kinds that make pods.
pub(crate) fn workload(
    node: &Node<'_, '_>,
    identity: Identity,
    kind: &'static str,
    interner: &mut Interner,
) -> Result<Workload, Refusal> {
    let owner = owner(node, interner)?;
    let spec = node.need("spec")?;
    if kind == "Pod" {
        return from_template(node, &spec, Vec::new(), (identity, kind, owner), interner);
    }
    let mut job = None;
    let job_template;
    if kind == "CronJob" {
        job_template = spec.need("jobTemplate")?;
        job = Some(job_template.need("spec")?);
    }
    let holder = job.as_ref().unwrap_or(&spec);
    let template = holder.need("template")?;
    let pod_spec = template.need("spec")?;
    // The Job controller labels its pods with the Job's name (Kubernetes, *Well-Known Labels*, job-name).
    let added = match kind {
        "Job" => ["job-name", "batch.kubernetes.io/job-name"].map(|key| (interner.intern(key), identity.name)).to_vec(),
        _ => Vec::new(),
    };
    from_template(&template, &pod_spec, added, (identity, kind, owner), interner)
}

type Head = (Identity, &'static str, Option<(Box<str>, Sym)>);

fn from_template(
    template: &Node<'_, '_>,
    spec: &Node<'_, '_>,
    mut pairs: Vec<(Sym, Sym)>,
    (identity, kind, owner): Head,
    interner: &mut Interner,
) -> Result<Workload, Refusal> {
    pairs.extend(labels(template.get("metadata").as_ref(), interner)?.iter());
    let host_network = spec.get("hostNetwork").map(|flag| flag.boolean()).transpose()?.unwrap_or(false);
    let account = spec.get("serviceAccountName").map(|name| name.text()).transpose()?.unwrap_or("default");
    let mut ports = Vec::new();
    for field in ["containers", "initContainers"] {
        let Some(containers) = spec.get(field) else { continue };
        for container in containers.list()? {
            // Of init containers only sidecars go on running (restartPolicy: Always).
            let is_sidecar = container.get("restartPolicy").is_some_and(|policy| policy.value == "Always");
            if field == "containers" || is_sidecar {
                container_ports(&container, &mut ports, interner)?;
            }
        }
    }
    let service_account = interner.intern(account);
    Ok(Workload { identity, kind, labels: Labels::new(pairs), ports, host_network, service_account, owner })
}

fn container_ports(container: &Node<'_, '_>, ports: &mut Vec<PodPort>, interner: &mut Interner) -> Result<(), Refusal> {
    let Some(list) = container.get("ports") else { return Ok(()) };
    for item in list.list()? {
        let name = item.get("name").map(|name| name.text()).transpose()?.map(|name| interner.intern(name));
        let port = port_number(&item.need("containerPort")?)?;
        ports.push(PodPort { name, protocol: protocol(&item)?, port });
    }
    Ok(())
}

fn owner(node: &Node<'_, '_>, interner: &mut Interner) -> Result<Option<(Box<str>, Sym)>, Refusal> {
    let metadata = node.need("metadata")?;
    let Some(list) = metadata.get("ownerReferences") else { return Ok(None) };
    for reference in list.list()? {
        if reference.get("controller").is_some_and(|flag| flag.value == true) {
            let kind = reference.get("kind").map(|kind| kind.text()).transpose()?.unwrap_or("Pod");
            if kind == "Node" {
                // Static pods belong to their node, which is no workload.
                return Ok(None);
            }
            return Ok(Some((kind.into(), interner.intern(reference.need("name")?.text()?))));
        }
    }
    Ok(None)
}

/// Reads a Service. One without ports or of type ExternalName translates nothing.
pub(crate) fn service(
    node: &Node<'_, '_>,
    identity: Identity,
    interner: &mut Interner,
) -> Result<ServiceObject, Refusal> {
    let spec = node.need("spec")?;
    let selector = match spec.get("selector") {
        Some(labels) if labels.object()?.is_empty() => None,
        Some(labels) => Some(service_selector(&labels, interner)?),
        None => None,
    };
    let mut ports = Vec::new();
    if let Some(list) = spec.get("ports") {
        for item in list.list()? {
            let port = port_number(&item.need("port")?)?;
            let target = match item.get("targetPort") {
                None => TargetPort::Number(port),
                Some(target) if target.value.is_string() => named_target(target.text()?, interner),
                Some(target) => TargetPort::Number(port_number(&target)?),
            };
            let name = item.get("name").map(|name| name.text()).transpose()?.map(|name| interner.intern(name));
            ports.push(ServicePort { name, protocol: protocol(&item)?, port, target });
        }
    }
    let text = |field| spec.get(field).map(|value| value.text()).transpose();
    let is_external = matches!(text("type")?, Some("LoadBalancer" | "NodePort"));
    let keeps_source = text("externalTrafficPolicy")? == Some("Local");
    Ok(ServiceObject { identity, selector, ports, is_external, keeps_source })
}

/// A string that holds a number is that number, as for the API server's `IntOrString` in a Service.
fn named_target(text: &str, interner: &mut Interner) -> TargetPort {
    text.parse().map_or_else(|_| TargetPort::Name(interner.intern(text)), TargetPort::Number)
}

fn service_selector(labels: &Node<'_, '_>, interner: &mut Interner) -> Result<Selector, Refusal> {
    use super::label::{Requirement, Test};
    let mut requirements = Vec::new();
    for (key, value) in labels.fields()? {
        let values = vec![interner.intern(value.text()?)];
        requirements.push(Requirement { key: interner.intern(key), test: Test::In(values) });
    }
    Ok(Selector::new(requirements))
}

/// Reads the backends of an Ingress: those of its rules and its default one.
pub(crate) fn ingress(
    node: &Node<'_, '_>,
    identity: Identity,
    interner: &mut Interner,
) -> Result<IngressObject, Refusal> {
    let mut backends = Vec::new();
    let Some(spec) = node.get("spec") else { return Ok(IngressObject { identity, backends }) };
    if let Some(default) = spec.get("defaultBackend") {
        backends.extend(backend(&default, interner)?);
    }
    if let Some(rules) = spec.get("rules") {
        for rule in rules.list()? {
            let Some(http) = rule.get("http") else { continue };
            let Some(paths) = http.get("paths") else { continue };
            for path in paths.list()? {
                backends.extend(backend(&path.need("backend")?, interner)?);
            }
        }
    }
    Ok(IngressObject { identity, backends })
}

fn backend(node: &Node<'_, '_>, interner: &mut Interner) -> Result<Option<(Sym, BackendPort)>, Refusal> {
    let Some(service) = node.get("service") else { return Ok(None) };
    let name = interner.intern(service.need("name")?.text()?);
    let port = service.need("port")?;
    let port = match (port.get("number"), port.get("name")) {
        (Some(number), _) => BackendPort::Number(port_number(&number)?),
        (None, Some(name)) => BackendPort::Name(interner.intern(name.text()?)),
        (None, None) => return Err(port.refuse("a backend port needs a number or a name")),
    };
    Ok(Some((name, port)))
}

fn protocol(node: &Node<'_, '_>) -> Result<Protocol, Refusal> {
    let Some(field) = node.get("protocol") else { return Ok(Protocol::Tcp) };
    Protocol::transport(field.text()?).ok_or_else(|| field.refuse("the protocol has to be TCP, UDP or SCTP"))
}

fn port_number(node: &Node<'_, '_>) -> Result<u16, Refusal> {
    let value = node.integer()?;
    u16::try_from(value)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| node.refuse(&format!("{value} is not a port between 1 and 65535")))
}
