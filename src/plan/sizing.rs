//! Sizes of a tenant's components, and the quota that they need.

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

/// The components that run, by name.
pub type Sizes = BTreeMap<&'static str, Size>;

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
        let Some(mut size) = base.get(name).cloned() else { continue };
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
        let mut slots = Slots { component: name, profile, record };
        slots.amounts("requests", &mut size.requests, &resources.requests);
        slots.amounts("limits", &mut size.limits, &resources.limits);
        if let Some(disk) = &mut size.size {
            slots.quantity(format_args!("persistence.size"), disk, persistence.size.as_ref());
        }
        size.storage_class_name = persistence.storage_class_name.as_ref().map(ToString::to_string);
        if let Some(heap) = &mut size.heap {
            let given = components.wazuh.indexer.jvm.heap.clone();
            let origin = || origin(name, "jvm.heap", profile, given.is_some());
            if let Some(given) = &given {
                heap.clone_from(given);
            }
            record.note(format_args!("components.{name}.jvm.heap"), heap, origin);
        }
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

struct Slots<'a, R> {
    component: &'static str,
    profile: Profile,
    record: &'a mut R,
}

impl<R: Record> Slots<'_, R> {
    fn amounts(&mut self, what: &str, base: &mut Amounts, over: &AmountsOverride) {
        self.quantity(format_args!("resources.{what}.cpu"), &mut base.cpu, over.cpu.as_ref());
        self.quantity(format_args!("resources.{what}.memory"), &mut base.memory, over.memory.as_ref());
    }

    fn quantity(&mut self, field: fmt::Arguments<'_>, base: &mut Quantity, over: Option<&Quantity>) {
        if let Some(over) = over {
            *base = over.clone();
        }
        let (component, profile) = (self.component, self.profile);
        let origin = || origin(component, &field.to_string(), profile, over.is_some());
        self.record.note(format_args!("components.{component}.{field}"), base, origin);
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
/// Pods kept for hooks and certificate solvers.
const JOB_PODS: u32 = 4;

/// What the components need: their sum, the largest surge of one rolling update, one Job, and a tenth as margin
/// (CPU to the next 100m, memory to the next 64Mi). Disks: their sum and once more the largest, for a restore.
pub fn derive(sizes: &Sizes) -> Quota {
    let total = |pick: &dyn Fn(&Size) -> Milli, job: &str, step: Milli| {
        let sum: Milli = sizes.values().map(pick).sum();
        let surge =
            sizes.iter().filter(|(name, _)| SURGING.contains(*name)).map(|(_, size)| pick(size)).max().unwrap_or(0);
        let need = sum + surge + milli(job);
        round_up(need + need / 10, step)
    };
    let (cpu, memory) = (100, 1000 * (64 << 20));
    let disks: Vec<Milli> =
        sizes.values().filter_map(|size| size.size.as_ref()).map(|size| milli(size.as_str())).collect();
    let storage = disks.iter().sum::<Milli>() + disks.iter().max().copied().unwrap_or(0);
    Quota {
        requests: Amounts {
            cpu: cpu_text(total(&|size| milli(size.requests.cpu.as_str()), JOB[0].0, cpu)),
            memory: bytes_text(total(&|size| milli(size.requests.memory.as_str()), JOB[0].1, memory)),
        },
        limits: Amounts {
            cpu: cpu_text(total(&|size| milli(size.limits.cpu.as_str()), JOB[1].0, cpu)),
            memory: bytes_text(total(&|size| milli(size.limits.memory.as_str()), JOB[1].1, memory)),
        },
        storage: bytes_text(storage),
        persistent_volume_claims: count(disks.len()) + 2,
        pods: count(sizes.len()) + 1 + JOB_PODS,
    }
}

/// The derived quota with the tenant's overrides, and what is wrong with those: none may be below what the components,
/// one surge and one Job need. A finding's path is the pointer of the field in the tenant's file.
pub fn quota(sizes: &Sizes, over: Option<&QuotaOverride>, record: &mut impl Record) -> (Quota, Vec<Finding>) {
    let mut quota = derive(sizes);
    let need = derive_need(sizes);
    let over = over.cloned().unwrap_or_default();
    let mut findings = Vec::new();
    let mut quantity = |field: &str, slot: &mut Quantity, given: Option<&Quantity>, need: &Quantity| {
        if let Some(given) = given {
            *slot = given.clone();
            if milli(given.as_str()) < milli(need.as_str()) {
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
    quantity("requests.cpu", &mut quota.requests.cpu, requests.map(|r| &r.cpu), &need.requests.cpu);
    quantity("requests.memory", &mut quota.requests.memory, requests.map(|r| &r.memory), &need.requests.memory);
    quantity("limits.cpu", &mut quota.limits.cpu, limits.map(|l| &l.cpu), &need.limits.cpu);
    quantity("limits.memory", &mut quota.limits.memory, limits.map(|l| &l.memory), &need.limits.memory);
    quantity("storage", &mut quota.storage, over.storage.as_ref(), &need.storage);
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
    let claims = need.persistent_volume_claims;
    number("persistentVolumeClaims", &mut quota.persistent_volume_claims, over.persistent_volume_claims, claims);
    number("pods", &mut quota.pods, over.pods, need.pods);
    (quota, findings)
}

/// The least that works: as [`derive`], without margin.
fn derive_need(sizes: &Sizes) -> Quota {
    let total = |pick: &dyn Fn(&Size) -> Milli, job: &str| {
        let sum: Milli = sizes.values().map(pick).sum();
        let surge =
            sizes.iter().filter(|(name, _)| SURGING.contains(*name)).map(|(_, size)| pick(size)).max().unwrap_or(0);
        sum + surge + milli(job)
    };
    let disks: Vec<Milli> =
        sizes.values().filter_map(|size| size.size.as_ref()).map(|size| milli(size.as_str())).collect();
    Quota {
        requests: Amounts {
            cpu: cpu_text(total(&|size| milli(size.requests.cpu.as_str()), JOB[0].0)),
            memory: bytes_text(total(&|size| milli(size.requests.memory.as_str()), JOB[0].1)),
        },
        limits: Amounts {
            cpu: cpu_text(total(&|size| milli(size.limits.cpu.as_str()), JOB[1].0)),
            memory: bytes_text(total(&|size| milli(size.limits.memory.as_str()), JOB[1].1)),
        },
        storage: bytes_text(disks.iter().sum()),
        persistent_volume_claims: count(disks.len()),
        pods: count(sizes.len()) + 1,
    }
}

/// The largest limits of any component: no container of the namespace may ask for more.
pub fn largest(sizes: &Sizes) -> Amounts {
    let max = |pick: &dyn Fn(&Size) -> Milli| sizes.values().map(pick).max().unwrap_or(0);
    Amounts {
        cpu: cpu_text(max(&|size| milli(size.limits.cpu.as_str()))),
        memory: bytes_text(max(&|size| milli(size.limits.memory.as_str()))),
    }
}

/// Components whose request is above their limit, as findings.
pub fn contradictions(sizes: &Sizes) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, size) in sizes {
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
            let sizes = all(profile);
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
        let need = derive_need(&sizes);
        let over = |cpu: &str| QuotaOverride {
            limits: Some(Amounts { cpu: Quantity::parse(cpu).unwrap(), memory: need.limits.memory.clone() }),
            ..QuotaOverride::default()
        };
        let (_, findings) = quota(&sizes, Some(&over("7")), &mut Silent);
        assert_eq!(findings[0].path.as_deref(), Some("/resourceQuota/limits/cpu"));
        let (_, findings) = quota(&sizes, Some(&over(need.limits.cpu.as_str())), &mut Silent);
        assert!(findings.is_empty(), "{findings:?}");
    }

    #[test]
    fn what_does_not_run_needs_no_room() {
        let sizes = sizes(Profile::PilotProd, &Components::default(), true, &mut Silent);
        assert!(!sizes.contains_key("cortex") && sizes.contains_key("elasticsearch"));
    }
}
