//! `ambit login`, `ambit logout` and `ambit whoami`: people on the command line.

use std::time::Duration;

use ambit_core::registry::builtin::COMMAND_LINE_SCOPES;
use clap::Args;
use serde_json::{Value, json};

use super::{lines, text};
use crate::client::{Connection, DEFAULT_URL, Identity, base, segment};
use crate::login::{self, AuthorizationServer, Logins, Session, Wish, sign_in};
use crate::output::{Failure, Output};

/// Sign in.
#[derive(Debug, Args)]
pub struct Login {
    /// The server.
    #[arg(long, visible_alias = "issuer", env = "AMBIT_URL", default_value = DEFAULT_URL)]
    url: String,
    /// Open no browser here. Sign in by one on another machine, and paste the address that it ends on.
    #[arg(long)]
    no_browser: bool,
    /// A scope of the admin API that is enough, such as `admin:read`, in place of all of them; may be repeated.
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// The tenant that you belong to (slug): its own page asks for your password.
    #[arg(long)]
    tenant: Option<String>,
    /// For how many seconds to wait for the browser.
    #[arg(long, default_value = "300", value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=3600))]
    timeout_secs: u64,
}

/// Sign out.
#[derive(Debug, Args)]
pub struct Logout {
    /// The server; where left out, that of the last login.
    #[arg(long, visible_alias = "issuer", env = "AMBIT_URL")]
    url: Option<String>,
}

/// Who it is.
#[derive(Debug, Args)]
pub struct Whoami {
    #[command(flatten)]
    connection: Connection,
}

impl Login {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let wish = Wish {
            base: base(&self.url)?,
            scope: scope(&self.scopes),
            tenant: self.tenant,
            is_browser_elsewhere: self.no_browser,
            patience: Duration::from_secs(self.timeout_secs),
        };
        let signed_in = sign_in(&wish).await?;
        let login = &signed_in.login;
        let mut said = format!("Signed in as {} at {}\nscopes  {}", login.who(), login.issuer, login.scope);
        for dropped in &signed_in.dropped {
            said.push_str(&format!("\nwithout {}: {}", text(dropped, "scope"), text(dropped, "hint")));
        }
        let mut value = told(login);
        value["dropped_scopes"] = signed_in.dropped.into();
        output.say(&said, &value)
    }
}

impl Logout {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let named = self.url.as_deref().map(base).transpose()?;
        let Some(session) = Session::find(named.as_ref())? else {
            return Err(Failure::usage("nobody is signed in there"));
        };
        let logins = Logins::of_user()?;
        // What another command renews meanwhile would outlive this one.
        let turn = logins.wait_for_turn()?;
        let issuer = session.login().await.issuer;
        let Some(login) = logins.find(Some(&issuer))? else { return Err(Failure::usage("nobody is signed in there")) };
        let revoked = async {
            let server = AuthorizationServer::discover(session.base()).await?;
            // All that came of the login ends with its refresh token (RFC 7009 §2.1).
            server.revoke(&login.refresh_token.as_ref().unwrap_or(&login.access_token).0).await
        };
        let revoked = revoked.await;
        // Whatever the server says: whoever signs out leaves nothing on this machine.
        logins.forget(&issuer)?;
        drop(turn);
        match revoked {
            Ok(()) => output.say(
                &format!("{} is signed out of {issuer}", login.who()),
                &json!({ "issuer": issuer, "subject": login.subject }),
            ),
            Err(failure) => Err(failure.with_line(&format!(
                "the login is forgotten here, and the server was not told: end it at {issuer}/account/applications"
            ))),
        }
    }
}

impl Whoami {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        let session = match self.connection.identity()? {
            Identity::Person(session) => session,
            Identity::Client(client_id, _) => {
                let url = self.connection.base()?;
                let url = url.as_str().trim_end_matches('/');
                let said = format!("the client '{client_id}' at {url}, by AMBIT_CLIENT_ID or --client-id");
                return output.say(&said, &json!({ "issuer": url, "client_id": client_id }));
            }
            Identity::Token(_) => {
                let said =
                    "whoever the access token is of, by AMBIT_TOKEN or --token; `ambit explain token -` says more";
                return output.say(said, &json!({ "client_id": null }));
            }
        };
        // Asked of the server, which knows whether it is still so.
        let token = session.token().await?;
        let who = AuthorizationServer::discover(session.base()).await?.userinfo(&token).await?;
        let login = session.login().await;
        let (roles, why) = match roles(&self.connection, &who.sub).await {
            Ok(roles) => (roles, None),
            // That they hold none is the answer, in the server's words.
            Err(failure) if failure.status() == Some(403) => (vec![], Some(failure.to_string())),
            Err(failure) => return Err(failure),
        };
        let mut value = told(&login);
        value["administrator"] = roles.clone().into();
        let mut more: Vec<(&'static str, String)> = roles.iter().map(|role| ("administers as", shown(role))).collect();
        if let Some(why) = &why {
            value["why"] = why.lines().next().unwrap_or_default().into();
            more.push(("administers", format!("nothing: {why}")));
        }
        more.push(("token until", format!("{}, and renewed by itself", login.expires_at)));
        output.say(&lines(&value, &["name", "email", "subject", "issuer", "scope"], more), &value)
    }
}

/// The roles of an administrator that somebody holds, themselves and by their groups.
async fn roles(connection: &Connection, user: &str) -> Result<Vec<Value>, Failure> {
    let admin = connection.admin().await?;
    let groups = admin.list(&format!("/users/{}/groups", segment(user))).await?;
    let groups: Vec<String> = groups.iter().map(|group| text(group, "id")).collect();
    let all = admin.list("/administrators").await?;
    let is_theirs = |it: &Value| text(it, "user_id") == user || groups.contains(&text(it, "group_id"));
    Ok(all.into_iter().filter(is_theirs).collect())
}

/// `tenant_admin of tnt_… until …, by the group grp_…`.
fn shown(role: &Value) -> String {
    let part = |before: &str, names: [&str; 2]| {
        let found = names.iter().map(|name| text(role, name)).find(|value| !value.is_empty());
        found.map(|value| format!("{before}{value}")).unwrap_or_default()
    };
    format!(
        "{}{}{}{}",
        text(role, "role"),
        part(" of ", ["tenant_id", "partner_id"]),
        part(" until ", ["expires_at", "expires_at"]),
        part(", by the group ", ["group_id", "group_id"])
    )
}

/// A login without what it is held by.
fn told(login: &login::Login) -> Value {
    json!({
        "issuer": login.issuer, "subject": login.subject, "name": login.name, "email": login.email,
        "scope": login.scope, "expires_at": login.expires_at,
    })
}

/// Who somebody is goes with every login; of the admin API, what was wished for.
fn scope(wished: &[String]) -> String {
    let scopes = COMMAND_LINE_SCOPES;
    let (identity, admin): (Vec<&str>, Vec<&str>) = scopes.iter().partition(|scope| !scope.contains(':'));
    let admin = if wished.is_empty() { admin } else { wished.iter().map(String::as_str).collect() };
    [identity, admin].concat().join(" ")
}
