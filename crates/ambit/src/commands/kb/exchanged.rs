//! `ambit kb export` and `ambit kb import`: the flat JSON form in which other collections are published.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use ambit_knowledge::confidence::Outcomes;
use ambit_knowledge::entry::Product;
use ambit_knowledge::exchange::{self, Exchanged, Imported};
use ambit_knowledge::{Entry, EntryId, Knowledge};
use clap::Args;
use serde_json::{Value, json};

use super::find;
use crate::output::{Failure, Output};

/// Give entries away in the flat JSON form of other collections.
#[derive(Debug, Args)]
pub struct Export {
    /// Which, by id or alias; all of them where none is named.
    ids: Vec<String>,
    /// Write a file for each into this folder, DOMAIN/SLUG.json, in place of one document to standard output.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Overwrite files that are there.
    #[arg(long, requires = "out")]
    force: bool,
}

/// Take entries over from the flat JSON form of other collections.
#[derive(Debug, Args)]
pub struct Import {
    /// JSON files; each holds an entry or a list of them.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the entries: DOMAIN/SLUG.toml below this folder. Else that of --entries, or kb/entries.
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    /// Whose messages they are, which that form does not say.
    #[arg(long, value_name = "PRODUCT", default_value = "standard", value_parser = product)]
    product: Product,
    /// Overwrite entries that are there.
    #[arg(long)]
    force: bool,
}

impl Export {
    pub fn run(self, knowledge: &Knowledge, output: Output) -> Result<(), Failure> {
        let entries: Vec<&Entry> = if self.ids.is_empty() {
            knowledge.corpus().entries().iter().collect()
        } else {
            self.ids.iter().map(|id| find(knowledge, id)).collect::<Result<_, _>>()?
        };
        // What people reported is known to servers; here the figures come from the evidence alone.
        let exchanged: Vec<Exchanged> =
            entries.into_iter().map(|entry| exchange::export(entry, Outcomes::default())).collect();
        let Some(folder) = self.out else {
            return match exchanged.as_slice() {
                [one] => output.document(one),
                all => output.document(&all),
            };
        };
        let mut files = vec![];
        for entry in &exchanged {
            let text = serde_json::to_string_pretty(entry).map_err(|error| Failure::internal(error.to_string()))?;
            files.push(File { path: folder.join(format!("{}.json", entry.id)), text: text + "\n" });
        }
        write_all(&files, self.force)?;
        let paths: Vec<String> = files.iter().map(|file| file.path.display().to_string()).collect();
        output.say(&paths.join("\n"), &json!({ "written": paths }))
    }
}

impl Import {
    pub fn run(self, entries: Option<&Path>, output: Output) -> Result<(), Failure> {
        let folder = self.out.as_deref().or(entries).unwrap_or(Path::new(ENTRIES));
        let mut imports = vec![];
        for path in &self.files {
            for document in documents(path)? {
                let imported = exchange::import(&document, self.product)
                    .map_err(|error| Failure::usage(format!("{}: {error}", path.display())))?;
                imports.push((path, imported));
            }
        }
        let files = imports.iter().map(|(_, it)| file(folder, &it.entry)).collect::<Result<Vec<_>, _>>()?;
        let mut paths: Vec<&PathBuf> = files.iter().map(|file| &file.path).collect();
        paths.sort();
        if let Some(twice) = paths.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Failure::usage(format!("{}: two of the documents are this entry", twice[0].display())));
        }
        write_all(&files, self.force)?;
        let all = imports.iter().zip(&files);
        let lines: Vec<String> = all.clone().map(|((from, imported), file)| told(from, imported, file)).collect();
        let values: Vec<Value> = all
            .map(|((from, imported), file)| {
                json!({
                    "id": imported.entry.id, "from": from, "written": file.path, "findings": imported.findings,
                })
            })
            .collect();
        output.say(&lines.join("\n"), &values)
    }
}

/// A file to be written.
struct File {
    path: PathBuf,
    text: String,
}

fn told(from: &Path, imported: &Imported, file: &File) -> String {
    let mut lines = vec![format!("{} from {}", file.path.display(), from.display())];
    lines.extend(imported.findings.iter().map(|finding| format!("  {}: {}", finding.member, finding.what)));
    lines.join("\n")
}

/// The documents of a file: the one that it is, or those of its list.
fn documents(path: &Path) -> Result<Vec<String>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::usage(format!("{}: {error}", path.display()));
    let length = fs::metadata(path).map_err(|error| failed(&error))?.len();
    if length > MAX_FILE {
        return Err(failed(&format!("it is longer than {} MiB", MAX_FILE / 1024 / 1024)));
    }
    let text = fs::read_to_string(path).map_err(|error| failed(&error))?;
    // A byte order mark is no part of the document (RFC 8259 §8.1).
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    match serde_json::from_str::<Value>(text).map_err(|error| failed(&error))? {
        Value::Array(documents) => Ok(documents.iter().map(Value::to_string).collect()),
        document => Ok(vec![document.to_string()]),
    }
}

/// An entry in the form in which it is authored. What is written is read again, so that nothing is lost unseen.
fn file(folder: &Path, entry: &Entry) -> Result<File, Failure> {
    let id: &EntryId = &entry.id;
    let whole = toml::to_string_pretty(entry).map_err(|error| Failure::internal(format!("{id}: {error}")))?;
    // The id is the path of the file, and not a member.
    let text = whole.strip_prefix(&format!("id = \"{id}\"\n")).unwrap_or(&whole);
    let read = Entry::parse(&format!("{id}.toml"), text).map_err(|error| Failure::internal(error.to_string()))?;
    if read != *entry {
        return Err(Failure::internal(format!("{id} does not read as it was written")));
    }
    Ok(File { path: folder.join(format!("{id}.toml")), text: text.to_owned() })
}

/// Writes all of them, or none where one is there already and may not be overwritten.
fn write_all(files: &[File], force: bool) -> Result<(), Failure> {
    if !force {
        let there: Vec<String> =
            files.iter().filter(|file| file.path.exists()).map(|file| file.path.display().to_string()).collect();
        if !there.is_empty() {
            return Err(Failure::usage(format!("--force overwrites, and nothing was written: {}", there.join(", "))));
        }
    }
    for file in files {
        let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", file.path.display()));
        if let Some(folder) = file.path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // Between the look and the writing somebody else may have made it.
        let mut options = fs::OpenOptions::new();
        let options = if force { options.create(true).truncate(true) } else { options.create_new(true) };
        let mut opened = options.write(true).open(&file.path).map_err(failed)?;
        opened.write_all(file.text.as_bytes()).map_err(failed)?;
    }
    Ok(())
}

fn product(text: &str) -> Result<Product, String> {
    text.parse().map_err(|_| {
        let all: Vec<&str> = Product::ALL.iter().map(|product| product.as_str()).collect();
        format!("one of {}", all.join(", "))
    })
}

/// Where this repository has its entries.
pub const ENTRIES: &str = "kb/entries";
/// The largest collection that anybody publishes has a tenth of it.
const MAX_FILE: u64 = 64 * 1024 * 1024;
