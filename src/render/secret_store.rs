//! How a person reads a value that lies in the backend, with the backend's own tool.

use super::backend::RemoteRef;
use crate::config::Install;
use crate::config::install::Cluster;

/// The command line that prints a value.
pub fn fetch(install: &Install, cluster: &Cluster, place: &RemoteRef) -> String {
    let (secrets, region) = (&install.secrets, &cluster.region);
    let RemoteRef { key, property } = place;
    if let Some(vault) = &secrets.vault {
        let address = vault.endpoints.get(region).map(|url| url.as_str()).unwrap_or_default();
        return format!("bao kv get -address={address} -mount={} -field={property} {key}", vault.mount);
    }
    if let Some(aws) = &secrets.aws {
        let region = aws.regions.get(region).map(|region| region.as_str()).unwrap_or_default();
        let get = format!("aws secretsmanager get-secret-value --region {region} --secret-id {key}");
        return format!("{get} --query SecretString --output text | jq -r .{property}");
    }
    if let Some(azure) = &secrets.azure {
        let vault = azure.vaults.get(region).map(|vault| vault.as_str()).unwrap_or_default();
        return format!(
            "az keyvault secret show --id {}/secrets/{key} --query value --output tsv",
            vault.trim_end_matches('/')
        );
    }
    let project = secrets.gcp.as_ref().and_then(|gcp| gcp.projects.get(region));
    let project = project.map(|project| project.as_str()).unwrap_or_default();
    format!("gcloud secrets versions access latest --project={project} --secret={key}")
}
