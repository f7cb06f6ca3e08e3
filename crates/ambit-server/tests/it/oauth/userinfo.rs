//! Userinfo, as JSON or signed: which of them a request gets (OpenID Connect Core §5.3.2).

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use serde_json::{Value, json};

use crate::forge::part;
use crate::support::BASE;
use crate::web::shop::Shop;
use crate::web::visitor::Visitor;

#[tokio::test]
async fn what_is_told_is_signed_where_that_is_liked_better_than_json_and_nowhere_else() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let back = shop.asks(&mut browser, "openid shop", &[]).await.allow(&mut browser, &["shop:list"]).await;
    let token = shop.redeemed(&back).await["access_token"].as_str().expect("a token").to_owned();
    for (accept, is_signed) in [
        (None, false),
        (Some("*/*"), false),
        (Some("application/json"), false),
        // As client libraries ask that were not told what to expect.
        (Some("application/json, application/jwt"), false),
        (Some("application/jwt, application/json"), false),
        (Some("application/jwt;q=0.5, */*"), false),
        (Some("text/html"), false),
        (Some("application/jwt"), true),
        (Some("Application/JWT, application/json;q=0.9"), true),
        (Some("application/jwt, */*;q=0.1"), true),
    ] {
        let mut request =
            Request::get("/tenants/acme/connect/userinfo").header(header::AUTHORIZATION, format!("Bearer {token}"));
        if let Some(accept) = accept {
            request = request.header(header::ACCEPT, accept);
        }
        let answer = shop.fixture.send(request.body(Body::empty()).expect("a request")).await;
        assert_eq!(answer.status, 200, "{accept:?}: {}", answer.text);
        if is_signed {
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/jwt", "{accept:?}");
            let claims = part(&answer.text, 1);
            let (issuer, subject) = (json!(format!("{BASE}/tenants/acme")), json!(shop.ada.id));
            assert_eq!((&claims["iss"], &claims["aud"], &claims["sub"]), (&issuer, &json!("till"), &subject));
            assert_eq!(part(&answer.text, 0)["typ"], "userinfo+jwt");
        } else {
            assert_eq!(answer.header(header::CONTENT_TYPE), "application/json", "{accept:?}");
            assert_eq!((&answer.json["sub"], &answer.json["iss"]), (&json!(shop.ada.id), &Value::Null), "{accept:?}");
        }
    }
}

/// RFC 6750 §2: in the header or in a form, in one of them, and what went wrong is said in a challenge (§3).
#[tokio::test]
async fn a_token_is_taken_from_the_header_or_from_a_form_and_from_one_place_only() {
    let shop = Shop::new().await;
    let (mut browser, _) = Visitor::of(&shop.fixture, &shop.ada).await;
    let back = shop.asks(&mut browser, "openid shop", &[]).await.allow(&mut browser, &["shop:list"]).await;
    let token = shop.redeemed(&back).await["access_token"].as_str().expect("a token").to_owned();
    let (bearer, form) = (format!("Bearer {token}"), format!("access_token={token}"));
    let (bearer, form) = (bearer.as_str(), form.as_str());
    let in_query = format!("?access_token={token}");
    let urlencoded = "application/x-www-form-urlencoded";
    for (authorization, query, media_type, body, status, error) in [
        (bearer, "", "", "", StatusCode::OK, ""),
        ("", "", urlencoded, form, StatusCode::OK, ""),
        ("", "", "Application/X-WWW-Form-urlencoded; charset=utf-8", form, StatusCode::OK, ""),
        (bearer, "", urlencoded, "other=1", StatusCode::OK, ""),
        (bearer, "?other=%zz", "", "", StatusCode::OK, ""),
        (bearer, "", urlencoded, form, StatusCode::BAD_REQUEST, "invalid_request"),
        (bearer, &in_query, "", "", StatusCode::BAD_REQUEST, "invalid_request"),
        ("", &in_query, urlencoded, form, StatusCode::BAD_REQUEST, "invalid_request"),
        ("Bearer", "", "", "", StatusCode::BAD_REQUEST, "invalid_request"),
        ("", "", urlencoded, "access_token=a&access_token=b", StatusCode::BAD_REQUEST, "invalid_request"),
        ("Bearer a b", "", "", "", StatusCode::UNAUTHORIZED, "invalid_token"),
        ("", "", urlencoded, "access_token=a", StatusCode::UNAUTHORIZED, "invalid_token"),
        // As good as no attempt: there is no error to name (§3.1).
        ("", "", "", "", StatusCode::UNAUTHORIZED, ""),
        ("", &in_query, "", "", StatusCode::UNAUTHORIZED, ""),
        ("", "", "text/plain", form, StatusCode::UNAUTHORIZED, ""),
        ("", "", "", form, StatusCode::UNAUTHORIZED, ""),
        ("Basic dGlsbDpzZWNyZXQ=", "", "", "", StatusCode::UNAUTHORIZED, ""),
        ("DPoP a", "", "", "", StatusCode::UNAUTHORIZED, ""),
    ] {
        let mut request = Request::post(format!("/tenants/acme/connect/userinfo{query}"));
        for (name, value) in [(header::AUTHORIZATION, authorization), (header::CONTENT_TYPE, media_type)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let answer = shop.fixture.send(request.body(Body::from(body.to_owned())).expect("a request")).await;
        let what = format!("{authorization:.9} {query:.9} {media_type} {body:.20}: {}", answer.text);
        assert_eq!(answer.status, status, "{what}");
        let challenge = answer.header(header::WWW_AUTHENTICATE);
        assert_eq!(challenge.starts_with("Bearer realm="), status != StatusCode::OK, "{what}");
        let named = if error.is_empty() { None } else { Some(format!("error=\"{error}\"")) };
        assert_eq!(challenge.split(", ").find(|part| part.starts_with("error=")), named.as_deref(), "{what}");
        assert!(!answer.text.contains(&token), "{what}");
    }
}
