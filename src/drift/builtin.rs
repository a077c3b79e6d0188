//! What the API server does to built-in kinds: the defaults of Kubernetes 1.35 and 1.36.
//!
//! Only true defaults stand here. The empty strings, maps and zeros that the published OpenAPI calls defaults are Go's zero
//! values; the API server does not set them.

use std::borrow::Cow;

use super::kind::Known;
use super::node::{Map, Node};
use super::shape::Rule::{Commutative, Default, FreeMap, Keyed, Quantity, Set, Zero};
use super::shape::{Rule, Shape};

type Table = &'static [(&'static str, Rule)];

/// The shape of a built-in kind; of one without a table, only what all objects share.
pub fn shape(kind: Known) -> Shape {
    let mut shape = Shape::default();
    for (prefix, table) in tables(kind) {
        for (path, rule) in *table {
            shape.add(&join(prefix, path), *rule);
        }
    }
    shape.settle();
    shape
}

/// Sets the defaults that follow from other fields; those of [`shape`] come after.
pub fn compute_defaults(kind: Known, name: &str, object: &mut Node<'_>) {
    let Some(object) = object.as_map_mut() else { return };
    match kind {
        Known::Namespace => namespace(name, object),
        Known::Service => service(object),
        Known::LimitRange => limit_range(object),
        Known::RoleBinding | Known::ClusterRoleBinding => binding(object),
        Known::NetworkPolicy => network_policy(object),
        Known::Deployment | Known::StatefulSet | Known::DaemonSet => workload(kind, object),
        Known::Job => job(object),
        Known::CronJob => {
            let template = object.get_mut("spec").and_then(|spec| spec.at_mut(&["jobTemplate"]));
            if let Some(template) = template.and_then(Node::as_map_mut) {
                job(template);
            }
        }
        _ => {}
    }
}

fn tables(kind: Known) -> &'static [(&'static str, Table)] {
    match kind {
        Known::Namespace => &[("", METADATA), ("", &[("spec", Default("{}")), ("spec.finalizers", Set)])],
        Known::ResourceQuota => &[("", METADATA), ("", RESOURCE_QUOTA)],
        Known::LimitRange => &[("", METADATA), ("", LIMIT_RANGE)],
        Known::ServiceAccount => &[("", METADATA), ("", SERVICE_ACCOUNT)],
        Known::Service => &[("", METADATA), ("", SERVICE)],
        Known::ConfigMap => &[("", METADATA), ("", &[("data", FreeMap), ("binaryData", FreeMap)])],
        Known::Secret => &[("", METADATA), ("", SECRET)],
        Known::PersistentVolumeClaim => &[("", METADATA), ("", VOLUME_CLAIM)],
        Known::Role | Known::ClusterRole => &[("", METADATA), ("", ROLE)],
        Known::RoleBinding | Known::ClusterRoleBinding => &[("", METADATA), ("", BINDING)],
        Known::NetworkPolicy => &[("", METADATA), ("", NETWORK_POLICY)],
        Known::Ingress => &[("", METADATA), ("", &[("spec.ingressClassName", Zero("null"))])],
        Known::AdmissionPolicy => &[("", METADATA), ("", ADMISSION_POLICY)],
        Known::AdmissionPolicyBinding => &[("", METADATA), ("", ADMISSION_BINDING)],
        Known::ValidatingWebhook => &[("", METADATA), ("", WEBHOOK)],
        Known::MutatingWebhook => {
            &[("", METADATA), ("", WEBHOOK), ("", &[("webhooks[].reinvocationPolicy", Default("\"Never\""))])]
        }
        Known::Deployment => &[("", METADATA), ("", DEPLOYMENT), ("spec.template", POD_TEMPLATE)],
        Known::StatefulSet => &[
            ("", METADATA),
            ("", STATEFUL_SET),
            ("spec.template", POD_TEMPLATE),
            ("spec.volumeClaimTemplates[]", METADATA),
            ("spec.volumeClaimTemplates[]", VOLUME_CLAIM),
        ],
        Known::DaemonSet => &[("", METADATA), ("", DAEMON_SET), ("spec.template", POD_TEMPLATE)],
        Known::Job => &[("", METADATA), ("", JOB), ("spec.template", POD_TEMPLATE)],
        Known::CronJob => &[
            ("", METADATA),
            ("", CRON_JOB),
            ("spec.jobTemplate", METADATA),
            ("spec.jobTemplate", JOB),
            ("spec.jobTemplate.spec.template", POD_TEMPLATE),
        ],
        Known::PodDisruptionBudget => &[("", METADATA), ("", &[("spec.selector.matchLabels", FreeMap)])],
        Known::PriorityClass => &[
            ("", METADATA),
            ("", &[("preemptionPolicy", Default("\"PreemptLowerPriority\"")), ("globalDefault", Zero("false"))]),
        ],
        _ => &[("", METADATA)],
    }
}

