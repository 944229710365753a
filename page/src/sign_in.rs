//! Sign-in by a pasted token or the one-time link of one's own machine, and sign-out. Single sign-on has routes of its own.

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::forms::Form;
use crate::frame::{Frame, render, render_as, see};
use crate::paths::is_page;
use crate::query::{Parameters, url};

pub(crate) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/ui/signin", Guard::Public, screen),
        Route::new(Method::POST, "/ui/signin", Guard::Public, begin),
        Route::new(Method::POST, "/ui/signout", Guard::SignedIn, end),
        Route::new(Method::GET, "/ui/enter/{*rest}", Guard::Public, enter),
    ]
}

/// The ways to sign in at a server.
#[derive(Debug)]
pub(crate) struct Ways {
    pub(crate) by_token: bool,
    /// The path that leads to the provider of identities.
    pub(crate) single_sign_on: Option<String>,
    /// The page to go to.
    pub(crate) next: String,
}

impl Ways {
    pub(crate) fn of(context: &Context, next: &str) -> Self {
        let next = page(next).to_owned();
        let has_provider = context.has_single_sign_on();
        Self {
            by_token: context.has_authentication(),
            single_sign_on: has_provider.then(|| url("/login", &[("next", &next)])),
            next,
        }
    }
}

/// Returns a screen of the page, whatever a link asks for.
fn page(asked: &str) -> &str {
    let is_screen = asked != "/"
        && is_page(asked.split(['?', '#']).next().unwrap_or_default())
        && asked.len() <= 1_000
        && asked.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !["/ui/signin", "/ui/signout", "/ui/enter"].iter().any(|it| asked.starts_with(it));
    if is_screen { asked } else { "/ui" }
}

#[derive(Template)]
#[template(path = "signin.html")]
struct Screen {
    frame: Frame,
    ways: Ways,
    error: Option<String>,
}

async fn screen(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    // A token in the URL is refused here too.
    context.browser(request.headers()).check_url(request.uri())?;
    let ways = Ways::of(&context, Parameters::of(&request).get("next"));
    let frame = Frame::bare(&context, request.headers(), "Sign in");
    render(&Screen { frame, ways, error: None })
}

async fn begin(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let form = Form::read_first(&context, request).await?;
    let (token, next) = (form.get("token").trim().to_owned(), page(form.get("next")).to_owned());
    let cookie = match context.browser(&headers).sign_in(token).await {
        Ok(cookie) => cookie,
        Err(failure) if failure.status == StatusCode::UNAUTHORIZED => {
            let frame = Frame::bare(&context, &headers, "Sign in");
            let ways = Ways::of(&context, &next);
            let screen = Screen { frame, ways, error: Some(failure.message) };
            return render_as(StatusCode::UNAUTHORIZED, &screen);
        }
        Err(failure) => return Err(failure),
    };
    let mut response = see(&next)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Ends the session.
async fn end(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    Form::read(&context, request).await?;
    let mut response = see("/ui/signin")?;
    if let Some(cleared) = context.browser(&headers).sign_out().await? {
        response.headers_mut().append(header::SET_COOKIE, cleared);
    }
    Ok(response)
}

/// Begins the session of the user of this machine.
async fn enter(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let cookie = context.browser(request.headers()).enter(&rest)?;
    let mut response = see("/ui")?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_ends_on_a_screen() {
        for own in ["/ui", "/ui/name/house/price", "/ui?names=a%20b&tag=prod"] {
            assert_eq!(page(own), own);
        }
        for other in ["", "/", "//evil", "/uix", "https://evil/ui", "/ui/signout", "/ui/\r\nx"] {
            assert_eq!(page(other), "/ui", "{other:?}");
        }
    }
}
