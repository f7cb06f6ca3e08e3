//! A row that is not as it was written: it is refused and named, and the rows beside it are read.

use ambit_core::reach::Reach;
use ambit_core::store::sign_in::{Consent, Grants, Session, Sessions};
use ambit_core::store::{By, ChangeHead, ChangeQuery, Filter, HistorySubject, Reads as _, Row, Store as _, StoreError};
use ambit_protocol::admin::audit::Resource;
use ambit_protocol::time::Timestamp;
use ambit_store::{BackupError, SqlStore};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::backups::{fill, sign_in};
use crate::sign_ins::{code, consent, grant, hash, interaction, one_time_token, refresh_token, session};
use crate::support::{Db, NOUNS, application, at, context, find, insert, partner, row, tenant};

/// The nouns' tables, in the order of [`NOUNS`].
const TABLES: [&str; 16] = [
    "partners",
    "tenants",
    "units",
    "features",
    "tenant_features",
    "unit_features",
    "apis",
    "scopes",
    "applications",
    "secrets",
    "administrators",
    "keys",
    "users",
    "groups",
    "memberships",
    "credentials",
];
const NOUN: [&str; 9] =
    ["id", "natural_key", "parent", "tenant_id", "partner_id", "revision", "document", "sealed", "checksum"];
const CHANGE: [&str; 15] = [
    "revision",
    "position",
    "at",
    "actor",
    "action",
    "resource",
    "resource_id",
    "natural_key",
    "parent",
    "tenant_id",
    "partner_id",
    "trace_id",
    "before",
    "after",
    "checksum",
];

/// What a column of a row held and holds.
#[derive(Debug, Clone)]
enum Value {
    Text(String),
    Number(i64),
    Octets(Vec<u8>),
}

impl Value {
    /// Another one, by a single bit: text stays text.
    fn flipped(&self) -> Self {
        match self {
            Self::Text(text) => {
                let mut octets = text.clone().into_bytes();
                let last = octets.len() - 1;
                octets[last / 2] ^= 1;
                Self::Text(String::from_utf8(octets).unwrap())
            }
            Self::Number(number) => Self::Number(number ^ (1 << 20)),
            Self::Octets(octets) => {
                let mut octets = octets.clone();
                let last = octets.len() - 1;
                octets[last] ^= 1;
                Self::Octets(octets)
            }
        }
    }
}

/// One row of a table, by two columns of which either tells it from the others.
struct Victim<'a> {
    table: &'a str,
    by: [(&'a str, Value); 2],
}

impl Victim<'_> {
    /// By a column that is not the one that is altered.
    fn besides(&self, column: &str) -> &(&str, Value) {
        self.by.iter().find(|(by, _)| *by != column).unwrap()
    }

    async fn read(&self, connection: &mut AnyConnection, column: &str) -> Value {
        let (by, value) = self.besides(column);
        let sql = format!("SELECT {column} FROM {} WHERE {by} = $1", self.table);
        let row = bind(&sql, &[value]).fetch_one(connection).await.unwrap();
        row.try_get(0)
            .map(Value::Text)
            .or_else(|_| row.try_get(0).map(Value::Number))
            .or_else(|_| row.try_get(0).map(Value::Octets))
            .unwrap_or_else(|error| panic!("{}.{column}: {error}", self.table))
    }

    async fn write(&self, connection: &mut AnyConnection, column: &str, to: &Value) {
        let (by, value) = self.besides(column);
        let sql = format!("UPDATE {} SET {column} = $1 WHERE {by} = $2", self.table);
        let done = bind(&sql, &[to, value]).execute(connection).await.unwrap();
        assert_eq!(done.rows_affected(), 1, "{}.{column}", self.table);
    }
}

fn bind(sql: &str, values: &[&Value]) -> sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments> {
    let query = sqlx::query(AssertSqlSafe(sql.to_owned()));
    values.iter().fold(query, |query, value| match value {
        Value::Text(text) => query.bind(text.clone()),
        Value::Number(number) => query.bind(*number),
        Value::Octets(octets) => query.bind(octets.clone()),
    })
}