/// What all objects share.
const METADATA: Table = &[
    ("metadata.labels", FreeMap),
    ("metadata.annotations", FreeMap),
    ("metadata.finalizers", Set),
    ("metadata.ownerReferences", Keyed(&["uid"])),
];

const RESOURCE_QUOTA: Table = &[("spec", Default("{}")), ("spec.hard", FreeMap), ("spec.hard.*", Quantity)];

const LIMIT_RANGE: Table = &[
    ("spec.limits", Commutative),
    ("spec.limits[].max", FreeMap),
    ("spec.limits[].max.*", Quantity),
    ("spec.limits[].min", FreeMap),
    ("spec.limits[].min.*", Quantity),
    ("spec.limits[].default", FreeMap),
    ("spec.limits[].default.*", Quantity),
    ("spec.limits[].defaultRequest", FreeMap),
    ("spec.limits[].defaultRequest.*", Quantity),
    ("spec.limits[].maxLimitRequestRatio", FreeMap),
    ("spec.limits[].maxLimitRequestRatio.*", Quantity),
];

const SERVICE_ACCOUNT: Table = &[("secrets", Keyed(&["name"])), ("imagePullSecrets", Keyed(&["name"]))];

const SECRET: Table = &[("data", FreeMap), ("stringData", FreeMap), ("type", Default("\"Opaque\""))];

const SERVICE: Table = &[
    ("spec.type", Default("\"ClusterIP\"")),
    ("spec.sessionAffinity", Default("\"None\"")),
    ("spec.selector", FreeMap),
    ("spec.ports", Keyed(&["port", "protocol"])),
    ("spec.ports[].protocol", Default("\"TCP\"")),
    ("spec.ports[].nodePort", Zero("0")),
    ("spec.publishNotReadyAddresses", Zero("false")),
    ("spec.healthCheckNodePort", Zero("0")),
    ("spec.externalIPs", Set),
    ("spec.loadBalancerSourceRanges", Set),
];

const VOLUME_CLAIM: Table = &[
    ("spec.volumeMode", Default("\"Filesystem\"")),
    ("spec.resources", Default("{}")),
    ("spec.resources.requests", FreeMap),
    ("spec.resources.requests.*", Quantity),
    ("spec.resources.limits", FreeMap),
    ("spec.resources.limits.*", Quantity),
    ("spec.storageClassName", Zero("null")), // "" is a class of its own: none
    ("spec.accessModes", Set),
];

const ROLE: Table = &[("rules", Commutative)];

const BINDING: Table = &[("subjects", Commutative), ("roleRef.apiGroup", Default("\"rbac.authorization.k8s.io\""))];

const NETWORK_POLICY: Table = &[
    ("spec.podSelector", Default("{}")),
    ("spec.podSelector.matchLabels", FreeMap),
    ("spec.policyTypes", Set),
    ("spec.ingress", Commutative),
    ("spec.ingress[].ports", Commutative),
    ("spec.ingress[].ports[].protocol", Default("\"TCP\"")),
    ("spec.ingress[].from", Commutative),
    ("spec.ingress[].from[].podSelector.matchLabels", FreeMap),
    ("spec.ingress[].from[].namespaceSelector.matchLabels", FreeMap),
    ("spec.egress", Commutative),
    ("spec.egress[].ports", Commutative),
    ("spec.egress[].ports[].protocol", Default("\"TCP\"")),
    ("spec.egress[].to", Commutative),
    ("spec.egress[].to[].podSelector.matchLabels", FreeMap),
    ("spec.egress[].to[].namespaceSelector.matchLabels", FreeMap),
];

