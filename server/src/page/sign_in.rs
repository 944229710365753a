//! Sign-in by a pasted token or the one-time link of one's own machine, and sign-out. Single sign-on has routes of its own.

use askama::Template;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::Response;

use super::forms::Form;
use super::frame::{Frame, form_token, render, render_as, see};
use super::query::{Parameters, url};
use crate::app::App;
use crate::context::Context;
use crate::credentials;
use crate::failure::Failure;
use crate::identify::identify;
use crate::route::{Guard, Route};

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(Method::GET, "/ui/signin", Guard::Public, screen),
        Route::new(Method::POST, "/ui/signin", Guard::Public, begin),
        Route::new(Method::POST, "/ui/signout", Guard::SignedIn, end),
        Route::new(Method::GET, "/ui/enter/{*rest}", Guard::Public, enter),
    ]
}

/// The ways to sign in at a server.
#[derive(Debug)]
pub(super) struct Ways {
    pub(super) by_token: bool,
    /// The path that leads to the provider of identities.
    pub(super) single_sign_on: Option<String>,
    /// The page to go to.
    pub(super) next: String,
}

impl Ways {
    pub(super) fn of(app: &App, next: &str) -> Self {
        let next = page(next).to_owned();
        #[cfg(feature = "oidc")]
        let has_provider = crate::oidc::of(app).is_ok();
        #[cfg(not(feature = "oidc"))]
        let has_provider = false;
        Self {
            by_token: app.guard.is_some(),
            single_sign_on: has_provider.then(|| url("/login", &[("next", &next)])),
            next,
        }
    }
}

/// Returns a screen of the page, whatever a link asks for.
fn page(asked: &str) -> &str {
    let is_screen = asked != "/"
        && super::is_page(asked.split(['?', '#']).next().unwrap_or_default())
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
    credentials::token(request.headers(), request.uri())?;
    let ways = Ways::of(&context.app, Parameters::of(&request).get("next"));
    let token = form_token(&context.app, request.headers());
    render(&Screen { frame: Frame::bare("Sign in", token), ways, error: None })
}

async fn begin(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    let form = Form::read_first(&context, request).await?;
    let (token, next) = (form.get("token").trim().to_owned(), page(form.get("next")).to_owned());
    let found = match token.is_empty() {
        true => Err(Failure::unauthorized("cannot sign in: paste a token")),
        false => identify(&context, token.clone()).await,
    };
    match found {
        Ok(Some(_)) => {}
        Ok(None) => {
            return Err(Failure::not_found("cannot sign in: the server asks for no tokens"));
        }
        Err(failure) if failure.status == StatusCode::UNAUTHORIZED => {
            let frame = Frame::bare("Sign in", form_token(&context.app, &headers));
            let ways = Ways::of(&context.app, &next);
            let screen = Screen { frame, ways, error: Some(failure.message) };
            return render_as(StatusCode::UNAUTHORIZED, &screen);
        }
        Err(failure) => return Err(failure),
    }
    // A session that the browser had before ends.
    context.app.sessions.end(&headers)?;
    let cookie = context.app.sessions.begin(Some(token))?;
    let mut response = see(&next)?;
    response.headers_mut().append(header::SET_COOKIE, cookie);
    Ok(response)
}

/// Ends the session. A pasted token stays valid; the token that single sign-on made is revoked.
async fn end(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let headers = request.headers().clone();
    Form::read(&context, request).await?;
    let mut response = see("/ui/signin")?;
    if let Some(cleared) = context.app.sessions.end(&headers)? {
        response.headers_mut().append(header::SET_COOKIE, cleared);
        return Ok(response);
    }
    #[cfg(feature = "oidc")]
    if let Some(cleared) = crate::oidc::end_session(&context).await? {
        response.headers_mut().append(header::SET_COOKIE, cleared);
    }
    Ok(response)
}

/// Begins the session of the user of this machine.
async fn enter(context: Context, rest: String, _: Request) -> Result<Response, Failure> {
    let sessions = &context.app.sessions;
    if !sessions.is_local() || !sessions.use_code(&rest) {
        return Err(Failure::not_found(
            "cannot open the page: the link was used before; run `larder ui` again",
        ));
    }
    let cookie = sessions.begin(None)?;
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
