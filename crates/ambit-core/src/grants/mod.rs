//! One file per grant type; the same three steps in each: what the client may, what is decided, what is granted.

pub mod authorization_code;
pub mod client_credentials;
pub mod lent;
pub mod refresh_token;

use ambit_protocol::admin::partner::PartnerStatus;
use ambit_protocol::admin::tenant::TenantStatus;
use ambit_protocol::jose::Algorithm;
use ambit_protocol::resource::ResourceIndicator;

use crate::client::Facts;
use crate::governance::decision::Decision;
use crate::refusal::Refusal;

/// What a grant function hands to [`crate::tokens::issue`].
#[derive(Debug, Clone)]
pub struct Grant {
    /// What was decided about the scopes.
    pub decision: Decision,
    /// The `scope` parameter it was decided for.
    pub requested: Option<String>,
    /// The places of the resources' APIs.
    pub resources: Vec<usize>,
    /// The identifiers for `aud`; none where no API's scope is carried and no resource was named.
    pub audience: Vec<String>,
    /// How long the token lives.
    pub lifetime_secs: u32,
    /// What it is signed with; the server's default where none of its APIs asks for one.
    pub algorithm: Option<Algorithm>,
}

/// identity.md §4: the tenant's status rules every token call. Its partner's does as well.
///
/// # Errors
/// [`Refusal::TenantShut`] or [`Refusal::PartnerShut`].
pub fn check_tenant_is_open(facts: &Facts) -> Result<(), Refusal> {
    if let Some(tenant) = &facts.tenant {
        if matches!(tenant.tenant.status, TenantStatus::Suspended | TenantStatus::Churned) {
            return Err(Refusal::TenantShut { slug: tenant.tenant.slug.to_string(), status: tenant.tenant.status });
        }
        if tenant.partner_status == PartnerStatus::Suspended {
            return Err(Refusal::PartnerShut);
        }
    }
    if facts.client.partner_status == PartnerStatus::Suspended {
        return Err(Refusal::PartnerShut);
    }
    Ok(())
}

/// RFC 8707 §2: the APIs that were named. One that belongs to another owner is as unknown as one that does not exist.
///
/// # Errors
/// [`Refusal::InvalidTarget`].
pub fn named_resources(resources: &[ResourceIndicator], facts: &Facts) -> Result<Vec<usize>, Refusal> {
    let mut places = Vec::with_capacity(resources.len());
    for resource in resources {
        let place = facts.catalogue.api_place(resource.as_str()).filter(|place| {
            let api = &facts.catalogue.apis()[*place];
            crate::reach::Owner::from_ids(api.tenant_id, api.partner_id).offers_to(facts.ceiling.owner)
        });
        match place {
            Some(place) if places.contains(&place) => {}
            Some(place) => places.push(place),
            None => return Err(Refusal::InvalidTarget(format!("resource '{resource}' is not a registered API"))),
        }
    }
    Ok(places)
}

impl Grant {
    /// Settles audience, lifetime and algorithm from the APIs whose scopes are carried.
    ///
    /// # Errors
    /// [`Refusal::InvalidTarget`] where two of them want different algorithms: one token has one signature.
    pub fn settle(
        decision: Decision,
        requested: Option<&str>,
        resources: Vec<usize>,
        facts: &Facts,
    ) -> Result<Self, Refusal> {
        // Without any scope of an API, what was named is what the token is for.
        let apis = if decision.apis.is_empty() { &resources } else { &decision.apis };
        let apis: Vec<_> = apis.iter().map(|place| &facts.catalogue.apis()[*place]).collect();
        let mut algorithm = None;
        for api in &apis {
            match (algorithm, api.signing_algorithm) {
                (Some(one), Some(other)) if one != other => {
                    return Err(Refusal::InvalidTarget(
                        "the APIs asked for sign with different algorithms; ask for one resource at a time".to_owned(),
                    ));
                }
                (None, asked) => algorithm = asked,
                (Some(_), _) => {}
            }
        }
        let own = facts.client.application.token_lifetime_secs;
        Ok(Self {
            requested: requested.map(str::to_owned),
            audience: apis.iter().map(|api| api.identifier.to_string()).collect(),
            lifetime_secs: apis.iter().filter_map(|api| api.token_lifetime_secs).fold(own, u32::min),
            algorithm,
            resources,
            decision,
        })
    }
}
