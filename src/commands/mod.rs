//! The subcommands: the only place where edges meet the core.

mod access;
mod bootstrap;
mod budget;
mod capacity;
mod charts;
mod check;
mod codeowners;
mod diff;
mod drift;
mod evidence;
mod explain;
pub mod fleet;
mod init;
mod inspect;
mod life;
mod memo;
mod network;
mod origin;
mod render;
mod schemas;
mod screen;
mod secrets;
mod timings;
mod verify;
mod watch;

use clap::{CommandFactory as _, ValueEnum};

use crate::cli::{
    ChartsCommand, Cli, Command, Format, NetworkCommand, SchemaKind, SchemasCommand, SecretsArgs, SecretsCommand,
};
use crate::config::Kind;
use crate::error::{Error, Result, exit};
pub use screen::Screen;

/// Version of the program with the commit that it was built from.
pub fn version() -> &'static str {
    env!("TENANTRY_VERSION")
}

/// The exit codes of other tools that compare (`terraform plan -detailed-exitcode`): 0 for no difference, 2 for some,
/// 1 for anything else.
fn detailed(screen: &Screen, code: Result<u8>) -> Result<u8> {
    match code {
        Ok(exit::OK) => Ok(exit::OK),
        Ok(exit::FINDINGS) => Ok(if screen.global().exit_code { 2 } else { exit::OK }),
        Ok(_) => Ok(1),
        Err(error) => {
            screen.complain(&format!("error: {error}"));
            Ok(1)
        }
    }
}

/// Runs a command line and returns the exit code.
///
/// # Errors
/// What kept the command from doing its work.
pub fn run(cli: Cli) -> Result<u8> {
    let screen = Screen::new(&cli.global);
    let known = formats(&cli.command);
    if let Some(spec) = cli.global.output.iter().find(|spec| !known.contains(&spec.format)) {
        let name = |format: &Format| format.to_possible_value().map(|value| value.get_name().to_owned());
        let error = Error::usage(format!("this command has no {} report", name(&spec.format).unwrap_or_default()));
        let names: Vec<String> = known.iter().filter_map(name).collect();
        return Err(error.hint(if names.is_empty() {
            "drop -o".into()
        } else {
            format!("formats: {}", names.join(", "))
        }));
    }
    origin::admit()?;
    let prints = match &cli.command {
        Command::List | Command::Show(_) | Command::Compat(_) | Command::Schemas(_) | Command::Log(_) => true,
        Command::Charts(command) => !matches!(command, ChartsCommand::Verify(_)),
        _ => false,
    };
    if prints && cli.global.output.iter().any(|spec| spec.path.is_some()) {
        return Err(Error::usage("this command prints to standard output only").hint("redirect it: > FILE"));
    }
    let code = match cli.command {
        Command::Init(args) => init::run(&screen, &args)?,
        Command::Schema(args) => {
            let schema = match args.kind {
                SchemaKind::Install => Kind::Install.schema().clone(),
                SchemaKind::Tenant => Kind::Tenant.schema().clone(),
                SchemaKind::Compatibility => Kind::Compatibility.schema().clone(),
                SchemaKind::Rotation => Kind::RotationPolicy.schema().clone(),
                SchemaKind::NetworkClaims => Kind::NetworkClaims.schema().clone(),
                SchemaKind::Exemptions => Kind::Exemptions.schema().clone(),
                SchemaKind::Report => crate::report::schema(),
                SchemaKind::Capacity => capacity::schema(),
                SchemaKind::DiffReport => crate::report::diff::schema(),
                SchemaKind::DriftReport => crate::report::drift::schema(),
            };
            screen.print(&format!("{}\n", serde_json::to_string_pretty(&schema).unwrap_or_default()))?;
            exit::OK
        }
        Command::Check(args) => check::run(&screen, &args)?,
        Command::Render(args) => render::run(&screen, &args)?,
        Command::Diff(args) => diff::run(&screen, &args)?,
        Command::Verify(args) => verify::run(&screen, &args)?,
        Command::Evidence(args) => evidence::run(&screen, &args)?,
        Command::Codeowners(args) => codeowners::run(&screen, &args)?,
        Command::Bootstrap(args) => bootstrap::run(&screen, &args)?,
        Command::Watch(args) => watch::run(&screen, &args)?,
        Command::Capacity(args) => capacity::run(&screen, &args)?,
        Command::List => inspect::list(&screen)?,
        Command::Show(args) => inspect::show(&screen, &args)?,
        Command::Drift(args) => drift::run(&screen, &args)?,
        Command::Compat(args) => inspect::compat(&screen, &args)?,
        Command::Life(command) => life::run(&screen, &command)?,
        Command::Log(args) => life::log(&screen, &args)?,
        Command::Network(command) => network::run(&screen, &command)?,
        Command::Charts(command) => charts::run(&screen, &command)?,
        Command::Schemas(command) => schemas::run(&screen, &command)?,
        Command::Secrets(args) => secrets::run(&screen, &args)?,
        Command::Access(args) => access::run(&screen, &args)?,
        Command::Explain(args) => explain::run(&screen, &args)?,
        Command::Completions(args) => {
            let mut script = Vec::new();
            clap_complete::generate(args.shell, &mut Cli::command(), "tenantry", &mut script);
            screen.print(&String::from_utf8_lossy(&script))?;
            exit::OK
        }
    };
    Ok(if code == exit::FINDINGS && !screen.global().exit_code { exit::OK } else { code })
}

/// The formats in which a command can report.
fn formats(command: &Command) -> &'static [Format] {
    use Format::{Csv, Dot, Github, Gitlab, Html, Json, Junit, Markdown, Sarif, Svg, Text};
    match command {
        Command::Check(_)
        | Command::Render(_)
        | Command::Watch(_)
        | Command::Verify(_)
        | Command::Drift(_)
        | Command::Charts(ChartsCommand::Verify(_)) => &[Text, Json, Markdown, Sarif, Junit, Gitlab, Github, Html],
        Command::Network(NetworkCommand::Connections(_) | NetworkCommand::Diff(_)) => {
            &[Text, Json, Csv, Markdown, Dot, Svg]
        }
        Command::Diff(_) => &[Text, Json, Markdown, Html],
        Command::Evidence(_) => &[Text, Json, Html],
        Command::Network(NetworkCommand::Prove(_)) => &[Text, Json, Svg, Html],
        Command::Access(_) | Command::Network(NetworkCommand::Explain(_)) => &[Text, Json],
        Command::Secrets(SecretsArgs { command: Some(SecretsCommand::Enrolment { .. }) })
        | Command::Life(_)
        | Command::Explain(_) => &[Text, Json, Markdown],
        Command::Capacity(_)
        | Command::List
        | Command::Show(_)
        | Command::Compat(_)
        | Command::Charts(_)
        | Command::Log(_)
        | Command::Secrets(_)
        | Command::Schemas(SchemasCommand::List) => &[Text, Json],
        Command::Init(_)
        | Command::Schema(_)
        | Command::Schemas(SchemasCommand::Import(_))
        | Command::Codeowners(_)
        | Command::Bootstrap(_)
        | Command::Completions(_) => &[],
    }
}

/// Folder for what can be made again: clones of remote repositories.
fn cache_folder() -> Option<std::path::PathBuf> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(std::path::PathBuf::from);
    given("XDG_CACHE_HOME")
        .or_else(|| given("HOME").map(|home| home.join(".cache")))
        .map(|cache| cache.join("tenantry"))
}