/// A row that has something in each column.
fn full(resource: Resource) -> Row {
    Row {
        parent: Some("parent".to_owned()),
        tenant_id: Some(tenant(1)),
        partner_id: Some(partner(2)),
        sealed: Some(vec![7; 32]),
        ..row(resource, "victim")
    }
}

#[track_caller]
fn assert_corrupt<T: std::fmt::Debug>(read: Result<T, StoreError>, of: &str, what: &str) {
    match read {
        Err(StoreError::Corrupt { ref id, .. }) if id.contains(of) => {}
        read => panic!("{what}: {read:?}"),
    }
}

pub(crate) async fn a_flipped_bit_in_any_column_spoils_that_row_alone(db: Db) {
    let store = db.store().await;
    for resource in NOUNS {
        insert(&store, [full(resource), row(resource, "neighbour")]).await;
    }
    let mut connection = db.connect().await;
    for (resource, table) in NOUNS.into_iter().zip(TABLES) {
        let by = [("id", Value::Text("victim".to_owned())), ("natural_key", Value::Text("name-of-victim".to_owned()))];
        let victim = Victim { table, by };
        for column in NOUN {
            let what = format!("{table}.{column}");
            let whole = victim.read(&mut connection, column).await;
            let flipped = whole.flipped();
            victim.write(&mut connection, column, &flipped).await;
            let id = match &flipped {
                Value::Text(id) if column == "id" => id.as_str(),
                _ => "victim",
            };
            assert_corrupt(store.find_row(resource, By::Id(id), Reach::Platform).await, id, &what);
            assert!(find(&store, resource, "neighbour").await.is_some(), "{what}");
            let all = Filter::default();
            assert_corrupt(store.list_rows(resource, &all, Reach::Platform).await, id, &what);
            let mut apart = store.list_rows_apart(resource, &all, Reach::Platform).await.unwrap();
            assert_eq!(apart.len(), 2, "{what}");
            let place = apart.iter().position(Result::is_err).unwrap();
            assert_corrupt(apart.remove(place), id, &what);
            assert_eq!(apart.remove(0).unwrap().id, "neighbour", "{what}");
            let found = store.scan().await.unwrap();
            assert_eq!(found.damaged.iter().map(ToString::to_string).collect::<Vec<_>>(), [format!("{table} {id}")]);

            victim.write(&mut connection, column, &whole).await;
            assert!(find(&store, resource, "victim").await.is_some(), "{what}");
        }
    }
    let found = store.scan().await.unwrap();
    assert_eq!((found.whole, found.unchecked, found.damaged.len()), (64, 0, 0));
}

pub(crate) async fn a_change_does_not_build_on_what_was_altered(db: Db) {
    let store = db.store().await;
    insert(&store, [application("app_1"), application("app_2")]).await;
    db.execute("UPDATE applications SET document = '{\"id\":\"app_2\"}' WHERE id = 'app_1'").await;
    let transaction = store.begin(context()).await.unwrap();
    assert_corrupt(transaction.update_row(application("app_1")).await, "app_1", "update");
    assert_corrupt(transaction.delete_row(Resource::Application, "app_1").await, "app_1", "delete");
    // And it goes on with the rest.
    transaction.update_row(application("app_2")).await.unwrap();
    assert_eq!(transaction.commit().await.unwrap(), 2);
}

