//! Features, and their two levels: tenants' and units'.

use ambit_core::registry::{feature, see};
use ambit_core::store::Filter;
use ambit_protocol::admin::Page;
use ambit_protocol::admin::feature::{CreateFeature, Feature, FeatureStatus, PatchFeature, SetFeature};

use super::{Admin, Answered, At, Body, Created, Done, Gone, List, Patch, Plain, Shown};

pub async fn list(admin: Admin, list: List) -> Answered<Plain<Page<Feature>>> {
    admin.list(&list, Filter::default()).await
}

pub async fn create(admin: Admin, Body(body): Body<CreateFeature>) -> Answered<Created<Feature>> {
    let change = admin.begin().await?;
    let feature = feature::create(&change.edit(), body).await?;
    change.commit(Created(feature)).await
}

pub async fn show(admin: Admin, At(key): At) -> Answered<Shown<Feature>> {
    admin.show(see(admin.store(), &key, admin.reach()).await?)
}

pub async fn patch(admin: Admin, At(key): At, patch: Patch<PatchFeature>) -> Answered<Shown<Feature>> {
    let change = admin.begin().await?;
    let body = patch.over(&change.current::<Feature>(&key).await?)?;
    let feature = feature::patch(&change.edit(), &key, body).await?;
    change.commit(Shown(feature)).await
}

pub async fn delete(admin: Admin, At(key): At) -> Answered<Gone> {
    let change = admin.begin().await?;
    change.current::<Feature>(&key).await?;
    feature::delete(&change.edit(), &key).await?;
    change.commit(Gone).await
}

pub async fn list_for_tenant(admin: Admin, At(tenant): At, list: List) -> Answered<Plain<Page<FeatureStatus>>> {
    let (store, after) = (admin.store(), list.after(&admin)?);
    let statuses = feature::list_for_tenant(store, &tenant, &page(&list, after.as_deref()), admin.reach()).await?;
    answer(&admin, &list, statuses)
}

pub async fn list_for_unit(admin: Admin, At(unit): At, list: List) -> Answered<Plain<Page<FeatureStatus>>> {
    let (store, after) = (admin.store(), list.after(&admin)?);
    let statuses = feature::list_for_unit(store, &unit, &page(&list, after.as_deref()), admin.reach()).await?;
    answer(&admin, &list, statuses)
}

pub async fn set_for_tenant(
    admin: Admin,
    At((tenant, key)): At<(String, String)>,
    Body(body): Body<SetFeature>,
) -> Answered<Plain<FeatureStatus>> {
    let change = admin.begin().await?;
    let status = feature::set_for_tenant(&change.edit(), &tenant, &key, body.enabled).await?;
    change.commit(Plain(status)).await
}

pub async fn set_for_unit(
    admin: Admin,
    At((unit, key)): At<(String, String)>,
    Body(body): Body<SetFeature>,
) -> Answered<Plain<FeatureStatus>> {
    let change = admin.begin().await?;
    let status = feature::set_for_unit(&change.edit(), &unit, &key, body.enabled).await?;
    change.commit(Plain(status)).await
}

fn page<'a>(list: &List, after: Option<&'a str>) -> Filter<'a> {
    Filter { after, limit: Some(list.limit + 1), ..Filter::default() }
}

fn answer(admin: &Admin, list: &List, statuses: Vec<FeatureStatus>) -> Answered<Plain<Page<FeatureStatus>>> {
    Done::new(Plain(list.page(admin, statuses, |status| status.key.to_string())?))
}
