//! The lint: green on what is built in, and red for every single thing that it looks for.

use std::path::Path;
use std::sync::Arc;

use ambit_knowledge::lint::{Check, Finding, Surroundings, check, confusion, is_unsafe_advice};
use ambit_knowledge::{Corpus, Entry, Knowledge};

use crate::support::{self, SEED};

#[test]
fn every_entry_passes_every_check() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let has_path = |path: &str| root.join(path).exists();
    let findings = check(Knowledge::embedded(), Surroundings { has_path: Some(&has_path) });
    let told = findings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(findings.is_empty(), "{told}");
}

#[test]
fn every_sample_is_answered_as_in_the_table() {
    let confusion = confusion(Knowledge::embedded());
    assert_eq!(confusion.off_diagonal().count(), 0, "{confusion}");
    insta::with_settings!({ snapshot_path => "golden", prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("confusion", confusion.to_string());
    });
}

#[test]
fn every_check_finds_what_it_is_for() {
    for (from, to, found, member) in CASES {
        assert!(SEED.contains(from), "the case itself: {from}");
        let findings = findings(&SEED.replacen(from, to, 1));
        let is_found = findings.iter().any(|finding| finding.check == *found && finding.member.starts_with(member));
        assert!(is_found, "{to}: {found} at {member}: {findings:#?}");
    }
}

#[test]
fn an_entry_as_it_should_be_has_no_finding() {
    assert_eq!(findings(SEED), []);
}

#[test]
fn a_path_of_evidence_has_to_exist() {
    let text = SEED.replacen(
        "kind = \"source\"\nreference = \"https://datatracker.ietf.org/doc/html/rfc6749#section-5.2\"",
        "kind = \"reproduced\"\nreference = \"crates/none.rs\"",
        1,
    );
    let knowledge = knowledge(&[("api/oauth2-invalid-scope-requested.toml", &text)]);
    let none = |_: &str| false;
    let all = |_: &str| true;
    let missing = |has_path: &dyn Fn(&str) -> bool| {
        let findings = check(&knowledge, Surroundings { has_path: Some(has_path) });
        findings.iter().any(|finding| finding.member == "evidence[0].reference")
    };
    assert!(missing(&none));
    assert!(!missing(&all));
}

#[test]
fn two_entries_that_claim_one_sample_are_both_told() {
    let knowledge = knowledge(&[("api/oauth2-invalid-scope-requested.toml", SEED), ("api/other.toml", SEED)]);
    let findings = check(&knowledge, Surroundings::default());
    let of = |id: &str| findings.iter().any(|it| it.check == Check::SampleFirst && it.entry.as_str() == id);
    assert!(of("api/oauth2-invalid-scope-requested") && of("api/other"), "{findings:#?}");
    let confusion = confusion(&knowledge);
    assert!(confusion.off_diagonal().count() > 0);
    assert!(confusion.to_string().contains("ambiguous"), "{confusion}");
}

#[test]
fn what_a_message_complains_of_leads_to_one_entry_or_to_several_that_say_how_they_differ() {
    let about = |text: &str| text.replacen("\n[samples]", "\n[match.about]\nscope = [\"unknown\"]\n\n[samples]", 1);
    let one = about(SEED);
    assert_ne!(one, SEED, "the case itself");
    let is_told = |other: &str| {
        let knowledge = knowledge(&[("api/oauth2-invalid-scope-requested.toml", &one), ("api/other.toml", other)]);
        let findings = check(&knowledge, Surroundings::default());
        findings.iter().any(|it| it.check == Check::About && it.member == "match.about.scope")
    };
    assert!(is_told(&one));
    assert!(!is_told(SEED), "only one is about it");
    let distinction =
        "confused_with = [{ id = \"api/oauth2-invalid-scope-requested\", distinction = { en = \"a\", zh = \"b\" } }, ";
    let apart = one.replacen("confused_with = [", distinction, 1);
    assert_ne!(apart, one, "the case itself");
    assert!(!is_told(&apart), "they say how they differ");
}

