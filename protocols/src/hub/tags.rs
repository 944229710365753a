//! Tags.

use axum::extract::Request;
use axum::response::Response;
use larder_access::Resource;
use larder_core::store::{Action, TagName};
use larder_core::versions::TagOptions;
use larder_core::{Error, Identifier, Larder, Reference, Selector};
use larder_server::extend::{Context, Failure};
use serde::Deserialize;
use serde_json::json;
use tokio::runtime::Handle;

use super::info::{answer, json_of, revision};
use super::repo::{Repo, split};

#[derive(Deserialize)]
struct Create {
    tag: String,
}

/// Checks that the principal may set a tag, logs it, and returns the larder with the principal as the author.
fn permitted(context: &Context, name: &Identifier, tag: &TagName) -> Result<Larder, Failure> {
    let resource = Resource::Tag(name.clone(), tag.clone());
    context.authorize(Action::Tag, &resource)?;
    Handle::current().block_on(context.log(Action::Tag, &resource))?;
    Ok(context.authored())
}

/// Creates a tag; one that is there is not moved.
pub(super) async fn create<const N: usize>(
    context: Context,
    rest: String,
    request: Request,
) -> Result<Response, Failure> {
    let Create { tag } = json_of(&context, request).await?;
    answer(&context, move |context| {
        let (name, rest) = split::<N>(&rest)?;
        let tag = TagName::new(&tag)?;
        let larder = permitted(context, &name, &tag)?;
        let repo = Repo::find(context, &name, revision(rest).0)?;
        let version = Reference::new(name, Selector::Version(repo.record.version));
        match larder.tags().set(version, tag, &TagOptions::new().only_new(true)) {
            Ok(_) => Ok(json!({})),
            Err(error @ Error::Refused { .. }) => {
                Err(Failure { code: "conflict", ..Failure::from(error) })
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}

pub(super) async fn delete<const N: usize>(
    context: Context,
    rest: String,
    _: Request,
) -> Result<Response, Failure> {
    answer(&context, move |context| {
        let (name, rest) = split::<N>(&rest)?;
        let tag = TagName::new(revision(rest).0)?;
        match permitted(context, &name, &tag)?.untag(name, tag) {
            Ok(()) => Ok(json!({})),
            Err(error @ Error::NotFound { .. }) => {
                Err(Failure { code: "revision_not_found", ..Failure::from(error) })
            }
            Err(error) => Err(error.into()),
        }
    })
    .await
}
