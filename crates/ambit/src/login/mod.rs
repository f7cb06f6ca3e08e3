//! Signing in on the command line, as RFC 8252 has it for native applications: a person goes by their browser, and the commands
//! act as them.
//!
//! 1. `server`: where the server is asked, as it says itself, and that it is the one that was named.
//! 2. `request`: what the browser takes there. PKCE, `state` and `iss` bind the answer to this request and to this server.
//! 3. `listener`: the browser brings the answer to this machine. Where it runs on another one, the person brings it: they paste
//!    the address that it ended on.
//! 4. The code becomes tokens, and `kept` keeps them, for this user of the machine alone.
//! 5. `session`: later commands present them, and renew them when their time is over.

mod kept;
mod listener;
mod page;
mod request;
mod server;
mod session;

use std::io::{BufRead as _, Read as _};
use std::process::{Command, Stdio};
use std::time::Duration;

use ambit_core::time::Clock as _;
use ambit_server::clock::SystemClock;
use ambit_server::entropy::SystemEntropy;
use reqwest::Url;
use serde_json::Value;
use tokio::sync::mpsc;

pub use self::kept::{Login, Logins};
use self::listener::{Arrival, Listener};
use self::request::Request;
pub use self::server::AuthorizationServer;
pub use self::session::Session;
use crate::output::Failure;

/// What a login is to be.
#[derive(Debug)]
pub struct Wish {
    /// The server.
    pub base: Url,
    /// The scopes, separated by spaces.
    pub scope: String,
    /// The tenant that the person belongs to, where they say so before they are asked.
    pub tenant: Option<String>,
    /// Whether the browser is somewhere else: none is opened here, and the address that it ended on may be pasted.
    pub is_browser_elsewhere: bool,
    /// For how long to wait for it.
    pub patience: Duration,
}

/// A login that is kept, and what was asked for and is not in it.
#[derive(Debug)]
pub struct SignedIn {
    /// The login.
    pub login: Login,
    /// `dropped_scopes` of the token endpoint.
    pub dropped: Vec<Value>,
}

/// Signs a person in, and keeps it.
pub async fn sign_in(wish: &Wish) -> Result<SignedIn, Failure> {
    // Before anybody is bothered: what comes of it can be kept, and the server is there.
    let logins = Logins::of_user()?;
    logins.check()?;
    let server = AuthorizationServer::discover(&wish.base).await?;
    let listener = Listener::open().await?;
    let request = Request::new(&server, listener.redirect_uri(), wish, &SystemEntropy)?;
    eprintln!("Open this address in a browser to sign in:\n\n  {}\n", request.url());
    let mut pasted = if wish.is_browser_elsewhere {
        eprintln!("{PASTE}");
        pasted(request.redirect_uri().to_owned())
    } else {
        if !open(request.url()) {
            eprintln!("{NO_BROWSER}");
        }
        // Nobody sends there.
        mpsc::unbounded_channel().1
    };
    let mut listening = listener.serve();
    let arrival = tokio::select! {
        Some(arrival) = listening.arrival() => arrival,
        Some(query) = pasted.recv() => Arrival::pasted(query),
        () = tokio::time::sleep(wish.patience) => return Err(Failure::unreachable(format!(
            "nobody came back from the browser within {} seconds, so nobody is signed in: {AGAIN}",
            wish.patience.as_secs()
        ))),
    };
    let outcome = finish(&server, &request, &arrival, &logins).await;
    arrival.answer(outcome.is_ok());
    listening.finish().await;
    outcome
}

/// Step 4.
async fn finish(
    server: &AuthorizationServer,
    request: &Request,
    arrival: &Arrival,
    logins: &Logins,
) -> Result<SignedIn, Failure> {
    let code = request.code(arrival.query())?;
    let tokens = server.redeem(&code, request).await?;
    let who = server.userinfo(&tokens.access_token).await?;
    let dropped = tokens.dropped.clone();
    let login = Login::of(server.issuer(), who, tokens, SystemClock.now());
    let before = logins.keep(&login)?;
    if let Some(token) = before.and_then(|before| before.refresh_token) {
        // The login of before is of use to nobody any more. Where it cannot be taken back now, it ends by itself, unused.
        drop(server.revoke(&token.0).await);
    }
    Ok(SignedIn { login, dropped })
}

/// The queries of the addresses that are pasted, as far as they are such that the browser can have ended on. Read on a thread of
/// its own: nothing takes back a read of a terminal, and the process does not wait for this one when it ends.
fn pasted(redirect_uri: String) -> mpsc::UnboundedReceiver<String> {
    let (sender, receiver) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().take(MOST_READ).lines() {
            // Closed, or not text: then the browser comes by itself, or nobody does.
            let Ok(line) = line else { return };
            let line = line.trim();
            match line.strip_prefix(redirect_uri.as_str()).and_then(|rest| rest.strip_prefix('?')) {
                Some(query) => {
                    if sender.send(query.to_owned()).is_err() {
                        return;
                    }
                }
                None if line.is_empty() => {}
                None => eprintln!("This is not where the browser ends: that address begins with {redirect_uri}?"),
            }
        }
    });
    receiver
}

/// Has the desktop open an address. Whether it did cannot be known, only whether there is something that might.
fn open(url: &Url) -> bool {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = Command::new(program);
    command.arg(url.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().is_ok()
}

const AGAIN: &str = "begin again with `ambit login`, and with --no-browser where the browser is on another machine";
const PASTE: &str = "When you are through, the browser ends on an address that begins with http://127.0.0.1. If it runs on another \
                     machine it shows nothing there: copy that address, paste it here and press Enter.\n";
const NO_BROWSER: &str = "No browser could be opened here. If there is one on another machine, use --no-browser.\n";
/// More than any sensible number of tries takes.
const MOST_READ: u64 = 64 * 1024;
