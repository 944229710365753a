//! Requests and answers in JSON.

use axum::Json;
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use larder_server::extend::{Context, Failure, Guard, Route};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};
use url::form_urlencoded;

/// A route whose request is a JSON object in the body.
pub(super) fn body_route<T: DeserializeOwned + Send + 'static>(
    method: &Method,
    path: &'static str,
    guard: Guard,
    run: fn(&Context, T) -> Result<Value, Failure>,
) -> Route {
    Route::new(method.clone(), path, guard, move |context, _, request| async move {
        let body = read(&context, request).await?;
        answer(&context, move |context| run(context, body)).await
    })
}

/// A route whose request is in the query.
pub(super) fn query_route(
    path: &'static str,
    guard: Guard,
    run: fn(&Context, Query) -> Result<Value, Failure>,
) -> Route {
    Route::new(Method::GET, path, guard, move |context, _, request| async move {
        let query = Query::of(&context, &request);
        answer(&context, move |context| run(context, query)).await
    })
}

/// Runs what blocks, and answers in JSON.
pub(super) async fn answer(
    context: &Context,
    run: impl FnOnce(&Context) -> Result<Value, Failure> + Send + 'static,
) -> Result<axum::response::Response, Failure> {
    let work = context.clone();
    let value = context.blocking(move || run(&work)).await?;
    Ok(Json(value).into_response())
}

/// Reads the JSON object of a request.
pub(super) async fn read<T: DeserializeOwned>(
    context: &Context,
    request: Request,
) -> Result<T, Failure> {
    let body = context.body(request).await?;
    let read = match body.trim_ascii_start().first() {
        Some(b'{') => serde_json::from_slice(&body).ok(),
        _ => None,
    };
    let unreadable = "cannot read the request: it is no JSON object with the fields of this call";
    read.ok_or_else(|| Failure::bad_request(unreadable))
}

/// The query of a request.
#[derive(Debug, Default)]
pub(super) struct Query {
    parameters: Vec<(String, String)>,
    /// The URL by which the client reached the server.
    pub(super) own_url: String,
}

impl Query {
    fn of(context: &Context, request: &Request) -> Self {
        let query = request.uri().query().unwrap_or_default();
        Self {
            parameters: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            own_url: context.url(request.headers()),
        }
    }

    /// Returns a parameter, unless it is empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// Returns all values of a parameter.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Returns a parameter that must be there.
    pub(super) fn need(&self, name: &str) -> Result<&str, Failure> {
        self.get(name).ok_or_else(|| {
            Failure::bad_request(format!("cannot read the request: it has no parameter `{name}`"))
        })
    }
}

/// A tag or a parameter.
#[derive(Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) key: String,
    #[serde(default)]
    pub(super) value: String,
}

/// Returns entries as MLflow lists them.
pub(super) fn entries<'a>(map: impl IntoIterator<Item = (&'a String, &'a String)>) -> Vec<Value> {
    map.into_iter().map(|(key, value)| json!({ "key": key, "value": value })).collect()
}

/// Reads a whole number that may be a text: protocol buffers allow both.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().filter(|it| it.fract() == 0.0).map(|it| it as i64))
            .map(Some)
            .ok_or_else(|| D::Error::custom("it is no whole number")),
        Value::String(text) => text.parse().map(Some).map_err(D::Error::custom),
        _ => Err(D::Error::custom("it is no number")),
    }
}

/// A thing that is there already.
pub(super) fn exists(message: String) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "already_exists", message)
}
