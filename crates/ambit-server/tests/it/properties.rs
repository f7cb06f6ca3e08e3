//! What holds for every parser of this crate whatever it is fed: one function per parser, which panics when it does not.
//!
//! These functions are the bodies of the fuzz targets in `fuzz/` and of the tests in `corpus.rs`.

use ambit_server::config::{Config, File, Sources, print};

/// The configuration: up to the first NUL a file, behind it lines of the environment. What is accepted is printed as a file that
/// means the same; what is not is refused in lines of plain text.
pub fn configuration(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else { return };
    let (file, environment) = text.split_once('\0').unwrap_or((text, ""));
    let variables = environment.lines().filter_map(|line| line.split_once('='));
    let sources = Sources {
        flags: vec![],
        environment: variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        file: Some(File { name: "ambit.toml".to_owned(), text: file.to_owned() }),
    };
    match Config::load_with_origins(&sources) {
        Ok((config, effective)) => {
            let printed = print(&effective);
            // What is secret is not printed, so it cannot be read back.
            if printed.contains("is set and not shown") {
                return;
            }
            let file = Some(File { name: "printed".to_owned(), text: printed.clone() });
            let again = Config::load(&Sources { file, ..Sources::default() });
            let again = again.unwrap_or_else(|errors| panic!("{errors}\nin\n{printed}"));
            assert_eq!(format!("{config:?}"), format!("{again:?}"));
        }
        Err(errors) => {
            let faults: Vec<String> = errors.faults().map(ToString::to_string).collect();
            assert!(!faults.is_empty());
            for fault in faults {
                assert!(!fault.is_empty() && !fault.contains(char::is_control), "{fault:?}");
            }
        }
    }
}
