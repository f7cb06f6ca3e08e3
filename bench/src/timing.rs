//! Whether the time of a refusal tells why a client was refused: RFC 6749 §10.1 asks that nobody guess credentials, nor learn which
//! clients there are.
//!
//! One connection sends requests that are refused for different reasons, in random order, and takes the time of each. What is
//! reported is the largest of Welch's *t* between any two reasons, without the slower half, in which there are mostly the machine's
//! own interruptions. Below 4.5 nobody can tell them apart from so many samples: it is the bound of leakage tests of hardware
//! (ISO/IEC 17825), and that of the constant-time tests of cryptographic libraries.

use std::hint;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use aws_lc_rs::rand::{SecureRandom as _, SystemRandom};
use serde_json::Value;

use crate::child::Server;
use crate::http::Request;
use crate::product::Client;
use crate::report::{Asked, Fact};
use crate::{Failure, answer};

/// By what the measurement is chosen.
pub(crate) const NAME: &str = "time of a refusal";

/// What time tells of four wrong credentials of as many kinds.
pub(crate) fn measure(server: &Server, client: &Client) -> Result<Fact, Failure> {
    let reasons = reasons(client);
    let requests = reasons.map(|(client_id, secret)| {
        Request::form("/connect/token", &[("grant_type", "client_credentials")]).basic(&client_id, &secret).to_text()
    });
    let mut connection = Connection::to(server.address)?;
    let mut said = Vec::new();
    for _ in 0..WARM_UP {
        said = requests.iter().map(|request| connection.refusal(request)).collect::<Result<_, _>>()?;
    }
    if said.iter().any(|text| text != &said[0]) {
        return Err(format!("refusals for different reasons say different things: {said:?}").into());
    }
    let mut times = [const { Vec::new() }; REASONS];
    while times.iter().any(|times| times.len() < SAMPLES) {
        let reason = random_octet()? % REASONS;
        let start = Instant::now();
        connection.exchange(requests[reason].as_bytes())?;
        times[reason].push(start.elapsed().as_secs_f64() * 1e6);
    }
    let (most, least) = separation(times);
    Ok(Fact {
        name: format!("{NAME}, wrong secrets and unknown clients apart, Welch's t"),
        value: most,
        unit: "",
        asked: Some(Asked::Below(4.5)),
        note: format!("{SAMPLES} samples each; {least:.2} µs would show"),
    })
}

/// A secret that is wrong in its first character, in its last, none, and a client that is not there.
fn reasons(client: &Client) -> [(String, String); REASONS] {
    let Client { client_id, secret, .. } = client;
    let other = |character: &str| if character == "x" { "y" } else { "x" };
    let (first, last) = (&secret[..1], &secret[secret.len() - 1..]);
    let unknown = format!("{}{}", &client_id[..client_id.len() - 1], other(&client_id[client_id.len() - 1..]));
    [
        (client_id.clone(), format!("{}{}", other(first), &secret[1..])),
        (client_id.clone(), format!("{}{}", &secret[..secret.len() - 1], other(last))),
        (client_id.clone(), String::new()),
        (unknown, secret.clone()),
    ]
}

/// The largest of Welch's t between any two, and the least difference of the means that would be 4.5 of it.
fn separation(mut times: [Vec<f64>; REASONS]) -> (f64, f64) {
    let mut all = times.concat();
    all.sort_by(f64::total_cmp);
    let most = all[all.len() / 2];
    for times in &mut times {
        times.retain(|time| *time <= most);
    }
    let moments = times.map(|times| {
        let count = times.len() as f64;
        let mean = times.iter().sum::<f64>() / count;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
        (mean, variance / count)
    });
    let (mut largest, mut error) = (0_f64, 0_f64);
    for (place, (mean, variance)) in moments.iter().enumerate() {
        for (other_mean, other_variance) in &moments[..place] {
            let of_both = (variance + other_variance).sqrt();
            largest = largest.max((mean - other_mean).abs() / of_both);
            error = error.max(of_both);
        }
    }
    (largest, 4.5 * error)
}

/// A connection that is kept.
struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Connection {
    fn to(address: SocketAddr) -> Result<Self, Failure> {
        let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
        stream.set_nodelay(true)?;
        // Whoever sleeps until an answer comes measures how long it takes to wake up.
        stream.set_nonblocking(true)?;
        Ok(Self { stream, received: Vec::new() })
    }

    /// The body of a refusal, without what is of this one request.
    fn refusal(&mut self, request: &str) -> Result<Value, Failure> {
        let mut body = serde_json::from_slice::<Value>(self.exchange(request.as_bytes())?)?;
        body.as_object_mut().ok_or("a refusal that is not an object")?.remove("trace_id");
        Ok(body)
    }

    /// Sends it, and gives the body of the answer, which is to be 401.
    fn exchange(&mut self, request: &[u8]) -> Result<&[u8], Failure> {
        self.stream.write_all(request)?;
        self.received.clear();
        let (mut chunk, start) = ([0; 4096], Instant::now());
        while answer::parse(&self.received)?.is_none() {
            match self.stream.read(&mut chunk) {
                Ok(0) => return Err("the connection was closed before the answer was there".into()),
                Ok(count) => self.received.extend_from_slice(&chunk[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock && start.elapsed() < PATIENCE => hint::spin_loop(),
                Err(error) => return Err(error.into()),
            }
        }
        match answer::parse(&self.received)? {
            Some(answer) if answer.status == 401 => Ok(answer.body),
            _ => Err(format!("not refused: {}", String::from_utf8_lossy(&self.received)).into()),
        }
    }
}

fn random_octet() -> Result<usize, Failure> {
    let mut octet = [0];
    SystemRandom::new().fill(&mut octet).map_err(|_| "the system has no randomness")?;
    Ok(octet[0].into())
}

const REASONS: usize = 4;
const SAMPLES: usize = 10_000;
const WARM_UP: usize = 500;
const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_longer_is_told_apart_and_what_does_not_is_not() {
        let jitter = |step: u32| (0..1000_u32).map(|n| 100.0 + f64::from(n * step % 17)).collect::<Vec<_>>();
        let same = [jitter(3), jitter(5), jitter(7), jitter(11)];
        let (most, least) = separation(same.clone());
        assert!(most < 1.0 && least > 0.0 && least < 2.0, "{most} {least}");
        let [first, second, third, fourth] = same;
        let slower = third.iter().map(|time| time + 2.0).collect();
        assert!(separation([first, second, slower, fourth]).0 > 4.5);
    }
}
