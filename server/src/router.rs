//! From a request to its handler: request id, authentication, authorisation, metrics, log.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use larder_core::{Error, Result};
use tokio::time::timeout;

use crate::app::SharedApp;
use crate::context::{Context, read_body};
use crate::credentials;
use crate::failure::Failure;
use crate::identify::identify;
use crate::mounted::{Mounted, rest};
use crate::pages;
use crate::request_id;
use crate::route::Guard;
use crate::routes;
use crate::traces::Span;

/// The trace that a request belongs to, by W3C Trace Context.
pub(crate) const TRACE: HeaderName = HeaderName::from_static("traceparent");
/// Maximum time for the body of a request that is refused.
const DRAIN: Duration = Duration::from_secs(1);
/// The most bytes that are read of it.
const MOST_DRAINED: usize = 256 << 10;

/// The router of a server. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Router(Arc<Shared>);

struct Shared {
    app: SharedApp,
    /// The routes of each path, one for each method.
    paths: matchit::Router<Vec<Mounted>>,
}

impl Router {
    /// Creates the router of a server.
    ///
    /// # Errors
    /// [`Error::Internal`] for routes that contradict each other.
    pub(crate) fn new(app: &SharedApp) -> Result<Self> {
        let mut by_path: HashMap<&'static str, Vec<Mounted>> = HashMap::new();
        for (number, route) in routes::all().into_iter().enumerate() {
            let mounted = Mounted::new(number, route);
            by_path.entry(mounted.route.path).or_default().push(mounted);
        }
        let mut paths = matchit::Router::new();
        for (path, routes) in by_path {
            let inserted = paths.insert(path, routes);
            inserted.map_err(|error| Error::internal(format!("the route {path}: {error}")))?;
        }
        Ok(Self(Arc::new(Shared { app: Arc::clone(app), paths })))
    }

    /// Answers a request.
    pub(crate) async fn answer(self, request: Request) -> Response {
        let Shared { app, paths } = &*self.0;
        let is_head = request.method() == Method::HEAD;
        let found = paths.at(request.uri().path());
        let found = found.map(|found| (found.value, rest(&found.params)));
        let response = match found {
            Ok((routes, rest)) => match Mounted::of(routes, request.method()) {
                Some(mounted) => answer(app, mounted, rest, request).await,
                None => {
                    let status = StatusCode::METHOD_NOT_ALLOWED;
                    let mut response = Box::pin(unmatched(app, request, status)).await;
                    if response.status() == status {
                        response.headers_mut().insert(header::ALLOW, Mounted::methods(routes));
                    }
                    response
                }
            },
            Err(_) => Box::pin(unmatched(app, request, StatusCode::NOT_FOUND)).await,
        };
        if is_head { without_body(response) } else { response }
    }
}

