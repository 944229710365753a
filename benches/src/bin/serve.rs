//! One-row predictions over HTTP, against a handler written by hand, and the time until a deployment is ready.
//!
//! ```sh
//! cargo run --release -p larder-benches --features serve --bin serve
//! ```
//!
//! With `MLFLOW=http://127.0.0.1:5001` or `BENTOML=http://127.0.0.1:3000` set to a running peer that serves the same
//! model, it is measured too. `SECONDS=5` is the time for each number, `REQUESTS=1000000` the number of requests after which memory is
//! measured again.

use std::env;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use axum::routing::post;
use axum::{Json, Router};
use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::server::{Server, ServerOptions};
use larder::serving::{DeployOptions, LarderDeployments};
use larder_benches::{Outcome, own_memory, say};
use serde::{Deserialize, Serialize};

/// A linear model of eleven numbers.
#[derive(Clone, Serialize, Deserialize, Component)]
#[component(tag = "bench/linear", model)]
struct Linear {
    weights: Vec<f64>,
}

impl Predict for Linear {
    type Input = Vec<f64>;
    type Output = f64;

    fn predict(&self, row: Vec<f64>) -> larder::Result<f64> {
        Ok(self.weights.iter().zip(row).map(|(weight, x)| weight * x).sum())
    }
}

/// A model of many bytes.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/large", model)]
struct Large {
    content: Artifact<Bytes, RawBytes>,
}

impl Predict for Large {
    type Input = usize;
    type Output = u8;

    fn predict(&self, at: usize) -> larder::Result<u8> {
        let content = self.content.get()?;
        Ok(content.get(at).copied().unwrap_or_default())
    }
}

/// The number of pairs of short turns.
const PAIRS: usize = 24;
const ROW: &str = "[7.4,0.7,0.0,1.9,0.076,11.0,34.0,0.9978,3.51,0.56,9.4]";

fn main() -> Outcome {
    let seconds = env::var("SECONDS").ok().and_then(|it| it.parse().ok()).unwrap_or(3.0);
    let time = Duration::from_secs_f64(seconds);
    let model = Linear { weights: (1..=11).map(f64::from).collect() };
    let by_hand = start_by_hand(model.clone())?;

    let folder = tempfile::tempdir()?;
    let larder = larder::open(&*format!("sqlite:{}", folder.path().join("larder.db").display()))?;
    larder.apply("wine", &model)?;
    larder.deploy("wine", &DeployOptions::new())?;
    let options = ServerOptions::new().listen(SocketAddr::from(([127, 0, 0, 1], 0)).into());
    let server = Server::start(larder.clone(), &options)?;
    let token = server.first_token().unwrap_or_default().to_owned();
    let ours = Target {
        address: server.address().ok_or("the server has no address")?,
        request: request("/predict/wine", &token, &format!("{{\"input\":{ROW}}}")),
    };
    let by_hand =
        Target { address: by_hand, request: request("/", &token, &format!("{{\"input\":{ROW}}}")) };
    until(|| ours.once().is_ok_and(|status| status == 200))?;

    say(
        "one-row predictions a second; the handler by hand parses, calls the same model and answers",
    );
    say(
        "clients      larder     by hand  ratio  (quartiles)    goal       p50       p99; medians of pairs of turns",
    );
    for clients in [1, 8, 64] {
        let pairs = pairs(&ours, &by_hand, clients, time)?;
        let middle = |of: &dyn Fn(&Measured) -> f64| {
            quartiles(pairs.iter().map(|(ours, _)| of(ours)).collect())[1]
        };
        let [low, ratio, high] =
            quartiles(pairs.iter().map(|(ours, by_hand)| ours.rate / by_hand.rate).collect());
        let [_, by_hand, _] = quartiles(pairs.iter().map(|(_, by_hand)| by_hand.rate).collect());
        let met = if ratio >= 0.8 { "met" } else { "MISSED" };
        say(&format!(
            "{clients:>7} {:>11.0} {by_hand:>11.0} {ratio:>6.2} ({low:.2} to {high:.2})   0.80 {met} {:>6.0} µs {:>6.0} µs",
            middle(&|ours| ours.rate),
            middle(&|ours| ours.p50.as_secs_f64() * 1e6),
            middle(&|ours| ours.p99.as_secs_f64() * 1e6),
        ));
    }

    let full = load(&ours, 8, time, None)?;
    let half = load(&ours, 8, time, Some(full.rate / 2.0))?;
    let ratio = half.p99.as_secs_f64() / half.p50.as_secs_f64();
    say(&format!(
        "half load, 8 clients: p50 {}, p99 {}, ratio {ratio:.1} (goal 3)",
        micros(half.p50),
        micros(half.p99)
    ));
    for (name, path, body) in [
        ("MLFLOW", "/invocations", format!("{{\"inputs\":[{ROW}]}}")),
        ("BENTOML", "/predict", format!("{{\"row\":{ROW}}}")),
    ] {
        let Ok(url) = env::var(name) else { continue };
        let address: SocketAddr = url.trim_start_matches("http://").parse()?;
        let peer = Target { address, request: request(path, &token, &body) };
        let pairs = pairs(&ours, &peer, 1, time)?;
        let [low, ratio, high] =
            quartiles(pairs.iter().map(|(ours, peer)| ours.rate / peer.rate).collect());
        let [_, rate, _] = quartiles(pairs.iter().map(|(_, peer)| peer.rate).collect());
        say(&format!(
            "{name}, one client: {rate:.0} a second, larder {ratio:.1} times ({low:.1} to {high:.1}, goal 20)"
        ));
    }
    deploy(&larder, &server, &token)?;
    let requests = env::var("REQUESTS").ok().and_then(|it| it.parse().ok()).unwrap_or(1_000_000);
    memory(&ours, requests)
}

