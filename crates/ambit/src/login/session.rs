//! A login that commands act by: its token is renewed when its time is over, or when the server does not take it any more.

use ambit_core::time::Clock as _;
use ambit_protocol::time::Timestamp;
use ambit_server::clock::SystemClock;
use reqwest::Url;
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Mutex;

use super::kept::{Login, Logins};
use super::server::AuthorizationServer;
use crate::output::Failure;

/// A login in use.
#[derive(Debug)]
pub struct Session {
    logins: Logins,
    base: Url,
    login: Mutex<Login>,
}

impl Session {
    /// The login at a server, or the last one; none where nobody is signed in there.
    pub fn find(base: Option<&Url>) -> Result<Option<Self>, Failure> {
        let Some(logins) = Logins::if_any() else { return Ok(None) };
        let Some(login) = logins.find(base.map(|base| base.as_str().trim_end_matches('/')))? else { return Ok(None) };
        let base = Url::parse(&login.issuer)
            .map_err(|_| Failure::usage(format!("{}: '{}' is no URL", logins.path().display(), login.issuer)))?;
        Ok(Some(Self { logins, base, login: Mutex::new(login) }))
    }

    /// The server.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// As it is kept.
    pub async fn login(&self) -> Login {
        self.login.lock().await.clone()
    }

    /// A token that is good for a while.
    pub async fn token(&self) -> Result<SecretString, Failure> {
        let login = self.login().await;
        if is_fresh(&login, SystemClock.now()) { Ok(login.access_token.0) } else { self.renew(&login).await }
    }

    /// Another token than this one, which the server did not take although its time is not over.
    pub async fn token_instead_of(&self, refused: &SecretString) -> Result<SecretString, Failure> {
        let login = self.login().await;
        if login.access_token.0.expose_secret() == refused.expose_secret() {
            self.renew(&login).await
        } else {
            Ok(login.access_token.0)
        }
    }

    /// Renews the login as it is kept now, one command after the other: a refresh token is used once, and who uses it again ends
    /// all that came of the login (RFC 9700 §4.14.2).
    async fn renew(&self, known: &Login) -> Result<SecretString, Failure> {
        let _turn = self.logins.wait_for_turn()?;
        let Some(kept) = self.logins.find(Some(&known.issuer))? else { return Err(ended(&known.issuer)) };
        let is_another = kept.access_token.0.expose_secret() != known.access_token.0.expose_secret();
        let login = if is_another && is_fresh(&kept, SystemClock.now()) {
            kept
        } else {
            let server = AuthorizationServer::discover(&self.base).await?;
            let Some(refresh_token) = &kept.refresh_token else { return Err(ended(&kept.issuer)) };
            let tokens = match server.renew(&refresh_token.0).await {
                Ok(tokens) => tokens,
                Err(failure) => return Err(self.not_renewed(&kept, failure)?),
            };
            let login = kept.renewed(tokens, SystemClock.now());
            self.logins.keep_changed(&login)?;
            login
        };
        let token = login.access_token.0.clone();
        *self.login.lock().await = login;
        Ok(token)
    }

    /// RFC 6749 §5.2: `invalid_grant` is a refresh token that will never be good again, so it is forgotten. Anything else may
    /// pass.
    fn not_renewed(&self, login: &Login, failure: Failure) -> Result<Failure, Failure> {
        let again = format!("sign in again: ambit login --url {}", login.issuer);
        Ok(match failure.error_code() {
            Some("invalid_grant") => {
                self.logins.forget(&login.issuer)?;
                failure.with_line(&format!("your login has ended; {again}"))
            }
            Some(_) => failure.with_line(&format!("your login is not renewed; when that is mended, {again}")),
            None => failure,
        })
    }
}

fn is_fresh(login: &Login, now: Timestamp) -> bool {
    now.plus_secs(ENOUGH_SECS) < login.expires_at
}

fn ended(issuer: &str) -> Failure {
    Failure::usage(format!("your login at {issuer} is over: ambit login --url {issuer}"))
}

/// A token is renewed when so little is left of it that a command might not be done in time.
const ENOUGH_SECS: i64 = 60;
