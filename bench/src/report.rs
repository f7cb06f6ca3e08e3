//! What was measured, as tables for people and as JSON for programs.

use std::fmt;

use serde::Serialize;

use crate::Settings;
use crate::rounds::Outcome;

/// Everything one run measured.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    pub(crate) seconds_per_turn: f64,
    pub(crate) comparisons: Vec<Outcome>,
    pub(crate) facts: Vec<Fact>,
}

/// Where.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
}

/// One figure that is not a ratio of rates.
#[derive(Debug, Serialize)]
pub(crate) struct Fact {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
    pub(crate) asked: Option<Asked>,
    /// What it says, where the name does not.
    pub(crate) note: String,
}

/// What a figure shall be.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Asked {
    Below(f64),
    AtLeast(f64),
}

impl Report {
    pub(crate) fn new(settings: &Settings) -> Self {
        let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let processor = cpuinfo
            .lines()
            .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
            .map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned());
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            machine: Machine { processor, cores },
            seconds_per_turn: settings.seconds,
            comparisons: Vec::new(),
            facts: Vec::new(),
        }
    }
}

impl Fact {
    fn met(&self) -> Option<bool> {
        self.asked.map(|asked| match asked {
            Asked::Below(most) => self.value < most,
            Asked::AtLeast(least) => self.value >= least,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { processor, cores } = &self.machine;
        writeln!(
            f,
            "{processor}, {cores} cores; server on one, client on another; turns of {} s.\n",
            self.seconds_per_turn
        )?;
        if !self.comparisons.is_empty() {
            writeln!(
                f,
                "| what | connections | rate /s | compared with | its rate /s | ratio, median of rounds (least–most) | p50 µs | p99 µs | max µs | CPU µs | asked for | met |"
            )?;
            writeln!(f, "| --- | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- | --- |")?;
        }
        for it in &self.comparisons {
            let asked = [
                it.at_least.map(|least| format!("ratio ≥ {least}")),
                it.p99_below_us.map(|most| format!("p99 < {} ms", most / 1000.0)),
            ];
            writeln!(
                f,
                "| {} | {} | {:.0} | {} | {:.0} | {:.2} ({:.2}–{:.2}, {} rounds) | {:.0} | {:.0} | {:.0} | {:.1} | {} | {} |",
                it.name,
                it.connections,
                it.subject.rate,
                match it.signatures_per_sec {
                    Some(rate) => format!("{} ({rate:.0} bare signatures /s)", it.baseline_name),
                    None => it.baseline_name.to_owned(),
                },
                it.baseline.rate,
                it.ratio.median,
                it.ratio.min,
                it.ratio.max,
                it.rounds,
                it.subject.p50_us,
                it.subject.p99_us,
                it.subject.max_us,
                it.subject.cpu_us,
                asked.into_iter().flatten().collect::<Vec<_>>().join(", "),
                mark(it.met()),
            )?;
        }
        if !self.facts.is_empty() {
            writeln!(f, "\n| what | figure | asked for | met | |")?;
            writeln!(f, "| --- | ---: | --- | --- | --- |")?;
        }
        for fact in &self.facts {
            let asked = match fact.asked {
                None => String::new(),
                Some(Asked::Below(most)) => format!("< {most} {}", fact.unit),
                Some(Asked::AtLeast(least)) => format!("≥ {least} {}", fact.unit),
            };
            writeln!(
                f,
                "| {} | {:.2} {} | {asked} | {} | {} |",
                fact.name,
                fact.value,
                fact.unit,
                mark(fact.met()),
                fact.note
            )?;
        }
        Ok(())
    }
}

const fn mark(met: Option<bool>) -> &'static str {
    match met {
        None => "",
        Some(true) => "yes",
        Some(false) => "**no**",
    }
}
