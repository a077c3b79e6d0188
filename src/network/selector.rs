//! Parsing of label selectors, in the dialect of NetworkPolicy and in that of Cilium.

use super::fault::Fault;
use super::label::{Interner, Requirement, Selector, Sym, Test};
use super::reader::Node;

/// One requirement as written, before its key is given a meaning.
pub(crate) struct Written<'n> {
    pub key: &'n str,
    pub operator: Operator,
    pub values: Vec<&'n str>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// The requirements of a `LabelSelector` in the order of the document.
///
/// # Errors
/// A field that is unknown is refused; a requirement that the API server rejects voids the policy.
pub(crate) fn written<'n>(node: &Node<'n, '_>) -> Result<Vec<Written<'n>>, Fault> {
    node.only(&["matchLabels", "matchExpressions"])?;
    let mut requirements = Vec::new();
    if let Some(labels) = node.get("matchLabels") {
        for (key, value) in labels.object()? {
            let Some(value) = value.as_str() else {
                return Err(labels.refuse(&format!("the value of `{key}` is not a string")).into());
            };
            requirements.push(Written { key, operator: Operator::In, values: vec![value] });
        }
    }
    if let Some(expressions) = node.get("matchExpressions") {
        for expression in expressions.list()? {
            requirements.push(self::expression(&expression)?);
        }
    }
    for requirement in &requirements {
        if let Some(value) = requirement.values.iter().find(|value| !is_label_value(value)) {
            return Err(Fault::void(node, &format!("`{value}` is not a valid label value")));
        }
    }
    Ok(requirements)
}

fn expression<'n>(node: &Node<'n, '_>) -> Result<Written<'n>, Fault> {
    node.only(&["key", "operator", "values"])?;
    let key = node.need("key")?.text()?;
    let name = node.need("operator")?.text()?;
    let mut values = Vec::new();
    if let Some(list) = node.get("values") {
        for value in list.list()? {
            values.push(value.text()?);
        }
    }
    let operator = match (name, values.is_empty()) {
        ("In", false) => Operator::In,
        ("NotIn", false) => Operator::NotIn,
        ("Exists", true) => Operator::Exists,
        ("DoesNotExist", true) => Operator::DoesNotExist,
        ("In" | "NotIn", true) => return Err(Fault::void(node, &format!("`{name}` needs values"))),
        ("Exists" | "DoesNotExist", false) => return Err(Fault::void(node, &format!("`{name}` takes no values"))),
        _ => return Err(Fault::void(node, &format!("`{name}` is no operator of a label selector"))),
    };
    Ok(Written { key, operator, values })
}

/// A selector over the labels themselves, as NetworkPolicy and Service have it.
pub(crate) fn plain(node: &Node<'_, '_>, interner: &mut Interner) -> Result<Selector, Fault> {
    let mut requirements = Vec::new();
    for requirement in written(node)? {
        if !is_label_key(requirement.key) {
            return Err(Fault::void(node, &format!("`{}` is not a valid label key", requirement.key)));
        }
        let key = interner.intern(requirement.key);
        requirements.push(requirement.on(key, interner));
    }
    Ok(Selector::new(requirements))
}

impl Written<'_> {
    /// The requirement on an interned key.
    pub fn on(&self, key: Sym, interner: &mut Interner) -> Requirement {
        let values = self.values.iter().map(|value| interner.intern(value)).collect();
        let test = match self.operator {
            Operator::In => Test::In(values),
            Operator::NotIn => Test::NotIn(values),
            Operator::Exists => Test::Exists,
            Operator::DoesNotExist => Test::DoesNotExist,
        };
        Requirement { key, test }
    }
}

/// Whether a text is a label key: an optional DNS subdomain and a slash, then a name of at most 63 characters.
/// Source: Kubernetes, *Labels and Selectors*, syntax and character set.
pub(crate) fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        None => is_label_name(key),
        Some((prefix, name)) => {
            prefix.len() <= 253
                && prefix.split('.').all(|part| {
                    is_bounded(part, |character| character.is_ascii_lowercase() || character.is_ascii_digit())
                        && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
                })
                && is_label_name(name)
        }
    }
}

/// Whether a text is a label value: empty, or like the name part of a key.
pub(crate) fn is_label_value(value: &str) -> bool {
    value.is_empty() || is_label_name(value)
}

fn is_label_name(name: &str) -> bool {
    name.len() <= 63
        && is_bounded(name, |character| character.is_ascii_alphanumeric())
        && name.chars().all(|character| character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.'))
}

/// Whether the text is not empty and its first and last characters are of the given kind.
fn is_bounded(text: &str, kind: impl Fn(char) -> bool) -> bool {
    text.chars().next().is_some_and(&kind) && text.chars().next_back().is_some_and(&kind)
}

#[cfg(test)]
mod tests {
    use super::super::input::{LineIndex, Source};
    use super::*;
    use serde_json::{Value, json};

    fn parse(value: Value) -> Result<Selector, Fault> {
        let source = Source { value, file: "f".into(), lines: LineIndex::starting_at(1) };
        plain(&Node::root(&source), &mut Interner::default())
    }

    #[test]
    fn labels_and_expressions_are_one_conjunction() {
        let selector = parse(json!({
            "matchLabels": {"a": "1"},
            "matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["2", "3"]}, {"key": "c", "operator": "Exists"}],
        }));
        assert_eq!(selector.unwrap().requirements().len(), 3);
    }

    #[test]
    fn what_the_api_server_rejects_voids() {
        for value in [
            json!({"matchExpressions": [{"key": "a", "operator": "In"}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "In", "values": []}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["x"]}]}),
            json!({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}),
            json!({"matchLabels": {"a b": "1"}}),
            json!({"matchLabels": {"a": "not valid!"}}),
            json!({"matchLabels": {"k8s:a": "1"}}),
        ] {
            assert!(matches!(parse(value.clone()), Err(Fault::Void(_))), "{value}");
        }
    }

    #[test]
    fn what_is_not_a_selector_is_refused() {
        for value in [json!({"matchLabel": {"a": "1"}}), json!([]), json!({"matchLabels": {"a": 1}}), json!("a=1")] {
            assert!(matches!(parse(value.clone()), Err(Fault::Refused(_))), "{value}");
        }
    }

    #[test]
    fn keys_and_values() {
        for (key, valid) in [
            ("app", true),
            ("app.kubernetes.io/name", true),
            ("a_b.c-d", true),
            ("", false),
            ("-a", false),
            ("a/", false),
            ("A.b/c", false),
            ("a:b", false),
            ("a/b/c", false),
        ] {
            assert_eq!(is_label_key(key), valid, "{key}");
        }
        assert!(
            is_label_value("")
                && is_label_value("v1.2_x")
                && !is_label_value("a b")
                && !is_label_value(&"a".repeat(64))
        );
    }
}
