//! A child process that never outlives the test, however the test ends.
//!
//! The child runs under a shell that waits for its standard input to close. The kernel closes that pipe when the test
//! process ends, even by SIGKILL; the shell then kills its own child (which it has not waited for, so the process number
//! is still that child's) and removes the data folder.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const WATCHDOG: &str = r#"
data=$1; shift
"$@" </dev/null & child=$!
trap '' INT TERM HUP
if read -r _; then
    kill -9 "$child"; wait "$child"
else
    kill -9 "$child"; wait "$child"; sleep 0.3; rm -rf "$data"
fi
"#;

/// A running child, killed on drop.
#[derive(Debug)]
pub struct Guarded {
    shell: Child,
}

impl Guarded {
    /// Starts `program`; what it says is appended to `log`. `data` is removed if the test process dies without a word.
    pub fn start(program: &Path, arguments: &[String], data: &Path, log: &Path) -> io::Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(log)?;
        let mut shell = Command::new("/bin/sh");
        shell.arg("-c").arg(WATCHDOG).arg("watchdog").arg(data).arg(program).args(arguments);
        shell.stdin(Stdio::piped()).stdout(log.try_clone()?).stderr(log);
        shell.process_group(0); // Ctrl-C reaches the test, and through the pipe the child
        Ok(Guarded { shell: shell.spawn()? })
    }

    /// Kills the child and waits until it is gone.
    pub fn stop(&mut self) {
        if let Some(mut stdin) = self.shell.stdin.take() {
            // A shell that is gone already has nothing left to kill.
            let _ = stdin.write_all(b"stop\n");
        }
        let _ = self.shell.wait();
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Asks `ready` every few milliseconds until it says yes.
pub fn wait_until(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while start.elapsed() < limit {
        if ready() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}
