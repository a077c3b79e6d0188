//! Whether the clusters hold what their tenants ask for: quotas, addresses, ports, and what the parts of a cluster that
//! know every tenant can bear. The numbers are those of [`crate::plan::capacity`].

use super::{Input, Outcome};
use crate::config;
use crate::finding::{Class, Finding};
use crate::plan::capacity::{Basis, Resource, Usage, of_fleet};

pub(super) fn check(input: &Input<'_>) -> Outcome {
    Outcome::Ran(of_fleet(input.plan).iter().filter_map(|usage| finding(input, usage)).collect())
}

fn finding(input: &Input<'_>, usage: &Usage<'_>) -> Option<Finding> {
    let limit = usage.limit.as_ref()?;
    let finding = match (usage.is_exceeded(), usage.is_nearly_full(), limit.basis) {
        // An estimate refuses nothing.
        (true, _, Basis::Declared) if usage.resource != Resource::Etcd => {
            Finding::error("capacity/exceeded", Class::Check, message(usage, "do not fit")).hint(enlarge(usage))
        }
        (true, _, Basis::Declared) => {
            Finding::warning("capacity/nearly-full", message(usage, "do not fit")).hint(enlarge(usage))
        }
        (false, true, Basis::Declared) => {
            Finding::warning("capacity/nearly-full", message(usage, "nearly fill it")).hint(enlarge(usage))
        }
        (true, _, Basis::Known(source)) => {
            let hint = format!(
                "known limit: {source}; spread the tenants over clusters, or declare what the cluster was sized for at {}",
                limit.pointer
            );
            Finding::warning("capacity/beyond-known", message(usage, "are more than is known to work")).hint(hint)
        }
        (false, _, _) => return None,
    };
    let amount = |milli| usage.resource.amount(milli);
    let part = usage.part.as_ref().map(|part| format!(" of {part}")).unwrap_or_default();
    let left = limit.amount - usage.used;
    let left = if left < 0 { format!("{} too much", amount(-left)) } else { format!("{} left", amount(left)) };
    let finding = finding
        .at(config::locate(input.source, "install.yaml", &limit.pointer))
        .path(limit.pointer.clone())
        .expected(format!("at most {}", amount(limit.amount)))
        .found(format!("{}{part}, {left}", amount(usage.used)));
    Some(finding)
}

/// What is asked of what, by whom most.
fn message(usage: &Usage<'_>, verdict: &str) -> String {
    let place = match usage.cluster {
        Some(cluster) => format!("cluster {cluster}"),
        None => "the fleet".to_owned(),
    };
    let part = usage.part.as_ref().map(|part| format!(", {part}")).unwrap_or_default();
    let percent = usage.percent().unwrap_or_default();
    let most: Vec<String> =
        usage.most.iter().map(|(slug, milli)| format!("{slug} {}", usage.resource.amount(*milli))).collect();
    // Where every tenant asks for the same, naming three says nothing.
    let differ = usage.most.first().map(|(_, milli)| milli) != usage.most.last().map(|(_, milli)| milli);
    let most = if differ { format!("; most: {}", most.join(", ")) } else { String::new() };
    format!("{place}{part}: {} {verdict}: {percent} % are used{most}", usage.resource.title())
}

fn enlarge(usage: &Usage<'_>) -> String {
    let fits = usage.fits().map(|fits| format!("{fits} more tenants of the default profile fit; ")).unwrap_or_default();
    let what = match usage.resource {
        Resource::EdgePorts => "widen the range (tombstones keep their ports until they are removed)",
        Resource::LoadBalancers => "enlarge the pool, or let tenants in through the edge",
        Resource::Cpu | Resource::Memory => {
            "add nodes and declare them, raise overcommitPercent knowingly, or give tenants a smaller profile or another cluster"
        }
        _ => "add what is missing and declare it, or put tenants on another cluster",
    };
    format!("{fits}{what}; `tenantry capacity` shows all numbers")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::tests::rendered;
    use crate::finding::{Severity, exit_code};
    use crate::render::tests::source;

    fn findings(from: &str, to: &str) -> Vec<Finding> {
        let mut source = source();
        let text = source.files.get_mut("install.yaml").unwrap();
        assert!(text.contains(from), "{from}");
        *text = text.replacen(from, to, 1);
        match rendered(&source, check) {
            Outcome::Ran(findings) => findings,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_repository_fits_its_clusters() {
        assert_eq!(findings("cpu:", "cpu:"), []);
    }

    #[test]
    fn what_is_too_small_is_refused_and_what_is_just_enough_warned_of() {
        // (from, to, rule, severity); the numbers are those of this fleet.
        let cases = [
            ("cpu: \"96\"", "cpu: \"9\"", "capacity/exceeded"),
            ("memory: 384Gi", "memory: 10Gi", "capacity/exceeded"),
            ("storage: 12Ti", "storage: 100Gi", "capacity/exceeded"),
            ("storage: 12Ti", "storage: 12Ti, pods: 20", "capacity/exceeded"),
            ("storage: 12Ti", "storage: 12Ti, persistentVolumeClaims: 20", "capacity/exceeded"),
            ("storage: 12Ti", "storage: 12Ti, loadBalancers: 1", "capacity/exceeded"),
            ("storage: 12Ti", "storage: 12Ti, loadBalancers: 2", "capacity/nearly-full"),
            ("storage: 12Ti", "storage: 12Ti, services: 20", "capacity/exceeded"),
            ("storage: 12Ti", "storage: 12Ti, etcd: 1Mi", "capacity/nearly-full"),
            ("to: 15339", "to: 15145", "capacity/nearly-full"),
            ("poolSize: 64", "poolSize: 3", "capacity/exceeded"),
        ];
        for (from, to, rule) in cases {
            let found = findings(from, to);
            assert!(found.iter().all(|finding| finding.rule == rule) && !found.is_empty(), "{to}: {found:#?}");
            let line = source().text("install.yaml").unwrap().lines().position(|line| line.contains(from)).unwrap() + 1;
            let place = found[0].location.as_ref().unwrap();
            assert_eq!((place.file.as_str(), place.line as usize), ("install.yaml", line), "{to}");
            let refused = found.iter().any(|finding| finding.severity == Severity::Error);
            assert_eq!(exit_code(&found), u8::from(refused), "{to}: an estimate and a warning stop nothing");
        }
        for (from, to) in [("poolSize: 64", "poolSize: 5"), ("to: 15339", "to: 15147"), ("cpu: \"96\", ", "")] {
            assert_eq!(findings(from, to), [], "{to} is enough");
        }
    }
}