/// The growth of memory over many requests.
fn memory(target: &Target, requests: usize) -> Outcome {
    let portion = Duration::from_secs(2);
    load(target, 8, portion, None)?;
    let (before, mut asked) = (own_memory()?, 0.0);
    while asked < requests as f64 {
        asked += load(target, 8, portion, None)?.rate * portion.as_secs_f64();
    }
    let grown = own_memory()? as f64 - before as f64;
    say(&format!("memory after {asked:.0} more requests: {:+.1} MB", grown / 1e6));
    Ok(())
}

/// The time from a deployment of 100 MB to its first answer, against loading the model.
fn deploy(larder: &Larder, server: &Server, token: &str) -> Outcome {
    let bytes: Vec<u8> =
        (0..100_u32 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    larder.apply("large", &Large { content: Bytes::from(bytes).into() })?;
    let started = Instant::now();
    let model = larder.load_model("large")?;
    model.predict_json("7")?;
    let load = started.elapsed();
    let asked = Target {
        address: server.address().ok_or("the server has no address")?,
        request: request("/predict/serves-large", token, "{\"input\":7}"),
    };
    let started = Instant::now();
    larder.deploy("large", &DeployOptions::new().name("serves-large".parse()?))?;
    until(|| asked.once().is_ok_and(|status| status == 200))?;
    let ready = started.elapsed();
    say(&format!(
        "100 MB: loaded and asked in {} ms, deployed and answered in {} ms, ratio {:.2} (goal 1.2)",
        load.as_millis(),
        ready.as_millis(),
        ready.as_secs_f64() / load.as_secs_f64()
    ));
    Ok(())
}

/// A handler as one writes it without a framework for models.
fn start_by_hand(model: Linear) -> Outcome<SocketAddr> {
    #[derive(Deserialize)]
    struct Question {
        input: Vec<f64>,
    }
    #[derive(Serialize)]
    struct Answer {
        output: f64,
    }
    let model = Arc::new(model);
    let handler = move |Json(question): Json<Question>| {
        let model = Arc::clone(&model);
        async move { Json(Answer { output: model.predict(question.input).unwrap_or_default() }) }
    };
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    thread::spawn(move || -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener)?;
            axum::serve(listener, Router::new().route("/", post(handler))).await
        })
    });
    Ok(address)
}

