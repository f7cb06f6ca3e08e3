//! What an input is about.

use ambit_knowledge::{Answer, Input, Knowledge, Language, Outcome, Rule};

#[test]
fn every_sample_is_answered_with_its_entry() {
    for entry in Knowledge::embedded().corpus().entries() {
        for sample in &entry.samples.positive {
            let answer = explain(sample);
            assert_eq!(
                answer.entries.first().map(|found| found.id.as_str()),
                Some(entry.id.as_str()),
                "{sample}\n{answer:#?}"
            );
        }
        for sample in &entry.samples.negative {
            let answer = explain(sample);
            let is_it = answer.outcome == Outcome::Match && answer.entries[0].id == entry.id;
            assert!(!is_it, "{}: {sample}\n{answer:#?}", entry.id);
        }
    }
}

#[test]
fn nothing_is_matched_by_nothing() {
    for text in ["", "  ", "hello world", "\u{0}\u{1}", "{}", "[]", "the quick brown fox jumps over the lazy dog"] {
        let answer = explain(text);
        assert_eq!(answer.outcome, Outcome::NoMatch, "{text}\n{answer:#?}");
        assert!(answer.entries.is_empty());
    }
}

#[test]
fn an_answer_says_what_of_the_input_matched_which_rule() {
    let answer = explain(r#"{"error":"invalid_scope","error_description":"scope 'admin' not registered"}"#);
    assert_eq!(answer.outcome, Outcome::Match);
    let found = &answer.entries[0];
    assert_eq!(found.id.as_str(), "api/oauth2-invalid-scope-requested");
    let rules: Vec<_> = found.reasons.iter().map(|reason| (reason.rule, reason.seen.as_str())).collect();
    let (rule, seen) = rules[0];
    assert!(rule == Rule::Pattern && seen.ends_with("scope 'admin' not registered"), "{rules:?}");
    assert!(rules.contains(&(Rule::OauthError, "invalid_scope")), "{rules:?}");
    let sum: f32 = found.reasons.iter().map(|reason| reason.points).sum();
    assert!(sum >= found.score - 1.0, "{found:#?}");
}

#[test]
fn an_answer_survives_json() {
    let answer = explain(r#"{"error":"invalid_scope"}"#);
    let json = serde_json::to_string(&answer).expect("JSON");
    assert_eq!(serde_json::from_str::<Answer>(&json).expect("an answer"), answer);
}

#[test]
fn an_answer_in_chinese_says_so() {
    let input = Input::take_apart(br#"{"error":"invalid_scope"}"#);
    let answer = Knowledge::embedded().explain(&input, Language::Zh);
    assert_eq!(answer.entries[0].title.language, Language::Zh);
}

fn explain(text: &str) -> Answer {
    Knowledge::embedded().explain(&Input::take_apart(text.as_bytes()), Language::En)
}
