//! What was asked for, what may be had, what is in the token, and what is needed.
//!
//! Ambit is asked: it tells a client what it may ask for and why it gets what it gets. Of another server the standard shows
//! what was asked for and what came of it, and no more.

use ambit_protocol::explain::{Explanation, Link, LinkReport, Question};
use reqwest::Url;
use serde_json::Value;

use super::again::Change;
use super::code::Code;
use super::credentials::Credentials;
use super::discovery::{Ambit, Method};
use super::pasted::is_harmless;
use super::product::{ELSEWHERE, Product};
use super::report::{Finding, broken};
use super::token::Carried;
use super::web::{Said, Web};

/// What the client asks for, and the call needs.
#[derive(Debug)]
pub struct Wanted<'a> {
    pub scope: Option<&'a str>,
    pub tenant: Option<&'a str>,
    pub unit: Option<&'a str>,
    pub resource: &'a [String],
    /// Any of these would do.
    pub needs: &'a [String],
    /// The token was there before: what was asked for is not known.
    pub is_kept: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Got<'a> {
    /// `scope` of the answer, whose absence means that all was granted (RFC 6749 §5.1).
    pub answered: Option<&'a str>,
    pub carried: Option<&'a Carried>,
    /// `dropped_scopes` of the answer.
    pub dropped: &'a [Value],
}

/// An Ambit server, asked by a client about itself.
#[derive(Debug)]
pub struct Asked<'a> {
    pub web: &'a Web,
    pub ambit: &'a Ambit,
    pub credentials: &'a Credentials,
    /// By which the client authenticates, where that was found out.
    pub method: Option<Method>,
}

impl Asked<'_> {
    /// What the client may ask for, here and now; what is closed is marked.
    pub async fn allowed(&self, wanted: &Wanted<'_>) -> Result<Vec<String>, String> {
        let mut fields = vec![];
        fields.extend(wanted.tenant.map(|tenant| ("tenant", tenant.to_owned())));
        fields.extend(wanted.unit.map(|unit| ("unit", unit.to_owned())));
        let body = self.post(&self.ambit.scopes, fields).await?;
        let scopes = body.get("scopes").and_then(Value::as_array).ok_or("the answer has no scopes")?;
        let is = |scope: &Value, name: &str| scope.get(name) == Some(&Value::Bool(true));
        let shown = scopes.iter().filter_map(|scope| {
            let name = scope.get("scope")?.as_str()?;
            Some(match (is(scope, "closed"), is(scope, "needs_user")) {
                (true, _) => format!("{name} (gate closed)"),
                (_, true) => format!("{name} (for users)"),
                _ => name.to_owned(),
            })
        });
        Ok(shown.collect())
    }

    /// Why.
    pub async fn explain(&self, question: &Question) -> Result<Explanation, String> {
        let question = serde_json::to_string(question).map_err(|error| error.to_string())?;
        let body = self.post(&self.ambit.explain, vec![("question", question)]).await?;
        let explanation =
            serde_json::from_value(body).map_err(|error| format!("the explanation cannot be read: {error}"))?;
        Ok(without_harm(explanation, &self.ambit.explain))
    }

    async fn post(&self, url: &Url, fields: Vec<(&'static str, String)>) -> Result<Value, String> {
        let methods = self.method.map_or_else(|| vec![Method::Basic, Method::Post], |method| vec![method]);
        let mut refused = String::new();
        for method in methods {
            let request = self.credentials.sign(method, self.web.http().post(url.clone()), fields.clone());
            let seen = self.web.send(request).await.map_err(|unseen| format!("{url}: {unseen}"))?;
            if seen.status.is_success() {
                return seen.json().ok_or_else(|| format!("{url}: {}", seen.kind()));
            }
            refused = seen.says().words;
            // Another method may do, and nothing else makes a difference.
            if seen.status != reqwest::StatusCode::UNAUTHORIZED {
                break;
            }
        }
        Err(refused)
    }
}

/// An explanation, with no command to paste but those of our own making.
pub fn without_harm(mut explanation: Explanation, server: &Url) -> Explanation {
    for fix in &mut explanation.fix {
        if !is_harmless(&fix.command, server) {
            fix.command.clear();
        }
    }
    explanation
}

