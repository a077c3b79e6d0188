use std::time::Instant;
use tenantry::network::{self, *};
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let claims: Claims = serde_json::from_value(
        network::documents(&std::fs::read_to_string("policies/network-claims.yaml").unwrap(), "c").unwrap()[0]
            .value
            .clone(),
    )
    .unwrap();
    let read = |f: &str| std::fs::read_to_string(format!("tests/network/fleet/cilium/{f}.yaml")).unwrap();
    let t = Instant::now();
    let mut sources = network::documents(&read("soctalk-system"), "soctalk-system.yaml").unwrap();
    let bases = [("acme", read("tenant-acme")), ("beta", read("tenant-beta")), ("gamma", read("tenant-gamma"))];
    for i in 0..n {
        let (slug, text) = &bases[i % 3];
        let new = format!("t{i:05}");
        let text = text
            .replace(&format!("tenant-{slug}"), &format!("tenant-{new}"))
            .replace(&format!("id-{slug}"), &format!("id-{new}"))
            .replace("api.openai.com", &format!("llm{}.example.com", i % 50))
            .replace("198.51.100.0/25", &format!("{}.{}.{}.0/25", 60 + i / 65536, (i / 256) % 256, i % 256))
            .replace("203.0.113.0/26", &format!("{}.{}.{}.128/26", 60 + i / 65536, (i / 256) % 256, i % 256));
        sources.extend(network::documents(&text, &format!("tenant-{new}.yaml")).unwrap());
    }
    println!("parse yaml {:?} ({} documents)", t.elapsed(), sources.len());
    let t = Instant::now();
    let model = Model::build(&sources, &claims.settings(&Settings::new(Profile::Cilium))).unwrap();
    println!("build model {:?} {:?}", t.elapsed(), model.size());
    let t = Instant::now();
    let proof = prove(&model, &claims);
    println!("prove {:?} holds {} classes {}", t.elapsed(), proof.holds, proof.classes);
    println!("{:?}", proof.capacity);
    for v in &proof.verdicts {
        if v.verdict != Verdict::Holds {
            println!("{:?} {} {:?}", v.verdict, v.id, v.reason)
        }
    }
    for f in proof.findings.iter().take(5) {
        println!("{f}")
    }
    println!(
        "{}",
        std::fs::read_to_string("/proc/self/status")
            .unwrap()
            .lines()
            .filter(|l| l.starts_with("VmHWM"))
            .collect::<String>()
    );
}
