//! Two contenders in turns, and what the rounds say about them together.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::child::{self, Server};
use crate::load::Turn;
use crate::signature::Algorithm;
use crate::walk::Plan;
use crate::{Failure, Settings};

/// Somebody who answers a request.
pub(crate) struct Contender<'a> {
    pub(crate) server: &'a Server,
    /// What it is asked.
    pub(crate) plan: Plan,
    /// Looks into one body per round.
    pub(crate) check: &'a dyn Fn(&str) -> Result<(), Failure>,
}

/// What is compared, and what it shall be.
pub(crate) struct Comparison<'a> {
    pub(crate) name: String,
    pub(crate) connections: u16,
    pub(crate) subject: Contender<'a>,
    pub(crate) baseline: Contender<'a>,
    /// What the baseline is, in a few words.
    pub(crate) baseline_name: &'static str,
    /// Bare signatures are counted beside, where the work is mostly one.
    pub(crate) algorithm: Option<Algorithm>,
    /// The least ratio of the rates that is good enough.
    pub(crate) at_least: Option<f64>,
    /// The subject's p99 shall stay below.
    pub(crate) p99_below_us: Option<f64>,
}

/// What all rounds said.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    pub(crate) name: String,
    pub(crate) connections: u16,
    pub(crate) rounds: u32,
    pub(crate) subject: Figures,
    pub(crate) baseline: Figures,
    pub(crate) baseline_name: &'static str,
    /// Bare signatures a second on the server's core.
    pub(crate) signatures_per_sec: Option<f64>,
    /// The subject's rate by the baseline's, round by round.
    pub(crate) ratio: Spread,
    pub(crate) at_least: Option<f64>,
    pub(crate) p99_below_us: Option<f64>,
}

impl Outcome {
    /// Whether everything that was asked of it holds; none where nothing was.
    pub(crate) fn met(&self) -> Option<bool> {
        let ratio = self.at_least.map(|least| self.ratio.median >= least);
        let p99 = self.p99_below_us.map(|most| self.subject.p99_us < most);
        match (ratio, p99) {
            (None, None) => None,
            (ratio, p99) => Some(ratio.unwrap_or(true) && p99.unwrap_or(true)),
        }
    }
}

/// Medians over the rounds.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Figures {
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
    /// The longest of all rounds, not a median.
    pub(crate) max_us: f64,
    /// The server's time on the processor per answer, all of its threads taken together.
    pub(crate) cpu_us: f64,
}

/// A median and what it lies between.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) min: f64,
    pub(crate) max: f64,
}

impl Spread {
    /// Of at least one value.
    pub(crate) fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values = values.into_iter().collect::<Vec<_>>();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Self { median, min: values[0], max: values[values.len() - 1] }
    }

    /// Nanoseconds that a call takes, over batches.
    pub(crate) fn measure<T>(seconds: f64, call: impl Fn() -> T) -> Self {
        let start = Instant::now();
        let mut batches = Vec::new();
        while batches.is_empty() || start.elapsed().as_secs_f64() < seconds {
            let batch = Instant::now();
            for _ in 0..BATCH {
                black_box(call());
            }
            batches.push(batch.elapsed().as_secs_f64() * 1e9 / f64::from(BATCH));
        }
        Self::of(batches)
    }
}

/// One turn, and the server's time on the processor per answer.
pub(crate) struct Measured {
    pub(crate) turn: Turn,
    cpu_us: f64,
}

/// Runs all rounds of a comparison.
pub(crate) fn compare(comparison: &Comparison<'_>, settings: &Settings) -> Result<Outcome, Failure> {
    let (mut subject, mut baseline, mut signatures) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..settings.rounds {
        let ask = |contender: &Contender<'_>| turn(contender, comparison.connections, settings.seconds, settings);
        // Who goes first changes each round, so that a drift within rounds favours neither.
        if round % 2 == 0 {
            baseline.push(ask(&comparison.baseline)?);
            subject.push(ask(&comparison.subject)?);
        } else {
            subject.push(ask(&comparison.subject)?);
            baseline.push(ask(&comparison.baseline)?);
        }
        if let Some(algorithm) = comparison.algorithm {
            signatures.push(child::signatures(settings.server_core, algorithm, settings.seconds)?);
        }
        eprint!(".");
    }
    eprintln!(" {}", comparison.name);
    Ok(Outcome {
        name: comparison.name.clone(),
        connections: comparison.connections,
        rounds: settings.rounds,
        ratio: Spread::of(
            subject.iter().zip(&baseline).map(|(subject, baseline)| subject.turn.rate() / baseline.turn.rate()),
        ),
        subject: figures(&subject),
        baseline: figures(&baseline),
        baseline_name: comparison.baseline_name,
        signatures_per_sec: comparison.algorithm.map(|_| Spread::of(signatures).median),
        at_least: comparison.at_least,
        p99_below_us: comparison.p99_below_us,
    })
}

/// Asks a contender for so long.
pub(crate) fn turn(
    contender: &Contender<'_>,
    connections: u16,
    seconds: f64,
    settings: &Settings,
) -> Result<Measured, Failure> {
    // What the one before left to do (a batch of the journal, closing connections) is not this one's.
    std::thread::sleep(SETTLE);
    let before = contender.server.process.cpu_secs()?;
    let turn = child::load(settings.load_core, contender.server.address, connections, seconds, &contender.plan)?;
    let cpu_secs = contender.server.process.cpu_secs()? - before;
    (contender.check)(&turn.body)?;
    // The warm-up costs as much per answer, and is in the time: it is taken out by its share.
    let share = turn.seconds / (turn.seconds + crate::load::WARM_UP.as_secs_f64());
    Ok(Measured { cpu_us: cpu_secs * share * 1e6 / turn.answers as f64, turn })
}

fn figures(rounds: &[Measured]) -> Figures {
    let median = |of: fn(&Measured) -> f64| Spread::of(rounds.iter().map(of)).median;
    Figures {
        rate: median(|it| it.turn.rate()),
        p50_us: median(|it| it.turn.p50_us),
        p99_us: median(|it| it.turn.p99_us),
        max_us: rounds.iter().map(|it| it.turn.max_us).fold(0.0, f64::max),
        cpu_us: median(|it| it.cpu_us),
    }
}

/// Calls between two looks at the clock.
const BATCH: u32 = 200;
const SETTLE: Duration = Duration::from_millis(300);

#[cfg(test)]
mod tests {
    use super::Spread;

    #[test]
    fn the_median_of_an_even_number_lies_between_the_middle_two() {
        assert!((Spread::of([4.0, 1.0, 3.0, 2.0]).median - 2.5).abs() < 1e-9);
        assert!((Spread::of([9.0, 1.0, 3.0]).median - 3.0).abs() < 1e-9);
        assert!((Spread::of([9.0, 1.0, 3.0]).max - 9.0).abs() < 1e-9);
    }
}
