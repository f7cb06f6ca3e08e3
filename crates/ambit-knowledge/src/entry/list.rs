//! The closed lists: what a member of an entry may be.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! closed_lists {
    ($($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal, $about:literal;)+ })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name {
            $(#[doc = $about] #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// All there are.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As it is written in an entry.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// As people read it.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $about),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = NotOnTheList;

            fn from_str(text: &str) -> Result<Self, NotOnTheList> {
                Self::ALL.iter().find(|known| known.as_str() == text).copied().ok_or(NotOnTheList)
            }
        }
    )+};
}

/// A text that the list does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not on the list")]
pub struct NotOnTheList;

closed_lists! {
    /// Where one meets an error: the first part of its address.
    Domain {
        Api = "api", "What a server answers";
        Tenant = "tenant", "States of a tenant";
        Client = "client", "What a client library says";
        Jwt = "jwt", "Token verification";
        Browser = "browser", "What a person sees in the browser";
    }

    /// Whose message it is.
    Product {
        Ambit = "ambit", "Ambit";
        Standard = "standard", "OAuth and OpenID Connect";
        Keycloak = "keycloak", "Keycloak";
        Spring = "spring", "Spring Security";
        Auth0 = "auth0", "Auth0";
        Okta = "okta", "Okta";
        Entra = "entra", "Microsoft Entra ID";
        Cognito = "cognito", "Amazon Cognito";
        Duende = "duende", "Duende IdentityServer";
        OpenIddict = "openiddict", "OpenIddict";
        Hydra = "hydra", "Ory Hydra";
        Zitadel = "zitadel", "Zitadel";
        NodeOidcProvider = "node-oidc-provider", "node-oidc-provider";
        Google = "google", "Google";
        JsonWebToken = "jsonwebtoken", "jsonwebtoken (Node.js)";
        Jose = "jose", "jose (Node.js)";
        PyJwt = "pyjwt", "PyJWT";
        Authlib = "authlib", "Authlib";
        JoseRfc = "joserfc", "joserfc";
        Nimbus = "nimbus", "Nimbus JOSE + JWT";
        Jjwt = "jjwt", "jjwt";
        MicrosoftIdentityModel = "microsoft-identitymodel", "Microsoft.IdentityModel";
        GolangJwt = "golang-jwt", "golang-jwt";
        GoOidc = "go-oidc", "go-oidc";
        OpenIdClient = "openid-client", "openid-client";
        OauthLib = "oauthlib", "OAuthLib";
        Msal = "msal", "MSAL";
    }

    /// What an error is about.
    Category {
        Request = "request", "The request";
        ClientAuthentication = "client-authentication", "Client authentication";
        Grant = "grant", "The grant";
        Scope = "scope", "Scopes";
        Resource = "resource", "The resource";
        Token = "token", "The token";
        Signature = "signature", "The signature";
        Key = "key", "Keys";
        Issuer = "issuer", "The issuer";
        Audience = "audience", "The audience";
        Time = "time", "Time and clocks";
        Redirect = "redirect", "Redirects";
        Pkce = "pkce", "PKCE";
        Consent = "consent", "Consent";
        Session = "session", "Sessions";
        Discovery = "discovery", "Discovery";
        Cors = "cors", "CORS";
        Tenant = "tenant", "Tenants";
        Limit = "limit", "Limits";
        Storage = "storage", "Storage";
        Permission = "permission", "Permissions";
        Registration = "registration", "Client registration";
        Configuration = "configuration", "Configuration";
    }

    /// How well an entry is known to be true, from least to best.
    Tier {
        MachineWritten = "machine_written", "Written without having been checked";
        SourceChecked = "source_checked", "Checked against source or documentation";
        Reproduced = "reproduced", "Reproduced";
        FieldConfirmed = "field_confirmed", "Confirmed in the field";
    }

    /// Where the cause lies.
    RootCauseType {
        Configuration = "configuration", "How something is set up";
        Request = "request", "What was sent";
        State = "state", "What has happened before";
        Environment = "environment", "What lies between and around";
        Generic = "generic", "One of several";
    }

    /// Whether whoever meets it can do something about it.
    Resolvable {
        Yes = "true", "Yes";
        Partly = "partial", "In part";
        No = "false", "No";
    }

    /// What following an advice may cost.
    Risk {
        None = "none", "No risk";
        Caution = "caution", "With care";
        Unsafe = "unsafe", "Unsafe";
    }

    /// How an entry is known.
    EvidenceKind {
        Reproduced = "reproduced", "Provoked, and recorded";
        Source = "source", "Read in the source or the documentation";
        Report = "report", "Reported by somebody";
    }

    /// How the texts of a language came to be.
    TranslationStatus {
        Original = "original", "Written in this language";
        Translated = "translated", "Translated";
        Reviewed = "reviewed", "Translated, and read by somebody who knows the field";
    }

    /// Whether an error still occurs in a version.
    VersionStatus {
        Active = "active", "It occurs";
        Introduced = "introduced", "It occurs from here on";
        BehaviorChange = "behavior_change", "It occurs otherwise from here on";
        Deprecated = "deprecated", "It occurs with what is advised against";
        Removed = "removed", "It occurs no longer";
    }

    /// A language that texts are in.
    Language {
        En = "en", "English";
        Zh = "zh", "中文";
    }

    /// What a message complains of.
    Subject {
        Token = "token", "A token, whichever it is";
        RefreshToken = "refresh_token", "The refresh token";
        Code = "code", "The authorization code";
        DeviceCode = "device_code", "The device code";
        Form = "form", "The parts of a JWT and their encoding";
        Signature = "signature", "The signature";
        Algorithm = "algorithm", "The algorithm";
        Key = "key", "A key, or its id";
        KeySet = "key_set", "The issuer's key set";
        Issuer = "issuer", "The issuer";
        Audience = "audience", "The audience";
        Expiry = "expiry", "The end of a token's life (exp)";
        NotBefore = "not_before", "The begin of a token's life (nbf)";
        IssuedAt = "issued_at", "The time of issue (iat)";
        Claim = "claim", "Another claim";
        Nonce = "nonce", "The nonce";
        State = "state", "The state of a redirect";
        RedirectUri = "redirect_uri", "The redirect URI";
        Scope = "scope", "A scope";
        Client = "client", "The client, its id and its secret";
        GrantType = "grant_type", "The grant type";
        ResponseType = "response_type", "The response type";
        Verifier = "verifier", "The PKCE verifier";
        Challenge = "challenge", "The PKCE challenge";
        ChallengeMethod = "challenge_method", "The method of the PKCE challenge";
        Header = "header", "The Authorization header";
        Discovery = "discovery", "The discovery document";
        User = "user", "The user and the password";
        Consent = "consent", "The consent";
        Proof = "proof", "The proof that the sender has a key";
        Assertion = "assertion", "An assertion, of a client or as a grant";
        Resource = "resource", "The resource that a token is asked for";
        RequestObject = "request_object", "The request object";
        RequestUri = "request_uri", "The URI of a pushed request";
        Origin = "origin", "The leave for another origin (CORS)";
        Preflight = "preflight", "The preflight request of a browser";
        Server = "server", "The authorization server, or one of its endpoints";
    }

    /// What is wrong with it.
    Fault {
        Invalid = "invalid", "It is not good";
        Expired = "expired", "It is over";
        Early = "early", "It lies in the future";
        Missing = "missing", "It is not there";
        Mismatch = "mismatch", "It is another one than was expected";
        Unknown = "unknown", "Nobody knows it";
        Reused = "reused", "It was used before";
        Denied = "denied", "It is not allowed";
        Malformed = "malformed", "It cannot be read";
        Failed = "failed", "Its check failed";
        Unfetched = "unfetched", "It could not be fetched";
        Unreachable = "unreachable", "Nobody answers where it is asked for";
        Unsupported = "unsupported", "It is not supported";
        Revoked = "revoked", "It was revoked";
        Insufficient = "insufficient", "It is not enough";
    }
}

impl Product {
    /// Whether what it says may be anybody's: that of the standards, and ours, which keep to them.
    pub(crate) const fn is_anybodys(self) -> bool {
        matches!(self, Self::Standard | Self::Ambit)
    }
}
