//! `ambit kb` and `ambit explain` with a text: without a server, for people and for programs.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Ran, ambit, folder, given};

/// What Ambit answers for a tenant that is shut.
const REFUSED: &str = r#"HTTP/1.1 402 Payment Required
content-type: application/problem+json

{"type":"https://as.example/errors/tenant/suspended","status":402,"detail":"the tenant is suspended"}"#;
const ITS_ENTRY: &str = "tenant/suspended";
/// An entry with an alias, in two languages, with advice that is unsafe.
const LARGE: &str = "api/oauth2-invalid-scope-requested";

/// An entry that passes every check, told apart from others by a word.
fn toml(word: &str) -> String {
    format!(
        r#"product = "standard"
category = "request"
tier = "machine_written"
root_cause_type = "request"
resolvable = "true"
first_seen = "2026-11-01"
last_confirmed = "2026-11-01"
last_updated = "2026-11-01"
languages = {{ en = "original" }}

[title]
en = "The {word} is askew"

[signature]
en = "cannot straighten the {word} of this request"

[cause]
en = "Somebody has put it down in a hurry, and nobody has looked at it since then."

[match]
patterns = ['cannot straighten the {word} of']

[samples]
positive = [
  "cannot straighten the {word} of this request",
  "ERROR cannot straighten the {word} of request 17",
  "worker 3: cannot straighten the {word} of anything",
]
negative = [
  "the {word} was straightened",
  "a {word} has no request",
  "nothing is wrong with any {word} here",
]

[[workarounds]]
risk = "none"
action = {{ en = "Lift it, turn it, and put it down again" }}
how = {{ en = "Both hands do it; a level tells when it is done." }}

[[evidence]]
kind = "source"
reference = "https://furniture.example/askew"
date = "2026-11-01"
"#
    )
}

/// A folder of entries of one's own: the domain's, by slug.
fn entries(at: &Path, entries: &[(&str, String)]) -> String {
    let domain = at.join("entries/api");
    std::fs::create_dir_all(&domain).expect("a folder");
    for (slug, text) in entries {
        std::fs::write(domain.join(format!("{slug}.toml")), text).expect("a file");
    }
    at.join("entries").display().to_string()
}

async fn kb(arguments: &[&str]) -> Ran {
    ambit(folder().path(), &[], &[&["kb"], arguments].concat()).await
}

fn error(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stderr).unwrap_or_else(|_| panic!("{ran:?}"))
}

#[tokio::test]
async fn a_text_is_the_same_from_the_command_line_a_file_and_standard_input() {
    let folder = folder();
    std::fs::write(folder.path().join("answer.txt"), REFUSED).expect("a file");
    for command in [["kb", "match"].as_slice(), &["explain"]] {
        let by_argument = ambit(folder.path(), &[], &[command, &[REFUSED, "--json"]].concat()).await;
        assert_eq!((by_argument.code, by_argument.stderr.as_str()), (0, ""), "{by_argument:?}");
        let answer = by_argument.json();
        assert_eq!((&answer["outcome"], &answer["entries"][0]["id"]), (&json!("match"), &json!(ITS_ENTRY)));
        let by_file = ambit(folder.path(), &[], &[command, &["--file", "answer.txt", "--json"]].concat()).await;
        let by_input = given(folder.path(), &[command, &["--json"]].concat(), REFUSED.as_bytes()).await;
        let by_dash = given(folder.path(), &[command, &["-", "--json"]].concat(), REFUSED.as_bytes()).await;
        for other in [by_file, by_input, by_dash] {
            assert_eq!((other.code, other.json()), (0, answer.clone()), "{command:?}");
        }
    }
    // Words that nobody has quoted are one text.
    let words =
        kb(&["match", "--json", "--", "see", "https://as.example/errors/tenant/suspended", "status", "402"]).await;
    let whole = kb(&["match", "--json", "see https://as.example/errors/tenant/suspended status 402"]).await;
    assert_eq!(words.json(), whole.json());
}

