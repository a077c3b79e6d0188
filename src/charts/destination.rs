//! Where charts go: a host and a path after `oci://`.

use std::fmt;
use std::str::FromStr;

use oci_client::Reference;

/// A folder of a registry. Unlike the one in `install.yaml`, it may be an address on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// `host[:port]`.
    pub host: String,
    /// Folder; empty for the registry itself.
    pub path: String,
}

impl FromStr for Destination {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || "oci://HOST[:PORT]/PATH with a host name or an address and a lower-case path".to_owned();
        let rest = text.strip_prefix("oci://").ok_or_else(wrong)?.trim_end_matches('/');
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        // Whoever parses names of images takes a first part without these for a folder of Docker's own registry.
        let is_host = host == "localhost" || host.contains(['.', ':']);
        let whole = if path.is_empty() { format!("{host}/x:1") } else { format!("{host}/{path}/x:1") };
        let known = whole.parse::<Reference>().is_ok_and(|reference| reference.registry() == host);
        if !is_host || !known || host.contains('@') {
            return Err(wrong());
        }
        Ok(Self { host: host.to_owned(), path: path.to_owned() })
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let slash = if self.path.is_empty() { "" } else { "/" };
        write!(f, "oci://{}{slash}{}", self.host, self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_paths() {
        for text in ["oci://ghcr.io/a/charts", "oci://127.0.0.1:5000/charts", "oci://localhost:5000", "oci://a.example"]
        {
            assert_eq!(text.parse::<Destination>().unwrap().to_string(), text);
        }
        assert_eq!("oci://ghcr.io/a/".parse::<Destination>().unwrap().path, "a");
        for text in
            ["ghcr.io/a", "https://ghcr.io/a", "oci://", "oci://charts", "oci://u:p@ghcr.io/a", "oci://ghcr.io/A b"]
        {
            assert!(text.parse::<Destination>().is_err(), "{text}");
        }
    }
}
