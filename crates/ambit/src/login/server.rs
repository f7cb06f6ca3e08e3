//! The authorization server, as a login asks it. Everything goes to where its own metadata says (RFC 8414).

use ambit_core::registry::builtin::COMMAND_LINE;
use ambit_protocol::metadata::{AuthorizationServerMetadata, MetadataError, openid_configuration_url};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::request::Request;
use crate::client::{answer, http};
use crate::output::Failure;

/// A server that is the one it was named as.
#[derive(Debug)]
pub struct AuthorizationServer {
    http: Client,
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    revocation_endpoint: Url,
    userinfo_endpoint: Url,
    names_itself: bool,
}

/// What a code, or a refresh token, became.
#[derive(Debug)]
pub struct Tokens {
    pub access_token: SecretString,
    pub expires_in: u32,
    pub refresh_token: Option<SecretString>,
    pub scope: String,
    pub dropped: Vec<Value>,
}

/// Whose they are (OpenID Connect Core §5.3).
#[derive(Debug, Deserialize)]
pub struct Who {
    pub sub: String,
    pub name: Option<String>,
    pub email: Option<String>,
}

impl AuthorizationServer {
    /// Finds out where a server is asked.
    pub async fn discover(base: &Url) -> Result<Self, Failure> {
        require_secure(base)?;
        let issuer = base.as_str().trim_end_matches('/').to_owned();
        let http = http()?;
        let document = answer(http.get(openid_configuration_url(&issuer))).await?;
        let metadata = match AuthorizationServerMetadata::parse(document.to_string().as_bytes(), &issuer) {
            Ok(metadata) => metadata,
            Err(error) => return Err(not_the_one(&issuer, &document, error)),
        };
        Ok(Self {
            http,
            authorization_endpoint: endpoint("authorization_endpoint", metadata.authorization_endpoint)?,
            token_endpoint: endpoint("token_endpoint", metadata.token_endpoint)?,
            revocation_endpoint: endpoint("revocation_endpoint", metadata.revocation_endpoint)?,
            userinfo_endpoint: endpoint("userinfo_endpoint", metadata.userinfo_endpoint)?,
            names_itself: metadata.authorization_response_iss_parameter_supported,
            issuer,
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn authorization_endpoint(&self) -> &Url {
        &self.authorization_endpoint
    }

    /// Whether its authorization responses say whose they are (RFC 9207 §3).
    pub fn names_itself(&self) -> bool {
        self.names_itself
    }

    /// Redeems a code (RFC 6749 §4.1.3).
    pub async fn redeem(&self, code: &SecretString, request: &Request) -> Result<Tokens, Failure> {
        self.tokens(&[
            ("grant_type", "authorization_code"),
            ("code", code.expose_secret()),
            ("redirect_uri", request.redirect_uri()),
            ("code_verifier", request.verifier().expose_secret()),
        ])
        .await
    }

    /// Renews what was lent (RFC 6749 §6).
    pub async fn renew(&self, refresh_token: &SecretString) -> Result<Tokens, Failure> {
        self.tokens(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token.expose_secret())]).await
    }

    /// Takes a token back (RFC 7009), and with a refresh token all that came of the login.
    pub async fn revoke(&self, token: &SecretString) -> Result<(), Failure> {
        let form = [("client_id", COMMAND_LINE), ("token", token.expose_secret())];
        answer(self.http.post(self.revocation_endpoint.clone()).form(&form)).await.map(drop)
    }

    /// Asks whose a token is.
    pub async fn userinfo(&self, access_token: &SecretString) -> Result<Who, Failure> {
        let request = self.http.get(self.userinfo_endpoint.clone()).bearer_auth(access_token.expose_secret());
        let told = answer(request).await?;
        serde_json::from_value(told).map_err(|_| Failure::unreachable("the server does not say who is signed in"))
    }

    async fn tokens(&self, form: &[(&str, &str)]) -> Result<Tokens, Failure> {
        #[derive(Deserialize)]
        struct Told {
            access_token: String,
            token_type: String,
            expires_in: u32,
            refresh_token: Option<String>,
            scope: String,
            #[serde(default)]
            dropped_scopes: Vec<Value>,
        }
        // RFC 6749 §3.2.1: a public client names itself, and has nothing to prove it with.
        let form = [&[("client_id", COMMAND_LINE)], form].concat();
        let told = answer(self.http.post(self.token_endpoint.clone()).form(&form)).await?;
        // The error would quote what was read.
        let told: Told = serde_json::from_value(told)
            .map_err(|_| Failure::unreachable("the token endpoint's answer is none of RFC 6749 section 5.1"))?;
        // RFC 6749 §7.1: "The client MUST NOT use an access token if it does not understand the token type."
        if !told.token_type.eq_ignore_ascii_case("Bearer") {
            return Err(Failure::unreachable("the token endpoint answered with a token that is no bearer token"));
        }
        Ok(Tokens {
            access_token: told.access_token.into(),
            expires_in: told.expires_in,
            refresh_token: told.refresh_token.map(SecretString::from),
            scope: told.scope,
            dropped: told.dropped_scopes,
        })
    }

    #[cfg(test)]
    pub(super) fn for_tests(issuer: &str, names_itself: bool) -> Self {
        let at = |path: &str| Url::parse(&format!("{issuer}{path}")).expect("a URL");
        Self {
            http: http().expect("a client"),
            issuer: issuer.to_owned(),
            authorization_endpoint: at("/authorize"),
            token_endpoint: at("/token"),
            revocation_endpoint: at("/revoke"),
            userinfo_endpoint: at("/userinfo"),
            names_itself,
        }
    }
}

fn endpoint(name: &str, url: Option<String>) -> Result<Url, Failure> {
    let url =
        url.ok_or_else(|| Failure::unreachable(format!("the server announces no {name}: nobody signs in there")))?;
    let url = Url::parse(&url).map_err(|_| Failure::unreachable(format!("the server's {name} is no URL")))?;
    require_secure(&url)?;
    Ok(url)
}

/// RFC 6749 §3.1, §3.2: what is asked there and answered from there is everybody's without TLS. Nobody listens in on loopback.
fn require_secure(url: &Url) -> Result<(), Failure> {
    let is_local = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    if url.scheme() == "https" || url.scheme() == "http" && is_local {
        return Ok(());
    }
    Err(Failure::usage(format!("{url}: people sign in by https; without, only on this machine")))
}

/// RFC 8414 §3.3: the `issuer` "MUST be identical" to the one that was asked for.
fn not_the_one(issuer: &str, document: &Value, error: MetadataError) -> Failure {
    match document.get("issuer").and_then(Value::as_str) {
        Some(own) if error == MetadataError::Issuer => Failure::usage(format!(
            "the server at {issuer} says that it is {own}: name it so (--url {own}), or set its public_url"
        )),
        _ => Failure::unreachable(format!("{issuer}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_sign_in_by_https_or_on_this_machine() {
        for (url, is_good) in [
            ("https://as.example", true),
            ("http://127.0.0.1:5000", true),
            ("http://[::1]:5000", true),
            ("http://localhost:5000", true),
            ("http://as.example", false),
            ("http://127.0.0.1.as.example", false),
            ("http://192.168.0.1", false),
            ("ftp://127.0.0.1", false),
        ] {
            assert_eq!(require_secure(&Url::parse(url).unwrap()).is_ok(), is_good, "{url}");
        }
    }
}
