//! Chores of this repository, for people and for CI alike: `cargo xtask --help` lists them.

mod openapi;

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

/// Chores of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Compare the golden tables with what the code does; with --accept, write them anew.
    Golden {
        /// Take what the code does for right. The diff is the change of behaviour: read it.
        #[arg(long)]
        accept: bool,
    },
    /// Compare docs/reference/openapi.json with the routes; with --accept, write it anew.
    Openapi {
        /// Take what the code does for right.
        #[arg(long)]
        accept: bool,
    },
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().chore {
        Chore::Golden { accept } => golden(accept),
        Chore::Openapi { accept } => openapi::check(accept),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// The golden tables are snapshots of insta, compared by tests whose names end in `in_the_table`.
fn golden(accept: bool) -> Result<(), String> {
    let mut tests = cargo();
    tests.args(["test", "--workspace", "--quiet", "in_the_table"]);
    tests.env("INSTA_UPDATE", if accept { "always" } else { "no" }).env_remove("INSTA_FORCE_PASS");
    run(&mut tests)
}

/// The cargo that started us, in the workspace's own folder.
fn cargo() -> Command {
    #[expect(clippy::disallowed_methods, reason = "cargo tells its subcommands which cargo it is")]
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root());
    command
}

/// The workspace's own folder.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Runs to the end, its output passed on.
fn run(command: &mut Command) -> Result<(), String> {
    let status = command.status().map_err(|error| format!("{command:?} does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{command:?}: {status}")) }
}

/// Runs to the end, and gives what it printed.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.output().map_err(|error| format!("{command:?} does not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{command:?}: {error}"))
}
