//! Reads every entry of `kb/entries/` and packs them into one JSON document, which the crate includes: so a wrong entry
//! does not compile, and a server does not read TOML when it starts.
//!
//! A crate that includes folders would put the files themselves into the binary, to be parsed at every start.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script its folders in the environment")]

#[expect(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "a build script needs the reading, and not what else the module offers"
)]
#[path = "src/entry/mod.rs"]
mod entry;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use entry::Entry;

fn main() -> ExitCode {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../kb/entries");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut entries = Vec::new();
    let mut failures = Vec::new();
    for file in files(&folder) {
        let name =
            file.strip_prefix(&folder).expect("it was found below the folder").to_string_lossy().replace('\\', "/");
        let text = fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()));
        match text.and_then(|text| Entry::parse(&name, &text).map_err(|error| error.to_string())) {
            Ok(entry) => entries.push(entry),
            Err(failure) => failures.push(failure),
        }
    }
    for failure in &failures {
        println!("cargo::error=kb/entries/{}", failure.replace('\n', " "));
    }
    let packed = serde_json::to_vec(&entries).expect("an entry is made of texts, numbers and lists");
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("entries.json"), packed).expect("cargo's own output folder can be written to");
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// The files of all domains, in the order of their ids.
fn files(folder: &Path) -> Vec<PathBuf> {
    let children = |folder: &Path| {
        let listed = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        listed.map(|child| child.expect("a readable folder").path()).collect::<Vec<_>>()
    };
    let domains = children(folder).into_iter().filter(|path| path.is_dir());
    let mut files: Vec<_> = domains.flat_map(|domain| children(&domain)).collect();
    files.sort();
    files
}
