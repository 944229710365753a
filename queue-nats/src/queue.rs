//! The queue: a stream of ids, and one consumer that all workers share.

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::connection::State;
use async_nats::header::{HeaderMap, NATS_MESSAGE_ID};
use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{ConsumerInfoError, ConsumerInfoErrorKind};
use async_nats::jetstream::stream::{Config as StreamConfig, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, AckKind, Context, Message};
use async_nats::{Client, ConnectOptions};
use futures_util::future::{Either, select};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use larder_core::store::runtime;
use larder_core::versions::JobId;
use larder_core::{BoxError, Error, Result, StoreUrl};
use larder_jobs::{Delivery, JobQueue, Jobs};

use crate::config::Config;
use crate::receipt::NatsReceipt;

/// The consumer that all workers share.
const CONSUMER: &str = "workers";
/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a request may take.
const REQUEST: Duration = Duration::from_secs(5);
/// How soon who submits is told that the connection was lost.
const LOOK: Duration = Duration::from_millis(20);
/// How long the answer of the server may take that there is no job.
const GRACE: Duration = Duration::from_secs(1);
/// How many ids are on their way to the server at once.
const MOST_ON_THE_WAY: usize = 256;
/// An id that is submitted again is taken once in this time, whoever submits it.
const AGAIN: Duration = Duration::from_secs(120);
/// An id that is older is dropped; if its job still waits, a worker finds it in the larder.
const MOST_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// A queue on NATS JetStream.
///
/// Cheap to clone; every clone is the same queue, and uses one connection. See the crate's documentation.
#[derive(Clone)]
pub struct NatsQueue {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    client: Client,
    context: Context,
    /// The consumer, until it is found to be gone.
    consumer: Mutex<Option<PullConsumer>>,
}

impl NatsQueue {
    /// Connects to the queue at `url`, and makes its stream if it is not there.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for a URL that is none of a queue, or has an unknown option; [`Error::Refused`] if the stream is there
    /// and is none of Larder's; [`Error::Store`] if no server answers, or it lets nobody in, or it has no JetStream.
    pub fn open(url: &StoreUrl) -> Result<Self> {
        let config = Config::read(url)?;
        runtime::wait(async move {
            let client = connect(&config).await?;
            let mut context = jetstream::new(client.clone());
            context.set_timeout(REQUEST);
            let inner = Inner { config, client, context, consumer: Mutex::default() };
            let queue = Self { inner: Arc::new(inner) };
            queue.consumer().await?;
            Ok(queue)
        })
    }

    /// The URL, without secrets.
    pub fn url(&self) -> String {
        self.inner.config.shown()
    }

