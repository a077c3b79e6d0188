//! What runs and what feeds it: Services, workloads, deliveries, secrets, certificates.

use super::super::change::{Class, Severity};
use super::super::diff::Change;
use super::super::kind::Known;
use super::super::node::Node;
use super::{Judgement, grants, restricts};

/// A difference in a Service.
pub fn service(path: &[&str], change: &Change<'_>, desired: &Node<'_>) -> Judgement {
    let (opens, closes) = ("it is reached from places that Git does not allow", "it is reached from fewer places");
    match path {
        ["spec", "type"] => {
            let rank = |node: Option<&Node<'_>>| match node.and_then(Node::as_text) {
                Some("LoadBalancer") => 3,
                Some("NodePort") => 2,
                Some("ClusterIP") => 1,
                _ => 0,
            };
            let wider = rank(change.found) > rank(change.expected);
            Judgement::either(if wider { Class::Widening } else { Class::Tightening }, Severity::High, opens, closes)
        }
        ["spec", "externalIPs", ..] => Judgement::either(grants(change.verdict), Severity::High, opens, closes),
        ["spec", "loadBalancerSourceRanges"] => {
            // Without any range, everybody may come.
            let bounded = desired.at(&["spec", "loadBalancerSourceRanges"]).is_some();
            let class = match change.expected.or(change.found) {
                Some(Node::List(_)) => restricts(change.verdict),
                _ if bounded => grants(change.verdict),
                _ => restricts(change.verdict),
            };
            Judgement::either(class, Severity::High, opens, closes)
        }
        ["spec", "ports", "[]"] => Judgement::either(
            grants(change.verdict),
            Severity::Medium,
            "another port is reached",
            "a port is not reached",
        ),
        ["spec", "selector", ..] | ["spec", "externalName"] | ["spec", "clusterIP"] => {
            Judgement::neutral(Severity::High, "its traffic goes elsewhere")
        }
        _ => Judgement::neutral(Severity::Medium, "traffic is routed differently"),
    }
}

/// A difference in something that makes pods.
pub fn workload(path: &[&str], change: &Change<'_>) -> Judgement {
    let pod = match path {
        ["spec", "template", rest @ ..] | ["spec", "jobTemplate", "spec", "template", rest @ ..] => rest,
        ["spec", "replicas" | "parallelism"] => {
            return Judgement::neutral(Severity::Medium, "another number of pods runs");
        }
        ["spec", "suspend" | "paused"] => return Judgement::neutral(Severity::High, "changes are not rolled out"),
        _ => return Judgement::neutral(Severity::Medium, "pods are replaced differently"),
    };
    let privileged = "its pods have privileges that Git does not give";
    match pod {
        ["spec", "serviceAccountName" | "serviceAccount"] => {
            Judgement::new(Class::Widening, Severity::High, "its pods run as another account")
        }
        ["spec", "hostNetwork" | "hostPID" | "hostIPC" | "automountServiceAccountToken"] => {
            let class = if change.found == Some(&Node::Bool(true)) || change.expected == Some(&Node::Bool(false)) {
                Class::Widening
            } else {
                Class::Tightening
            };
            Judgement::either(class, Severity::High, privileged, "its pods have fewer privileges")
        }
        ["spec", "securityContext", ..] | ["spec", "containers" | "initContainers", "[]", "securityContext", ..] => {
            Judgement::new(Class::Widening, Severity::High, privileged)
        }
        ["spec", "volumes", "[]", ..] if mentions(change.found, "hostPath") => {
            Judgement::new(Class::Widening, Severity::High, "its pods see the node's files")
        }
        ["spec", "containers" | "initContainers" | "ephemeralContainers", "[]"] => {
            Judgement::neutral(Severity::High, "other containers run")
        }
        ["spec", "containers" | "initContainers", "[]", "image" | "command" | "args", ..] => {
            Judgement::neutral(Severity::High, "other code runs")
        }
        _ => Judgement::neutral(Severity::Medium, "its pods run differently"),
    }
}

/// A difference in what Flux or Argo CD deploys.
pub fn flux(path: &[&str], change: &Change<'_>) -> Judgement {
    match path {
        ["spec", "suspend"] => Judgement::neutral(Severity::High, "changes in Git do not reach the cluster"),
        ["spec", "driftDetection", ..] | ["spec", "syncPolicy", ..] | ["spec", "prune"] => {
            Judgement::neutral(Severity::High, "changes in the cluster are mended differently")
        }
        ["spec", "serviceAccountName"] | ["spec", "project"] | ["spec", "kubeConfig", ..] => {
            Judgement::new(Class::Widening, Severity::High, "it deploys with another account's rights")
        }
        ["spec", "verify", ..] => {
            let class = restricts(change.verdict);
            Judgement::either(
                class,
                Severity::High,
                "sources are accepted that nobody signed as Git asks",
                "fewer sources are accepted",
            )
        }
        ["spec", "url" | "ref" | "sourceRef" | "chart" | "chartRef" | "path" | "source" | "sources", ..] => {
            Judgement::neutral(Severity::High, "it deploys something else")
        }
        ["spec", "values" | "valuesFrom" | "patches" | "postBuild" | "postRenderers", ..] => {
            Judgement::neutral(Severity::High, "it deploys with other values")
        }
        _ => Judgement::neutral(Severity::Medium, "it deploys differently"),
    }
}