/// The answer to `HEAD`, which tells the length of the body and has none.
fn without_body(mut response: Response) -> Response {
    let length = response.body().size_hint().exact();
    if let Some(length) = length
        && !response.headers().contains_key(header::CONTENT_LENGTH)
    {
        response.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    *response.body_mut() = Body::empty();
    response
}

async fn answer(
    app: &SharedApp,
    mounted: &Mounted,
    rest: Result<String, Failure>,
    request: Request,
) -> Response {
    let started = Instant::now();
    let route = &mounted.route;
    let request_id: Arc<str> = request_id::of(request.headers());
    let trace = request.headers().get(TRACE).cloned();
    let method = request.method().clone();
    let span = Span::start(app, &request, Some(route.path), &request_id);
    let mut context = Context {
        app: Arc::clone(app),
        identity: None,
        request_id: Arc::clone(&request_id),
        span: span.clone(),
    };
    let in_progress = app.metrics.begin();
    let recognized = recognize(&mut context, mounted, &request);
    let recognized = match recognized {
        // The future is large, and seldom needed.
        Ok(Some(token)) => {
            Box::pin(identify(&context, token)).await.map(|it| context.identity = it)
        }
        Ok(None) => Ok(()),
        Err(failure) => Err(failure),
    };
    let admitted = recognized.and(rest).and_then(|rest| {
        authorize(&context, mounted, &rest)?;
        Ok(rest)
    });
    let page = mounted
        .pages
        .map(|pages| (pages, context.clone(), request.headers().clone(), request.uri().clone()));
    let result = match admitted {
        Ok(rest) => (route.handler)(context, rest, request).await,
        Err(failure) => {
            Box::pin(drain(request.into_body())).await;
            Err(failure)
        }
    };
    drop(in_progress);
    let response = match page {
        Some((pages, context, headers, uri)) => (pages.finish)(&context, &headers, &uri, result),
        None => result.unwrap_or_else(|failure| (route.refused)(failure, &request_id, route.path)),
    };
    let (status, took) = (response.status(), started.elapsed());
    mounted.answered(&app.metrics, &method, status, took);
    span.end(status);
    tracing::info!(
        request_id = &*request_id,
        trace_id = span.trace_id(),
        method = method.as_str(),
        route = route.path,
        status = status.as_u16(),
        milliseconds = took.as_millis() as u64,
        "request"
    );
    finish(response, &request_id, trace, &span)
}

/// Sets the caller, if the cache knows the token. Returns the token if not.
fn recognize(
    context: &mut Context,
    mounted: &Mounted,
    request: &Request,
) -> Result<Option<String>, Failure> {
    let app = &context.app;
    if matches!(mounted.route.guard, Guard::Public) {
        return Ok(None);
    }
    if app.sessions.is_local() && !app.sessions.has(request.headers()) {
        return Err(Failure::unauthorized(
            "cannot sign in: open the page by the link that `larder ui` printed, which works once",
        ));
    }
    let Some(guard) = &app.guard else { return Ok(None) };
    let token = match credentials::token(request.headers(), request.uri())? {
        Some(token) => Some(token),
        None => credentials::session(app, request, mounted.pages.is_some())?.map(Into::into),
    };
    let missing = "cannot sign in: the request has no token; send `Authorization: Bearer larder_…`";
    let token = token.ok_or_else(|| Failure::unauthorized(missing))?;
    context.identity = guard.access.recent(&token);
    Ok(context.identity.is_none().then(|| token.into_owned()))
}

/// Finds out whether the caller may do it.
fn authorize(context: &Context, mounted: &Mounted, rest: &str) -> Result<(), Failure> {
    let Guard::On(action, resource) = mounted.route.guard else { return Ok(()) };
    let allowed = context.identity.as_ref().map(|identity| &identity.allowed);
    if allowed.is_some_and(|allowed| allowed.has(mounted.number, rest)) {
        return Ok(());
    }
    context.authorize(action, &resource(rest)?)?;
    if let Some(allowed) = allowed {
        allowed.add(mounted.number, rest);
    }
    Ok(())
}

/// Reads what is left of a small body: a connection with an unread one is closed, which clients take for a failure of their
/// next request.
async fn drain(body: Body) {
    let _ = timeout(DRAIN, read_body(body, MOST_DRAINED)).await;
}

/// Answers a request that matches no route. Without a token, the answer does not tell whether a route exists.
async fn unmatched(app: &SharedApp, request: Request, status: StatusCode) -> Response {
    let request_id: Arc<str> = request_id::of(request.headers());
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
    let span = Span::start(app, &request, None, &request_id);
    app.metrics.request(request.method(), "", failure.status, Duration::ZERO);
    span.end(failure.status);
    let path = request.uri().path();
    let Some(pages) = pages else {
        return finish(failure.respond(&request_id, path), &request_id, trace, &span);
    };
    let mut context = Context {
        app: Arc::clone(app),
        identity: None,
        request_id: Arc::clone(&request_id),
        span: span.clone(),
    };
    let (headers, uri) = (request.headers().clone(), request.uri().clone());
    drop(request);
    if let (Some(guard), Some(token)) = (&app.guard, app.sessions.token(&headers)) {
        context.identity = guard.access.recent(&token);
        if context.identity.is_none() {
            // Who it is matters for the navigation alone.
            context.identity = identify(&context, token).await.ok().flatten();
        }
    }
    let response = (pages.finish)(&context, &headers, &uri, Err(failure));
    finish(response, &request_id, trace, &span)
}

fn finish(
    mut response: Response,
    request_id: &str,
    trace: Option<HeaderValue>,
    span: &Span,
) -> Response {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(request_id::HEADER, id);
    }
    if let Some(trace) = trace {
        headers.insert(TRACE, trace);
    }
    span.write(headers);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert_with(|| HeaderValue::from_static("no-store"));
    response
}