const ADMISSION_POLICY: Table = &[
    ("spec.failurePolicy", Default("\"Fail\"")),
    ("spec.validations", Commutative),
    ("spec.auditAnnotations", Commutative),
    ("spec.matchConditions", Keyed(&["name"])),
    ("spec.variables", Keyed(&["name"])),
    ("spec.matchConstraints.matchPolicy", Default("\"Equivalent\"")),
    ("spec.matchConstraints.namespaceSelector", Default("{}")),
    ("spec.matchConstraints.namespaceSelector.matchLabels", FreeMap),
    ("spec.matchConstraints.objectSelector", Default("{}")),
    ("spec.matchConstraints.objectSelector.matchLabels", FreeMap),
    ("spec.matchConstraints.resourceRules", Commutative),
    ("spec.matchConstraints.resourceRules[].scope", Default("\"*\"")),
    ("spec.matchConstraints.excludeResourceRules", Commutative),
    ("spec.matchConstraints.excludeResourceRules[].scope", Default("\"*\"")),
];

const ADMISSION_BINDING: Table = &[
    ("spec.validationActions", Set),
    ("spec.matchResources.matchPolicy", Default("\"Equivalent\"")),
    ("spec.matchResources.namespaceSelector", Default("{}")),
    ("spec.matchResources.namespaceSelector.matchLabels", FreeMap),
    ("spec.matchResources.objectSelector", Default("{}")),
    ("spec.matchResources.objectSelector.matchLabels", FreeMap),
    ("spec.matchResources.resourceRules", Commutative),
    ("spec.matchResources.resourceRules[].scope", Default("\"*\"")),
    ("spec.matchResources.excludeResourceRules", Commutative),
    ("spec.matchResources.excludeResourceRules[].scope", Default("\"*\"")),
];

const WEBHOOK: Table = &[
    ("webhooks", Keyed(&["name"])),
    ("webhooks[].failurePolicy", Default("\"Fail\"")),
    ("webhooks[].matchPolicy", Default("\"Equivalent\"")),
    ("webhooks[].namespaceSelector", Default("{}")),
    ("webhooks[].namespaceSelector.matchLabels", FreeMap),
    ("webhooks[].objectSelector", Default("{}")),
    ("webhooks[].objectSelector.matchLabels", FreeMap),
    ("webhooks[].timeoutSeconds", Default("10")),
    ("webhooks[].rules", Commutative),
    ("webhooks[].rules[].scope", Default("\"*\"")),
    ("webhooks[].clientConfig.service.port", Default("443")),
    ("webhooks[].matchConditions", Keyed(&["name"])),
];

const DEPLOYMENT: Table = &[
    ("spec.replicas", Default("1")),
    ("spec.revisionHistoryLimit", Default("10")),
    ("spec.progressDeadlineSeconds", Default("600")),
    ("spec.strategy", Default("{}")),
    ("spec.strategy.type", Default("\"RollingUpdate\"")),
    ("spec.strategy.rollingUpdate.maxUnavailable", Default("\"25%\"")),
    ("spec.strategy.rollingUpdate.maxSurge", Default("\"25%\"")),
    ("spec.minReadySeconds", Zero("0")),
    ("spec.paused", Zero("false")),
    ("spec.selector.matchLabels", FreeMap),
];

const STATEFUL_SET: Table = &[
    ("spec.replicas", Default("1")),
    ("spec.revisionHistoryLimit", Default("10")),
    ("spec.podManagementPolicy", Default("\"OrderedReady\"")),
    ("spec.updateStrategy", Default("{}")),
    ("spec.updateStrategy.type", Default("\"RollingUpdate\"")),
    ("spec.updateStrategy.rollingUpdate.partition", Default("0")),
    ("spec.persistentVolumeClaimRetentionPolicy", Default("{}")),
    ("spec.persistentVolumeClaimRetentionPolicy.whenDeleted", Default("\"Retain\"")),
    ("spec.persistentVolumeClaimRetentionPolicy.whenScaled", Default("\"Retain\"")),
    ("spec.minReadySeconds", Zero("0")),
    ("spec.selector.matchLabels", FreeMap),
];

