//! The command that puts a difference back to what Git says. It is printed, never run.

use super::document::Rendered;
use crate::drift::change::{Class, Item, Verdict};
use crate::drift::kind::Known;

/// Where the commands of a report take things from and put them to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The repository or folder of the committed tree.
    pub repository: String,
    /// The commit; none for a folder.
    pub revision: Option<String>,
    /// The context of the kubeconfig, if one was named.
    pub context: Option<String>,
    /// Who applies the tree.
    pub applier: Applier,
}

/// Who applies the tree, by the name that it writes under.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Applier {
    /// Flux.
    #[default]
    Flux,
    /// Argo CD.
    Argo,
}

impl Applier {
    fn manager(self) -> &'static str {
        match self {
            Applier::Flux => "kustomize-controller",
            Applier::Argo => "argocd-controller",
        }
    }
}

/// The command for one difference.
pub fn command(item: &Item, rendered: Option<&Rendered>, source: &Source) -> String {
    let object = &item.object;
    let resource = match object.gvk.group.as_str() {
        "" => object.gvk.kind.clone(),
        group => format!("{}.{}.{group}", object.gvk.kind, object.gvk.version),
    };
    let kubectl = match &source.context {
        Some(context) => format!("kubectl --context {}", quoted(context)),
        None => "kubectl".to_owned(),
    };
    let namespace = object.namespace.as_ref().map(|namespace| format!(" -n {}", quoted(namespace))).unwrap_or_default();
    let named = format!("{} {}{namespace}", quoted(&resource), quoted(&object.name));
    let Some(rendered) = rendered else {
        return format!("{kubectl} delete {named}");
    };
    let apply = apply(&kubectl, rendered, source);
    match (item.class, item.verdict) {
        (Class::Terminating, _) => {
            format!("{kubectl} get {named} -o jsonpath='{{.metadata.finalizers}}' # what it waits for; then: {apply}")
        }
        (Class::ImmutableMismatch, _) => format!("{kubectl} delete {named} && {apply}"),
        (Class::Missing, _) if object.gvk.known() == Known::Namespace => apply_unit(&kubectl, rendered, source),
        (_, Verdict::Added) => match &item.pointer {
            Some(pointer) => {
                let patch = serde_json::json!([{ "op": "remove", "path": pointer }]).to_string();
                format!("{kubectl} patch {named} --type=json -p {}", quoted(&patch))
            }
            // An item of a list that Git has whole: applying the list takes it out, unless items have owners of their own.
            None if item.path.contains('=') => format!("{kubectl} edit {named} # take {} out", item.path),
            None => apply,
        },
        _ => apply,
    }
}

fn apply(kubectl: &str, rendered: &Rendered, source: &Source) -> String {
    let manager = source.applier.manager();
    let flags = format!("apply --server-side --force-conflicts --field-manager={manager}");
    match &source.revision {
        Some(revision) => {
            let file = quoted(&format!("{revision}:{}", rendered.file));
            format!("git -C {} show {file} | {kubectl} {flags} -f -", quoted(&source.repository))
        }
        None => format!("{kubectl} {flags} -f {}", quoted(&format!("{}/{}", source.repository, rendered.file))),
    }
}

/// A namespace takes everything along: the whole folder is put back.
fn apply_unit(kubectl: &str, rendered: &Rendered, source: &Source) -> String {
    let folder = rendered.file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let flags = format!("apply --server-side --force-conflicts --field-manager={}", source.applier.manager());
    match &source.revision {
        Some(revision) => format!(
            "d=$(mktemp -d) && git -C {} archive {revision} {} | tar -x -C \"$d\" && {kubectl} {flags} -k \"$d\"/{}",
            quoted(&source.repository),
            quoted(folder),
            quoted(folder)
        ),
        None => format!("{kubectl} {flags} -k {}", quoted(&format!("{}/{folder}", source.repository))),
    }
}

/// A word of a shell.
fn quoted(word: &str) -> String {
    let plain = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@".contains(&byte));
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drift::change::Severity;
    use crate::drift::kind::{Gvk, ObjectRef};

    fn item(class: Class, verdict: Verdict, path: &str, pointer: Option<&str>) -> Item {
        let gvk = Gvk::new("networking.k8s.io/v1", "NetworkPolicy");
        Item {
            object: ObjectRef { gvk, namespace: Some("tenant-acme".into()), name: "it's".into() },
            tenant: None,
            path: path.into(),
            pointer: pointer.map(str::to_owned),
            verdict,
            class,
            severity: Severity::High,
            expected: None,
            found: None,
            effect: String::new(),
            place: None,
            writer: None,
            exemption: None,
            pending: None,
            since: None,
        }
    }

    #[test]
    fn each_verdict_has_its_command() {
        let source = Source { repository: "out put".into(), revision: Some("abc".into()), ..Source::default() };
        let place = Rendered { file: "clusters/c/tenants/acme/n.yaml".into(), line: 3 };
        let object = r"NetworkPolicy.v1.networking.k8s.io 'it'\''s' -n tenant-acme";
        let apply = "git -C 'out put' show abc:clusters/c/tenants/acme/n.yaml | kubectl apply --server-side \
                     --force-conflicts --field-manager=kustomize-controller -f -";
        let said = |item: Item, place: Option<&Rendered>| command(&item, place, &source);
        let extra = item(Class::Widening, Verdict::Added, "", None);
        assert_eq!(said(extra, None), format!("kubectl delete {object}"));
        let field = item(Class::Widening, Verdict::Added, "metadata.labels.x", Some("/metadata/labels/x"));
        let patch =
            format!(r#"kubectl patch {object} --type=json -p '[{{"op":"remove","path":"/metadata/labels/x"}}]'"#);
        assert_eq!(said(field, Some(&place)), patch);
        let rule = item(Class::Widening, Verdict::Added, "spec.ingress[1]", None);
        assert_eq!(said(rule, Some(&place)), apply);
        let port = item(Class::Widening, Verdict::Added, "spec.ports[port=80,protocol=TCP]", None);
        assert!(said(port, Some(&place)).starts_with(&format!("kubectl edit {object}")));
        assert_eq!(said(item(Class::Missing, Verdict::Missing, "", None), Some(&place)), apply);
        let fixed = item(Class::ImmutableMismatch, Verdict::Changed, "roleRef", Some("/roleRef"));
        assert_eq!(said(fixed, Some(&place)), format!("kubectl delete {object} && {apply}"));
    }

    #[test]
    fn a_folder_and_a_context_are_named() {
        let source = Source {
            repository: "/srv/tree".into(),
            revision: None,
            context: Some("eu 1".into()),
            applier: Applier::Argo,
        };
        let place = Rendered { file: "clusters/c/system/n.yaml".into(), line: 3 };
        let said = command(&item(Class::Neutral, Verdict::Changed, "spec.x", None), Some(&place), &source);
        let expected = "kubectl --context 'eu 1' apply --server-side --force-conflicts \
                        --field-manager=argocd-controller -f /srv/tree/clusters/c/system/n.yaml";
        assert_eq!(said, expected);
    }
}
