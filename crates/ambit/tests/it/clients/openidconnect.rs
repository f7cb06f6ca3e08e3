//! An application that signs people in with `openidconnect`. It is in the same language as these tests, and always runs.

use std::collections::HashMap;
use std::error::Error;
use std::pin::Pin;

use openidconnect::core::{
    CoreAuthDisplay, CoreAuthPrompt, CoreAuthenticationFlow, CoreClaimName, CoreClaimType, CoreClient,
    CoreClientAuthMethod, CoreErrorResponseType, CoreGrantType, CoreIdToken, CoreJsonWebKey,
    CoreJweContentEncryptionAlgorithm, CoreJweKeyManagementAlgorithm, CoreResponseMode, CoreResponseType,
    CoreSubjectIdentifierType, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::url::Url;
use openidconnect::{
    AccessTokenHash, AdditionalProviderMetadata, AsyncHttpClient, AuthorizationCode, ClientId, ClientSecret, CsrfToken,
    EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IntrospectionUrl, IssuerUrl,
    LogoutRequest, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl,
    ProviderMetadata, RedirectUrl, RefreshToken, RequestTokenError, RevocationUrl, Scope, StandardErrorResponse,
    TokenResponse as _, UserInfoError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::person::Consent;
use super::world::{AFTER_LOGOUT, REDIRECT_URI, Registered, SCOPE, World};
use super::{check, description};

/// What discovery says beyond what the library reads by itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Endpoints {
    introspection_endpoint: IntrospectionUrl,
    revocation_endpoint: RevocationUrl,
    end_session_endpoint: openidconnect::EndSessionUrl,
}

impl AdditionalProviderMetadata for Endpoints {}

type Metadata = ProviderMetadata<
    Endpoints,
    CoreAuthDisplay,
    CoreClientAuthMethod,
    CoreClaimName,
    CoreClaimType,
    CoreGrantType,
    CoreJweContentEncryptionAlgorithm,
    CoreJweKeyManagementAlgorithm,
    CoreJsonWebKey,
    CoreResponseMode,
    CoreResponseType,
    CoreSubjectIdentifierType,
>;

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

type Failure = Box<dyn Error>;

/// The HTTP client of the workspace, for the library.
struct Http(reqwest::Client);

impl<'c> AsyncHttpClient<'c> for Http {
    type Error = reqwest::Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, reqwest::Error>> + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async {
            let response = self.0.execute(request.try_into()?).await?;
            let mut answer = HttpResponse::default();
            *answer.status_mut() = response.status();
            *answer.headers_mut() = response.headers().clone();
            *answer.body_mut() = response.bytes().await?.to_vec();
            Ok(answer)
        })
    }
}

/// The application.
struct Application {
    metadata: Metadata,
    client: Client,
    http: Http,
}

/// What it keeps in the person's session while they are away.
struct Session {
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// What came back in place of a code.
#[derive(Debug, thiserror::Error)]
#[error("{error}: {description}")]
struct Refused {
    error: String,
    description: String,
}

impl Application {
    async fn new(http: Http, issuer: &str, client_id: &str, secret: Option<&str>) -> Result<Self, Failure> {
        let metadata = Metadata::discover_async(IssuerUrl::new(issuer.to_owned())?, &http).await?;
        let endpoints = metadata.additional_metadata();
        let (introspection, revocation) = (&endpoints.introspection_endpoint, &endpoints.revocation_endpoint);
        let secret = secret.map(|secret| ClientSecret::new(secret.to_owned()));
        let client = CoreClient::from_provider_metadata(metadata.clone(), ClientId::new(client_id.to_owned()), secret)
            .set_introspection_url(introspection.clone())
            .set_revocation_url(revocation.clone())
            .set_redirect_uri(RedirectUrl::new(REDIRECT_URI.to_owned())?);
        Ok(Self { metadata, client, http })
    }

    fn started(&self, scope: &str, prompt: Option<CoreAuthPrompt>) -> (Url, Session) {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let request = self
            .client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
            .add_scopes(scope.split(' ').map(|name| Scope::new(name.to_owned())))
            .set_pkce_challenge(challenge);
        let request = match prompt {
            Some(prompt) => request.add_prompt(prompt),
            None => request,
        };
        let (url, state, nonce) = request.url();
        (url, Session { state, nonce, verifier })
    }

