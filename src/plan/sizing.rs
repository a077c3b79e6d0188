//! Sizes of a tenant's components, and the quota that they need.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use super::origin::{Origin, Record};
use crate::config::install::{Amounts, Resources};
use crate::config::quantity::{self, Milli};
use crate::config::tenant::{AmountsOverride, Components, Persistence, Profile, QuotaOverride, ResourcesOverride};
use crate::config::types::Quantity;
use crate::finding::Finding;

/// Names of the components, as they stand in the profiles.
pub const COMPONENTS: [&str; 8] =
    ["wazuh.manager", "wazuh.indexer", "wazuh.dashboard", "thehive", "cassandra", "cortex", "elasticsearch", "adapter"];

/// Components that the chart rolls by starting a new pod beside the old one. The others stop first: StatefulSets, and
/// Deployments that are recreated. Cortex and the adapter count as room to spare.
const SURGING: [&str; 3] = ["wazuh.dashboard", "cortex", "adapter"];

/// A component's size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Size {
    /// What it is promised.
    pub requests: Amounts,
    /// What it may use.
    pub limits: Amounts,
    /// Its disk.
    #[serde(default)]
    pub size: Option<Quantity>,
    /// Java heap.
    #[serde(default)]
    pub heap: Option<String>,
    /// Storage class; the install's default if absent.
    #[serde(default)]
    pub storage_class_name: Option<String>,
}

/// The components that run, by name: a profile's own, but for those that the tenant sizes otherwise.
pub type Sizes = BTreeMap<&'static str, Cow<'static, Size>>;

static PROFILES: LazyLock<BTreeMap<String, BTreeMap<String, Size>>> = LazyLock::new(|| {
    let documents = crate::yaml::parse(include_str!("profiles.yaml"), crate::yaml::Limits::CONFIG).unwrap_or_default();
    let value = documents.first().map(|document| document.root.to_json()).unwrap_or_default();
    serde_json::from_value(value).unwrap_or_default()
});

/// Sizes of the components that run: profile, then the tenant's overrides.
pub fn sizes(profile: Profile, components: &Components, external_cortex: bool, record: &mut impl Record) -> Sizes {
    let mut sizes = Sizes::new();
    let Some(base) = PROFILES.get(profile.as_str()) else { return sizes };
    let none = (ResourcesOverride::default(), Persistence::default());
    for name in COMPONENTS {
        let Some(mut size) = base.get(name).map(Cow::Borrowed) else { continue };
        let (resources, persistence) = match name {
            "wazuh.manager" => (&components.wazuh.manager.resources, &components.wazuh.manager.persistence),
            "wazuh.indexer" => (&components.wazuh.indexer.resources, &components.wazuh.indexer.persistence),
            "wazuh.dashboard" => (&components.wazuh.dashboard.resources, &none.1),
            "thehive" => (&components.thehive.resources, &components.thehive.persistence),
            "cassandra" => (&components.cassandra.resources, &components.cassandra.persistence),
            "cortex" => (&components.cortex.resources, &none.1),
            "elasticsearch" => (&components.elasticsearch.resources, &components.elasticsearch.persistence),
            _ => (&components.adapter.resources, &components.adapter.persistence),
        };
        let mut slots = Slots { component: name, profile, size: &mut size, record };
        slots.amounts("requests", (|size| &size.requests, |size| &mut size.requests), &resources.requests);
        slots.amounts("limits", (|size| &size.limits, |size| &mut size.limits), &resources.limits);
        slots.disk(persistence);
        slots.heap(components.wazuh.indexer.jvm.heap.as_ref());
        let runs = match name {
            "wazuh.dashboard" => components.wazuh.dashboard.enabled.unwrap_or(true),
            // Elasticsearch stays: TheHive keeps its index there as well.
            "cortex" => !external_cortex,
            _ => true,
        };
        if runs {
            sizes.insert(name, size);
        }
    }
    sizes
}

/// Where of a size some amounts stand, to read and to write.
type AmountsOf = (fn(&Size) -> &Amounts, fn(&mut Size) -> &mut Amounts);

/// The fields of a component's size, filled with what the tenant says of them.
struct Slots<'a, R> {
    component: &'static str,
    profile: Profile,
    size: &'a mut Cow<'static, Size>,
    record: &'a mut R,
}

