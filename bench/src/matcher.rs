//! The error knowledge base's matcher by itself: at 100, 1,000 and 10,000 entries, against a plain loop over all patterns.
//!
//! The entries are those of this repository; where more are wanted, copies of them, each with words of its own in its
//! patterns, codes and samples. What is asked is what they are to be recognised by: their samples.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use ambit_knowledge::{Corpus, Entry, Input, Knowledge, Language};
use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::{Failure, child};

/// One figure, and what it shall stay below.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    pub(crate) name: String,
    pub(crate) value: f64,
    pub(crate) unit: Unit,
    pub(crate) below: Option<f64>,
    pub(crate) note: String,
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) enum Unit {
    Micros,
    Millis,
    Mib,
}

impl Unit {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Micros => "µs",
            Self::Millis => "ms",
            Self::Mib => "MiB",
        }
    }
}

/// Measures every size for so long, and prints the [`Figure`]s as JSON.
pub(crate) fn run(seconds: f64) -> Result<(), Failure> {
    let mut figures = Vec::new();
    let start = Instant::now();
    black_box(Knowledge::embedded().explain(&Input::take_apart(b"invalid_scope"), Language::En));
    let built_in = Corpus::embedded().entries().len();
    figures.push(Figure {
        name: format!("knowledge base, the first question of a process, {built_in} entries"),
        value: millis(start),
        unit: Unit::Millis,
        below: None,
        note: "unpacks the entries, builds the index".to_owned(),
    });
    for size in SIZES {
        measure(size, seconds, &mut figures)?;
    }
    println!("{}", serde_json::to_string(&figures)?);
    Ok(())
}

/// Makes so many entries, asks an index of them for their samples if it shall, and prints the most memory that the process
/// ever had, in MiB.
pub(crate) fn run_memory(size: usize, is_asked: bool) -> Result<(), Failure> {
    let entries = entries(size)?;
    let samples = samples(&entries);
    let corpus = Arc::new(Corpus::new(entries)?);
    if is_asked {
        let knowledge = Knowledge::new(Arc::clone(&corpus))?;
        for sample in &samples {
            black_box(knowledge.explain(&Input::take_apart(sample.as_bytes()), Language::En));
        }
    }
    println!("{}", peak_resident_mib()?);
    Ok(())
}

fn measure(size: usize, seconds: f64, figures: &mut Vec<Figure>) -> Result<(), Failure> {
    let entries = entries(size)?;
    let samples = samples(&entries);
    let patterns = entries.iter().flat_map(|entry| entry.matching.patterns.clone()).collect::<Vec<_>>();
    let corpus = Arc::new(Corpus::new(entries)?);

    let start = Instant::now();
    let knowledge = Knowledge::new(corpus)?;
    let built = millis(start);
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds || times.len() < samples.len() {
        for sample in &samples {
            let asked = Instant::now();
            let input = Input::take_apart(black_box(sample.as_bytes()));
            black_box(knowledge.explain(&input, Language::En));
            times.push(asked.elapsed().as_secs_f64() * 1e6);
        }
    }
    let used = child::matcher_memory(size, true)? - child::matcher_memory(size, false)?;
    times.sort_by(f64::total_cmp);
    let (median, p99, most) = (times[times.len() / 2], times[times.len() * 99 / 100], times[times.len() - 1]);

    let (loop_times, loop_note) = plain_loop(&patterns, &samples, seconds)?;
    let is_largest = size == SIZES[SIZES.len() - 1];
    let mut push = |what: &str, value, unit, below: f64, note: String| {
        let name = format!("knowledge base, {size} entries: {what}");
        figures.push(Figure { name, value, unit, below: is_largest.then_some(below), note });
    };
    push("a match, p99", p99, Unit::Micros, 1000.0, format!("p50 {median:.0}, most {most:.0}; taking apart included"));
    push("the index, built", built, Unit::Millis, 300.0, String::new());
    push(
        "the index, made and asked, in memory",
        used,
        Unit::Mib,
        64.0,
        "how much more a process takes at most than one that has only the entries".to_owned(),
    );
    figures.push(Figure {
        name: format!("knowledge base, {size} entries: a plain loop over {} patterns", patterns.len()),
        value: loop_times,
        unit: Unit::Micros,
        below: None,
        note: format!("{:.0} times the p50 of a match; {loop_note}", loop_times / median),
    });
    Ok(())
}

/// What a program does that has no index: tries every pattern on the text. Compiled beforehand, and not timed.
fn plain_loop(patterns: &[String], samples: &[String], seconds: f64) -> Result<(f64, String), Failure> {
    let start = Instant::now();
    let compile =
        |pattern: &String| RegexBuilder::new(pattern).case_insensitive(true).unicode(!pattern.is_ascii()).build();
    let compiled = patterns.iter().map(compile).collect::<Result<Vec<Regex>, _>>()?;
    let note = format!("compiling them took {:.0} ms", millis(start));
    let mut times = Vec::new();
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < seconds || times.is_empty() {
        for sample in samples.iter().take(50) {
            let asked = Instant::now();
            black_box(compiled.iter().filter(|pattern| pattern.is_match(black_box(sample.as_bytes()))).count());
            times.push(asked.elapsed().as_secs_f64() * 1e6);
        }
    }
    times.sort_by(f64::total_cmp);
    Ok((times[times.len() / 2], note))
}

/// What is asked: some of the samples.
fn samples(entries: &[Entry]) -> Vec<String> {
    let samples = entries.iter().filter_map(|entry| entry.samples.positive.last().cloned());
    samples.step_by((entries.len() / ASKED).max(1)).collect()
}

/// So many entries: the built-in ones, and copies with words of their own.
fn entries(size: usize) -> Result<Vec<Entry>, Failure> {
    let built_in = Corpus::embedded().entries();
    let mut entries = Vec::with_capacity(size);
    for number in 0..size {
        let original = &built_in[number % built_in.len()];
        let mut entry = original.clone();
        if let copy @ 1.. = number / built_in.len() {
            let word = word(copy);
            entry.id = format!("{}/{}-{copy}", original.id.domain(), original.id.slug()).parse()?;
            entry.aliases.clear();
            let salted = |text: &String| format!("{word} {text}");
            entry.matching.patterns = original.matching.patterns.iter().map(salted).collect();
            entry.matching.description_pattern = original.matching.description_pattern.as_ref().map(salted);
            entry.matching.oauth_error = original.matching.oauth_error.as_ref().map(|code| format!("{code}_{word}"));
            entry.matching.problem_type = original.matching.problem_type.as_ref().map(|path| format!("{path}-{word}"));
            entry.matching.www_authenticate =
                original.matching.www_authenticate.as_ref().map(|code| format!("{code}_{word}"));
            entry.samples.positive = original.samples.positive.iter().map(salted).collect();
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// A word that no entry has.
fn word(mut number: usize) -> String {
    const SYLLABLES: [&str; 16] =
        ["ba", "ce", "di", "fo", "gu", "ka", "le", "mi", "no", "pu", "ra", "se", "ti", "vo", "wu", "xa"];
    let mut word = "zy".to_owned();
    for _ in 0..4 {
        word.push_str(SYLLABLES[number % SYLLABLES.len()]);
        number /= SYLLABLES.len();
    }
    word
}

fn millis(start: Instant) -> f64 {
    start.elapsed().as_secs_f64() * 1e3
}

fn peak_resident_mib() -> Result<f64, Failure> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("/proc has no such field")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0)
}

const SIZES: [usize; 3] = [100, 1_000, 10_000];
/// Samples that are asked, of each size.
const ASKED: usize = 500;
