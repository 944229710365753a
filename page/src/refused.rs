//! Failures as pages.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use larder_server::extend::{Context, Failure};

use crate::frame::{Frame, render_as};
use crate::sign_in::Ways;

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'a> {
    frame: Frame,
    status: u16,
    heading: &'static str,
    message: &'a str,
    request_id: &'a str,
    /// The ways to sign in, for who is not.
    ways: Option<Ways>,
}

/// The answer to a request that failed, as a page.
pub(crate) fn respond(
    context: &Context,
    headers: &HeaderMap,
    uri: &Uri,
    failure: Failure,
) -> Response {
    let is_nobody = failure.status == StatusCode::UNAUTHORIZED;
    let heading = match failure.status {
        StatusCode::UNAUTHORIZED => "Sign in",
        StatusCode::FORBIDDEN => "Not allowed",
        StatusCode::NOT_FOUND => "Not found",
        StatusCode::GONE => "Removed",
        status if status.is_server_error() => "Something failed",
        _ => "Not done",
    };
    let next = uri.path_and_query().map_or("/ui", |it| it.as_str());
    let request_id = context.request_id();
    let screen = Refused {
        frame: match is_nobody {
            true => Frame::bare(context, headers, heading),
            false => Frame::at_once(context, headers, heading, ""),
        },
        status: failure.status.as_u16(),
        heading,
        // What a program would have to send is nothing for people.
        message: match is_nobody && context.has_authentication() {
            true => "You are not signed in, or the session is over.",
            false => &failure.message,
        },
        request_id,
        ways: is_nobody.then(|| Ways::of(context, next)),
    };
    let page = render_as(failure.status, &screen);
    // What the log keeps, and the headers, are those of any failure.
    let mut response = failure.respond(request_id, "/ui");
    match page {
        Ok(page) => {
            let (parts, body) = page.into_parts();
            let html = parts.headers.get(header::CONTENT_TYPE).cloned();
            let html = html.unwrap_or(HeaderValue::from_static("text/html"));
            *response.body_mut() = body;
            response.headers_mut().insert(header::CONTENT_TYPE, html);
            response.headers_mut().remove(header::CONTENT_LENGTH);
            response
        }
        Err(failure) => failure.respond(request_id, "/ui").into_response(),
    }
}
