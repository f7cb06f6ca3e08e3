//! `/errors/`: the error knowledge base, and that every refusal leads to its page.

use std::collections::BTreeSet;

use ambit_core::page::{self, Page};
use ambit_knowledge::input::MAX_INPUT;
use ambit_knowledge::{Corpus, Language};
use axum::body::Body;
use axum::http::{HeaderName, Request, StatusCode, header};
use serde_json::json;

use crate::support::{Answer, BASE, Fixture};

const SCOPE: &str = "/errors/api/oauth2-invalid-scope-requested";

#[tokio::test]
async fn every_page_that_an_answer_may_name_is_an_entry_that_says_the_same() {
    let fixture = Fixture::new().await;
    for page in page::PAGES {
        says_the_same(&fixture, page).await;
    }
}

/// Every reason to refuse that there is, as the tables of core have them: a reason that is new has a row there, or does not
/// compile.
#[tokio::test]
async fn every_refusal_there_is_leads_to_a_page_with_its_status() {
    let fixture = Fixture::new().await;
    let mut slugs = BTreeSet::new();
    for line in REFUSALS.lines() {
        let Some((status, slug)) = refusal(line) else { continue };
        let page = page::find(slug).unwrap_or_else(|| panic!("no page for: {line}"));
        assert_eq!(page.status, status, "{line}");
        if slugs.insert(slug) {
            says_the_same(&fixture, page).await;
        }
    }
    assert!(slugs.len() > 20 && slugs.contains("tenant/churned") && slugs.contains("api/in-use"), "{slugs:?}");
}

#[tokio::test]
async fn the_error_uri_of_a_refusal_is_the_page_itself() {
    let fixture = Fixture::new().await;
    let refused = fixture.form("/connect/token", None, &[("grant_type", "client_credentials")]).await;
    let uri =
        refused.json["error_uri"].as_str().expect("an error_uri").strip_prefix(BASE).expect("one of ours").to_owned();
    let page = fixture.get(&uri).await;
    assert_eq!((page.status, page.text.contains("<h1>")), (StatusCode::OK, true), "{uri}");
    assert_eq!(fixture.get(&format!("{uri}.json")).await.json["error_code"], refused.json["error"]);
}

#[tokio::test]
async fn an_entry_has_three_forms_by_suffix_and_by_accept() {
    let fixture = Fixture::new().await;
    for (path, accept, media_type) in [
        (SCOPE.to_owned(), "", "text/html; charset=utf-8"),
        (SCOPE.to_owned(), "application/json", "application/json"),
        (SCOPE.to_owned(), "text/markdown", "text/markdown; charset=utf-8"),
        (format!("{SCOPE}.json"), "text/html", "application/json"),
        (format!("{SCOPE}.md"), "text/html", "text/markdown; charset=utf-8"),
        ("/errors/".to_owned(), "", "text/html; charset=utf-8"),
        ("/errors/".to_owned(), "application/json", "application/json"),
        ("/errors/index.json".to_owned(), "", "application/json"),
        ("/errors/schema.json".to_owned(), "", "application/schema+json"),
        ("/errors/llms.txt".to_owned(), "", "text/plain; charset=utf-8"),
        ("/llms.txt".to_owned(), "", "text/plain; charset=utf-8"),
    ] {
        let answer = get(&fixture, &path, &[(header::ACCEPT, accept)]).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.header(header::CONTENT_TYPE), media_type, "{path} {accept}");
    }
    let markdown = fixture.get(&format!("{SCOPE}.md")).await.text;
    assert!(markdown.starts_with("# A requested scope was not granted\n"), "{markdown}");
    assert!(markdown.contains("```\ncurl -s ") && markdown.contains("/errors/api/insufficient-scope.md"), "{markdown}");
}

