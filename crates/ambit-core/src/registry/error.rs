//! Why a change of the registry is refused: whose fault, what exactly, and the one translation into what the caller reads.

use ambit_protocol::admin::application::Level;
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::admin::scope::ScopeState;
use ambit_protocol::admin::tenant::TenantStatus;
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::problem::{FieldError, Problem};
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::time::Timestamp;
use serde_json::{Value, json};

use crate::page::{self, Page};
use crate::store::StoreError;

/// Why a change, or a question about something, is refused.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// It is not there, or not for this caller: nobody can tell which.
    #[error("no {resource} '{id}' here")]
    NotFound {
        /// What kind of thing.
        resource: Resource,
        /// As it was asked for.
        id: String,
    },
    /// It contradicts what is registered.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The body has faults.
    #[error("{}", faults(.0))]
    Invalid(Vec<FieldError>),
    /// The caller may see it and may not do it.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// `If-Match` names another revision (RFC 9110 §13.1.1).
    #[error("it was changed meanwhile: its ETag is \"{current}\"")]
    Precondition {
        /// The revision it has.
        current: u64,
    },
    /// Storage could not do it.
    #[error("storage failed")]
    Store(#[source] StoreError),
}

impl RegistryError {
    /// One fault of the body.
    #[must_use]
    pub fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![FieldError { pointer: pointer.into(), message: message.into() }])
    }
}

impl From<StoreError> for RegistryError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict { resource, key } => Self::Conflict(Conflict::Taken { resource, key }),
            other => Self::Store(other),
        }
    }
}

/// What a change contradicts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The name is taken, perhaps by something that the caller cannot see.
    #[error("{resource} '{key}' exists already")]
    Taken {
        /// What kind of thing.
        resource: Resource,
        /// The name.
        key: String,
    },
    /// A quota or a limit is used up.
    #[error("{limit} is {max}, and there are {count} already")]
    LimitReached {
        /// Its name, as the configuration or the partner spells it.
        limit: &'static str,
        /// Its value.
        max: u64,
        /// How many there are.
        count: u64,
    },
    /// A tenant does not go from its status to that one.
    #[error("a tenant cannot go from {from} to {to}; from {from} it goes to {}", list(.allowed))]
    TenantTransition {
        /// Where it stands.
        from: TenantStatus,
        /// Where it was to go.
        to: TenantStatus,
        /// Where it may go.
        allowed: Vec<TenantStatus>,
    },
    /// A scope does not go from its state to that one.
    #[error("scope '{scope}' cannot go from {} to {}; from {} it goes to {}",
        spelt(.from), spelt(.to), spelt(.from), list(&.allowed.iter().map(spelt).collect::<Vec<_>>()))]
    ScopeTransition {
        /// Which scope.
        scope: ScopeToken,
        /// Where it stands.
        from: ScopeState,
        /// Where it was to go.
        to: ScopeState,
        /// Where it may go.
        allowed: Vec<ScopeState>,
    },
    /// Something still uses it.
    #[error("{resource} '{id}' is in use by {count}: {}", in_use(.by, *.count))]
    InUse {
        /// What kind of thing.
        resource: Resource,
        /// Which.
        id: String,
        /// Who uses it, as far as the caller may see it.
        by: Vec<Usage>,
        /// How many use it in all.
        count: u64,
        /// What can be done instead.
        instead: &'static str,
    },
    /// Level 2 of a feature is settable only where level 1 is on.
    #[error("feature '{feature}' is off for the tenant (level 1), so it cannot be set for a unit (level 2)")]
    FeatureOffForTenant {
        /// Which feature.
        feature: String,
    },
    /// No super administrator would remain.
    #[error(
        "no super_admin would remain: give another platform application a lasting secret, admin:write and the role first, or \
         the role to somebody who signs in"
    )]
    LastSuperAdmin,
    /// Two secrets are live already.
    #[error("the application has two live secrets already; delete one first, or set overlap_secs to 0")]
    TwoSecrets,
    /// It is the last secret that works.
    #[error("this is the application's last live secret; make another one first, or repeat with ?last=true")]
    LastSecret,
    /// The application's type keeps no secret.
    #[error("an application of this type cannot keep a secret")]
    PublicClient,
    /// Whoever has come is not invited.
    #[error("user {id} {state}: only who has nothing to sign in with yet can be invited")]
    NotToInvite {
        /// Which user.
        id: String,
        /// Where they stand.
        state: &'static str,
    },
    /// No letters are sent here.
    #[error("this server sends no letters: its operator sets [mail] in the configuration")]
    NoMail,
    /// It came with the server and stays as it is.
    #[error("{what} is built in: {why}")]
    BuiltIn {
        /// What it is.
        what: String,
        /// Why it stays.
        why: &'static str,
    },
    /// The next signing key is not known everywhere yet.
    #[error(
        "the next key {id} was published at {published_at} and signs from {signs_from} on, when every cache has met it; \
         repeat with \"force\": true to sign with it at once"
    )]
    NextKeyYoung {
        /// Which key.
        id: String,
        /// Since when it is in the key set.
        published_at: Timestamp,
        /// From when on it may sign.
        signs_from: Timestamp,
    },
    /// A signing key is not in the state for this.
    #[error("key {id} is {state} and cannot be {wanted}")]
    KeyState {
        /// Which key.
        id: String,
        /// Where it stands.
        state: &'static str,
        /// What was to be done.
        wanted: &'static str,
    },
}

