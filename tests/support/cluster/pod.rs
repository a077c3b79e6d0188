//! What the kubelet gives a pod of its ServiceAccount: a projected volume, and the address of the API server.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

use super::Cluster;

/// The folder and environment of a pod.
pub struct Pod {
    folder: TempDir,
    port: String,
    rotations: AtomicUsize,
}

impl Pod {
    /// With a first token.
    pub async fn new(cluster: &Cluster, namespace: &str, account: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let pod = Pod { folder, port: cluster.port().to_string(), rotations: AtomicUsize::new(0) };
        pod.rotate(cluster, namespace, account).await;
        for file in ["token", "ca.crt", "namespace"] {
            symlink(Path::new("..data").join(file), pod.path().join(file)).expect("a link");
        }
        pod
    }

    /// Another token, put in place as the kubelet does: a new folder, and a link that moves to it at one stroke.
    pub async fn rotate(&self, cluster: &Cluster, namespace: &str, account: &str) {
        let token = cluster.token_of_account(namespace, account).await;
        let name = format!("..2026_{}", self.rotations.fetch_add(1, Ordering::SeqCst));
        let of_now = self.path().join(&name);
        fs::create_dir(&of_now).expect("a folder");
        fs::write(of_now.join("token"), token).expect("a token");
        fs::copy(cluster.authority_file(), of_now.join("ca.crt")).expect("a certificate");
        fs::write(of_now.join("namespace"), namespace).expect("a namespace");
        symlink(&name, self.path().join("..data_tmp")).expect("a link");
        fs::rename(self.path().join("..data_tmp"), self.path().join("..data")).expect("moved");
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The environment.
    pub fn environment(&self) -> [(&str, &str); 2] {
        [("KUBERNETES_SERVICE_HOST", "127.0.0.1"), ("KUBERNETES_SERVICE_PORT", &self.port)]
    }
}