struct Target {
    address: SocketAddr,
    request: Vec<u8>,
}

struct Measured {
    /// Answers a second.
    rate: f64,
    p50: Duration,
    p99: Duration,
}

impl Target {
    fn once(&self) -> std::io::Result<u16> {
        self.ask(&mut self.connect()?, &mut Vec::new())
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Sends the request and reads the answer, whose length its head says.
    fn ask(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> std::io::Result<u16> {
        stream.write_all(&self.request)?;
        buffer.clear();
        let mut piece = [0; 4096];
        loop {
            let read = stream.read(&mut piece)?;
            if read == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            buffer.extend_from_slice(&piece[..read]);
            let Some(end) = buffer.windows(4).position(|part| part == b"\r\n\r\n") else {
                continue;
            };
            let head = String::from_utf8_lossy(&buffer[..end]).to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
            if buffer.len() >= end + 4 + length {
                return Ok(head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or(0));
            }
        }
    }
}

/// Asks two servers in short turns. Each pair is taken at one time, because the machine is shared and the kernel moves threads
/// from core to core.
fn pairs(
    ours: &Target,
    other: &Target,
    clients: usize,
    time: Duration,
) -> Outcome<Vec<(Measured, Measured)>> {
    let measure = |target| load(target, clients, time / 8, None);
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        pairs.push(if pair % 2 == 0 {
            let ours = measure(ours)?;
            (ours, measure(other)?)
        } else {
            let other = measure(other)?;
            (measure(ours)?, other)
        });
    }
    Ok(pairs)
}

/// Asks from `clients` connections for `time`; at `rate` a second together, or as fast as they can.
fn load(target: &Target, clients: usize, time: Duration, rate: Option<f64>) -> Outcome<Measured> {
    let stop = AtomicBool::new(false);
    let pause = rate.map(|rate| Duration::from_secs_f64(clients as f64 / rate));
    let started = Instant::now();
    let times = thread::scope(|scope| -> std::io::Result<Vec<Duration>> {
        let threads: Vec<_> = (0..clients)
            .map(|_| {
                scope.spawn(|| -> std::io::Result<Vec<Duration>> {
                    let (mut stream, mut buffer) = (target.connect()?, Vec::new());
                    let mut times = Vec::new();
                    let mut next = Instant::now();
                    while !stop.load(Ordering::Relaxed) {
                        if let Some(pause) = pause {
                            next += pause;
                            thread::sleep(next.saturating_duration_since(Instant::now()));
                        }
                        let asked = Instant::now();
                        if target.ask(&mut stream, &mut buffer)? != 200 {
                            let text = String::from_utf8_lossy(&buffer).into_owned();
                            return Err(std::io::Error::other(text));
                        }
                        times.push(asked.elapsed());
                    }
                    Ok(times)
                })
            })
            .collect();
        thread::sleep(time);
        stop.store(true, Ordering::Relaxed);
        let mut all = Vec::new();
        for thread in threads {
            all.extend(thread.join().map_err(|_| std::io::Error::other("a client panicked"))??);
        }
        Ok(all)
    });
    let (mut times, took) = (times?, started.elapsed());
    times.sort_unstable();
    let at =
        |share: f64| times.get((times.len() as f64 * share) as usize).copied().unwrap_or_default();
    Ok(Measured { rate: times.len() as f64 / took.as_secs_f64(), p50: at(0.5), p99: at(0.99) })
}

fn request(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn until(is_so: impl Fn() -> bool) -> Outcome {
    let started = Instant::now();
    while !is_so() {
        if started.elapsed() > Duration::from_secs(30) {
            return Err("the server did not become ready".into());
        }
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Returns the quartiles of some numbers.
fn quartiles(mut of: Vec<f64>) -> [f64; 3] {
    of.sort_unstable_by(f64::total_cmp);
    [1, 2, 3].map(|part| of.get(of.len() * part / 4).copied().unwrap_or_default())
}

fn micros(time: Duration) -> String {
    format!("{} µs", time.as_micros())
}