/// Something that uses a thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// What kind of thing.
    pub resource: Resource,
    /// Its identifier.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it uses the thing: the field.
    pub field: &'static str,
}

/// A scope that a role opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenedByRole {
    /// The role's place in the body; none where the body does not name it.
    pub place: Option<usize>,
    /// The role.
    pub role: RoleName,
    /// What it opens.
    pub scope: ScopeToken,
}

/// What a caller may see and not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// The caller's role only reads.
    #[error("the caller's role, auditor, only reads")]
    ReadOnly,
    /// Only platform administrators do this.
    #[error("only a platform administrator can {what}")]
    PlatformOnly {
        /// What.
        what: &'static str,
    },
    /// Only administrators above the tenant do this.
    #[error("only a platform or partner administrator can {what}")]
    AboveTenantOnly {
        /// What.
        what: &'static str,
    },
    /// It is shared with the caller, and owned above.
    #[error("this {resource} is shared with you and can only be changed by its owner")]
    OwnedAbove {
        /// What kind of thing.
        resource: Resource,
    },
    /// The level is above the caller's.
    #[error("a caller that reaches {} cannot make an application of level {wanted}", .reaches)]
    Level {
        /// How far the caller reaches.
        reaches: Level,
        /// What was wanted.
        wanted: Level,
    },
    /// Nobody grants what they do not hold.
    #[error("{}", not_held(.scopes))]
    NotHeld {
        /// The scopes, with their places in the body.
        scopes: Vec<(usize, ScopeToken)>,
    },
    /// Nobody grants what they do not hold: roles that open scopes.
    #[error("{}", roles_not_held(.roles))]
    RoleNotHeld {
        /// The roles, with what they open.
        roles: Vec<OpenedByRole>,
    },
    /// Nobody assigns a role beyond their own reach.
    #[error("nobody can assign or take away a role that reaches further than they do")]
    Role,
}

impl RegistryError {
    /// The page that explains it.
    #[must_use]
    pub const fn page(&self) -> &'static Page {
        match self {
            Self::NotFound { .. } => &page::NOT_FOUND,
            Self::Invalid(_) => &page::VALIDATION_FAILED,
            Self::Precondition { .. } => &page::PRECONDITION_FAILED,
            Self::Store(StoreError::Unavailable(_)) => &page::UNAVAILABLE,
            Self::Store(StoreError::Unstorable(_)) => &page::VALIDATION_FAILED,
            Self::Store(_) => &page::SERVER_ERROR,
            Self::Conflict(conflict) => match conflict {
                Conflict::Taken { .. } => &page::NAME_TAKEN,
                Conflict::LimitReached { .. } => &page::LIMIT_REACHED,
                Conflict::TenantTransition { .. } | Conflict::ScopeTransition { .. } | Conflict::KeyState { .. } => {
                    &page::TRANSITION_NOT_ALLOWED
                }
                Conflict::InUse { .. } => &page::IN_USE,
                Conflict::FeatureOffForTenant { .. } => &page::FEATURE_OFF_FOR_TENANT,
                Conflict::LastSuperAdmin => &page::LAST_SUPER_ADMIN,
                Conflict::TwoSecrets | Conflict::LastSecret | Conflict::PublicClient => &page::SECRETS,
                Conflict::NotToInvite { .. } | Conflict::NoMail => &page::CONFLICT,
                Conflict::BuiltIn { .. } => &page::BUILT_IN,
                Conflict::NextKeyYoung { .. } => &page::NEXT_KEY_YOUNG,
            },
            Self::Forbidden(forbidden) => match forbidden {
                Forbidden::NotHeld { .. } | Forbidden::RoleNotHeld { .. } | Forbidden::Role => &page::NOT_HELD,
                Forbidden::ReadOnly
                | Forbidden::PlatformOnly { .. }
                | Forbidden::AboveTenantOnly { .. }
                | Forbidden::OwnedAbove { .. }
                | Forbidden::Level { .. } => &page::FORBIDDEN,
            },
        }
    }

    /// What the caller reads. `errors_url` is where the pages are, with a slash at the end. What went wrong inside storage
    /// is for the log and not told.
    #[must_use]
    pub fn problem(&self, errors_url: &str) -> Problem {
        let page = self.page();
        let mut problem = Problem::new(format!("{errors_url}{}", page.slug), page.title, page.status);
        problem.detail = Some(match self {
            Self::Store(StoreError::Unstorable(why)) => format!("cannot be stored: {why}"),
            Self::Store(StoreError::Unavailable(_)) => {
                "The server is overloaded, or its storage does not answer.".to_owned()
            }
            Self::Store(_) => FAULT_OF_OURS.to_owned(),
            other => other.to_string(),
        });
        match self {
            Self::Invalid(errors) => problem.errors.clone_from(errors),
            Self::Forbidden(Forbidden::NotHeld { scopes }) => {
                for (place, scope) in scopes {
                    problem = problem.with_error(
                        format!("/allowed_scopes/{place}"),
                        format!("you do not hold scope '{scope}' yourself"),
                    );
                }
            }
            Self::Forbidden(Forbidden::RoleNotHeld { roles }) => {
                for OpenedByRole { place, role, scope } in roles {
                    let Some(place) = place else { continue };
                    problem = problem.with_error(
                        format!("/roles/{place}/role"),
                        format!("role '{role}' opens scope '{scope}', which you do not hold yourself"),
                    );
                }
            }
            Self::Conflict(conflict) => {
                for (name, value) in conflict.members() {
                    problem = problem.with_extension(name, value);
                }
            }
            Self::NotFound { .. } | Self::Forbidden(_) | Self::Precondition { .. } | Self::Store(_) => {}
        }
        problem
    }
}