/// A difference in where secrets come from and go to.
pub fn secret(kind: Known, path: &[&str], change: &Change<'_>) -> Judgement {
    match (kind, path) {
        (Known::PushSecret, ["spec", "refreshInterval"]) | (_, ["spec", "refreshInterval" | "refreshPolicy"]) => {
            Judgement::neutral(Severity::Medium, "rotation reaches it later or earlier")
        }
        (Known::PushSecret, _) => Judgement::either(
            grants(change.verdict),
            Severity::High,
            "a secret goes to another place",
            "a secret does not go out",
        ),
        (Known::SecretStore, _) => {
            Judgement::neutral(Severity::High, "secrets come from another place or by another account")
        }
        (Known::ExternalSecret, ["spec", "target", ..]) => {
            Judgement::neutral(Severity::High, "the secret is written differently")
        }
        (Known::ExternalSecret, _) => Judgement::neutral(Severity::High, "another secret is read"),
        _ => Judgement::neutral(Severity::High, "the secret is another"),
    }
}

/// A difference in a Certificate.
pub fn certificate(path: &[&str]) -> Judgement {
    match path {
        ["spec", "issuerRef", ..] => Judgement::neutral(Severity::High, "somebody else signs the certificate"),
        ["spec", "secretName"] => Judgement::neutral(Severity::High, "the certificate is written elsewhere"),
        ["spec", "dnsNames" | "ipAddresses" | "uris" | "commonName" | "isCA" | "usages", ..] => {
            Judgement::neutral(Severity::High, "the certificate stands for other names or uses")
        }
        _ => Judgement::neutral(Severity::Medium, "the certificate is made differently"),
    }
}

/// Whether a value is, or holds, a field of that name.
fn mentions(node: Option<&Node<'_>>, name: &str) -> bool {
    node.is_some_and(|node| node.get(name).is_some())
}

#[cfg(test)]
mod tests {
    use super::super::tests::judged;
    use super::*;

    #[test]
    fn services_open_by_address_and_type() {
        let service = |body: &str| format!(r#"{{"spec":{{"x":1{body}}}}}"#);
        for (desired, live, class) in [
            ("", r#","externalIPs":["192.0.2.1"]"#, Class::Widening),
            (r#","type":"ClusterIP""#, r#","type":"LoadBalancer""#, Class::Widening),
            (r#","type":"NodePort""#, r#","type":"ClusterIP""#, Class::Tightening),
            (r#","loadBalancerSourceRanges":["10.0.0.0/8"]"#, "", Class::Widening),
            ("", r#","loadBalancerSourceRanges":["10.0.0.0/8"]"#, Class::Tightening),
            (r#","loadBalancerSourceRanges":["a"]"#, r#","loadBalancerSourceRanges":["a","b"]"#, Class::Widening),
            (r#","selector":{"a":"b"}"#, r#","selector":{"a":"c"}"#, Class::Neutral),
        ] {
            assert_eq!(judged(Known::Service, &service(desired), &service(live)).0, class, "{desired} {live}");
        }
    }

    #[test]
    fn workloads_open_by_privilege() {
        let pod = |body: &str| format!(r#"{{"spec":{{"template":{{"spec":{{"x":1{body}}}}}}}}}"#);
        for (desired, live, class) in [
            ("", r#","hostNetwork":true"#, Class::Widening),
            (r#","serviceAccountName":"a""#, r#","serviceAccountName":"b""#, Class::Widening),
            (r#","volumes":[]"#, r#","volumes":[{"hostPath":{"path":"/"},"name":"v"}]"#, Class::Widening),
            (
                r#","containers":[{"image":"a","name":"c"}]"#,
                r#","containers":[{"image":"b","name":"c"}]"#,
                Class::Neutral,
            ),
        ] {
            assert_eq!(judged(Known::Deployment, &pod(desired), &pod(live)).0, class, "{desired} {live}");
        }
    }

    #[test]
    fn a_suspended_release_is_told_though_it_opens_nothing() {
        let release = |body: &str| format!(r#"{{"spec":{{"interval":"1h"{body}}}}}"#);
        let judged = judged(Known::HelmRelease, &release(""), &release(r#","suspend":true"#));
        assert_eq!(judged, (Class::Neutral, Severity::High));
    }
}