impl Wanted<'_> {
    /// The question to ask about a token that was refused, or that lacks something.
    pub fn denial(&self, token: &str, called: Option<&str>) -> Question {
        Question::Denial {
            token: token.to_owned(),
            scopes: self.needs.to_vec(),
            endpoint: None,
            resource: called.map(str::to_owned),
        }
    }

    /// The question to ask about a request that was refused.
    pub fn request(&self) -> Question {
        Question::Request {
            application: None,
            tenant: self.tenant.map(str::to_owned),
            unit: self.unit.map(str::to_owned),
            resource: self.resource.to_vec(),
            scope: self.scope.map(str::to_owned),
        }
    }

    fn asked(&self) -> String {
        match self.scope {
            _ if self.is_kept => "a token of before".to_owned(),
            Some(scope) => format!("asked for '{scope}'"),
            None => "asked for no scope by name".to_owned(),
        }
    }

    fn asks_for(&self, name: &str) -> bool {
        self.scope.is_some_and(|scope| scope.split(' ').any(|asked| asked == name))
    }

    /// What to give the doctor next time, where a link is broken.
    fn change(&self, report: &LinkReport, explanation: &Explanation) -> Change {
        let name = report.scope.clone().unwrap_or_default();
        let commands = || explanation.fix.iter().map(|fix| fix.command.as_str());
        let has_named_tenant = |command: &str| command.contains("$TENANT");
        let is_wrong_resource = report.link == Link::CarriedByGrant && !self.resource.is_empty();
        // What is printed then is what can be had in its place: the same question would get the same answer.
        let is_hopeless = match (report.link, explanation.fix.as_slice()) {
            (Link::Registered | Link::Active, [_]) => true,
            (Link::Allowed | Link::CarriedByGrant, [only]) => !only.command.contains("/connect/token"),
            _ => false,
        };
        Change {
            none_helps: is_hopeless,
            by_name: matches!(report.link, Link::AskedFor | Link::Granted),
            also: Some(name).filter(|name| !name.is_empty() && !self.asks_for(name)),
            // "It belongs to none of the resources that were named": the scope's own comes by itself.
            resource: is_wrong_resource.then(String::new),
            with_tenant: commands().any(has_named_tenant),
            new_token: true,
            ..Change::NONE
        }
    }
}

impl Got<'_> {
    fn shown(&self) -> String {
        match (self.carried, self.answered) {
            (Some(carried), _) if carried.names.is_empty() => "the token carries no scope".to_owned(),
            (Some(carried), _) if carried.claims == ["scope"] => {
                format!("the token carries '{}'", carried.names.join(" "))
            }
            (Some(carried), _) => {
                format!("the token carries '{}' (in {})", carried.names.join(" "), carried.claims.join(", "))
            }
            (None, Some(answered)) => format!("the answer grants '{answered}'"),
            (None, None) => "the answer names no scope, which means that all was granted".to_owned(),
        }
    }

    /// Whether it holds a scope, as far as the token or the answer says.
    fn holds(&self, wanted: &Wanted<'_>, name: &str) -> bool {
        match (self.carried, self.answered) {
            (Some(carried), _) if !carried.claims.is_empty() => carried.names.iter().any(|held| held == name),
            (_, Some(answered)) => answered.split(' ').any(|granted| granted == name),
            (_, None) => wanted.asks_for(name) && !wanted.is_kept,
        }
    }
}

/// A request that was refused for its scopes. Ambit says why, where it answers.
pub fn refused(
    wanted: &Wanted<'_>,
    said: &Said,
    explained: Option<&Result<Explanation, String>>,
    product: Option<&Product>,
) -> Finding {
    let finding = Finding::failed(Code::InvalidScope, format!("{}; {}", wanted.asked(), said.words))
        .with_cause(said.words.clone())
        .with_answer(said);
    let explanation = match explained {
        Some(Ok(explanation)) => explanation,
        Some(Err(why)) => return finding.and(&format!("why is not known ({why})")),
        None => {
            return finding.and("not Ambit: cannot see what is allowed").with_fix(
                format!("register the scope, and allow it for the client: {}", place(product)),
                "whoever runs the issuer",
                None,
            );
        }
    };
    let change = match (meant(said), broken(explanation)) {
        (Some(meant), _) => Change { instead: Some(meant), ..Change::NONE },
        (None, Some(report)) => wanted.change(report, explanation),
        (None, None) => Change::NONE,
    };
    finding.with_explanation(explanation).with_change(change)
}

/// The name that was misspelt, and what was meant, where the server knows it.
fn meant(said: &Said) -> Option<(String, String)> {
    let refused = said.body.get("refused")?.as_array()?;
    refused.iter().find_map(|refused| {
        let meant = refused.get("did_you_mean")?.as_array()?.first()?.as_str()?;
        Some((refused.get("scope")?.as_str()?.to_owned(), meant.to_owned()))
    })
}

/// What Ambit says of the token. What its chain says of audience, age and revocation is for the steps that are about those.
pub fn explained(
    wanted: &Wanted<'_>,
    got: &Got<'_>,
    allowed: &Result<Vec<String>, String>,
    explanation: Option<&Result<Explanation, String>>,
) -> Finding {
    let mut summary = format!("{}; {}", wanted.asked(), got.shown());
    match allowed {
        Ok(allowed) => summary.push_str(&format!("; allowed: {}", shortened(allowed))),
        Err(why) => summary.push_str(&format!("; what is allowed is not known ({why})")),
    }
    let needs = wanted.needs.join("' or '");
    let explanation = match explanation {
        Some(Ok(explanation)) => explanation,
        Some(Err(why)) => return Finding::not_checked(format!("{why}; {summary}")),
        None => return left_out(summary, got),
    };
    match broken(explanation) {
        None => Finding::ok(format!("needed '{needs}' is held; {summary}")),
        Some(report) if is_of_the_scope(report.link) => {
            Finding::failed(code(report.link), format!("needs '{needs}'; {summary}"))
                .with_explanation(explanation)
                .with_change(wanted.change(report, explanation))
        }
        // The token itself is over, stale or for another API, which its own steps say.
        Some(_) => Finding::ok(format!("needs '{needs}', which a new token would carry; {summary}")),
    }
}

