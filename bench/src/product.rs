//! The product as it is shipped: its own binary, its own database, journal, metrics and logs on.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::child::{self, Running, Server};
use crate::http::Request;
use crate::reference::{Claims, Shape};
use crate::signature::Algorithm;
use crate::{Failure, Settings};

/// A client of the product, and what it asks for.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) client_id: String,
    pub(crate) secret: String,
    pub(crate) scope: String,
}

impl Client {
    /// The request for a token.
    pub(crate) fn token_request(&self) -> Request {
        let fields = [("grant_type", "client_credentials"), ("scope", self.scope.as_str())];
        Request::form("/connect/token", &fields).basic(&self.client_id, &self.secret)
    }

    /// A token.
    pub(crate) fn token(&self, server: &Server) -> Result<String, Failure> {
        let answer = self.token_request().expect_json(server.address)?;
        Ok(answer["access_token"].as_str().ok_or("an answer without access_token")?.to_owned())
    }
}

/// The release binary: the one that was named, or this tree's, built now.
pub(crate) fn binary(settings: &Settings) -> Result<PathBuf, Failure> {
    if let Some(path) = &settings.product {
        return Ok(path.clone());
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo).args(["build", "--release", "--quiet", "--package", "ambit"]).status()?;
    if !status.success() {
        return Err("the product does not build".into());
    }
    Ok(std::env::current_exe()?.with_file_name("ambit"))
}

/// Starts it on its core and waits until it is ready; tells how long that took.
pub(crate) fn start(settings: &Settings, binary: &Path, data: &Path) -> Result<(Server, Duration), Failure> {
    // The port is free now; nobody else is told of it before the product takes it.
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    fs::create_dir_all(data)?;
    let log = File::create(data.join(LOG))?;
    let mut command = child::pinned(settings.server_core, binary);
    command.args(["serve", "--listen", &address.to_string(), "--data-dir"]).arg(data);
    command.env("AMBIT_BOOTSTRAP_CLIENT_ID", BOOTSTRAP_ID).env("AMBIT_BOOTSTRAP_CLIENT_SECRET", BOOTSTRAP_SECRET);
    // All people sign in, and all clients are refused, from one address here.
    for limit in ["SIGN_INS", "CLIENT_FAILURES", "ADDRESS_FAILURES", "CLIENT_TOTAL_FAILURES"] {
        command.env(format!("AMBIT_RATE_LIMITS_{limit}"), "1000000");
    }
    command.stdout(log.try_clone()?).stderr(log);
    let start = Instant::now();
    let mut server = Server { address, process: Running::start(&mut command)? };
    while !is_ready(address) {
        if server.process.has_ended()? || start.elapsed() > PATIENCE {
            return Err(format!("the product is not ready: {}", fs::read_to_string(data.join(LOG))?).into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok((server, start.elapsed()))
}

fn is_ready(address: SocketAddr) -> bool {
    Request::get("/readyz").call(address).is_ok_and(|(status, _)| status == 200)
}

/// The client that the environment registers at the first start.
pub(crate) fn administrator() -> Client {
    Client {
        client_id: BOOTSTRAP_ID.to_owned(),
        secret: BOOTSTRAP_SECRET.to_owned(),
        scope: "admin:read admin:write".to_owned(),
    }
}

/// Registers an API that signs with this algorithm, its scopes, and a client that may have them.
pub(crate) fn register(server: &Server, algorithm: Algorithm) -> Result<Client, Failure> {
    let token = administrator().token(server)?;
    let create = |path: &str, body: Value| {
        Request::json("POST", &format!("/api/v1/admin/{path}"), &body).bearer(&token).expect_json(server.address)
    };
    let name = algorithm.as_str().to_lowercase();
    let identifier = format!("https://{name}.bench.example/api");
    let api = json!({ "identifier": identifier, "name": name, "signing_algorithm": algorithm.as_str() });
    create("apis", api)?;
    let scopes = ["read", "write"].map(|verb| format!("{name}:baskets:{verb}"));
    for scope in &scopes {
        let title = json!({ "en": scope });
        create(
            "scopes",
            json!({ "name": scope, "api": identifier, "kind": "granular", "title": title, "description": title }),
        )?;
    }
    let application = create(
        "applications",
        json!({ "name": name, "type": "service", "level": "platform", "allowed_scopes": scopes }),
    )?;
    let text = |member: &str| {
        application[member].as_str().map(str::to_owned).ok_or_else(|| format!("an application without {member}"))
    };
    Ok(Client { client_id: text("client_id")?, secret: text("client_secret")?, scope: scopes.join(" ") })
}

/// What the reference must look like to do the same work as the product does for this client.
pub(crate) fn shape(server: &Server, client: &Client, algorithm: Algorithm) -> Result<Shape, Failure> {
    let token = client.token(server)?;
    let (header, claims) = read_token(&token)?;
    if header["alg"] != algorithm.as_str() {
        return Err(format!("asked for {}, the token's header is {header}", algorithm.as_str()).into());
    }
    let claims: Claims = serde_json::from_value(claims).map_err(|error| {
        format!("the reference does not sign the product's claims any more, {error}: see reference.rs")
    })?;
    Ok(Shape {
        client_id: client.client_id.clone(),
        client_secret: client.secret.clone(),
        algorithm,
        kid: header["kid"].as_str().ok_or("a token without kid")?.to_owned(),
        claims,
        fixed: Vec::new(),
    })
}

/// The header and the claims of a token, unverified.
pub(crate) fn read_token(token: &str) -> Result<(Value, Value), Failure> {
    let mut parts = token.split('.').map(|part| BASE64_URL_SAFE_NO_PAD.decode(part));
    let mut next = || -> Result<Value, Failure> { Ok(serde_json::from_slice(&parts.next().ok_or("no token")??)?) };
    Ok((next()?, next()?))
}

const BOOTSTRAP_ID: &str = "bench";
/// Known to everybody, on a server that listens on loopback for a minute and is then deleted.
const BOOTSTRAP_SECRET: &str = "bench-bench-bench-bench-bench-bench";
const LOG: &str = "ambit.log";
const PATIENCE: Duration = Duration::from_mins(1);