#[tokio::test]
async fn people_are_told_the_entry_then_what_helps_then_why() {
    let ran = kb(&["match", REFUSED]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
    let place = |text: &str| ran.stdout.find(text).unwrap_or_else(|| panic!("'{text}' is not in {}", ran.stdout));
    let order =
        [place(ITS_ENTRY), place("fix: "), place("why it happens:"), place("why this entry:"), place("read as ")];
    assert!(order.is_sorted(), "{}", ran.stdout);
    assert!(ran.stdout.contains("/errors/tenant/suspended"), "the part that matched is not in {}", ran.stdout);
    assert!(ran.stdout.contains(&format!("ambit kb show {ITS_ENTRY}")), "{}", ran.stdout);
    // No colours where nobody looks at a terminal.
    assert!(!ran.stdout.contains('\u{1b}'));
}

#[tokio::test]
async fn the_exit_code_says_whether_it_is_one_entry_several_or_none() {
    let folder = folder();
    let twins = entries(folder.path(), &[("one", toml("picture")), ("two", toml("picture"))]);
    let both = ["kb", "match", "--entries", &twins, "cannot straighten the picture of this request"];
    let ran = ambit(folder.path(), &[], &both).await;
    assert_eq!(ran.code, 5, "{ran:?}");
    assert!(ran.stdout.contains("api/one") && ran.stdout.contains("api/two"), "{}", ran.stdout);
    assert!(ran.stdout.contains("what tells them apart:"), "{}", ran.stdout);
    assert!(ran.stderr.contains("2 entries"), "{}", ran.stderr);
    let ran = ambit(folder.path(), &[], &[both.as_slice(), &["--json"]].concat()).await;
    assert_eq!((ran.code, ran.json()["outcome"].as_str()), (5, Some("ambiguous")), "{ran:?}");
    assert_eq!(error(&ran)["exit_code"], 5);

    for command in [["kb", "match"].as_slice(), &["explain"]] {
        let ran = ambit(folder.path(), &[], &[command, &["xyzzy plugh"]].concat()).await;
        assert_eq!(ran.code, 6, "{ran:?}");
        assert!(ran.stdout.starts_with("No entry is about this for sure."), "{}", ran.stdout);
        let ran = ambit(folder.path(), &[], &[command, &["xyzzy plugh", "--json"]].concat()).await;
        assert_eq!((ran.code, ran.json()["outcome"].as_str()), (6, Some("no_match")), "{ran:?}");
        assert_eq!(error(&ran)["exit_code"], 6);

        for (arguments, why) in [
            (["--file", "no-such-file"].as_slice(), "no-such-file"),
            (&["   "], "empty"),
            (&["--lang", "fr", "text"], "en, zh"),
            (&["--file", "x", "text"], "cannot be used with"),
        ] {
            let ran = ambit(folder.path(), &[], &[command, arguments].concat()).await;
            assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{command:?} {arguments:?}: {ran:?}");
            assert!(ran.stderr.contains(why), "'{why}' is not in {}", ran.stderr);
        }
        let nothing = given(folder.path(), command, b" \n").await;
        assert_eq!((nothing.code, nothing.stdout.as_str()), (2, ""), "{nothing:?}");
    }
    let broken = entries(folder.path(), &[("three", "product = 7".to_owned())]);
    let ran = ambit(folder.path(), &[], &["kb", "match", "--entries", &broken, "x"]).await;
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(ran.stderr.contains("api/three.toml"), "{}", ran.stderr);
}

#[tokio::test]
async fn what_is_no_text_at_all_is_answered_too() {
    let folder = folder();
    for input in [vec![0xff; 300], vec![0; 70_000], b"{".repeat(100_000), "错误：令牌无效".as_bytes().repeat(9000)]
    {
        let ran = given(folder.path(), &["kb", "match", "--json"], &input).await;
        assert!([0, 5, 6].contains(&ran.code), "{} {}", ran.code, ran.stderr);
        assert!(ran.json()["outcome"].is_string());
    }
    // What is longer than what is read is said to be.
    let long = given(folder.path(), &["kb", "match", "--json"], &b"a b ".repeat(300_000)).await;
    assert_eq!(long.json()["input"]["is_cut"], true);
}

/// Secrets as people paste them, and a word of each that must be seen nowhere afterwards.
const SECRETS: [(&str, &str); 5] = [
    ("curl -u shop:hunter2canary -d grant_type=client_credentials https://as.example/token", "hunter2canary"),
    (r#"{"error":"invalid_client","client_secret":"s3cr3t-canary-value"}"#, "s3cr3t-canary-value"),
    (
        "> Authorization: Basic c2hvcDpjYW5hcnlzZWNyZXQxMjM0\n< HTTP/1.1 401 Unauthorized",
        "c2hvcDpjYW5hcnlzZWNyZXQxMjM0",
    ),
    (
        "invalid_token: eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJ4In0.Y2FuYXJ5LXNpZ25hdHVyZS1jYW5hcnk the token expired",
        "Y2FuYXJ5LXNpZ25hdHVyZS1jYW5hcnk",
    ),
    ("password=correcthorsecanary&username=joe answered invalid_grant", "correcthorsecanary"),
];

#[tokio::test]
async fn no_secret_of_a_text_is_said_again() {
    let folder = folder();
    for (text, canary) in SECRETS {
        for command in [["kb", "match"].as_slice(), &["explain"]] {
            for form in [[].as_slice(), &["--json"]] {
                let ran = given(folder.path(), &[command, form].concat(), text.as_bytes()).await;
                assert!([0, 5, 6].contains(&ran.code), "{ran:?}");
                assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary), "{canary}: {ran:?}");
                let ran = ambit(folder.path(), &[], &[command, &[text], form].concat()).await;
                assert!(!ran.stdout.contains(canary) && !ran.stderr.contains(canary), "{canary}: {ran:?}");
            }
        }
        let unknown = kb(&["show", text]).await;
        assert_eq!(unknown.code, 6);
        assert!(!unknown.stderr.contains(canary), "{unknown:?}");
    }
}

