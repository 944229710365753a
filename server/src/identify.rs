//! From a token to its owner.

use std::sync::Arc;

use crate::access_cache::Identity;
use crate::context::Context;
use crate::failure::Failure;

/// Reads who a token belongs to; `None` on a server without authentication.
pub(crate) async fn identify(
    context: &Context,
    token: String,
) -> Result<Option<Identity>, Failure> {
    let app = Arc::clone(&context.app);
    #[cfg(feature = "oidc")]
    if let Some(sign_in) = crate::oidc::bearer(&context.app, &token).await? {
        let read = context.blocking(move || match &app.guard {
            Some(guard) => Ok(Some(guard.access.read_by(&token, |it| it.sign_in(&sign_in))?)),
            None => Ok(None),
        });
        return read.await;
    }
    let read = context.blocking(move || match &app.guard {
        Some(guard) => Ok(Some(guard.access.read(&token)?)),
        None => Ok(None),
    });
    read.await
}
