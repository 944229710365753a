//! Setting and removing tags.

use axum::extract::Request;
use axum::http::Method;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::{Action, TagName};
use larder_core::versions::TagOptions;
use larder_core::{Identifier, Reference};
use larder_server::extend::{Context, Failure, Guard, Route};

use crate::forms::Form;
use crate::frame::see;

pub(crate) fn routes() -> Vec<Route> {
    // The form names the tag: the handlers ask for it.
    let some = Guard::any(Action::Tag);
    vec![
        Route::new(Method::POST, "/ui/tag/{*rest}", some, set),
        Route::new(Method::POST, "/ui/untag/{*rest}", some, remove),
    ]
}

/// The form of an action on a tag that the user may do.
struct Asked {
    name: Identifier,
    tag: TagName,
    options: TagOptions,
    form: Form,
}

async fn read(context: &Context, rest: &str, request: Request) -> Result<Asked, Failure> {
    let name: Identifier = rest.parse()?;
    let form = Form::read(context, request).await?;
    let tag = TagName::new(form.get("tag").trim())?;
    context.authorize(Action::Tag, &Resource::Tag(name.clone(), tag.clone()))?;
    context.authorize(Action::Read, &Resource::Name(name.clone()))?;
    let mut options = TagOptions::new().force(form.find("force").is_some());
    // The form says which version had the tag when it was shown: a move in between is not undone unseen.
    if let Some(from) = form.find("from").filter(|from| !from.is_empty()) {
        options = options.from(format!("{name}@{from}").parse()?);
    }
    Ok(Asked { name, tag, options, form })
}

async fn set(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let Asked { name, tag, options, form } = read(&context, &rest, request).await?;
    let version = form.get("version").trim();
    let version: Reference = format!("{name}@{version}").parse()?;
    let at = format!("/ui/name/{name}#tags");
    context.log(Action::Tag, &Resource::Tag(name, tag.clone())).await?;
    let larder = context.authored();
    context.blocking(move || Ok(larder.tags().set(version, &tag, &options)?)).await?;
    context.refresh_deployments();
    see(&at)
}

async fn remove(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let Asked { name, tag, options, .. } = read(&context, &rest, request).await?;
    let at = format!("/ui/name/{name}#tags");
    context.log(Action::Tag, &Resource::Tag(name.clone(), tag.clone())).await?;
    let larder = context.authored();
    context.blocking(move || Ok(larder.tags().remove(&name, &tag, &options)?)).await?;
    context.refresh_deployments();
    see(&at)
}