#[tokio::test]
async fn json_is_the_whole_entry_in_both_languages_as_the_schema_has_it() {
    let fixture = Fixture::new().await;
    let schema = fixture.get("/errors/schema.json").await.json;
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let index = fixture.get("/errors/index.json").await.json;
    let items = index["items"].as_array().expect("items");
    assert_eq!((items.len(), &index["total"]), (Corpus::embedded().entries().len(), &json!(items.len())));
    for item in items {
        let path = format!("/errors/{}.json", item["id"].as_str().expect("an id"));
        let entry = fixture.get(&path).await.json;
        let faults: Vec<String> = validator.iter_errors(&entry).map(|fault| fault.to_string()).collect();
        assert!(faults.is_empty(), "{path}: {faults:?}");
        assert_eq!((&entry["id"], &entry["title"], &entry["url"]), (&item["id"], &item["title"], &item["url"]));
    }
    let entry = fixture.get(&format!("{SCOPE}.json")).await.json;
    assert_eq!(entry["title"], json!({"en": "A requested scope was not granted", "zh": "请求的作用域未被授予"}));
    assert!(entry["confidence"]["low"].as_f64() < entry["confidence"]["mean"].as_f64(), "{entry}");
    assert!(validator.is_valid(&entry) && !validator.is_valid(&json!({"id": "api/x"})));
}

