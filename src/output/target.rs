//! Where to write: a path or a URL, a branch, a folder.

use std::fmt;
use std::path::PathBuf;

use crate::error::{Error, Result};

/// Where the rendered tree goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The repository.
    pub location: Location,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Folder of the repository that the tree of units lies in; `None` for the top.
    pub path: Option<String>,
    /// Whether the commit is pushed: to the URL, or from a clone to its remote.
    pub push: bool,
}

/// A repository on this machine or elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A folder: a clone, a bare repository, or absent.
    Path(PathBuf),
    /// `file://`, `http://`, `https://`, `ssh://` or `user@host:path`.
    Url(String),
}

impl Target {
    /// Reads what a command line says.
    ///
    /// # Errors
    /// A usage error if the branch or the folder cannot be one.
    pub fn parse(location: &str, branch: &str, path: Option<&str>, push: bool) -> Result<Self> {
        if !git2::Reference::is_valid_name(&format!("refs/heads/{branch}")) || branch.starts_with('-') {
            return Err(Error::usage(format!("{branch:?} cannot be the name of a branch")));
        }
        let location = Location::parse(location)?;
        if matches!(location, Location::Url(_)) && !push {
            return Err(Error::usage(format!("{location} is a remote repository, and nothing would be pushed to it"))
                .hint("add `--push`, or name a local clone"));
        }
        let path = path.map(|path| path.trim_matches('/')).filter(|path| !path.is_empty() && *path != ".");
        if path.is_some_and(|path| !super::units::is_plain(path)) {
            return Err(Error::usage(format!("{:?} cannot be a folder of a repository", path.unwrap_or_default())));
        }
        Ok(Self { location, branch: branch.to_owned(), path: path.map(str::to_owned), push })
    }

    /// The full name of the branch.
    pub(super) fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }
}

impl Location {
    /// Tells URLs from paths as Git does: a scheme, or `host:path` with no slash before the colon.
    ///
    /// # Errors
    /// A usage error for a scheme that is not supported.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some((scheme, _)) = text.split_once("://") {
            return match scheme {
                "file" | "http" | "https" | "ssh" => Ok(Self::Url(text.to_owned())),
                _ => Err(Error::usage(format!("{scheme}:// is not supported as an output repository"))
                    .hint("use a path, file://, https:// or ssh://")),
            };
        }
        let host = text.split_once(':').map(|(host, _)| host);
        match host {
            _ if text.is_empty() || text.contains('\0') => Err(Error::usage("the output repository has no name")),
            Some(host) if !host.is_empty() && !host.contains('/') && !text.starts_with('-') => {
                Ok(Self::Url(text.to_owned()))
            }
            _ => Ok(Self::Path(PathBuf::from(text))),
        }
    }
}

impl fmt::Display for Location {
    /// The location without a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Url(url) => f.write_str(&masked(url)),
        }
    }
}

/// A URL without user and password.
pub(super) fn masked(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let end = rest.find('/').unwrap_or(rest.len());
            match rest[..end].rfind('@') {
                Some(place) => format!("{scheme}://{}", &rest[place + 1..]),
                None => url.to_owned(),
            }
        }
        None => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_urls_from_paths() {
        for url in ["https://host/x.git", "file:///srv/x.git", "git@host:x.git", "ssh://git@host/x", "host:x"] {
            assert!(matches!(Location::parse(url), Ok(Location::Url(_))), "{url}");
        }
        for path in ["rendered", "./a:b", "/srv/x.git", "../x", "-x:y"] {
            assert!(matches!(Location::parse(path), Ok(Location::Path(_))), "{path}");
        }
        for wrong in ["", "ftp://host/x", "ext::sh -c x://"] {
            assert!(Location::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn refuses_impossible_branches_and_folders() {
        for branch in ["", "a..b", "a b", "-x", "a/", "x.lock", "@{"] {
            assert!(Target::parse("x", branch, None, false).is_err(), "{branch}");
        }
        assert!(Target::parse("x", "main", Some("../up"), false).is_err());
        assert!(Target::parse("https://host/x", "main", None, false).is_err());
        assert_eq!(Target::parse("x", "main", Some("/a/b/"), false).unwrap().path.as_deref(), Some("a/b"));
        assert_eq!(Target::parse("x", "main", Some("."), false).unwrap().path, None);
    }

    #[test]
    fn never_shows_a_password() {
        let shown = Location::parse("https://me:canary@host:8443/x.git").unwrap().to_string();
        assert_eq!(shown, "https://host:8443/x.git");
    }
}
