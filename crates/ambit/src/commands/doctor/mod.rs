//! `ambit doctor`: what is wrong, from either side. An operator has a server looked at; a client, with `--issuer`, the way of
//! one of its calls.

mod again;
mod call;
mod client;
mod code;
mod credentials;
mod discovery;
mod key_set;
mod pasted;
mod product;
mod report;
mod scopes;
mod server;
mod token;
mod web;

use clap::Args;

use crate::client::Connection;
use crate::output::{Failure, Output};

/// Check the configuration, the store and a running server; or, with --issuer, a client's way to an API.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten)]
    server: server::Server,
    #[command(flatten)]
    connection: Connection,
    // Last, since its heading is that of all that follows.
    #[command(flatten)]
    client: client::Client,
}

impl Doctor {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        if self.client.is_asked_for() {
            self.client.run(&self.connection, output).await
        } else {
            self.server.run(&self.connection, output).await
        }
    }
}
