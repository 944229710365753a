//! Operations with a body and an answer in MessagePack.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use larder_store_http::protocol::{self, MAX_BODY, MEDIA_TYPE, Request};
use tokio::time::timeout;

use crate::context::{Context, read_body};
use crate::failure::Failure;
use crate::route::{Guard, Route};

/// How long the body of a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(300);

/// Returns the route of an operation, which `run` carries out on a thread that may block.
pub(super) fn route<R: Request + Send + 'static>(
    guard: Guard,
    run: fn(&Context, R) -> Result<R::Answer, Failure>,
) -> Route {
    Route::new(Method::POST, R::ROUTE, guard, move |context, _, request| async move {
        let body = timeout(ARRIVAL, read_body(request.into_body(), MAX_BODY)).await;
        let body = body.map_err(|_| {
            let message = "cannot read the request: its body takes more than five minutes";
            Failure::new(StatusCode::REQUEST_TIMEOUT, "timeout", message)
        })??;
        let work = context.clone();
        let answer = context.blocking(move || {
            let unreadable =
                |reason| Failure::bad_request(format!("cannot read the request: {reason}"));
            let request: R = protocol::decode(&body).map_err(unreadable)?;
            drop(body);
            request.check().map_err(|reason| {
                Failure::too_many(format!("cannot answer the request: {reason}"))
            })?;
            let answer = run(&work, request)?;
            protocol::encode(&answer).map_err(Failure::internal)
        });
        let mut response = Response::new(Body::from(answer.await?));
        let media_type = HeaderValue::from_static(MEDIA_TYPE);
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        Ok(response)
    })
}
