//! What rotating a Secret takes, by where its value comes from.

use super::inventory::{INVENTORY, Origin, Row, Scope};

/// How a Secret is rotated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A new version in the tenant's file gives it a new place in the backend, which a generator fills.
    Version,
    /// An operator writes the new value where the old one is.
    Operator,
    /// SocTalk writes the next one.
    Minted,
    /// cert-manager renews it.
    Certificate,
    /// It is the install's: the tenant's file does not rule it.
    Install,
}

/// The Secret of a tenant that a person means: by its name, by its name in the backend, or `tenant-<id>-…` by its id.
pub fn find(name: &str, tenant_id: &str) -> Option<&'static Row> {
    INVENTORY
        .iter()
        .find(|row| row.secret_name(tenant_id) == name || row.name == name)
        .or_else(|| INVENTORY.iter().find(|row| row.backend_name == name))
}

/// Names that a person may give, for one tenant.
pub fn names() -> Vec<String> {
    INVENTORY.iter().filter(|row| row.scope != Scope::System).map(|row| row.backend_name.to_owned()).collect()
}

/// How a Secret of a tenant is rotated. `own_cortex` says whether the tenant has no Cortex of its own outside.
pub fn way(row: &Row, own_cortex: bool) -> Way {
    if row.scope == Scope::System {
        return Way::Install;
    }
    match row.origin {
        Origin::Generated { .. } if row.backend_name == "cortex" && !own_cortex => Way::Operator,
        Origin::Generated { .. } => Way::Version,
        Origin::Backend => Way::Operator,
        Origin::Minted => Way::Minted,
        Origin::Certificate => Way::Certificate,
        Origin::Dynamic => Way::Install,
    }
}

/// What a person has to do besides, since the service keeps a copy of its own; nothing where pods take it up alone.
pub fn besides(row: &Row) -> Option<&'static str> {
    Some(match row.backend_name {
        "wazuh-authd-secret" => {
            "every agent of the customer must enrol again with the new secret: hand it to the customer's administrators"
        }
        "cassandra-creds" => {
            "Cassandra keeps the password of its user: ALTER ROLE cassandra there with the new value before TheHive restarts"
        }
        "thehive-bootstrap" => "TheHive keeps its administrator's password: set the new value there as well",
        "cortex-bootstrap" => "Cortex keeps its administrator's password: set the new value there as well",
        "wazuh-bootstrap" => "Wazuh's indexer takes the new password with its security configuration: its pods restart",
        "thehive" | "cortex" => "the service keeps a list of its keys: add the new one there, and remove the old one",
        "wazuh" => "Wazuh's manager keeps its API users: set the new password of `soctalk` there as well",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_secret_of_a_tenant_is_found_by_each_of_its_names() {
        let id = "0b6f7d1a-8f4e-4c57-9d2a-1a5b0c7e4f01";
        for row in INVENTORY.iter().filter(|row| row.scope != Scope::System) {
            for name in [row.backend_name.to_owned(), row.secret_name(id), row.name.to_owned()] {
                assert_eq!(find(&name, id), Some(row), "{name}");
            }
        }
        assert_eq!(find("wazuh", id).map(|row| row.name), Some("tenant-<id>-wazuh"));
        assert_eq!(find("nothing", id), None);
    }

    #[test]
    fn what_is_generated_gets_a_version_and_nothing_else_does() {
        let ways: Vec<(&str, Way)> = INVENTORY.iter().map(|row| (row.backend_name, way(row, true))).collect();
        let of = |wanted: Way| -> Vec<&str> {
            ways.iter().filter(|(_, way)| *way == wanted).map(|(name, _)| *name).collect()
        };
        assert_eq!(
            of(Way::Version),
            [
                "wazuh",
                "thehive",
                "cortex",
                "wazuh-bootstrap",
                "thehive-bootstrap",
                "cortex-bootstrap",
                "wazuh-authd-secret",
                "cassandra-creds"
            ]
        );
        assert_eq!(of(Way::Operator), ["llm"]);
        assert_eq!(of(Way::Minted), ["adapter-token"]);
        assert_eq!(of(Way::Certificate), ["wazuh-certs", "wazuh-tls"]);
        assert_eq!(of(Way::Install).len(), 6);
        let cortex = find("cortex", "x").unwrap();
        assert_eq!(way(cortex, false), Way::Operator);
    }
}
