//! A unit's own names, taken out of texts and put back.
//!
//! Two tenants' manifests differ in slug, id and cluster everywhere. With placeholders in their place, the same change to
//! both is the same text. Placeholders are characters that no manifest may hold, so nothing is lost.

use std::borrow::Cow;

/// The names of one unit.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Naming {
    /// The tenant's slug.
    pub slug: Option<String>,
    /// The tenant's id.
    pub id: Option<String>,
    /// The cluster.
    pub cluster: String,
}

/// What stands for a name, and how it is shown where several are meant.
const SLUG: (char, &str) = ('\u{E010}', "<slug>");
const ID: (char, &str) = ('\u{E011}', "<id>");
const CLUSTER: (char, &str) = ('\u{E012}', "<cluster>");

impl Naming {
    fn names(&self) -> [(Option<&str>, (char, &'static str)); 3] {
        [(self.id.as_deref(), ID), (self.slug.as_deref(), SLUG), (Some(self.cluster.as_str()), CLUSTER)]
    }

    /// The text without the unit's own names.
    pub fn hide<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut hidden = Cow::Borrowed(text);
        for (name, (mark, _)) in self.names() {
            if let Some(name) = name.filter(|name| !name.is_empty())
                && let Some(replaced) = replace(&hidden, name, mark)
            {
                hidden = Cow::Owned(replaced);
            }
        }
        hidden
    }

    /// The text with the unit's own names.
    pub fn show(&self, text: &str) -> String {
        let mut shown = text.to_owned();
        for (name, (mark, word)) in self.names() {
            if shown.contains(mark) {
                shown = shown.replace(mark, name.unwrap_or(word));
            }
        }
        shown
    }
}

/// The text as it is shown for several units: `tenant-<slug>`.
pub fn general(text: &str) -> String {
    Naming::default().show_words(text)
}

impl Naming {
    fn show_words(&self, text: &str) -> String {
        [SLUG, ID, CLUSTER].into_iter().fold(text.to_owned(), |text, (mark, word)| text.replace(mark, word))
    }
}

/// Replaces whole words; `None` if there are none.
fn replace(text: &str, name: &str, mark: char) -> Option<String> {
    let is_word = |c: char| c.is_alphanumeric();
    let mut out = String::new();
    let mut done = 0;
    for (at, _) in text.match_indices(name) {
        let before = text[..at].chars().next_back();
        let after = text[at + name.len()..].chars().next();
        if at >= done && !before.is_some_and(is_word) && !after.is_some_and(is_word) {
            out.push_str(&text[done..at]);
            out.push(mark);
            done = at + name.len();
        }
    }
    (done > 0).then(|| out + &text[done..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Naming {
        Naming { slug: Some("acme".into()), id: Some("0b6f-1".into()), cluster: "eu-1".into() }
    }

    #[test]
    fn own_names_are_hidden_as_words_and_come_back() {
        let naming = acme();
        for text in
            ["tenant-acme", "acme.soc.example", "tenant-0b6f-1-llm", "a/acme/acme", "x", "", "eu-1", "acmes acme"]
        {
            assert_eq!(naming.show(&naming.hide(text)), text);
        }
        assert_eq!(general(&naming.hide("tenant-acme on eu-1: 0b6f-1")), "tenant-<slug> on <cluster>: <id>");
        assert_eq!(naming.hide("acmeco macme eu-12"), "acmeco macme eu-12");
    }

    #[test]
    fn two_tenants_look_the_same_and_others_do_not() {
        let oak = Naming { slug: Some("oak".into()), ..acme() };
        assert_eq!(acme().hide("tenant-acme"), oak.hide("tenant-oak"));
        assert_ne!(acme().hide("tenant-oak"), oak.hide("tenant-oak"), "a tenant that names another is told");
    }
}
