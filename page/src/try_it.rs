//! Trying a prediction: a form from the signature, filled with the example that is kept with the model.

use std::sync::Arc;
use std::time::Instant;

use askama::Template;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::Response;
use larder_core::store::{Action, with_causes};
use larder_core::versions::VersionDetails;
use larder_core::{Error, Reference};
use larder_server::extend::{Context, Failure, Guard, Route};
use larder_serving::{Input, LoadedModel, Request as Job, ServeError};
use larder_text::{fold, pretty_json};
use serde_json::Value;

use crate::example;
use crate::fields::{self, Field};
use crate::forms::Form;
use crate::frame::{Frame, render, render_as};
use crate::sample::sample;
use crate::view::Tabs;

/// The maximum number of bytes of an answer that is shown whole.
const MOST_WHOLE: usize = 16 << 10;

pub(crate) fn routes() -> Vec<Route> {
    let of_model = Guard::On(Action::Predict, crate::paths::referred);
    vec![
        Route::new(Method::GET, "/ui/try/{*rest}", of_model, form),
        Route::new(Method::POST, "/ui/try/{*rest}", of_model, predict),
    ]
}

/// A model, and what a form for it needs.
struct Tried {
    shown: VersionDetails,
    model: Arc<LoadedModel>,
    /// The schema of the input.
    schema: Value,
    /// The input to begin with, as JSON.
    input: String,
    is_kept: bool,
}

impl Tried {
    fn fields(&self) -> Option<Vec<Field>> {
        fields::fields(&self.schema, serde_json::from_str(&self.input).ok().as_ref())
    }
}

struct Answered {
    output: String,
    is_folded: bool,
    time: String,
    version: String,
}

#[derive(Template)]
#[template(path = "try.html")]
struct Screen {
    frame: Frame,
    tabs: Tabs,
    reference: String,
    fields: Vec<Field>,
    /// The whole input as JSON, where it has no fields.
    text: Option<String>,
    /// The same input as text, to switch to.
    as_text: bool,
    is_kept: bool,
    error: Option<String>,
    answer: Option<Answered>,
}

async fn find(context: &Context, rest: &str) -> Result<Tried, Failure> {
    let reference: Reference = rest.parse()?;
    let of = context.clone();
    let read = context.blocking(move || {
        let larder = of.larder();
        let shown = larder.show(reference)?;
        let model = of.serving().model(&shown.version.reference())?;
        let kept = example::kept(larder, &shown)?;
        let schema = model.signature().input.to_value();
        let is_kept = kept.is_some();
        let input = kept.unwrap_or_else(|| sample(&schema, &schema).to_string());
        Ok(Tried { shown, model, schema, input, is_kept })
    });
    read.await
}

async fn screen(context: &Context, headers: &HeaderMap, tried: &Tried) -> Screen {
    let version = tried.shown.version.reference();
    let name = &tried.shown.version.identifier;
    let fields = tried.fields();
    Screen {
        frame: Frame::new(context, headers, format!("Try {version}"), "/ui").await,
        tabs: Tabs::new(context, name, &version, "try").on(
            context,
            &tried.shown.version.type_tag,
            None,
        ),
        reference: version.to_string(),
        text: fields.is_none().then(|| tried.input.clone()),
        fields: fields.unwrap_or_default(),
        as_text: false,
        is_kept: tried.is_kept,
        error: None,
        answer: None,
    }
}

async fn form(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let tried = find(&context, &rest).await?;
    let mut screen = screen(&context, request.headers(), &tried).await;
    if request.uri().query() == Some("json") {
        (screen.as_text, screen.text) = (true, Some(tried.input.clone()));
        screen.fields.clear();
    }
    render(&screen)
}

async fn predict(context: Context, rest: String, request: Request) -> Result<Response, Failure> {
    let tried = find(&context, &rest).await?;
    let mut screen = screen(&context, request.headers(), &tried).await;
    let form = Form::read(&context, request).await?;
    let input = match form.find("input") {
        Some(text) => {
            (screen.as_text, screen.text) = (!screen.fields.is_empty(), Some(text.to_owned()));
            screen.fields.clear();
            match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => Ok(text.to_owned()),
                Err(error) => Err(format!("cannot read the input: it is no JSON: {error}")),
            }
        }
        None => fields::read(&mut screen.fields, &form)
            .map_err(|field| format!("cannot read the field `{field}`: it is no JSON")),
    };
    let input = match input {
        Ok(input) => input,
        Err(error) => {
            screen.error = Some(error);
            return render_as(StatusCode::UNPROCESSABLE_ENTITY, &screen);
        }
    };
    let began = Instant::now();
    let job = Job::new(Input::Json(input)).within(context.deadline());
    let answer = context.serving().request(&tried.model, job).await;
    let took = began.elapsed();
    match answer {
        Ok(answer) => {
            let version = answer.version.reference().to_string();
            let output = answer.output.into_bytes();
            let output = String::from_utf8_lossy(&output);
            let (text, is_folded) = match output.len() > MOST_WHOLE {
                true => fold(&output),
                false => (output.into_owned(), false),
            };
            let time = format!("{:.2} ms", took.as_secs_f64() * 1e3);
            let output = pretty_json(&text);
            screen.answer = Some(Answered { output, is_folded, time, version });
            render(&screen)
        }
        Err(error) => {
            // The input is the user's own: what is wrong with it is told here.
            screen.error = Some(match &error {
                ServeError::Model(error @ (Error::Input { .. } | Error::Predict { .. })) => {
                    with_causes(error)
                }
                error => error.to_string(),
            });
            render_as(Failure::from(error).status, &screen)
        }
    }
}
