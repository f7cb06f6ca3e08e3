//! `ambit group`: people who hold roles together.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{lines, of_tenant, only_one, text, user, with_given};
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
                let items = connection.admin().await?.list(&of_tenant("/groups", tenant_id.as_deref())).await?;
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
        let given = [("description", self.description), ("tenant_id", self.tenant_id), ("partner_id", self.partner_id)];
        let body = with_given(json!({ "name": self.name }), &self.roles, given);
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
    only_one(same, format!("there is no group '{group}'"), &format!("several groups are called '{group}'"))
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
    let in_it = members.iter().map(|member| ("member", text(member, "member")));
    let said = lines(&group, &fields, [("roles", user::roles(&group))].into_iter().chain(in_it));
    group["members"] = members.into();
    output.say(&said, &group)
}

fn path(group: &Value) -> String {
    format!("/groups/{}", segment(&text(group, "id")))
}