#[tokio::test]
async fn an_entry_is_shown_in_the_language_that_was_asked_for_as_far_as_it_has_it() {
    let english = kb(&["show", LARGE]).await;
    assert_eq!((english.code, english.stderr.as_str()), (0, ""));
    for part in ["fix: ", "why it happens:", "what does not help:", "(unsafe)", "how it is known:"] {
        assert!(english.stdout.contains(part), "'{part}' is not in {}", english.stdout);
    }
    let chinese = kb(&["show", LARGE, "--lang", "zh"]).await;
    assert!(chinese.stdout.contains("请求的作用域未被授予"), "{}", chinese.stdout);
    assert!(!chinese.stdout.contains("[en]"), "{}", chinese.stdout);
    let for_programs = kb(&["show", LARGE, "--json"]).await.json();
    assert_eq!(for_programs["entry"]["id"], LARGE);
    let confidence = |bound: &str| for_programs["confidence"][bound].as_f64().expect("a number");
    assert!(confidence("low") < confidence("mean") && confidence("mean") < confidence("high"));
    // By an alias too.
    let alias = for_programs["entry"]["aliases"][0].as_str().expect("an alias");
    assert_eq!(kb(&["show", alias]).await.stdout, english.stdout);

    // What is in one language only is marked where the other was asked for.
    let folder = folder();
    let own = entries(folder.path(), &[("one", toml("picture"))]);
    let ran = ambit(folder.path(), &[], &["kb", "show", "api/one", "--lang", "zh", "--entries", &own]).await;
    assert!(ran.stdout.contains("[en] The picture is askew"), "{}", ran.stdout);

    let unknown = kb(&["show", "api/invalid-scoop-token"]).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (6, ""));
    assert!(unknown.stderr.contains("there are api/"), "{}", unknown.stderr);
}

#[tokio::test]
async fn lint_finds_nothing_in_good_entries_and_fails_for_others() {
    let folder = folder();
    let good = entries(folder.path(), &[("one", toml("picture")), ("two", toml("mirror"))]);
    let ran = ambit(folder.path(), &[], &["kb", "lint", "--entries", &good]).await;
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "2 entries checked, 0 findings\n"), "{ran:?}");

    let faulty = toml("shelf").replace("positive = [", "positive = [\n  \"an unlike thing\",");
    let faulty = faulty + "\n[[evidence]]\nkind = \"source\"\nreference = \"src/there.rs\"\ndate = \"2026-11-01\"\n";
    let own = entries(folder.path(), &[("three", faulty)]);
    let ran = ambit(folder.path(), &[], &["kb", "lint", "--entries", &own]).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    // The file is named as it is found from here.
    assert!(
        ran.stdout.lines().any(|line| line.starts_with(&format!("{own}/api/three.toml: samples.positive[0]"))),
        "{ran:?}"
    );
    assert!(ran.stderr.contains("in 1 entry"), "{}", ran.stderr);
    let for_programs = ambit(folder.path(), &[], &["kb", "lint", "--entries", &own, "--json"]).await;
    assert_eq!((for_programs.code, &for_programs.json()["entries"]), (1, &json!(3)));
    let findings = for_programs.json()["findings"].as_array().expect("a list").len();

    // Evidence that is a path of the repository has to be there.
    let repository = folder.path().display().to_string();
    let strict = ["kb", "lint", "--entries", &own, "--repository", &repository, "--json"];
    let more = ambit(folder.path(), &[], &strict).await.json()["findings"].clone();
    assert_eq!(more.as_array().map(Vec::len), Some(findings + 1), "{more}");
    std::fs::create_dir(folder.path().join("src")).expect("a folder");
    std::fs::write(folder.path().join("src/there.rs"), "").expect("a file");
    let found = ambit(folder.path(), &[], &strict).await.json()["findings"].clone();
    assert_eq!(found.as_array().map(Vec::len), Some(findings), "{found}");
}

