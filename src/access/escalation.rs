//! What a rule lets its holder do to Secrets: read or change them, or become somebody who can.

use super::rule::Rule;

/// What a right amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// Reads these Secrets.
    Read,
    /// Changes these Secrets.
    Write,
    /// Reads every Secret of the namespace and acts as every account of it.
    Run,
    /// Acts as accounts of the namespace.
    Become,
    /// Gives itself or others more than it has.
    Promote,
    /// Everything, in every namespace.
    Own,
}

/// A right that amounts to more than its name says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Escalation {
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    /// What it amounts to.
    pub act: Act,
    /// Why, for people.
    pub why: &'static str,
    /// Whether the resource has no namespace: a role of a namespace cannot grant it.
    of_cluster: bool,
}

const fn own(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    act: Act,
    why: &'static str,
) -> Escalation {
    Escalation { group, resource, verbs, act, why, of_cluster: false }
}

const fn of_cluster(
    group: &'static str,
    resource: &'static str,
    verbs: &'static [&'static str],
    act: Act,
    why: &'static str,
) -> Escalation {
    Escalation { of_cluster: true, ..own(group, resource, verbs, act, why) }
}

const MAKE: &[&str] = &["create", "patch", "update"];
const RBAC: &str = "rbac.authorization.k8s.io";
const POD: &str = "a pod can mount every Secret of its namespace and run as every account of it";
const WORKLOAD: &str = "its pods can mount every Secret of the namespace and run as every account of it";
const EXEC: &str = "a command in a running pod sees the Secrets that the pod mounts, and its account's token";
const HANDS_ON: &str = "it can hand on what it may itself";

/// The rights, after *Role Based Access Control Good Practices*; and those of the operators that act for others.
static ESCALATIONS: [Escalation; 33] = [
    own("", "pods", MAKE, Act::Run, POD),
    own("", "pods/ephemeralcontainers", MAKE, Act::Run, POD),
    own("", "pods/exec", &["create", "get"], Act::Run, EXEC),
    own("", "pods/attach", &["create", "get"], Act::Run, EXEC),
    own("", "replicationcontrollers", MAKE, Act::Run, WORKLOAD),
    own("", "podtemplates", MAKE, Act::Run, WORKLOAD),
    own("apps", "deployments", MAKE, Act::Run, WORKLOAD),
    own("apps", "statefulsets", MAKE, Act::Run, WORKLOAD),
    own("apps", "daemonsets", MAKE, Act::Run, WORKLOAD),
    own("apps", "replicasets", MAKE, Act::Run, WORKLOAD),
    own("batch", "jobs", MAKE, Act::Run, WORKLOAD),
    own("batch", "cronjobs", MAKE, Act::Run, WORKLOAD),
    own("", "serviceaccounts/token", &["create"], Act::Become, "it can ask for a token of an account"),
    own("", "serviceaccounts", &["impersonate"], Act::Become, "it can speak in the name of an account"),
    of_cluster("", "users", &["impersonate"], Act::Own, "it can speak in the name of everybody"),
    of_cluster("", "groups", &["impersonate"], Act::Own, "it can speak in the name of every group"),
    own(RBAC, "roles", &["bind", "escalate"], Act::Promote, "it can give rights that it does not have"),
    own(RBAC, "clusterroles", &["bind", "escalate"], Act::Promote, "it can give rights that it does not have"),
    own(RBAC, "roles", MAKE, Act::Promote, HANDS_ON),
    own(RBAC, "rolebindings", MAKE, Act::Promote, HANDS_ON),
    of_cluster(RBAC, "clusterroles", MAKE, Act::Promote, HANDS_ON),
    of_cluster(RBAC, "clusterrolebindings", MAKE, Act::Promote, HANDS_ON),
    of_cluster("", "nodes/proxy", &["create", "get"], Act::Own, "a node's own interface runs commands in every pod"),
    of_cluster(
        "certificates.k8s.io",
        "certificatesigningrequests/approval",
        MAKE,
        Act::Own,
        "a certificate can name anybody",
    ),
    of_cluster("certificates.k8s.io", "signers", &["approve", "sign"], Act::Own, "a certificate can name anybody"),
    of_cluster(
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        MAKE,
        Act::Own,
        "a webhook sees every Secret that is written",
    ),
    of_cluster(
        "admissionregistration.k8s.io",
        "validatingwebhookconfigurations",
        MAKE,
        Act::Own,
        "a webhook sees every Secret that is written",
    ),
    of_cluster(
        "apiregistration.k8s.io",
        "apiservices",
        MAKE,
        Act::Own,
        "an API server of its own is sent other people's requests",
    ),
    own(
        "external-secrets.io",
        "pushsecrets",
        MAKE,
        Act::Run,
        "External Secrets copies every Secret of the namespace where it says",
    ),
    own(
        "external-secrets.io",
        "externalsecrets",
        MAKE,
        Act::Run,
        "External Secrets reads for it whatever the namespace's store may",
    ),
    own(
        "helm.toolkit.fluxcd.io",
        "helmreleases",
        MAKE,
        Act::Run,
        "Flux installs what it says, as an account of the namespace",
    ),
    own(
        "kustomize.toolkit.fluxcd.io",
        "kustomizations",
        MAKE,
        Act::Run,
        "Flux applies what it says, as an account of the namespace",
    ),
    own("argoproj.io", "applications", MAKE, Act::Run, "Argo CD installs what it says"),
];

