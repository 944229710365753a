//! Health: whether the process lives, and whether it can serve.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use larder_core::store::{RecordKey, StoreExt};

use crate::context::Context;
use crate::failure::Failure;
use crate::route::{Guard, Route};

pub(crate) fn routes() -> Vec<Route> {
    ["/livez", "/v2/health/live"]
        .map(|path| Route::new(Method::GET, path, Guard::Public, live))
        .into_iter()
        .chain(
            ["/readyz", "/v2/health/ready"]
                .map(|path| Route::new(Method::GET, path, Guard::Public, ready)),
        )
        .collect()
}

async fn live(_: Context, _: String, _: Request) -> Result<Response, Failure> {
    Ok("ok\n".into_response())
}

async fn ready(context: Context, _: String, _: Request) -> Result<Response, Failure> {
    readiness(&context).await.map(|()| "ok\n".into_response())
}

/// Succeeds once the store answers, and every deployment serves or has failed with a reason.
///
/// # Errors
/// [`Failure::unavailable`] until then.
pub async fn readiness(context: &Context) -> Result<(), Failure> {
    let app = Arc::clone(&context.app);
    if app.is_ending.load(Ordering::Relaxed) {
        return Err(Failure::unavailable("cannot serve: the server is ending"));
    }
    if let Some(reason) = app.deployer.not_ready() {
        // Anybody may ask; names of deployments are for the log.
        let failure = Failure::unavailable("cannot serve yet: deployments are being loaded");
        return Err(Failure { cause: Some(reason), ..failure });
    }
    let store = Arc::clone(app.larder.store());
    context
        .blocking(move || Ok(store.get_record(&RecordKey::new("names/larder")?).map(drop)?))
        .await
}
