//! The subcommands: the only place where edges meet the core.

mod charts;
mod check;
pub mod fleet;
mod init;
mod inspect;
mod memo;
mod origin;
mod render;
mod screen;
mod timings;
mod watch;

use clap::CommandFactory as _;

use crate::cli::{Cli, Command, SchemaKind};
use crate::config::Kind;
use crate::error::{Result, exit};
pub use screen::Screen;

/// Version of the program with the commit that it was built from.
pub fn version() -> &'static str {
    env!("TENANTRY_VERSION")
}

/// Runs a command line and returns the exit code.
///
/// # Errors
/// What kept the command from doing its work.
pub fn run(cli: Cli) -> Result<u8> {
    let screen = Screen::new(&cli.global);
    let code = match cli.command {
        Command::Init(args) => init::run(&screen, &args)?,
        Command::Schema(args) => {
            let kind = match args.kind {
                SchemaKind::Install => Kind::Install,
                SchemaKind::Tenant => Kind::Tenant,
                SchemaKind::Compatibility => Kind::Compatibility,
                SchemaKind::Rotation => Kind::RotationPolicy,
            };
            screen.print(&format!("{}\n", serde_json::to_string_pretty(kind.schema()).unwrap_or_default()))?;
            exit::OK
        }
        Command::Check => check::run(&screen)?,
        Command::Render(args) => render::run(&screen, &args)?,
        Command::Watch(args) => watch::run(&screen, &args)?,
        Command::List => inspect::list(&screen)?,
        Command::Show(args) => inspect::show(&screen, &args)?,
        Command::Compat(args) => inspect::compat(&screen, &args)?,
        Command::Charts(command) => charts::run(&screen, &command)?,
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "tenantry", &mut script);
            screen.print(&String::from_utf8_lossy(&script))?;
            exit::OK
        }
    };
    Ok(if code == exit::FINDINGS && !screen.global().exit_code { exit::OK } else { code })
}

/// Folder for what can be made again: clones of remote repositories.
fn cache_folder() -> Option<std::path::PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(std::path::PathBuf::from);
    given("XDG_CACHE_HOME")
        .or_else(|| given("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("tenantry"))
}