/// Verbs whose answer holds what is in the Secret. (A change is answered with the whole object.)
const READS: &[&str] = &["deletecollection", "get", "list", "patch", "watch"];
/// Verbs that change a Secret.
const WRITES: &[&str] = &["create", "delete", "deletecollection", "patch", "update"];

/// Something that a rule amounts to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount<'r> {
    /// What.
    pub act: Act,
    /// The names that it is held to; none for all.
    pub names: &'r [String],
    /// The resource and the verbs.
    pub right: String,
    /// Why.
    pub why: &'static str,
}

/// Everything that a rule amounts to, in a namespace or in all of them.
pub fn amounts(rule: &Rule, in_every_namespace: bool) -> Vec<Amount<'_>> {
    let mut found = Vec::new();
    let mut add = |act, resource: &str, verbs: Vec<&str>, why| {
        if !verbs.is_empty() {
            // Neither is held to names: there is no name yet, or there are many.
            let names =
                if verbs.iter().all(|verb| matches!(*verb, "create" | "deletecollection")) && resource == "secrets" {
                    &[]
                } else {
                    rule.names.as_slice()
                };
            found.push(Amount { act, names, right: format!("{} {resource}", verbs.join(", ")), why });
        }
    };
    if rule.is_about("", "secrets") {
        add(Act::Read, "secrets", rule.granted(READS), "");
        add(Act::Write, "secrets", rule.granted(WRITES), "");
    }
    for own in ESCALATIONS.iter().filter(|own| in_every_namespace || !own.of_cluster) {
        if rule.is_about(own.group, own.resource) {
            add(own.act, own.resource, rule.granted(own.verbs), own.why);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn acts(group: &str, resource: &str, verb: &str, everywhere: bool) -> Vec<Act> {
        let rule = json!({ "apiGroups": [group], "resources": [resource], "verbs": [verb] });
        let rule = Rule::read(&rule).unwrap().unwrap();
        amounts(&rule, everywhere).iter().map(|amount| amount.act).collect()
    }

    #[test]
    fn what_reads_and_what_only_seems_to() {
        assert_eq!(acts("", "secrets", "get", false), [Act::Read]);
        assert_eq!(acts("", "secrets", "list", false), [Act::Read]);
        assert_eq!(acts("", "secrets", "patch", false), [Act::Read, Act::Write]);
        assert_eq!(acts("", "secrets", "create", false), [Act::Write]);
        assert_eq!(acts("", "configmaps", "*", true), []);
        assert_eq!(acts("", "pods", "get", false), []);
        assert_eq!(acts("", "pods", "create", false), [Act::Run]);
        assert_eq!(acts("", "serviceaccounts", "create", false), []);
        assert_eq!(acts("", "serviceaccounts/token", "create", false), [Act::Become]);
        // A role of a namespace has nothing to say about nodes.
        assert_eq!(acts("", "nodes/proxy", "get", false), []);
        assert_eq!(acts("", "nodes/proxy", "get", true), [Act::Own]);
        assert!(acts("*", "*", "*", true).contains(&Act::Own));
    }
}
