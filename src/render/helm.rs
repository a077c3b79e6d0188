//! The releases of the two charts: Flux's OCIRepository and HelmRelease, or Argo CD's Application.

use serde::Serialize;
use serde_json::{Value, json};

use super::{gitops, values};
use crate::config::Fleet;
use crate::config::install::ChartName;
use crate::config::types::Version;
use crate::manifest::ObjectId;
use crate::plan::names::SYSTEM_NAMESPACE;
use crate::plan::{ClusterPlan, TenantPlan};

/// What the release templates see.
#[derive(Debug, Clone, Serialize)]
pub struct Helm {
    name: &'static str,
    namespace: String,
    url: String,
    argocd_url: String,
    argocd_namespace: String,
    application: String,
    #[serde(rename = "ref")]
    reference: Value,
    target_revision: String,
    verify: Option<Value>,
    interval: String,
    timeout: String,
    shard: Option<String>,
    depends_on: Option<Value>,
    values: Value,
}

impl Helm {
    /// The release of soctalk-tenant.
    pub fn tenant(fleet: &Fleet, plan: &TenantPlan<'_>) -> Self {
        let mut helm = Self::new(fleet, ChartName::Tenant, plan.chart_version, values::tenant(fleet, plan));
        helm.namespace.clone_from(&plan.namespace);
        helm.application = format!("{}-chart", plan.namespace);
        helm.timeout = plan.timeout.into();
        helm.shard = crate::plan::shard::of(&fleet.install, plan.tenant.tenant.slug.as_str());
        helm.depends_on = Some(json!([{ "name": "soctalk-system", "namespace": SYSTEM_NAMESPACE }]));
        helm
    }

    /// The release of soctalk-system.
    pub fn system(fleet: &Fleet, cluster: &ClusterPlan<'_>) -> Self {
        Self::new(fleet, ChartName::System, cluster.system_version, values::system(fleet, cluster))
    }

    fn new(fleet: &Fleet, chart: ChartName, version: &Version, values: Value) -> Self {
        let charts = &fleet.install.charts;
        let name = match chart {
            ChartName::System => "soctalk-system",
            ChartName::Tenant => "soctalk-tenant",
        };
        let (reference, target_revision) = values::chart_reference(fleet, chart, version);
        let verify = charts.verify.as_ref().map(|cosign| json!({ "issuer": cosign.issuer, "subject": cosign.subject }));
        let repository = charts.repository.as_str().trim_end_matches('/');
        Self {
            name,
            namespace: SYSTEM_NAMESPACE.into(),
            url: format!("{repository}/{name}"),
            // Argo CD writes OCI registries without their scheme.
            argocd_url: repository.trim_start_matches("oci://").to_owned(),
            argocd_namespace: gitops::namespace(fleet),
            application: format!("{name}-chart"),
            reference,
            target_revision,
            verify,
            interval: fleet.install.gitops.interval.go(),
            timeout: "15m0s".into(),
            shard: None,
            depends_on: None,
            values,
        }
    }

    /// Objects of the release templates.
    pub fn objects(helm: &Value, flux: bool) -> Vec<ObjectId> {
        let text = |key: &str| helm[key].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        if flux {
            vec![
                ObjectId::namespaced("source.toolkit.fluxcd.io/v1", "OCIRepository", &namespace, name.clone()),
                ObjectId::namespaced("helm.toolkit.fluxcd.io/v2", "HelmRelease", &namespace, name),
            ]
        } else {
            vec![ObjectId::namespaced(
                "argoproj.io/v1alpha1",
                "Application",
                &text("argocd_namespace"),
                text("application"),
            )]
        }
    }
}
