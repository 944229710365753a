//! From a request to its handler: request id, authentication, authorisation, metrics, log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{RawPathParams, Request};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use axum::routing::{MethodFilter, MethodRouter, on};
use tokio::time::timeout;

use crate::app::SharedApp;
use crate::context::{Context, read_body};
use crate::credentials;
use crate::failure::Failure;
use crate::identify::identify;
use crate::pages;
use crate::request_id;
use crate::route::{Guard, Route};
use crate::routes;

const TRACE: HeaderName = HeaderName::from_static("traceparent");
/// Maximum time for the body of a request that is refused.
const DRAIN: Duration = Duration::from_secs(1);
/// The most bytes that are read of it.
const MOST_DRAINED: usize = 256 << 10;

/// Returns the router of a server.
pub(crate) fn router(app: &SharedApp) -> Router {
    let mut router = Router::new();
    for route in routes::all() {
        router = router.route(route.path, method_router(app, route));
    }
    let (unknown, wrong) = (Arc::clone(app), Arc::clone(app));
    router
        .fallback(move |request: Request| {
            unmatched(Arc::clone(&unknown), request, StatusCode::NOT_FOUND)
        })
        .method_not_allowed_fallback(move |request: Request| {
            unmatched(Arc::clone(&wrong), request, StatusCode::METHOD_NOT_ALLOWED)
        })
}

fn method_router(app: &SharedApp, route: Route) -> MethodRouter {
    let app = Arc::clone(app);
    let filter = MethodFilter::try_from(route.method.clone()).unwrap_or(MethodFilter::TRACE);
    on(filter, move |params: RawPathParams, request: Request| {
        let (app, route) = (Arc::clone(&app), route.clone());
        let rest: Vec<&str> = params.iter().map(|(_, part)| part).collect();
        let rest = rest.join("/");
        answer(app, route, rest, request)
    })
}

async fn answer(app: SharedApp, route: Route, rest: String, request: Request) -> Response {
    let started = Instant::now();
    let request_id: Arc<str> = request_id::of(request.headers()).into();
    let trace = request.headers().get(TRACE).cloned();
    let method = request.method().clone();
    let mut context =
        Context { app: Arc::clone(&app), identity: None, request_id: Arc::clone(&request_id) };
    let pages = pages::of(route.path);
    let head = pages.map(|pages| (pages, request.headers().clone(), request.uri().clone()));
    let in_progress = app.metrics.begin();
    let result = guarded(&mut context, &route, rest, request).await;
    drop(in_progress);
    let response = match head {
        Some((pages, headers, uri)) => (pages.finish)(&context, &headers, &uri, result),
        None => result.unwrap_or_else(|failure| (route.refused)(failure, &request_id, route.path)),
    };
    let (status, took) = (response.status(), started.elapsed());
    app.metrics.request(&method, route.path, status, took);
    tracing::info!(
        request_id = &*request_id,
        method = method.as_str(),
        route = route.path,
        status = status.as_u16(),
        milliseconds = took.as_millis() as u64,
        "request"
    );
    finish(response, &request_id, trace)
}

async fn guarded(
    context: &mut Context,
    route: &Route,
    rest: String,
    request: Request,
) -> Result<Response, Failure> {
    let admitted = match token(&context.app, route, &request) {
        Ok(token) => admit(context, route, &rest, token).await,
        Err(failure) => Err(failure),
    };
    match admitted {
        Ok(()) => (route.handler)(context.clone(), rest, request).await,
        Err(failure) => {
            drain(request.into_body()).await;
            Err(failure)
        }
    }
}

/// Returns the token of a request, if the route needs one and the server asks for any.
fn token(app: &SharedApp, route: &Route, request: &Request) -> Result<Option<String>, Failure> {
    if matches!(route.guard, Guard::Public) {
        return Ok(None);
    }
    if app.sessions.is_local() && !app.sessions.has(request.headers()) {
        return Err(Failure::unauthorized(
            "cannot sign in: open the page by the link that `larder ui` printed, which works once",
        ));
    }
    if app.guard.is_none() {
        return Ok(None);
    }
    let token = match credentials::token(request.headers(), request.uri())? {
        Some(token) => Some(token),
        None => credentials::session(app, request, pages::of(route.path).is_some())?,
    };
    let missing = "cannot sign in: the request has no token; send `Authorization: Bearer larder_…`";
    token.map(Some).ok_or_else(|| Failure::unauthorized(missing))
}

/// Finds out who asks, and whether it may.
async fn admit(
    context: &mut Context,
    route: &Route,
    rest: &str,
    token: Option<String>,
) -> Result<(), Failure> {
    if let Some(token) = token {
        recognize(context, token).await?;
    }
    if let Guard::On(action, resource) = route.guard {
        context.authorize(action, &resource(rest)?)?;
    }
    Ok(())
}

/// Finds out who a token belongs to.
async fn recognize(context: &mut Context, token: String) -> Result<(), Failure> {
    if let Some(guard) = &context.app.guard {
        context.identity = match guard.access.recent(&token) {
            Some(identity) => Some(identity),
            None => identify(context, token).await?,
        };
    }
    Ok(())
}

/// Reads what is left of a small body: a connection with an unread one is closed, which clients take for a failure of their
/// next request.
async fn drain(body: Body) {
    let _ = timeout(DRAIN, read_body(body, MOST_DRAINED)).await;
}

/// Answers a request that matches no route. Without a token, the answer does not tell whether a route exists.
async fn unmatched(app: SharedApp, request: Request, status: StatusCode) -> Response {
    let request_id: Arc<str> = request_id::of(request.headers()).into();
    let trace = request.headers().get(TRACE).cloned();
    let pages = pages::of(request.uri().path());
    let has_session = pages.is_some() && app.sessions.has(request.headers());
    let token = credentials::token(request.headers(), request.uri());
    let failure = match token {
        Err(failure) => failure,
        Ok(None) if app.sessions.is_local() && !app.sessions.has(request.headers()) => {
            Failure::unauthorized("cannot sign in: the request has no session")
        }
        Ok(None) if app.guard.is_some() && !has_session => {
            Failure::unauthorized("cannot sign in: the request has no token")
        }
        Ok(_) if status == StatusCode::METHOD_NOT_ALLOWED => {
            let message = "cannot answer: the path has no such method";
            Failure::new(status, "method_not_allowed", message)
        }
        Ok(_) => Failure::not_found("cannot answer: there is no such path"),
    };
    app.metrics.request(request.method(), "", failure.status, Duration::ZERO);
    let path = request.uri().path();
    let Some(pages) = pages else {
        return finish(failure.respond(&request_id, path), &request_id, trace);
    };
    let mut context =
        Context { app: Arc::clone(&app), identity: None, request_id: Arc::clone(&request_id) };
    if let Some(token) = app.sessions.token(request.headers()) {
        // Who it is matters for the navigation alone.
        let _ = recognize(&mut context, token).await;
    }
    let response = (pages.finish)(&context, request.headers(), request.uri(), Err(failure));
    finish(response, &request_id, trace)
}

fn finish(mut response: Response, request_id: &str, trace: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(request_id::HEADER, id);
    }
    if let Some(trace) = trace {
        headers.insert(TRACE, trace);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
