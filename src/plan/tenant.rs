//! Decides the values of one tenant.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::origin::{Origin, Record};
use super::sizing::{self, Quota, Sizes};
use super::{compat, names};
use crate::config::Fleet;
use crate::config::install::Cluster;
use crate::config::tenant::{Profile, State, Tenant, Tier, TlsMode, WazuhMode};
use crate::config::types::{HttpsUrl, Version};
use crate::finding::{Finding, any_error};

/// One tenant with every value decided.
#[derive(Debug, Clone)]
pub struct TenantPlan<'a> {
    /// The tenant's file.
    pub tenant: &'a Tenant,
    /// Its cluster.
    pub cluster: &'a Cluster,
    /// Its namespace.
    pub namespace: String,
    /// Labels of its namespace.
    pub labels: BTreeMap<&'static str, String>,
    /// Tier.
    pub tier: Tier,
    /// Version of soctalk-tenant.
    pub chart_version: &'a Version,
    /// Sizing profile.
    pub profile: Profile,
    /// Language model: protocol.
    pub llm_provider: &'static str,
    /// Language model: endpoint.
    pub llm_url: &'a HttpsUrl,
    /// Language model: model.
    pub llm_model: String,
    /// Host of the language model.
    pub llm: ExternalHost,
    /// The customer's own Cortex.
    pub cortex: Option<ExternalHost>,
    /// Components that run.
    pub sizes: Sizes,
    /// Quota of the namespace.
    pub quota: Quota,
    /// Way in for agents.
    pub wazuh_mode: WazuhMode,
    /// Whether agents may come in.
    pub agents_welcome: bool,
    /// Certificate of the enrolment channel.
    pub tls_mode: TlsMode,
    /// Host name at which agents enrol.
    pub hostname: String,
    /// How long an install or upgrade may take, as Go writes it.
    pub timeout: &'static str,
}

impl TenantPlan<'_> {
    /// The service accounts of the pods that run.
    pub fn accounts(&self) -> Vec<&'static str> {
        let account = |component: &&'static str| match *component {
            "wazuh.manager" => "wazuh-manager",
            "wazuh.indexer" => "wazuh-indexer",
            "wazuh.dashboard" => "wazuh-dashboard",
            "adapter" => "soctalk-adapter",
            other => other,
        };
        self.sizes.keys().map(account).collect()
    }
}

/// A host outside of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ExternalHost {
    /// Name.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl ExternalHost {
    fn of(url: &HttpsUrl) -> Self {
        let (host, port) = url.host_and_port();
        Self { host: host.to_string(), port }
    }
}

/// Decides one tenant; `None` for one that is not rendered in its state, or that has errors among the findings.
/// Findings carry the tenant and the pointer of the field.
pub fn resolve<'a>(
    fleet: &'a Fleet,
    cluster: &'a Cluster,
    system_version: &'a Version,
    tenant: &'a Tenant,
    record: &mut impl Record,
) -> (Option<TenantPlan<'a>>, Vec<Finding>) {
    let slug = tenant.tenant.slug.as_str();
    let mut findings = lifecycle_rules(tenant);
    if !tenant.lifecycle.state.is_rendered() {
        return (None, with_tenant(findings, slug));
    }
    let (install, defaults) = (&fleet.install, &fleet.install.defaults);
    let mut pick = Picker { record };
    let tier =
        pick.value("tier", tenant.tenant.tier, defaults.tier, "/tenant/tier", "/defaults/tier", |t| tier_word(*t));
    let chart = &install.charts.tenant_version;
    let chart_version = pick.value(
        "chartVersion",
        tenant.tenant.chart_version.as_ref(),
        chart,
        "/tenant/chartVersion",
        "/charts/tenantVersion",
        |v| v.to_string(),
    );
    let profile =
        pick.value("profile", tenant.sizing.profile, defaults.profile, "/sizing/profile", "/defaults/profile", |p| {
            p.as_str().into()
        });
    let llm_provider = pick.value(
        "llm.provider",
        tenant.llm.provider,
        defaults.llm.provider,
        "/llm/provider",
        "/defaults/llm/provider",
        |p| p.as_str().into(),
    );
    let llm_url = pick.value(
        "llm.baseUrl",
        tenant.llm.base_url.as_ref(),
        &defaults.llm.base_url,
        "/llm/baseUrl",
        "/defaults/llm/baseUrl",
        |u| u.to_string(),
    );
    let llm_model = pick.value(
        "llm.model",
        tenant.llm.model.as_ref(),
        &defaults.llm.model,
        "/llm/model",
        "/defaults/llm/model",
        |m| m.to_string(),
    );
    let wazuh_mode = pick.value(
        "wazuhIngress.mode",
        tenant.wazuh_ingress.mode,
        defaults.wazuh_ingress_mode,
        "/wazuhIngress/mode",
        "/defaults/wazuhIngressMode",
        |mode| mode.as_str().into(),
    );
    let tls_mode = pick.value(
        "wazuhIngress.tls.mode",
        tenant.wazuh_ingress.tls.mode,
        install.wazuh_ingress.tls.mode,
        "/wazuhIngress/tls/mode",
        "/wazuhIngress/tls/mode",
        |mode| mode.as_str().into(),
    );
    let cortex = tenant.integrations.external_cortex_url.as_ref().map(ExternalHost::of);
    let sizes = sizing::sizes(profile, &tenant.components, cortex.is_some(), record);
    findings.extend(sizing::contradictions(&sizes));
    let (quota, found) = sizing::quota(&sizes, tenant.resource_quota.as_ref(), record);
    findings.extend(found);
    if let Some(finding) = compat::judge(&fleet.compatibility, system_version, chart_version) {
        findings.push(finding.path("/tenant/chartVersion"));
    }
    findings.extend(ingress_rules(fleet, cluster, wazuh_mode, tls_mode));
    if tenant.components.misp.enabled {
        let finding = Finding::warning(
            "plan/misp",
            format!("soctalk-tenant {chart_version} records that MISP is wanted, and deploys nothing for it"),
        );
        findings.push(
            finding
                .path("/components/misp/enabled")
                .hint("a later release of the chart deploys it; nothing needs doing now"),
        );
    }
    let state = tenant.lifecycle.state;
    let plan = TenantPlan {
        tenant,
        cluster,
        namespace: names::namespace(slug),
        labels: names::namespace_labels(install, tenant),
        tier,
        chart_version,
        profile,
        llm_provider: llm_provider.as_str(),
        llm_url,
        llm_model: llm_model.to_string(),
        llm: ExternalHost::of(llm_url),
        cortex,
        sizes,
        quota,
        wazuh_mode,
        agents_welcome: state != State::Decommissioning || tenant.lifecycle.keep_agent_ingress,
        tls_mode,
        hostname: names::hostname(install, cluster, slug),
        timeout: match profile {
            Profile::PilotProd => "15m0s",
            Profile::SmallDev => "30m0s",
        },
    };
    derived(&plan, record);
    let findings = with_tenant(findings, slug);
    (if any_error(&findings) { None } else { Some(plan) }, findings)
}

