//! Explain names the true cause for each link of the chain, and the command that mends it.

use std::sync::Arc;

use ambit_core::client::Facts;
use ambit_core::governance::catalogue::Catalogue;
use ambit_core::governance::ceiling::Ceiling;
use ambit_core::governance::explain::{Addresses, Asked, Denial, Lender, denial, request};
use ambit_protocol::claims::{AccessTokenClaims, Audience};
use ambit_protocol::explain::{Explanation, Link};
use ambit_protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::support::{ADMIN, NOW, POS, Receipts, api, api_id, application, facts, scope, tokens};

const ADDRESSES: Addresses<'static> = Addresses { base: "https://as.example" };

struct Case {
    allowed: &'static str,
    policy: Value,
    receipts: Receipts,
    asked: Option<&'static str>,
    carries: &'static str,
    aud: &'static str,
    minted: Timestamp,
    revoked: bool,
    called: Option<&'static str>,
    lender: Option<Lender>,
}

impl Case {
    fn new() -> Self {
        Self {
            allowed: "pos.read",
            policy: json!({}),
            receipts: Receipts::On,
            asked: Some("pos.read"),
            carries: "pos.read pos:receipts:read",
            aud: POS,
            minted: NOW.plus_secs(60),
            revoked: false,
            called: None,
            lender: None,
        }
    }

    fn explain(&self, required: &[&str]) -> Explanation {
        let facts = facts(application(self.allowed, self.policy.clone()), self.receipts);
        self.explain_with(&facts, required)
    }

    fn explain_with(&self, facts: &Facts, required: &[&str]) -> Explanation {
        let claims = AccessTokenClaims {
            scope: Some(self.carries.to_owned()),
            ..AccessTokenClaims::new(
                "https://as.example".to_owned(),
                "till".to_owned(),
                Audience::One(self.aud.to_owned()),
                "till".to_owned(),
                self.minted.secs(),
                self.minted.secs() + 3600,
                "t".to_owned(),
            )
        };
        let required: Vec<String> = required.iter().map(|name| (*name).to_owned()).collect();
        let case = Denial {
            claims: &claims,
            required: &required,
            called: self.called,
            asked: Some(Asked { scope: self.asked, resources: &[] }),
            revoked: self.revoked,
            lender: self.lender.clone(),
        };
        denial(&case, facts, NOW.plus_secs(120), &ADDRESSES)
    }
}

fn cause(explanation: &Explanation) -> Option<Link> {
    explanation.because.iter().find(|report| !report.ok).map(|report| report.link)
}

#[test]
fn each_link_of_the_chain_is_named_when_it_is_the_broken_one() {
    let cases = [
        (Link::Registered, Case::new().explain(&["pos:nope"]), "POST https://as.example/api/v1/admin/scopes"),
        (Link::Active, Case::new().explain(&["pos:draft"]), "PATCH https://as.example/api/v1/admin/scopes/pos:draft"),
        (
            Link::GateOpen,
            Case { receipts: Receipts::OffForTenant, carries: "pos.read", ..Case::new() }
                .explain(&["pos:receipts:read"]),
            "PUT https://as.example/api/v1/admin/tenants/tnt_00000000000000000000000001/features/digital-receipts",
        ),
        (
            Link::GateOpen,
            Case { receipts: Receipts::OffForUnit, carries: "pos.read", ..Case::new() }.explain(&["pos:receipts:read"]),
            "PUT https://as.example/api/v1/admin/units/unt_00000000000000000000000001/features/digital-receipts",
        ),
        (
            Link::Allowed,
            Case::new().explain(&["pos.write"]),
            "POST https://as.example/api/v1/admin/applications/till/allowed_scopes",
        ),
        (
            Link::CarriedByGrant,
            Case { allowed: "pos.read pos:personal", ..Case::new() }.explain(&["pos:personal"]),
            "PATCH https://as.example/api/v1/admin/scopes/pos:personal",
        ),
        (
            Link::AskedFor,
            Case { allowed: "pos.read admin:read", ..Case::new() }.explain(&["admin:read"]),
            "--data-urlencode scope=admin:read",
        ),
        (
            Link::Granted,
            Case {
                allowed: "pos.read admin:read",
                asked: None,
                policy: json!({"when_omitted": "default_scopes", "default_scopes": ["pos.read"]}),
                ..Case::new()
            }
            .explain(&["admin:read"]),
            "--data-urlencode scope=admin:read",
        ),
        (
            Link::Audience,
            Case { called: Some(ADMIN), ..Case::new() }.explain(&["pos.read"]),
            "https://as.example/api/v1/admin/scopes --data-urlencode api=https://api.example.com/admin",
        ),
        (
            Link::TokenFresh,
            Case { asked: None, carries: "pos:members:read", minted: NOW.plus_secs(-60), ..Case::new() }
                .explain(&["pos.read"]),
            "https://as.example/connect/token",
        ),
        (
            Link::TokenFresh,
            Case { minted: NOW.plus_secs(-7200), ..Case::new() }.explain(&["pos.read"]),
            "https://as.example/connect/token",
        ),
        (
            Link::NotRevoked,
            Case { revoked: true, ..Case::new() }.explain(&["pos.read"]),
            "https://as.example/connect/token",
        ),
    ];
    for (link, explanation, command) in cases {
        assert_eq!(cause(&explanation), Some(link), "{explanation:#?}");
        let broken = explanation.because.iter().find(|report| !report.ok).unwrap();
        assert!(explanation.verdict.contains(&broken.detail), "{}", explanation.verdict);
        assert!(explanation.fix[0].command.contains(command), "{} is not in {:#?}", command, explanation.fix);
    }
}

