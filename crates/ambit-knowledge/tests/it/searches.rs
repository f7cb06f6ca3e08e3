//! Entries by words.

use crate::support;

#[test]
fn words_of_titles_causes_and_codes_find_their_entries_in_both_languages() {
    for (words, first) in [
        ("invalid_scope", "api/oauth2-invalid-scope-requested"),
        ("INVALID token", "api/invalid-token"),
        ("insufficient", "api/insufficient-scope"),
        ("作用域 未注册", "api/oauth2-invalid-scope-requested"),
        ("api/invalid-token", "api/invalid-token"),
        ("  lacks   the scope ", "api/insufficient-scope"),
    ] {
        assert_eq!(find(words).first().map(String::as_str), Some(first), "{words}");
    }
}

#[test]
fn all_words_count_where_an_entry_has_them_all() {
    let found = find("scope registered");
    assert_eq!(found.first().map(String::as_str), Some("api/oauth2-invalid-scope-requested"));
    assert!(!found.contains(&"api/invalid-token".to_owned()), "{found:?}");
}

#[test]
fn nothing_is_found_by_nothing() {
    assert_eq!(find(""), [""; 0]);
    assert_eq!(find("   "), [""; 0]);
    assert_eq!(find("zzzzzz"), [""; 0]);
    assert_eq!(support::knowledge().search("scope", 1).len(), 1);
}

fn find(words: &str) -> Vec<String> {
    support::knowledge().search(words, 10).into_iter().map(|entry| entry.id.to_string()).collect()
}
