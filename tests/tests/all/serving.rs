//! Serving without HTTP: loaded models, queues and batches, deployments.

mod canary;
mod deploy;
pub(crate) mod ends;
mod follow;
mod pool;
mod requests;
mod runaway;

use std::collections::HashMap;
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::{Duration, Instant};

use larder::prelude::*;
use larder::serving::{
    Deployer, EventKind, LoadedModel, Output, Request, ServeResult, Serving, ServingOptions,
};
use larder::{Error, Identifier, Result};

/// The input of a [`Probe`].
#[derive(Debug, Deserialize, JsonSchema)]
struct Ask {
    #[serde(default)]
    x: f64,
    /// `sleep:MS`, `fail`, `panic`, or `gate:NAME`, which waits for [`open_gate`].
    #[serde(default)]
    act: Option<String>,
}

/// A model that answers `x` plus its number, after what it is asked to do.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/serving/probe", model)]
struct Probe {
    number: f64,
    /// Fails to warm up if it is set.
    #[serde(default)]
    is_broken: bool,
}

static GATES: LazyLock<Mutex<HashMap<String, bool>>> = LazyLock::new(Mutex::default);
static OPENED: Condvar = Condvar::new();

/// Lets the predictions at a gate go on, and all that come to it later.
fn open_gate(name: &str) {
    GATES.lock().unwrap().insert(name.to_owned(), true);
    OPENED.notify_all();
}

impl Predict for Probe {
    type Input = Ask;
    type Output = f64;

    fn predict(&self, Ask { x, act }: Ask) -> Result<f64> {
        let act = act.unwrap_or_default();
        match act.split_once(':').unwrap_or((&act, "")) {
            ("sleep", millis) => std::thread::sleep(Duration::from_millis(millis.parse().unwrap())),
            ("fail", _) => return Err(Error::predict("it was asked to fail")),
            ("panic", _) => panic!("it was asked to panic"),
            ("gate", name) => {
                let gates = GATES.lock().unwrap();
                let closed = |gates: &mut HashMap<_, _>| !gates.get(name).copied().unwrap_or(false);
                drop(OPENED.wait_while(gates, closed).unwrap());
            }
            _ => {}
        }
        Ok(x + self.number)
    }

    fn warm_up(&self) -> Result<()> {
        if self.is_broken { Err(Error::predict("it is broken")) } else { Ok(()) }
    }
}

fn probe(number: f64) -> Probe {
    Probe { number, is_broken: false }
}

/// A model with another signature.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/serving/shouter", model)]
struct Shouter {
    mark: String,
}

impl Predict for Shouter {
    type Input = String;
    type Output = String;

    fn predict(&self, text: String) -> Result<String> {
        Ok(text.to_uppercase() + &self.mark)
    }
}

/// No model.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/serving/stone")]
struct Stone {
    weight: u32,
}

/// A larder with versions of `probe`, whose numbers are the versions'.
fn larder_with(versions: u32) -> Larder {
    let larder = larder::open("memory:").unwrap();
    for version in 1..=versions {
        larder.apply("probe", &probe(f64::from(version))).unwrap();
    }
    larder
}

fn options() -> ServingOptions {
    ServingOptions::new()
        .workers(2)
        .poll(Duration::from_millis(10))
        .patience(Duration::from_millis(100))
}

fn start(larder: &Larder, options: &ServingOptions) -> Serving {
    Serving::start(larder, options).unwrap()
}

fn model(serving: &Serving, reference: &str) -> Arc<LoadedModel> {
    serving.model(&reference.parse().unwrap()).unwrap()
}

fn ask(act: &str) -> Request {
    Request::json(format!(r#"{{"act": "{act}"}}"#))
}

/// The number in an answer.
fn number(answer: ServeResult<larder::serving::Answer>) -> f64 {
    match answer.unwrap().output {
        Output::Json(text) => text.parse().unwrap(),
        other => panic!("{other:?}"),
    }
}

/// Waits until `is_so`; fails after a while.
#[track_caller]
fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < until, "not so after 20 s: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn name(text: &str) -> Identifier {
    text.parse().unwrap()
}

/// A server without HTTP.
struct Server {
    deployer: Deployer,
    serving: Serving,
}

fn serve(larder: &Larder) -> Server {
    let serving = start(larder, &options());
    let server = Server { deployer: Deployer::start(&serving).unwrap(), serving };
    server.settle();
    server
}

impl Server {
    #[track_caller]
    fn settle(&self) {
        assert!(self.deployer.settle(Duration::from_secs(20)), "it does not settle");
    }

    /// The number that a deployment answers, which is that of its version.
    fn asks(&self, deployment: &str) -> ServeResult<f64> {
        let answer = self.deployer.route(&name(deployment))?.predict(ask("none"))?;
        Ok(number(Ok(answer)))
    }

    /// Why what is deployed does not serve.
    fn reason(&self, deployment: &str) -> String {
        let status = self.deployer.status();
        let status = status.into_iter().find(|status| status.name.as_str() == deployment);
        status.unwrap().reason.unwrap_or_default()
    }
}

/// The events of a deployment, with the numbers of their versions.
fn events(larder: &Larder, deployment: &str) -> Vec<(EventKind, u64)> {
    use larder::serving::LarderDeployments;

    let found = larder.deployment(deployment).unwrap().events;
    found.iter().map(|event| (event.event, event.version.get())).collect()
}
