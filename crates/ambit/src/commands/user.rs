//! `ambit user`: people.

use std::io::{IsTerminal as _, Read as _};

use ambit_core::password::{LEAST_CHARACTERS, generate};
use ambit_server::entropy::SystemEntropy;
use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use super::{lines, of_tenant, only_one, text, with_given};
use crate::client::{AdminApi, Connection, segment};
use crate::output::{Failure, Output, table};

/// People.
#[derive(Debug, Subcommand)]
pub enum User {
    /// Make a user. They have nothing to sign in with yet.
    Create(Create),
    /// Invite somebody by a letter with a link: makes the user where there is none yet. Once more sends another link, and the one
    /// before is good no more.
    Invite(Invite),
    /// List users.
    List {
        /// Of this tenant only (identifier).
        #[arg(long)]
        tenant_id: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one user, with the groups they are in.
    Show {
        /// Their address or identifier.
        user: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a user sign in no more, and end their sessions and all that they lent.
    Disable {
        /// Their address or identifier.
        user: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Let a user sign in again.
    Enable {
        /// Their address or identifier.
        user: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show the roles of a user, their own and their groups'; with --add and --remove change their own first.
    Roles(Roles),
    /// Give a user another password, which is generated and printed once. They are signed out everywhere.
    Password {
        /// Their address or identifier.
        user: String,
        /// Read the password from standard input instead. There is no argument for it, which others on this machine would see.
        #[arg(long)]
        stdin: bool,
        #[command(flatten)]
        connection: Connection,
    },
}

/// Who is made.
#[derive(Debug, Args)]
pub struct Create {
    /// The address they sign in with.
    email: String,
    /// What people call them.
    #[arg(long)]
    name: Option<String>,
    /// The tenant they belong to (identifier).
    #[arg(long)]
    tenant_id: Option<String>,
    /// The partner they belong to (identifier).
    #[arg(long)]
    partner_id: Option<String>,
    /// Roles of their own.
    #[arg(long = "role")]
    roles: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Who is invited.
#[derive(Debug, Args)]
pub struct Invite {
    #[command(flatten)]
    who: Create,
    /// Make the link of the last letter good no more, instead.
    #[arg(long, conflicts_with_all = ["name", "tenant_id", "partner_id", "roles"])]
    withdraw: bool,
}

/// What changes of somebody's roles.
#[derive(Debug, Args)]
pub struct Roles {
    /// Their address or identifier.
    user: String,
    /// A role to give.
    #[arg(long)]
    add: Vec<String>,
    /// Until when the roles to give are held (RFC 3339); for good where left out.
    #[arg(long, requires = "add")]
    until: Option<String>,
    /// A role to take away.
    #[arg(long)]
    remove: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

impl User {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(output).await,
            Self::Invite(invite) => invite.run(output).await,
            Self::List { tenant_id, connection } => {
                let items = connection.admin().await?.list(&of_tenant("/users", tenant_id.as_deref())).await?;
                let rows: Vec<Vec<String>> = items
                    .iter()
                    .map(|item| {
                        let [email, name, status, id] =
                            ["email", "display_name", "status", "id"].map(|name| text(item, name));
                        vec![email, name, status, roles(item), id]
                    })
                    .collect();
                output.say(&table(&["EMAIL", "NAME", "STATUS", "ROLES", "ID"], &rows), &items)
            }
            Self::Show { user, connection } => {
                let admin = connection.admin().await?;
                let mut item = find(&admin, &user).await?;
                let groups = admin.list(&format!("{}/groups", path(&item))).await?;
                let mut said = shown(&item);
                for group in &groups {
                    let how = if group["direct"] == true { "" } else { ", by another group" };
                    said.push_str(&format!("\n{:<15} {} ({}{how})", "group", text(group, "name"), text(group, "id")));
                }
                item["groups"] = groups.into();
                output.say(&said, &item)
            }
            Self::Disable { user, connection } => set_status(&connection, &user, "disabled", output).await,
            Self::Enable { user, connection } => set_status(&connection, &user, "active", output).await,
            Self::Roles(change) => change.run(output).await,
            Self::Password { user, stdin: true, connection } => {
                // Before anything is asked of anybody.
                let password = read_password()?;
                let admin = connection.admin().await?;
                let found = find(&admin, &user).await?;
                set_password(&admin, &found, &password).await?;
                let said = lines(&found, &["email", "id"], []);
                output.say(
                    &format!("{said}\nThe password is set, and they are signed out everywhere."),
                    &json!({ "id": found["id"], "email": found["email"] }),
                )
            }
            Self::Password { user, stdin: false, connection } => {
                let admin = connection.admin().await?;
                let found = find(&admin, &user).await?;
                let least = least_of(&admin, &found).await?;
                let password = generate(least, &SystemEntropy);
                set_password(&admin, &found, &password).await?;
                let said = lines(&found, &["email", "id"], [("password", password.to_string())]);
                output.say(
                    &format!("{said}\nThe password is shown this once, and they are signed out everywhere."),
                    &json!({ "id": found["id"], "email": found["email"], "password": *password }),
                )
            }
        }
    }
}

impl Create {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let made = self.make(&self.connection.admin().await?, "active").await?;
        output.say(&shown(&made), &made)
    }

    async fn make(&self, admin: &AdminApi, status: &str) -> Result<Value, Failure> {
        let given = [
            ("display_name", self.name.clone()),
            ("tenant_id", self.tenant_id.clone()),
            ("partner_id", self.partner_id.clone()),
        ];
        let body = with_given(json!({ "email": self.email, "status": status }), &self.roles, given);
        admin.post("/users", &body).await
    }
}

impl Invite {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let admin = self.who.connection.admin().await?;
        if self.withdraw {
            let user = find(&admin, &self.who.email).await?;
            admin.delete(&format!("{}/invitation", path(&user))).await?;
            return output.say("withdrawn", &json!({ "user_id": user["id"] }));
        }
        let user = match with_address(&admin, &self.who.email, self.who.tenant_id.as_deref()).await?.as_slice() {
            [] => self.who.make(&admin, "invited").await?,
            [user] => user.clone(),
            _ => {
                return Err(Failure::usage(format!(
                    "'{}' is an address in several tenants: --tenant-id",
                    self.who.email
                )));
            }
        };
        let sent = admin.post(&format!("{}/invitation", path(&user)), &Map::new()).await?;
        output.say(&lines(&sent, &["email", "user_id", "expires_at"], []), &sent)
    }
}

impl Roles {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let admin = self.connection.admin().await?;
        let mut item = find(&admin, &self.user).await?;
        if !self.add.is_empty() || !self.remove.is_empty() {
            let is_changed =
                |grant: &Value| [&self.add, &self.remove].iter().any(|it| it.contains(&text(grant, "role")));
            let mut roles = item["roles"].as_array().cloned().unwrap_or_default();
            roles.retain(|grant| !is_changed(grant));
            roles.extend(self.add.iter().map(|role| json!({ "role": role, "expires_at": self.until })));
            item = admin.patch(&path(&item), &json!({ "roles": roles })).await?;
        }
        let groups = admin.list(&format!("{}/groups", path(&item))).await?;
        let mut rows = rows_of(&item, "");
        for group in &groups {
            rows.extend(rows_of(group, &text(group, "name")));
        }
        output.say(
            &table(&["ROLE", "UNTIL", "BY GROUP"], &rows),
            &json!({ "id": item["id"], "roles": item["roles"], "groups": groups }),
        )
    }
}

fn rows_of(holder: &Value, group: &str) -> Vec<Vec<String>> {
    let roles = holder.get("roles").and_then(Value::as_array).into_iter().flatten();
    roles.map(|grant| vec![text(grant, "role"), text(grant, "expires_at"), group.to_owned()]).collect()
}

async fn set_status(connection: &Connection, user: &str, status: &str, output: Output) -> Result<(), Failure> {
    let admin = connection.admin().await?;
    let found = find(&admin, user).await?;
    let item = admin.patch(&path(&found), &json!({ "status": status })).await?;
    output.say(&shown(&item), &item)
}

async fn set_password(admin: &AdminApi, user: &Value, password: &str) -> Result<(), Failure> {
    admin.put(&format!("{}/password", path(user)), &json!({ "password": password })).await.map(drop)
}

/// The length of a password that a user's tenant asks for.
async fn least_of(admin: &AdminApi, user: &Value) -> Result<u32, Failure> {
    let Some(tenant) = user["tenant_id"].as_str() else { return Ok(LEAST_CHARACTERS) };
    let tenant = admin.get(&format!("/tenants/{}", segment(tenant))).await?;
    let least = tenant["settings"]["password_min_length"].as_u64().and_then(|least| u32::try_from(least).ok());
    Ok(least.unwrap_or(LEAST_CHARACTERS))
}

/// A password, as one line of standard input.
fn read_password() -> Result<Zeroizing<String>, Failure> {
    let stdin = std::io::stdin();
    if stdin.is_terminal() {
        return Err(Failure::usage("--stdin: hand the password in by a pipe or a file; a terminal would show it"));
    }
    let mut text = Zeroizing::new(String::new());
    stdin
        .lock()
        .take(MOST_READ)
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("standard input: {error}")))?;
    let line = text.strip_suffix('\n').map_or(text.as_str(), |line| line.strip_suffix('\r').unwrap_or(line));
    if line.is_empty() || line.contains('\n') {
        return Err(Failure::usage("--stdin: a password is one line"));
    }
    Ok(Zeroizing::new(line.to_owned()))
}

