//! Values as a report may show them: short, on one line, and never a secret.

use super::diff::{Path, Step};
use super::kind::Known;
use super::node::Node;
use crate::secrets::leak;

/// What stands in place of a secret.
pub const MASK: &str = "(masked)";

/// Longest value that is shown, in characters.
const LONGEST: usize = 240;

/// A value at a path, as JSON on one line; masked as a whole or in parts where it could be a secret.
pub fn show(kind: Known, path: &Path, node: &Node<'_>) -> String {
    let secret = under_secret(kind, path) || names_secret(path);
    let masked = masked(node, secret);
    shorten(masked.to_string())
}

/// Whether the object's payload is secret by its kind.
fn under_secret(kind: Known, path: &Path) -> bool {
    kind == Known::Secret && (path.under(&["data"]) || path.under(&["stringData"]) || path.0.is_empty())
}

fn names_secret(path: &Path) -> bool {
    let field = path.0.iter().any(|step| matches!(step, Step::Field(name) if is_secret_name(name)));
    // An environment variable keeps its name in one field and its value in another.
    let variable = path.0.windows(2).any(|steps| match steps {
        [Step::Key(key), Step::Field(field)] => {
            field == "value" && key.strip_prefix("name=").is_some_and(is_secret_name)
        }
        _ => false,
    });
    field || variable
}

/// Whether a field or variable of that name holds a secret itself, not a reference to one.
fn is_secret_name(name: &str) -> bool {
    const WORDS: [&str; 9] = [
        "password",
        "passwd",
        "passphrase",
        "token",
        "apikey",
        "secretkey",
        "privatekey",
        "credential",
        "clientsecret",
    ];
    const REFERENCES: [&str; 12] = [
        "ref",
        "refs",
        "name",
        "names",
        "path",
        "key",
        "keys",
        "length",
        "policy",
        "reviews",
        "file",
        "expirationseconds",
    ];
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let secret = WORDS.iter().any(|word| plain.contains(word)) || plain == "secret";
    let reference = REFERENCES.iter().any(|end| plain.ends_with(end)) && !plain.ends_with("apikey");
    secret
        && (!reference || plain.ends_with("secretkey") || plain.ends_with("privatekey"))
        && !plain.starts_with("automount")
        && !plain.starts_with("serviceaccounttoken")
}

/// The value with secrets replaced; `all` says that every leaf is one.
fn masked(node: &Node<'_>, all: bool) -> Node<'static> {
    match node {
        Node::Null | Node::Raw(_) => Node::Null,
        Node::Bool(value) => Node::Bool(*value),
        Node::Int(_) | Node::Float(_) if all => Node::text(MASK),
        Node::Int(value) => Node::Int(*value),
        Node::Float(value) => Node::Float(*value),
        Node::Text(text) if all || !leak::find(text).is_empty() => Node::text(MASK),
        Node::Text(text) => Node::text(text.clone().into_owned()),
        Node::List(items) => Node::List(items.iter().map(|item| masked(item, all)).collect()),
        Node::Map(map) => {
            let variable = node.get("name").and_then(Node::as_text).is_some_and(is_secret_name);
            let entries = map.iter().map(|(key, value)| {
                let secret = all || is_secret_name(key) || (variable && key == "value");
                (key.to_owned().into(), masked(value, secret))
            });
            Node::Map(entries.collect())
        }
    }
}

fn shorten(text: String) -> String {
    match text.char_indices().nth(LONGEST) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: Known, path: &[&str], json: &str) -> String {
        let path = Path(path.iter().map(|name| Step::Field((*name).to_owned())).collect());
        show(kind, &path, &Node::from_json(json.as_bytes()).unwrap())
    }

    #[test]
    fn secrets_are_masked_by_kind_name_and_look() {
        let canary = "hunter2canary";
        for (kind, path, json) in [
            (Known::Secret, &["data", "x"][..], format!("\"{canary}\"")),
            (Known::Secret, &[], format!(r#"{{"data":{{"x":"{canary}"}}}}"#)),
            (Known::Other, &["spec", "values", "adminPassword"], format!("\"{canary}\"")),
            (Known::Other, &["spec"], format!(r#"{{"apiKey":"{canary}"}}"#)),
            (Known::Other, &["spec"], format!(r#"{{"env":[{{"name":"DB_PASSWORD","value":"{canary}"}}]}}"#)),
            (Known::Other, &["spec", "auth"], format!(r#"{{"secret":"{canary}","token":{{"x":"{canary}"}}}}"#)),
            (Known::Other, &["url"], format!(r#""postgres://u:{canary}@db/x""#)),
        ] {
            let shown = shown(kind, path, &json);
            assert!(!shown.contains(canary) && shown.contains(MASK), "{shown}");
        }
    }

    #[test]
    fn references_to_secrets_are_shown() {
        for json in [
            r#"{"passwordKey":"d","secretName":"b","secretRef":{"name":"a"},"tokenPath":"/c"}"#,
            r#"{"automountServiceAccountToken":true,"secretStoreRef":{"name":"x"}}"#,
            r#"{"remoteRef":{"key":"mssp/tenants/acme/llm","property":"api_key"}}"#,
        ] {
            assert_eq!(shown(Known::Other, &["spec"], json), json);
        }
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let shown = shown(Known::Other, &["a"], &format!("\"{}\"", "é ".repeat(400)));
        assert_eq!(shown.chars().count(), LONGEST + 1);
    }
}
