//! The owner of the request's token.

use axum::Json;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::context::Context;
use crate::failure::Failure;
use crate::route::{Guard, Route};

pub(crate) fn routes() -> Vec<Route> {
    vec![Route::new(Method::GET, "/whoami", Guard::SignedIn, whoami)]
}

async fn whoami(context: Context, _: String, _: Request) -> Result<Response, Failure> {
    let Some(identity) = &context.identity else {
        return Ok(Json(json!({ "name": null, "authenticated": false })).into_response());
    };
    let principal = &identity.principal;
    let grants: Vec<_> = identity
        .rules
        .grants_of(principal)
        .map(|grant| json!({ "role": grant.role, "names": grant.names }))
        .collect();
    let body = json!({
        "name": principal.name,
        "authenticated": true,
        "groups": principal.groups,
        "token": principal.token,
        "scopes": principal.scopes,
        "grants": grants,
    });
    Ok(Json(body).into_response())
}