impl<R: Record> Slots<'_, R> {
    fn amounts(&mut self, what: &str, (own, slot): AmountsOf, over: &AmountsOverride) {
        if let Some(cpu) = &over.cpu {
            slot(self.size.to_mut()).cpu = cpu.clone();
        }
        if let Some(memory) = &over.memory {
            slot(self.size.to_mut()).memory = memory.clone();
        }
        self.note(format_args!("resources.{what}.cpu"), |size| Some(&own(size).cpu), over.cpu.is_some());
        self.note(format_args!("resources.{what}.memory"), |size| Some(&own(size).memory), over.memory.is_some());
    }

    fn disk(&mut self, over: &Persistence) {
        if let Some(class) = &over.storage_class_name {
            self.size.to_mut().storage_class_name = Some(class.to_string());
        }
        if let Some(disk) = over.size.as_ref().filter(|_| self.size.size.is_some()) {
            self.size.to_mut().size = Some(disk.clone());
        }
        self.note(format_args!("persistence.size"), |size| size.size.as_ref(), over.size.is_some());
    }

    fn heap(&mut self, over: Option<&String>) {
        if let Some(heap) = over.filter(|_| self.size.heap.is_some()) {
            self.size.to_mut().heap = Some(heap.clone());
        }
        self.note(format_args!("jvm.heap"), |size| size.heap.as_ref(), over.is_some());
    }

    /// Notes a field's value, if the component has such a field.
    fn note<T: fmt::Display>(
        &mut self,
        field: fmt::Arguments<'_>,
        value: impl Fn(&Size) -> Option<&T>,
        is_overridden: bool,
    ) {
        let (component, profile) = (self.component, self.profile);
        if let Some(value) = value(self.size) {
            let origin = || origin(component, &field.to_string(), profile, is_overridden);
            self.record.note(format_args!("components.{component}.{field}"), value, origin);
        }
    }
}

fn origin(component: &str, field: &str, profile: Profile, overridden: bool) -> Origin {
    if overridden {
        Origin::Tenant(format!("/components/{}/{}", component.replace('.', "/"), field.replace('.', "/")))
    } else {
        Origin::Profile(profile.as_str())
    }
}

/// A tenant's quota.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quota {
    /// Requests in all.
    pub requests: Amounts,
    /// Limits in all.
    pub limits: Amounts,
    /// Disk in all.
    pub storage: Quantity,
    /// Number of disks.
    pub persistent_volume_claims: u32,
    /// Number of pods.
    pub pods: u32,
}

/// A hook or certificate solver that runs beside the components: the room that is kept for it.
const JOB: [(&str, &str); 2] = [("200m", "256Mi"), ("1", "512Mi")];
const MEBIBYTE: Milli = 1000 << 20;
/// Pods kept for hooks and certificate solvers.
const JOB_PODS: u32 = 4;

/// What the components need at the least, in milli-units: cores and memory with one surge and one Job, and the disks.
struct Need {
    requests: [Milli; 2],
    limits: [Milli; 2],
    disks: Vec<Milli>,
    components: usize,
}

impl Need {
    fn of(sizes: &Sizes) -> Self {
        Self {
            requests: need(sizes, |size| &size.requests, JOB[0]),
            limits: need(sizes, |size| &size.limits, JOB[1]),
            disks: sizes.values().filter_map(|size| Some(milli(size.size.as_ref()?.as_str()))).collect(),
            components: sizes.len(),
        }
    }

    fn storage(&self) -> Milli {
        round_up(self.disks.iter().sum(), MEBIBYTE)
    }

    fn claims(&self) -> u32 {
        count(self.disks.len())
    }

    fn pods(&self) -> u32 {
        count(self.components) + 1
    }

    /// With a tenth as margin (CPU to the next 100m, memory to the next 64Mi), and once more the largest disk, for a
    /// restore.
    fn quota(&self) -> Quota {
        let amounts = |[cpu, memory]: [Milli; 2]| Amounts {
            cpu: cpu_text(round_up(cpu + cpu / 10, 100)),
            memory: bytes_text(round_up(memory + memory / 10, 64 * MEBIBYTE)),
        };
        Quota {
            requests: amounts(self.requests),
            limits: amounts(self.limits),
            storage: bytes_text(self.storage() + self.disks.iter().max().copied().unwrap_or(0)),
            persistent_volume_claims: self.claims() + 2,
            pods: self.pods() + JOB_PODS,
        }
    }
}