/// An error in the flat form of other collections, with what is usually wrong there.
fn flat(id: &str) -> Value {
    json!({
        "id": id, "signature": "the drawer is stuck: handle not found", "signature_zh": null,
        "regex": "the drawer is stuck: .* not found", "domain": "api", "category": "auth_error",
        "root_cause": "The handle came off.", "root_cause_zh": "The handle came off.",
        "dead_ends": [{"action": "", "why_fails": "It is stuck."}],
        "workarounds": [{"action": "Put the handle on.", "how": "With a screw.", "success_rate": 0.9}],
        "workarounds_zh": ["With a screw."], "official_doc_url": "https://furniture.example/drawers",
        "verification_tier": "ai_generated", "confidence": 0.99, "resolvable": "true", "first_seen": "2024-04-10",
        "last_confirmed": "2024-06-01", "last_updated": "2024-06-01", "evidence_count": 1, "tags": ["drawer"],
    })
}

#[tokio::test]
async fn entries_of_other_collections_are_taken_over_with_what_is_wrong_about_them() {
    let folder = folder();
    let write = |name: &str, value: &Value| {
        std::fs::write(folder.path().join(name), value.to_string()).expect("a file");
    };
    write("one.json", &flat("api/stuck-drawer"));
    write("list.json", &json!([flat("api/second-drawer"), flat("client/third-drawer")]));
    let run = async |arguments: &[&str]| ambit(folder.path(), &[], &[&["kb", "import"], arguments].concat()).await;

    let ran = run(&["one.json", "--product", "keycloak"]).await;
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    assert!(ran.stdout.starts_with("kb/entries/api/stuck-drawer.toml from one.json"), "{}", ran.stdout);
    for member in ["confidence", "dead_ends[0].action", "root_cause_zh"] {
        assert!(ran.stdout.contains(&format!("  {member}: ")), "{member} is not in {}", ran.stdout);
    }
    // It is an entry now, and says whose.
    let shown =
        ambit(folder.path(), &[], &["kb", "show", "api/stuck-drawer", "--entries", "kb/entries", "--json"]).await;
    let entry = &shown.json()["entry"];
    assert_eq!((&entry["product"], &entry["tags"][0]), (&json!("keycloak"), &json!("drawer")), "{entry}");
    assert_eq!(entry["doc_url"], "https://furniture.example/drawers");

    // Nothing is overwritten, and where one of several is there none is written, unless it is said.
    std::fs::write(folder.path().join("kb/entries/api/stuck-drawer.toml"), "mine").expect("a file");
    let kept = run(&["one.json", "list.json"]).await;
    assert_eq!((kept.code, kept.stdout.as_str()), (2, ""), "{kept:?}");
    assert!(kept.stderr.contains("--force") && kept.stderr.contains("stuck-drawer"), "{}", kept.stderr);
    assert!(!folder.path().join("kb/entries/api/second-drawer.toml").exists());
    let mine = || std::fs::read_to_string(folder.path().join("kb/entries/api/stuck-drawer.toml")).expect("a file");
    assert_eq!(mine(), "mine");
    let forced = run(&["one.json", "list.json", "--force", "--json"]).await;
    assert_eq!((forced.code, forced.stderr.as_str()), (0, ""), "{forced:?}");
    let written: Vec<Value> = forced.json().as_array().expect("a list").iter().map(|it| it["id"].clone()).collect();
    assert_eq!(written, ["api/stuck-drawer", "api/second-drawer", "client/third-drawer"]);
    assert!(forced.json()[0]["findings"].as_array().is_some_and(|findings| findings.len() >= 3));
    assert_ne!(mine(), "mine");

    // What is not of the form is refused whole, with its place.
    let mut wrong = flat("api/other-drawer");
    wrong["tags"] = json!("drawer");
    write("wrong.json", &wrong);
    write("elsewhere.json", &flat("../../escaped"));
    write("twice.json", &json!([flat("api/twin"), flat("api/twin")]));
    std::fs::write(folder.path().join("broken.json"), "{").expect("a file");
    for (file, why) in [
        ("wrong.json", "tags"),
        ("elsewhere.json", "id"),
        ("twice.json", "api/twin.toml: two"),
        ("broken.json", "broken.json"),
        ("absent.json", "absent.json"),
    ] {
        let ran = run(&[file, "--out", "fresh"]).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{file}: {ran:?}");
        assert!(ran.stderr.contains(why), "'{why}' is not in {}", ran.stderr);
    }
    assert!(!folder.path().join("fresh").exists());
}

