//! A rule of a role, as the RBAC authorizer reads it.

use serde_json::Value;

/// A rule: every verb on every resource of every group, on the named objects or on all.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// API groups; `*` is every group.
    pub groups: Vec<String>,
    /// Resources, with their subresource behind `/`; `*` is every one, `*/scale` that subresource of every one.
    pub resources: Vec<String>,
    /// Verbs; `*` is every one.
    pub verbs: Vec<String>,
    /// Names of objects; none for all.
    pub names: Vec<String>,
}

impl Rule {
    /// Reads a rule. Rules about URLs grant nothing on objects.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(value: &Value) -> Result<Option<Self>, String> {
        let list = |field: &str| -> Result<Vec<String>, String> {
            match &value[field] {
                Value::Null => Ok(Vec::new()),
                Value::Array(items) => {
                    let texts = items.iter().map(|item| item.as_str().map(str::to_owned));
                    texts.collect::<Option<_>>().ok_or_else(|| format!("{field} holds what is no text"))
                }
                _ => Err(format!("{field} is no list")),
            }
        };
        if !value["nonResourceURLs"].is_null() && value["resources"].is_null() {
            return Ok(None);
        }
        let (groups, resources) = (list("apiGroups")?, list("resources")?);
        Ok(Some(Self { groups, resources, verbs: list("verbs")?, names: list("resourceNames")? }))
    }

    /// Whether it is about a resource (`pods`, `pods/exec`) of a group.
    pub fn is_about(&self, group: &str, resource: &str) -> bool {
        let sub = resource.split_once('/').map(|(_, sub)| sub);
        let matches =
            |own: &String| own == "*" || own == resource || own.strip_prefix("*/").is_some_and(|own| Some(own) == sub);
        self.groups.iter().any(|own| own == "*" || own == group) && self.resources.iter().any(matches)
    }

    /// Those of the verbs that it grants.
    pub fn granted<'v>(&self, verbs: &[&'v str]) -> Vec<&'v str> {
        let any = self.verbs.iter().any(|verb| verb == "*");
        verbs.iter().filter(|verb| any || self.verbs.iter().any(|own| own == *verb)).copied().collect()
    }

    /// Whether everything that this rule grants, the other does.
    pub fn is_within(&self, other: &Self) -> bool {
        let within = |own: &[String], other: &[String]| own.iter().all(|one| other.contains(one));
        let names = other.names.is_empty() || (!self.names.is_empty() && within(&self.names, &other.names));
        names
            && within(&self.groups, &other.groups)
            && within(&self.resources, &other.resources)
            && within(&self.verbs, &other.verbs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rule(value: Value) -> Rule {
        Rule::read(&value).unwrap().unwrap()
    }

    #[test]
    fn wildcards_and_subresources_match_as_in_the_authorizer() {
        let of = |resources: &[&str]| rule(json!({ "apiGroups": [""], "resources": resources, "verbs": ["get"] }));
        assert!(of(&["*"]).is_about("", "pods/exec"));
        assert!(of(&["*/exec"]).is_about("", "pods/exec"));
        assert!(!of(&["pods"]).is_about("", "pods/exec"));
        assert!(!of(&["pods/exec"]).is_about("", "pods"));
        assert!(!of(&["pods"]).is_about("apps", "pods"));
        assert_eq!(of(&["pods"]).granted(&["list", "get"]), ["get"]);
        let all = rule(json!({ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }));
        assert_eq!(all.granted(&["list", "get"]), ["list", "get"]);
        assert_eq!(Rule::read(&json!({ "nonResourceURLs": ["/healthz"], "verbs": ["get"] })), Ok(None));
        assert!(Rule::read(&json!({ "apiGroups": "" })).is_err());
    }

    #[test]
    fn a_rule_is_within_another_that_grants_all_of_it() {
        let of = |verbs: &[&str], names: &[&str]| {
            rule(json!({ "apiGroups": [""], "resources": ["secrets"], "verbs": verbs, "resourceNames": names }))
        };
        assert!(of(&["get"], &["a"]).is_within(&of(&["get", "list"], &["a", "b"])));
        assert!(of(&["get"], &["a"]).is_within(&of(&["get"], &[])));
        assert!(!of(&["get"], &[]).is_within(&of(&["get"], &["a"])));
        assert!(!of(&["*"], &["a"]).is_within(&of(&["get", "list"], &["a"])));
    }
}