pub(crate) async fn an_altered_entry_of_the_change_log_spoils_itself_alone(db: Db) {
    let store = db.store().await;
    insert(&store, [full(Resource::Application), application("neighbour")]).await;
    let transaction = store.begin(context()).await.unwrap();
    transaction.update_row(full(Resource::Application)).await.unwrap();
    transaction.commit().await.unwrap();
    let heads = store.changes_after(0, 9).await.unwrap();
    assert_eq!(heads.len(), 3);

    let mut connection = db.connect().await;
    let by = [("revision", Value::Number(2)), ("action", Value::Text("update".to_owned()))];
    let victim = Victim { table: "changes", by };
    for column in CHANGE {
        let whole = victim.read(&mut connection, column).await;
        victim.write(&mut connection, column, &whole.flipped()).await;

        let query = ChangeQuery { limit: 9, ..ChangeQuery::default() };
        assert_corrupt(store.changes(&query, Reach::Platform).await, "change ", column);
        let beside = ChangeQuery { resource_id: Some("neighbour"), ..query };
        assert_eq!(store.changes(&beside, Reach::Platform).await.unwrap().len(), 1, "{column}");
        let history = HistorySubject::One(Resource::Application, "victim");
        if !["resource", "resource_id"].contains(&column) {
            assert_corrupt(store.first_changes_after(1, &history).await, "change ", column);
        }

        // Nobody is told that something else changed: everything is read again. A revision that is to come is not told.
        let told = store.changes_after(0, 9).await.unwrap();
        assert_eq!(told[..2], heads[..2], "{column}");
        let resources: Vec<_> = told[2..].iter().map(|head: &ChangeHead| head.resource).collect();
        let expected: &[Resource] = if column == "revision" { &[] } else { &[Resource::Registry] };
        assert_eq!(resources, expected, "{column}");
        assert!(told.iter().all(|head| head.revision <= 2), "{column}");

        let found = store.scan().await.unwrap();
        assert_eq!((found.damaged.len(), found.damaged[0].table), (1, "changes"), "{column}");
        victim.write(&mut connection, column, &whole).await;
        assert_eq!(store.changes_after(0, 9).await.unwrap(), heads, "{column}");
    }
    assert_eq!(store.scan().await.unwrap().damaged, []);
}

/// Whether it is found.
async fn signed(store: &SqlStore, table: &str) -> Result<bool, StoreError> {
    let sign_ins = store.sign_ins();
    let (lent, agreed) = (grant(1, 1, 1), consent(1, 1, ""));
    Ok(match table {
        "interactions" => sign_ins.find_interaction(&hash("i")).await?.is_some(),
        "sessions" => sign_ins.find_session(&session(1, 1).token).await?.is_some(),
        "codes" => sign_ins.find_code(&code(1).token).await?.is_some(),
        "grants" => sign_ins.find_grant(lent.id).await?.is_some(),
        "refresh_tokens" => sign_ins.find_refresh_token(&hash("refresh")).await?.is_some(),
        "consents" => sign_ins.find_consent(agreed.user_id, agreed.application_id).await?.is_some(),
        "one_time_tokens" => sign_ins.find_one_time_token(&hash("link")).await?.is_some(),
        other => panic!("no table {other}"),
    })
}

pub(crate) async fn what_people_lent_is_never_more_by_a_flipped_bit(db: Db) {
    let store = db.store().await;
    sign_in(&store).await;
    // Times that every use sets, and marks that are set once, are not covered.
    let covered: [(&str, &[&str]); 7] = [
        ("interactions", &["id", "browser", "version", "expires_at", "document", "checksum"]),
        ("sessions", &["id", "token", "user_id", "created_at", "document", "checksum"]),
        ("codes", &["token", "grant_id", "expires_at", "document", "checksum"]),
        (
            "grants",
            &["id", "application_id", "client_id", "user_id", "created_at", "expires_at", "document", "checksum"],
        ),
        ("refresh_tokens", &["token", "grant_id", "expires_at", "checksum"]),
        ("consents", &["user_id", "application_id", "updated_at", "document", "checksum"]),
        ("one_time_tokens", &["token", "purpose", "subject", "expires_at", "document", "checksum"]),
    ];
    let mut connection = db.connect().await;
    for (table, columns) in covered {
        // A column that is another's key is written by the one beside it.
        let ends_at = |at: Timestamp| Value::Number(at.millis());
        let by = match table {
            "consents" => {
                [("updated_at", ends_at(at(0))), ("user_id", Value::Text(consent(1, 1, "").user_id.to_string()))]
            }
            "codes" => [("expires_at", ends_at(at(60))), ("spent_at", ends_at(at(5)))],
            "refresh_tokens" => {
                [("expires_at", ends_at(at(5_000))), ("grant_id", Value::Text(grant(1, 1, 1).id.to_string()))]
            }
            "grants" => [("expires_at", ends_at(at(10_000))), ("client_id", Value::Text("till-1".to_owned()))],
            "sessions" => [("seen_at", ends_at(at(1))), ("expires_at", ends_at(at(600)))],
            "interactions" => [("expires_at", ends_at(at(600))), ("version", Value::Number(1))],
            _ => [("expires_at", ends_at(at(600))), ("purpose", Value::Text("reset".to_owned()))],
        };
        let victim = Victim { table, by };
        assert!(signed(&store, table).await.unwrap(), "{table}");
        for column in columns {
            let what = format!("{table}.{column}");
            let whole = victim.read(&mut connection, column).await;
            victim.write(&mut connection, column, &whole.flipped()).await;
            match signed(&store, table).await {
                Err(StoreError::Corrupt { .. }) => {}
                // What it is found by.
                Ok(false) if !["document", "expires_at", "checksum"].contains(column) => {}
                read => panic!("{what}: {read:?}"),
            }
            if *column == "document" {
                let found = store.scan().await.unwrap();
                assert_eq!((found.damaged.len(), found.damaged[0].table), (1, table), "{what}");
            }
            victim.write(&mut connection, column, &whole).await;
            assert!(signed(&store, table).await.unwrap(), "{what}");
        }
    }
    let found = store.scan().await.unwrap();
    assert_eq!((found.whole, found.unchecked, found.damaged.len()), (7, 0, 0));

    // Whoever cannot use an altered session can end it.
    db.execute("UPDATE sessions SET document = '{}'").await;
    let ended = store.sign_ins().end_sessions(Sessions::One(session(1, 1).id), at(9), at(99));
    assert_eq!(ended.await.unwrap().len(), 1);
}

