//! The tools. Each answers with a document and announces its schema. What is not as a tool's schema has it is refused with the
//! member that is wrong, and never with its value, which may be a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ambit_knowledge::diagnose::Statement;
use ambit_knowledge::entry::{Category, Product};
use ambit_knowledge::input::FactKind;
use ambit_knowledge::{Answer, Entry, EntryId, Input, Language, Outcome, redact};
use rmcp::handler::server::common::FromContextPart;
use rmcp::handler::server::router::tool::ToolRouter;
use rmcp::handler::server::tool::{ToolCallContext, schema_for_input};
use rmcp::model::{ErrorData, Implementation, JsonObject, ServerCapabilities, ServerConfig};
use rmcp::{Json, ServerHandler, tool, tool_handler, tool_router};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::report::Reports;
use crate::commands::kb::{Loaded, Shown, unknown};

/// What the tools answer from.
#[derive(Debug, Clone)]
pub struct Tools {
    inside: Arc<Inside>,
    router: ToolRouter<Self>,
}

#[derive(Debug)]
struct Inside {
    knowledge: Loaded,
    reports: Option<Reports>,
}

/// A text to be matched.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MatchError {
    /// An error message, an HTTP answer, a header, a JSON body, log lines, a stack trace, a token. 1 MiB of it is read. Secrets are
    /// taken out before anything looks at it.
    text: String,
    /// The language of the answer, as far as entries have it.
    #[serde(default = "english")]
    language: Language,
}

/// The name of an entry.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GetError {
    /// Its id or an alias, such as `api/invalid-token`.
    id: String,
}

/// Words to look for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SearchErrors {
    /// Words of the id, the code, the title, the tags, the message or the cause.
    query: String,
    /// How many entries at most.
    #[serde(default = "ten")]
    #[schemars(range(min = 1, max = 50))]
    limit: usize,
    /// The language of titles, as far as entries have it.
    #[serde(default = "english")]
    language: Language,
}

/// An HTTP exchange: as a transcript, or taken apart.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Diagnose {
    /// The output of `curl -v`, a HAR file, or request and answer as they went over the wire.
    #[serde(default)]
    transcript: Option<String>,
    /// Or the request.
    #[serde(default)]
    request: Option<Request>,
    /// And the answer.
    #[serde(default)]
    response: Option<Response>,
    /// The language of the answer, as far as entries have it.
    #[serde(default = "english")]
    language: Language,
}

/// A request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Request {
    /// Its method.
    method: String,
    /// Its URL.
    url: String,
    /// Its headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Its body.
    #[serde(default)]
    body: String,
}

/// An answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Response {
    /// Its status.
    #[schemars(range(min = 100, max = 599))]
    status: u16,
    /// Its headers.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Its body.
    #[serde(default)]
    body: String,
}

/// Whether an entry helped.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ReportOutcome {
    /// Its id or an alias.
    id: String,
    /// Whether what it advises made the error go away.
    helped: bool,
}

/// The entries that were found, best first.
#[derive(Debug, Serialize, JsonSchema)]
struct Found {
    entries: Vec<FoundEntry>,
}

/// An entry in few words.
#[derive(Debug, Serialize, JsonSchema)]
struct FoundEntry {
    id: EntryId,
    product: Product,
    category: Category,
    error_code: Option<String>,
    title: Statement,
}

/// What an exchange is about.
#[derive(Debug, Serialize, JsonSchema)]
struct Diagnosis {
    /// Which entries, and why.
    answer: Answer,
    /// The entry itself, with everything that helps, where there is one.
    entry: Option<Shown>,
    /// Scopes that the challenge asks for and a token in the exchange does not carry. The token was not verified.
    missing_scopes: Vec<String>,
}

/// That an outcome was reported.
#[derive(Debug, Serialize, JsonSchema)]
struct Reported {
    id: EntryId,
    helped: bool,
}

impl Tools {
    pub fn new(knowledge: Loaded, reports: Option<Reports>) -> Self {
        Self { inside: Arc::new(Inside { knowledge, reports }), router: Self::tool_router() }
    }

