use tenantry::network::{self, *};
fn main() {
    let dir = std::env::args().nth(1).unwrap();
    let profile = if std::env::args().nth(2).as_deref() == Some("k") { Profile::Kubernetes } else { Profile::Cilium };
    let claims: Claims = serde_json::from_value(
        network::documents(&std::fs::read_to_string("policies/network-claims.yaml").unwrap(), "c").unwrap()[0]
            .value
            .clone(),
    )
    .unwrap();
    let mut sources = vec![];
    let mut files: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    for f in files {
        sources.extend(
            network::documents(&std::fs::read_to_string(&f).unwrap(), &f.file_name().unwrap().to_string_lossy())
                .unwrap(),
        );
    }
    let model = Model::build(&sources, &claims.settings(&Settings::new(profile))).unwrap();
    println!("{}", prove(&model, &claims));
}
