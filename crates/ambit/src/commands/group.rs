//! `ambit group`: people who hold roles together.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{text, user};
use crate::client::{AdminApi, Connection, segment};
use crate::output::{Failure, Output, table};

/// Groups of people.
#[derive(Debug, Subcommand)]
pub enum Group {
    /// Make a group without members.
    Create(Create),
    /// List groups.
    List {
        /// Of this tenant only (identifier).
        #[arg(long)]
        tenant_id: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one group, with its members.
    Show {
        /// Its name or identifier.
        group: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Put users and groups into a group.
    Add(Members),
    /// Take users and groups out of a group.
    Remove(Members),
}

/// What is made.
#[derive(Debug, Args)]
pub struct Create {
    /// Name for people.
    name: String,
    /// What it is for.
    #[arg(long)]
    description: Option<String>,
    /// The tenant it belongs to (identifier).
    #[arg(long)]
    tenant_id: Option<String>,
    /// The partner it belongs to (identifier).
    #[arg(long)]
    partner_id: Option<String>,
    /// Roles that all its members hold.
    #[arg(long = "role")]
    roles: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

/// Who goes in or out.
#[derive(Debug, Args)]
pub struct Members {
    /// Its name or identifier.
    group: String,
    /// Users by address or identifier, groups by name or identifier.
    #[arg(required = true)]
    members: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Group {
    pub async fn run(self, output: Output) -> Result<(), Failure> {
        match self {
            Self::Create(create) => create.run(output).await,
            Self::List { tenant_id, connection } => {
                let filter = tenant_id.map(|id| format!("?tenant_id={}", segment(&id))).unwrap_or_default();
                let items = connection.admin().await?.list(&format!("/groups{filter}")).await?;
                let rows: Vec<Vec<String>> = items
                    .iter()
                    .map(|item| vec![text(item, "name"), user::roles(item), text(item, "tenant_id"), text(item, "id")])
                    .collect();
                output.say(&table(&["NAME", "ROLES", "TENANT", "ID"], &rows), &items)
            }
            Self::Show { group, connection } => {
                let admin = connection.admin().await?;
                let item = find(&admin, &group).await?;
                show(&admin, item, output).await
            }
            Self::Add(members) => {
                let admin = members.connection.admin().await?;
                let group = find(&admin, &members.group).await?;
                for member in &members.members {
                    let member = member_id(&admin, member).await?;
                    admin.put(&format!("{}/members/{}", path(&group), segment(&member)), &json!({})).await?;
                }
                show(&admin, group, output).await
            }
            Self::Remove(members) => {
                let admin = members.connection.admin().await?;
                let group = find(&admin, &members.group).await?;
                for member in &members.members {
                    let member = member_id(&admin, member).await?;
                    admin.delete(&format!("{}/members/{}", path(&group), segment(&member))).await?;
                }
                show(&admin, group, output).await
            }
        }
    }
}

impl Create {
    async fn run(self, output: Output) -> Result<(), Failure> {
        let roles: Vec<Value> = self.roles.iter().map(|role| json!({ "role": role })).collect();
        let mut body = json!({ "name": self.name, "roles": roles });
        for (name, value) in
            [("description", self.description), ("tenant_id", self.tenant_id), ("partner_id", self.partner_id)]
        {
            if let Some(value) = value {
                body[name] = value.into();
            }
        }
        let admin = self.connection.admin().await?;
        let made = admin.post("/groups", &body).await?;
        show(&admin, made, output).await
    }
}

/// The group of a name or an identifier.
async fn find(admin: &AdminApi, group: &str) -> Result<Value, Failure> {
    if group.starts_with("grp_") {
        return admin.get(&format!("/groups/{}", segment(group))).await;
    }
    let found = admin.list(&format!("/groups?q={}", segment(group))).await?;
    let same: Vec<Value> = found.into_iter().filter(|it| text(it, "name") == group).collect();
    match same.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::refused(format!("there is no group '{group}'"), None)),
        several => {
            let ids: Vec<String> = several.iter().map(|it| text(it, "id")).collect();
            Err(Failure::usage(format!("several groups are called '{group}': say which of {}", ids.join(", "))))
        }
    }
}

async fn member_id(admin: &AdminApi, member: &str) -> Result<String, Failure> {
    let found = if member.contains('@') || member.starts_with("usr_") {
        user::find(admin, member).await?
    } else {
        find(admin, member).await?
    };
    Ok(text(&found, "id"))
}

async fn show(admin: &AdminApi, mut group: Value, output: Output) -> Result<(), Failure> {
    let members = admin.list(&format!("{}/members", path(&group))).await?;
    let fields = ["name", "id", "description", "tenant_id", "partner_id"];
    let lines = fields.iter().map(|name| (*name, text(&group, name))).chain([("roles", user::roles(&group))]);
    let members_of_it = members.iter().map(|member| ("member", text(member, "member")));
    let lines: Vec<String> = lines
        .chain(members_of_it)
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| format!("{name:<15} {value}"))
        .collect();
    group["members"] = members.into();
    output.say(&lines.join("\n"), &group)
}

fn path(group: &Value) -> String {
    format!("/groups/{}", segment(&text(group, "id")))
}
