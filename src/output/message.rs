//! What a commit says, who says it, and when.

use git2::{Oid, Repository};

use super::baseline::TREE_TRAILER;
use crate::error::{Error, Result};

/// What a commit says. The trailer with the tree's digest is added to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// First line.
    pub subject: String,
    /// Paragraphs below; may be empty.
    pub body: String,
    /// Trailers in their order: `Source-Revision`, and the like.
    pub trailers: Vec<(String, String)>,
    /// When: an argument, so that the same input makes the same commit.
    pub time: Time,
    /// Who; `None` takes what Git's environment and configuration say.
    pub author: Option<Identity>,
    /// Whether a commit is wanted where the tree stays as it is, too: it says better what the tree comes from.
    pub anew: bool,
}

/// A point in time as Git writes it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Time {
    /// Seconds since 1970-01-01 00:00 UTC.
    pub seconds: i64,
    /// Minutes east of UTC.
    pub offset: i32,
}

impl Time {
    /// `seconds offset`.
    pub(super) fn stamp(self) -> String {
        let sign = if self.offset < 0 { '-' } else { '+' };
        let minutes = self.offset.abs();
        format!("{} {sign}{:02}{:02}", self.seconds, minutes / 60, minutes % 60)
    }
}

/// A person or program as Git names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Name.
    pub name: String,
    /// Address.
    pub email: String,
}

impl Identity {
    /// Who commits by Git's environment (`GIT_COMMITTER_NAME`) and configuration (`user.name`); a constant without them.
    pub(super) fn configured(git: &Repository) -> Self {
        let found = git.committer_from_env().or_else(|_| git.signature());
        let found = found.ok().map(|found| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            Self { name: text(found.name_bytes()), email: text(found.email_bytes()) }
        });
        found.unwrap_or_else(|| Self { name: "tenantry".into(), email: "tenantry@localhost".into() })
    }

    /// `Name <address> seconds offset`.
    pub(super) fn stamp(&self, time: Time) -> String {
        format!("{} <{}> {}", self.plain_name(), self.plain_email(), time.stamp())
    }

    /// The name as Git takes it.
    pub(super) fn plain_name(&self) -> String {
        clean(&self.name)
    }

    /// The address as Git takes it.
    pub(super) fn plain_email(&self) -> String {
        clean(&self.email)
    }
}

impl Message {
    /// The bytes of a commit object of `tree`; `units` is the folder of it that the units lie in.
    pub(super) fn commit(&self, tree: Oid, units: Oid, parent: Option<Oid>, author: &Identity) -> Result<Vec<u8>> {
        let stamp = author.stamp(self.time);
        let mut text = format!("tree {tree}\n");
        if let Some(parent) = parent {
            text.push_str(&format!("parent {parent}\n"));
        }
        text.push_str(&format!("author {stamp}\ncommitter {stamp}\n\n"));
        text.push_str(self.subject.trim());
        text.push_str("\n\n");
        if !self.body.trim().is_empty() {
            text.push_str(self.body.trim());
            text.push_str("\n\n");
        }
        for (name, value) in self.trailers.iter().chain([&(TREE_TRAILER.to_owned(), units.to_string())]) {
            let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
            if !plain || name.is_empty() || value.contains('\n') {
                return Err(Error::internal(format!("{name:?} cannot be a trailer of a commit")));
            }
            text.push_str(&format!("{name}: {value}\n"));
        }
        if self.subject.trim().is_empty() || self.subject.contains('\n') || text.contains('\0') {
            return Err(Error::internal("the commit's message is empty or malformed"));
        }
        Ok(text.into_bytes())
    }
}

/// Git forbids these in names and addresses.
fn clean(text: &str) -> String {
    text.chars().filter(|char| !matches!(char, '<' | '>' | '\n' | '\0')).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_stamps_as_git_does() {
        let author = Identity { name: "A <b>\n".into(), email: "a@b".into() };
        assert_eq!(author.stamp(Time { seconds: 5, offset: -90 }), "A b <a@b> 5 -0130");
        assert_eq!(author.stamp(Time { seconds: 5, offset: 120 }), "A b <a@b> 5 +0200");
    }

    #[test]
    fn refuses_trailers_that_are_none() {
        let author = Identity { name: "a".into(), email: "b".into() };
        let oid = Oid::ZERO_SHA1;
        let message = |name: &str, value: &str| Message {
            subject: "s".into(),
            trailers: vec![(name.into(), value.into())],
            ..Message::default()
        };
        assert!(message("Source-Revision", "x").commit(oid, oid, None, &author).is_ok());
        for (name, value) in [("a b", "x"), ("", "x"), ("a", "x\ny"), ("a", "x\0")] {
            assert!(message(name, value).commit(oid, oid, None, &author).is_err(), "{name} {value}");
        }
    }
}