const DAEMON_SET: Table = &[
    ("spec.revisionHistoryLimit", Default("10")),
    ("spec.updateStrategy", Default("{}")),
    ("spec.updateStrategy.type", Default("\"RollingUpdate\"")),
    ("spec.updateStrategy.rollingUpdate.maxUnavailable", Default("1")),
    ("spec.updateStrategy.rollingUpdate.maxSurge", Default("0")),
    ("spec.minReadySeconds", Zero("0")),
    ("spec.selector.matchLabels", FreeMap),
];

const JOB: Table = &[
    ("spec.parallelism", Default("1")),
    ("spec.completionMode", Default("\"NonIndexed\"")),
    ("spec.suspend", Default("false")),
    ("spec.manualSelector", Default("false")),
    ("spec.selector.matchLabels", FreeMap),
];

const CRON_JOB: Table = &[
    ("spec.concurrencyPolicy", Default("\"Allow\"")),
    ("spec.suspend", Default("false")),
    ("spec.successfulJobsHistoryLimit", Default("3")),
    ("spec.failedJobsHistoryLimit", Default("1")),
    ("spec.jobTemplate.metadata", Default("{}")),
];

/// A pod template, below its path; [`containers`] and [`volumes`] complete it.
const POD_TEMPLATE: Table = &[
    ("metadata", Default("{}")),
    ("metadata.labels", FreeMap),
    ("metadata.annotations", FreeMap),
    ("spec.dnsPolicy", Default("\"ClusterFirst\"")),
    ("spec.restartPolicy", Default("\"Always\"")),
    ("spec.securityContext", Default("{}")),
    ("spec.securityContext.supplementalGroups", Set),
    ("spec.terminationGracePeriodSeconds", Default("30")),
    ("spec.schedulerName", Default("\"default-scheduler\"")),
    ("spec.hostNetwork", Zero("false")),
    ("spec.hostPID", Zero("false")),
    ("spec.hostIPC", Zero("false")),
    ("spec.nodeSelector", FreeMap),
    ("spec.imagePullSecrets", Keyed(&["name"])),
    ("spec.topologySpreadConstraints", Keyed(&["topologyKey", "whenUnsatisfiable"])),
    ("spec.topologySpreadConstraints[].labelSelector.matchLabels", FreeMap),
    ("spec.hostAliases", Keyed(&["ip"])),
    ("spec.volumes", Keyed(&["name"])),
    ("spec.volumes[].emptyDir.sizeLimit", Quantity),
    ("spec.volumes[].secret.defaultMode", Default("420")),
    ("spec.volumes[].configMap.defaultMode", Default("420")),
    ("spec.volumes[].downwardAPI.defaultMode", Default("420")),
    ("spec.volumes[].downwardAPI.items[].fieldRef.apiVersion", Default("\"v1\"")),
    ("spec.volumes[].projected.defaultMode", Default("420")),
    ("spec.volumes[].projected.sources[].serviceAccountToken.expirationSeconds", Default("3600")),
    ("spec.volumes[].projected.sources[].downwardAPI.items[].fieldRef.apiVersion", Default("\"v1\"")),
    ("spec.volumes[].hostPath.type", Default("\"\"")),
    ("spec.volumes[].hostPath.type", Zero("null")), // "" is kept
    ("spec.containers", Keyed(&["name"])),
    ("spec.containers[].terminationMessagePath", Default("\"/dev/termination-log\"")),
    ("spec.containers[].terminationMessagePolicy", Default("\"File\"")),
    ("spec.containers[].resources", Default("{}")),
    ("spec.containers[].resources.limits", FreeMap),
    ("spec.containers[].resources.limits.*", Quantity),
    ("spec.containers[].resources.requests", FreeMap),
    ("spec.containers[].resources.requests.*", Quantity),
    ("spec.containers[].ports", Keyed(&["containerPort", "protocol"])),
    ("spec.containers[].ports[].protocol", Default("\"TCP\"")),
    ("spec.containers[].env", Keyed(&["name"])),
    ("spec.containers[].env[].valueFrom.fieldRef.apiVersion", Default("\"v1\"")),
    ("spec.containers[].env[].valueFrom.resourceFieldRef.divisor", Default("\"0\"")),
    ("spec.containers[].env[].valueFrom.resourceFieldRef.divisor", Quantity),
    ("spec.containers[].volumeMounts", Keyed(&["mountPath"])),
    ("spec.containers[].volumeMounts[].readOnly", Zero("false")),
    ("spec.containers[].stdin", Zero("false")),
    ("spec.containers[].stdinOnce", Zero("false")),
    ("spec.containers[].tty", Zero("false")),
    ("spec.containers[].securityContext.capabilities.add", Set),
    ("spec.containers[].securityContext.capabilities.drop", Set),
    ("spec.initContainers[].terminationMessagePath", Default("\"/dev/termination-log\"")),
    ("spec.initContainers[].terminationMessagePolicy", Default("\"File\"")),
    ("spec.initContainers[].resources", Default("{}")),
    ("spec.initContainers[].resources.limits", FreeMap),
    ("spec.initContainers[].resources.limits.*", Quantity),
    ("spec.initContainers[].resources.requests", FreeMap),
    ("spec.initContainers[].resources.requests.*", Quantity),
    ("spec.initContainers[].ports[].protocol", Default("\"TCP\"")),
    ("spec.initContainers[].env", Keyed(&["name"])),
    ("spec.initContainers[].env[].valueFrom.fieldRef.apiVersion", Default("\"v1\"")),
    ("spec.initContainers[].volumeMounts", Keyed(&["mountPath"])),
    ("spec.initContainers[].volumeMounts[].readOnly", Zero("false")),
];

