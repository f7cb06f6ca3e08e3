//! A code or a refresh token that was used twice, or by another client: somebody else may have it, so what it is of ends.

use ambit_core::client_auth::AuthenticatedClient;
use ambit_core::refusal::{GrantFault, Refusal};
use ambit_core::store::sign_in::AuthorizationGrant;
use ambit_core::store::{ChangeContext, Row, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::id::GrantId;
use serde_json::{Value, json};

use super::lent::end;
use super::{Call, Refused, unavailable};
use crate::logs::with_causes;

/// RFC 6749 §4.1.2: "If an authorization code is used more than once, the authorization server … SHOULD revoke (when possible)
/// all tokens previously issued based on that authorization code."
pub(super) async fn replayed(call: &Call, client: &AuthenticatedClient, grant: GrantId) -> Refused {
    let ended = async {
        match call.app.store.sign_ins().find_grant(grant).await.map_err(unavailable)? {
            Some(grant) => end_as_stolen(call, client, &grant, GrantFault::CodeReused).await,
            // Nothing came of a code that was burnt.
            None => Ok(()),
        }
    };
    ended.await.err().unwrap_or(Refusal::Grant(GrantFault::CodeReused)).into()
}

/// The same of a refresh token (RFC 9700 §4.14.2).
pub(super) async fn reused(call: &Call, client: &AuthenticatedClient, grant: &AuthorizationGrant) -> Refusal {
    let fault = GrantFault::RefreshTokenReused;
    end_as_stolen(call, client, grant, fault).await.err().unwrap_or(Refusal::Grant(fault))
}

/// Ends what was lent since somebody else may have a code or a refresh token of it. That is in the audit trail: in a year somebody
/// may ask (attacks.md C5 91).
pub(super) async fn end_as_stolen(
    call: &Call,
    client: &AuthenticatedClient,
    grant: &AuthorizationGrant,
    fault: GrantFault,
) -> Result<(), Refusal> {
    // Of many at once the first one ends it.
    if !end(&call.app, grant.id, call.now).await? {
        return Ok(());
    }
    if let Err(error) = log(call, client, grant, fault).await {
        // It has ended all the same, and the refusal itself is on record.
        let error = with_causes(&error);
        tracing::error!(trace_id = %call.context.trace_id, grant = %grant.id, error, "the end of a grant is not in the audit trail");
    }
    Ok(())
}

async fn log(
    call: &Call,
    client: &AuthenticatedClient,
    grant: &AuthorizationGrant,
    fault: GrantFault,
) -> Result<(), StoreError> {
    let person = call.app.registry.person(grant.user_id).await?;
    let lent: Value = serde_json::from_str(&grant.document).unwrap_or_default();
    let before = json!({
        "id": grant.id,
        "user_id": grant.user_id,
        "application_id": grant.application_id,
        "client_id": grant.client_id,
        "scopes": lent["granted"],
        "created_at": grant.created_at,
        "ended_at": null,
        "ended_because": null,
    });
    let mut after = before.clone();
    after["ended_at"] = json!(call.now);
    after["ended_because"] = Refusal::Grant(fault).code().into();
    let row = Row {
        resource: Resource::Grant,
        id: grant.id.to_string(),
        natural_key: None,
        parent: Some(grant.user_id.to_string()),
        tenant_id: person.as_ref().and_then(|person| person.user.tenant_id),
        partner_id: person.as_ref().and_then(|person| person.user.partner_id),
        revision: 0,
        document: before.to_string(),
        sealed: None,
    };
    let context = ChangeContext {
        actor: format!("client:{}", client.application.client_id),
        at: call.now,
        trace_id: Some(call.context.trace_id.to_string()),
    };
    let transaction = call.app.store.begin(context).await?;
    transaction.log_update(&row, &after.to_string()).await?;
    transaction.commit().await.map(drop)
}
