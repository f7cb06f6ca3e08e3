//! `ambit mcp`: the error knowledge base as tools of the Model Context Protocol, over standard input and output or over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use reqwest::Url;
use rmcp::ServiceExt as _;
use rmcp::service::ServerInitializeError;

use self::report::Reports;
use self::tools::Tools;
use super::kb;
use crate::output::Failure;

mod http;
mod report;
mod tools;

/// Serve the error knowledge base by the Model Context Protocol.
#[derive(Debug, Args)]
pub struct Mcp {
    /// Serve streamable HTTP at this address, path /mcp, in place of standard input and output. Beyond loopback, --issuer is needed
    /// too.
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Let nobody in without an access token of this issuer, for this server, that carries errors:read.
    #[arg(long, value_name = "URL", requires = "listen")]
    issuer: Option<String>,
    /// The URL that clients call this server by, where it is not that address and path: what tokens for it have in `aud`.
    #[arg(long, value_name = "URL", requires = "listen")]
    public_url: Option<Url>,
    /// The Ambit server that is told whether an entry helped.
    #[arg(long, value_name = "URL")]
    server: Option<Url>,
    /// Entries of one's own in place of those that came with the program: a folder for each domain, a file for each entry.
    #[arg(long, value_name = "FOLDER")]
    entries: Option<PathBuf>,
}

impl Mcp {
    pub async fn run(self) -> Result<(), Failure> {
        let reports = self.server.map(Reports::to).transpose()?;
        let tools = Tools::new(kb::knowledge(self.entries.as_deref())?, reports);
        let Some(address) = self.listen else { return over_standard_input(tools).await };
        let access = http::Access::of(address, self.issuer, self.public_url)?;
        http::serve(tools, address, access).await
    }
}

/// Until the other side closes its end.
async fn over_standard_input(tools: Tools) -> Result<(), Failure> {
    let serving = match tools.serve(rmcp::transport::stdio()).await {
        Ok(serving) => serving,
        Err(ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        // The error has the message that came in its place, which may hold anything.
        Err(_) => {
            return Err(Failure::usage(
                "what came on standard input does not begin a session of the Model Context Protocol",
            ));
        }
    };
    serving.waiting().await.map_err(|error| Failure::internal(error.to_string()))?;
    Ok(())
}
