//! Invitations: letters by which people who were made by an administrator come in.
//!
//! A link is no change of the registry. Whoever invites twice sends two letters, of which the second one counts; so there is nothing
//! to keep for an `Idempotency-Key`.

use ambit_core::registry::{Conflict, user};
use ambit_protocol::admin::invitation::Invitation;
use ambit_protocol::admin::user::User;

use super::{Admin, Answered, At, Done, Gone, Plain, Stop};
use crate::web::letters::{self, Purpose};

pub async fn create(admin: Admin, At(id): At) -> Answered<Plain<Invitation>> {
    let app = admin.app();
    // Whom there is nobody to invite is said first, as on a server with mail: what is not here is not here for either.
    let user = invitable(&admin, &id).await?;
    if !app.mail.is_on() {
        return Err(Conflict::NoMail.into());
    }
    let expires_at = letters::invite(app, &user, admin.call().trace_id).await?;
    Done::new(Plain(Invitation { user_id: user.id, email: user.email, expires_at }))
}

pub async fn delete(admin: Admin, At(id): At) -> Answered<Gone> {
    let user = invitable(&admin, &id).await?;
    letters::withdraw(admin.app(), Purpose::Invitation, &user.id.to_string()).await?;
    Done::new(Gone)
}

/// The user, if the caller may invite them. The change is let go: a link is kept in a transaction of its own.
async fn invitable(admin: &Admin, id: &str) -> Result<User, Stop> {
    let change = admin.begin_unrepeated().await?;
    change.current::<User>(id).await?;
    Ok(user::invitable(&change.edit(), id).await?)
}