pub(crate) async fn steps_of_people_keep_their_checksums_true(db: Db) {
    let store = db.store().await;
    let sign_ins = store.sign_ins();
    sign_in(&store).await;
    assert!(sign_ins.advance_interaction(&interaction("i")).await.unwrap());
    let moved = Session { token: hash("new"), document: "{}".to_owned(), ..session(1, 1) };
    assert!(sign_ins.change_session(&moved).await.unwrap());
    let used = Session { seen_at: at(50), expires_at: at(900), ..moved };
    assert!(sign_ins.touch_session(&used).await.unwrap());
    let next = refresh_token("next", 1);
    sign_ins.rotate_refresh_token(&hash("refresh"), at(9), &next).await.unwrap();
    let agreed = Consent { updated_at: at(9), ..consent(1, 1, "[]") };
    let before = sign_ins.find_consent(agreed.user_id, agreed.application_id).await.unwrap();
    assert!(sign_ins.keep_consent(&agreed, before.as_ref()).await.unwrap());
    sign_ins.issue_one_time_token(&one_time_token("link 2", "reset", "ann")).await.unwrap();
    assert!(sign_ins.use_one_time_token(&hash("link 2"), at(9)).await.unwrap());
    let found = store.scan().await.unwrap();
    assert_eq!((found.whole, found.unchecked, found.damaged.len()), (8, 0, 0));
    assert_eq!(sign_ins.find_session(&hash("new")).await.unwrap(), Some(used));

    // A grant that ended is kept for a while with another end.
    assert_eq!(sign_ins.end_grants(Grants::One(grant(1, 1, 1).id), at(9), at(99)).await.unwrap(), 1);
    assert!(sign_ins.find_grant(grant(1, 1, 1).id).await.unwrap().unwrap().ended_at.is_some());
    assert_eq!(store.scan().await.unwrap().damaged, []);
}

pub(crate) async fn a_row_without_a_checksum_is_read_and_gets_one_when_it_is_changed(db: Db) {
    let store = db.store().await;
    fill(&store).await;
    let signed_in = ["interactions", "sessions", "codes", "grants", "refresh_tokens", "consents", "one_time_tokens"];
    for table in TABLES.iter().chain(&signed_in).chain(&["changes"]) {
        db.execute(&format!("UPDATE {table} SET checksum = NULL")).await;
    }
    for resource in NOUNS {
        assert!(find(&store, resource, "full").await.is_some());
    }
    for table in signed_in {
        assert!(signed(&store, table).await.unwrap(), "{table}");
    }
    let query = ChangeQuery { limit: 100, ..ChangeQuery::default() };
    assert_eq!(store.changes(&query, Reach::Platform).await.unwrap().len(), 33);
    let found = store.scan().await.unwrap();
    assert_eq!((found.whole, found.unchecked, found.damaged.len()), (0, 31 + 33 + 7, 0));

    let transaction = store.begin(context()).await.unwrap();
    transaction.update_row(full(Resource::Scope)).await.unwrap_err();
    transaction.update_row(row(Resource::Scope, "full")).await.unwrap();
    transaction.commit().await.unwrap();
    let found = store.scan().await.unwrap();
    assert_eq!((found.whole, found.unchecked), (2, 30 + 33 + 7));
    db.execute("UPDATE scopes SET document = '{}' WHERE id = 'full'").await;
    assert_eq!(store.scan().await.unwrap().damaged[0].to_string(), "scopes full");
}

