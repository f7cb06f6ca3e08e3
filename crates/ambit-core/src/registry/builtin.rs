//! What comes with the server: the identity scopes, the admin API with its scopes, the application that people administer by, the
//! recommended sets and, for demonstrations, the retail catalogue (scopes.md §8).

use ambit_protocol::admin::api::{Api, CreateApi};
use ambit_protocol::admin::application::{ApplicationType, ConsentPolicy, CreateApplication, Level, RecommendedSet};
use ambit_protocol::admin::feature::{CreateFeature, Feature};
use ambit_protocol::admin::scope::{CreateScope, GrantKind, Scope, ScopeKind, ScopeState, Sensitivity};
use ambit_protocol::admin::text::{ApiIdentifier, FeatureKey, Name, Texts};
use ambit_protocol::id::ApiId;
use ambit_protocol::scope::ScopeToken;
use ambit_protocol::token::GrantType;

use super::{Edit, RegistryError, api, feature, scope};
use crate::governance::catalogue::Catalogue;
use crate::reach::{Owner, Reach};
use crate::store::noun;
use crate::store::{By, Reads, StoreError};

/// Opens the admin API's reading endpoints.
pub const ADMIN_READ: &str = "admin:read";
/// Opens all of the admin API's endpoints.
pub const ADMIN_WRITE: &str = "admin:write";

/// The `client_id` of the command line, by which people administer.
pub const COMMAND_LINE: &str = "ambit-cli";
/// Where the command line has people come back to: at whichever port it listens (RFC 8252 §7.3).
pub const COMMAND_LINE_CALLBACKS: [&str; 2] = ["http://127.0.0.1/callback", "http://[::1]/callback"];
/// What the command line is allowed: who somebody is, and all of the admin API. Their roles say how far that reaches.
pub const COMMAND_LINE_SCOPES: [&str; 6] = ["openid", "profile", "email", "offline_access", ADMIN_READ, ADMIN_WRITE];

/// A scope that comes with the server.
struct BuiltIn {
    name: &'static str,
    kind: ScopeKind,
    en: (&'static str, &'static str),
    zh: (&'static str, &'static str),
    sensitivity: Sensitivity,
    feature: Option<&'static str>,
    includes: &'static [&'static str],
}

/// An API with its scopes.
struct BuiltInApi {
    identifier: &'static str,
    name: &'static str,
    scopes: &'static [BuiltIn],
}

/// What an installation did, and what it left alone.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Installed {
    /// Scopes that are new.
    pub added: Vec<ScopeToken>,
    /// Scopes that belong to another API here, and so were left out.
    pub taken: Vec<ScopeToken>,
    /// What is there and is not as it was written: scopes, and the admin API. Nobody is granted those scopes.
    pub damaged: Vec<String>,
    /// What the admin API was called before, where that was another name.
    pub renamed: Option<ApiIdentifier>,
}

/// Installs the identity scopes and the admin API, as far as they are not there. Does so again at each start: a new release
/// brings new scopes, and the API's identifier follows the public URL.
///
/// # Errors
/// Those of the store.
pub async fn install(edit: &Edit<'_>, admin_api_identifier: &ApiIdentifier) -> Result<Installed, RegistryError> {
    let mut installed = Installed::default();
    install_scopes(edit, None, IDENTITY, &mut installed).await?;
    let admin = if let Some(id) = admin_api_id(edit.tx).await? {
        let before: Api = match edit.see(&id.to_string()).await {
            Err(RegistryError::Store(StoreError::Corrupt { id, .. })) => {
                installed.damaged.push(id);
                return Ok(installed);
            }
            found => found?,
        };
        installed.renamed = (before.identifier != *admin_api_identifier).then(|| before.identifier.clone());
        let after = Api { identifier: admin_api_identifier.clone(), ..before.clone() };
        edit.replace(&before, after).await?
    } else {
        let body = new_api(admin_api_identifier.clone(), "Ambit admin API");
        api::insert(edit, body, Owner::Platform).await?
    };
    install_scopes(edit, Some(&admin), ADMIN, &mut installed).await?;
    Ok(installed)
}