/// A value as it is shown, made only for those who look.
struct Shown<'v, T, F>(&'v T, F);

impl<T, F: Fn(&T) -> String> fmt::Display for Shown<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.1(self.0))
    }
}

struct Picker<'r, R> {
    record: &'r mut R,
}

impl<R: Record> Picker<'_, R> {
    /// The tenant's value if it has one, else the install's.
    fn value<T>(
        &mut self,
        field: &str,
        own: Option<T>,
        base: T,
        own_at: &str,
        base_at: &str,
        show: impl Fn(&T) -> String,
    ) -> T {
        let is_own = own.is_some();
        let value = own.unwrap_or(base);
        self.record.note(format_args!("{field}"), &Shown(&value, show), || {
            if is_own { Origin::Tenant(own_at.into()) } else { Origin::Install(base_at.into()) }
        });
        value
    }
}

fn tier_word(tier: Tier) -> String {
    match tier {
        Tier::Standard => "standard".into(),
        Tier::Regulated => "regulated".into(),
    }
}

/// Notes what follows from the rest.
fn derived(plan: &TenantPlan<'_>, record: &mut impl Record) {
    record.note(format_args!("namespace"), &plan.namespace, || Origin::Derived("tenant-<slug>"));
    record.note(format_args!("wazuhIngress.hostname"), &plan.hostname, || {
        Origin::Derived("<slug>.soc[.<region>].<domain>")
    });
    record.note(format_args!("networkPolicies.allowedLlmHosts"), &plan.llm.host, || {
        Origin::Derived("host of llm.baseUrl")
    });
    record.note(format_args!("timeout"), &plan.timeout, || {
        Origin::Derived("15 minutes for pilot-prod, 30 for small-dev")
    });
    for (label, value) in &plan.labels {
        let origin = || Origin::Derived("identity of install and tenant");
        record.note(format_args!("namespaceLabels.{label}"), value, origin);
    }
}

/// A state that ends something must say since when.
fn lifecycle_rules(tenant: &Tenant) -> Vec<Finding> {
    let state = tenant.lifecycle.state;
    if matches!(state, State::Decommissioning | State::Retired) && tenant.lifecycle.since.is_none() {
        let finding =
            Finding::invalid("plan/lifecycle", format!("a tenant that is {} must say since when", state.as_str()));
        return vec![
            finding.path("/lifecycle/state").hint("add lifecycle.since: the day of the step, such as 2026-03-31"),
        ];
    }
    Vec::new()
}

fn ingress_rules(fleet: &Fleet, cluster: &Cluster, mode: WazuhMode, tls: TlsMode) -> Vec<Finding> {
    let mut findings = Vec::new();
    if mode == WazuhMode::EdgeHaproxy && cluster.edge_address.is_none() {
        let finding = Finding::invalid("plan/edge-address", format!("cluster {} has no edge address", cluster.name));
        findings.push(finding.path("/wazuhIngress/mode").hint("add edgeAddress to the cluster in install.yaml"));
    }
    if tls == TlsMode::MsspCa && fleet.install.wazuh_ingress.tls.mssp_ca_issuer_ref.is_none() {
        let finding = Finding::invalid("plan/issuer", "install.yaml names no issuer for the MSSP's own CA");
        findings
            .push(finding.path("/wazuhIngress/tls/mode").hint("add wazuhIngress.tls.msspCaIssuerRef to install.yaml"));
    }
    findings
}

fn with_tenant(findings: Vec<Finding>, slug: &str) -> Vec<Finding> {
    findings.into_iter().map(|finding| finding.tenant(slug)).collect()
}