/// The user of an address or an identifier.
pub async fn find(admin: &AdminApi, user: &str) -> Result<Value, Failure> {
    if !user.contains('@') {
        return admin.get(&format!("/users/{}", segment(user))).await;
    }
    let same = with_address(admin, user, None).await?;
    only_one(same, format!("there is no user '{user}'"), &format!("'{user}' is an address in several tenants"))
}

/// Everybody with an address, in a tenant or anywhere.
async fn with_address(admin: &AdminApi, address: &str, tenant_id: Option<&str>) -> Result<Vec<Value>, Failure> {
    let found = admin.list(&format!("/users?q={}", segment(address))).await?;
    let is_theirs = |it: &Value| {
        text(it, "email").to_lowercase() == address.to_lowercase()
            && tenant_id.is_none_or(|tenant| text(it, "tenant_id") == tenant)
    };
    Ok(found.into_iter().filter(is_theirs).collect())
}

/// The roles held directly, in short.
pub fn roles(item: &Value) -> String {
    let roles = item.get("roles").and_then(Value::as_array).into_iter().flatten();
    roles.map(|grant| text(grant, "role")).collect::<Vec<_>>().join(" ")
}

fn shown(item: &Value) -> String {
    let fields = ["email", "id", "display_name", "tenant_id", "partner_id", "status", "email_verified"];
    lines(item, &fields, [("roles", roles(item))])
}

fn path(user: &Value) -> String {
    format!("/users/{}", segment(&text(user, "id")))
}

/// More than any password has: what is longer is turned away by the server, not cut.
const MOST_READ: u64 = 4096;
