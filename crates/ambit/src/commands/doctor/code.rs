//! The kinds of what the doctor finds: a closed list, for programs, and for the knowledge base to have a page of each.

use serde::Serialize;

macro_rules! codes {
    ($($name:ident = $text:literal: $meaning:literal;)*) => {
        /// What kind of fault it is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub enum Code {
            $(
                #[doc = $meaning]
                #[serde(rename = $text)]
                $name,
            )*
        }

        /// Each with its name and what it means, as docs/reference/doctor.md has it.
        #[cfg(test)]
        const ALL: &[(&str, &str)] = &[$(($text, $meaning)),*];
    };
}

codes! {
    IssuerUnreachable = "issuer_unreachable": "Nobody answers at the issuer's address.";
    IssuerMismatch = "issuer_mismatch": "The document is of another issuer, if only by a slash.";
    IssuerNotHttps = "issuer_not_https": "Secret and token can be read on the way.";
    DiscoveryAbsent = "discovery_absent": "There is no document at either address.";
    DiscoveryRedirects = "discovery_redirects": "The document's address leads elsewhere.";
    DiscoveryTooLarge = "discovery_too_large": "What answers there has no end.";
    DiscoveryNotJson = "discovery_not_json": "What answers there is no document, but a page for people, as a rule.";
    DiscoveryWithoutIssuer = "discovery_without_issuer": "The document does not say whose it is.";
    DiscoveryDocumentsDiffer = "discovery_documents_differ": "The two addresses have different documents.";
    NoTokenEndpoint = "no_token_endpoint": "The document names no token endpoint.";
    TokenEndpointNotHttps = "token_endpoint_not_https": "The token endpoint is not https, and the issuer is.";
    NoSecretMethod = "no_secret_method": "Clients authenticate there otherwise than by a secret.";
    GrantNotListed = "grant_not_listed": "The document has grants, and not `client_credentials`.";
    NoJwksUri = "no_jwks_uri": "The document names no key set.";
    JwksUnreachable = "jwks_unreachable": "Nobody answers at the key set's address.";
    JwksRedirects = "jwks_redirects": "The key set's address leads elsewhere.";
    JwksStatus = "jwks_status": "The key set's address answers an error.";
    JwksNotJson = "jwks_not_json": "What answers there is no key set.";
    JwksMalformed = "jwks_malformed": "The key set cannot be read.";
    JwksEmpty = "jwks_empty": "No key is published.";
    JwksNoUsableKey = "jwks_no_usable_key": "No published key is of a kind that the doctor verifies with.";
    JwksWithoutKid = "jwks_without_kid": "There are several keys, and not all have a name to be found by.";
    ClockSkew = "clock_skew": "The clocks differ by more than verifiers bear.";
    TokenEndpointUnreachable = "token_endpoint_unreachable": "Nobody answers at the token endpoint.";
    TokenEndpointBusy = "token_endpoint_busy": "The token endpoint cannot answer now.";
    TokenEndpointFails = "token_endpoint_fails": "The token endpoint has a fault of its own.";
    TokenEndpointRedirects = "token_endpoint_redirects": "The token endpoint leads elsewhere; the secret is not sent on.";
    TokenAnswerNotOauth = "token_answer_not_oauth": "What answers there does not speak OAuth.";
    InvalidClient = "invalid_client": "The client is not known there, or its secret is wrong.";
    AuthMethod = "auth_method": "The client is known by another method than the usual one.";
    WrongIssuer = "wrong_issuer": "The client belongs to another issuer of the same server.";
    UnauthorizedClient = "unauthorized_client": "The client may not use `client_credentials`.";
    UnsupportedGrantType = "unsupported_grant_type": "The server does not have `client_credentials`.";
    TokenRefused = "token_refused": "The token request is refused for another reason; the answer says which.";
    NoAccessToken = "no_access_token": "The answer is a success without a token.";
    TokenType = "token_type": "The token is to be presented otherwise than as Bearer.";
    InvalidScope = "invalid_scope": "A scope that was asked for is refused.";
    ScopesLeftOut = "scopes_left_out": "A scope that was asked for is not in the token.";
    ScopeNotRegistered = "scope_not_registered": "The needed scope is not in the catalogue.";
    ScopeNotActive = "scope_not_active": "It is a draft, or retired.";
    GateClosed = "gate_closed": "Its feature is off, or no tenant was named that it could be on for.";
    ScopeNotAllowed = "scope_not_allowed": "The application may not have it.";
    ScopeNotCarriedByGrant = "scope_not_carried_by_grant": "This kind of grant, or this resource, does not carry it.";
    ScopeNotAskedFor = "scope_not_asked_for": "The token request did not name it.";
    ScopeNotGranted = "scope_not_granted": "It is not in the token, asked for or not.";
    InvalidTarget = "invalid_target": "The resource that was named is none of the server's.";
    WrongAudience = "wrong_audience": "The token is for another API.";
    ApiTrustsOtherIssuer = "api_trusts_other_issuer": "The API takes tokens of other issuers.";
    TokenExpired = "token_expired": "The token is over.";
    TokenNotYetValid = "token_not_yet_valid": "The token is not valid yet.";
    TokenFromTheFuture = "token_from_the_future": "The token was issued later than now, by this clock.";
    TokenWithoutExp = "token_without_exp": "The token never expires.";
    TokenStale = "token_stale": "The token is expired, or older than what allowed the scope.";
    TokenRevoked = "token_revoked": "The token was revoked.";
    TokenOfAnotherIssuer = "token_of_another_issuer": "Its iss is not the issuer.";
    UnknownKid = "unknown_kid": "The key that signed it is not in the key set.";
    TokenSharedSecret = "token_shared_secret": "It is signed with a secret that issuer and API share.";
    TokenSignature = "token_signature": "Its signature, or its form, is not good.";
    ApiUnreachable = "api_unreachable": "Nobody answers at the API.";
    ApiBusy = "api_busy": "The API cannot answer now.";
    ApiFails = "api_fails": "The API has a fault of its own.";
    ApiNotHttps = "api_not_https": "The token can be read on the way to the API.";
    ApiUnauthorized = "api_unauthorized": "The API does not take the token.";
    ApiForbidden = "api_forbidden": "The API takes the token, and does not let it do this.";
    CallRedirects = "call_redirects": "The call leads elsewhere; the token is not sent on.";
    CallNotDone = "call_not_done": "The API let the token in, and answers an error about the call.";
    NoChallenge = "no_challenge": "The refusal does not say what is missing.";
    ChallengeMalformed = "challenge_malformed": "The challenge cannot be read.";
    ChallengeOfAnotherScheme = "challenge_of_another_scheme": "The API wants credentials of another kind.";
    ChallengeEmpty = "challenge_empty": "The challenge has no word of what is missing.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_each_code_in_the_table() {
        let page = include_str!("../../../../../docs/reference/doctor.md");
        let (_, told) = page.split_once("## Codes\n\n").expect("a table of codes");
        let rows: Vec<String> = ALL.iter().map(|(text, meaning)| format!("| `{text}` | {meaning} |")).collect();
        let table = format!("| code | means |\n| --- | --- |\n{}\n", rows.join("\n"));
        assert_eq!(told, table, "docs/reference/doctor.md needs this table:\n{table}");
    }
}
