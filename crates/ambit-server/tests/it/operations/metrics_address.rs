//! Where `/metrics` is, and where it is not.

use tokio::net::TcpStream;

use super::running::{Running, Wire, soon};

async fn get(address: std::net::SocketAddr, path: &str) -> (u16, String) {
    let mut wire = Wire(soon(TcpStream::connect(address)).await.expect("a connection"));
    wire.send(format!("GET {path} HTTP/1.1\r\nHost: as.example\r\n\r\n")).await;
    let answer = wire.answer().await;
    (answer.status, answer.text)
}

#[tokio::test]
async fn metrics_have_an_address_of_their_own_and_nothing_else_is_there() {
    let server = Running::with("[metrics]\nlisten = \"127.0.0.1:9\"\n").await;
    let (status, text) = get(server.metrics, "/metrics").await;
    assert_eq!(status, 200);
    assert!(text.contains("\nambit_invariant_violations_total 0\n"), "{text}");
    for path in ["/", "/healthz", "/connect/jwks", "/api/v1/admin/partners", "/metrics/"] {
        assert_eq!(get(server.metrics, path).await.0, 404, "{path}");
    }
    assert_eq!(get(server.address, "/metrics").await.0, 404);
    assert_eq!(get(server.address, "/healthz").await.0, 200);
}
