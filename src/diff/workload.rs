//! What a workload that comes or goes amounts to: pods, images, volumes.

use crate::drift::kind::Known;
use crate::drift::node::Node;

/// `2 pods of registry/soctalk/adapter:1.1.0, with volumes data 20Gi`; `None` for what has neither pods nor data.
pub(super) fn words(kind: Known, object: &Node<'_>) -> Option<String> {
    let pod: &[&str] = match kind {
        Known::Deployment | Known::StatefulSet | Known::DaemonSet | Known::Job => &["spec", "template", "spec"],
        Known::CronJob => &["spec", "jobTemplate", "spec", "template", "spec"],
        Known::PersistentVolumeClaim => return Some(volume(object)),
        _ => return None,
    };
    let images = images(object.at(pod)?);
    let pods = match (kind, object.at(&["spec", "replicas"])) {
        (Known::Deployment | Known::StatefulSet, Some(Node::Int(count))) if *count != 1 => format!("{count} pods"),
        (Known::Deployment | Known::StatefulSet, _) => "1 pod".to_owned(),
        (Known::DaemonSet, _) => "a pod on each node".to_owned(),
        _ => "pods".to_owned(),
    };
    let claims = object.at(&["spec", "volumeClaimTemplates"]).and_then(Node::as_list).unwrap_or_default();
    let volumes: Vec<String> = claims.iter().map(volume).collect();
    let with = if volumes.is_empty() { String::new() } else { format!(", each with {}", volumes.join(" and ")) };
    Some(format!("{pods} of {}{with}", images.join(" and ")))
}

/// Images of a pod's containers, each once; those that only prepare it left out.
fn images(pod: &Node<'_>) -> Vec<String> {
    let containers = pod.get("containers").and_then(Node::as_list).unwrap_or_default();
    let mut images = Vec::new();
    for image in containers.iter().filter_map(|container| container.get("image")).filter_map(Node::as_text) {
        // The first characters of a digest tell it from others as those of a commit do.
        let short = match image.split_once("@sha256:") {
            Some((name, digest)) => format!("{name}@sha256:{}", digest.get(..12).unwrap_or(digest)),
            None => image.to_owned(),
        };
        if !images.contains(&short) {
            images.push(short);
        }
    }
    images
}

/// `volume data of 20Gi`.
fn volume(claim: &Node<'_>) -> String {
    let text =
        |keys: &[&str]| claim.at(keys).map(|node| node.as_text().map_or_else(|| node.to_string(), str::to_owned));
    let name = text(&["metadata", "name"]).map(|name| format!(" {name}")).unwrap_or_default();
    let size = text(&["spec", "resources", "requests", "storage"]);
    format!("volume{name} of {}", size.map_or_else(|| "unknown size".into(), |size| binary(&size)))
}

/// Bytes in the largest unit that takes them whole: `20Gi`; what is no plain number stays.
fn binary(size: &str) -> String {
    let Ok(mut count) = size.parse::<u64>() else { return size.to_owned() };
    let mut unit = "";
    for next in ["Ki", "Mi", "Gi", "Ti"] {
        if count == 0 || count % 1024 != 0 {
            break;
        }
        (count, unit) = (count / 1024, next);
    }
    format!("{count}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_images_and_volumes_are_named() {
        let said = |kind, text: &'static str| words(kind, &Node::from_json(text.as_bytes()).unwrap());
        let set = r#"{"spec":{"replicas":2,"template":{"spec":{"containers":[
            {"image":"r/indexer:4.9@sha256:0123456789abcdef"},{"image":"r/indexer:4.9@sha256:0123456789abcdef"},{"image":"r/side:1"}]}},
            "volumeClaimTemplates":[{"metadata":{"name":"data"},"spec":{"resources":{"requests":{"storage":"20Gi"}}}}]}}"#;
        let told = "2 pods of r/indexer:4.9@sha256:0123456789ab and r/side:1, each with volume data of 20Gi";
        assert_eq!(said(Known::StatefulSet, set).as_deref(), Some(told));
        let one = r#"{"spec":{"template":{"spec":{"containers":[{"image":"r/adapter:1"}]}}}}"#;
        assert_eq!(said(Known::Deployment, one).as_deref(), Some("1 pod of r/adapter:1"));
        let claim = r#"{"metadata":{},"spec":{"resources":{"requests":{"storage":"5Gi"}}}}"#;
        assert_eq!(said(Known::PersistentVolumeClaim, claim).as_deref(), Some("volume of 5Gi"));
        for (bytes, shown) in [("21474836480", "20Gi"), ("1610612736", "1536Mi"), ("1000", "1000"), ("5G", "5G")] {
            assert_eq!(binary(bytes), shown);
        }
        assert_eq!(said(Known::ConfigMap, r#"{"data":{}}"#), None);
    }
}
