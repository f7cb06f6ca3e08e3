//! Requests by route, method and status: a row for each line of the route table, made once. Counting one takes no lock and makes
//! no copy.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::http::Method;
use hashbrown::HashMap;

use super::families::{REQUEST_SECONDS, REQUESTS};
use super::histogram::Histogram;
use super::text::Text;

/// The requests of all routes.
pub(super) struct Routes {
    rows: Vec<Row>,
    paths: HashMap<String, Vec<(Method, usize)>>,
}

/// One route with one method.
struct Row {
    path: String,
    method: String,
    latency: Histogram<BOUNDS_LEN>,
    statuses: [AtomicU64; STATUSES.len() + 1],
}

impl Routes {
    /// For the routes of a table: each path with each method.
    pub(super) fn new(table: impl IntoIterator<Item = (String, Method)>) -> Self {
        let mut routes = Self { rows: vec![Row::new(NO_ROUTE, OTHER_METHOD)], paths: HashMap::new() };
        for (path, method) in table {
            let row = routes.rows.len();
            routes.rows.push(Row::new(&path, method.as_str()));
            let methods = routes.paths.entry(path).or_default();
            // A GET route answers HEAD as well.
            if method == Method::GET {
                methods.push((Method::HEAD, row));
            }
            methods.push((method, row));
        }
        routes
    }

    /// Counts a request. What met no route, or a route with another method, shares one row.
    pub(super) fn add(&self, route: &str, method: &Method, status: u16, took: Duration) {
        let methods = self.paths.get(route);
        let row = methods.and_then(|methods| methods.iter().find(|(it, _)| it == method)).map_or(0, |(_, row)| *row);
        let row = &self.rows[row];
        row.latency.add(took);
        let place = STATUSES.iter().position(|it| *it == status).unwrap_or(STATUSES.len());
        row.statuses[place].fetch_add(1, Ordering::Relaxed);
    }

    /// Writes the rows that something came to.
    pub(super) fn render(&self, text: &mut Text) {
        let mut samples = text.family(&REQUESTS);
        for row in &self.rows {
            let names = STATUSES.iter().map(u16::to_string).chain(["other".to_owned()]);
            for (count, status) in row.statuses.iter().zip(names) {
                let count = count.load(Ordering::Relaxed);
                if count > 0 {
                    samples.add(&[&row.path, &row.method, &status], count);
                }
            }
        }
        let mut samples = text.family(&REQUEST_SECONDS);
        for row in &self.rows {
            let counted = row.latency.counted();
            if counted.count > 0 {
                samples.add_histogram(&[&row.path, &row.method], &counted);
            }
        }
    }
}

impl Row {
    fn new(path: &str, method: &str) -> Self {
        Self {
            path: path.to_owned(),
            method: method.to_owned(),
            latency: Histogram::new(&BOUNDS),
            statuses: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

const NO_ROUTE: &str = "-";
const OTHER_METHOD: &str = "-";

/// Every status that the server answers with; another one would count as `other`.
const STATUSES: [u16; 22] =
    [200, 201, 204, 304, 400, 401, 402, 403, 404, 405, 406, 408, 409, 411, 412, 413, 414, 415, 422, 429, 500, 503];

const BOUNDS_LEN: usize = 12;
static BOUNDS: [Duration; BOUNDS_LEN] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(50),
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
];
