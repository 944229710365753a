//! Forms that a browser sends. Each is refused unless it comes from a page of this server.

use axum::extract::Request;
use larder_server::extend::{Context, Failure};
use url::form_urlencoded;

/// The field with the token.
const TOKEN: &str = "form_token";

/// The fields of a form. It may hold a token: it is not printed.
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form whose token only a page of this server could carry.
    pub(crate) async fn read(context: &Context, request: Request) -> Result<Self, Failure> {
        let headers = request.headers().clone();
        let form = Self::read_first(context, request).await?;
        context.browser(&headers).check_form_token(form.get(TOKEN))?;
        Ok(form)
    }

    /// Reads the form by which a session begins: there is no token yet.
    pub(crate) async fn read_first(context: &Context, request: Request) -> Result<Self, Failure> {
        context.browser(request.headers()).check_origin()?;
        let body = context.body(request).await?;
        Ok(Self(form_urlencoded::parse(&body).into_owned().collect()))
    }

    /// Returns a field; empty if the form has none of that name.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.find(name).unwrap_or_default()
    }

    /// Returns a field, if the form has it.
    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
