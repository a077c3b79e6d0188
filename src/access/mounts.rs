//! Which Secrets the pods of the two charts mount. A tree holds releases, not what Helm makes of them; a test with real
//! Helm compares this table with the charts.

/// A pod and a Secret that its node hands to it, whatever its account may read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mount {
    /// The workload.
    pub workload: &'static str,
    /// Its account.
    pub account: &'static str,
    /// The Secrets, by their names in the inventory.
    pub secrets: &'static [&'static str],
    /// Those among them that the inventory does not let the account read, and why the pod has them.
    pub beyond: Option<(&'static [&'static str], &'static str)>,
}

const fn mount(workload: &'static str, account: &'static str, secrets: &'static [&'static str]) -> Mount {
    Mount { workload, account, secrets, beyond: None }
}

const ADMIN: &str = "soctalk-postgres-admin-creds";
const APP: &str = "soctalk-postgres-app-creds";
const MSSP: &str = "soctalk-postgres-mssp-creds";
const ADAPTER: &str = "soctalk-adapter-signing-key";

/// The table. (With a Postgres outside, its one Secret stands in the place of the three.)
static MOUNTS: [Mount; 12] = [
    mount("soctalk-api", "soctalk-api-sa", &[ADAPTER, "soctalk-jwt-signing-key", "soctalk-license", APP, MSSP]),
    mount("soctalk-controller", "soctalk-controller-sa", &[ADAPTER]),
    Mount {
        beyond: Some((&[APP, MSSP], "it creates the two database users, with their passwords")),
        ..mount("soctalk-migrate", "soctalk-migrate-sa", &[ADMIN, APP, MSSP])
    },
    mount("soctalk-orchestrator", "soctalk-orchestrator-sa", &[APP]),
    Mount {
        beyond: Some((&[ADMIN], "the database server starts with its administrator's password")),
        ..mount("soctalk-postgres", "soctalk-postgres-sa", &[ADMIN])
    },
    mount("cassandra", "cassandra", &["cassandra-creds"]),
    mount("cortex", "cortex", &["cortex-bootstrap"]),
    mount("soctalk-adapter", "soctalk-adapter", &["adapter-token"]),
    mount("thehive", "thehive", &["cassandra-creds", "thehive-bootstrap"]),
    mount("wazuh-dashboard", "wazuh-dashboard", &["wazuh-bootstrap", "wazuh-certs"]),
    mount("wazuh-indexer", "wazuh-indexer", &["wazuh-bootstrap", "wazuh-certs"]),
    mount("wazuh-manager", "wazuh-manager", &["wazuh-authd-secret", "wazuh-bootstrap", "wazuh-certs", "wazuh-tls"]),
];

/// Every workload that mounts a Secret.
pub fn mounts() -> &'static [Mount] {
    &MOUNTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::INVENTORY;

    #[test]
    fn a_pod_mounts_what_its_account_may_read_or_the_table_says_why() {
        for mount in mounts() {
            for secret in mount.secrets {
                let row = INVENTORY.iter().find(|row| row.name == *secret);
                let row = row.unwrap_or_else(|| panic!("{secret} is not in the inventory"));
                let beyond = mount.beyond.is_some_and(|(secrets, _)| secrets.contains(secret));
                assert_ne!(row.readers.contains(&mount.account), beyond, "{} mounts {secret}", mount.workload);
            }
        }
    }
}
