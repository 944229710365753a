//! Who may do what: to a name, and in the larder.

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::{LarderAccess, PolicyVersion, Principal, Resource, Rules, UserInfo};
use larder_core::Identifier;
use larder_core::store::Action;
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_text::clean;

use crate::frame::{Frame, render};
use crate::view::{Tabs, When, plain};

/// The maximum number of users on a page.
const MOST_USERS: usize = 300;

pub(crate) fn routes() -> Vec<Route> {
    let of_name = Guard::On(Action::Administer, crate::paths::named);
    vec![
        Route::new(Method::GET, "/ui/access", Guard::larder(Action::Administer), larder),
        Route::new(Method::GET, "/ui/access/{*rest}", of_name, name),
    ]
}

/// The permissions of a user on a name.
struct Row {
    user: String,
    kind: String,
    groups: String,
    /// For each action, whether it may.
    cells: Vec<bool>,
    /// Each grant or policy that decides, with the actions that it allows or forbids.
    because: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "access_name.html")]
struct Name {
    frame: Frame,
    tabs: Tabs,
    actions: Vec<&'static str>,
    rows: Vec<Row>,
    left_out: usize,
}

async fn name(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let name: Identifier = rest.parse()?;
    let larder = context.larder().clone();
    let read = context.blocking(move || {
        let access = larder.access();
        Ok((access.users()?, access.rules()?))
    });
    let (users, rules) = read.await?;
    let resource = Resource::Name(name.clone());
    render(&Name {
        frame: Frame::new(&context, request.headers(), format!("Access to {name}"), "/ui").await,
        tabs: Tabs::new(&context, &name, &name, "access"),
        actions: Action::ALL.map(Action::as_str).into(),
        rows: users.iter().take(MOST_USERS).map(|user| row(user, &rules, &resource)).collect(),
        left_out: users.len().saturating_sub(MOST_USERS),
    })
}

fn row(user: &UserInfo, rules: &Rules, resource: &Resource) -> Row {
    let principal = Principal {
        name: user.name.clone(),
        groups: user.groups.clone(),
        token: None,
        scopes: None,
    };
    let decisions =
        Action::ALL.map(|action| (action, rules.authorize(&principal, action, resource)));
    let mut because: Vec<(String, String)> = Vec::new();
    for (action, decision) in &decisions {
        // What nobody granted needs no words.
        if !decision.is_allowed() && decision.because().starts_with("no grant") {
            continue;
        }
        let text = plain(decision.because());
        match because.iter_mut().find(|(known, _)| *known == text) {
            Some((_, actions)) => *actions += &format!(", {action}"),
            None => because.push((text, action.to_string())),
        }
    }
    Row {
        user: user.name.to_string(),
        kind: user.kind.to_string(),
        groups: joined(user.groups.iter()),
        cells: decisions.iter().map(|(_, decision)| decision.is_allowed()).collect(),
        because,
    }
}

fn joined<T: ToString>(all: impl Iterator<Item = T>) -> String {
    all.map(|it| it.to_string()).collect::<Vec<_>>().join(", ")
}

struct User {
    name: String,
    kind: String,
    groups: String,
    created: When,
}

struct Grant {
    subject: String,
    role: &'static str,
    names: String,
    created: When,
}

#[derive(Template)]
#[template(path = "access.html")]
struct Larder {
    frame: Frame,
    is_guarded: bool,
    users: Vec<User>,
    left_out: usize,
    groups: Vec<String>,
    grants: Vec<Grant>,
    policies: Option<(u64, When, String)>,
}

async fn larder(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let larder = context.larder().clone();
    let read = context.blocking(move || {
        let access = larder.access();
        Ok((access.users()?, access.groups()?, access.rules()?, access.policies(None)?))
    });
    let (users, groups, rules, policies) = read.await?;
    let user = |user: &UserInfo| User {
        name: user.name.to_string(),
        kind: user.kind.to_string(),
        groups: joined(user.groups.iter()),
        created: When::new(user.created),
    };
    let grants = rules.grants().iter().map(|grant| Grant {
        subject: grant.subject.to_string(),
        role: grant.role.as_str(),
        names: grant.names.clone(),
        created: When::new(grant.created),
    });
    let policies = policies.map(|PolicyVersion { number, text, created }| {
        let lines: Vec<_> = text.lines().map(clean).collect();
        (number, When::new(created), lines.join("\n"))
    });
    render(&Larder {
        frame: Frame::new(&context, request.headers(), "Access", "/ui/access").await,
        is_guarded: context.has_authentication(),
        users: users.iter().take(MOST_USERS).map(user).collect(),
        left_out: users.len().saturating_sub(MOST_USERS),
        groups: groups.iter().map(ToString::to_string).collect(),
        grants: grants.collect(),
        policies,
    })
}
