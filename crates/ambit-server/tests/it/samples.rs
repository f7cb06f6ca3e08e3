//! For every route of the admin API a request that is right: about a thing of a given owner, made for this one request.

use axum::http::Method;
use serde_json::{Value, json};

use crate::world::{FEATURE, Owner, World, id, merged};

/// A request, below the admin API's root.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) path: String,
    pub(crate) body: Option<Value>,
    /// What the path names: put in place of the braces of the template, in their order.
    pub(crate) names: Vec<String>,
}

impl World {
    /// A request to a route about a thing of an owner. None where such an owner has no such thing, or the route names nothing
    /// of anybody's and is asked about the platform's only.
    pub(crate) async fn sample(&self, method: &Method, template: &str, owner: Owner) -> Option<Sample> {
        let names = self.names(template, owner).await?;
        let mut path = String::new();
        let mut given = names.iter();
        for segment in template.split('/').skip(1) {
            let is_name = segment.starts_with('{');
            path.push('/');
            path.push_str(if is_name { given.next().expect("a name for each brace") } else { segment });
        }
        if template.ends_with("{secret_id}") {
            path.push_str("?last=true");
        }
        let body = self.body(method, template, owner).await?;
        Some(Sample { path, body: (!body.is_null()).then_some(body), names })
    }

    async fn names(&self, template: &str, owner: Owner) -> Option<Vec<String>> {
        let things = &self.things[&owner];
        let names = match template.split('/').nth(1).unwrap_or_default() {
            _ if !template.contains('{') => vec![],
            "partners" => match owner {
                Owner::North | Owner::South => vec![things.own_id.clone()],
                _ => return None,
            },
            "tenants" if owner.is_tenant() => {
                let feature = template.ends_with("{key}").then(|| FEATURE.to_owned());
                [things.own_id.clone()].into_iter().chain(feature).collect()
            }
            "units" if owner.is_tenant() => {
                let name = self.name(owner);
                let body = json!({"name": name, "slug": name, "kind": "shop"});
                let unit = self.made(Method::POST, &format!("/tenants/{}/units", things.own_id), &body).await;
                let feature = template.ends_with("{key}").then(|| FEATURE.to_owned());
                [id(&unit)].into_iter().chain(feature).collect()
            }
            "features" if owner == Owner::Platform => {
                let key = self.name(owner);
                self.made(Method::POST, "/features", &json!({"key": key, "title": "A"})).await;
                vec![key]
            }
            "apis" => {
                let name = self.name(owner);
                let body = json!({"identifier": format!("https://{name}.example"), "name": name});
                vec![id(&self.made(Method::POST, "/apis", &merged(body, self.owned_by(owner))).await)]
            }
            "scopes" => {
                let name = self.name(owner);
                self.scope(&things.api, &name).await;
                vec![name]
            }
            "applications" => {
                let client_id = self.name(owner);
                let application = id(&self.application(owner, &client_id, &[&things.scope]).await);
                let secrets = format!("/applications/{application}/secrets");
                let part = if template.ends_with("{name}") {
                    Some(things.scope.clone())
                } else if template.ends_with("{secret_id}") {
                    Some(id(&self.made(Method::POST, &secrets, &json!({})).await))
                } else {
                    None
                };
                [application].into_iter().chain(part).collect()
            }
            "users" => {
                let email = format!("{}@people.example", self.name(owner));
                let user = id(&self.user(owner, &email).await);
                if template.ends_with("{credential_id}") {
                    let path = format!("/users/{user}");
                    let body = json!({"password": "a password of a sample"});
                    let set =
                        self.fixture.admin(&self.root, Method::PUT, &format!("{path}/password"), Some(&body)).await;
                    assert_eq!(set.status, 204, "{}", set.text);
                    let all = self.fixture.admin(&self.root, Method::GET, &format!("{path}/credentials"), None).await;
                    vec![user, id(&all.json["items"][0])]
                } else {
                    vec![user]
                }
            }
            "groups" => {
                let (name, email) = (self.name(owner), format!("{}@people.example", self.name(owner)));
                let group = id(&self.group(owner, &name).await);
                if template.ends_with("{member}") {
                    let user = id(&self.user(owner, &email).await);
                    self.join(&group, &user).await;
                    vec![group, user]
                } else {
                    vec![group]
                }
            }
            "administrators" => {
                let client_id = self.name(owner);
                self.application(owner, &client_id, &[]).await;
                vec![self.assign(owner, &client_id, "auditor").await]
            }
            "keys" if owner == Owner::Platform => {
                let keys = self.fixture.admin(&self.root, Method::GET, "/keys", None).await.json;
                let keys = keys["items"].as_array().expect("keys");
                let next = keys.iter().find(|key| key["state"] == "next").expect("a key that stands ready");
                vec![id(next)]
            }
            _ => return None,
        };
        Some(names)
    }