/// Installs the four retail APIs with their scopes and the feature `digital-receipts`, as far as they are not there.
///
/// # Errors
/// Those of the store.
pub async fn install_retail(edit: &Edit<'_>) -> Result<Installed, RegistryError> {
    let mut installed = Installed::default();
    let key: FeatureKey = parsed(DIGITAL_RECEIPTS);
    if noun::find::<Feature>(edit.tx, By::Id(key.as_str()), Reach::Platform).await?.is_none() {
        let title = Texts::both("Digital receipts", "电子小票");
        feature::create(edit, CreateFeature { key, title }).await?;
    }
    for built_in in RETAIL {
        let identifier: ApiIdentifier = parsed(built_in.identifier);
        let api = match api::find(edit.tx, identifier.as_str(), Reach::Platform).await? {
            Some(api) => api,
            None => api::insert(edit, new_api(identifier, built_in.name), Owner::Platform).await?,
        };
        install_scopes(edit, Some(&api), built_in.scopes, &mut installed).await?;
    }
    Ok(installed)
}

/// The command line, to be registered: a native application, which keeps no secret. It is ours, so nobody is asked whether they
/// consent to it. Without the scopes whose names somebody else had taken before.
#[must_use]
pub fn command_line(taken: &[ScopeToken]) -> CreateApplication {
    let scopes = COMMAND_LINE_SCOPES.into_iter().map(parsed::<ScopeToken>);
    CreateApplication {
        client_id: Some(parsed(COMMAND_LINE)),
        allowed_scopes: scopes.filter(|scope| !taken.contains(scope)).collect(),
        redirect_uris: COMMAND_LINE_CALLBACKS.map(parsed).to_vec(),
        grant_types: Some(vec![GrantType::AuthorizationCode, GrantType::RefreshToken]),
        consent: ConsentPolicy::Trusted,
        ..CreateApplication::new(parsed("Ambit command line"), ApplicationType::Native, Level::Platform)
    }
}

/// The admin API: the one that `admin:read` belongs to or, where that cannot be read, `admin:write`.
///
/// # Errors
/// Those of the store.
pub async fn admin_api_id(reads: &(impl Reads + ?Sized)) -> Result<Option<ApiId>, RegistryError> {
    let find = async |name| noun::find::<Scope>(reads, By::NaturalKey(name), Reach::Platform).await;
    let scope = match find(ADMIN_READ).await {
        Err(StoreError::Corrupt { .. }) => find(ADMIN_WRITE).await?,
        found => found?,
    };
    Ok(scope.and_then(|scope| scope.api))
}

/// What the admin API is called in a catalogue; nothing where it is not in there.
#[must_use]
pub fn admin_api_identifier(catalogue: &Catalogue) -> Option<&ApiIdentifier> {
    let place = [ADMIN_READ, ADMIN_WRITE].into_iter().find_map(|name| catalogue.find(name)?.api)?;
    Some(&catalogue.apis()[place].identifier)
}

/// Whether a scope of this name comes with the server.
#[must_use]
pub fn is_built_in(name: &ScopeToken) -> bool {
    IDENTITY.iter().chain(ADMIN).any(|it| it.name == name.as_str())
}

/// The sets of scopes that fit an integration. Those whose scopes are not in the catalogue are not offered.
pub fn recommended_sets(knows: impl Fn(&str) -> bool) -> Vec<RecommendedSet> {
    RECOMMENDED
        .iter()
        .filter(|(_, _, scopes, _)| scopes.iter().all(|name| knows(name)))
        .map(|(integration, title, scopes, or)| RecommendedSet {
            integration: (*integration).to_owned(),
            title: (*title).to_owned(),
            scopes: scopes.iter().map(|name| parsed(name)).collect(),
            or: or.iter().filter(|name| knows(name)).map(|name| parsed(name)).collect(),
        })
        .collect()
}

/// The scopes that any recommended set names.
pub fn recommended_scopes() -> impl Iterator<Item = &'static str> {
    RECOMMENDED.iter().flat_map(|(_, _, scopes, or)| scopes.iter().chain(*or)).copied()
}

