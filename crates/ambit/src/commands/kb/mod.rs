//! `ambit kb`: the error knowledge base, without a server. The entries that came with the program, or a folder of one's own.

use ambit_server::logs::with_causes;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ambit_knowledge::confidence::{Estimate, Outcomes, confidence};
use ambit_knowledge::lint::{self, Surroundings};
use ambit_knowledge::{Corpus, Entry, Input, Knowledge, Language};
use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::json;

use self::pasted::Pasted;
use crate::output::{Failure, Output, Paint};

mod exchanged;
pub mod pasted;
pub mod told;

/// The error knowledge base, without a server.
#[derive(Debug, Args)]
pub struct Kb {
    #[command(subcommand)]
    command: Command,
    /// Entries of one's own in place of those that came with the program: a folder for each domain, a file for each entry.
    #[arg(long, value_name = "FOLDER", global = true)]
    entries: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check every entry.
    Lint {
        /// The folder below which evidence that is a path has to exist.
        #[arg(long, value_name = "FOLDER")]
        repository: Option<PathBuf>,
    },
    /// Say what a message, an answer, a header, a transcript, a log line or a token is about.
    Match {
        #[command(flatten)]
        pasted: Pasted,
        /// The language of the answer, as far as entries have it.
        #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = language)]
        lang: Language,
    },
    /// Show an entry.
    Show {
        /// Its id or an alias, such as api/invalid-token.
        id: String,
        /// The language, as far as the entry has it.
        #[arg(long, value_name = "LANGUAGE", default_value = "en", value_parser = language)]
        lang: Language,
    },
    /// Give entries away in the flat JSON form of other collections.
    Export(exchanged::Export),
    /// Take entries over from the flat JSON form of other collections.
    Import(exchanged::Import),
}

impl Kb {
    pub fn run(self, output: Output) -> Result<(), Failure> {
        let entries = self.entries.as_deref();
        match self.command {
            Command::Lint { repository } => check(entries, repository.as_deref(), output),
            Command::Match { pasted, lang } => answer(&*knowledge(entries)?, &pasted.read()?, lang, output),
            Command::Show { id, lang } => show(&*knowledge(entries)?, &id, lang, output),
            Command::Export(export) => export.run(&*knowledge(entries)?, output),
            Command::Import(import) => import.run(entries, output),
        }
    }
}

/// An entry with what is computed of it.
#[derive(Debug, Serialize, schemars::JsonSchema)]
pub struct Shown {
    /// The entry as it is written.
    pub entry: Entry,
    /// How likely it is to be true, from its evidence alone: outcomes are reported to servers.
    pub confidence: Estimate,
}

impl Shown {
    pub fn new(entry: &Entry) -> Self {
        Self { entry: entry.clone(), confidence: confidence(entry, Outcomes::default()) }
    }
}

/// Says what a text is about, for people or for programs; fails with a code of its own where that is several things or none.
pub fn answer(knowledge: &Knowledge, pasted: &[u8], lang: Language, output: Output) -> Result<(), Failure> {
    let input = Input::take_apart(pasted);
    let answer = knowledge.explain(&input, lang);
    output.say(&told::answer(knowledge.corpus(), &answer, lang, Paint::of_terminal()), &answer)?;
    match answer.outcome {
        ambit_knowledge::Outcome::Match => Ok(()),
        ambit_knowledge::Outcome::Ambiguous => {
            Err(Failure::ambiguous(format!("as much speaks for each of {} entries", answer.entries.len())))
        }
        ambit_knowledge::Outcome::NoMatch => Err(Failure::no_match("no entry is about this for sure")),
    }
}

/// The entries of a folder with their index, or those that came with the program.
pub fn knowledge(entries: Option<&Path>) -> Result<Loaded, Failure> {
    let Some(folder) = entries else { return Ok(Loaded::Embedded(Knowledge::embedded())) };
    let corpus = Corpus::from_folder(folder).map_err(|error| Failure::usage(with_causes(&error)))?;
    let knowledge = Knowledge::new(Arc::new(corpus)).map_err(|error| Failure::usage(with_causes(&error)))?;
    Ok(Loaded::Own(Box::new(knowledge)))
}

/// Where the entries are from.
#[derive(Debug)]
pub enum Loaded {
    Embedded(&'static Knowledge),
    Own(Box<Knowledge>),
}

impl std::ops::Deref for Loaded {
    type Target = Knowledge;

    fn deref(&self) -> &Knowledge {
        match self {
            Self::Embedded(knowledge) => knowledge,
            Self::Own(knowledge) => knowledge,
        }
    }
}

fn show(knowledge: &Knowledge, id: &str, lang: Language, output: Output) -> Result<(), Failure> {
    let entry = find(knowledge, id)?;
    let shown = Shown::new(entry);
    output.say(&told::entry(&shown, lang, Paint::of_terminal()), &shown)
}

/// The entry of an id or an alias; where there is none, those with the words of it are named.
fn find<'a>(knowledge: &'a Knowledge, id: &str) -> Result<&'a Entry, Failure> {
    knowledge.corpus().find(id).ok_or_else(|| Failure::no_match(unknown(knowledge, id)))
}

/// That there is no entry of this name, and what else there is. The name may be anything that was pasted.
pub fn unknown(knowledge: &Knowledge, id: &str) -> String {
    let name = Input::take_apart(id.as_bytes());
    let words = name.shown().replace(['/', '-', '_'], " ");
    let others: Vec<String> = knowledge.search(&words, 3).into_iter().map(|entry| entry.id.to_string()).collect();
    let shown: String = name.shown().chars().take(100).collect();
    if others.is_empty() {
        return format!("there is no entry {shown:?}");
    }
    format!("there is no entry {shown:?}; there are {}", others.join(", "))
}

fn check(folder: Option<&Path>, repository: Option<&Path>, output: Output) -> Result<(), Failure> {
    let knowledge = &*knowledge(folder)?;
    let folder = folder.unwrap_or(Path::new(exchanged::ENTRIES));
    let exists = repository.map(|folder| move |path: &str| folder.join(path).exists());
    let has_path = exists.as_ref().map(|exists| exists as &dyn Fn(&str) -> bool);
    let findings = lint::check(knowledge, Surroundings { has_path });
    let entries = knowledge.corpus().entries().len();
    let mut lines: Vec<String> =
        findings.iter().map(|finding| folder.join(finding.to_string()).display().to_string()).collect();
    lines.push(format!(
        "{} checked, {}",
        counted(entries, "entry", "entries"),
        counted(findings.len(), "finding", "findings")
    ));
    output.say(&lines.join("\n"), &json!({ "entries": entries, "findings": findings }))?;
    if findings.is_empty() {
        return Ok(());
    }
    let faulty: BTreeSet<_> = findings.iter().map(|finding| &finding.entry).collect();
    Err(Failure::finding(format!(
        "{} in {}",
        counted(findings.len(), "finding", "findings"),
        counted(faulty.len(), "entry", "entries")
    )))
}

fn counted(count: usize, one: &str, several: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { several })
}

/// A language by its code.
pub fn language(text: &str) -> Result<Language, String> {
    text.parse().map_err(|_| {
        let all: Vec<&str> = Language::ALL.iter().map(|language| language.as_str()).collect();
        format!("one of {}", all.join(", "))
    })
}
