//! Userinfo, as JSON or signed: which of them a request gets (OpenID Connect Core §5.3.2).

use axum::body::Body;
use axum::http::{Request, header};
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