async fn install_scopes(
    edit: &Edit<'_>,
    api: Option<&Api>,
    scopes: &[BuiltIn],
    installed: &mut Installed,
) -> Result<(), RegistryError> {
    // Members before the bundles that include them; the catalogue orders them by its own rule.
    let members_first = || {
        let is_bundle = |it: &&BuiltIn| it.kind == ScopeKind::Coarse;
        let numbered = || scopes.iter().zip(0_u64..);
        numbered().filter(move |(it, _)| !is_bundle(it)).chain(numbered().filter(move |(it, _)| is_bundle(it)))
    };
    for (built_in, ordinal) in members_first() {
        let name: ScopeToken = parsed(built_in.name);
        let there: Option<Scope> = match noun::find(edit.tx, By::NaturalKey(name.as_str()), Reach::Platform).await {
            Err(StoreError::Corrupt { .. }) => {
                installed.damaged.push(name.to_string());
                continue;
            }
            found => found?,
        };
        match there {
            Some(there) if there.api != api.map(|api| api.id) => installed.taken.push(name),
            Some(there) => add_members(edit, there, built_in, &installed.taken).await?,
            None => {
                let mut body = built_in.body(api);
                body.includes.retain(|member| !installed.taken.contains(member));
                scope::insert(edit, body, ordinal).await?;
                installed.added.push(name);
            }
        }
    }
    Ok(())
}

/// A bundle that is there already gets the members that a new release brought.
async fn add_members(
    edit: &Edit<'_>,
    there: Scope,
    built_in: &BuiltIn,
    taken: &[ScopeToken],
) -> Result<(), RegistryError> {
    let mut after = there.clone();
    for member in built_in.includes.iter().map(|name| parsed::<ScopeToken>(name)) {
        if !after.includes.contains(&member) && !taken.contains(&member) {
            after.includes.push(member);
        }
    }
    edit.replace(&there, after).await?;
    Ok(())
}

impl BuiltIn {
    fn body(&self, api: Option<&Api>) -> CreateScope {
        let grants = match self.kind {
            ScopeKind::Identity => vec![GrantKind::User],
            ScopeKind::Coarse | ScopeKind::Granular => vec![GrantKind::Service, GrantKind::User],
        };
        CreateScope {
            name: parsed(self.name),
            api: api.map(|api| api.id.to_string()),
            kind: self.kind,
            title: Texts::both(self.en.0, self.zh.0),
            description: Texts::both(self.en.1, self.zh.1),
            includes: self.includes.iter().map(|name| parsed(name)).collect(),
            feature: self.feature.map(parsed),
            grants: Some(grants),
            roles: vec![],
            sensitivity: self.sensitivity,
            state: ScopeState::Active,
            advertised: None,
        }
    }
}

fn new_api(identifier: ApiIdentifier, name: &str) -> CreateApi {
    CreateApi {
        identifier,
        name: parsed::<Name>(name),
        tenant_id: None,
        partner_id: None,
        token_lifetime_secs: None,
        signing_algorithm: None,
        resource_servers: vec![],
    }
}

/// Reads a name from the tables below.
fn parsed<T: std::str::FromStr>(text: &str) -> T
where
    T::Err: std::fmt::Debug,
{
    // The tables are constants, and a test reads every name in them.
    text.parse().expect("a name in a constant table is well formed")
}

const fn identity(
    name: &'static str,
    en: (&'static str, &'static str),
    zh: (&'static str, &'static str),
    sensitivity: Sensitivity,
) -> BuiltIn {
    BuiltIn { name, kind: ScopeKind::Identity, en, zh, sensitivity, feature: None, includes: &[] }
}

const fn granular(
    name: &'static str,
    en: (&'static str, &'static str),
    zh: (&'static str, &'static str),
    sensitivity: Sensitivity,
) -> BuiltIn {
    BuiltIn { name, kind: ScopeKind::Granular, en, zh, sensitivity, feature: None, includes: &[] }
}

const fn coarse(
    name: &'static str,
    en: (&'static str, &'static str),
    zh: (&'static str, &'static str),
    includes: &'static [&'static str],
) -> BuiltIn {
    BuiltIn { name, kind: ScopeKind::Coarse, en, zh, sensitivity: Sensitivity::Normal, feature: None, includes }
}

