//! Walks: requests that follow from one another, as those of a browser and its application do.
//!
//! Where a request has `{name}`, what an earlier answer said is put: a code, a cookie, the path of a page.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::http::{self, Request};
use crate::{Failure, answer};

/// One request, and what its answer is to be.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Step {
    said: Said,
    status: u16,
    takes: Vec<Take>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
enum Said {
    /// As it is sent.
    Text(String),
    WithSlots(Request),
}

/// What is taken from an answer: the text between two others.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Take {
    name: String,
    after: String,
    until: String,
}

/// What was taken so far.
pub(crate) type Slots = BTreeMap<String, String>;

/// What a client does with its connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Plan {
    /// What each connection does once, before the clock starts.
    pub(crate) before: Vec<Step>,
    /// The walks, begun in turn by whichever connection is free. Each counts as one answer.
    pub(crate) walks: Vec<Vec<Step>>,
    /// At most so many walks a second, of all connections together; as many as there can be where nothing is said.
    pub(crate) walks_per_sec: Option<f64>,
    /// What others do meanwhile.
    pub(crate) beside: Option<Beside>,
}

/// What others do meanwhile, as fast as they can. Nobody looks how long it takes them.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Beside {
    pub(crate) connections: u16,
    pub(crate) walk: Vec<Step>,
}

impl From<Vec<Request>> for Plan {
    /// Requests that need nothing of each other, answered 200.
    fn from(requests: Vec<Request>) -> Self {
        Self::over_and_over(requests.iter().map(|request| vec![Step::fixed(request)]).collect())
    }
}

impl Plan {
    pub(crate) const fn over_and_over(walks: Vec<Vec<Step>>) -> Self {
        Self { before: Vec::new(), walks, walks_per_sec: None, beside: None }
    }
}

impl Step {
    /// A request as it stands, answered 200.
    fn fixed(request: &Request) -> Self {
        Self { said: Said::Text(request.to_text()), status: 200, takes: Vec::new() }
    }

    /// A request with slots, and the status of its answer.
    pub(crate) const fn new(request: Request, status: u16) -> Self {
        Self { said: Said::WithSlots(request), status, takes: Vec::new() }
    }

    /// Takes what stands in the answer after the one text and before the other.
    pub(crate) fn take(mut self, name: &str, after: &str, until: &str) -> Self {
        self.takes.push(Take { name: name.to_owned(), after: after.to_owned(), until: until.to_owned() });
        self
    }

    /// Writes the request down as it is sent.
    pub(crate) fn write(&self, slots: &Slots, to: &mut Vec<u8>) {
        to.clear();
        match &self.said {
            Said::Text(text) => to.extend(text.as_bytes()),
            Said::WithSlots(request) => to.extend(request.with(slots).to_text().as_bytes()),
        }
    }

    /// Looks at an answer that has arrived whole, and keeps what those that follow need.
    pub(crate) fn receive(&self, status: u16, octets: &[u8], slots: &mut Slots) -> Result<(), Failure> {
        if status != self.status {
            return Err(format!("{} was asked for, not {}", self.status, String::from_utf8_lossy(octets)).into());
        }
        if self.takes.is_empty() {
            return Ok(());
        }
        let text = std::str::from_utf8(octets)?;
        for Take { name, after, until } in &self.takes {
            let found = text.split_once(after.as_str()).and_then(|(_, rest)| rest.split_once(until.as_str()));
            let (value, _) = found.ok_or_else(|| format!("nothing after {after:?} in {text}"))?;
            slots.insert(name.clone(), value.to_owned());
        }
        Ok(())
    }
}

/// Takes a walk once, to prepare what is measured.
pub(crate) fn go(to: SocketAddr, steps: &[Step], slots: &mut Slots) -> Result<(), Failure> {
    let mut text = Vec::new();
    for step in steps {
        step.write(slots, &mut text);
        let octets = http::exchange(to, &text)?;
        let status = answer::parse(&octets)?.ok_or("half an answer")?.status;
        step.receive(status, &octets, slots)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_answer_says_goes_into_the_next_request() {
        let first = Step::new(Request::get("/a"), 303).take("code", "code=", "&");
        let second = Step::new(Request::form("/b", &[("code", "{code}")]), 200);
        let mut slots = Slots::new();
        first.receive(303, b"Location: /cb?code=abc&state=s", &mut slots).unwrap();
        let mut text = Vec::new();
        second.write(&slots, &mut text);
        let text = String::from_utf8(text).unwrap();
        assert!(text.ends_with("Content-Length: 8\r\n\r\ncode=abc"), "{text}");
        assert!(first.receive(200, b"code=abc&", &mut slots).is_err());
        assert!(first.receive(303, b"Location: /cb?error=x", &mut slots).is_err());
    }
}
