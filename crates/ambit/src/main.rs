//! `ambit`: the authorization server and its command line. The only place where store and server meet.
//!
//! `serve`, `migrate`, `backup` and `restore` work on a store; `kb`, `mcp`, and `explain` with a text, need nothing but what came with
//! the program; every other command talks to a running server's admin API.

#![expect(unreachable_pub, reason = "a binary has no outside; `pub` says what a module offers to the others")]

mod client;
mod commands;
mod demo;
mod login;
mod master_key;
mod output;
mod serve;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use output::Failure;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// An OAuth 2.1 / OpenID Connect authorization server whose scopes explain themselves.
#[derive(Debug, Parser)]
#[command(name = "ambit", version, max_term_width = 100)]
struct Cli {
    /// Print JSON for programs instead of text for people.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server.
    Serve(serve::Serve),
    /// Bring the store's schema up to date.
    Migrate(commands::store::Migrate),
    /// Write a consistent copy of the store, also while a server runs on it.
    Backup(commands::store::Backup),
    /// Fill an empty store from a backup.
    Restore(commands::store::Restore),
    /// Check the configuration, the store and a running server; or, with --issuer, a client's way to an API.
    Doctor(commands::doctor::Doctor),
    /// Sign in as a person, by the browser. Commands act as them where no client's credentials are given.
    Login(commands::login::Login),
    /// End a login, here and on the server.
    Logout(commands::login::Logout),
    /// Say as whom commands act, what they may do, and until when.
    Whoami(commands::login::Whoami),
    /// Say why: what a request would get, why a token carries what it carries, why a 403.
    Explain(commands::explain::Explain),
    /// Applications.
    #[command(subcommand)]
    App(commands::app::App),
    /// Scopes of the catalogue.
    #[command(subcommand)]
    Scope(commands::scope::Scope),
    /// Features, per tenant and per unit.
    #[command(subcommand)]
    Feature(commands::feature::Feature),
    /// People.
    #[command(subcommand)]
    User(commands::user::User),
    /// Groups of people.
    #[command(subcommand)]
    Group(commands::group::Group),
    /// Signing keys.
    #[command(subcommand)]
    Keys(commands::keys::Keys),
    /// The error knowledge base, without a server.
    Kb(commands::kb::Kb),
    /// Serve the error knowledge base by the Model Context Protocol.
    Mcp(commands::mcp::Mcp),
    /// Print the OpenAPI document of the admin API.
    Openapi,
    /// Print a completion script for a shell.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return told_by_clap(&error),
    };
    let output = output::Output { json: cli.json };
    let outcome = match cli.command {
        Command::Serve(serve) => serve.run(output),
        Command::Completions { shell } => {
            // First as a whole: it panics where it cannot write, and whoever reads may have read enough.
            let mut script = vec![];
            clap_complete::generate(shell, &mut Cli::command(), "ambit", &mut script);
            output::write(String::from_utf8_lossy(&script).trim_end())
        }
        Command::Openapi => output.document(&ambit_server::openapi::document()),
        Command::Kb(command) => command.run(output),
        Command::Mcp(command) => wait(command.run()),
        Command::Migrate(command) => wait(command.run(output)),
        Command::Backup(command) => wait(command.run(output)),
        Command::Restore(command) => wait(command.run(output)),
        Command::Doctor(command) => wait(command.run(output)),
        Command::Login(command) => wait(command.run(output)),
        Command::Logout(command) => wait(command.run(output)),
        Command::Whoami(command) => wait(command.run(output)),
        Command::Explain(command) => wait(command.run(output)),
        Command::App(command) => wait(command.run(output)),
        Command::Scope(command) => wait(command.run(output)),
        Command::Feature(command) => wait(command.run(output)),
        Command::User(command) => wait(command.run(output)),
        Command::Group(command) => wait(command.run(output)),
        Command::Keys(command) => wait(command.run(output)),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

/// Help and version as text, and what is wrong with the command line in the form that was asked for on it.
fn told_by_clap(error: &clap::Error) -> ExitCode {
    let is_json = std::env::args_os().take_while(|argument| argument != "--").any(|argument| argument == "--json");
    if error.use_stderr() && is_json {
        let failure = Failure::usage(error.render().to_string().trim_end().to_owned());
        output::Output { json: true }.failure(&failure);
        return failure.exit_code();
    }
    // Whoever closed our standard output does not want to know.
    let _ = error.print();
    if error.use_stderr() { Failure::usage("").exit_code() } else { ExitCode::SUCCESS }
}

/// Commands do one thing after another: one thread is enough.
fn wait(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal(format!("the runtime could not be started: {error}")))?
        .block_on(work)
}
