//! Entries as they are read, and the corpus that is built in.

use std::fs;
use std::path::{Path, PathBuf};

use ambit_knowledge::corpus::CorpusError;
use ambit_knowledge::entry::{self, Entry, Language, ParseError, Product, TranslationStatus};
use ambit_knowledge::{Corpus, Knowledge};

use crate::support::SEED;

const FILE: &str = "api/oauth2-invalid-scope-requested.toml";

#[test]
fn an_entry_is_read_with_the_path_of_its_file_as_its_id() {
    let entry = Entry::parse(FILE, SEED).expect("an entry");
    assert_eq!(entry.id.as_str(), "api/oauth2-invalid-scope-requested");
    assert_eq!(entry.id.slug(), "oauth2-invalid-scope-requested");
    assert_eq!(entry.product, Product::Ambit);
    assert_eq!(entry.languages.status(Language::Zh), Some(TranslationStatus::Translated));
    assert_eq!(entry.first_seen.to_string(), "2024-04-10");
}

#[test]
fn an_unknown_member_is_refused_by_file_member_and_rule() {
    for (from, to, member, rule) in [
        ("product = \"ambit\"", "product = \"ambit\"\nconfidence = 0.84", "confidence", "unknown field `confidence`"),
        ("[title]\n", "[title]\nfr = \"portée\"\n", "title", "unknown field `fr`"),
        ("[[evidence]]\n", "[[evidence]]\nby = \"me\"\n", "evidence[0]", "unknown field `by`"),
    ] {
        let failure = refused(&SEED.replacen(from, to, 1));
        assert_eq!(failure.file, FILE);
        assert!(failure.member.starts_with(member), "{failure}");
        assert!(failure.rule.contains(rule), "{failure}");
    }
}

#[test]
fn a_value_beside_the_closed_list_is_refused_by_its_member() {
    let failure = refused(&SEED.replacen("product = \"ambit\"", "product = \"acme\"", 1));
    assert_eq!(failure.member, "product");
    assert!(failure.rule.contains("unknown variant `acme`"), "{failure}");
    let failure = refused(&SEED.replacen("risk = \"none\"", "risk = \"low\"", 1));
    assert_eq!(failure.member, "workarounds[0].risk");
}

#[test]
fn a_missing_member_and_an_id_of_its_own_are_refused() {
    assert!(refused(&SEED.replacen("tier = ", "# tier = ", 1)).rule.contains("missing field `tier`"));
    assert_eq!(refused(&format!("id = \"api/other\"\n{SEED}")).member, "id");
}

#[test]
fn a_blank_text_is_refused() {
    let failure = refused(&SEED.replacen("en = \"A requested scope was not granted\"", "en = \" \"", 1));
    assert_eq!(failure.member, "title");
    assert!(failure.rule.contains("not blank"), "{failure}");
}

#[test]
fn what_is_nested_too_deep_is_refused_before_it_is_parsed() {
    for deep in [
        format!("x = {}1{}", "{ a = ".repeat(13), " }".repeat(13)),
        format!("x = {}", "[".repeat(9000)),
        format!("x{} = 1", ".\"\"".repeat(13)),
        // The parser goes on behind a bracket that closes another kind.
        format!("x = {}", "[ { a = 1 ] ".repeat(2000)),
    ] {
        let failure = refused(&deep);
        assert!(failure.rule.contains("12 deep"), "{failure}");
    }
    // Brackets and dots in texts and comments count for nothing.
    let brackets = "[{.".repeat(50);
    let text = SEED.replacen("[samples]", &format!("# {brackets}\n[samples]"), 1).replacen(
        "positive = [",
        &format!("positive = [\n\"\\\"{brackets}\", '''\n{brackets}''',"),
        1,
    );
    assert!(Entry::parse(FILE, &text).is_ok(), "{:?}", Entry::parse(FILE, &text));
}

#[test]
fn a_path_that_is_no_id_is_refused() {
    for file in [
        "api.toml",
        "api/Upper.toml",
        "api/a--b.toml",
        "api/-a.toml",
        "api/a_b.toml",
        "web/a.toml",
        "api/a/b.toml",
        "api/a.tml",
        "api/.toml",
    ] {
        assert_eq!(Entry::parse(file, SEED).expect_err(file).member, ".", "{file}");
    }
    let longest = format!("api/{}.toml", "a".repeat(100));
    assert!(Entry::parse(&longest, SEED).is_ok());
    let longer = format!("api/{}.toml", "a".repeat(101));
    assert!(Entry::parse(&longer, SEED).is_err());
}

