//! Descriptions of deployments, and the signature and OpenAPI document of each model.

use axum::Json;
use axum::extract::Request;
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use larder_access::Resource;
use larder_core::Reference;
use larder_core::store::Action;
use larder_serving::{DeploymentStatus, VersionStatus};
use serde_json::{Value, json};

use super::openapi::openapi;
use super::target::Target;
use crate::context::Context;
use crate::failure::Failure;
use crate::route::{Guard, Rest, Route};

/// The end of the path of a model's OpenAPI document.
const OPENAPI: &str = "/openapi.json";

pub(crate) fn routes() -> Vec<Route> {
    let of_model = Guard::On(Action::Predict, resource);
    let of_deployment = Guard::On(Action::Predict, super::named);
    vec![
        Route::new(Method::GET, "/models/{*rest}", of_model, model),
        Route::new(Method::GET, "/deployments", Guard::any(Action::Predict), deployments),
        Route::new(Method::GET, "/deployments/{*rest}", of_deployment, deployment),
    ]
}

fn parse(rest: Rest<'_>) -> Result<(Reference, bool), Failure> {
    Ok(match rest.strip_suffix(OPENAPI) {
        Some(reference) => (reference.parse()?, true),
        None => (rest.parse()?, false),
    })
}

fn resource(rest: Rest<'_>) -> Result<Resource, Failure> {
    Ok(Resource::of(&parse(rest)?.0))
}

async fn model(context: Context, rest: String, _: Request) -> Result<Response, Failure> {
    let (reference, is_openapi) = parse(&rest)?;
    let text = reference.to_string();
    let target = Target::find(&context, &text).await?;
    let signature = target.model().signature();
    let (input, output) = (signature.input.to_value(), signature.output.to_value());
    if is_openapi {
        return Ok(Json(openapi(&text, input, output)).into_response());
    }
    let version = target.model().version();
    let body = json!({
        "name": version.identifier,
        "version": version.version,
        "digest": version.digest,
        "type": version.type_tag,
        "signature": { "input": input, "output": output },
    });
    Ok(Json(body).into_response())
}

async fn deployments(context: Context, _: String, _: Request) -> Result<Response, Failure> {
    let all = context.app.deployer.status();
    let mine =
        all.iter().filter(|it| context.may(Action::Predict, &Resource::Name(it.name.clone())));
    let mine: Vec<Value> = mine.map(status).collect();
    Ok(Json(json!({ "deployments": mine })).into_response())
}

async fn deployment(context: Context, rest: String, _: Request) -> Result<Response, Failure> {
    let all = context.app.deployer.status();
    let Some(found) = all.iter().find(|it| it.name.as_str() == rest) else {
        return Err(Failure::not_found("cannot find the deployment: there is none of that name"));
    };
    Ok(Json(status(found)).into_response())
}

fn status(deployment: &DeploymentStatus) -> Value {
    let version = |status: &VersionStatus| {
        json!({
            "version": status.version.reference().to_string(),
            "digest": status.version.digest,
            "since": status.since,
            "requests": status.requests,
            "failures": status.failures,
        })
    };
    json!({
        "name": deployment.name,
        "reference": deployment.reference.as_ref().map(ToString::to_string),
        "ready": deployment.is_ready,
        "reason": deployment.reason,
        "serving": deployment.serving.as_ref().map(version),
        "canary": deployment.canary.as_ref().map(|canary| json!({
            "share": canary.share,
            "serving": canary.version.as_ref().map(version),
            "reason": canary.reason,
        })),
    })
}
