//! One request at a time, as bytes: to prepare what is measured, and to write down what the client will send.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;

use crate::{Failure, answer};

/// An HTTP/1.1 request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    head: String,
    body: String,
}

impl Request {
    pub(crate) fn get(path: &str) -> Self {
        Self { head: format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n"), body: String::new() }
    }

    /// A form.
    pub(crate) fn form(path: &str, fields: &[(&str, &str)]) -> Self {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        Self::send("POST", path, "application/x-www-form-urlencoded", body)
    }

    pub(crate) fn json(method: &str, path: &str, body: &Value) -> Self {
        Self::send(method, path, "application/json", body.to_string())
    }

    fn send(method: &str, path: &str, content_type: &str, body: String) -> Self {
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n");
        Self { head, body }
    }

    /// Client authentication (RFC 6749 §2.3.1; identifiers and secrets here need no escaping).
    pub(crate) fn basic(self, client_id: &str, secret: &str) -> Self {
        let credentials = BASE64_STANDARD.encode(format!("{client_id}:{secret}"));
        self.authorization("Basic", &credentials)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.authorization("Bearer", token)
    }

    fn authorization(self, scheme: &str, value: &str) -> Self {
        Self { head: format!("{}Authorization: {scheme} {value}\r\n", self.head), ..self }
    }

    pub(crate) fn to_text(&self) -> String {
        let length = match self.body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        format!("{}{length}\r\n{}", self.head, self.body)
    }

    /// Sends it once, and gives status and body.
    pub(crate) fn call(&self, to: SocketAddr) -> Result<(u16, String), Failure> {
        let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(self.to_text().as_bytes())?;
        let mut received = Vec::new();
        let mut chunk = [0; 16 * 1024];
        loop {
            if let Some(answer) = answer::parse(&received)? {
                return Ok((answer.status, String::from_utf8(answer.body.to_vec())?));
            }
            match stream.read(&mut chunk)? {
                0 => return Err("the connection was closed before the answer was there".into()),
                count => received.extend_from_slice(&chunk[..count]),
            }
        }
    }

    /// Sends it once; anything but success is a failure that shows the answer.
    pub(crate) fn expect_json(&self, to: SocketAddr) -> Result<Value, Failure> {
        let (status, body) = self.call(to)?;
        if !(200..300).contains(&status) {
            let first_line = self.head.lines().next().unwrap_or_default();
            return Err(format!("{first_line}: {status} {body}").into());
        }
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_str(&body)? })
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
