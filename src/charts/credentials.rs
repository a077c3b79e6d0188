//! Who we are to a registry. The values are never printed: no type here shows them.

use std::env;

use docker_credential::{CredentialRetrievalError, DockerCredential};
use oci_client::secrets::RegistryAuth;

use crate::error::{Error, Result};

/// Variables that go before the Docker config.
const USERNAME: &str = "TENANTRY_REGISTRY_USERNAME";
const PASSWORD: &str = "TENANTRY_REGISTRY_PASSWORD";

/// What a registry is told of us, and where it came from.
#[derive(Debug, Clone)]
pub struct Credentials {
    pub(super) auth: RegistryAuth,
    /// Where they came from, for messages.
    pub origin: String,
}

impl Credentials {
    /// Those for a registry (`host[:port]`): from the environment, else from the Docker config and its helpers, else none.
    ///
    /// # Errors
    /// Credentials are there but cannot be used: half a pair, a broken config, a helper that fails.
    pub fn find(registry: &str) -> Result<Self> {
        let given = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        match (given(USERNAME), given(PASSWORD)) {
            (Some(username), Some(password)) => {
                let origin = format!("{USERNAME} and {PASSWORD}");
                return Ok(Self { auth: RegistryAuth::Basic(username, password), origin });
            }
            (None, None) => {}
            _ => {
                return Err(Error::usage(format!("{USERNAME} and {PASSWORD} go together")).hint("set both, or neither"));
            }
        }
        // Docker's own registry has an old name in that file.
        let server = if registry == "docker.io" { "https://index.docker.io/v1/" } else { registry };
        let config = env::var_os("DOCKER_CONFIG").map(std::path::PathBuf::from);
        let config = config.or_else(|| env::home_dir().map(|home| home.join(".docker")));
        let origin = config.map_or_else(|| "no config".to_owned(), |dir| dir.join("config.json").display().to_string());
        let auth = match docker_credential::get_credential(server) {
            Ok(DockerCredential::UsernamePassword(username, password)) => RegistryAuth::Basic(username, password),
            Ok(DockerCredential::IdentityToken(token)) => RegistryAuth::Bearer(token),
            Err(CredentialRetrievalError::NoCredentialConfigured | CredentialRetrievalError::ConfigNotFound) => {
                return Ok(Self::none());
            }
            Err(CredentialRetrievalError::ConfigReadError) if !std::path::Path::new(&origin).exists() => {
                return Ok(Self::none());
            }
            Err(error) => return Err(unusable(registry, &origin, &error)),
        };
        Ok(Self { auth, origin })
    }

    /// No credentials.
    pub fn none() -> Self {
        Self { auth: RegistryAuth::Anonymous, origin: "no credentials".into() }
    }
}

/// A helper's own words are not repeated: they may hold what it keeps.
fn unusable(registry: &str, origin: &str, error: &CredentialRetrievalError) -> Error {
    let cause = match error {
        CredentialRetrievalError::HelperFailure { helper, .. } => format!("the credential helper {helper} failed"),
        other => other.to_string(),
    };
    Error::environment(format!("cannot use the credentials for {registry} in {origin}"))
        .cause(cause)
        .hint(format!("log in again (`docker login {registry}`), or set {USERNAME} and {PASSWORD}"))
}
