//! One request at a time, as bytes: to prepare what is measured, and to write down what the client will send.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::walk::Slots;
use crate::{Failure, answer};

/// An HTTP/1.1 request.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
        self.header("Authorization", &format!("{scheme} {value}"))
    }

    pub(crate) fn header(self, name: &str, value: &str) -> Self {
        Self { head: format!("{}{name}: {value}\r\n", self.head), ..self }
    }

    /// With what was taken from earlier answers in its `{slots}`: names of them in a form are escaped, values need no escaping.
    pub(crate) fn with(&self, slots: &Slots) -> Self {
        let (mut head, mut body) = (self.head.clone(), self.body.clone());
        for (name, value) in slots {
            head = head.replace(&format!("{{{name}}}"), value);
            body = body.replace(&format!("%7B{name}%7D"), value);
        }
        Self { head, body }
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
        let octets = exchange(to, self.to_text().as_bytes())?;
        let answer = answer::parse(&octets)?.ok_or("half an answer")?;
        Ok((answer.status, String::from_utf8(answer.body.to_vec())?))
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

/// Sends these octets on a connection of their own, and gives the whole answer.
pub(crate) fn exchange(to: SocketAddr, octets: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut stream = TcpStream::connect_timeout(&to, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(octets)?;
    let mut received = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        if answer::parse(&received)?.is_some() {
            return Ok(received);
        }
        match stream.read(&mut chunk)? {
            0 => return Err("the connection was closed before the answer was there".into()),
            count => received.extend_from_slice(&chunk[..count]),
        }
    }
}

const PATIENCE: Duration = Duration::from_secs(30);
