//! Who asks, and new repositories.

use axum::Json;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use larder_access::Resource;
use larder_core::Identifier;
use larder_core::extend::Records;
use larder_core::store::Action;
use larder_files::drafts::{About, LarderDrafts};
use larder_server::extend::{Context, Failure};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::info::json_of;

pub(super) async fn whoami(context: Context, _: String, _: Request) -> Result<Response, Failure> {
    let principal = context.principal();
    let name = principal.map_or("anonymous", |principal| principal.name.as_str());
    let token = principal.and_then(|principal| principal.token.clone());
    let may_write = context.may(Action::Write, &Resource::Any);
    let groups = principal.into_iter().flat_map(|principal| &principal.groups);
    let orgs: Vec<Value> = groups.map(|group| json!({ "type": "org", "name": group })).collect();
    Ok(Json(json!({
        "type": "user",
        "id": name,
        "name": name,
        "fullname": name,
        "orgs": orgs,
        "auth": {
            "type": "access_token",
            "accessToken": {
                "displayName": token,
                "role": if may_write { "write" } else { "read" },
            },
        },
    }))
    .into_response())
}

#[derive(Deserialize)]
struct Create {
    name: String,
    #[serde(default)]
    organization: Option<String>,
    #[serde(default, rename = "type")]
    kind: Option<String>,
    #[serde(default)]
    files: Option<Vec<Value>>,
}

/// Reserves a name. Nothing here is public: who may read it is granted.
pub(super) async fn create(
    context: Context,
    _: String,
    request: Request,
) -> Result<Response, Failure> {
    let url = context.url(request.headers());
    let request: Create = json_of(&context, request).await?;
    if request.kind.is_some_and(|kind| kind != "model") {
        return Err(Failure::bad_request("cannot create the repository: there are models only"));
    }
    if request.files.is_some_and(|files| !files.is_empty()) {
        return Err(Failure::bad_request(
            "cannot create the repository with files: commit them afterwards",
        ));
    }
    let name = match request.organization {
        Some(organization) => format!("{organization}/{}", request.name),
        None => request.name,
    };
    let name = Identifier::new(&name)?;
    let url = format!("{url}/{name}");
    let work = context.clone();
    let created = context.blocking(move || {
        let resource = Resource::Name(name.clone());
        work.authorize(Action::Write, &resource)?;
        Handle::current().block_on(work.log(Action::Write, &resource))?;
        let larder = &work.larder();
        let has_versions = larder.head(&name)?.is_some_and(|head| head.latest.is_some());
        let is_new = !has_versions && larder.drafts().reserve(&name, &About::new(larder.now()))?;
        Ok((is_new, name))
    });
    let (is_new, name) = created.await?;
    match is_new {
        true => Ok(Json(json!({ "url": url, "name": name, "id": name })).into_response()),
        false => {
            let message = "cannot create the repository: it exists";
            let body = json!({ "error": message, "code": "conflict", "url": url });
            Ok((StatusCode::CONFLICT, Json(body)).into_response())
        }
    }
}

/// Accepts the head of every README: the server does not use it.
pub(super) async fn validate(_: Context, _: String, _: Request) -> Result<Response, Failure> {
    Ok(Json(json!({ "errors": [], "warnings": [] })).into_response())
}
