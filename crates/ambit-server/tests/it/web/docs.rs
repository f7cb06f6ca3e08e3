//! `/docs/`: the project's documentation, with links that lead somewhere.

use std::collections::BTreeSet;
use std::path::Path;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::json;

use crate::support::Fixture;

const WHY_403: &str = "/docs/troubleshooting/why-403";

#[tokio::test]
async fn every_file_of_the_folder_is_a_page_and_the_list_names_it() {
    let fixture = Fixture::new().await;
    let list = fixture.get("/docs/").await;
    assert_eq!(list.status, StatusCode::OK);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut count = 0;
    for (name, source) in files(&folder, &folder) {
        let path = format!("/docs/{name}");
        let page = fixture.get(path.trim_end_matches(".md")).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        if name.strip_suffix(".md").is_none() {
            assert_eq!(page.text, source, "{path}");
            continue;
        }
        count += 1;
        assert!(list.text.contains(&format!("href=\"{}\"", path.trim_end_matches(".md"))), "{path} is in no list");
        assert_eq!(page.header(header::CONTENT_TYPE), "text/html; charset=utf-8");
        assert!(page.text.contains("<html lang=\"en\">") && page.text.contains("<h1 id="), "{path}");
        assert!(!page.text.contains("<script"), "{path}");
        let markdown = fixture.get(&path).await;
        assert_eq!(markdown.header(header::CONTENT_TYPE), "text/markdown; charset=utf-8", "{path}");
        assert_eq!(markdown.text, source, "{path}");
    }
    assert!(count > 10, "{count}");
}

#[tokio::test]
async fn every_link_of_every_page_leads_to_something_that_is_there() {
    let fixture = Fixture::new().await;
    let mut next = vec!["/docs/".to_owned()];
    let mut seen: BTreeSet<String> = next.iter().cloned().collect();
    while let Some(path) = next.pop() {
        let page = fixture.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        if !page.header(header::CONTENT_TYPE).starts_with("text/html") {
            continue;
        }
        let links: Vec<String> =
            page.text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
        for link in links {
            let (target, place) =
                link.split_once('#').map_or((link.as_str(), None), |(target, place)| (target, Some(place)));
            if target.starts_with("https://") {
                continue;
            }
            let target = if target.is_empty() { path.clone() } else { target.to_owned() };
            assert!(target.starts_with('/'), "{path} leads to {link}");
            if let Some(place) = place {
                let there = fixture.get(&target).await.text;
                assert!(there.contains(&format!("id=\"{place}\"")), "{path} leads to {link}");
            }
            if target.starts_with("/docs/") && seen.insert(target.clone()) {
                next.push(target);
            } else if !target.starts_with("/docs/") {
                assert_eq!(fixture.get(&target).await.status, StatusCode::OK, "{path} leads to {link}");
            }
        }
    }
    assert!(seen.contains(WHY_403) && seen.contains("/docs/reference/ambit.toml"), "{seen:?}");
}

#[tokio::test]
async fn a_page_is_cacheable_and_one_that_is_not_there_says_which() {
    let fixture = Fixture::new().await;
    let page = fixture.get(WHY_403).await;
    assert_eq!(page.header(header::VARY), "accept");
    let etag = page.header(header::ETAG).to_owned();
    let again = Request::get(WHY_403).header(header::IF_NONE_MATCH, etag).body(Body::empty()).expect("a request");
    assert_eq!(fixture.send(again).await.status, StatusCode::NOT_MODIFIED);
    let markdown =
        Request::get(WHY_403).header(header::ACCEPT, "text/markdown").body(Body::empty()).expect("a request");
    assert!(fixture.send(markdown).await.text.starts_with("# The token call succeeds"));
    for path in [
        "/docs/nowhere",
        "/docs/nowhere/x",
        "/docs/troubleshooting/..%2f..%2fCargo.toml",
        "/docs/..",
        "/docs/troubleshooting/why-403.json",
    ] {
        let answer = fixture.get(path).await;
        assert_eq!((answer.status, &answer.json["instance"]), (StatusCode::NOT_FOUND, &json!(path)), "{path}");
    }
}

fn files(folder: &Path, root: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for child in std::fs::read_dir(folder).expect("a folder") {
        let path = child.expect("a file").path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            found.extend(files(&path, root));
        } else if matches!(extension, "md" | "toml") {
            let name = path.strip_prefix(root).expect("below it").to_str().expect("a name in UTF-8").to_owned();
            found.push((name, std::fs::read_to_string(&path).expect("a text")));
        }
    }
    found
}

#[tokio::test]
async fn every_public_address_answers_as_the_openapi_document_says() {
    let fixture = Fixture::new().await;
    let document = fixture.get("/api/v1/openapi.json").await.json;
    let mut seen = 0;
    for (template, item) in document["paths"].as_object().expect("paths") {
        let operation = &item["get"];
        if operation["security"] != json!([]) {
            continue;
        }
        let filled = |names: [&str; 5]| {
            let places = ["{domain}", "{name}", "{folder}", "{page}", "{document}"];
            places.iter().zip(names).fold(template.clone(), |path, (place, name)| path.replace(place, name))
        };
        let there = ["api", "not-found", "guides", "operate", "standards"];
        let in_text = ["api", "not-found.md", "reference", "ambit.toml", "standards.md"];
        let gone = ["api", "no-such", "guides", "no-such", "no-such"];
        for (names, accept) in [
            (there, "text/html"),
            (there, "application/json"),
            (there, "text/markdown"),
            (in_text, "*/*"),
            (gone, "*/*"),
        ] {
            let path = filled(names).replace("{slug}", "nobody");
            let request = Request::get(&path).header(header::ACCEPT, accept).body(Body::empty()).expect("a request");
            let answer = fixture.send(request).await;
            let told = &operation["responses"][answer.status.as_str()];
            assert!(told.is_object(), "{path}: {}", answer.status);
            let media_type = answer.header(header::CONTENT_TYPE).split(';').next().unwrap_or_default().to_owned();
            let schema = &told["content"][&media_type]["schema"];
            assert_eq!(schema.is_object(), !answer.text.is_empty(), "{path}: {} {media_type}", answer.status);
            if media_type.ends_with("json") && answer.status == StatusCode::OK {
                let whole = json!({ "allOf": [schema], "components": document["components"] });
                let validator = jsonschema::validator_for(&whole).expect("a schema");
                let faults: Vec<String> = validator.iter_errors(&answer.json).map(|error| error.to_string()).collect();
                assert!(faults.is_empty(), "{path}: {faults:?}");
            }
            seen += 1;
            let tag = answer.header(header::ETAG).to_owned();
            if !tag.is_empty() {
                let again = Request::get(&path).header(header::ACCEPT, accept).header(header::IF_NONE_MATCH, tag);
                let again = fixture.send(again.body(Body::empty()).expect("a request")).await;
                assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
                assert!(operation["responses"]["304"].is_object(), "{path}");
            }
        }
    }
    assert!(seen > 100, "{seen}");
}
