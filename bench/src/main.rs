//! Measures Ambit against the smallest server that does the same work, in the same minutes, on the same two cores.
//!
//! 1. The product and the *limit reference* ([`mod@reference`]) are started on one core.
//! 2. A client that never sleeps ([`load`]) asks them from another core, in turns of about two seconds ([`rounds`]).
//! 3. Each round gives a ratio; what is reported is the median of the rounds. A round with one wrong answer counts for
//!    nothing and ends the run.
//!
//! The machine may be shared and drift within minutes, so the rates themselves mean little and the ratios mean much.
#![expect(clippy::print_stdout, reason = "the report goes to the terminal")]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads the clock; nothing is decided by it")]
#![expect(
    clippy::cast_precision_loss,
    reason = "rates and times of this size are exact in 52 bits, and figures are for people"
)]

mod answer;
mod child;
mod decide;
mod growth;
mod histogram;
mod http;
mod load;
mod matcher;
mod people;
mod product;
mod reference;
mod report;
mod rounds;
mod scenario;
mod signature;
mod timing;
mod verify;
mod walk;

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use signature::Algorithm;

/// What ends a run: the text says what to do about it.
type Failure = Box<dyn Error + Send + Sync>;

/// The product's allocator, so that the reference has it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Ambit against the smallest server that does the same work.
#[derive(Debug, Parser)]
#[command(name = "ambit-bench", args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    settings: Settings,
    #[command(subcommand)]
    part: Option<Part>,
}

/// How to measure.
#[derive(Debug, Clone, Args)]
struct Settings {
    /// Rounds per scenario; the median counts. Fewer than seven say little.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=99))]
    rounds: u32,
    /// Seconds that each contender is asked in a round.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// The core that serves.
    #[arg(long, default_value_t = 0)]
    server_core: usize,
    /// The core that asks.
    #[arg(long, default_value_t = 1)]
    load_core: usize,
    /// Only scenarios with this text in their name.
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// The program to measure, instead of building this tree's.
    #[arg(long, value_name = "FILE")]
    product: Option<PathBuf>,
    /// Measure the reference alone: what the machine can do.
    #[arg(long)]
    reference_only: bool,
    /// Leave out what a large registry does, which takes most of the time and 3 GiB of disk.
    #[arg(long)]
    without_growth: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
}

/// The processes that a run consists of.
#[derive(Debug, Subcommand)]
enum Part {
    /// The limit reference: reads what it should look like from standard input, prints its address, serves until killed.
    #[command(hide = true)]
    Reference,
    /// The client: reads a plan from standard input and carries it out; prints what it measured.
    #[command(hide = true)]
    Load {
        /// Where to; loopback only.
        #[arg(long)]
        to: SocketAddr,
        /// Keep-alive connections, each with one request under way.
        #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
        connections: u16,
        /// For how long.
        #[arg(long)]
        seconds: f64,
    },
    /// `decide` alone: prints what each kind of request costs.
    #[command(hide = true)]
    Decide {
        /// For how long, each.
        #[arg(long)]
        seconds: f64,
    },
    /// The knowledge base's matcher alone: prints what it costs at each size.
    #[command(hide = true)]
    Matcher {
        /// For how long, each.
        #[arg(long)]
        seconds: f64,
    },
    /// Entries of the knowledge base alone, or an index of them as well: prints the most memory that takes.
    #[command(hide = true)]
    MatcherMemory {
        /// How many.
        #[arg(long)]
        entries: usize,
        /// Whether an index is made of them, and asked.
        #[arg(long)]
        asked: bool,
    },
    /// Verification in the middleware alone: prints what each kind costs.
    #[command(hide = true)]
    Verify {
        /// For how long, each.
        #[arg(long)]
        seconds: f64,
    },
    /// Passwords verified one after another: prints how many a second.
    #[command(hide = true)]
    Passwords {
        /// For how long.
        #[arg(long)]
        seconds: f64,
    },
    /// An API behind the middleware: prints its address and a token, serves until killed.
    #[command(hide = true)]
    Api,
    /// One core's signatures: prints how many a second.
    #[command(hide = true)]
    Sign {
        /// The algorithm.
        #[arg(long)]
        algorithm: Algorithm,
        /// For how long.
        #[arg(long)]
        seconds: f64,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.part {
        None => run(&arguments.settings),
        Some(Part::Reference) => reference::serve(),
        Some(Part::Load { to, connections, seconds }) => load::run(to, connections, seconds),
        Some(Part::Decide { seconds }) => decide::run(seconds),
        Some(Part::Matcher { seconds }) => matcher::run(seconds),
        Some(Part::MatcherMemory { entries, asked }) => matcher::run_memory(entries, asked),
        Some(Part::Verify { seconds }) => verify::run(seconds),
        Some(Part::Passwords { seconds }) => people::verify_passwords(seconds),
        Some(Part::Api) => verify::serve(),
        Some(Part::Sign { algorithm, seconds }) => signature::run(algorithm, seconds),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("ambit-bench: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(settings: &Settings) -> Result<(), Failure> {
    let report = scenario::run(settings)?;
    if settings.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(())
}
