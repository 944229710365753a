//! MLflow's scoring server: `/invocations`, `/ping` and `/version`, for each deployment below `/mlflow/NAME/`, and at the top for
//! a server with one deployment.
//!
//! <https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/#inference-server-specification>

mod table;

use axum::Json;
use axum::extract::Request;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use larder_access::Resource;
use larder_core::Reference;
use larder_core::store::Action;
use larder_server::extend::predict::{Target, object, run};
use larder_server::extend::{Context, Failure, Guard, Rest, Route, RouteSet, inventory};
use serde_json::{Value, json};

use crate::inference::ports;

fn routes() -> Vec<Route> {
    let named = Guard::On(Action::Predict, resource);
    vec![
        Route::new(Method::GET, "/ping", Guard::Public, ping),
        Route::new(Method::GET, "/version", Guard::Public, version),
        Route::new(Method::POST, "/invocations", Guard::any(Action::Predict), only),
        Route::new(Method::GET, "/mlflow/{*rest}", named, look),
        Route::new(Method::POST, "/mlflow/{*rest}", named, invoke),
    ]
}

/// Parses `NAME/VERB`; `~` may stand for `/`, which other parts of MLflow do not allow in names.
fn parse(rest: Rest<'_>) -> Result<(Reference, &str), Failure> {
    let missing = || Failure::not_found("cannot answer: there is no such path");
    let (name, verb) = rest.rsplit_once('/').ok_or_else(missing)?;
    if !["invocations", "ping", "health", "version"].contains(&verb) {
        return Err(missing());
    }
    Ok((name.replace('~', "/").parse()?, verb))
}

fn resource(rest: Rest<'_>) -> Result<Resource, Failure> {
    Ok(Resource::of(&parse(rest)?.0))
}

async fn ping(_: Context, _: String, _: Request) -> Result<Response, Failure> {
    Ok("\n".into_response())
}

async fn version(_: Context, _: String, _: Request) -> Result<Response, Failure> {
    Ok(env!("CARGO_PKG_VERSION").into_response())
}

async fn look(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let (reference, verb) = parse(&rest)?;
    match verb {
        "version" => version(context, rest, request).await,
        "invocations" => Err(Failure::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method_not_allowed",
            "cannot predict by GET: send POST",
        )),
        _ => {
            Target::find(&context, &reference.to_string()).await?;
            Ok("\n".into_response())
        }
    }
}

/// Predicts with the only deployment.
async fn only(context: Context, _: String, request: Request) -> Result<Response, Failure> {
    let deployed = context.deployments();
    let [deployment] = &deployed[..] else {
        return Err(Failure::not_found(
            "cannot choose a deployment: ask at `/mlflow/NAME/invocations`",
        ));
    };
    let name = deployment.name.clone();
    context.authorize(Action::Predict, &Resource::Name(name.clone()))?;
    predict(context, name.as_str(), request).await
}

async fn invoke(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let (reference, verb) = parse(&rest)?;
    if verb != "invocations" {
        return Err(Failure::not_found(
            "cannot answer: a prediction is asked for at `…/invocations`",
        ));
    }
    predict(context, &reference.to_string(), request).await
}

async fn predict(context: Context, reference: &str, request: Request) -> Result<Response, Failure> {
    let content_type = request.headers().get(header::CONTENT_TYPE);
    let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut parts = content_type.split(';').map(|part| part.trim().to_ascii_lowercase());
    let kind = parts.next().unwrap_or_default();
    let unsupported = |reason: &str| {
        let message = format!("cannot read the request: {reason}");
        Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_type", message)
    };
    let charset = parts.find_map(|part| part.strip_prefix("charset=").map(str::to_owned));
    if charset.is_some_and(|charset| !matches!(charset.trim_matches('"'), "utf-8" | "utf8")) {
        return Err(unsupported("its charset must be utf-8"));
    }
    let is_csv = match kind.as_str() {
        "application/json" => false,
        "text/csv" => true,
        _ => return Err(unsupported("send application/json or text/csv")),
    };
    let target = Target::find(&context, reference).await?;
    let body = context.body(request).await?;
    let ports = ports::of_model(&context, target.model()).await?;
    let input = match is_csv {
        true => table::csv(&ports, &body)?,
        false => {
            let body = object(&body, "it is no table in JSON")?;
            table::input(&ports, body)?
        }
    };
    let answer = run(&context, &target, input).await?;
    let predictions: Value = serde_json::from_slice(&answer.output.into_bytes())
        .map_err(|error| Failure::internal(format!("the output is no JSON: {error}")))?;
    Ok(Json(json!({ "predictions": predictions })).into_response())
}

inventory::submit!(RouteSet(routes));
