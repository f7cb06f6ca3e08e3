//! What somebody has in hand: on the command line, in a file, or on standard input.

use std::fs::File;
use std::io::{IsTerminal as _, Read};
use std::path::PathBuf;

use ambit_knowledge::input::MAX_INPUT;
use clap::Args;

use crate::output::Failure;

/// A text to be explained.
#[derive(Debug, Args)]
pub struct Pasted {
    /// The text; several words are one text. Where there is none, or `-`, and no file: standard input.
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// The file that holds it.
    #[arg(long, value_name = "FILE", conflicts_with = "text")]
    file: Option<PathBuf>,
}

impl Pasted {
    /// Whether the command line has neither a text nor a file.
    pub fn is_absent(&self) -> bool {
        self.text.is_empty() && self.file.is_none()
    }

    /// The text's octets, one more at most than are read of it, so that a longer one can be told from one that fits.
    pub fn read(&self) -> Result<Vec<u8>, Failure> {
        let pasted = if let Some(path) = &self.file {
            let failed = |error: std::io::Error| Failure::usage(format!("{}: {error}", path.display()));
            start(File::open(path).map_err(failed)?).map_err(failed)?
        } else if self.text.is_empty() || self.text == ["-"] {
            let stdin = std::io::stdin();
            if stdin.is_terminal() && self.text.is_empty() {
                return Err(Failure::usage("name a text or a --file, or pipe something in (- reads what is typed)"));
            }
            start(stdin.lock()).map_err(|error| Failure::usage(format!("standard input: {error}")))?
        } else {
            self.text.join(" ").into_bytes()
        };
        if pasted.iter().all(u8::is_ascii_whitespace) {
            return Err(Failure::usage("there is nothing to explain: the text is empty"));
        }
        Ok(pasted)
    }
}

fn start(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut octets = vec![];
    from.take(MAX_INPUT as u64 + 1).read_to_end(&mut octets)?;
    Ok(octets)
}
