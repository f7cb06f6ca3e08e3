//! Explain, for administrators: any application within reach (scopes.md §6).

use ambit_core::page;
use ambit_protocol::explain::{Explanation, Question};

use super::{Admin, Answered, Body, Done, NamesInBody, Plain, Stop};
use crate::explain::{Asker, Unexplained, explain};

pub async fn ask(admin: Admin, _: NamesInBody, Body(question): Body<Question>) -> Answered<Plain<Explanation>> {
    Done::new(Plain(explain(admin.app(), &Asker::Administrator(admin.reach()), &question).await?))
}

impl From<Unexplained> for Stop {
    fn from(unexplained: Unexplained) -> Self {
        match unexplained {
            Unexplained::NotFound(detail) => Self::bad(&page::NOT_FOUND, detail),
            Unexplained::Invalid { pointer, message } => Self::invalid(pointer, message),
            Unexplained::Store(error) => error.into(),
        }
    }
}