/// No scope is known to be needed: whatever was left out may be it.
fn left_out(summary: String, got: &Got<'_>) -> Finding {
    if got.dropped.is_empty() {
        return Finding::ok(summary);
    }
    let text = |dropped: &Value, name: &str| dropped.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let shown = got.dropped.iter().map(|dropped| {
        format!("'{}' ({}: {})", text(dropped, "scope"), text(dropped, "reason"), text(dropped, "hint"))
    });
    Finding::warning(Code::ScopesLeftOut, format!("{summary}; left out: {}", shown.collect::<Vec<_>>().join(", ")))
}

/// A link of the chain that another step is about: as Ambit says it, in the place of what was seen there.
pub fn of_the_token(explanation: &Explanation, wanted: &Wanted<'_>) -> Option<Finding> {
    let report = broken(explanation).filter(|report| !is_of_the_scope(report.link))?;
    let finding = Finding::failed(code(report.link), report.detail.clone()).with_explanation(explanation);
    let is_another_apis =
        report.link == Link::Audience && explanation.fix.iter().all(|fix| fix.command.contains("-G "));
    let change = Change { none_helps: is_another_apis, new_token: true, ..wanted.change(report, explanation) };
    Some(finding.with_change(change))
}

/// What the standard shows.
pub fn seen(wanted: &Wanted<'_>, got: &Got<'_>, product: Option<&Product>, is_ambit: bool) -> Finding {
    let summary = format!("{}; {}", wanted.asked(), got.shown());
    let blind = if is_ambit {
        "what is allowed is not checked: that takes --client-id and a secret".to_owned()
    } else {
        "not Ambit: cannot see what is allowed".to_owned()
    };
    let missing = match wanted.needs {
        [] => wanted
            .scope
            .and_then(|scope| scope.split(' ').find(|name| !got.holds(wanted, name)))
            .filter(|_| !wanted.is_kept),
        needs if needs.iter().any(|name| got.holds(wanted, name)) => {
            return Finding::ok(format!("needed '{}' is held; {summary}", needs.join("' or '")));
        }
        needs => needs.first().map(String::as_str),
    };
    let Some(missing) = missing else { return Finding::ok(format!("{summary}; {blind}")) };
    let also = Some(missing.to_owned()).filter(|_| !wanted.asks_for(missing));
    let change = Change { also, by_name: true, new_token: true, ..Change::NONE };
    let at_home = format!("register '{missing}', and allow it for the client: {}", place(product));
    if wanted.needs.is_empty() {
        let detail = format!("{summary}; '{missing}' was asked for and not granted; {blind}");
        return Finding::warning(Code::ScopesLeftOut, detail);
    }
    if !wanted.is_kept && !wanted.asks_for(missing) {
        return Finding::failed(Code::ScopeNotAskedFor, format!("needs '{missing}'; {summary}; {blind}"))
            .with_cause(format!("'{missing}' is needed, and was not asked for"))
            .with_link(Link::AskedFor)
            .with_fix(format!("ask for '{missing}' in the token request"), "whoever configures the client", None)
            .with_change(change);
    }
    let finding = Finding::failed(Code::ScopeNotGranted, format!("needs '{missing}'; {summary}; {blind}"))
        .with_cause(format!("'{missing}' is needed, and the token does not carry it"))
        .with_link(Link::Granted);
    if is_ambit { finding } else { finding.with_fix(at_home, "whoever runs the issuer", None) }.with_change(change)
}

fn place(product: Option<&Product>) -> String {
    match product {
        Some(product) => format!("in {}, {}", product.name, product.place),
        None => ELSEWHERE.to_owned(),
    }
}

const fn is_of_the_scope(link: Link) -> bool {
    !matches!(link, Link::Audience | Link::TokenFresh | Link::NotRevoked)
}

/// The kind of fault, by the link.
pub const fn code(link: Link) -> Code {
    match link {
        Link::Registered => Code::ScopeNotRegistered,
        Link::Active => Code::ScopeNotActive,
        Link::GateOpen => Code::GateClosed,
        Link::Allowed => Code::ScopeNotAllowed,
        Link::CarriedByGrant => Code::ScopeNotCarriedByGrant,
        Link::AskedFor => Code::ScopeNotAskedFor,
        Link::Granted => Code::ScopeNotGranted,
        Link::Audience => Code::WrongAudience,
        Link::TokenFresh => Code::TokenStale,
        Link::NotRevoked => Code::TokenRevoked,
    }
}

/// A list that may be long.
fn shortened(names: &[String]) -> String {
    match names {
        [] => "nothing".to_owned(),
        names if names.len() > MAX_SHOWN => {
            format!("{} and {} more", names[..MAX_SHOWN].join(", "), names.len() - MAX_SHOWN)
        }
        names => names.join(", "),
    }
}

const MAX_SHOWN: usize = 6;
