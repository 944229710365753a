//! Cost of a served prediction, without HTTP, against calling the model.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin serving
//! ```

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use larder::Model;
use larder::prelude::*;
use larder::serving::{DeployOptions, ServingOptions};
use larder::serving::{Deployer, LarderDeployments, LoadedModel, Request, Serving};
use larder_benches::{Outcome, compare, head, peak_growth_every, say, timed};

/// A linear model of 16 features.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "benches/linear", model)]
struct Linear {
    weights: Vec<f64>,
}

impl Predict for Linear {
    type Input = Vec<f64>;
    type Output = f64;

    fn predict(&self, row: Vec<f64>) -> larder::Result<f64> {
        Ok(row.iter().zip(&self.weights).map(|(x, weight)| x * weight).sum())
    }
}

/// A model whose calls have a cost of their own, as those of most engines.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "benches/engine", model)]
struct Engine;

impl Predict for Engine {
    type Input = f64;
    type Output = f64;

    fn predict(&self, x: f64) -> larder::Result<f64> {
        Ok(self.predict_batch(vec![x])?.remove(0))
    }

    fn predict_batch(&self, rows: Vec<f64>) -> larder::Result<Vec<f64>> {
        spin(Duration::from_micros(200) + Duration::from_micros(2) * rows.len() as u32);
        Ok(rows.into_iter().map(|x| 2.0 * x).collect())
    }
}

fn spin(time: Duration) {
    let start = std::time::Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

const CALLS: usize = 20_000;
const ROW: &str = "[0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1.0,1.1,1.2,1.3,1.4,1.5,1.6]";

fn main() -> Outcome {
    let larder = larder::open("memory:")?;
    larder.apply("linear", &Linear { weights: vec![0.5; 16] })?;
    larder.apply("engine", &Engine)?;
    larder.deploy("linear", &DeployOptions::new())?;
    let serving = Serving::start(&larder, &ServingOptions::new())?;
    let linear = serving.model(&"linear".parse()?)?;
    for _ in 0..100 {
        serving.request(&linear, Request::json(ROW)).wait()?;
    }
    let direct = larder.load_model("linear")?;
    say("served predictions (`larder`), compared with calls of the model (`limit`)");
    head();
    let call = |model: &Arc<dyn Model>| {
        timed(|| (0..CALLS).try_for_each(|_| Ok(model.predict_json(ROW).map(drop)?)))
    };
    compare(
        "20,000 rows on the caller's thread",
        f64::INFINITY,
        10,
        |_| {
            timed(|| {
                (0..CALLS)
                    .try_for_each(|_| Ok(serving.predict(&linear, Request::json(ROW)).map(drop)?))
            })
        },
        |_| call(&direct),
    )?;
    let deployer = Deployer::start(&serving)?;
    deployer.settle(Duration::from_secs(10));
    let name = "linear".parse()?;
    compare(
        "20,000 rows of a deployment",
        f64::INFINITY,
        10,
        |_| {
            timed(|| {
                (0..CALLS).try_for_each(|_| {
                    Ok(deployer.route(&name)?.predict(Request::json(ROW)).map(drop)?)
                })
            })
        },
        |_| call(&direct),
    )?;
    compare(
        "20,000 rows through the queue, one client",
        f64::INFINITY,
        5,
        |_| timed(|| many(&serving, &linear, 1, ROW)),
        |_| call(&direct),
    )?;
    compare(
        "20,000 rows through the queue, 64 clients",
        f64::INFINITY,
        5,
        |_| timed(|| many(&serving, &linear, 64, ROW)),
        |_| call(&direct),
    )?;
    let engine = serving.model(&"engine".parse()?)?;
    let alone = larder.load_model("engine")?;
    compare(
        "2,000 rows of a slow engine, 64 clients",
        0.2,
        3,
        |_| timed(|| clients(&serving, &engine, 64, 2_000, "1.5")),
        |_| timed(|| (0..2_000).try_for_each(|_| Ok(alone.predict_json("1.5").map(drop)?))),
    )?;
    let grown = peak_growth_every(Duration::from_millis(20), || {
        clients(&serving, &linear, 8, 1_000_000, ROW)
    })?;
    say(&format!("    memory over 1,000,000 requests: {:.1} MB", grown as f64 / 1e6));
    Ok(())
}

fn many(serving: &Serving, model: &Arc<LoadedModel>, clients: usize, row: &str) -> Outcome {
    self::clients(serving, model, clients, CALLS, row)
}

/// Sends requests from a number of clients, each of which waits for its answers.
fn clients(
    serving: &Serving,
    model: &Arc<LoadedModel>,
    clients: usize,
    calls: usize,
    row: &str,
) -> Outcome {
    thread::scope(|scope| {
        let client = || -> Result<(), String> {
            for _ in 0..calls / clients {
                let answer = serving.request(model, Request::json(row)).wait();
                answer.map_err(|error| error.to_string())?;
            }
            Ok(())
        };
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(client)).collect();
        for thread in threads {
            thread.join().map_err(|_| "a client panicked")??;
        }
        Ok(())
    })
}