/// Cores and memory: their sum, the largest surge of one rolling update, and one Job.
fn need(sizes: &Sizes, pick: fn(&Size) -> &Amounts, job: (&str, &str)) -> [Milli; 2] {
    let (mut sum, mut surge) = ([milli(job.0), milli(job.1)], [0; 2]);
    for (name, size) in sizes {
        let amounts = pick(size);
        for (at, own) in [milli(amounts.cpu.as_str()), milli(amounts.memory.as_str())].into_iter().enumerate() {
            sum[at] += own;
            if SURGING.contains(name) {
                surge[at] = own.max(surge[at]);
            }
        }
    }
    [sum[0] + surge[0], round_up(sum[1] + surge[1], MEBIBYTE)]
}

/// The quota that follows from the components alone.
pub fn derive(sizes: &Sizes) -> Quota {
    Need::of(sizes).quota()
}

/// The derived quota with the tenant's overrides, and what is wrong with those: none may be below what the components,
/// one surge and one Job need. A finding's path is the pointer of the field in the tenant's file.
pub fn quota(sizes: &Sizes, over: Option<&QuotaOverride>, record: &mut impl Record) -> (Quota, Vec<Finding>) {
    let need = Need::of(sizes);
    let mut quota = need.quota();
    let over = over.cloned().unwrap_or_default();
    let mut findings = Vec::new();
    let mut quantity = |field: &str, slot: &mut Quantity, given: Option<&Quantity>, need: Milli| {
        if let Some(given) = given {
            *slot = given.clone();
            if milli(given.as_str()) < need {
                let need = if field.ends_with("cpu") { cpu_text(need) } else { bytes_text(need) };
                let pointer = format!("/resourceQuota/{}", field.replace('.', "/"));
                let message = format!("resourceQuota.{field} is below what the components need");
                let finding = Finding::invalid("plan/quota", message).path(pointer);
                findings.push(
                    finding.expected(format!("at least {need}")).found(given.to_string()).hint("drop the override"),
                );
            }
        }
        let rule = "sum of the components, one surge, one Job, a tenth as margin";
        let origin = || match given {
            Some(_) => Origin::Tenant(format!("/resourceQuota/{}", field.replace('.', "/"))),
            None => Origin::Derived(rule),
        };
        record.note(format_args!("resourceQuota.{field}"), slot, origin);
    };
    let (requests, limits) = (over.requests.as_ref(), over.limits.as_ref());
    quantity("requests.cpu", &mut quota.requests.cpu, requests.map(|r| &r.cpu), need.requests[0]);
    quantity("requests.memory", &mut quota.requests.memory, requests.map(|r| &r.memory), need.requests[1]);
    quantity("limits.cpu", &mut quota.limits.cpu, limits.map(|l| &l.cpu), need.limits[0]);
    quantity("limits.memory", &mut quota.limits.memory, limits.map(|l| &l.memory), need.limits[1]);
    quantity("storage", &mut quota.storage, over.storage.as_ref(), need.storage());
    let mut number = |field: &str, slot: &mut u32, given: Option<u32>, need: u32| {
        if let Some(given) = given {
            *slot = given;
            if given < need {
                let message = format!("resourceQuota.{field} is below what the components need");
                let finding = Finding::invalid("plan/quota", message).path(format!("/resourceQuota/{field}"));
                findings.push(
                    finding.expected(format!("at least {need}")).found(given.to_string()).hint("drop the override"),
                );
            }
        }
        let origin = || match given {
            Some(_) => Origin::Tenant(format!("/resourceQuota/{field}")),
            None => Origin::Derived("number of the components, with room for one surge and Jobs"),
        };
        record.note(format_args!("resourceQuota.{field}"), slot, origin);
    };
    let claims = over.persistent_volume_claims;
    number("persistentVolumeClaims", &mut quota.persistent_volume_claims, claims, need.claims());
    number("pods", &mut quota.pods, over.pods, need.pods());
    (quota, findings)
}