#[test]
fn every_broken_link_is_mended_and_the_token_request_comes_last() {
    let explanation =
        Case { allowed: "pos.read pos.write", asked: Some("pos.read"), ..Case::new() }.explain(&["pos:personal"]);
    let commands: Vec<&str> = explanation.fix.iter().map(|fix| fix.command.as_str()).collect();
    let expected = [
        "/applications/till/allowed_scopes",
        "PATCH https://as.example/api/v1/admin/scopes/pos:personal",
        "/connect/token",
    ];
    assert_eq!(commands.len(), expected.len(), "{commands:#?}");
    for (command, expected) in commands.iter().zip(expected) {
        assert!(command.contains(expected), "{expected} is not in {command}");
    }
}

#[test]
fn an_unknown_scope_is_registered_where_it_was_asked_for_and_then_allowed() {
    let explanation = Case { aud: ADMIN, ..Case::new() }.explain(&["it's:new"]);
    let commands: Vec<&str> = explanation.fix.iter().map(|fix| fix.command.as_str()).collect();
    assert_eq!(commands.len(), 3, "{commands:#?}");
    assert!(
        commands[0].contains(&format!(r#""api":"{ADMIN}""#)) && commands[0].contains(r"it'\''s:new"),
        "{}",
        commands[0]
    );
    assert!(commands[1].contains("/allowed_scopes"), "{}", commands[1]);
    // Nothing says which API: the reader does.
    let facts = facts(application("pos.read", json!({})), Receipts::On);
    let explanation = request(Some("brand:new"), &[], None, &facts, NOW, &ADDRESSES);
    assert!(explanation.fix[0].command.contains(r#"-d '{"api":"'"$API"'",'"#), "{}", explanation.fix[0].command);
}

#[test]
fn where_no_change_helps_that_is_said() {
    for (scope, text) in [
        ("pos:retired", "nothing brings it back"),
        ("pos:oldest", "does not come back: ask for its successor 'pos:baskets:read'"),
        ("pos:old", "is deprecated and granted as its successor 'pos:baskets:read'"),
        ("openid", "no change lets a service carry it"),
        ("not a scope", "is no scope's name"),
    ] {
        let explanation = Case { allowed: "pos.read openid", ..Case::new() }.explain(&[scope]);
        assert_eq!(explanation.fix.len(), 1, "{scope}: {:#?}", explanation.fix);
        assert!(explanation.fix[0].text.contains(text), "{scope}: {}", explanation.fix[0].text);
    }
}

#[test]
fn an_intact_chain_is_called_intact_and_lists_every_link() {
    let explanation = Case::new().explain(&["pos:members:read"]);
    assert_eq!(cause(&explanation), None);
    assert_eq!(explanation.because.iter().map(|report| report.link).collect::<Vec<_>>(), Link::ALL);
    assert!(explanation.fix.is_empty());
}

#[test]
fn of_several_scopes_that_would_do_the_nearest_is_explained() {
    let explanation = Case { allowed: "pos.read admin:read", ..Case::new() }.explain(&["admin:write", "admin:read"]);
    assert_eq!(explanation.because[0].scope.as_deref(), Some("admin:read"));
}

#[test]
fn a_stale_token_is_told_when_it_was_minted_and_when_the_scopes_changed() {
    let minted = NOW.plus_secs(-60);
    let explanation = Case { asked: None, carries: "pos:members:read", minted, ..Case::new() }.explain(&["pos.read"]);
    assert!(explanation.verdict.contains(&minted.to_string()), "{}", explanation.verdict);
    assert!(explanation.verdict.contains(&NOW.to_string()), "{}", explanation.verdict);
}

#[test]
fn a_request_is_simulated_by_the_engine_that_would_decide_it() {
    let facts = facts(application("pos.read", json!({})), Receipts::NoTenant);
    let refused = request(Some("pos.read pos.write"), &[], None, &facts, NOW, &ADDRESSES);
    assert_eq!(refused.verdict, "invalid_scope: scope 'pos.write' not allowed for this application");
    assert!(refused.fix[0].command.contains("/applications/till/allowed_scopes"));
    let granted = request(Some("pos:members:read"), &[], None, &facts, NOW, &ADDRESSES);
    assert_eq!(granted.verdict, "the token would carry 'pos:members:read'");
    assert!(granted.fix.is_empty());
}

/// Ada, who lent `openid pos.read` to an application that may have `pos:managers` too.
fn of_ada(roles: &str, consented: Option<&str>) -> Case {
    let lender = Lender {
        roles: roles.split_whitespace().map(|role| role.parse().unwrap()).collect(),
        consented: consented.map(tokens),
        lent: Some(tokens("openid pos.read")),
    };
    let carries = "openid pos.read pos:receipts:read";
    Case {
        allowed: "openid pos.read pos:managers",
        asked: Some("openid pos.read"),
        carries,
        lender: Some(lender),
        ..Case::new()
    }
}

#[test]
fn a_persons_token_is_explained_by_what_the_person_lacks() {
    let cases = [
        (
            of_ada("clerk", Some("openid pos.read pos:managers")),
            Link::CarriedByGrant,
            "scope 'pos:managers' asks for role 'manager', which the person does not hold",
            "AMBIT_TOKEN=\"$ADMIN_TOKEN\" ambit user roles \"$PERSON\" --add manager --url https://as.example",
        ),
        (
            of_ada("manager", Some("openid pos.read")),
            Link::CarriedByGrant,
            "the person has not agreed to 'pos:managers' for this application",
            "curl -sS -G -w '%{url_effective}\\n' https://as.example/connect/authorize -d response_type=code \
             --data-urlencode client_id=till -d prompt=consent -d code_challenge_method=S256 \
             -d code_challenge=\"$CODE_CHALLENGE\" --data-urlencode scope=pos:managers -d tenant=acme",
        ),
        // Of a trusted application nobody is asked.
        (
            of_ada("manager", None),
            Link::AskedFor,
            "the person lent 'openid pos.read' when they signed in, and 'pos:managers' is not part of it",
            "curl -sS -G -w '%{url_effective}\\n' https://as.example/connect/authorize -d response_type=code \
             --data-urlencode client_id=till -d prompt=consent -d code_challenge_method=S256 \
             -d code_challenge=\"$CODE_CHALLENGE\" --data-urlencode scope=pos:managers -d tenant=acme",
        ),
        // Less of what was lent was asked for at the renewal.
        (
            Case { asked: Some("openid"), carries: "openid", ..of_ada("", None) },
            Link::AskedFor,
            "the token request asked for 'openid' and not for 'pos.read'",
            "--data-urlencode scope=pos.read",
        ),
    ];
    for (case, link, detail, command) in cases {
        let required = if detail.contains("pos:managers") { "pos:managers" } else { "pos.read" };
        let told = case.explain(&[required]);
        assert_eq!(cause(&told), Some(link), "{told:#?}");
        assert_eq!(told.verdict, format!("the token does not open this: {detail}"));
        assert!(told.fix[0].command.contains(command), "{:#?}", told.fix);
        assert!(told.fix.iter().all(|fix| !fix.command.contains("client_credentials")), "{:#?}", told.fix);
        assert!(told.fix.last().is_some_and(|fix| fix.command.contains("/connect/authorize")), "{:#?}", told.fix);
    }
    let whole = Case { carries: "openid pos.read pos:managers", ..of_ada("manager", None) }.explain(&["pos:managers"]);
    assert_eq!((cause(&whole), whole.fix), (None, vec![]));
}

#[test]
fn what_only_an_application_may_carry_itself_is_said_of_a_persons_token() {
    let application = application("pos:batch", json!({}));
    let scopes = [
        scope(1, "pos:batch", Some(api_id(1)), json!({"grants": ["service"]})),
        scope(2, "pos:staff", Some(api_id(1)), json!({"roles": ["manager", "clerk"]})),
    ];
    let catalogue = Arc::new(Catalogue::new(vec![api(1, POS, None)], scopes.to_vec()));
    let ceiling = Arc::new(Ceiling::new(&application, &catalogue));
    let facts = Facts { catalogue, ceiling, ..facts(application, Receipts::On) };
    let told = of_ada("", None).explain_with(&facts, &["pos:batch"]);
    assert_eq!(
        told.verdict,
        "the token does not open this: scope 'pos:batch' can be carried only by a token of the application's own, and \
         this one is a person's"
    );
    assert!(told.fix[0].text.starts_with("let people lend 'pos:batch' too"), "{:#?}", told.fix);
    let told = of_ada("", None).explain_with(&facts, &["pos:staff"]);
    let carried = told.because.iter().find(|report| report.link == Link::CarriedByGrant).unwrap();
    assert_eq!(
        carried.detail,
        "scope 'pos:staff' asks for one of the roles 'manager', 'clerk', and the person holds none"
    );
    assert!(told.fix.iter().any(|fix| fix.text.ends_with("asks for: 'manager', 'clerk'")), "{:#?}", told.fix);
}
