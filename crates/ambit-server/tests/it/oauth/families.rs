//! The refresh tokens that come of one grant: bounded in number, and known as one family for as long as the grant goes on.

use ambit_core::secret::SecretHash;
use ambit_core::store::Store as _;
use ambit_core::store::sign_in::RefreshToken;
use ambit_protocol::id::GrantId;
use ambit_protocol::time::Timestamp;
use axum::http::StatusCode;

use super::lending::{Lending, TOKEN, is_refused, refresh_token};
use crate::support::{Answer, claims};

const REUSED: &str = "oauth2-refresh-token-reused";
const UNKNOWN: &str = "oauth2-refresh-token-not-known";
const EXPIRED: &str = "oauth2-refresh-token-expired";

impl Lending {
    async fn lent(&self) -> Answer {
        self.redeem(&self.code(&[("scope", "openid offline_access shopper.read")]).await).await
    }

    /// Renews so often: all the refresh tokens, oldest first, and the last answer.
    async fn renewed(&self, times: usize) -> (Vec<String>, Answer) {
        let mut last = self.lent().await;
        let mut tokens = vec![refresh_token(&last)];
        for _ in 0..times {
            last = self.refresh(tokens.last().expect("the first"), &[]).await;
            tokens.push(refresh_token(&last));
        }
        (tokens, last)
    }

    /// Somebody else uses a refresh token, and is given another successor than this node would give.
    async fn used_elsewhere(&self, token: &str, of: &Answer, at: Timestamp) {
        let next = RefreshToken {
            token: SecretHash::of("what the other one is given"),
            grant_id: grant_of(of),
            expires_at: self.now().plus_secs(60),
            used_at: None,
        };
        let used = SecretHash::of(token);
        self.fixture.sql.sign_ins().rotate_refresh_token(&used, at, &next).await.expect("an answer");
    }

    async fn kept(&self, answer: &Answer) -> Vec<RefreshToken> {
        self.fixture.sql.sign_ins().refresh_tokens_of(grant_of(answer)).await.expect("an answer")
    }
}

fn grant_of(answer: &Answer) -> GrantId {
    claims(&answer.access_token())["grant_id"].as_str().expect("a grant").parse().expect("its identifier")
}

/// attacks.md C5 91, 105: a flood of renewals takes no room, and none of its tokens is forgotten.
#[tokio::test]
async fn however_often_a_grant_was_renewed_an_old_token_of_it_ends_it() {
    let lending = Lending::new().await;
    for old in [0, 1, 100, 198] {
        let (tokens, last) = lending.renewed(200).await;
        assert_eq!(lending.kept(&last).await.len(), 2);
        assert!(lending.is_active(&last.access_token()).await);
        is_refused(&lending.refresh(&tokens[old], &[]).await, REUSED);
        is_refused(&lending.refresh(&tokens[200], &[]).await, UNKNOWN);
        is_refused(&lending.refresh(&tokens[old], &[]).await, UNKNOWN);
        assert!(!lending.is_active(&last.access_token()).await, "{old}");
    }
}

/// The one before, within the grace, while the other answer to it is put to use.
#[tokio::test]
async fn a_token_that_is_followed_while_it_is_repeated_ends_its_grant() {
    let (lending, store) = Lending::held_up().await;
    let (tokens, last) = lending.renewed(1).await;
    let repeated = store.meanwhile("rotate_refresh_token", lending.refresh(&tokens[0], &[]), async || {
        lending.used_elsewhere(&tokens[1], &last, lending.now()).await;
    });
    is_refused(&repeated.await, REUSED);
    assert!(!lending.is_active(&last.access_token()).await);
}

/// Two nodes have one refresh token before them at once, and the other one is quicker: what it says was said a while ago, by the
/// clock there, or its answer is none that could be given once more.
#[tokio::test]
async fn a_token_that_another_node_uses_at_the_same_moment_ends_its_grant() {
    for ago in [10_001, 0] {
        let (lending, store) = Lending::held_up().await;
        let (tokens, last) = lending.renewed(1).await;
        let second = store.meanwhile("rotate_refresh_token", lending.refresh(&tokens[1], &[]), async || {
            let at = Timestamp::from_millis(lending.now().millis() - ago);
            lending.used_elsewhere(&tokens[1], &last, at).await;
        });
        is_refused(&second.await, REUSED);
        assert!(!lending.is_active(&last.access_token()).await, "{ago}");
        is_refused(&lending.refresh(&tokens[1], &[]).await, UNKNOWN);
    }
}

/// attacks.md C5 93, and RFC 7009 §2.1: what an old token is good for is what a new one is.
#[tokio::test]
async fn an_old_token_is_its_clients_and_takes_its_grant_back() {
    let lending = Lending::new().await;
    let fixture = &lending.fixture;
    let secret = lending.another().await;
    let other = Some(("other", secret.as_str()));
    let own = Some(("shop", lending.secret.as_str()));
    let revoke = "/tenants/acme/connect/revoke";

    let (tokens, last) = lending.renewed(3).await;
    assert_eq!(fixture.form(revoke, other, &[("token", &tokens[0])]).await.status, StatusCode::OK);
    assert!(lending.is_active(&last.access_token()).await, "another's word takes nothing");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", tokens[0].as_str())];
    is_refused(&fixture.form(TOKEN, other, &fields).await, "oauth2-grant-of-another-client");
    assert!(!lending.is_active(&last.access_token()).await, "in other hands it is a stolen one");

    let (tokens, last) = lending.renewed(3).await;
    assert_eq!(fixture.form(revoke, own, &[("token", &tokens[0])]).await.status, StatusCode::OK);
    assert!(!lending.is_active(&last.access_token()).await);
    is_refused(&lending.refresh(&tokens[3], &[]).await, UNKNOWN);
}

/// What is too old says so, and has not been used by anybody: before it was cleared away and after.
#[tokio::test]
async fn a_token_that_is_too_old_was_not_used_twice() {
    let lending = Lending::with("[tokens]\nrefresh_token_idle = '10 min'\ngrant = '5 h'").await;
    let (tokens, last) = lending.renewed(1).await;
    lending.fixture.clock.advance_secs(600);
    is_refused(&lending.refresh(&tokens[1], &[]).await, EXPIRED);
    // What is over is kept an hour longer.
    lending.fixture.clock.advance_secs(3700);
    lending.fixture.turn().await;
    assert_eq!(lending.kept(&last).await, []);
    for token in &tokens {
        is_refused(&lending.refresh(token, &[]).await, EXPIRED);
    }
    let grant = lending.fixture.sql.sign_ins().find_grant(grant_of(&last)).await.expect("an answer");
    assert_eq!(grant.expect("it has not expired itself").ended_at, None, "nobody is suspected of anything");
}

/// Nobody who only knows a grant, from an access token, can end it by a token that they made up.
#[tokio::test]
async fn a_token_that_was_not_made_here_is_of_no_family() {
    let lending = Lending::new().await;
    let (tokens, last) = lending.renewed(2).await;
    let (head, tail) = tokens[0].split_at(tokens[0].len() - 2);
    for made_up in [
        format!("{head}{}", if tail == "AA" { "BB" } else { "AA" }),
        head.to_owned(),
        format!("{}A", tokens[0]),
        tokens[0].replace("ambit_rt_", "ambit_ac_"),
        tokens[0].replace("ambit_rt_", ""),
    ] {
        is_refused(&lending.refresh(&made_up, &[]).await, UNKNOWN);
    }
    assert!(lending.is_active(&last.access_token()).await);
    assert_eq!(lending.refresh(&tokens[2], &[]).await.status, StatusCode::OK);
}
