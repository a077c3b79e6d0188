//! An OCI registry: what a tag stands for, and publishing without overwriting.

use std::net::IpAddr;
use std::time::Duration;

use http::HeaderValue;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{OciDistributionError, OciErrorCode};
use oci_client::{Client, Reference, RegistryOperation};

use super::artifact::{Artifact, MANIFEST};
use super::credentials::Credentials;
use crate::config::types::ImageDigest;
use crate::error::{Error, Result};

/// How long a connection may take to be made, and how long a registry may say nothing.
const TIMEOUTS: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(60));

/// How a registry is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// TLS.
    Https,
    /// No TLS; for registries on this machine only.
    PlainHttp,
}

/// What became of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The registry took it.
    Now,
    /// The very same was there already.
    Before,
}

/// A registry, `host[:port]`.
pub struct Registry {
    host: String,
    client: Client,
    credentials: Credentials,
    runtime: tokio::runtime::Runtime,
}

impl Registry {
    /// Makes ready to speak to a registry; nothing is sent yet.
    ///
    /// # Errors
    /// Plain HTTP to another machine, credentials that cannot be used, or no TLS to be had.
    pub fn new(host: &str, transport: Transport) -> Result<Self> {
        if transport == Transport::PlainHttp && !is_loopback(host) {
            return Err(Error::usage(format!("--plain-http would send credentials and charts to {host} in the clear"))
                .hint("it is for registries on this machine: 127.0.0.1, [::1] or localhost"));
        }
        let credentials = Credentials::find(host)?;
        // Whoever chose a provider before us is right, too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let protocol = match transport {
            Transport::Https => ClientProtocol::Https,
            Transport::PlainHttp => ClientProtocol::Http,
        };
        let (connect, read) = (Some(TIMEOUTS.0), Some(TIMEOUTS.1));
        let config = ClientConfig { protocol, connect_timeout: connect, read_timeout: read, ..ClientConfig::default() };
        let broken = |error: &dyn std::fmt::Display| Error::environment("cannot speak to registries").cause(error);
        let client = Client::try_from(config).map_err(|error| broken(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Ok(Self { host: host.to_owned(), client, credentials, runtime: runtime.map_err(|error| broken(&error))? })
    }

    /// The digest that a tag stands for; `None` if there is no such tag. What could not be read is an error.
    ///
    /// # Errors
    /// The registry cannot be reached or does not answer the question.
    pub fn resolve(&self, repository: &str, tag: &str) -> Result<Option<ImageDigest>> {
        let image = Reference::with_tag(self.host.clone(), repository.to_owned(), tag.to_owned());
        self.runtime.block_on(self.digest(&image))
    }

    /// Publishes a chart below a path: blobs first, the manifest last, so that what is cut off leaves nothing visible.
    ///
    /// # Errors
    /// The version is there with other bytes (a guard), or the registry fails.
    pub fn publish(&self, path: &str, artifact: &Artifact) -> Result<Published> {
        let repository = [path, artifact.name.as_str()].into_iter().filter(|part| !part.is_empty());
        let repository = repository.collect::<Vec<_>>().join("/");
        let image = Reference::with_tag(self.host.clone(), repository, artifact.tag.clone());
        self.runtime.block_on(async {
            // A registry that gives tokens tells here what it thinks of us.
            let auth = &self.credentials.auth;
            let asked = self.client.auth(&image, auth, RegistryOperation::Push).await;
            asked.map_err(|error| self.failed("log in to", &image, &error))?;
            let ours = artifact.digest().to_string();
            match self.digest(&image).await? {
                Some(theirs) if theirs.as_str() == ours => return Ok(Published::Before),
                Some(theirs) => return Err(taken(&image, &ours, theirs.as_str())),
                None => {}
            }
            self.send(&image, artifact).await.map_err(|error| self.failed("push to", &image, &error))?;
            // A tag can be moved by somebody else at any time: what is there now is what counts.
            match self.digest(&image).await? {
                Some(theirs) if theirs.as_str() == ours => Ok(Published::Now),
                Some(theirs) => Err(taken(&image, &ours, theirs.as_str())),
                None => Err(Error::environment(format!("{image} was pushed and is not there"))
                    .hint("push again; if it happens again, ask who runs the registry")),
            }
        })
    }

    async fn digest(&self, image: &Reference) -> Result<Option<ImageDigest>> {
        match self.client.fetch_manifest_digest(image, &self.credentials.auth).await {
            Ok(digest) => ImageDigest::try_from(digest)
                .map(Some)
                .map_err(|error| Error::environment(format!("{image}: the registry's digest is none")).cause(error)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(self.failed("read", image, &error)),
        }
    }

    async fn send(&self, image: &Reference, artifact: &Artifact) -> Result<(), OciDistributionError> {
        for blob in [&artifact.layer, &artifact.config] {
            let digest = crate::manifest::Digest::of(blob).to_string();
            self.client.push_blob(image, blob.clone(), &digest).await?;
        }
        let manifest = artifact.manifest.clone();
        self.client.push_manifest_raw(image, manifest, HeaderValue::from_static(MANIFEST)).await.map(drop)
    }

    fn failed(&self, what: &str, image: &Reference, error: &OciDistributionError) -> Error {
        let mut failed = Error::environment(format!("cannot {what} {image}"));
        let mut cause: Option<&dyn std::error::Error> = Some(error);
        while let Some(one) = cause {
            failed = failed.cause(one);
            cause = one.source();
        }
        if is_unauthorized(error) {
            let origin = &self.credentials.origin;
            return failed.hint(format!("{} does not let us in with {origin}", self.host)).hint(format!(
                "log in with `docker login {}`, or set TENANTRY_REGISTRY_USERNAME and TENANTRY_REGISTRY_PASSWORD",
                self.host
            ));
        }
        failed.hint("once the registry answers, run the same command again: what is published is left alone")
    }
}

fn taken(image: &Reference, ours: &str, theirs: &str) -> Error {
    Error::guard(format!("{image} is published with other content"))
        .cause(format!("the registry has {theirs}, this chart is {ours}"))
        .hint("a published version never changes: raise `version` in Chart.yaml")
}

/// Whether a registry says that there is no such tag. A failure to read says nothing of the kind.
fn is_absent(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::ImageManifestNotFoundError(_) => true,
        OciDistributionError::ServerError { code, .. } => *code == 404,
        OciDistributionError::RegistryError { envelope, .. } => {
            let absent = [OciErrorCode::ManifestUnknown, OciErrorCode::NameUnknown, OciErrorCode::NotFound];
            !envelope.errors.is_empty() && envelope.errors.iter().all(|error| absent.contains(&error.code))
        }
        _ => false,
    }
}

fn is_unauthorized(error: &OciDistributionError) -> bool {
    match error {
        OciDistributionError::UnauthorizedError { .. } | OciDistributionError::AuthenticationFailure(_) => true,
        OciDistributionError::ServerError { code, .. } => matches!(code, 401 | 403),
        OciDistributionError::RequestError(error) => {
            error.status().is_some_and(|code| matches!(code.as_u16(), 401 | 403))
        }
        OciDistributionError::RegistryError { envelope, .. } => {
            envelope.errors.iter().any(|error| matches!(error.code, OciErrorCode::Unauthorized | OciErrorCode::Denied))
        }
        _ => false,
    }
}

/// Whether a `host[:port]` is this machine by its name alone.
fn is_loopback(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let name = name.map_or(host, |(name, _)| name).trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_spoken_to_in_the_clear() {
        for host in ["localhost", "localhost:5000", "127.0.0.1:5000", "127.8.8.8", "[::1]:5000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "10.0.0.1:5000", "ghcr.io", "[fd00::1]:5000", "127.0.0.1.example.com"] {
            assert!(!is_loopback(host), "{host}");
            assert!(Registry::new(host, Transport::PlainHttp).is_err_and(|error| error.exit_code() == 2), "{host}");
        }
    }

    #[test]
    fn a_failure_to_read_is_not_absence() {
        let server = |code| OciDistributionError::ServerError { code, url: String::new(), message: String::new() };
        assert!(is_absent(&server(404)) && !is_absent(&server(500)) && !is_absent(&server(403)));
        let registry = |codes: &str| OciDistributionError::RegistryError {
            envelope: serde_json::from_str(&format!("{{\"errors\":[{codes}]}}")).unwrap(),
            url: String::new(),
        };
        assert!(is_absent(&registry("{\"code\":\"MANIFEST_UNKNOWN\"}")));
        assert!(!is_absent(&registry("{\"code\":\"DENIED\"}")) && is_unauthorized(&registry("{\"code\":\"DENIED\"}")));
        assert!(!is_absent(&registry("")));
        assert!(!is_absent(&OciDistributionError::UnauthorizedError { url: String::new() }));
    }
}