    /// How many ids it holds: those that wait, and those that workers have.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn len(&self) -> Result<u64> {
        let queue = self.clone();
        runtime::wait(async move {
            match queue.consumer().await?.get_info().await {
                // A server that was killed may keep ids in its stream that are done; nobody is brought them.
                Ok(info) => Ok(info.num_pending + info.num_ack_pending as u64),
                // It is made again when it is needed.
                Err(error) if is_missing(&error) => Ok(0),
                Err(error) => Err(queue.failed("find the consumer of", error)),
            }
        })
    }

    /// Whether it holds no id.
    ///
    /// # Errors
    /// As [`len`](NatsQueue::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    fn failed(&self, what: &str, error: impl Into<BoxError>) -> Error {
        Error::store(format!("{what} {}", self.url()), error)
    }

    /// The consumer; it and its stream are made if they are not there.
    async fn consumer(&self) -> Result<PullConsumer> {
        if let Some(consumer) = &*self.known() {
            return Ok(consumer.clone());
        }
        let Inner { config, context, .. } = &*self.inner;
        let subject = config.subject();
        let made = context.get_or_create_stream(StreamConfig {
            name: config.stream.clone(),
            description: Some("ids of Larder's jobs".into()),
            subjects: vec![subject.clone()],
            retention: RetentionPolicy::WorkQueue,
            storage: StorageType::File,
            num_replicas: config.replicas,
            duplicate_window: AGAIN,
            max_age: MOST_AGE,
            ..StreamConfig::default()
        });
        let stream = made.await.map_err(|error| self.failed("find the stream of", error))?;
        let found = &stream.cached_info().config;
        if found.retention != RetentionPolicy::WorkQueue || found.subjects != [subject] {
            return Err(Error::Refused {
                action: format!("use the queue {}", self.url()),
                reason: format!(
                    "the stream `{}` serves something else; name another with `?stream=`",
                    config.stream
                ),
            });
        }
        let made = stream.create_consumer(pull::Config {
            durable_name: Some(CONSUMER.into()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: config.ack_wait,
            // How often a job is tried is said by its record.
            max_deliver: -1,
            // Jobs that wait for their time must not keep others back.
            max_ack_pending: -1,
            ..pull::Config::default()
        });
        let consumer = made.await.map_err(|error| self.failed("find the consumer of", error))?;
        *self.known() = Some(consumer.clone());
        Ok(consumer)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<PullConsumer>> {
        self.inner.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a server is there; it is connected to again by itself.
    fn is_connected(&self) -> bool {
        self.inner.client.connection_state() == State::Connected
    }

    fn not_connected(&self, what: &str) -> Error {
        self.failed(what, "the connection is lost, and is tried again")
    }

    /// Publishes ids. Those that are published `again` are taken once in a while.
    async fn publish(self, ids: Vec<String>, again: bool) -> Result<()> {
        // Nobody who applies waits for a server that is away.
        let lost = async {
            while self.is_connected() {
                tokio::time::sleep(LOOK).await;
            }
        };
        match select(pin!(lost), pin!(self.publish_or_make(&ids, again))).await {
            Either::Left(_) => Err(self.not_connected("submit a job to")),
            Either::Right((published, _)) => published,
        }
    }

    async fn publish_or_make(&self, ids: &[String], again: bool) -> Result<()> {
        let published = self.try_publish(ids, again).await;
        if published.is_ok() {
            return Ok(());
        }
        // A server that was wiped has no stream; it is made anew, once.
        *self.known() = None;
        self.consumer().await?;
        self.try_publish(ids, again).await
    }

    async fn try_publish(&self, ids: &[String], again: bool) -> Result<()> {
        let subject = self.inner.config.subject();
        let publish = |id: &String| {
            let (context, subject, id) = (self.inner.context.clone(), subject.clone(), id.clone());
            async move {
                let mut headers = HeaderMap::new();
                if again {
                    headers.insert(NATS_MESSAGE_ID, id.as_str());
                }
                context.publish_with_headers(subject, headers, id.into()).await?.await.map(drop)
            }
        };
        let mut published = stream::iter(ids).map(publish).buffer_unordered(MOST_ON_THE_WAY);
        while let Some(published) = published.next().await {
            published.map_err(|error| self.failed("submit a job to", error))?;
        }
        Ok(())
    }

    /// Up to `most` ids that are there; if there are none, the first that comes within `wait`.
    async fn fetch(self, most: usize, wait: Duration) -> Result<Vec<Delivery>> {
        if !self.is_connected() {
            tokio::time::sleep(wait).await;
            return Err(self.not_connected("ask for jobs at"));
        }
        let consumer = self.consumer().await?;
        let fetched = async {
            // Without a time by which it expires, it is answered at once, also if there is nothing.
            let there = consumer.fetch().max_messages(most).messages().await?;
            let mut messages: Vec<Message> = there.try_collect().await?;
            if messages.is_empty() && !wait.is_zero() {
                let first = consumer.batch().max_messages(1).expires(wait).messages().await?;
                messages = first.try_collect().await?;
            }
            Ok::<_, BoxError>(messages)
        };
        match tokio::time::timeout(wait + REQUEST + GRACE, fetched).await {
            Ok(Ok(messages)) => Ok(messages.into_iter().filter_map(delivery).collect()),
            Ok(Err(error)) => {
                // It may be gone; it is looked for again.
                *self.known() = None;
                Err(self.failed("ask for jobs at", error))
            }
            // A message that comes now comes again.
            Err(_) if self.is_connected() => Ok(Vec::new()),
            Err(_) => Err(self.not_connected("ask for jobs at")),
        }
    }
}

fn is_missing(error: &ConsumerInfoError) -> bool {
    matches!(error.kind(), ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound)
}

async fn connect(config: &Config) -> Result<Client> {
    let failed = |error: BoxError| Error::store(format!("connect to {}", config.shown()), error);
    let mut options = match (&config.credentials, &config.token, &config.user) {
        (Some(file), ..) => {
            let read = ConnectOptions::with_credentials_file(file).await;
            read.map_err(|error| failed(format!("{}: {error}", file.display()).into()))?
        }
        (None, Some(token), _) => ConnectOptions::with_token(token.clone()),
        (None, None, Some((user, password))) => {
            ConnectOptions::with_user_and_password(user.clone(), password.clone())
        }
        (None, None, None) => ConnectOptions::new(),
    };
    options = options.name("larder").connection_timeout(CONNECT).require_tls(config.tls);
    if let Some(ca) = &config.ca {
        options = options.add_root_certificates(ca.clone());
    }
    let servers: Result<Vec<async_nats::ServerAddr>, _> =
        config.servers.iter().map(|server| server.parse()).collect();
    let servers = servers.map_err(|error| failed(error.into()))?;
    options.connect(servers).await.map_err(|error| failed(error.into()))
}

/// The job that a message names. One that names none is not brought again.
fn delivery(message: Message) -> Option<Delivery> {
    let text = std::str::from_utf8(&message.payload).ok();
    match text.and_then(|text| text.parse::<JobId>().ok()) {
        Some(job) => Some(Delivery { job, receipt: Some(Box::new(NatsReceipt::new(message))) }),
        None => {
            runtime::spawn(async move {
                let _ = message.ack_with(AckKind::Term).await;
            });
            None
        }
    }
}

impl JobQueue for NatsQueue {
    fn submit(&self, jobs: &[JobId]) -> Result<()> {
        self.send(jobs, false)
    }

    fn resubmit(&self, jobs: &[JobId]) -> Result<()> {
        self.send(jobs, true)
    }

    fn next(&self, _: &Jobs, most: usize, wait: Duration) -> Result<Vec<Delivery>> {
        runtime::wait(self.clone().fetch(most, wait))
    }
}

impl NatsQueue {
    fn send(&self, jobs: &[JobId], again: bool) -> Result<()> {
        if jobs.is_empty() {
            return Ok(());
        }
        runtime::wait(self.clone().publish(jobs.iter().map(ToString::to_string).collect(), again))
    }
}

impl fmt::Debug for NatsQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NatsQueue({})", self.url())
    }
}