#[test]
fn a_text_says_which_language_it_was_given_in() {
    let entry = Entry::parse(FILE, &SEED.replacen("zh = \"请求的作用域未被授予\"\n", "", 1)).expect("an entry");
    assert_eq!(entry.title.get(Language::Zh), None);
    assert_eq!(entry.title.in_language(Language::Zh).language, Language::En);
    assert_eq!(entry.signature.in_language(Language::Zh).language, Language::Zh);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "insta's own switch, so that one command writes every golden file anew")]
fn the_schema_is_the_published_one_and_every_entry_keeps_what_is_in_the_table() {
    let schema = serde_json::to_value(entry::schema()).expect("a schema");
    let published = workspace().join("kb/schema.json");
    let fresh = format!("{}\n", serde_json::to_string_pretty(&schema).expect("a schema"));
    if std::env::var_os("INSTA_UPDATE").is_some_and(|it| it == "always") {
        fs::write(&published, &fresh).expect("kb/schema.json can be written");
    }
    let read = fs::read_to_string(&published).expect("kb/schema.json");
    assert!(read == fresh, "kb/schema.json is older than the form: cargo xtask golden --accept");

    let validator = jsonschema::validator_for(&schema).expect("a schema");
    for entry in Corpus::embedded().entries() {
        let mut document = serde_json::to_value(entry).expect("JSON");
        document.as_object_mut().expect("an object").remove("id");
        let faults: Vec<_> = validator.iter_errors(&document).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{}: {faults:?}", entry.id);
    }
    assert!(!validator.is_valid(&serde_json::json!({ "product": "ambit" })));
}

#[test]
fn what_is_built_in_is_what_the_folder_has() {
    let read = Corpus::from_folder(&workspace().join("kb/entries")).expect("a corpus");
    assert_eq!(read.entries(), Corpus::embedded().entries());
    assert!(!read.entries().is_empty());
    // Its patterns are patterns.
    assert_eq!(Knowledge::embedded().corpus().entries().len(), read.entries().len());
}

#[test]
fn an_entry_survives_json() {
    for entry in Corpus::embedded().entries() {
        let json = serde_json::to_string(entry).expect("JSON");
        assert_eq!(&serde_json::from_str::<Entry>(&json).expect("an entry"), entry);
    }
}

#[test]
fn a_folder_names_every_file_that_is_no_entry() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("api")).expect("a folder");
    for (name, text) in [
        ("api/good.toml", SEED.to_owned()),
        ("api/bad.toml", "x".to_owned()),
        ("api/worse.toml", SEED.replace("tier", "level")),
    ] {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    match Corpus::from_folder(folder.path()).expect_err("two files are no entries") {
        CorpusError::Entries(failures) => {
            let files: Vec<_> = failures.iter().map(|failure| failure.file.as_str()).collect();
            assert_eq!(files, ["api/bad.toml", "api/worse.toml"]);
        }
        other => panic!("{other}"),
    }
    let missing = Corpus::from_folder(&folder.path().join("none")).expect_err("no folder");
    assert!(matches!(missing, CorpusError::Io { .. }));
}

#[test]
fn an_alias_finds_its_entry_and_belongs_to_one() {
    let aliased = SEED.replacen("tags = ", "aliases = [\"api/old-name\"]\ntags = ", 1);
    let one = Entry::parse(FILE, &aliased).expect("an entry");
    let other = Entry::parse("api/other.toml", &aliased).expect("an entry");
    let corpus = Corpus::new(vec![one.clone()]).expect("a corpus");
    assert_eq!(corpus.find("api/old-name").map(|entry| entry.id.as_str()), Some("api/oauth2-invalid-scope-requested"));
    assert!(corpus.find("api/older-name").is_none());
    assert!(matches!(Corpus::new(vec![one, other]), Err(CorpusError::Twice(name)) if name == "api/old-name"));
}

fn refused(toml: &str) -> ParseError {
    Entry::parse(FILE, toml).expect_err("it is no entry")
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
