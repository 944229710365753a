//! The model of a request: a deployment, or a version by reference.

use std::sync::Arc;

use larder_core::{Identifier, Reference};
use larder_serving::{Answer, Input, LoadedModel, Pending, Request as Job, Route, ServeResult};

use crate::app::App;
use crate::context::Context;
use crate::failure::Failure;

/// A model that answers one request.
#[derive(Debug)]
pub enum Target {
    /// A deployment: the version that serves, or its canary.
    Deployed(Route),
    /// A version.
    Version(Arc<LoadedModel>),
}

impl Target {
    /// Finds the deployment of that name, or else the version, and loads it.
    pub async fn find(context: &Context, text: &str) -> Result<Self, Failure> {
        if let Ok(name) = Identifier::new(text)
            && let Some(endpoint) = context.app.deployer.endpoint(&name)
        {
            return Ok(Self::Deployed(endpoint.route()?));
        }
        let reference: Reference = text.parse()?;
        if let Some(model) = context.app.serving.model_now(&reference) {
            return Ok(Self::Version(model));
        }
        let serving = context.app.serving.clone();
        let load = move || Ok(Self::Version(serving.model(&reference)?));
        context.blocking(load).await
    }

    /// Returns the model.
    pub fn model(&self) -> &Arc<LoadedModel> {
        match self {
            Self::Deployed(route) => route.model(),
            Self::Version(model) => model,
        }
    }

    pub(crate) fn try_now(&self, app: &App, input: &Input) -> Option<ServeResult<Answer>> {
        match self {
            Self::Deployed(route) => route.try_predict_now(input),
            Self::Version(model) => app.serving.try_predict_now(model, input),
        }
    }

    pub(crate) fn request(&self, app: &App, job: Job) -> Pending {
        match self {
            Self::Deployed(route) => route.request(job),
            Self::Version(model) => app.serving.request(model, job),
        }
    }
}