#[test]
fn advice_that_weakens_security_is_known_and_advice_against_it_is_not() {
    for advice in [
        "Request 'read' scope and map it to admin privileges server-side.",
        "Set verify_signature: False.",
        "jwt.decode(token, options={\"verify_aud\": False})",
        "Set ValidateIssuer = false in the TokenValidationParameters.",
        "export NODE_TLS_REJECT_UNAUTHORIZED=0",
        "Disable signature validation while you test.",
        "curl -s -k https://as.example",
        "Access-Control-Allow-Origin: *",
        "Accept alg: none.",
        "Use { ignoreExpiration: true }.",
        "关闭签名校验即可。",
    ] {
        assert!(is_unsafe_advice(advice), "{advice}");
    }
    for advice in [
        "Never disable signature validation.",
        "Do not set verify_signature: False.",
        "Register the scope for the client.",
        "Validate the signature, then the issuer.",
        "Answer with Access-Control-Allow-Origin: https://app.example.",
        "不要关闭签名校验。",
        "curl -s https://as.example/keys",
    ] {
        assert!(!is_unsafe_advice(advice), "{advice}");
    }
}

/// Three of the five positive samples.
const SAMPLES: &str = r#"    '''OAuth2 错误：invalid_scope：作用域 'admin' 未注册''',
    '''{"error":"invalid_scope","error_description":"scope 'admin' not registered"}''',
    '''https://app.example/callback?error=invalid_scope&error_description=The+scope+admin+is+not+allowed&state=af0ifjsldkj''',
"#;

