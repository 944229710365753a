//! What all screens have in common: navigation, who is signed in, and the token of forms.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_access::Resource;
use larder_core::store::Action;

use super::assets;
use crate::app::App;
use crate::context::Context;
use crate::failure::Failure;

/// The frame of a screen.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) title: String,
    /// The path of the entry of the navigation that the screen belongs to.
    pub(super) section: &'static str,
    /// The name of the user who is signed in.
    pub(super) user: Option<String>,
    pub(super) may_administer: bool,
    pub(super) has_tokens: bool,
    pub(super) has_navigation: bool,
    /// The token that every form carries.
    pub(super) form_token: String,
    pub(super) assets: &'static str,
}

impl Frame {
    pub(super) fn new(
        context: &Context,
        headers: &HeaderMap,
        title: impl Into<String>,
        section: &'static str,
    ) -> Self {
        let identity = context.identity.as_ref();
        Self {
            title: title.into(),
            section,
            user: identity.map(|identity| identity.principal.name.to_string()),
            may_administer: context.may(Action::Administer, &Resource::Larder),
            has_tokens: identity.is_some(),
            has_navigation: true,
            form_token: form_token(&context.app, headers),
            assets: assets::VERSION.as_str(),
        }
    }

    /// A frame that tells nothing about the larder.
    pub(super) fn bare(title: impl Into<String>, form_token: String) -> Self {
        Self {
            title: title.into(),
            section: "",
            user: None,
            may_administer: false,
            has_tokens: false,
            has_navigation: false,
            form_token,
            assets: assets::VERSION.as_str(),
        }
    }

    /// The attribute of the navigation's entry for a section.
    pub(super) fn is(&self, section: &str) -> bool {
        self.section == section
    }
}

/// Returns the token that the forms of a browser carry.
pub(super) fn form_token(app: &App, headers: &HeaderMap) -> String {
    #[cfg(feature = "oidc")]
    let other = crate::oidc::session_cookie(app, headers);
    #[cfg(not(feature = "oidc"))]
    let other = None;
    app.sessions.form_token(headers, other)
}

/// Renders a screen.
pub(super) fn render(screen: &impl Template) -> Result<Response, Failure> {
    render_as(StatusCode::OK, screen)
}

/// Renders a screen with a status.
pub(super) fn render_as(status: StatusCode, screen: &impl Template) -> Result<Response, Failure> {
    let html = screen.render().map_err(|error| Failure::internal(error.to_string()))?;
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    Ok((status, [(header::CONTENT_TYPE, content_type)], html).into_response())
}

/// Sends the browser to another page of this server, after an action.
pub(super) fn see(path: &str) -> Result<Response, Failure> {
    let path = HeaderValue::try_from(path).map_err(|error| Failure::internal(error.to_string()))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response())
}
