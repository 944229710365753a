//! Failures as pages.

use askama::Template;
use axum::http::{HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};

use super::frame::{Frame, render_as};
use super::sign_in::Ways;
use crate::app::App;
use crate::failure::Failure;

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
pub(super) fn respond(app: &App, failure: Failure, request_id: &str, uri: &Uri) -> Response {
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
    let frame = Frame { has_navigation: !is_nobody, ..Frame::bare(heading, String::new()) };
    let screen = Refused {
        frame,
        status: failure.status.as_u16(),
        heading,
        // What a program would have to send is nothing for people.
        message: match is_nobody && app.guard.is_some() {
            true => "You are not signed in, or the session is over.",
            false => &failure.message,
        },
        request_id,
        ways: is_nobody.then(|| Ways::of(app, next)),
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
