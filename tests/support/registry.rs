//! A real OCI registry on loopback: the CNCF's `registry`, built from its Go module, which `go.mod` and `go.sum` pin.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Guarded, wait_until};
use crate::tools::{self, Absent, NotRun};

/// The one account of a registry that asks who one is.
pub const ACCOUNT: (&str, &str) = ("publisher", "right-Password-1");
/// Its bcrypt hash.
const HASH: &str = "$2b$04$OF4kWLKGMgueCGvg7o5iSOLy/ZbplvjCrPagBt2PXU5FaHpBh4.d2";

/// A running registry; it ends with the value.
pub struct Registry {
    /// `127.0.0.1:port`.
    pub host: String,
    _process: Guarded,
    _data: TempDir,
}

/// The program, built into the cache of test tools if allowed.
pub fn program(absent: Absent) -> Result<PathBuf, NotRun> {
    const COMMAND: &str = "cargo test --test registry -- --ignored build_registry";
    const PACKAGE: &str = "github.com/distribution/distribution/v3/cmd/registry";
    let pin = include_str!("../charts/tools/registry/go.mod");
    let version = pin.lines().find_map(|line| line.trim().strip_prefix("github.com/distribution/distribution/v3 v"));
    let version = version.and_then(|rest| rest.split_whitespace().next()).expect("go.mod requires the registry");
    let folder = tools::ensure(&format!("registry-{version}"), &["registry"], absent, COMMAND, |folder| {
        let module = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/charts/tools/registry");
        let mut go = Command::new("go");
        go.current_dir(module).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOFLAGS");
        go.args(["build", "-mod=readonly", "-trimpath", "-buildvcs=false", "-ldflags", "-s -w", "-o"]);
        tools::run(go.arg(folder.join("registry")).arg(PACKAGE)).map(drop)
    })?;
    Ok(folder.join("registry"))
}

impl Registry {
    /// Starts one that takes everybody, or only [`ACCOUNT`].
    pub fn start(guarded: bool) -> Result<Self, NotRun> {
        let program = program(Absent::from_env())?;
        let data = tempfile::tempdir().unwrap();
        let host = free_host();
        let path = |name: &str| data.path().join(name);
        let mut config = format!(
            "version: 0.1\nlog: {{ level: error }}\nstorage: {{ filesystem: {{ rootdirectory: {} }} }}\nhttp: {{ addr: '{host}' }}\n",
            path("store").display()
        );
        if guarded {
            fs::write(path("htpasswd"), format!("{}:{HASH}\n", ACCOUNT.0)).unwrap();
            config += &format!("auth: {{ htpasswd: {{ realm: test, path: {} }} }}\n", path("htpasswd").display());
        }
        fs::write(path("config.yaml"), config).unwrap();
        let arguments = ["OTEL_TRACES_EXPORTER=none".into(), program.display().to_string(), "serve".into()];
        let arguments = [&arguments[..], &[path("config.yaml").display().to_string()]].concat();
        let process = Guarded::start(Path::new("/usr/bin/env"), &arguments, data.path(), &path("log")).unwrap();
        let up = wait_until(Duration::from_secs(30), || get(&host, "/v2/").is_ok());
        assert!(up, "the registry did not start:\n{}", fs::read_to_string(path("log")).unwrap_or_default());
        Ok(Self { host, _process: process, _data: data })
    }

    /// The answer to a GET, head and all.
    pub fn get(&self, path: &str) -> String {
        get(&self.host, path).unwrap()
    }
}

/// An address on loopback where nothing listens.
pub fn free_host() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn get(host: &str, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// A wire to a registry that is cut once so many bytes of all its connections have gone through, and stays cut.
pub fn cut_wire(to: &str, after: usize) -> String {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let (to, sent) = (to.to_owned(), Arc::new(AtomicUsize::new(0)));
    // Threads end with the test's process.
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let Ok(server) = TcpStream::connect(&to) else { return };
            let (mut from_server, mut to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || io::copy(&mut from_server, &mut to_client));
            let (mut client, mut server, sent) = (client, server, Arc::clone(&sent));
            std::thread::spawn(move || {
                let mut buffer = [0_u8; 1024];
                while let Ok(count @ 1..) = client.read(&mut buffer) {
                    if sent.fetch_add(count, Ordering::SeqCst) + count > after
                        || server.write_all(&buffer[..count]).is_err()
                    {
                        break;
                    }
                }
                let _ = client.shutdown(std::net::Shutdown::Both);
                let _ = server.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    host
}
