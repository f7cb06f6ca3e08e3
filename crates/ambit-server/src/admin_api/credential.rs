//! A user's credentials, without what is secret of them.
//!
//! Whose password is set anew, or who loses something to prove themselves with, is signed out everywhere: whoever had it before
//! may be somebody else.

use ambit_core::password::{KeptPassword, Password};
use ambit_core::registry::{RegistryError, credential, see};
use ambit_core::store::StoreError;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::credential::{Credential, SetPassword};
use ambit_protocol::admin::tenant::{Tenant, TenantSettings};
use ambit_protocol::admin::user::User;

use super::user::sign_out;
use super::{Admin, Answered, At, Body, Gone, Plain, Stop};
use crate::passwords::Unanswered;

pub async fn list(admin: Admin, At(user): At) -> Answered<Plain<Page<Credential>>> {
    admin.whole_list(credential::list(admin.store(), &user, admin.reach()).await?)
}

pub async fn set_password(admin: Admin, At(user): At, Body(body): Body<SetPassword>) -> Answered<Gone> {
    let user: User = see(admin.store(), &user, admin.reach()).await?;
    // Made ahead: nobody waits for a hash while the registry is locked.
    let kept = kept(&admin, &user, body).await?;
    let change = admin.begin_unrepeated().await?;
    let user: User = see(change.edit().tx, &user.id.to_string(), admin.reach()).await?;
    credential::set_password(&change.edit(), &admin.app().vault, &user, &kept).await?;
    let done = change.commit(Gone).await?;
    sign_out(&admin, &user).await?;
    Ok(done)
}

pub async fn delete(admin: Admin, At((user, id)): At<(String, String)>) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Credential>(&id).await?;
    let user = credential::delete(&change.edit(), &user, &id).await?;
    let done = change.commit(Gone).await?;
    sign_out(&admin, &user).await?;
    Ok(done)
}

/// What is to be kept: a hash of another system as it is, or one of the password that was sent.
async fn kept(admin: &Admin, user: &User, body: SetPassword) -> Result<KeptPassword, Stop> {
    let invalid =
        |pointer: &str, error: &dyn std::fmt::Display| Stop::from(RegistryError::invalid(pointer, error.to_string()));
    let password = match (&body.password, &body.hash) {
        (Some(password), None) => password,
        (None, Some(hash)) => return KeptPassword::take_over(hash).map_err(|error| invalid("/hash", &error)),
        _ => return Err(RegistryError::invalid("", "has exactly one of password and hash").into()),
    };
    let settings = match user.tenant_id {
        None => TenantSettings::default(),
        Some(id) => see::<Tenant>(admin.store(), &id.to_string(), admin.reach()).await?.settings,
    };
    let password = Password::new(password).map_err(|error| invalid("/password", &error))?;
    password.check(settings.password_min_length, user.email.as_str()).map_err(|error| invalid("/password", &error))?;
    admin.app().passwords.hash(password).await.map_err(|error| match error {
        Unanswered::Busy => StoreError::Unavailable(error.into()).into(),
        Unanswered::Failed(error) => Stop::Internal(Box::new(error)),
    })
}
