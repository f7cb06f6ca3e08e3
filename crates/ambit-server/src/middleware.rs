//! (temporary)
use ambit_protocol::trace::TraceId;
use std::net::IpAddr;
use tokio::time::Instant;

#[derive(Debug, Clone, Copy)]
pub struct RequestContext {
    pub trace_id: TraceId,
    pub client_address: IpAddr,
    pub arrived: Instant,
}

#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub actor: Option<String>,
    pub tenant: Option<String>,
    pub outcome: &'static str,
    pub reason: Option<&'static str>,
}

pub async fn context(
    axum::extract::State(app): axum::extract::State<crate::state::App>,
    mut request: axum::extract::Request,
    next: axum::middleware::Next,
) -> axum::response::Response {
    let trace_id = crate::trace::generate(app.clock.now(), &*app.entropy);
    request.extensions_mut().insert(RequestContext {
        trace_id,
        client_address: IpAddr::from([127, 0, 0, 1]),
        arrived: Instant::now(),
    });
    next.run(request).await
}
