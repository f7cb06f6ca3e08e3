//! Who owns a thing, and how far somebody reaches.
//!
//! A [`Reach`] is the key to every row that a tenant or a partner owns: the store asks for one on each read, so there is no
//! way to a row that forgets whose it is.

use ambit_protocol::id::{PartnerId, TenantId};

/// Who owns a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Owner {
    /// The platform itself.
    Platform,
    /// A partner.
    Partner(PartnerId),
    /// A tenant, with its partner if it has one.
    Tenant(TenantId, Option<PartnerId>),
}

impl Owner {
    /// From the two columns that every owned row has.
    #[must_use]
    pub const fn from_ids(tenant: Option<TenantId>, partner: Option<PartnerId>) -> Self {
        match (tenant, partner) {
            (Some(tenant), partner) => Self::Tenant(tenant, partner),
            (None, Some(partner)) => Self::Partner(partner),
            (None, None) => Self::Platform,
        }
    }

    /// The owning tenant.
    #[must_use]
    pub const fn tenant_id(self) -> Option<TenantId> {
        match self {
            Self::Tenant(tenant, _) => Some(tenant),
            Self::Platform | Self::Partner(_) => None,
        }
    }

    /// The owning partner, or the owning tenant's.
    #[must_use]
    pub const fn partner_id(self) -> Option<PartnerId> {
        match self {
            Self::Partner(partner) => Some(partner),
            Self::Tenant(_, partner) => partner,
            Self::Platform => None,
        }
    }

    /// Whether what this owner owns may be used by `user`: the platform's things by all, a partner's by it and its
    /// tenants, a tenant's by itself.
    #[must_use]
    pub fn offers_to(self, user: Self) -> bool {
        match self {
            Self::Platform => true,
            Self::Partner(partner) => user.partner_id() == Some(partner),
            Self::Tenant(tenant, _) => user.tenant_id() == Some(tenant),
        }
    }
}

/// How far somebody reaches: which owners' things exist for them at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Everything. Only for code that says in its name or its file that it works on the platform's level.
    Platform,
    /// A partner, and its tenants.
    Partner(PartnerId),
    /// One tenant, of a partner or of none.
    Tenant(TenantId, Option<PartnerId>),
}

impl Reach {
    /// Whether this reach covers what `owner` owns: the right to see it and, with the scope for it, to change it.
    #[must_use]
    pub fn covers(self, owner: Owner) -> bool {
        match self {
            Self::Platform => true,
            Self::Partner(partner) => owner.partner_id() == Some(partner),
            Self::Tenant(tenant, _) => owner.tenant_id() == Some(tenant),
        }
    }

    /// What is left when both bounds hold.
    #[must_use]
    pub fn narrowed_to(self, tenant: TenantId, partner: Option<PartnerId>) -> Option<Self> {
        self.covers(Owner::Tenant(tenant, partner)).then_some(Self::Tenant(tenant, partner))
    }

    /// The owner that stands at the top of this reach: whose shared things it may use.
    #[must_use]
    pub const fn owner(self) -> Owner {
        match self {
            Self::Platform => Owner::Platform,
            Self::Partner(partner) => Owner::Partner(partner),
            Self::Tenant(tenant, partner) => Owner::Tenant(tenant, partner),
        }
    }
}

#[cfg(test)]
mod tests {
    use ambit_protocol::id::Id as _;
    use uuid::Uuid;

    use super::*;

    fn partner(n: u128) -> PartnerId {
        PartnerId::from_uuid(Uuid::from_u128(n))
    }

    fn tenant(n: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(n))
    }

    #[test]
    fn a_partner_reaches_itself_and_its_tenants_and_nothing_else() {
        let reach = Reach::Partner(partner(1));
        assert!(reach.covers(Owner::Partner(partner(1))));
        assert!(reach.covers(Owner::Tenant(tenant(1), Some(partner(1)))));
        assert!(!reach.covers(Owner::Tenant(tenant(1), Some(partner(2)))));
        assert!(!reach.covers(Owner::Tenant(tenant(1), None)));
        assert!(!reach.covers(Owner::Partner(partner(2))));
        assert!(!reach.covers(Owner::Platform));
    }

    #[test]
    fn a_tenant_reaches_nothing_of_its_partner_but_may_use_what_the_partner_shares() {
        let reach = Reach::Tenant(tenant(1), Some(partner(1)));
        assert!(!reach.covers(Owner::Partner(partner(1))));
        assert!(Owner::Partner(partner(1)).offers_to(reach.owner()));
        assert!(!Owner::Partner(partner(2)).offers_to(reach.owner()));
        assert!(!Owner::Tenant(tenant(2), Some(partner(1))).offers_to(reach.owner()));
        assert_eq!(reach.narrowed_to(tenant(2), Some(partner(1))), None);
    }
}
