//! Arguments of what explains and proves: rules, secrets and access.

use clap::{Args, Subcommand};

/// Arguments of `explain`.
#[derive(Debug, Clone, Args)]
pub struct ExplainRuleArgs {
    /// The rule, such as config/unknown-field; its last part will do. Without it, the table of all rules
    pub rule: Option<String>,
    /// The pages of all rules
    #[arg(long, conflicts_with = "rule")]
    pub all: bool,
}

/// Arguments of `access`.
#[derive(Debug, Clone, Args)]
pub struct AccessArgs {
    /// A Secret or an account, as NAMESPACE/NAME or by its name alone; user:NAME, group:NAME. Without it, every Secret
    #[arg(value_name = "SECRET|SUBJECT")]
    pub of: Option<String>,
    /// One cluster of the fleet
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,
}

/// Arguments of `secrets`.
#[derive(Debug, Clone, Args)]
pub struct SecretsArgs {
    /// Without one, the inventory.
    #[command(subcommand)]
    pub command: Option<SecretsCommand>,
}

/// Questions about Secrets.
#[derive(Debug, Clone, Subcommand)]
pub enum SecretsCommand {
    /// What has to be rotated, or soon; ends with 1 if something is overdue
    Due {
        /// Another day than today, such as 2026-03-31
        #[arg(long, value_name = "DAY")]
        now: Option<jiff::civil::Date>,
    },
    /// What a customer needs to enrol agents, without the secret
    Enrolment {
        /// The tenant
        slug: String,
    },
}