fn namespace(name: &str, object: &mut Map<'_>) {
    let labels = object.map_at("metadata").and_then(|metadata| metadata.map_at("labels"));
    if let Some(labels) = labels {
        labels.insert("kubernetes.io/metadata.name", Node::text(name.to_owned()));
    }
}

fn service(object: &mut Map<'_>) {
    let Some(spec) = object.map_at("spec") else { return };
    for port in list_mut(spec, "ports") {
        let Some(port) = port.as_map_mut() else { continue };
        let number = port.get("port").cloned();
        let target = port.get("targetPort");
        if target.is_none_or(|target| target.is_empty() || *target == Node::Int(0))
            && let Some(number) = number
        {
            port.insert("targetPort", number);
        }
    }
    let kind = spec.get("type").and_then(Node::as_text).unwrap_or("ClusterIP").to_owned();
    let external_ips = spec.get("externalIPs").is_some_and(|list| !list.is_empty());
    let affinity = spec.get("sessionAffinity").and_then(Node::as_text).unwrap_or("None") == "ClientIP";
    if affinity {
        let config = spec.map_at("sessionAffinityConfig").and_then(|config| config.map_at("clientIP"));
        if let Some(config) = config {
            config.set_default("timeoutSeconds", || Node::Int(10800));
        }
    }
    if kind != "ExternalName" {
        spec.set_default("internalTrafficPolicy", || Node::text("Cluster"));
    }
    if matches!(kind.as_str(), "LoadBalancer" | "NodePort") || (kind == "ClusterIP" && external_ips) {
        spec.set_default("externalTrafficPolicy", || Node::text("Cluster"));
    }
    if kind == "LoadBalancer" {
        spec.set_default("allocateLoadBalancerNodePorts", || Node::Bool(true));
    }
}

/// For containers, a maximum is the default limit, a default limit the default request, a minimum the last resort.
fn limit_range(object: &mut Map<'_>) {
    let Some(spec) = object.map_at("spec") else { return };
    for limit in list_mut(spec, "limits") {
        let Some(limit) = limit.as_map_mut() else { continue };
        if limit.get("type").and_then(Node::as_text) != Some("Container") {
            continue;
        }
        for (from, to) in [("max", "default"), ("default", "defaultRequest"), ("min", "defaultRequest")] {
            let Some(values) = limit.get(from).and_then(Node::as_map).cloned() else { continue };
            let Some(target) = limit.map_at(to) else { continue };
            for (name, value) in values.iter() {
                if target.get(name).is_none() {
                    target.insert(name.to_owned(), value.clone());
                }
            }
        }
    }
}