#[tokio::test]
async fn entries_are_given_away_one_some_or_all_and_come_back_as_they_were() {
    let folder = folder();
    let run = async |arguments: &[&str]| ambit(folder.path(), &[], &[&["kb", "export"], arguments].concat()).await;
    let one = run(&[LARGE]).await;
    assert_eq!((one.code, one.stderr.as_str()), (0, ""));
    assert_eq!((&one.json()["id"], &one.json()["error_code"]), (&json!(LARGE), &json!("invalid_scope")));
    let two = run(&[LARGE, "api/invalid-token"]).await.json();
    assert_eq!(two.as_array().map(Vec::len), Some(2));
    let all = run(&[]).await.json();
    let all = all.as_array().expect("a list");
    assert!(all.len() > 400, "{}", all.len());

    // What was exported comes back, and exported again it is the same.
    let ran = run(&["--out", "flat"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stdout.lines().count(), all.len());
    let file = folder.path().join(format!("flat/{LARGE}.json"));
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON");
    assert_eq!(written, one.json());
    let again = run(&["--out", "flat"]).await;
    assert_eq!(again.code, 2, "{again:?}");
    assert_eq!(run(&["--out", "flat", "--force"]).await.code, 0);
    let file = file.display().to_string();
    let back = ambit(folder.path(), &[], &["kb", "import", &file, "--out", "back"]).await;
    assert_eq!(back.code, 0, "{back:?}");
    let mut second = run(&[LARGE, "--entries", "back"]).await.json();
    let mut first = one.json();
    // Computed from evidence, which that form has no place for.
    for figure in ["confidence", "evidence_count"] {
        first[figure] = Value::Null;
        second[figure] = Value::Null;
    }
    for member in ["signature", "signature_zh", "root_cause", "workarounds", "workarounds_zh", "dead_ends", "versions"]
    {
        assert_eq!(first[member], second[member], "{member}");
    }
    let unknown = run(&["api/no-such-thing"]).await;
    assert_eq!((unknown.code, unknown.stdout.as_str()), (6, ""));
}

#[tokio::test]
async fn a_question_is_not_taken_for_a_text_nor_a_text_for_a_question() {
    let folder = folder();
    // A word of a question at the front is the question: it wants a server, and there is none.
    let nowhere = [("AMBIT_URL", "http://127.0.0.1:1"), ("AMBIT_TOKEN", "canary")];
    for question in [
        ["explain", "token", "expired"].as_slice(),
        &["explain", "request", "till"],
        &["explain", "denial", "a.b.c", "--needs", "admin:read"],
        // A trace is one too.
        &["explain", "4bf92f3577b34da6a3ce929d0e0e4736"],
    ] {
        let ran = ambit(folder.path(), &nowhere, question).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (4, ""), "{question:?}: {ran:?}");
    }
    // The same words as one text, and words behind a first one that is no question's, are a text.
    for text in [
        ["explain", "token expired"].as_slice(),
        &["explain", "--", "token", "expired"],
        &["explain", "the", "token", "expired"],
        &["explain", "4bf92f3577b34da6a3ce929d0e0e4736 failed"],
    ] {
        let ran = ambit(folder.path(), &nowhere, text).await;
        assert!([0, 5, 6].contains(&ran.code), "{text:?}: {ran:?}");
        assert!(ran.stdout.contains("read as "), "{text:?}: {ran:?}");
    }
    for (arguments, why) in [
        (["explain", "--own", "token expired"].as_slice(), "--own"),
        (&["explain", "--file", "x", "token", "y"], "two things"),
    ] {
        let ran = ambit(folder.path(), &nowhere, arguments).await;
        assert_eq!((ran.code, ran.stdout.as_str()), (2, ""), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.contains(why), "{}", ran.stderr);
    }
}