/// What is changed in the seed, what to, which check finds it, and where.
const CASES: &[(&str, &str, Check, &str)] = &[
    (
        "oauth_error = \"invalid_scope\"\npatterns = [\n    'scope .{1,80} (?:is )?not (?:registered|allowed|granted)',\n    'invalid_scope.{0,40}scope.{0,80}(?:not registered|unknown|not allowed)',\n    'invalid_scope.{0,20}作用域.{0,80}(?:未注册|未授权|不存在)',\n]",
        "",
        Check::Recognisable,
        "match",
    ),
    (
        "oauth_error = \"invalid_scope\"",
        "oauth_error = \"invalid_scope\"\nproblem_type = \"no-slash\"",
        Check::Recognisable,
        "match.problem_type",
    ),
    (
        "oauth_error = \"invalid_scope\"",
        "oauth_error = \"invalid_scope\"\nstatus = [42]",
        Check::Recognisable,
        "match.status",
    ),
    ("scope .{1,80} (?:is )?not", "scope .* (?:is )?not", Check::Pattern, "match.patterns[0]"),
    (
        "'scope .{1,80} (?:is )?not (?:registered|allowed|granted)'",
        "'[a-z]{1,80} [0-9]'",
        Check::Pattern,
        "match.patterns[0]",
    ),
    ("'scope .{1,80} (?:is )?not (?:registered|allowed|granted)'", "'scop'", Check::Pattern, "match.patterns[0]"),
    (
        "'scope .{1,80} (?:is )?not (?:registered|allowed|granted)'",
        "'scope  [a-z]{1,80} not  registered'",
        Check::Pattern,
        "match.patterns[0]",
    ),
    (
        "(?:registered|allowed|granted)',",
        "(?:registered|allowed|granted)',\n    'nobody says this',",
        Check::PatternMatches,
        "match.patterns[1]",
    ),
    (SAMPLES, "", Check::Samples, "samples.positive"),
    ("    '''OAuth2 error: invalid_scope: scope 'admin' not registered''',\n", "", Check::Samples, "signature.en"),
    (
        "    '''{\"error\":\"invalid_scope\"}''',\n",
        "    '''{\"error\":\"server_error\"}''',\n",
        Check::SampleRecognised,
        "samples.positive[4]",
    ),
    (
        "    '''{\"error\":\"invalid_scope\"}''',\n",
        "    '''{\"error\":\"invalid_scope\"}''',\n    '''{\"error\":\"invalid_scope\"}''',\n",
        Check::Copied,
        "samples.positive[5]",
    ),
    ("parameter scope is repeated", "scope admin is not allowed", Check::NegativeSample, "samples.negative[1]"),
    (
        "why_fails = { en = \"Scope validation applies to all grant types.\"",
        "why_fails = { en = \"Switching to another grant type to get around the check.\"",
        Check::Copied,
        "dead_ends[1].why_fails",
    ),
    ("zh = \"请求的作用域未被授予\"", "zh = \"A requested scope was not granted\"", Check::Copied, "title.zh"),
    ("zh = \"请求的作用域未被授予\"", "zh = \"Not at all in Chinese words\"", Check::Language, "title.zh"),
    ("en = \"A requested scope was not granted\"", "en = \"请求的作用域\"", Check::Language, "title.en"),
    ("zh = \"请求的作用域未被授予\"\n", "", Check::Language, "title.zh"),
    (
        "languages = { en = \"original\", zh = \"translated\" }",
        "languages = { en = \"original\" }",
        Check::Language,
        "languages",
    ),
    ("en = \"original\"", "en = \"translated\"", Check::Language, "languages"),
    ("leads_to = [\"api/insufficient-scope\"]", "leads_to = [\"api/nowhere\"]", Check::Reference, "graph.leads_to[0]"),
    (
        "leads_to = [\"api/insufficient-scope\"]",
        "leads_to = [\"api/oauth2-invalid-scope-requested\"]",
        Check::Reference,
        "graph.leads_to[0]",
    ),
    ("doc_url = \"https:", "doc_url = \"http:", Check::Reference, "doc_url"),
    ("sources = [\"https:", "sources = [\"http:", Check::Reference, "workarounds.sources"),
    ("kind = \"source\"", "kind = \"reproduced\"", Check::Reference, "evidence[0].reference"),
    (
        "product = \"ambit\"\ncategory = \"scope\"\nerror_code = \"invalid_scope\"",
        "product = \"standard\"\ncategory = \"scope\"\nerror_code = \"invalid_skope\"",
        Check::Code,
        "error_code",
    ),
    (
        "Register the scope for the client at the authorization server, then request a new token.",
        "Disable the signature check.",
        Check::UnsafeAdvice,
        "workarounds[0]",
    ),
    ("[[workarounds]]\nrisk = \"none\"", "[[workarounds]]\nrisk = \"unsafe\"", Check::UnsafeAdvice, "workarounds[0]"),
    ("tier = \"source_checked\"", "tier = \"reproduced\"", Check::Evidence, "tier"),
    (
        "[[evidence]]\nkind = \"source\"\nreference = \"https://datatracker.ietf.org/doc/html/rfc6749#section-5.2\"\ndate = 2026-11-26\n",
        "",
        Check::Evidence,
        "evidence",
    ),
    ("first_seen = 2024-04-10", "first_seen = 2027-04-10", Check::Dates, "first_seen"),
];

/// The findings of the seed as it is now, in the company of the other entries.
fn findings(seed: &str) -> Vec<Finding> {
    let mut findings = check(&knowledge(&[("api/oauth2-invalid-scope-requested.toml", seed)]), Surroundings::default());
    findings.retain(|finding| finding.entry.as_str() == "api/oauth2-invalid-scope-requested");
    findings
}

/// The three entries, some of them replaced.
fn knowledge(replaced: &[(&str, &str)]) -> Knowledge {
    let mut entries: Vec<Entry> =
        replaced.iter().map(|(file, text)| Entry::parse(file, text).expect("an entry")).collect();
    for entry in support::knowledge().corpus().entries() {
        if !entries.iter().any(|replaced| replaced.id == entry.id) {
            entries.push(entry.clone());
        }
    }
    Knowledge::new(Arc::new(Corpus::new(entries).expect("a corpus"))).expect("patterns")
}