const IDENTITY: &[BuiltIn] = &[
    identity(
        "openid",
        ("Sign in", "Know that it is you, by an identifier"),
        ("登录", "通过标识符确认您的身份"),
        Sensitivity::Normal,
    ),
    identity(
        "profile",
        ("Your profile", "Read your name, language and other profile data"),
        ("您的个人资料", "读取您的姓名、语言和其他个人资料"),
        Sensitivity::Normal,
    ),
    identity(
        "email",
        ("Your e-mail address", "Read your e-mail address and whether it is verified"),
        ("您的电子邮箱", "读取您的电子邮箱地址及其验证状态"),
        Sensitivity::Normal,
    ),
    identity(
        "phone",
        ("Your phone number", "Read your phone number and whether it is verified"),
        ("您的电话号码", "读取您的电话号码及其验证状态"),
        Sensitivity::Sensitive,
    ),
    identity(
        "address",
        ("Your postal address", "Read your postal address"),
        ("您的邮寄地址", "读取您的邮寄地址"),
        Sensitivity::Sensitive,
    ),
    identity(
        "offline_access",
        (
            "Keep this access while you are away",
            "It can go on without you and without signing in again, until you take the access back in your account.",
        ),
        ("在您离开时保持访问", "此应用可在您不在场且未重新登录时继续访问，直至您在账户中撤销。"),
        Sensitivity::Sensitive,
    ),
];

const ADMIN: &[BuiltIn] = &[
    coarse(
        ADMIN_READ,
        ("Read the registry", "Read everything that the admin API shows"),
        ("读取注册信息", "读取管理 API 展示的全部内容"),
        &[
            "partners:read",
            "tenants:read",
            "units:read",
            "features:read",
            "apis:read",
            "scopes:read",
            "applications:read",
            "administrators:read",
            "keys:read",
            "audit:read",
            "users:read",
            "groups:read",
        ],
    ),
    granular(
        ADMIN_WRITE,
        (
            "Administer the registry",
            "Read and change everything that the admin API reaches, and so decide who may do what",
        ),
        ("管理注册信息", "读取并更改管理 API 可及的全部内容，从而决定各方权限"),
        Sensitivity::Privileged,
    ),
    granular(
        "partners:read",
        ("Read partners", "Read partners and their limits"),
        ("读取合作伙伴", "读取合作伙伴及其配额"),
        Sensitivity::Normal,
    ),
    granular(
        "tenants:read",
        ("Read tenants", "Read tenants and their status"),
        ("读取租户", "读取租户及其状态"),
        Sensitivity::Normal,
    ),
    granular(
        "units:read",
        ("Read units", "Read the units of tenants"),
        ("读取单元", "读取租户的单元"),
        Sensitivity::Normal,
    ),
    granular(
        "features:read",
        ("Read features", "Read which features are on for tenants and units"),
        ("读取功能", "读取租户和单元启用的功能"),
        Sensitivity::Normal,
    ),
    granular(
        "apis:read",
        ("Read APIs", "Read the registered APIs"),
        ("读取 API", "读取已注册的 API"),
        Sensitivity::Normal,
    ),
    granular(
        "scopes:read",
        ("Read scopes", "Read the catalogue of scopes"),
        ("读取作用域", "读取作用域目录"),
        Sensitivity::Normal,
    ),
    granular(
        "applications:read",
        ("Read applications", "Read applications and what they are allowed, without secrets"),
        ("读取应用", "读取应用及其权限，不含密钥"),
        Sensitivity::Sensitive,
    ),
    granular(
        "administrators:read",
        ("Read administrators", "Read who administers what"),
        ("读取管理员", "读取各管理员的管理范围"),
        Sensitivity::Sensitive,
    ),
    granular(
        "keys:read",
        ("Read signing keys", "Read the public halves of signing keys"),
        ("读取签名密钥", "读取签名密钥的公钥部分"),
        Sensitivity::Normal,
    ),
    granular(
        "audit:read",
        ("Read the audit trail", "Read who changed what and when"),
        ("读取审计记录", "读取变更的人员、内容和时间"),
        Sensitivity::Sensitive,
    ),
    granular(
        "users:read",
        ("Read users", "Read users and their profiles"),
        ("读取用户", "读取用户及其资料"),
        Sensitivity::Sensitive,
    ),
    granular(
        "groups:read",
        ("Read groups", "Read groups and their members"),
        ("读取用户组", "读取用户组及其成员"),
        Sensitivity::Sensitive,
    ),
];

