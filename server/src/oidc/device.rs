//! Command lines: the device flow. The client asks the provider itself, and changes the identity token for one of the larder.

use std::time::{Duration, SystemTime};

use axum::Json;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{claims, of, open_session};
use crate::context::{Context, read_body};
use crate::failure::Failure;
use crate::route::{Guard, Route};

/// The lifetime of a token.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The maximum age of an identity token, in seconds.
const RECENT: u64 = 10 * 60;
/// The maximum number of bytes of a body.
const MOST_BODY: usize = 64 << 10;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/login/device", Guard::Public, provider),
        Route::new(Method::POST, "/login/device", Guard::Public, exchange),
    ]
}

/// Tells a client where to sign in.
async fn provider(context: Context, _: String, _: Request) -> Result<Response, Failure> {
    let oidc = of(&context.app)?;
    let discovery = oidc.provider.discovery().await?;
    let Some(device) = &discovery.device_authorization_endpoint else {
        let message = "cannot sign in: the provider of identities has no device flow";
        return Err(Failure::not_found(message));
    };
    let body = json!({
        "device_authorization_endpoint": device.as_str(),
        "token_endpoint": discovery.token_endpoint.as_str(),
        "client_id": oidc.options.device_client(),
        "scope": "openid email profile",
    });
    Ok(Json(body).into_response())
}

/// The tokens that a client got from the provider.
#[derive(Deserialize)]
struct Given {
    id_token: String,
    access_token: Option<String>,
}

/// Gives a token of the larder for an identity token.
async fn exchange(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let oidc = of(&context.app)?;
    let body = read_body(request.into_body(), MOST_BODY).await?;
    let given: Given = serde_json::from_slice(&body)
        .map_err(|_| Failure::bad_request("cannot sign in: the body has no `id_token`"))?;
    let claims = oidc.verify(&[oidc.options.device_client()], &given.id_token).await?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let issued = claims.get("iat").and_then(Value::as_u64).unwrap_or_default();
    // A token that was stolen long ago does not become one that lives longer.
    if now.as_secs().saturating_sub(issued) > RECENT {
        return Err(Failure::unauthorized("cannot sign in: the token is too old; sign in again"));
    }
    let claims = oidc.completed(claims, given.access_token.as_deref()).await?;
    let sign_in = claims::sign_in(&claims, &oidc.options)?;
    let (principal, token) = open_session(&context, sign_in, "command line", LIFETIME).await?;
    let body = json!({
        "token": token.secret,
        "user": principal.name,
        "expires": token.info.expires,
    });
    Ok(Json(body).into_response())
}
