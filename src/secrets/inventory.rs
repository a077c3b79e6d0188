//! The inventory of R1: every Secret of an install, where it lies, who reads it, where its value comes from.

use crate::config::rotation::Class;

/// Where a Secret lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Once, in `soctalk-system`.
    System,
    /// Once a tenant, in `soctalk-system`.
    TenantInSystem,
    /// Once a tenant, in the tenant's namespace.
    Tenant,
}

/// Where a Secret's value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// An operator puts it into the backend.
    Backend,
    /// Generated once with this many characters, pushed if absent, read back.
    Generated {
        /// Characters (R1: 32 for passwords, 48 for tokens).
        length: u32,
    },
    /// SocTalk mints it and writes it into the backend.
    Minted,
    /// cert-manager issues it.
    Certificate,
    /// The backend mints a new one at every refresh, with a short life.
    Dynamic,
}

impl Origin {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Generated { .. } => "generated",
            Self::Minted => "minted",
            Self::Certificate => "certificate",
            Self::Dynamic => "dynamic",
        }
    }
}

/// A key of a Secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// Its value lies in the backend.
    Value(&'static str),
    /// It always has this value, which is no secret (a user's name).
    Constant(&'static str, &'static str),
}

impl Key {
    /// Name of the key.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Value(name) | Self::Constant(name, _) => name,
        }
    }
}

/// When a row of the inventory exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// The chart runs Postgres.
    OwnPostgres,
    /// Licensing is on.
    Licensing,
    /// The tenant has its own Cortex.
    OwnCortex,
    /// The certificate is the tenant's own (not the wildcard one).
    OwnCertificate,
}

/// One row of the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Name of the Secret; `<id>` stands for the tenant's id.
    pub name: &'static str,
    /// Name in the backend's path.
    pub backend_name: &'static str,
    /// What it holds, in words.
    pub title: &'static str,
    /// Where it lies.
    pub scope: Scope,
    /// Its keys.
    pub keys: &'static [Key],
    /// Service accounts that may read it, in its own namespace.
    pub readers: &'static [&'static str],
    /// Where its value comes from.
    pub origin: Origin,
    /// Rotation class (R3).
    pub class: Class,
    /// When it exists.
    pub when: When,
}

impl Row {
    /// Name of the Secret for a tenant's id.
    pub fn secret_name(&self, tenant_id: &str) -> String {
        self.name.replace("<id>", tenant_id)
    }
}

const SYSTEM_READERS: &[&str] = &["soctalk-api-sa", "soctalk-controller-sa", "soctalk-orchestrator-sa"];
const WAZUH: &[&str] = &["wazuh-dashboard", "wazuh-indexer", "wazuh-manager"];
const PASSWORD: Origin = Origin::Generated { length: 32 };
const TOKEN: Origin = Origin::Generated { length: 48 };

/// A row with a user whose name is fixed and whose password is generated.
const fn account(
    name: &'static str,
    title: &'static str,
    user: &'static [Key],
    readers: &'static [&'static str],
) -> Row {
    Row {
        name,
        backend_name: name,
        title,
        scope: Scope::Tenant,
        keys: user,
        readers,
        origin: PASSWORD,
        class: Class::AdminPassword,
        when: When::Always,
    }
}

/// A database user of the install.
const fn database(
    name: &'static str,
    title: &'static str,
    user: &'static [Key],
    readers: &'static [&'static str],
) -> Row {
    Row {
        name,
        backend_name: name,
        title,
        scope: Scope::System,
        keys: user,
        readers,
        origin: PASSWORD,
        class: Class::DatabaseCredentials,
        when: When::OwnPostgres,
    }
}

/// A key with which the install signs.
const fn signing(name: &'static str, title: &'static str, readers: &'static [&'static str]) -> Row {
    Row {
        name,
        backend_name: name,
        title,
        scope: Scope::System,
        keys: &[Key::Value("key")],
        readers,
        origin: TOKEN,
        class: Class::SigningKey,
        when: When::Always,
    }
}

/// A tenant's credential that the control plane uses.
const fn integration(
    name: &'static str,
    backend_name: &'static str,
    title: &'static str,
    keys: &'static [Key],
    origin: Origin,
) -> Row {
    Row {
        name,
        backend_name,
        title,
        scope: Scope::TenantInSystem,
        keys,
        readers: SYSTEM_READERS,
        origin,
        class: Class::ApiToken,
        when: When::Always,
    }
}

/// A certificate of the tenant.
const fn certificate(
    name: &'static str,
    title: &'static str,
    keys: &'static [Key],
    readers: &'static [&'static str],
    when: When,
) -> Row {
    Row {
        name,
        backend_name: name,
        title,
        scope: Scope::Tenant,
        keys,
        readers,
        origin: Origin::Certificate,
        class: Class::TlsCert,
        when,
    }
}

