//! What holds whatever it is fed: one function for each thing that strangers feed, which panics when it does not.
//!
//! These functions are the bodies of the fuzz targets in `fuzz/` and of the tests in `corpus.rs`.

use ambit_knowledge::entry::Entry;
use ambit_knowledge::{Input, Knowledge, Language, Outcome};

/// Whatever somebody pastes is answered, always the same, and what is shown of it holds no secret that is left to find.
pub fn pasted(bytes: &[u8]) {
    let input = Input::take_apart(bytes);
    let knowledge = Knowledge::embedded();
    let answer = knowledge.explain(&input, Language::En);
    assert_eq!(answer, knowledge.explain(&Input::take_apart(bytes), Language::En), "the same question has one answer");
    match answer.outcome {
        Outcome::Match => assert_eq!(answer.entries.len(), 1),
        Outcome::Ambiguous => assert!(answer.entries.len() >= 2, "{answer:#?}"),
        Outcome::NoMatch => assert!(answer.entries.is_empty()),
    }
    let all: Vec<_> = answer.entries.iter().chain(&answer.nearest).collect();
    assert!(all.is_sorted_by(|one, other| one.score >= other.score), "the best comes first");
    serde_json::to_string(&answer).expect("an answer is JSON");

    // Whatever stands around a secret, it does not get through.
    let secrets = format!("\nclient_secret={SECRET}\nAuthorization: Bearer {SECRET}\n{{\"password\":\"{SECRET}\"}}\n");
    let planted = [secrets.as_bytes(), bytes, secrets.as_bytes()].concat();
    let input = Input::take_apart(&planted);
    let told = format!("{input:?} {:?}", knowledge.explain(&input, Language::En));
    assert!(!told.contains(SECRET), "{}", input.shown());
}

const SECRET: &str = "zq9-planted-7Kx";

/// A file is an entry, or an error that says why not; and an entry is the same after a way through JSON.
pub fn entry(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match Entry::parse("api/fuzzed.toml", text) {
        Ok(entry) => {
            let json = serde_json::to_string(&entry).expect("an entry is JSON");
            assert_eq!(serde_json::from_str::<Entry>(&json).expect("an entry"), entry);
        }
        Err(error) => assert!(error.to_string().starts_with("api/fuzzed.toml: "), "{error}"),
    }
}