fn binding(object: &mut Map<'_>) {
    for subject in list_mut(object, "subjects") {
        let Some(subject) = subject.as_map_mut() else { continue };
        let kind = subject.get("kind").and_then(Node::as_text).unwrap_or_default();
        if kind == "User" || kind == "Group" {
            if subject.get("apiGroup").is_some_and(Node::is_empty) {
                subject.remove("apiGroup");
            }
            subject.set_default("apiGroup", || Node::text("rbac.authorization.k8s.io"));
        }
    }
}

fn network_policy(object: &mut Map<'_>) {
    let Some(spec) = object.map_at("spec") else { return };
    if spec.get("policyTypes").is_some_and(|types| !types.is_empty()) {
        return;
    }
    let mut types = vec![Node::text("Ingress")];
    if spec.get("egress").is_some_and(|rules| !rules.is_empty()) {
        types.push(Node::text("Egress"));
    }
    spec.insert("policyTypes", Node::List(types));
}

fn workload(kind: Known, object: &mut Map<'_>) {
    let Some(spec) = object.map_at("spec") else { return };
    let (strategy, rolling) = match kind {
        Known::Deployment => ("strategy", true),
        // A StatefulSet gets the rolling part only when nobody named a type.
        Known::StatefulSet => ("updateStrategy", spec.get("updateStrategy").and_then(|s| s.get("type")).is_none()),
        _ => ("updateStrategy", true),
    };
    if let Some(strategy) = spec.map_at(strategy)
        && rolling
        && strategy.get("type").is_none_or(|kind| kind.as_text() == Some("RollingUpdate"))
    {
        strategy.map_at("rollingUpdate");
    }
    pod_template(spec);
}

fn job(object: &mut Map<'_>) {
    let labels = object.get("spec").and_then(|spec| spec.at(&["template", "metadata", "labels"])).cloned();
    if let (Some(labels), Some(metadata)) = (labels, object.map_at("metadata"))
        && metadata.get("labels").is_none_or(Node::is_empty)
    {
        metadata.insert("labels", labels);
    }
    let Some(spec) = object.map_at("spec") else { return };
    if spec.get("completions").is_none() && spec.get("parallelism").is_none() {
        spec.insert("completions", Node::Int(1));
    }
    let limit = if spec.get("backoffLimitPerIndex").is_some() { i64::from(i32::MAX) } else { 6 };
    spec.set_default("backoffLimit", || Node::Int(limit));
    let replacement = if spec.get("podFailurePolicy").is_some() { "Failed" } else { "TerminatingOrFailed" };
    spec.set_default("podReplacementPolicy", || Node::text(replacement));
    pod_template(spec);
}

fn pod_template(spec: &mut Map<'_>) {
    let Some(pod) = spec.map_at("template").and_then(|template| template.map_at("spec")) else { return };
    // The old name of the field follows the new one.
    if let Some(account) = pod.get("serviceAccountName").or_else(|| pod.get("serviceAccount")).cloned() {
        pod.insert("serviceAccountName", account.clone());
        pod.insert("serviceAccount", account);
    }
    for list in ["containers", "initContainers"] {
        for container in list_mut(pod, list) {
            let Some(container) = container.as_map_mut() else { continue };
            let image = container.get("image").and_then(Node::as_text).unwrap_or_default();
            let policy = if is_latest(image) { "Always" } else { "IfNotPresent" };
            container.set_default("imagePullPolicy", || Node::text(policy));
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                probe_defaults(container, probe);
            }
        }
    }
    for volume in list_mut(pod, "volumes") {
        let Some(volume) = volume.as_map_mut() else { continue };
        if volume.len() == 1 && volume.get("name").is_some() {
            volume.insert("emptyDir", Node::Map(Map::default()));
        }
    }
}