impl Conflict {
    /// What a program reads beside the sentence.
    fn members(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::LimitReached { limit, max, count } => {
                vec![("limit", json!(limit)), ("max", json!(max)), ("count", json!(count))]
            }
            Self::TenantTransition { allowed, .. } => vec![("allowed", json!(allowed))],
            Self::ScopeTransition { allowed, .. } => vec![("allowed", json!(allowed))],
            Self::InUse { by, count, instead, .. } => {
                let by: Vec<Value> = by
                    .iter()
                    .map(|it| json!({"resource": it.resource, "id": it.id, "name": it.name, "field": it.field}))
                    .collect();
                vec![("used_by", Value::from(by)), ("count", json!(count)), ("instead", json!(instead))]
            }
            Self::NextKeyYoung { published_at, signs_from, .. } => {
                vec![("published_at", json!(published_at)), ("signs_from", json!(signs_from))]
            }
            Self::Taken { .. }
            | Self::FeatureOffForTenant { .. }
            | Self::LastSuperAdmin
            | Self::TwoSecrets
            | Self::LastSecret
            | Self::PublicClient
            | Self::NotToInvite { .. }
            | Self::NoMail
            | Self::BuiltIn { .. }
            | Self::KeyState { .. } => vec![],
        }
    }
}

fn faults(errors: &[FieldError]) -> String {
    match errors {
        [only] => format!("{} {}", if only.pointer.is_empty() { "the body" } else { &only.pointer }, only.message),
        _ => format!("{} fields have faults", errors.len()),
    }
}

fn not_held(scopes: &[(usize, ScopeToken)]) -> String {
    let names: Vec<String> = scopes.iter().map(|(_, scope)| format!("'{scope}'")).collect();
    format!("nobody can grant what they do not hold: {}", names.join(", "))
}

fn roles_not_held(roles: &[OpenedByRole]) -> String {
    let opened: Vec<String> = roles.iter().map(|it| format!("role '{}' opens scope '{}'", it.role, it.scope)).collect();
    format!("nobody can grant what they do not hold: {}", opened.join(", "))
}

fn in_use(by: &[Usage], count: u64) -> String {
    let shown: Vec<String> =
        by.iter().take(5).map(|it| format!("{} '{}' ({})", it.resource, it.name, it.field)).collect();
    let hidden = count.saturating_sub(shown.len() as u64);
    match (shown.is_empty(), hidden) {
        (true, _) => "none of which you can see".to_owned(),
        (false, 0) => shown.join(", "),
        (false, more) => format!("{} and {more} more", shown.join(", ")),
    }
}

fn list(names: &[impl ToString]) -> String {
    if names.is_empty() {
        return "nowhere".to_owned();
    }
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

const fn spelt(state: &ScopeState) -> &'static str {
    match state {
        ScopeState::Draft => "draft",
        ScopeState::Active => "active",
        ScopeState::Deprecated => "deprecated",
        ScopeState::Retired => "retired",
    }
}

/// What is told of a fault of the server.
pub const FAULT_OF_OURS: &str = "A fault of the server. The log line under the trace id has all of it.";
