//! People as decisions see them: a user with the groups they are in and the roles that follow.
//!
//! Membership is effective everywhere: who is in a group is in every group that one is in. Whoever asks which roles somebody
//! holds asks here, so that nobody forgets a group.

use ambit_protocol::admin::group::{Group, Membership};
use ambit_protocol::admin::text::RoleName;
use ambit_protocol::admin::user::{RoleGrant, User, UserStatus};
use ambit_protocol::id::{GroupId, UserId};
use ambit_protocol::time::Timestamp;
use hashbrown::HashSet;

use crate::reach::{Owner, Reach};
use crate::store::noun;
use crate::store::{By, Filter, Reads, StoreError};

/// A user with what follows from groups, as kept in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The user.
    pub user: User,
    /// Every group the user is in, through other groups too; the nearest first.
    pub groups: Vec<GroupId>,
    /// The roles of the user and of all these groups, ended ones included.
    pub roles: Vec<RoleGrant>,
}

/// A group somebody is in.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupAbove {
    /// The group.
    pub group: Group,
    /// Whether they are a member of it themselves, and not only of a group that is.
    pub is_direct: bool,
    /// How many memberships lie between: 1 for a direct one.
    pub distance: usize,
}

impl Person {
    /// The person as registered now.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn find(reads: &(impl Reads + ?Sized), id: &str) -> Result<Option<Self>, StoreError> {
        let Some(user) = noun::find::<User>(reads, By::Id(id), Reach::Platform).await? else { return Ok(None) };
        let above = groups_above(reads, id).await?;
        let of_groups = above.iter().flat_map(|it| it.group.roles.iter().cloned());
        Ok(Some(Self {
            roles: user.roles.iter().cloned().chain(of_groups).collect(),
            groups: above.iter().map(|it| it.group.id).collect(),
            user,
        }))
    }

    /// The roles held at a moment, each once, by name.
    #[must_use]
    pub fn roles_at(&self, now: Timestamp) -> Vec<RoleName> {
        let mut roles: Vec<_> = self.roles.iter().filter(|it| it.is_held(now)).map(|it| it.role.clone()).collect();
        roles.sort();
        roles.dedup();
        roles
    }

    /// Who owns the user.
    #[must_use]
    pub const fn owner(&self) -> Owner {
        Owner::from_ids(self.user.tenant_id, self.user.partner_id)
    }

    /// Who the user is.
    #[must_use]
    pub const fn id(&self) -> UserId {
        self.user.id
    }

    /// Whether the user may sign in, and whether what they lent is still worth something.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.user.status, UserStatus::Active)
    }
}

/// The groups that a user or a group is in, the nearest first. A group is never met twice, whatever is registered.
///
/// # Errors
/// Those of the store.
pub async fn groups_above(reads: &(impl Reads + ?Sized), member: &str) -> Result<Vec<GroupAbove>, StoreError> {
    let mut found = vec![];
    let mut met: HashSet<String> = [member.to_owned()].into_iter().collect();
    let mut level = vec![member.to_owned()];
    let mut distance = 0;
    while !level.is_empty() {
        distance += 1;
        let mut next = vec![];
        for member in level {
            let filter = Filter { parent: Some(&member), ..Filter::default() };
            // A group and its members are of one owner, so whoever may see the member may see the group.
            for membership in noun::list::<Membership>(reads, &filter, Reach::Platform).await? {
                let id = membership.group_id.to_string();
                if !met.insert(id.clone()) {
                    continue;
                }
                if let Some(group) = noun::find::<Group>(reads, By::Id(&id), Reach::Platform).await? {
                    found.push(GroupAbove { group, is_direct: distance == 1, distance });
                    next.push(id);
                }
            }
        }
        level = next;
    }
    Ok(found)
}
