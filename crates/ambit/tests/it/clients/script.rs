//! An application that is written in another language: a program that speaks with the test a line of JSON each way.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{ChildStdin, Command};

use super::person::Consent;
use super::world::{AFTER_LOGOUT, API, REDIRECT_URI, Registered, SCOPE, World};
use crate::support::{clean, client_libraries};

/// A library that is installed, and the application that is written with it.
pub(crate) struct Library {
    program: PathBuf,
    script: PathBuf,
    _folder: tempfile::TempDir,
}

/// What an application says.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case", untagged)]
enum Said {
    /// The browser shall go there.
    Visit { visit: String, answer: String },
    /// That was all.
    Seen { seen: Value },
}

impl Library {
    /// One for Node, if libraries are installed.
    pub(crate) fn node(name: &str) -> Option<Self> {
        let installed = client_libraries()?.join(name).join("node_modules");
        assert!(installed.is_dir(), "{} is not installed", installed.display());
        // Node looks for libraries beside the program that wants them.
        let folder = crate::support::folder();
        std::os::unix::fs::symlink(installed, folder.path().join("node_modules")).expect("a link");
        for file in [format!("{name}/app.mjs"), "talk.mjs".to_owned()] {
            let from = scripts().join(&file);
            let to = folder.path().join(from.file_name().expect("a name"));
            std::fs::copy(&from, to).expect("a copy");
        }
        Some(Self { program: "node".into(), script: folder.path().join("app.mjs"), _folder: folder })
    }

    /// One for Python, if libraries are installed.
    pub(crate) fn python(name: &str) -> Option<Self> {
        let program = client_libraries()?.join(name).join("bin/python");
        assert!(program.is_file(), "{} is not installed", program.display());
        let folder = crate::support::folder();
        Some(Self { program, script: scripts().join(name).join("app.py"), _folder: folder })
    }

    /// Runs the application as one that is registered, with a person who was never here, and answers what it saw.
    pub(crate) async fn run(&self, world: &World, registered: &Registered) -> Value {
        tokio::time::timeout(PATIENCE, self.played(world, registered)).await.expect("it ends")
    }

    async fn played(&self, world: &World, registered: &Registered) -> Value {
        let mut command = Command::new(&self.program);
        clean(&mut command);
        let authority = world.authority_file();
        // Each has its own name for the certificates that it trusts.
        for variable in ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"] {
            command.env(variable, &authority);
        }
        command.env("PYTHONDONTWRITEBYTECODE", "1").arg(&self.script).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let mut person = world.visitor();
        say(&mut stdin, &described(registered)).await;
        while let Some(line) = lines.next_line().await.expect("text") {
            let said: Said = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            match said {
                Said::Seen { seen } => return seen,
                Said::Visit { visit, answer } => {
                    let consent = if answer == "deny" { Consent::Deny } else { Consent::Allow };
                    let back = person.visit(&visit, consent).await;
                    say(&mut stdin, &json!(back)).await;
                }
            }
        }
        let mut complaint = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut complaint).await.expect("text");
        panic!("{} as {}: {complaint}", self.script.display(), registered.client_id);
    }
}

/// What the application is told of its registration.
fn described(registered: &Registered) -> Value {
    json!({
        "issuer": registered.issuer,
        "other_issuer": registered.other_issuer,
        "client_id": registered.client_id,
        "client_secret": registered.secret,
        "redirect_uri": REDIRECT_URI,
        "after_logout": AFTER_LOGOUT,
        "scope": SCOPE,
        "api": API,
    })
}

async fn say(stdin: &mut ChildStdin, value: &Value) {
    // Whoever has ended already says why on its standard error, which is shown then.
    drop(stdin.write_all(format!("{value}\n").as_bytes()).await);
}

/// Where the applications are.
pub(crate) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients")
}

const PATIENCE: Duration = Duration::from_mins(2);
