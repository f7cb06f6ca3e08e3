//! Lists: `limit`, `cursor` and the filters a list has. What is unknown, repeated or out of range is refused by name.

use ambit_core::registry::RegistryError;
use ambit_core::store::Filter;
use ambit_core::store::noun::{self, Noun};
use ambit_protocol::admin::Page;
use ambit_protocol::problem::FieldError;
use axum::extract::FromRequestParts;
use http::request::Parts;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::answer::{Done, Plain, Stop};
use super::call::Admin;

/// What a list was asked for.
#[derive(Debug)]
pub struct List<F = NoFilters> {
    /// At most so many on a page.
    pub limit: u32,
    /// The filters.
    pub filters: F,
    cursor: Option<String>,
    /// The filters as they were sent: a cursor is good for these only.
    sent: String,
}

/// A list without filters.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoFilters {}

/// Query parameters of something that is no list.
#[derive(Debug)]
pub struct Query<F>(pub F);

impl<F> List<F> {
    /// Where the page begins, as [`List::page`] said before.
    ///
    /// # Errors
    /// A cursor of another caller, another list or other filters, or none at all.
    pub fn after(&self, admin: &Admin) -> Result<Option<String>, Stop> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let position = admin.cursors()?.open(&self.binding(admin), cursor);
        position.map(Some).map_err(|error| Stop::invalid("?cursor", error.to_string()))
    }

    /// A page made of one thing more than asked for, if there is one more: its presence says that there is a next page.
    ///
    /// # Errors
    /// None but a failure of the crypto library.
    pub fn page<T>(&self, admin: &Admin, mut items: Vec<T>, position: impl Fn(&T) -> String) -> Result<Page<T>, Stop> {
        let limit = self.limit as usize;
        let is_whole = self.cursor.is_none() && items.len() <= limit;
        let total = is_whole.then_some(items.len() as u64);
        let has_more = items.len() > limit;
        items.truncate(limit);
        let last = items.last().filter(|_| has_more).map(position);
        let cursor = match last {
            Some(position) => Some(admin.cursors()?.seal(&self.binding(admin), &position)),
            None => None,
        };
        Ok(Page { items, cursor, total })
    }

    fn binding<'a>(&'a self, admin: &'a Admin) -> [&'a str; 4] {
        [admin.actor(), admin.reach_text(), admin.path(), &self.sent]
    }
}

impl Admin {
    /// A page of things within reach that pass a filter.
    ///
    /// # Errors
    /// Those of the cursor and the store.
    pub async fn list<N: Noun, F>(&self, list: &List<F>, filter: Filter<'_>) -> Result<Done<Plain<Page<N>>>, Stop> {
        Done::new(Plain(self.page(list, filter).await?))
    }

    /// The same, for handlers that do not show everything of a thing to everybody.
    ///
    /// # Errors
    /// As for [`Admin::list`].
    pub async fn page<N: Noun, F>(&self, list: &List<F>, filter: Filter<'_>) -> Result<Page<N>, Stop> {
        self.page_of(list, filter, |_: &N| true).await
    }

    /// The same, of the things for which something holds that the store does not know how to ask.
    ///
    /// # Errors
    /// As for [`Admin::list`].
    pub async fn page_of<N: Noun, F>(
        &self,
        list: &List<F>,
        filter: Filter<'_>,
        holds: impl Fn(&N) -> bool,
    ) -> Result<Page<N>, Stop> {
        let mut after = list.after(self)?;
        let wanted = list.limit as usize + 1;
        let mut found = vec![];
        loop {
            let filter = Filter { after: after.as_deref(), limit: Some(list.limit + 1), ..filter };
            let items: Vec<N> = noun::list(self.store(), &filter, self.reach()).await?;
            let is_last = items.len() < wanted;
            after = items.last().map(Noun::id);
            found.extend(items.into_iter().filter(&holds).take(wanted - found.len()));
            if is_last || found.len() == wanted {
                return list.page(self, found, Noun::id);
            }
        }
    }
}

impl<S: Sync, F: DeserializeOwned> FromRequestParts<S> for List<F> {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Stop> {
        let (mut members, mut faults) = members(parts.uri.query().unwrap_or_default());
        let cursor = match members.remove("cursor") {
            Some(Value::String(cursor)) => Some(cursor),
            _ => None,
        };
        let limit = match members.remove("limit") {
            None => DEFAULT_LIMIT,
            Some(limit) => {
                limit.as_str().and_then(digits).filter(|limit| (1..=MAX_LIMIT).contains(limit)).unwrap_or_else(|| {
                    faults.push(fault("limit", &format!("must be 1 to {MAX_LIMIT}")));
                    DEFAULT_LIMIT
                })
            }
        };
        let sent = Value::Object(members.clone()).to_string();
        let filters = read(members, faults)?;
        Ok(Self { limit, filters, cursor, sent })
    }
}

