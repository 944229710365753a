//! The frame of all screens: navigation, the user who is signed in, and the token of forms.

use askama::Template;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_access::Resource;
use larder_core::store::Action;
use larder_server::extend::{Context, Failure};

use crate::assets;

/// The frame of a screen.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) title: String,
    /// The path of the entry of the navigation that the screen belongs to.
    pub(crate) section: &'static str,
    /// The entries of the navigation that the user may open, with their names.
    pub(crate) navigation: Vec<(&'static str, &'static str)>,
    /// The name of the user who is signed in.
    pub(crate) user: Option<String>,
    /// The token that every form carries.
    pub(crate) form_token: String,
    pub(crate) assets: &'static str,
}

impl Frame {
    pub(crate) async fn new(
        context: &Context,
        headers: &HeaderMap,
        title: impl Into<String>,
        section: &'static str,
    ) -> Self {
        let title = title.into();
        #[cfg(feature = "collections")]
        crate::rows::refresh(context).await;
        Self::at_once(context, headers, title, section)
    }

    /// A frame whose navigation is as far as is known.
    pub(crate) fn at_once(
        context: &Context,
        headers: &HeaderMap,
        title: impl Into<String>,
        section: &'static str,
    ) -> Self {
        Self {
            section,
            navigation: navigation(context),
            user: context.principal().map(|principal| principal.name.to_string()),
            ..Self::bare(context, headers, title)
        }
    }

    /// A frame that tells nothing about the larder.
    pub(crate) fn bare(context: &Context, headers: &HeaderMap, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            section: "",
            navigation: Vec::new(),
            user: None,
            form_token: context.browser(headers).form_token(),
            assets: assets::VERSION.as_str(),
        }
    }

    /// The attribute of the navigation's entry for a section.
    pub(crate) fn is(&self, section: &str) -> bool {
        self.section == section
    }
}

/// Returns the screens that the user may open.
fn navigation(context: &Context) -> Vec<(&'static str, &'static str)> {
    let may_some = |action| context.may(action, &Resource::Any);
    let is_administrator = context.may(Action::Administer, &Resource::Larder);
    #[cfg(feature = "collections")]
    let has_collections = crate::rows::has(context);
    #[cfg(not(feature = "collections"))]
    let has_collections = false;
    let entries = [
        (may_some(Action::Read), "/ui", "Names"),
        (has_collections && may_some(Action::Read), "/ui/collections", "Collections"),
        (may_some(Action::Read), "/ui/jobs", "Jobs"),
        (may_some(Action::Predict), "/ui/deployments", "Deployments"),
        (is_administrator, "/ui/access", "Access"),
        (is_administrator, "/ui/audit", "Audit"),
        (context.principal().is_some(), "/ui/tokens", "Tokens"),
    ];
    let open = entries.into_iter().filter(|(is_open, ..)| *is_open);
    open.map(|(_, path, name)| (path, name)).collect()
}

/// Renders a screen.
pub(crate) fn render(screen: &impl Template) -> Result<Response, Failure> {
    render_as(StatusCode::OK, screen)
}

/// Renders a screen with a status.
pub(crate) fn render_as(status: StatusCode, screen: &impl Template) -> Result<Response, Failure> {
    let html = screen.render().map_err(|error| Failure::internal(error.to_string()))?;
    let content_type = HeaderValue::from_static("text/html; charset=utf-8");
    Ok((status, [(header::CONTENT_TYPE, content_type)], html).into_response())
}

/// Sends the browser to another page of this server, after an action.
pub(crate) fn see(path: &str) -> Result<Response, Failure> {
    let path = HeaderValue::try_from(path).map_err(|error| Failure::internal(error.to_string()))?;
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response())
}