    /// Takes a text apart and explains it, beside the thread that speaks: a MiB takes its time.
    async fn explained(&self, text: String, language: Language) -> Result<(Input, Answer), ErrorData> {
        let inside = Arc::clone(&self.inside);
        let work = move || {
            let input = Input::take_apart(text.as_bytes());
            let answer = inside.knowledge.explain(&input, language);
            (input, answer)
        };
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| ErrorData::internal_error("the text could not be read", None))
    }

    fn find(&self, id: &str) -> Result<&Entry, String> {
        self.inside.knowledge.corpus().find(id).ok_or_else(|| unknown(&self.inside.knowledge, id))
    }
}

#[tool_router]
impl Tools {
    #[tool(
        description = "Says what an error message, HTTP answer, header, log line, stack trace or token is about: one entry, several that as much speaks for, or none with the nearest; and which part matched which rule.",
        input_schema = input::<MatchError>(),
        annotations(title = "Match an error", read_only_hint = true, open_world_hint = false)
    )]
    async fn match_error(&self, asked: Arguments<MatchError>) -> Result<Json<Answer>, ErrorData> {
        let MatchError { text, language } = asked.0;
        let (_, answer) = self.explained(text, language).await?;
        Ok(Json(answer))
    }

    #[tool(
        description = "The whole entry of an error: what helps, why it happens, what does not help, what it is mistaken for, evidence and confidence, in every language that it has.",
        input_schema = input::<GetError>(),
        annotations(title = "Get an error", read_only_hint = true, open_world_hint = false)
    )]
    fn get_error(&self, asked: Arguments<GetError>) -> Result<Json<Shown>, String> {
        self.find(&asked.0.id).map(|entry| Json(Shown::new(entry)))
    }

    #[tool(
        description = "Finds entries by words, for looking around; for a message that somebody has in hand, match_error knows more.",
        input_schema = input::<SearchErrors>(),
        annotations(title = "Search errors", read_only_hint = true, open_world_hint = false)
    )]
    fn search_errors(&self, asked: Arguments<SearchErrors>) -> Json<Found> {
        let SearchErrors { query, limit, language } = asked.0;
        let found = self.inside.knowledge.search(&query, limit.min(MAX_FOUND));
        let entries = found.into_iter().map(|entry| FoundEntry {
            id: entry.id.clone(),
            product: entry.product,
            category: entry.category,
            error_code: entry.error_code.clone(),
            title: Statement::of(&entry.title, language),
        });
        Json(Found { entries: entries.collect() })
    }

    #[tool(
        description = "Diagnoses a whole HTTP exchange, as a transcript or as request and response: which error it is, the entry with every fix, and which scopes the token lacks that the API asks for.",
        input_schema = input::<Diagnose>(),
        annotations(title = "Diagnose an exchange", read_only_hint = true, open_world_hint = false)
    )]
    async fn diagnose(&self, asked: Arguments<Diagnose>) -> Result<Json<Diagnosis>, ErrorData> {
        let language = asked.0.language;
        let text = asked.0.text()?;
        let (input, answer) = self.explained(text, language).await?;
        let one = answer.entries.first().filter(|_| answer.outcome == Outcome::Match);
        let entry = one.and_then(|one| self.inside.knowledge.corpus().find(one.id.as_str())).map(Shown::new);
        Ok(Json(Diagnosis { missing_scopes: missing_scopes(&input), answer, entry }))
    }

    #[tool(
        description = "Reports whether the advice of an entry helped, to the Ambit server that this one was started for. Call it once for an error, when it is known.",
        input_schema = input::<ReportOutcome>(),
        annotations(title = "Report an outcome", read_only_hint = false, destructive_hint = false, open_world_hint = true)
    )]
    async fn report_outcome(&self, asked: Arguments<ReportOutcome>) -> Result<Json<Reported>, String> {
        let ReportOutcome { id, helped } = asked.0;
        let id = self.find(&id)?.id.clone();
        let Some(reports) = &self.inside.reports else {
            return Err("there is nowhere to report to: this server was started without --server".to_owned());
        };
        reports.report(&id, helped).await?;
        Ok(Json(Reported { id, helped }))
    }
}

