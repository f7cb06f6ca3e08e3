//! Processes on a core of their own, gone when dropped.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use crate::Failure;
use crate::decide::Cost;
use crate::load::Turn;
use crate::matcher::Figure;
use crate::reference::Shape;
use crate::signature::Algorithm;
use crate::verify::Api;
use crate::walk::Plan;

/// A server of ours, on its core.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) process: Running,
}

/// A process that does not outlive its owner.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    pub(crate) fn start(command: &mut Command) -> Result<Self, Failure> {
        Ok(Self(command.spawn().map_err(|error| format!("{command:?} does not start: {error}"))?))
    }

    pub(crate) fn has_ended(&mut self) -> Result<bool, Failure> {
        Ok(self.0.try_wait()?.is_some())
    }

    /// Memory in use now, in KiB.
    pub(crate) fn resident_kib(&self) -> Result<u64, Failure> {
        self.status_kib("VmRSS:")
    }

    /// The most memory it ever used, in KiB.
    pub(crate) fn peak_resident_kib(&self) -> Result<u64, Failure> {
        self.status_kib("VmHWM:")
    }

    fn status_kib(&self, field: &str) -> Result<u64, Failure> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(field)).ok_or("/proc has no such field")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    }

    /// Time on the processor so far, of all threads, in seconds.
    pub(crate) fn cpu_secs(&self) -> Result<f64, Failure> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        // The name is in parentheses and may hold anything; the fields behind it are numbers (proc(5)): user and system
        // time are the 12th and 13th of them.
        let fields = stat.rsplit_once(") ").ok_or("/proc/…/stat is strange")?.1;
        let ticks = fields.split(' ').skip(11).take(2).map(str::parse::<u64>).sum::<Result<u64, _>>()?;
        Ok(ticks as f64 / TICKS_PER_SEC)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, then there is nothing to do and nobody to tell.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command pinned to a core.
pub(crate) fn pinned(core: usize, program: &std::path::Path) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(core.to_string()).arg(program);
    command
}

/// The limit reference, on the server's core.
pub(crate) fn start_reference(core: usize, shape: &Shape) -> Result<Server, Failure> {
    let (process, line) = start(core, "reference", &serde_json::to_string(shape)?)?;
    Ok(Server { address: line.trim().parse().map_err(|_| "the reference did not start")?, process })
}

/// An API behind the middleware, on the server's core, and a token for it.
pub(crate) fn start_api(core: usize) -> Result<(Server, String), Failure> {
    let (process, line) = start(core, "api", "")?;
    let Api { address, token } = serde_json::from_str(&line).map_err(|_| "the API did not start")?;
    Ok((Server { address, process }, token))
}

/// Starts a server of this program, and waits for the first line it prints.
fn start(core: usize, part: &str, input: &str) -> Result<(Running, String), Failure> {
    let mut command = pinned(core, &std::env::current_exe()?);
    let mut child = command.arg(part).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let process = Running(child);
    // Both were asked for above.
    stdin.ok_or("no standard input")?.write_all(input.as_bytes())?;
    let mut line = String::new();
    BufReader::new(stdout.ok_or("no standard output")?).read_line(&mut line)?;
    Ok((process, line))
}

/// One turn of the client, on its core.
pub(crate) fn load(core: usize, to: SocketAddr, connections: u16, seconds: f64, plan: &Plan) -> Result<Turn, Failure> {
    let mut command = pinned(core, &std::env::current_exe()?);
    command.args(["load", "--to", &to.to_string()]);
    command.args(["--connections", &connections.to_string(), "--seconds", &seconds.to_string()]);
    Ok(serde_json::from_str(&answer_of(&mut command, &serde_json::to_vec(plan)?)?)?)
}

/// Signatures a second, on the server's core.
pub(crate) fn signatures(core: usize, algorithm: Algorithm, seconds: f64) -> Result<f64, Failure> {
    let mut command = pinned(core, &std::env::current_exe()?);
    command.args(["sign", "--algorithm", algorithm.as_str(), "--seconds", &seconds.to_string()]);
    Ok(answer_of(&mut command, b"")?.trim().parse()?)
}

/// Passwords verified a second, one after another, on the server's core.
pub(crate) fn passwords(core: usize, seconds: f64) -> Result<f64, Failure> {
    let mut command = pinned(core, &std::env::current_exe()?);
    command.args(["passwords", "--seconds", &seconds.to_string()]);
    Ok(answer_of(&mut command, b"")?.trim().parse()?)
}

/// What calls of one kind cost by themselves, on the server's core: `decide` or `verify`.
pub(crate) fn costs(core: usize, of: &str, seconds: f64) -> Result<Vec<Cost>, Failure> {
    let mut command = pinned(core, &std::env::current_exe()?);
    command.args([of, "--seconds", &seconds.to_string()]);
    Ok(serde_json::from_str(&answer_of(&mut command, b"")?)?)
}

/// What the knowledge base's matcher costs by itself, on the server's core.
pub(crate) fn figures(core: usize, seconds: f64) -> Result<Vec<Figure>, Failure> {
    let mut command = pinned(core, &std::env::current_exe()?);
    command.args(["matcher", "--seconds", &seconds.to_string()]);
    Ok(serde_json::from_str(&answer_of(&mut command, b"")?)?)
}

/// The most memory of a process that has so many entries, in MiB, and of one that has asked an index of them. It is on the
/// core of whoever asks for it.
pub(crate) fn matcher_memory(size: usize, is_asked: bool) -> Result<f64, Failure> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["matcher-memory", "--entries", &size.to_string()]);
    if is_asked {
        command.arg("--asked");
    }
    Ok(answer_of(&mut command, b"")?.trim().parse()?)
}

fn answer_of(command: &mut Command, input: &[u8]) -> Result<String, Failure> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    // All three were asked for above. Nothing is printed before the input was read to its end.
    child.stdin.take().ok_or("no standard input")?.write_all(input)?;
    let mut output = String::new();
    child.stdout.take().ok_or("no standard output")?.read_to_string(&mut output)?;
    let mut complaint = String::new();
    child.stderr.take().ok_or("no standard error")?.read_to_string(&mut complaint)?;
    if child.wait()?.success() { Ok(output) } else { Err(complaint.trim().into()) }
}

/// `getconf CLK_TCK` on every Linux there is.
const TICKS_PER_SEC: f64 = 100.0;