    async fn redeemed(&self, callback: &str, session: Session) -> Result<CoreTokenResponse, Failure> {
        let callback = Url::parse(callback)?;
        let answer: HashMap<_, _> = callback.query_pairs().into_owned().collect();
        if answer.get("state") != Some(session.state.secret()) {
            return Err("the answer is to another request".into());
        }
        // The library leaves RFC 9207 to the application: the answer must be this issuer's.
        if answer.get("iss").map(String::as_str) != Some(self.metadata.issuer().as_str()) {
            return Err("the answer is another server's".into());
        }
        let Some(code) = answer.get("code") else {
            let text = |name: &str| answer.get(name).cloned().unwrap_or_default();
            return Err(Refused { error: text("error"), description: text("error_description") }.into());
        };
        let tokens = self
            .client
            .exchange_code(AuthorizationCode::new(code.clone()))?
            .set_pkce_verifier(session.verifier)
            .request_async(&self.http)
            .await?;
        let verifier = self.client.id_token_verifier();
        let id_token = tokens.id_token().ok_or("there is no ID token")?;
        let claims = id_token.claims(&verifier, &session.nonce)?;
        let (algorithm, key) = (id_token.signing_alg()?, id_token.signing_key(&verifier)?);
        let hash = AccessTokenHash::from_token(tokens.access_token(), algorithm, key)?;
        if claims.access_token_hash().is_some_and(|expected| *expected != hash) {
            return Err("the access token is not the ID token's".into());
        }
        Ok(tokens)
    }

    async fn renewed(&self, refresh_token: &RefreshToken) -> Result<CoreTokenResponse, Failure> {
        Ok(self.client.exchange_refresh_token(refresh_token)?.request_async(&self.http).await?)
    }

    async fn userinfo(&self, tokens: &CoreTokenResponse) -> Result<CoreUserInfoClaims, Failure> {
        Ok(self.client.user_info(tokens.access_token().clone(), None)?.request_async(&self.http).await?)
    }

