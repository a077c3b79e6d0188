//! The `tenantry` program: parse arguments, run, print the error and its hints, end with its code.

use std::process::ExitCode;

use clap::Parser as _;
use tenantry::cli::Cli;
use tenantry::commands::{self, Screen};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors and go to standard output.
            let code = if error.use_stderr() { tenantry::error::exit::USAGE } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    let screen = Screen::new(&cli.global);
    match commands::run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            screen.complain(&format!("error: {error}"));
            ExitCode::from(error.exit_code())
        }
    }
}