impl<S: Sync, F: DeserializeOwned> FromRequestParts<S> for Query<F> {
    type Rejection = Stop;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Stop> {
        let (members, faults) = members(parts.uri.query().unwrap_or_default());
        read(members, faults).map(Self)
    }
}

/// Digits only: `u32::from_str` would also take a sign.
fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn read<F: DeserializeOwned>(members: Map<String, Value>, mut faults: Vec<FieldError>) -> Result<F, Stop> {
    match serde_path_to_error::deserialize::<_, F>(Value::Object(members)) {
        Ok(filters) if faults.is_empty() => return Ok(filters),
        Ok(_) => {}
        Err(error) => {
            let path = error.path().to_string();
            let message = error.into_inner().to_string();
            let unknown = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
            faults.push(match unknown {
                Some((name, _)) => fault(name, "is unknown here"),
                None => fault(&path, &message),
            });
        }
    }
    Err(RegistryError::Invalid(faults).into())
}

/// The parameters of a query, each once. An empty value is an absent one, as in a form (RFC 6749 §3.1 has it so for ours).
fn members(query: &str) -> (Map<String, Value>, Vec<FieldError>) {
    let mut members = Map::new();
    let mut faults = vec![];
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()).take(MAX_PARAMETERS) {
        if members.contains_key(name.as_ref()) {
            faults.push(fault(&name, "is there twice"));
        } else if !value.is_empty() {
            members.insert(name.into_owned(), Value::from(value.into_owned()));
        }
    }
    (members, faults)
}

/// A fault of a query parameter: its place is its name behind a question mark.
fn fault(name: &str, message: &str) -> FieldError {
    FieldError { pointer: format!("?{name}"), message: message.to_owned() }
}

/// Filters of a list that belongs to owners.
#[derive(Debug, Default, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OwnerFilters {
    /// What this tenant owns only.
    pub tenant_id: Option<ambit_protocol::id::TenantId>,
    /// What this partner, or a tenant of it, owns only.
    pub partner_id: Option<ambit_protocol::id::PartnerId>,
    /// Whose name in URLs and tokens contains this text.
    pub q: Option<String>,
}

impl OwnerFilters {
    /// Whether a name contains the text that is looked for, whatever the case of its letters.
    pub fn finds(&self, name: &str) -> bool {
        self.q.as_ref().is_none_or(|text| name.to_lowercase().contains(&text.to_lowercase()))
    }

    /// As the store has it.
    pub fn filter(&self) -> Filter<'_> {
        Filter { tenant: self.tenant_id, partner: self.partner_id, contains: self.q.as_deref(), ..Filter::default() }
    }
}

pub(super) const DEFAULT_LIMIT: u32 = 50;
pub(super) const MAX_LIMIT: u32 = 200;

/// More than any list has: the rest is not looked at, and the unknown among the first are refused.
const MAX_PARAMETERS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn list(query: &str) -> Result<List<OwnerFilters>, Vec<String>> {
        let request = http::Request::builder().uri(format!("/x?{query}")).body(()).expect("a request");
        let (mut parts, ()) = request.into_parts();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        let future = std::pin::pin!(List::from_request_parts(&mut parts, &()));
        match future.poll(&mut context) {
            std::task::Poll::Ready(Ok(list)) => Ok(list),
            std::task::Poll::Ready(Err(Stop::Registry(RegistryError::Invalid(errors)))) => {
                Err(errors.into_iter().map(|error| error.pointer).collect())
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_limit_is_1_to_200_and_50_by_default() {
        assert_eq!(list("").unwrap().limit, 50);
        assert_eq!(list("limit=").unwrap().limit, 50);
        for (text, limit) in [("1", 1), ("199", 199), ("200", 200)] {
            assert_eq!(list(&format!("limit={text}")).unwrap().limit, limit);
        }
        for bad in ["0", "201", "-1", "%2B5", "1e3", "NaN", "1000000000", "99999999999999999999", "five", "5.0"] {
            assert_eq!(list(&format!("limit={bad}")).unwrap_err(), ["?limit"], "{bad}");
        }
    }

    #[test]
    fn what_is_unknown_or_repeated_is_refused_by_name() {
        assert_eq!(list("page_size=5").unwrap_err(), ["?page_size"]);
        assert_eq!(list("limit=5&limit=6").unwrap_err(), ["?limit"]);
        assert_eq!(list("tenant_id=x").unwrap_err(), ["?tenant_id"]);
        assert_eq!(list("limit=0&sort=name").unwrap_err(), ["?limit", "?sort"]);
    }
}