    async fn introspected(&self, tokens: &CoreTokenResponse) -> Result<Value, Failure> {
        let answer = self.client.introspect(tokens.access_token()).request_async(&self.http).await?;
        Ok(serde_json::to_value(&answer)?)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_with_openidconnect_signs_people_in_and_notices_what_is_wrong() {
    let world = World::new().await;
    for registered in world.registered() {
        let seen = Box::pin(seen(&world, registered)).await.expect("what works");
        check(registered, &seen);
        assert!(description(&seen, "wrong_nonce").to_lowercase().contains("nonce"), "{seen:#}");
        assert!(description(&seen, "wrong_signature").to_lowercase().contains("signature"), "{seen:#}");
    }
}

/// What the application sees.
async fn seen(world: &World, registered: &Registered) -> Result<Value, Failure> {
    let http = || {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        Http(client.tls_certs_only([world.authority.clone()]).build().expect("an HTTP client"))
    };
    let (client_id, secret) = (registered.client_id.as_str(), registered.secret.as_deref());
    let application = Application::new(http(), &registered.issuer, client_id, secret).await?;
    let mut person = world.visitor();

    // Somebody signs in, and the application acts for them.
    let (url, session) = application.started(SCOPE, None);
    let nonce = session.nonce.clone();
    let tokens = application.redeemed(&person.visit(url.as_str(), Consent::Allow).await, session).await?;
    let id_token = tokens.id_token().ok_or("no ID token")?;
    let claims = id_token.claims(&application.client.id_token_verifier(), &nonce)?;
    let mut seen = json!({
        "issuer": application.metadata.issuer(),
        "alg": id_token.signing_alg()?,
        "claims": claims,
        "scope": scope(&tokens),
        "lifetime": tokens.expires_in().map(|it| it.as_secs()),
        "userinfo": application.userinfo(&tokens).await?,
        "introspected": match application.introspected(&tokens).await {
            Ok(answer) => answer,
            Err(failure) => told(&failure),
        },
    });

    // It renews, and keeps the newest refresh token. An older one, used once more, ends the grant.
    let first = tokens.refresh_token().ok_or("no refresh token")?;
    let second = application.renewed(first).await?;
    let third = application.renewed(second.refresh_token().ok_or("no refresh token")?).await?;
    let newest = third.refresh_token().ok_or("no refresh token")?;
    let secrets = [first.secret(), second.refresh_token().ok_or("no refresh token")?.secret(), newest.secret()];
    seen["rotated"] = json!(secrets[0] != secrets[1] && secrets[1] != secrets[2] && secrets[0] != secrets[2]);
    let subject = application.userinfo(&third).await?.subject().clone();
    seen["renewed"] = json!({"scope": scope(&third), "sub": subject});
    seen["replayed"] = refused(application.renewed(first).await);
    seen["after_replay"] = refused(application.renewed(newest).await);
    seen["userinfo_after_replay"] = refused(application.userinfo(&third).await);

    // Signed in still, nobody is asked again. A code is good once.
    let (url, session) = application.started(SCOPE, Some(CoreAuthPrompt::None));
    let back = person.visit(url.as_str(), Consent::Deny).await;
    let again = application.redeemed(&back, copied(&session)).await?;
    seen["same_person"] = json!(*application.userinfo(&again).await?.subject() == subject);
    seen["code_reused"] = refused(application.redeemed(&back, session).await);
    seen["after_code_reuse"] = refused(application.renewed(again.refresh_token().ok_or("no refresh token")?).await);

    // What is given back is good no longer.
    let (url, session) = application.started(SCOPE, None);
    let given = application.redeemed(&person.visit(url.as_str(), Consent::Allow).await, session).await?;
    let refresh_token = given.refresh_token().ok_or("no refresh token")?;
    application.client.revoke_token(refresh_token.into())?.request_async(&application.http).await?;
    seen["revoked"] = refused(application.renewed(refresh_token).await);
    if secret.is_some() {
        seen["introspected_after"] = application.introspected(&given).await?;
    }

    // What an application has to notice.
    let (url, session) = application.started(SCOPE, Some(CoreAuthPrompt::Consent));
    seen["denied"] = refused(application.redeemed(&person.visit(url.as_str(), Consent::Deny).await, session).await);
    let (url, session) = application.started("openid nobody.knows", None);
    seen["beyond"] = refused(application.redeemed(&person.visit(url.as_str(), Consent::Allow).await, session).await);
    let (url, session) = application.started(SCOPE, None);
    let back = person.visit(url.as_str(), Consent::Allow).await;
    let other = Session { verifier: PkceCodeChallenge::new_random_sha256().1, ..copied(&session) };
    seen["wrong_verifier"] = refused(application.redeemed(&back, other).await);
    let (url, session) = application.started(SCOPE, None);
    let back = person.visit(url.as_str(), Consent::Allow).await;
    let other = Session { nonce: Nonce::new_random(), ..session };
    seen["wrong_nonce"] = refused(application.redeemed(&back, other).await);
    let (url, session) = application.started(SCOPE, None);
    let nonce = session.nonce.clone();
    let tokens = application.redeemed(&person.visit(url.as_str(), Consent::Allow).await, session).await?;
    let good = tokens.id_token().ok_or("no ID token")?.to_string();
    let (signed, signature) = good.rsplit_once('.').ok_or("no JWT")?;
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let spoilt: CoreIdToken = format!("{signed}.{first}{}", &signature[1..]).parse()?;
    let verifier = application.client.id_token_verifier();
    seen["wrong_signature"] = refused(spoilt.claims(&verifier, &nonce).map_err(Failure::from));
    let request = application.client.exchange_client_credentials()?.add_scope(Scope::new("openid".to_owned()));
    seen["not_its_grant"] = refused(request.request_async(&application.http).await.map_err(Failure::from));
    let elsewhere = Application::new(http(), &registered.other_issuer, client_id, secret).await?;
    seen["wrong_door"] = refused(elsewhere.renewed(&RefreshToken::new("any".to_owned())).await);
    if secret.is_some() {
        let guess = Some("not-the-secret-of-this-client-0123456789");
        let stranger = Application::new(http(), &registered.issuer, client_id, guess).await?;
        seen["wrong_secret"] = refused(stranger.renewed(&RefreshToken::new("any".to_owned())).await);
    }

    // They sign out, of the application and of the server.
    let (url, session) = application.started(SCOPE, None);
    let last = application.redeemed(&person.visit(url.as_str(), Consent::Allow).await, session).await?;
    let leave = LogoutRequest::from(application.metadata.additional_metadata().end_session_endpoint.clone())
        .set_id_token_hint(last.id_token().ok_or("no ID token")?)
        .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(AFTER_LOGOUT.to_owned())?)
        .set_state(CsrfToken::new("left".to_owned()))
        .http_get_url();
    seen["left_for"] = json!(person.visit(leave.as_str(), Consent::Allow).await);
    let (url, session) = application.started(SCOPE, Some(CoreAuthPrompt::None));
    let back = person.visit(url.as_str(), Consent::Allow).await;
    seen["after_logout"] = refused(application.redeemed(&back, session).await);
    Ok(seen)
}

fn scope(tokens: &CoreTokenResponse) -> String {
    tokens.scopes().into_iter().flatten().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
}

/// A verifier is meant to be used once, and is used twice here.
fn copied(session: &Session) -> Session {
    Session {
        state: session.state.clone(),
        nonce: session.nonce.clone(),
        verifier: PkceCodeVerifier::new(session.verifier.secret().clone()),
    }
}

/// What the library makes of something that must fail.
fn refused<T>(outcome: Result<T, Failure>) -> Value {
    match outcome {
        Ok(_) => panic!("it was not refused"),
        Err(failure) => told(&failure),
    }
}

fn told(failure: &Failure) -> Value {
    type OfToken = RequestTokenError<reqwest::Error, StandardErrorResponse<CoreErrorResponseType>>;
    if let Some(RequestTokenError::ServerResponse(answer)) = failure.downcast_ref::<OfToken>() {
        return json!({"error": answer.error(), "description": answer.error_description()});
    }
    if let Some(Refused { error, description }) = failure.downcast_ref() {
        return json!({"error": error, "description": description});
    }
    if let Some(UserInfoError::Response(status, ..)) = failure.downcast_ref::<UserInfoError<reqwest::Error>>() {
        return json!({"status": status.as_u16()});
    }
    let mut description = failure.to_string();
    let mut cause = failure.source();
    while let Some(error) = cause {
        description = format!("{description}: {error}");
        cause = error.source();
    }
    json!({"description": description})
}
