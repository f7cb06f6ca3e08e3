//! Packs the project's own documentation, `docs/`, into the program, so that a server shows the pages that belong to it.
#![expect(clippy::disallowed_methods, reason = "cargo tells a build script its folders in the environment")]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

fn main() {
    let folder = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo")).join("../../docs");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut found = Vec::new();
    files(&folder, &mut found);
    found.sort();
    let mut list = String::from("&[\n");
    for file in found {
        let name =
            file.strip_prefix(&folder).expect("it was found below the folder").to_string_lossy().replace('\\', "/");
        let path = fs::canonicalize(&file).expect("a file that was just found");
        let path = path.to_str().expect("a path in UTF-8");
        writeln!(list, "({name:?}, include_str!({path:?})),").expect("a string takes whatever is written");
    }
    list.push(']');
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("docs.rs"), list).expect("cargo's own output folder can be written to");
}

/// The pages, and the files beside them that people read. What is for programs is served where programs look for it.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    let children = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for child in children {
        let path = child.expect("a readable folder").path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md" || extension == "toml") {
            found.push(path);
        }
    }
}