/// The seventeen rows of R1, and the certificate of the enrolment channel (R4).
pub static INVENTORY: [Row; 18] = [
    database(
        "soctalk-postgres-admin-creds",
        "Postgres administrator",
        &[Key::Constant("username", "soctalk_admin"), Key::Value("password")],
        &["soctalk-migrate-sa"],
    ),
    database(
        "soctalk-postgres-app-creds",
        "Postgres user of the application",
        &[Key::Constant("username", "soctalk_app"), Key::Value("password")],
        &["soctalk-api-sa", "soctalk-orchestrator-sa"],
    ),
    database(
        "soctalk-postgres-mssp-creds",
        "Postgres user of the MSSP's own context",
        &[Key::Constant("username", "soctalk_mssp"), Key::Value("password")],
        &["soctalk-api-sa"],
    ),
    signing("soctalk-jwt-signing-key", "key that signs users' tokens", &["soctalk-api-sa"]),
    signing(
        "soctalk-adapter-signing-key",
        "key that signs adapters' tokens",
        &["soctalk-api-sa", "soctalk-controller-sa"],
    ),
    Row {
        name: "adapter-token",
        backend_name: "adapter-token",
        title: "bearer token of the tenant's adapter",
        scope: Scope::Tenant,
        keys: &[Key::Value("token")],
        readers: &["soctalk-adapter"],
        origin: Origin::Minted,
        class: Class::ApiToken,
        when: When::Always,
    },
    integration(
        "tenant-<id>-llm",
        "llm",
        "key of the tenant's language model",
        &[Key::Value("api_key")],
        Origin::Backend,
    ),
    integration(
        "tenant-<id>-wazuh",
        "wazuh",
        "user of the tenant's Wazuh API",
        &[Key::Constant("username", "soctalk"), Key::Value("password")],
        PASSWORD,
    ),
    integration("tenant-<id>-thehive", "thehive", "token of the tenant's TheHive API", &[Key::Value("token")], TOKEN),
    integration("tenant-<id>-cortex", "cortex", "key of the tenant's Cortex API", &[Key::Value("api_key")], TOKEN),
    account(
        "wazuh-bootstrap",
        "administrator of Wazuh",
        &[Key::Constant("username", "admin"), Key::Value("password")],
        WAZUH,
    ),
    account(
        "thehive-bootstrap",
        "administrator of TheHive",
        &[Key::Constant("username", "admin"), Key::Value("password")],
        &["thehive"],
    ),
    Row {
        when: When::OwnCortex,
        ..account(
            "cortex-bootstrap",
            "administrator of Cortex",
            &[Key::Constant("username", "admin"), Key::Value("password")],
            &["cortex"],
        )
    },
    certificate(
        "wazuh-certs",
        "certificate between Wazuh's services",
        &[Key::Value("ca.crt"), Key::Value("tls.crt"), Key::Value("tls.key")],
        WAZUH,
        When::Always,
    ),
    Row {
        name: "wazuh-authd-secret",
        backend_name: "wazuh-authd-secret",
        title: "secret with which agents enrol",
        scope: Scope::Tenant,
        keys: &[Key::Value("password")],
        readers: &["wazuh-manager"],
        origin: TOKEN,
        class: Class::ApiToken,
        when: When::Always,
    },
    account(
        "cassandra-creds",
        "user of TheHive's Cassandra",
        &[Key::Constant("username", "cassandra"), Key::Value("password")],
        &["cassandra", "thehive"],
    ),
    Row {
        name: "soctalk-license",
        backend_name: "soctalk-license",
        title: "licence",
        scope: Scope::System,
        keys: &[Key::Value("license.jwt")],
        readers: &["soctalk-api-sa"],
        origin: Origin::Backend,
        class: Class::SigningKey,
        when: When::Licensing,
    },
    certificate(
        "wazuh-tls",
        "certificate of the enrolment channel",
        &[Key::Value("tls.crt"), Key::Value("tls.key")],
        &["wazuh-manager"],
        When::OwnCertificate,
    ),
];

/// The users of a Postgres outside (R0: `existingSecret`), in the place of the three database rows.
pub static EXTERNAL_POSTGRES: Row = Row {
    name: "soctalk-postgres-external",
    backend_name: "soctalk-postgres-external",
    title: "users of the Postgres outside",
    scope: Scope::System,
    keys: &[
        Key::Value("admin_password"),
        Key::Value("admin_user"),
        Key::Value("app_password"),
        Key::Value("app_user"),
        Key::Value("mssp_password"),
        Key::Value("mssp_user"),
    ],
    readers: &["soctalk-api-sa", "soctalk-migrate-sa", "soctalk-orchestrator-sa"],
    origin: Origin::Backend,
    class: Class::DatabaseCredentials,
    when: When::Always,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_generated_row_has_one_value_and_names_are_unique() {
        let mut names = std::collections::BTreeSet::new();
        for row in &INVENTORY {
            assert!(names.insert(row.name), "{}", row.name);
            assert!(!row.readers.is_empty(), "{}", row.name);
            if matches!(row.origin, Origin::Generated { .. }) {
                assert_eq!(row.keys.iter().filter(|key| matches!(key, Key::Value(_))).count(), 1, "{}", row.name);
            }
        }
    }
}