/// The largest limits of any component: no container of the namespace may ask for more.
pub fn largest(sizes: &Sizes) -> Amounts {
    let max = |pick: &dyn Fn(&Size) -> Milli| sizes.values().map(|size| pick(size)).max().unwrap_or(0);
    Amounts {
        cpu: cpu_text(max(&|size| milli(size.limits.cpu.as_str()))),
        memory: bytes_text(max(&|size| milli(size.limits.memory.as_str()))),
    }
}

/// Components whose request is above their limit, as findings. (No profile has one: a test.)
pub fn contradictions(sizes: &Sizes) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, size) in sizes.iter().filter(|(_, size)| matches!(size, Cow::Owned(_))) {
        for (what, request, limit) in
            [("cpu", &size.requests.cpu, &size.limits.cpu), ("memory", &size.requests.memory, &size.limits.memory)]
        {
            if milli(request.as_str()) > milli(limit.as_str()) {
                let pointer = format!("/components/{}/resources/requests/{what}", name.replace('.', "/"));
                let message = format!("components.{name} requests more {what} than its limit");
                let finding = Finding::invalid("plan/resources", message).path(pointer);
                findings.push(
                    finding.expected(format!("at most {limit}")).found(request.to_string()).hint("raise the limit too"),
                );
            }
        }
    }
    findings
}

/// A component's resources alone.
pub fn resources(size: &Size) -> Resources {
    Resources { requests: size.requests.clone(), limits: size.limits.clone() }
}

fn milli(text: &str) -> Milli {
    quantity::parse(text).unwrap_or(0)
}

fn round_up(value: Milli, step: Milli) -> Milli {
    (value + step - 1) / step * step
}

fn cpu_text(value: Milli) -> Quantity {
    Quantity::parse(&quantity::cpu(value)).unwrap_or_else(|_| unreachable!("a quantity reads what it writes"))
}

fn bytes_text(value: Milli) -> Quantity {
    Quantity::parse(&quantity::bytes(value)).unwrap_or_else(|_| unreachable!("a quantity reads what it writes"))
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::origin::Silent;
    use super::*;

    fn all(profile: Profile) -> Sizes {
        sizes(profile, &Components::default(), false, &mut Silent)
    }

    #[test]
    fn both_profiles_size_every_component_without_contradiction() {
        for profile in [Profile::PilotProd, Profile::SmallDev] {
            let sizes: Sizes =
                all(profile).into_iter().map(|(name, size)| (name, Cow::Owned(size.into_owned()))).collect();
            assert_eq!(sizes.len(), COMPONENTS.len());
            assert!(contradictions(&sizes).is_empty());
        }
    }

    #[test]
    fn the_derived_quota_holds_the_components_and_one_rolling_update() {
        // The contract's own example has limits of 7.5 cores in all under a quota of 7: its last pod never starts.
        let quota = derive(&all(Profile::PilotProd));
        assert!(milli(quota.limits.cpu.as_str()) >= 7500 + 800, "{quota:?}");
        assert!(milli(quota.requests.memory.as_str()) > milli("8960Mi") + milli("768Mi"), "{quota:?}");
        assert_eq!(quota.persistent_volume_claims, 7);
    }

    #[test]
    fn an_override_below_the_need_is_refused_and_one_at_the_need_is_not() {
        let sizes = all(Profile::PilotProd);
        let [cpu, memory] = Need::of(&sizes).limits;
        let over = |cpu: &str| QuotaOverride {
            limits: Some(Amounts { cpu: Quantity::parse(cpu).unwrap(), memory: bytes_text(memory) }),
            ..QuotaOverride::default()
        };
        let (_, findings) = quota(&sizes, Some(&over("7")), &mut Silent);
        assert_eq!(findings[0].path.as_deref(), Some("/resourceQuota/limits/cpu"));
        let (_, findings) = quota(&sizes, Some(&over(cpu_text(cpu).as_str())), &mut Silent);
        assert!(findings.is_empty(), "{findings:?}");
    }

    #[test]
    fn what_does_not_run_needs_no_room() {
        let sizes = sizes(Profile::PilotProd, &Components::default(), true, &mut Silent);
        assert!(!sizes.contains_key("cortex") && sizes.contains_key("elasticsearch"));
    }
}