/// The feature that gates `pos:receipts:read`.
pub const DIGITAL_RECEIPTS: &str = "digital-receipts";

const RETAIL: &[BuiltInApi] = &[
    BuiltInApi {
        identifier: "https://api.retail.example/platform",
        name: "Retail Platform API",
        scopes: &[
            coarse(
                "platform.read",
                ("Read the platform", "Tenant list, retailer status, audit log"),
                ("读取平台", "租户列表、零售商状态、审计日志"),
                &["platform:tenants:read", "platform:retailers:read", "platform:audit:read"],
            ),
            coarse(
                "platform.write",
                ("Manage the platform", "Create tenants, provision retailers, update features"),
                ("管理平台", "创建租户、开通零售商、更新功能"),
                &["platform:tenants:create", "platform:retailers:provision", "platform:features:update"],
            ),
            granular(
                "platform:tenants:read",
                ("List tenants", "Read the list of tenants"),
                ("查看租户", "读取租户列表"),
                Sensitivity::Normal,
            ),
            granular(
                "platform:retailers:read",
                ("See retailers", "Read the status of retailers"),
                ("查看零售商", "读取零售商状态"),
                Sensitivity::Normal,
            ),
            granular(
                "platform:audit:read",
                ("Read the audit log", "Read the platform's audit log"),
                ("读取审计日志", "读取平台的审计日志"),
                Sensitivity::Sensitive,
            ),
            granular(
                "platform:tenants:create",
                ("Create tenants", "Create tenants"),
                ("创建租户", "创建租户"),
                Sensitivity::Privileged,
            ),
            granular(
                "platform:retailers:provision",
                ("Provision retailers", "Set up retailers for a tenant"),
                ("开通零售商", "为租户开通零售商"),
                Sensitivity::Privileged,
            ),
            granular(
                "platform:features:update",
                ("Update features", "Switch features on and off for tenants"),
                ("更新功能", "为租户开启或关闭功能"),
                Sensitivity::Privileged,
            ),
        ],
    },
    BuiltInApi {
        identifier: "https://api.retail.example/admin",
        name: "Retail Admin API",
        scopes: &[
            coarse(
                "admin.read",
                ("Read the back office", "Stores, offers, campaigns, users, vendors"),
                ("读取后台", "门店、优惠、活动、用户、供应商"),
                &["stores:read", "offers:read", "campaigns:read", "retail:users:read", "vendors:read"],
            ),
            coarse(
                "admin.write",
                ("Manage the back office", "Create, update and delete all Admin API resources"),
                ("管理后台", "创建、更新和删除后台 API 的全部资源"),
                &[
                    "stores:write",
                    "offers:write",
                    "campaigns:write",
                    "users:write",
                    "vendors:write",
                    "clients:write",
                    "features:write",
                ],
            ),
            granular("stores:read", ("Read stores", "Read stores"), ("读取门店", "读取门店"), Sensitivity::Normal),
            granular("offers:read", ("Read offers", "Read offers"), ("读取优惠", "读取优惠"), Sensitivity::Normal),
            granular(
                "campaigns:read",
                ("Read campaigns", "Read campaigns"),
                ("读取活动", "读取活动"),
                Sensitivity::Normal,
            ),
            granular(
                "retail:users:read",
                ("Read users", "Read the retailer's users"),
                ("读取用户", "读取零售商的用户"),
                Sensitivity::Sensitive,
            ),
            granular(
                "vendors:read",
                ("Read vendors", "Read vendors"),
                ("读取供应商", "读取供应商"),
                Sensitivity::Normal,
            ),
            granular(
                "stores:write",
                ("Manage stores", "Create, update and delete stores"),
                ("管理门店", "创建、更新和删除门店"),
                Sensitivity::Normal,
            ),
            granular(
                "offers:write",
                ("Manage offers", "Create, update and delete offers"),
                ("管理优惠", "创建、更新和删除优惠"),
                Sensitivity::Normal,
            ),
            granular(
                "campaigns:write",
                ("Manage campaigns", "Create, update and delete campaigns"),
                ("管理活动", "创建、更新和删除活动"),
                Sensitivity::Normal,
            ),
            granular(
                "users:write",
                ("Manage users", "Create, update and delete the retailer's users"),
                ("管理用户", "创建、更新和删除零售商的用户"),
                Sensitivity::Sensitive,
            ),
            granular(
                "vendors:write",
                ("Manage vendors", "Create, update and delete vendors"),
                ("管理供应商", "创建、更新和删除供应商"),
                Sensitivity::Normal,
            ),
            granular(
                "clients:write",
                ("Manage clients", "Register tills, services and apps"),
                ("管理客户端", "注册收银终端、服务和应用"),
                Sensitivity::Sensitive,
            ),
            granular(
                "features:write",
                ("Manage features", "Switch features on and off for retailers"),
                ("管理功能", "为零售商开启或关闭功能"),
                Sensitivity::Sensitive,
            ),
        ],
    },
    BuiltInApi {
        identifier: "https://api.retail.example/shopper",
        name: "Retail Shopper API",
        scopes: &[
            coarse(
                "shopper.read",
                ("Read as a shopper", "Profile, offers, loyalty balance, campaigns"),
                ("顾客读取", "个人资料、优惠、积分余额、活动"),
                &["profile:read", "offers:list", "loyalty:balance:read", "campaigns:list"],
            ),
            coarse(
                "shopper.write",
                ("Act as a shopper", "Update the profile, enrol in campaigns, redeem points"),
                ("顾客操作", "更新资料、参加活动、兑换积分"),
                &["profile:update", "campaigns:enroll", "loyalty:points:redeem"],
            ),
            granular(
                "profile:read",
                ("Read the profile", "Read the shopper's profile"),
                ("读取资料", "读取顾客资料"),
                Sensitivity::Sensitive,
            ),
            granular(
                "offers:list",
                ("List offers", "List the offers for a shopper"),
                ("查看优惠", "查看顾客可用的优惠"),
                Sensitivity::Normal,
            ),
            granular(
                "loyalty:balance:read",
                ("Read the balance", "Read the loyalty balance and tier"),
                ("读取积分余额", "读取积分余额和等级"),
                Sensitivity::Normal,
            ),
            granular(
                "campaigns:list",
                ("List campaigns", "List campaigns"),
                ("查看活动", "查看活动"),
                Sensitivity::Normal,
            ),
            granular(
                "profile:update",
                ("Update the profile", "Update the shopper's profile"),
                ("更新资料", "更新顾客资料"),
                Sensitivity::Sensitive,
            ),
            granular(
                "campaigns:enroll",
                ("Enrol in campaigns", "Enrol the shopper in campaigns"),
                ("参加活动", "为顾客报名参加活动"),
                Sensitivity::Normal,
            ),
            granular(
                "loyalty:points:redeem",
                ("Redeem points", "Spend the shopper's points"),
                ("兑换积分", "使用顾客的积分"),
                Sensitivity::Sensitive,
            ),
        ],
    },
    BuiltInApi {
        identifier: "https://api.retail.example/pos",
        name: "Retail POS API",
        scopes: &[
            coarse(
                "pos.read",
                ("Read at the till", "Member lookup, offer resolution, basket read"),
                ("收银读取", "会员查询、优惠计算、购物篮读取"),
                &["pos:members:read", "pos:offers:resolve", "pos:baskets:read", "pos:receipts:read"],
            ),
            coarse(
                "pos.write",
                ("Sell at the till", "Create baskets, earn and redeem points, finalize"),
                ("收银操作", "创建购物篮、积分累积与兑换、结算"),
                &["pos:baskets:create", "pos:baskets:finalize", "pos:points:earn", "pos:points:redeem"],
            ),
            granular(
                "pos:members:read",
                ("Look up members", "Look up members and their balance"),
                ("查询会员", "查询会员及其余额"),
                Sensitivity::Sensitive,
            ),
            granular(
                "pos:offers:resolve",
                ("Resolve offers", "Work out which offers apply to a basket"),
                ("计算优惠", "计算购物篮适用的优惠"),
                Sensitivity::Normal,
            ),
            granular(
                "pos:baskets:read",
                ("Read baskets", "Read baskets"),
                ("读取购物篮", "读取购物篮"),
                Sensitivity::Normal,
            ),
            BuiltIn {
                name: "pos:receipts:read",
                kind: ScopeKind::Granular,
                en: ("Read receipts", "Read digital receipts"),
                zh: ("读取小票", "读取电子小票"),
                sensitivity: Sensitivity::Normal,
                feature: Some(DIGITAL_RECEIPTS),
                includes: &[],
            },
            granular(
                "pos:baskets:create",
                ("Create baskets", "Create baskets"),
                ("创建购物篮", "创建购物篮"),
                Sensitivity::Normal,
            ),
            granular(
                "pos:baskets:finalize",
                ("Finalize baskets", "Finalize, void and return baskets"),
                ("结算购物篮", "结算、作废和退回购物篮"),
                Sensitivity::Normal,
            ),
            granular(
                "pos:points:earn",
                ("Earn points", "Credit points for a basket"),
                ("累积积分", "为购物篮累积积分"),
                Sensitivity::Normal,
            ),
            granular(
                "pos:points:redeem",
                ("Redeem points", "Spend a member's points at the till"),
                ("兑换积分", "在收银处使用会员积分"),
                Sensitivity::Sensitive,
            ),
        ],
    },
];

