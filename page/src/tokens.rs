//! Tokens: those of the user, and of all for who administers the larder.

use std::cmp::Reverse;
use std::time::SystemTime;

use askama::Template;
use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::{LarderAccess, Resource, TokenInfo};
use larder_core::store::Action;
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::frame::{Frame, render};
use crate::view::{When, plain};

/// The maximum number of tokens on the page, the newest.
const MOST: usize = 200;

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/ui/tokens", Guard::SignedIn, tokens)]
}

struct Token {
    id: String,
    owner: String,
    label: String,
    scopes: String,
    created: When,
    expires: Option<When>,
    state: &'static str,
    is_own: bool,
}

#[derive(Template)]
#[template(path = "tokens.html")]
struct Screen {
    frame: Frame,
    is_all: bool,
    tokens: Vec<Token>,
    left_out: usize,
}

async fn tokens(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let is_all = context.may(Action::Administer, &Resource::Larder);
    let principal = context.principal().cloned();
    let (larder, owner) = (context.larder().clone(), principal.clone());
    let read = context.blocking(move || {
        let owner = owner.as_ref().filter(|_| !is_all).map(|owner| &owner.name);
        Ok(larder.access().tokens(owner)?)
    });
    let mut found = read.await?;
    found.sort_by_key(|token| Reverse(token.created));
    let own = principal.and_then(|principal| principal.token.clone());
    render(&Screen {
        frame: Frame::new(&context, request.headers(), "Tokens", "/ui/tokens").await,
        is_all,
        left_out: found.len().saturating_sub(MOST),
        tokens: found.iter().take(MOST).map(|it| token(it, own.as_deref())).collect(),
    })
}

fn token(token: &TokenInfo, own: Option<&str>) -> Token {
    let now = SystemTime::now();
    let scopes = token.scopes.as_ref().map(|scopes| {
        let scope = scopes.iter().map(|scope| format!("{} on {}", scope.role, scope.names));
        scope.collect::<Vec<_>>().join(", ")
    });
    let is_over = token.expires.is_some_and(|at| at.as_system_time() <= now);
    Token {
        id: token.id.clone(),
        owner: token.owner.to_string(),
        label: plain(&token.label),
        scopes: scopes.unwrap_or_else(|| "all of its owner".into()),
        created: When::new(token.created),
        expires: token.expires.map(When::new),
        state: match (token.revoked.is_some(), is_over) {
            (true, _) => "revoked",
            (false, true) => "expired",
            (false, false) => "valid",
        },
        is_own: own == Some(token.id.as_str()),
    }
}