    /// `null` where the route reads none.
    async fn body(&self, method: &Method, template: &str, owner: Owner) -> Option<Value> {
        let things = &self.things[&owner];
        let name = self.name(owner);
        Some(match (method.as_str(), template) {
            ("GET" | "DELETE", _) | ("POST", "/keys/{id}/revoke") => Value::Null,
            ("POST", "/partners" | "/features" | "/keys/rotate") if owner != Owner::Platform => return None,
            ("POST", "/partners") => json!({"name": name, "slug": name}),
            ("POST", "/tenants") => match owner {
                Owner::North | Owner::South => json!({"name": name, "slug": name, "partner_id": things.own_id}),
                _ => return None,
            },
            ("POST", "/users/{id}/invitation") => Value::Null,
            ("POST", "/tenants/{id}/status") => json!({"status": "active"}),
            ("POST", "/tenants/{id}/units") => json!({"name": name, "slug": name, "kind": "shop"}),
            ("POST", "/features") => json!({"key": name, "title": "A feature"}),
            ("PUT", "/groups/{id}/members/{member}") => Value::Null,
            ("PUT", "/users/{id}/password") => json!({"password": "a password of a sample"}),
            ("PUT", _) => json!({"enabled": true}),
            // What names no owner is the caller's own, and so nobody else's thing.
            ("POST", "/apis" | "/users" | "/groups") if owner == Owner::Platform => return None,
            ("POST", "/users") => merged(json!({"email": format!("{name}@people.example")}), self.owned_by(owner)),
            ("POST", "/groups") => merged(json!({"name": name}), self.owned_by(owner)),
            ("POST", "/apis") => {
                let body = json!({"identifier": format!("https://{name}.example"), "name": name});
                merged(body, self.owned_by(owner))
            }
            ("POST", "/scopes") => json!({
                "name": name, "api": things.api, "kind": "granular", "title": name, "description": name,
            }),
            ("POST", "/applications") => merged(
                json!({"name": name, "client_id": name, "type": "service", "level": owner.level()}),
                self.owned_by(owner),
            ),
            ("POST", "/applications/{id}/allowed_scopes") => json!({"scope": things.scope}),
            ("POST", "/applications/{id}/secrets") => json!({}),
            ("POST", "/explain") => json!({"question": "request", "application": things.application}),
            ("POST", "/administrators") => {
                self.application(owner, &name, &[]).await;
                merged(json!({"application": name, "role": "auditor"}), self.owned_by(owner))
            }
            ("POST", "/keys/rotate") => json!({"force": true}),
            ("PATCH", "/features/{key}" | "/scopes/{name}") => json!({"title": name}),
            ("PATCH", "/users/{id}") => json!({"display_name": name}),
            ("PATCH", _) => json!({"name": name}),
            // A route that is new here: its row shows what an empty body gets.
            ("POST", _) if owner == Owner::Platform => json!({}),
            _ => return None,
        })
    }
}
