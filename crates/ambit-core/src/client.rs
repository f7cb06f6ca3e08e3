//! The client: an application in its role in the protocol, with what authenticates it.

use std::sync::Arc;

use ambit_protocol::admin::application::{Application, Level};
use ambit_protocol::admin::partner::PartnerStatus;
use ambit_protocol::admin::tenant::Tenant;
use ambit_protocol::admin::unit::Unit;
use ambit_protocol::id::SecretId;
use ambit_protocol::jose::VerifyingKeys;
use ambit_protocol::outbound_uri::OutboundUri;
use ambit_protocol::time::Timestamp;

use crate::governance::catalogue::Catalogue;
use crate::governance::ceiling::Ceiling;
use crate::governance::gates::Gates;
use crate::reach::Owner;
use crate::secret::SecretHash;

/// A registered application with its credentials, as it is kept in memory.
#[derive(Debug)]
pub struct Client {
    /// The application.
    pub application: Application,
    /// Its secrets, hashed; expired ones included.
    pub secrets: Vec<StoredSecret>,
    /// The keys of `private_key_jwt`.
    pub keys: Option<ClientKeys>,
    /// Whether the partner it belongs to, or its tenant's, is in business.
    pub partner_status: PartnerStatus,
}

/// Where the keys are with which a client signs its assertions.
#[derive(Debug)]
pub enum ClientKeys {
    /// Registered with it, and parsed.
    Registered(VerifyingKeys),
    /// Where the client publishes them.
    Published(OutboundUri),
}

impl Client {
    /// Who owns it.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        Owner::from_ids(self.application.tenant_id, self.application.partner_id)
    }

    /// Whether it belongs to the platform's issuer, as platform and partner applications do.
    #[must_use]
    pub const fn is_at_platform_issuer(&self) -> bool {
        !matches!(self.application.level, Level::Tenant)
    }
}

/// A secret as it is kept.
#[derive(Debug, Clone)]
pub struct StoredSecret {
    /// Which one.
    pub id: SecretId,
    /// Its hash.
    pub hash: SecretHash,
    /// When it stops working.
    pub expires_at: Option<Timestamp>,
}

/// All that a decision for one client needs to know, as of one revision.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The revision.
    pub revision: u64,
    /// All scopes of all APIs.
    pub catalogue: Arc<Catalogue>,
    /// The client.
    pub client: Arc<Client>,
    /// What it may have at all, in this catalogue.
    pub ceiling: Arc<Ceiling>,
    /// The tenant it acts for.
    pub tenant: Option<Arc<TenantFacts>>,
    /// The unit it acts for.
    pub unit: Option<Arc<Unit>>,
    /// The features of both.
    pub gates: Gates,
}

/// A tenant, and whether its partner is in business.
#[derive(Debug)]
pub struct TenantFacts {
    /// The tenant.
    pub tenant: Tenant,
    /// Whether its partner is in business.
    pub partner_status: PartnerStatus,
}
