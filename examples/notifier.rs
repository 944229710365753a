//! A component with hooks and triggers: it tells a service when it is applied, and does more if it is asked to.
//!
//! ```sh
//! cargo run --example notifier
//! cargo run --example notifier -- larder.db
//! ```
//!
//! The service is an HTTP receiver on this machine, which the program starts itself. What it hears is printed:
//!
//! - `post_init` checks the component: what it is to do must name what it is given;
//! - `setup` connects to the service, before the first job, once;
//! - `on_create` registers the component there, `cleanup` takes it out again;
//! - the trigger `start` sends a message when a version was applied;
//! - `go` waits for `start`, and only runs if the field `d` is set.
#![allow(clippy::print_stdout)]

use larder::versions::RemoveOptions;
use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;

use larder::jobs::{JobContext, JobStatus};
use larder::prelude::*;
use larder::{BoxError, HookContext, HookResult, Hooks, triggers};

/// Says `a` times what is in `d`, with `b` and the entries of `c` in their places.
#[derive(Serialize, Deserialize, Component)]
#[component(tag = "example/notifier", hooks)]
struct Notifier {
    a: u32,
    b: String,
    c: BTreeMap<String, String>,
    /// A sentence with `{b}` and the keys of `c` in it.
    d: Option<String>,
    /// Where the service is.
    service: String,
    /// The connection; it is opened by `setup`, and not stored.
    #[serde(skip)]
    client: OnceLock<Client>,
}

impl Hooks for Notifier {
    /// Runs when it is applied, before anything is written, and whenever it is loaded.
    fn post_init(&mut self) -> HookResult {
        let Some(d) = &self.d else { return Ok(()) };
        let mut names = self.c.keys().map(String::as_str).chain(["b"]);
        match names.find(|name| !d.contains(&format!("{{{name}}}"))) {
            None => Ok(()),
            Some(name) => Err(format!("`d` says nothing of `{name}`").into()),
        }
    }

    /// Runs before the first job of a loaded component, once.
    fn setup(&self, _: &HookContext) -> HookResult {
        let client = Client::connect(&self.service)?;
        client.send("connected")?;
        self.client.set(client).map_err(|_| "it is connected already".into())
    }

    /// Runs right after a version was committed. Nobody ran `setup` before it.
    fn on_create(&self, context: &HookContext) -> HookResult {
        let client = Client::connect(&self.service)?;
        Ok(client.send(&format!("{} is registered", context.version.reference()))?)
    }

    /// Runs before a version is removed.
    fn cleanup(&self, context: &HookContext) -> HookResult {
        let client = Client::connect(&self.service)?;
        Ok(client.send(&format!("{} is gone", context.version.reference()))?)
    }
}

#[triggers]
impl Notifier {
    /// Runs as a job when a version was applied.
    #[trigger(apply, retries = 3, timeout = "10s")]
    fn start(&self, job: &JobContext) -> Result<(), BoxError> {
        self.send(&format!("{} starts", job.reference()))
    }

    /// Runs after `start`, and not at all without a `d`.
    #[trigger(apply, depends_on = "start", requires = "d")]
    fn go(&self, job: &JobContext) -> Result<(), BoxError> {
        let mut sentence = self.d.clone().unwrap_or_default().replace("{b}", &self.b);
        for (name, value) in &self.c {
            sentence = sentence.replace(&format!("{{{name}}}"), value);
        }
        for round in 0..self.a {
            job.progress(f64::from(round) / f64::from(self.a), "talking");
            self.send(&sentence)?;
        }
        Ok(())
    }
}

impl Notifier {
    fn send(&self, message: &str) -> Result<(), BoxError> {
        Ok(self.client.get().ok_or("it was not set up")?.send(message)?)
    }
}

/// A connection to the service.
struct Client(Mutex<BufReader<TcpStream>>);

impl Client {
    fn connect(service: &str) -> io::Result<Self> {
        Ok(Self(Mutex::new(BufReader::new(TcpStream::connect(service)?))))
    }

    fn send(&self, message: &str) -> io::Result<()> {
        let mut stream = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let length = message.len();
        write!(
            stream.get_mut(),
            "POST /notify HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{message}"
        )?;
        let mut answer = String::new();
        while stream.read_line(&mut answer)? > 2 {}
        match answer.starts_with("HTTP/1.1 204 ") {
            true => Ok(()),
            false => Err(io::Error::other(format!("the service answered {answer:?}"))),
        }
    }
}

/// Starts the service; gives its address, and what it hears.
fn service() -> io::Result<(String, Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let (hear, heard) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let hear = hear.clone();
            thread::spawn(move || {
                let mut stream = BufReader::new(stream);
                while let Ok(Some(message)) = receive(&mut stream) {
                    let _ = hear.send(message);
                    let _ = stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n");
                }
            });
        }
    });
    Ok((address, heard))
}

/// Reads one message; none if the connection was closed.
fn receive(stream: &mut BufReader<TcpStream>) -> io::Result<Option<String>> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
        if line == "\r\n" {
            break;
        }
    }
    let mut message = String::new();
    stream.take(length).read_to_string(&mut message)?;
    Ok(Some(message))
}

fn main() -> Result<(), Box<dyn Error>> {
    let store = std::env::args().nth(1).unwrap_or_else(|| "memory:".to_owned());
    let larder = larder::open(store.as_str())?;
    let (service, heard) = service()?;
    let notifier = |d: Option<&str>| Notifier {
        a: 2,
        b: "the cellar".into(),
        c: BTreeMap::from([("time".into(), "noon".into())]),
        d: d.map(Into::into),
        service: service.clone(),
        client: OnceLock::new(),
    };

    // What cannot be is not applied.
    match larder.apply("bell", &notifier(Some("come to {b}"))) {
        Ok(_) => return Err("no time is said, and it was applied".into()),
        Err(refused) => println!("refused: {}", refused.source().ok_or("no reason is given")?),
    }

    for d in [None, Some("come to {b} at {time}")] {
        let applied = larder.apply("bell", &notifier(d))?;
        let jobs = larder.jobs().wait(&applied)?;
        for job in &jobs {
            println!("{} of v{} {}", job.trigger, job.version.get(), job.status);
        }
        let has_gone =
            jobs.iter().any(|job| job.trigger == "go" && job.status == JobStatus::Succeeded);
        assert_eq!(has_gone, d.is_some(), "`go` runs with `d`, and only with it");
    }
    larder.remove_all("bell", &RemoveOptions::new())?;
    for message in heard.try_iter() {
        println!("heard: {message}");
    }
    Ok(())
}
