//! Where other products keep what a client may ask for. The standard has no way to ask them.

use reqwest::Url;
use serde_json::Value;

/// A product, as its documents give it away.
#[derive(Debug)]
pub struct Product {
    pub name: &'static str,
    is_it: fn(&Traits<'_>) -> bool,
    /// Where scopes are registered, and allowed for a client.
    pub place: &'static str,
}

struct Traits<'a> {
    host: &'a str,
    path: &'a str,
    token_endpoint: &'a str,
    jwks_uri: &'a str,
}

/// The product that an issuer looks like.
pub fn of(issuer: &str, document: &Value) -> Option<&'static Product> {
    let url = Url::parse(issuer).ok()?;
    let text = |member: &str| document.get(member).and_then(Value::as_str).unwrap_or_default();
    let traits = Traits {
        host: url.host_str().unwrap_or_default(),
        path: url.path(),
        token_endpoint: text("token_endpoint"),
        jwks_uri: text("jwks_uri"),
    };
    PRODUCTS.iter().find(|product| (product.is_it)(&traits))
}

/// Those whose addresses are their own come first.
const PRODUCTS: [Product; 9] = [
    Product {
        name: "Keycloak",
        is_it: |it| it.token_endpoint.ends_with("/protocol/openid-connect/token"),
        place: "Client scopes (the scope itself), then Clients > the client > Client scopes > Add client scope; an Optional one is \
                granted only to who asks for it",
    },
    Product {
        name: "Auth0",
        is_it: |it| it.host.ends_with(".auth0.com"),
        place: "Applications > APIs > the API > Permissions (the scope itself), then the API's Machine To Machine Applications > \
                the client; the request has to name the API as audience",
    },
    Product {
        name: "Okta",
        is_it: |it| [".okta.com", ".oktapreview.com", ".okta-emea.com"].iter().any(|end| it.host.ends_with(end)),
        place: "Security > API > the authorization server > Scopes (the scope itself), then Access Policies > a rule for the client \
                that allows it for Client Credentials",
    },
    Product {
        name: "Microsoft Entra ID",
        is_it: |it| it.host.starts_with("login.microsoftonline.") || it.host == "sts.windows.net",
        place: "App registrations > the API > App roles (the permission itself), then the client > API permissions > Grant admin \
                consent; the request asks for API/.default, and the token has it under roles",
    },
    Product {
        name: "Amazon Cognito",
        is_it: |it| it.host.starts_with("cognito-idp."),
        place: "the user pool > Resource servers > custom scopes (the scope itself), then the app client > custom scopes; the name is \
                RESOURCE-SERVER/SCOPE",
    },
    Product {
        name: "Duende IdentityServer",
        is_it: |it| it.jwks_uri.ends_with("/.well-known/openid-configuration/jwks"),
        place: "an ApiScope of that name (the scope itself), then the Client's AllowedScopes",
    },
    Product {
        name: "OpenIddict",
        is_it: |it| it.jwks_uri.ends_with("/.well-known/jwks") && it.token_endpoint.ends_with("/connect/token"),
        place: "a scope of that name in the scope manager, then the application's permission scp:NAME",
    },
    Product {
        name: "Spring Authorization Server",
        is_it: |it| it.jwks_uri.ends_with("/oauth2/jwks") && it.token_endpoint.ends_with("/oauth2/token"),
        place: "the RegisteredClient's scopes: RegisteredClient.withId(...).scope(\"NAME\")",
    },
    Product {
        name: "Ory Hydra",
        is_it: |it| {
            it.token_endpoint.ends_with("/oauth2/token")
                && it.jwks_uri.ends_with("/.well-known/jwks.json")
                && it.path.len() <= 1
        },
        place: "the scope of the client, as in hydra update oauth2-client ID --scope NAME",
    },
];

/// Where to look in a product that is not known.
pub const ELSEWHERE: &str =
    "most products have two places, the scope itself at the API and what a client may have at the client";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn products_are_told_by_what_only_they_have() {
        for (issuer, token, jwks, name) in [
            ("https://sso.example/realms/r", "/protocol/openid-connect/token", "/certs", Some("Keycloak")),
            ("https://acme.eu.auth0.com/", "/oauth/token", "/.well-known/jwks.json", Some("Auth0")),
            ("https://acme.okta.com/oauth2/default", "/v1/token", "/v1/keys", Some("Okta")),
            ("https://login.microsoftonline.com/t/v2.0", "/oauth2/v2.0/token", "/keys", Some("Microsoft Entra ID")),
            ("https://cognito-idp.eu-west-1.amazonaws.com/p", "/oauth2/token", "/jwks.json", Some("Amazon Cognito")),
            (
                "https://as.example",
                "/connect/token",
                "/.well-known/openid-configuration/jwks",
                Some("Duende IdentityServer"),
            ),
            ("https://as.example", "/connect/token", "/.well-known/jwks", Some("OpenIddict")),
            ("https://as.example", "/oauth2/token", "/oauth2/jwks", Some("Spring Authorization Server")),
            ("https://as.example/", "/oauth2/token", "/.well-known/jwks.json", Some("Ory Hydra")),
            ("https://as.example", "/token", "/jwks", None),
            ("https://auth0.com.evil.example", "/token", "/jwks", None),
        ] {
            let document = json!({"token_endpoint": format!("{issuer}{token}"), "jwks_uri": format!("{issuer}{jwks}")});
            assert_eq!(of(issuer, &document).map(|product| product.name), name, "{issuer}");
        }
    }
}