type Set = (&'static str, &'static str, &'static [&'static str], &'static [&'static str]);

const RECOMMENDED: &[Set] = &[
    ("pos-terminal", "Full POS terminal", &["pos.read", "pos.write"], &[]),
    ("pos-display", "Display-only terminal", &["pos.read"], &[]),
    ("shopper-app", "Shopper app", &["shopper.read", "shopper.write", "openid"], &[]),
    ("reporting", "Reporting service", &["admin.read"], &[]),
    ("admin-portal", "Admin portal", &["admin.read", "admin.write", "openid"], &[]),
    ("platform-service", "Platform service", &["platform.read", "platform.write"], &[]),
    ("etl", "ETL", &["admin.read"], &["offers:read"]),
    ("registry-reader", "Reads this server's registry", &[ADMIN_READ], &[]),
    ("registry-automation", "Administers this server", &[ADMIN_READ, ADMIN_WRITE], &[]),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_tables_is_well_formed_and_there_once() {
        let mut names: Vec<ScopeToken> = vec![];
        for group in [IDENTITY, ADMIN].into_iter().chain(RETAIL.iter().map(|api| api.scopes)) {
            for scope in group {
                let body = scope.body(None);
                assert!(body.title.get("zh").is_some() && body.description.get("zh").is_some(), "{}", scope.name);
                for member in &body.includes {
                    let member = group.iter().find(|it| it.name == member.as_str());
                    assert!(
                        member.is_some_and(|it| it.kind == ScopeKind::Granular),
                        "{} includes {member:?}",
                        scope.name,
                        member = member.map(|it| it.name)
                    );
                }
                assert!(!names.contains(&body.name), "{}", scope.name);
                names.push(body.name);
            }
        }
        for api in RETAIL {
            let _: ApiIdentifier = parsed(api.identifier);
            let _: Name = parsed(api.name);
        }
        let made = command_line(&[]);
        assert!(made.allowed_scopes.iter().all(|scope| names.contains(scope)), "{made:?}");
        let without = command_line(&[parsed("profile")]);
        assert_eq!(scopes(&without.allowed_scopes), "openid email offline_access admin:read admin:write");
        for (_, _, scopes, or) in RECOMMENDED {
            assert!(scopes.iter().chain(*or).all(|name| names.iter().any(|known| known.as_str() == *name)));
        }
    }

    #[test]
    fn a_set_is_offered_only_where_its_scopes_are_registered() {
        let bare = |name: &str| is_built_in(&parsed(name));
        let offered: Vec<String> = recommended_sets(bare).into_iter().map(|set| set.integration).collect();
        assert_eq!(offered, ["registry-reader", "registry-automation"]);
        let all = recommended_sets(|_| true);
        let etl = all.iter().find(|set| set.integration == "etl").unwrap();
        assert_eq!((scopes(&etl.scopes), scopes(&etl.or)), ("admin.read".to_owned(), "offers:read".to_owned()));
    }

    fn scopes(list: &[ScopeToken]) -> String {
        ambit_protocol::scope::join(list)
    }
}