/// What PostgreSQL does not take from anybody, but a disk may give to either.
pub(crate) async fn octets_that_are_no_text_spoil_their_row_alone(db: Db) {
    if !db.is_sqlite() {
        return;
    }
    let store = db.store().await;
    insert(&store, [application("app_1"), application("app_2"), application("app_3")]).await;
    let broken = "CAST(X'7bff7d' AS TEXT)";
    db.execute(&format!("UPDATE applications SET document = {broken} WHERE id = 'app_1'")).await;
    db.execute(&format!("UPDATE applications SET id = {broken} WHERE id = 'app_2'")).await;
    db.execute(&format!("UPDATE changes SET actor = {broken} WHERE position = 1")).await;

    let by = By::Id("app_1");
    assert_corrupt(store.find_row(Resource::Application, by, Reach::Platform).await, "app_1", "find");
    assert!(find(&store, Resource::Application, "app_3").await.is_some());
    let rows = store.list_rows_apart(Resource::Application, &Filter::default(), Reach::Platform).await.unwrap();
    let read: Vec<_> = rows.iter().flatten().map(|row| row.id.as_str()).collect();
    assert_eq!((rows.len(), read), (3, vec!["app_3"]));
    let told = store.changes_after(0, 9).await.unwrap();
    let told: Vec<_> = told.iter().map(|head| head.resource).collect();
    assert_eq!(told, [Resource::Application, Resource::Registry, Resource::Application]);
    let query = ChangeQuery { limit: 9, ..ChangeQuery::default() };
    assert_corrupt(store.changes(&query, Reach::Platform).await, "change 1/1", "changes");
    let found = store.scan().await.unwrap();
    let named: Vec<_> = found.damaged.iter().map(ToString::to_string).collect();
    assert_eq!(named, ["applications app_1", "applications {\u{fffd}}", "changes 1/1"]);
    match store.backup(&mut tokio::io::sink(), at(9)).await {
        Err(BackupError::Store(StoreError::Corrupt { id, .. })) => assert!(id.contains("applications"), "{id}"),
        backup => panic!("{backup:?}"),
    }
}

pub(crate) async fn what_was_altered_stays_refused_after_a_restore_and_the_rest_stays_whole(db: Db) {
    let (store, restored) = (db.store().await, db.sibling().await.open().await);
    fill(&store).await;
    db.execute("UPDATE keys SET document = '{\"id\":\"bare\"}' WHERE id = 'full'").await;
    db.execute("UPDATE changes SET actor = 'client:opt' WHERE revision = 2").await;
    let mut backup = Vec::new();
    store.backup(&mut backup, at(100)).await.unwrap();
    restored.restore(&mut backup.as_slice(), at(200)).await.unwrap();

    assert_corrupt(restored.find_row(Resource::Key, By::Id("full"), Reach::Platform).await, "full", "keys");
    assert!(find(&restored, Resource::Key, "bare").await.is_some());
    let found = restored.scan().await.unwrap();
    let named: Vec<_> = found.damaged.iter().map(ToString::to_string).collect();
    assert_eq!(named, ["keys full", "changes 2/0"]);
    // Of what people did a restore leaves consents; and it logs itself.
    assert_eq!((found.whole, found.unchecked), (30 + 33 + 1, 0));
}

pub(crate) async fn rows_loaded_in_bulk_have_checksums(db: Db) {
    let store = db.store().await;
    store.bulk_insert(&context(), (0..300).map(|n| application(&format!("app_{n}")))).await.unwrap();
    let found = store.scan().await.unwrap();
    assert_eq!((found.whole, found.unchecked, found.damaged.len()), (301, 0, 0));
}