#[tool_handler(router = self.router)]
impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("ambit", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }
}

impl Diagnose {
    /// The exchange as it went over the wire.
    fn text(self) -> Result<String, ErrorData> {
        let wrong = |why: &'static str| Err(ErrorData::invalid_params(why, None));
        match (self.transcript, self.request, self.response) {
            (Some(transcript), None, None) => Ok(transcript),
            (None, None, None) => wrong("there is no exchange: give transcript, or request and response"),
            (None, request, response) => {
                let request =
                    request.map(|it| written(&format!("{} {} HTTP/1.1", it.method, it.url), &it.headers, &it.body));
                let response = response.map(|it| written(&format!("HTTP/1.1 {}", it.status), &it.headers, &it.body));
                Ok([request, response].into_iter().flatten().collect::<Vec<_>>().join("\n\n"))
            }
            (Some(_), ..) => wrong("give transcript, or request and response, and not both"),
        }
    }
}

/// A message of HTTP/1.1.
fn written(start: &str, headers: &BTreeMap<String, String>, body: &str) -> String {
    let mut lines = vec![start.to_owned()];
    lines.extend(headers.iter().map(|(name, value)| format!("{name}: {value}")));
    format!("{}\n\n{body}", lines.join("\n"))
}

/// What a challenge asks for beyond what any of the tokens carries. Without a token that says, nothing is known to be missing.
fn missing_scopes(input: &Input) -> Vec<String> {
    let claims = || input.jwts().iter().filter_map(|jwt| jwt.claims.get("scope").or_else(|| jwt.claims.get("scp")));
    if claims().next().is_none() {
        return vec![];
    }
    let carried: BTreeSet<&str> = claims().flat_map(names).collect();
    let needed = input.values(FactKind::NeededScope).flat_map(|fact| fact.value.split_ascii_whitespace());
    let missing: BTreeSet<&str> = needed.filter(|scope| !carried.contains(scope)).collect();
    missing.into_iter().map(str::to_owned).collect()
}

/// The names of a `scope` claim (RFC 9068 §2.2.3), or of a list, as other issuers have it.
fn names(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(names) => names.split_ascii_whitespace().collect(),
        Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
        _ => vec![],
    }
}

/// The arguments of a call.
///
/// The SDK's own extractor refuses with what serde says, and serde quotes the value that it did not expect.
struct Arguments<T>(T);

impl<T: DeserializeOwned> FromContextPart<ToolCallContext<'_, Tools>> for Arguments<T> {
    fn from_context_part(context: &mut ToolCallContext<'_, Tools>) -> Result<Self, ErrorData> {
        let arguments = Value::Object(context.arguments.take().unwrap_or_default());
        serde_path_to_error::deserialize(arguments).map(Self).map_err(|error| {
            let place = redact::redact(&error.path().to_string());
            let place: String = place.chars().take(MAX_PLACE).collect();
            ErrorData::invalid_params(format!("the arguments are not as inputSchema has them, at '{place}'"), None)
        })
    }
}

/// The schema of a tool's arguments.
fn input<T: JsonSchema + 'static>() -> Arc<JsonObject> {
    // A test lists the tools, and so makes all of them.
    schema_for_input::<T>().expect("arguments are an object")
}

const fn english() -> Language {
    Language::En
}

const fn ten() -> usize {
    10
}

const INSTRUCTIONS: &str = "What errors of OAuth and OpenID Connect mean and what helps. Give match_error whatever text there is, or diagnose a whole \
    HTTP exchange; get_error has everything about an entry. An answer that is ambiguous or no_match is an answer: say so, and do not guess. \
    Afterwards tell report_outcome whether it helped.";
const MAX_FOUND: usize = 50;
/// Characters of the place in the arguments.
const MAX_PLACE: usize = 100;