#[tokio::test]
async fn the_language_is_the_named_one_else_the_preferred_one_and_the_page_says_which() {
    let fixture = Fixture::new().await;
    for (path, accept, lang) in [
        (SCOPE.to_owned(), "", "en"),
        (SCOPE.to_owned(), "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        (SCOPE.to_owned(), "fr", "en"),
        (format!("{SCOPE}?lang=zh"), "en", "zh"),
        (format!("{SCOPE}?lang=en"), "zh", "en"),
        (format!("{SCOPE}.md?lang=zh"), "en", "zh"),
        ("/errors/?lang=zh".to_owned(), "en", "zh"),
        ("/errors/".to_owned(), "zh", "zh"),
    ] {
        let answer = get(&fixture, &path, &[(header::ACCEPT_LANGUAGE, accept)]).await;
        assert_eq!(answer.header(header::CONTENT_LANGUAGE), lang, "{path} {accept}");
        if path.contains(".md") {
            assert!(answer.text.starts_with("# 请求的作用域未被授予"), "{}", answer.text);
            continue;
        }
        assert!(answer.text.contains(&format!("<html lang=\"{lang}\">")), "{path} {accept}");
        // The switch leads to the same page in the other language, and says so in that language.
        let other = if lang == "en" { "zh" } else { "en" };
        let page = path.split('?').next().expect("a path");
        assert!(answer.text.contains(&format!("href=\"{page}?lang={other}\" lang=\"{other}\"")), "{}", answer.text);
    }
    let chinese = fixture.get(&format!("{SCOPE}?lang=zh")).await.text;
    assert!(
        chinese.contains("<h1><span>请求的作用域未被授予</span></h1>") && chinese.contains("<h2>原因</h2>"),
        "{chinese}"
    );
    // Whoever chose a language by the address keeps it along the links.
    assert!(chinese.contains("href=\"/errors/api/insufficient-scope?lang=zh\""), "{chinese}");
}

#[tokio::test]
async fn no_other_language_is_taken_and_nothing_of_it_gets_into_a_header() {
    let fixture = Fixture::new().await;
    for lang in ["de", "", "*", "zh%0d%0aSet-Cookie:%20a=b", "zh%00", "%ff", "en,zh", &"z".repeat(5000)] {
        for path in [SCOPE, "/errors/", &format!("{SCOPE}.json"), "/errors/api/oauth2-invalid-scope"] {
            let answer = fixture.get(&format!("{path}?lang={lang}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {lang}");
            assert_eq!(answer.json["type"], format!("{BASE}/errors/api/oauth2-invalid-request"));
            assert_eq!(answer.json["instance"], path);
            assert!(answer.header(header::SET_COOKIE).is_empty() && answer.header(header::CONTENT_LANGUAGE).is_empty());
        }
    }
}

#[tokio::test]
async fn what_a_cache_has_is_not_sent_again_and_it_knows_what_the_answer_depends_on() {
    let fixture = Fixture::new().await;
    for (path, vary) in [
        (SCOPE.to_owned(), "accept, accept-language"),
        (format!("{SCOPE}?lang=zh"), "accept"),
        (format!("{SCOPE}.md"), "accept-language"),
        (format!("{SCOPE}.md?lang=zh"), ""),
        (format!("{SCOPE}.json"), ""),
        ("/errors/".to_owned(), "accept, accept-language"),
        ("/errors/?q=scope&lang=en".to_owned(), "accept"),
        ("/errors/index.json".to_owned(), ""),
        ("/errors/schema.json".to_owned(), ""),
        ("/errors/llms.txt".to_owned(), ""),
    ] {
        let first = fixture.get(&path).await;
        assert_eq!((first.status, first.header(header::VARY)), (StatusCode::OK, vary), "{path}");
        assert_eq!(first.header(header::CACHE_CONTROL), "public, max-age=300", "{path}");
        let etag = first.header(header::ETAG);
        for known in [etag.to_owned(), format!("\"other\", W/{etag}"), "*".to_owned()] {
            let again = get(&fixture, &path, &[(header::IF_NONE_MATCH, &known)]).await;
            assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{path} {known}");
            assert_eq!((again.header(header::ETAG), again.header(header::VARY)), (etag, vary), "{path}");
        }
        let other = get(&fixture, &path, &[(header::IF_NONE_MATCH, "\"other\"")]).await;
        assert_eq!(other.status, StatusCode::OK, "{path}");
    }
    // Forms and languages are different things to a cache.
    let html = fixture.get(SCOPE).await;
    let markdown = get(&fixture, SCOPE, &[(header::ACCEPT, "text/markdown")]).await;
    let chinese = get(&fixture, SCOPE, &[(header::ACCEPT_LANGUAGE, "zh")]).await;
    let tags: BTreeSet<&str> = [&html, &markdown, &chinese].map(|answer| answer.header(header::ETAG)).into();
    assert_eq!(tags.len(), 3);
}

#[tokio::test]
async fn an_alias_leads_to_its_entry_and_an_unknown_one_nowhere() {
    let fixture = Fixture::new().await;
    for (alias, location) in [
        ("/errors/api/oauth2-invalid-scope", SCOPE.to_owned()),
        ("/errors/api/oauth2-invalid-scope.json", format!("{SCOPE}.json")),
        ("/errors?q=a%0d%0ab", "/errors/?q=a%0d%0ab".to_owned()),
        ("/docs", "/docs/".to_owned()),
        ("/errors/api/oauth2-invalid-scope.md?lang=zh&x=%0d%0a", format!("{SCOPE}.md?lang=zh")),
    ] {
        let answer = fixture.get(alias).await;
        assert_eq!(answer.status, StatusCode::PERMANENT_REDIRECT, "{alias}");
        assert_eq!(answer.header(header::LOCATION), location, "{alias}");
        assert_eq!(fixture.get(&location).await.status, StatusCode::OK, "{location}");
    }
    for path in [
        "/errors/api/no-such-error",
        "/errors/api/no-such-error.json",
        "/errors/nowhere/x",
        "/errors/api/..",
        "/errors/api/%00",
    ] {
        let answer = fixture.get(path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!((&answer.json["instance"], &answer.json["status"]), (&json!(path), &json!(404)), "{path}");
    }
}

#[tokio::test]
async fn every_page_reads_without_a_script_in_both_languages_and_its_links_lead_somewhere() {
    let fixture = Fixture::new().await;
    let known: BTreeSet<String> =
        Corpus::embedded().entries().iter().map(|entry| format!("/errors/{}", entry.id)).collect();
    let mut pages: Vec<String> = known.iter().cloned().collect();
    pages.push("/errors/".to_owned());
    for path in &pages {
        for language in Language::ALL {
            let answer = fixture.get(&format!("{path}?lang={language}")).await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            assert!(!answer.text.contains("<script") && !answer.text.contains(" onclick"), "{path}");
            let policy = answer.header(header::CONTENT_SECURITY_POLICY);
            assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
            for link in links(&answer.text) {
                let target = link.split('?').next().expect("an address");
                let is_here = matches!(target, "/errors/" | "/docs/") || LISTS.contains(&target);
                let entry = target.trim_end_matches(".json").trim_end_matches(".md");
                assert!(link.starts_with("https://") || is_here || known.contains(entry), "{path} leads to {link}");
            }
        }
    }
}

#[tokio::test]
async fn what_weakens_security_is_marked_and_texts_of_another_language_say_so() {
    let fixture = Fixture::new().await;
    let page = fixture.get(SCOPE).await.text;
    assert!(page.contains("<section class=\"dead unsafe-edge\">"), "{page}");
    assert!(page.contains("<span class=\"badge unsafe\">Unsafe</span>"), "{page}");
    // The advice itself is code where it is code.
    assert!(page.contains("<pre><code>curl -s "), "{page}");
    // A sample is shown as it is, and is no markup.
    assert!(page.contains("{&#34;error&#34;:&#34;invalid_scope&#34;}"), "{page}");
}

#[tokio::test]
async fn the_course_of_oauth_is_drawn_with_the_place_of_the_error_in_it() {
    let fixture = Fixture::new().await;
    let page = fixture.get(&format!("{SCOPE}?lang=en")).await.text;
    let svg =
        page.split_once("<svg class=\"chain\"").and_then(|(_, rest)| rest.split_once("</svg>")).expect("a picture").0;
    assert!(svg.contains("aria-labelledby=\"chain-title chain-description\""), "{svg}");
    assert!(svg.contains("<title id=\"chain-title\">Where it happens</title>"), "{svg}");
    assert!(svg.contains("Discovery → Authorization → Code → Token → Calling the API → Refresh. "), "{svg}");
    assert!(svg.contains("This error belongs to the step Token."), "{svg}");
    assert_eq!((svg.matches("You are here").count(), svg.matches("class=\"box here\"").count()), (1, 1), "{svg}");
    // An edge of the graph: insufficient_scope is what often comes next.
    assert!(svg.contains("href=\"/errors/api/insufficient-scope?lang=en\"") && svg.contains(">↓</text>"), "{svg}");
    let outside = fixture.get("/errors/api/payload-too-large").await.text;
    assert!(!outside.contains("<svg class=\"chain\""), "a limit has no place in it");
}

#[tokio::test]
async fn a_search_finds_by_words_and_shows_hostile_ones_as_text() {
    let fixture = Fixture::new().await;
    let found = fixture.get("/errors/?q=insufficient+scope").await.text;
    assert!(found.contains("href=\"/errors/api/insufficient-scope\""), "{found}");
    let none = fixture.get("/errors/?q=xylophonequartz").await.text;
    assert!(none.contains("Nothing has these words"), "{none}");
    let listed = get(&fixture, "/errors/?q=insufficient+scope", &[(header::ACCEPT, "application/json")]).await.json;
    let ids: Vec<&str> =
        listed["items"].as_array().expect("items").iter().filter_map(|item| item["id"].as_str()).collect();
    assert!(ids.contains(&"api/insufficient-scope") && ids.len() <= 50, "{ids:?}");
    let hostile = fixture.get("/errors/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&lang=zh").await.text;
    assert!(!hostile.contains("<script") && hostile.contains("&lt;script&gt;") || hostile.contains("&#60;script&#62;"));
    for odd in ["%", "%ff%fe", &"a".repeat(8000), &"%e4%bb%a4".repeat(800), "+++", ""] {
        assert_eq!(fixture.get(&format!("/errors/?q={odd}")).await.status, StatusCode::OK, "{odd}");
    }
}

#[tokio::test]
async fn what_is_pasted_is_answered_on_the_page_and_no_secret_comes_back() {
    let fixture = Fixture::new().await;
    let text = "HTTP/1.1 400 Bad Request\ncontent-type: application/json\n\n{\"error\":\"invalid_scope\"}";
    let answer = fixture.form("/errors/", None, &[("text", text)]).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header(header::CACHE_CONTROL), "no-store");
    assert!(
        answer.text.contains("This is it") && answer.text.contains(&format!("href=\"{SCOPE}\"")),
        "{}",
        answer.text
    );
    let chinese = fixture.form("/errors/?lang=zh", None, &[("text", text)]).await.text;
    assert!(chinese.contains("就是这个错误") && chinese.contains("请求的作用域未被授予"), "{chinese}");

    let secret = "s3cr3t-value-that-nobody-may-see-again-0123456789";
    let pasted = format!(
        "curl -u till:{secret} -d client_secret={secret}\nAuthorization: Bearer {secret}.{secret}.{secret}\n{{\"error\":\"invalid_client\"}}"
    );
    let answer = fixture.form("/errors/", None, &[("text", &pasted)]).await;
    assert!(answer.text.contains("invalid_client") && !answer.text.contains(secret), "{}", answer.text);

    let hostile = "<script>alert(1)</script> {\"error\":\"<img src=x onerror=alert(1)>\"}";
    let answer = fixture.form("/errors/", None, &[("text", hostile)]).await;
    assert!(!answer.text.contains("<script") && !answer.text.contains("<img"), "{}", answer.text);
    let empty = fixture.form("/errors/", None, &[("text", "  ")]).await;
    assert_eq!(empty.status, StatusCode::OK);
    assert!(empty.text.contains("Nothing was pasted"), "{}", empty.text);
}

#[tokio::test]
async fn a_form_is_a_form_and_has_a_size() {
    let fixture = Fixture::new().await;
    let huge = fixture.raw_form("/errors/", None, &format!("text={}", "a".repeat(3 * MAX_INPUT))).await;
    assert_eq!(huge.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!((&huge.json["instance"], &huge.json["status"]), (&json!("/errors/"), &json!(413)));
    let request = Request::post("/errors/").header(header::CONTENT_TYPE, "application/json").body(Body::from("{}"));
    let other = fixture.send(request.expect("a request")).await;
    assert_eq!(other.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    let odd = fixture.raw_form("/errors/", None, "text=%ff%fe%00%&text=second&=").await;
    assert_eq!(odd.status, StatusCode::OK);
}

#[tokio::test]
async fn a_list_for_language_models_names_every_entry_by_an_address_that_is_there() {
    let fixture = Fixture::new().await;
    let listed = fixture.get("/errors/llms.txt").await.text;
    assert!(listed.starts_with("# ") && listed.lines().any(|line| line.starts_with("> ")), "{listed}");
    let addresses: Vec<&str> = listed
        .lines()
        .filter(|line| line.starts_with("- ["))
        .filter_map(|line| line.split("](").nth(1)?.split(')').next())
        .collect();
    assert_eq!(addresses.len(), Corpus::embedded().entries().len());
    for address in addresses.iter().step_by(40) {
        let path = address.strip_prefix(BASE).expect("an address of ours");
        assert_eq!(fixture.get(path).await.status, StatusCode::OK, "{path}");
    }
    assert!(fixture.get("/llms.txt").await.text.contains(&format!("{BASE}/errors/llms.txt")));
}

/// Its page is served, as JSON for programs and as HTML for people, and says what answers say.
async fn says_the_same(fixture: &Fixture, page: &Page) {
    let path = format!("/errors/{}", page.slug);
    let json = fixture.get(&format!("{path}.json")).await.json;
    assert_eq!(json["title"]["en"], page.title, "{path}");
    // What a person sees instead of an answer has no code of a standard.
    let is_coded = !json["error_code"].is_null();
    assert!(!is_coded || json["error_code"] == page.code, "{path}");
    // What a browser takes back to an application has no status, so an entry about it need not name one.
    if let Some(statuses) = json["match"]["status"].as_array().filter(|statuses| !statuses.is_empty()) {
        assert!(statuses.contains(&json!(page.status)), "{path}: {statuses:?}");
    }
    let has = |name: &str| json["languages"][name].is_string() && json["title"][name].is_string();
    assert!(has("en") && has("zh"), "{path}: what we emit is in both languages");
    assert_eq!(json["url"], format!("{BASE}{path}"));
    let html = fixture.get(&path).await;
    // An apostrophe is escaped, as everything is that a template shows.
    let title = page.title.replace('\'', "&#39;");
    assert_eq!(html.status, StatusCode::OK, "{path}");
    assert!(html.text.contains(&title), "{path}");
    assert!(!is_coded || html.text.contains(&format!("<code>{}</code>", page.code)), "{path}");
}

/// The status and the page of a row of the table.
fn refusal(line: &str) -> Option<(u16, &str)> {
    let mut cells = line.split_whitespace().take(2);
    let status = cells.find_map(|cell| cell.parse::<u16>().ok().filter(|status| (400..600).contains(status)))?;
    let slug = line.split_whitespace().find(|cell| cell.starts_with("api/") || cell.starts_with("tenant/"))?;
    Some((status, slug))
}

async fn get(fixture: &Fixture, path: &str, headers: &[(HeaderName, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers.iter().filter(|(_, value)| !value.is_empty()) {
        request = request.header(name, *value);
    }
    fixture.send(request.body(Body::empty()).expect("a request")).await
}

fn links(html: &str) -> impl Iterator<Item = &str> {
    html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next())
}

const LISTS: [&str; 3] = ["/errors/index.json", "/errors/schema.json", "/errors/llms.txt"];
const REFUSALS: &str = include_str!("../../../../ambit-core/tests/it/golden/refusals.snap");
