//! What a client may do at all, and for how long what was lent to it is good.

use ambit_core::authorize::check_client;
use ambit_core::client::Client;
use ambit_core::grants::refresh_token::{self, GRACE_MILLIS, Presented};
use ambit_core::refusal::{GrantFault, Refusal};
use ambit_core::secret::SecretHash;
use ambit_core::store::sign_in::{AuthorizationGrant, RefreshToken};
use ambit_protocol::admin::application::ApplicationType;
use ambit_protocol::admin::partner::PartnerStatus;
use ambit_protocol::authorization_request::AuthorizationRequest;
use ambit_protocol::id::{ApplicationId, GrantId, Id as _, UserId};
use ambit_protocol::params::Params;
use ambit_protocol::time::Timestamp;
use ambit_protocol::token::GrantType;
use serde_json::json;
use uuid::Uuid;

use crate::support::{NOW, application};

fn client(kind: ApplicationType, grant_types: &[GrantType], pkce_optional: bool) -> Client {
    let mut application = application("pos.read", json!({}));
    application.kind = kind;
    application.grant_types = grant_types.to_vec();
    application.pkce_optional = pkce_optional;
    Client { application, secrets: vec![], keys: None, partner_status: PartnerStatus::Active }
}

/// RFC 9700 §2.1.1. That a public client is none that may do without, the registry sees to as well; here nobody relies on it.
#[test]
fn a_client_does_without_pkce_where_it_is_confidential_may_and_sends_a_nonce() {
    use ApplicationType::{Native, Spa, Web};
    let asked = |more: &str| {
        let query = format!("response_type=code&client_id=till&scope=openid{more}");
        let params = Params::parse(query.as_bytes(), AuthorizationRequest::RULES).expect("parameters");
        AuthorizationRequest::parse(&params).expect("a request")
    };
    let pkce = "&code_challenge=E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256";
    for (kind, pkce_optional, more, is_good) in [
        (Web, true, "&nonce=n", true),
        (Web, true, "", false),
        (Web, false, "&nonce=n", false),
        (Spa, true, "&nonce=n", false),
        (Native, true, "&nonce=n", false),
        (Web, false, pkce, true),
        (Spa, false, pkce, true),
    ] {
        let client = client(kind, &[GrantType::AuthorizationCode], pkce_optional);
        let checked = check_client(&client, &asked(more));
        assert_eq!(checked.is_ok(), is_good, "{kind:?} {pkce_optional} {more}");
        assert!(is_good || matches!(checked, Err(Refusal::ChallengeMissing)), "{kind:?} {pkce_optional} {more}");
    }
    let services = client(Web, &[GrantType::ClientCredentials], false);
    assert!(matches!(check_client(&services, &asked(pkce)), Err(Refusal::GrantNotAllowed { .. })));
}

#[test]
fn a_refresh_token_is_good_for_its_client_until_it_or_what_it_renews_is_over() {
    let client = client(ApplicationType::Web, &[GrantType::RefreshToken], false);
    let later = |secs| NOW.plus_secs(secs);
    let token = RefreshToken {
        token: SecretHash::of("a token"),
        grant_id: GrantId::from_uuid(Uuid::from_u128(1)),
        expires_at: later(1),
        used_at: None,
    };
    let grant = AuthorizationGrant {
        id: token.grant_id,
        application_id: client.application.id,
        client_id: "till".to_owned(),
        user_id: UserId::from_uuid(Uuid::from_u128(2)),
        session_id: None,
        created_at: NOW,
        expires_at: later(1),
        ended_at: None,
        document: String::new(),
    };
    let used = |millis| RefreshToken { used_at: Some(Timestamp::from_millis(NOW.millis() - millis)), ..token.clone() };
    let other = ApplicationId::from_uuid(Uuid::from_u128(3));
    for (token, grant, expected) in [
        (token.clone(), grant.clone(), Ok(())),
        (token.clone(), AuthorizationGrant { application_id: other, ..grant.clone() }, Err(GrantFault::OtherClient)),
        (
            token.clone(),
            AuthorizationGrant { ended_at: Some(NOW), ..grant.clone() },
            Err(GrantFault::RefreshTokenUnknown),
        ),
        (RefreshToken { expires_at: NOW, ..token.clone() }, grant.clone(), Err(GrantFault::RefreshTokenExpired)),
        (token.clone(), AuthorizationGrant { expires_at: NOW, ..grant.clone() }, Err(GrantFault::RefreshTokenExpired)),
        (used(GRACE_MILLIS), grant.clone(), Ok(())),
        (used(GRACE_MILLIS + 1), grant.clone(), Err(GrantFault::RefreshTokenReused)),
    ] {
        let presented = Presented::Kept(token);
        assert_eq!(refresh_token::check(&presented, &grant, &client, NOW), expected, "{presented:?} {grant:?}");
    }
    // What is kept no longer is known by its family.
    let others = AuthorizationGrant { application_id: other, ..grant.clone() };
    let ended = AuthorizationGrant { ended_at: Some(NOW), ..grant.clone() };
    let over = AuthorizationGrant { expires_at: NOW, ..grant.clone() };
    for (presented, going_on) in
        [(Presented::Followed, GrantFault::RefreshTokenReused), (Presented::Over, GrantFault::RefreshTokenExpired)]
    {
        for (grant, fault) in [
            (&grant, going_on),
            (&others, GrantFault::OtherClient),
            (&ended, GrantFault::RefreshTokenUnknown),
            (&over, GrantFault::RefreshTokenExpired),
        ] {
            let checked = refresh_token::check(&presented, grant, &client, NOW);
            assert_eq!(checked, Err(fault), "{presented:?} {grant:?}");
        }
    }
}
