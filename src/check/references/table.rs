//! Which fields name other objects: one table, by the kind that has the field.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// What stands in a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The name of an object of this kind, in the same namespace.
    Name(&'static str),
    /// The name of an object of this kind that belongs to no namespace.
    ClusterName(&'static str),
    /// A mapping with `name`, and with `kind` and `namespace` where they differ from this kind and the own namespace.
    Object(&'static str),
    /// A mapping with `type` and `name`.
    Typed,
    /// A mapping with `name` that may say that it is `optional`.
    Optional(&'static str),
    /// The folder of a unit.
    Unit,
}

/// A field that names an object.
#[derive(Debug, Clone)]
pub struct Field {
    /// Keys on the way to it; `[]` is every item of a list, `*` every value of a mapping.
    pub path: Vec<&'static str>,
    /// What stands in it.
    pub form: Form,
}

/// Kinds that lie in no namespace.
pub const CLUSTER_KINDS: [&str; 12] = [
    "ClusterIssuer",
    "ClusterRole",
    "ClusterRoleBinding",
    "ClusterSecretStore",
    "GatewayClass",
    "IngressClass",
    "Namespace",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// Kinds with a pod template, and where it is.
const PODS: [(&str, &str); 7] = [
    ("Pod", "spec"),
    ("Deployment", "spec.template.spec"),
    ("StatefulSet", "spec.template.spec"),
    ("DaemonSet", "spec.template.spec"),
    ("ReplicaSet", "spec.template.spec"),
    ("Job", "spec.template.spec"),
    ("CronJob", "spec.jobTemplate.spec.template.spec"),
];

/// Fields of a pod.
const POD: [(&str, Form); 17] = [
    ("serviceAccountName", Form::Name("ServiceAccount")),
    ("priorityClassName", Form::ClusterName("PriorityClass")),
    ("runtimeClassName", Form::ClusterName("RuntimeClass")),
    ("imagePullSecrets.[]", Form::Object("Secret")),
    ("volumes.[].secret.secretName", Form::Name("Secret")),
    ("volumes.[].configMap", Form::Optional("ConfigMap")),
    ("volumes.[].persistentVolumeClaim.claimName", Form::Name("PersistentVolumeClaim")),
    ("volumes.[].projected.sources.[].secret", Form::Optional("Secret")),
    ("volumes.[].projected.sources.[].configMap", Form::Optional("ConfigMap")),
    ("containers.[].env.[].valueFrom.secretKeyRef", Form::Optional("Secret")),
    ("containers.[].env.[].valueFrom.configMapKeyRef", Form::Optional("ConfigMap")),
    ("containers.[].envFrom.[].secretRef", Form::Optional("Secret")),
    ("containers.[].envFrom.[].configMapRef", Form::Optional("ConfigMap")),
    ("initContainers.[].env.[].valueFrom.secretKeyRef", Form::Optional("Secret")),
    ("initContainers.[].env.[].valueFrom.configMapKeyRef", Form::Optional("ConfigMap")),
    ("initContainers.[].envFrom.[].secretRef", Form::Optional("Secret")),
    ("initContainers.[].envFrom.[].configMapRef", Form::Optional("ConfigMap")),
];

/// Values of the two charts. Names that a chart knows by itself are those of the inventory and of its accounts.
const VALUES: [(&str, Form); 13] = [
    ("adapter.tokenSecretRef", Form::Object("Secret")),
    ("llm.apiKeyRef", Form::Object("Secret")),
    ("secrets.*", Form::Name("Secret")),
    ("imagePullSecrets.[]", Form::Object("Secret")),
    ("wazuhIngress.tls.secretName", Form::Name("Secret")),
    ("components.*.persistence.storageClassName", Form::ClusterName("StorageClass")),
    ("components.wazuh.*.persistence.storageClassName", Form::ClusterName("StorageClass")),
    ("compatibilityConfigMap", Form::Name("ConfigMap")),
    ("postgres.external.existingSecret", Form::Name("Secret")),
    ("postgres.storage.storageClassName", Form::ClusterName("StorageClass")),
    ("ingress.className", Form::ClusterName("IngressClass")),
    ("ingress.tls.issuerRef", Form::ClusterName("ClusterIssuer")),
    ("ingress.tls.secretName", Form::Name("Secret")),
];

/// Where the values of a release lie.
const RELEASES: [(&str, &str); 2] = [("HelmRelease", "spec.values"), ("Application", "spec.source.helm.valuesObject")];

/// Fields of the other kinds. A binding's role is the access proof's affair.
const FIELDS: [(&str, &str, Form); 48] = [
    ("Application", "spec.project", Form::Name("AppProject")),
    ("Application", "spec.source.path", Form::Unit),
    ("Certificate", "spec.issuerRef", Form::Object("Issuer")),
    ("ClusterRoleBinding", "subjects.[]", Form::Object("")),
    ("ClusterSecretStore", "spec.provider.vault.auth.kubernetes.serviceAccountRef", Form::Object("ServiceAccount")),
    ("ExternalSecret", "spec.secretStoreRef", Form::Object("SecretStore")),
    ("ExternalSecret", "spec.data.[].sourceRef.storeRef", Form::Object("SecretStore")),
    ("ExternalSecret", "spec.data.[].sourceRef.generatorRef", Form::Object("")),
    ("ExternalSecret", "spec.dataFrom.[].sourceRef.storeRef", Form::Object("SecretStore")),
    ("ExternalSecret", "spec.dataFrom.[].sourceRef.generatorRef", Form::Object("")),
    ("Gateway", "spec.gatewayClassName", Form::ClusterName("GatewayClass")),
    ("Gateway", "spec.listeners.[].tls.certificateRefs.[]", Form::Object("Secret")),
    ("GitRepository", "spec.secretRef", Form::Object("Secret")),
    ("GitRepository", "spec.verify.secretRef", Form::Object("Secret")),
    ("HTTPRoute", "spec.parentRefs.[]", Form::Object("Gateway")),
    ("HelmChart", "spec.sourceRef", Form::Object("HelmRepository")),
    ("HelmRelease", "spec.chart.spec.sourceRef", Form::Object("HelmRepository")),
    ("HelmRelease", "spec.chartRef", Form::Object("OCIRepository")),
    ("HelmRelease", "spec.dependsOn.[]", Form::Object("HelmRelease")),
    ("HelmRelease", "spec.kubeConfig.secretRef", Form::Object("Secret")),
    ("HelmRelease", "spec.serviceAccountName", Form::Name("ServiceAccount")),
    ("HelmRelease", "spec.valuesFrom.[]", Form::Optional("")),
    ("HelmRepository", "spec.secretRef", Form::Object("Secret")),
    ("Ingress", "spec.ingressClassName", Form::ClusterName("IngressClass")),
    ("Ingress", "spec.tls.[].secretName", Form::Name("Secret")),
    ("Issuer", "spec.ca.secretName", Form::Name("Secret")),
    ("Kustomization", "spec.decryption.secretRef", Form::Object("Secret")),
    ("Kustomization", "spec.dependsOn.[]", Form::Object("Kustomization")),
    ("Kustomization", "spec.healthChecks.[]", Form::Object("")),
    ("Kustomization", "spec.path", Form::Unit),
    ("Kustomization", "spec.postBuild.substituteFrom.[]", Form::Optional("")),
    ("Kustomization", "spec.serviceAccountName", Form::Name("ServiceAccount")),
    ("Kustomization", "spec.sourceRef", Form::Object("GitRepository")),
    ("OCIRepository", "spec.certSecretRef", Form::Object("Secret")),
    ("OCIRepository", "spec.secretRef", Form::Object("Secret")),
    ("OCIRepository", "spec.verify.secretRef", Form::Object("Secret")),
    ("PersistentVolumeClaim", "spec.storageClassName", Form::ClusterName("StorageClass")),
    ("PushSecret", "spec.secretStoreRefs.[]", Form::Object("SecretStore")),
    ("PushSecret", "spec.selector.generatorRef", Form::Object("")),
    ("PushSecret", "spec.selector.secret", Form::Object("Secret")),
    ("RoleBinding", "subjects.[]", Form::Object("")),
    ("SecretStore", "spec.provider.aws.auth.jwt.serviceAccountRef", Form::Object("ServiceAccount")),
    ("SecretStore", "spec.provider.azurekv.serviceAccountRef", Form::Object("ServiceAccount")),
    ("SecretStore", "spec.provider.gcpsm.auth.workloadIdentity.serviceAccountRef", Form::Object("ServiceAccount")),
    ("SecretStore", "spec.provider.vault.auth.kubernetes.serviceAccountRef", Form::Object("ServiceAccount")),
    ("SecretStore", "spec.provider.vault.caProvider", Form::Typed),
    ("ServiceAccount", "imagePullSecrets.[]", Form::Object("Secret")),
    ("ValidatingAdmissionPolicyBinding", "spec.policyName", Form::ClusterName("ValidatingAdmissionPolicy")),
];

/// Further fields of objects with a provider inside, as generators have.
const PROVIDERS: [(&str, &str, Form); 2] = [
    ("VaultDynamicSecret", "spec.provider.auth.kubernetes.serviceAccountRef", Form::Object("ServiceAccount")),
    ("VaultDynamicSecret", "spec.provider.caProvider", Form::Typed),
];

static TABLE: LazyLock<BTreeMap<&'static str, Vec<Field>>> = LazyLock::new(|| {
    let mut table: BTreeMap<&str, Vec<Field>> = BTreeMap::new();
    let mut add = |kind, prefix: &'static str, path: &'static str, form| {
        let path = prefix.split('.').chain(path.split('.')).filter(|key| !key.is_empty()).collect();
        table.entry(kind).or_default().push(Field { path, form });
    };
    for (kind, path, form) in FIELDS.into_iter().chain(PROVIDERS) {
        add(kind, "", path, form);
    }
    for (kind, prefix) in PODS {
        POD.into_iter().for_each(|(path, form)| add(kind, prefix, path, form));
    }
    for (kind, prefix) in RELEASES {
        VALUES.into_iter().for_each(|(path, form)| add(kind, prefix, path, form));
    }
    table
});

/// The fields of a kind that name other objects.
pub fn fields(kind: &str) -> &'static [Field] {
    TABLE.get(kind).map(Vec::as_slice).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_somewhere_and_none_twice() {
        for (kind, fields) in TABLE.iter() {
            let mut seen = std::collections::BTreeSet::new();
            for field in fields {
                assert!(field.path.iter().all(|key| !key.is_empty()), "{kind}: {field:?}");
                assert!(seen.insert(field.path.clone()), "{kind}: {field:?} is there twice");
            }
        }
        assert!(fields("HelmRelease").len() > 15 && fields("ConfigMap").is_empty());
    }
}