fn probe_defaults(container: &mut Map<'_>, name: &str) {
    let Some(probe) = container.get_mut(name).and_then(Node::as_map_mut) else { return };
    for (field, value) in
        [("timeoutSeconds", 1), ("periodSeconds", 10), ("successThreshold", 1), ("failureThreshold", 3)]
    {
        if probe.get(field) == Some(&Node::Int(0)) {
            probe.remove(field);
        }
        probe.set_default(field, || Node::Int(value));
    }
    if probe.get("initialDelaySeconds") == Some(&Node::Int(0)) {
        probe.remove("initialDelaySeconds");
    }
    if let Some(get) = probe.get_mut("httpGet").and_then(Node::as_map_mut) {
        get.set_default("path", || Node::text("/"));
        get.set_default("scheme", || Node::text("HTTP"));
    }
    if let Some(grpc) = probe.get_mut("grpc").and_then(Node::as_map_mut) {
        grpc.set_default("service", || Node::text(""));
    }
}

/// Whether an image has the tag `latest`, in words or by having neither tag nor digest.
fn is_latest(image: &str) -> bool {
    let (name, digest) = match image.split_once('@') {
        Some((name, _)) => (name, true),
        None => (image, false),
    };
    let last = name.rsplit('/').next().unwrap_or(name);
    match last.split_once(':') {
        Some((_, tag)) => tag == "latest",
        None => !digest,
    }
}

fn list_mut<'m, 'a>(map: &'m mut Map<'a>, key: &str) -> std::slice::IterMut<'m, Node<'a>> {
    match map.get_mut(key) {
        Some(Node::List(items)) => items.iter_mut(),
        _ => [].iter_mut(),
    }
}

fn join<'a>(prefix: &str, path: &'a str) -> Cow<'a, str> {
    if prefix.is_empty() { Cow::Borrowed(path) } else { Cow::Owned(format!("{prefix}.{path}")) }
}

#[cfg(test)]
mod tests {
    use super::super::shape::Origin;
    use super::*;

    fn defaulted(kind: Known, json: &str) -> String {
        let mut node = Node::from_json(json.as_bytes()).unwrap();
        compute_defaults(kind, "n", &mut node);
        let shape = shape(kind);
        shape.apply_defaults(&mut node);
        shape.prune(&mut node, Origin::Builtin);
        shape.normalise(&mut node);
        node.to_string()
    }

    #[test]
    fn policy_types_follow_the_rules() {
        for (from, types) in [
            (r#"{"spec":{}}"#, r#"["Ingress"]"#),
            (r#"{"spec":{"egress":[]}}"#, r#"["Ingress"]"#),
            (r#"{"spec":{"egress":[{}]}}"#, r#"["Egress","Ingress"]"#),
            (r#"{"spec":{"policyTypes":["Egress"]}}"#, r#"["Egress"]"#),
        ] {
            assert!(defaulted(Known::NetworkPolicy, from).contains(types), "{from}");
        }
    }

    #[test]
    fn a_peer_that_selects_everything_is_not_dropped() {
        let json =
            r#"{"spec":{"ingress":[{"from":[{"podSelector":{}}]},{}],"podSelector":{},"policyTypes":["Ingress"]}}"#;
        assert_eq!(defaulted(Known::NetworkPolicy, json), json);
    }

    #[test]
    fn limit_ranges_chain_their_defaults() {
        let json =
            r#"{"spec":{"limits":[{"max":{"cpu":"0.5"},"min":{"cpu":"1m","memory":"1024Mi"},"type":"Container"}]}}"#;
        let expected = concat!(
            r#"{"spec":{"limits":[{"default":{"cpu":"500m"},"defaultRequest":{"cpu":"500m","memory":"1073741824"},"#,
            r#""max":{"cpu":"500m"},"min":{"cpu":"1m","memory":"1073741824"},"type":"Container"}]}}"#
        );
        assert_eq!(defaulted(Known::LimitRange, json), expected);
    }

    #[test]
    fn image_tags_decide_the_pull_policy() {
        for (image, latest) in [
            ("a", true),
            ("r:5000/a", true),
            ("a:latest", true),
            ("a:latest@sha256:00", true),
            ("a:1", false),
            ("r:5000/a:1", false),
            ("a@sha256:00", false),
        ] {
            assert_eq!(is_latest(image), latest, "{image}");
        }
    }
}
