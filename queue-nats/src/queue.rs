//! The queue: a stream of job ids with one consumer shared by all workers.

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

/// Name of the shared consumer.
const CONSUMER: &str = "workers";
/// Timeout of a connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Interval of the connection check while ids are published.
const CONNECTION_POLL: Duration = Duration::from_millis(20);
/// Extra time for an empty response.
const EMPTY_GRACE: Duration = Duration::from_secs(1);
/// Maximum number of unacknowledged published ids.
const MAX_IN_FLIGHT: usize = 256;
/// Window in which a resubmitted id is deduplicated.
const DUPLICATE_WINDOW: Duration = Duration::from_secs(120);
/// Maximum age of an id; a worker finds a job that still waits in the larder.
const MAX_AGE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Job queue on NATS JetStream.
///
/// Clones are cheap and share one connection. See the crate documentation.
#[derive(Clone)]
pub struct NatsQueue {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    client: Client,
    context: Context,
    /// The consumer; reset when it is found to be missing.
    consumer: Mutex<Option<PullConsumer>>,
}

impl NatsQueue {
    /// Connects to the queue at `url`, and creates its stream if it does not exist.
    ///
    /// # Errors
    /// [`Error::InvalidName`] for an invalid URL; [`Error::Refused`] if the stream has another configuration;
    /// [`Error::Store`] if no server responds, authentication fails or JetStream is disabled.
    pub fn open(url: &StoreUrl) -> Result<Self> {
        let config = Config::read(url)?;
        runtime::wait(async move {
            let client = connect(&config).await?;
            let mut context = jetstream::new(client.clone());
            context.set_timeout(REQUEST_TIMEOUT);
            let inner = Inner { config, client, context, consumer: Mutex::default() };
            let queue = Self { inner: Arc::new(inner) };
            queue.consumer().await?;
            Ok(queue)
        })
    }

    /// Returns the URL, without secrets.
    pub fn url(&self) -> String {
        self.inner.config.redacted()
    }

    /// Returns the number of ids, waiting or held by workers.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub fn len(&self) -> Result<u64> {
        let queue = self.clone();
        runtime::wait(async move {
            match queue.consumer().await?.get_info().await {
                // A killed server may keep finished ids in its stream, which it does not deliver.
                Ok(info) => Ok(info.num_pending + info.num_ack_pending as u64),
                // Created again on the next use.
                Err(error) if is_missing(&error) => Ok(0),
                Err(error) => Err(queue.failed("find the consumer of", error)),
            }
        })
    }

    /// Returns true if there are no ids.
    ///
    /// # Errors
    /// As [`len`](NatsQueue::len).
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    fn failed(&self, what: &str, error: impl Into<BoxError>) -> Error {
        Error::store(format!("{what} {}", self.url()), error)
    }

    /// Returns the consumer; creates it and its stream if they do not exist.
    async fn consumer(&self) -> Result<PullConsumer> {
        if let Some(consumer) = &*self.cached_consumer() {
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
            duplicate_window: DUPLICATE_WINDOW,
            max_age: MAX_AGE,
            ..StreamConfig::default()
        });
        let stream = made.await.map_err(|error| self.failed("find the stream of", error))?;
        let found = &stream.cached_info().config;
        if found.retention != RetentionPolicy::WorkQueue || found.subjects != [subject] {
            return Err(Error::Refused {
                action: format!("use the queue {}", self.url()),
                reason: format!(
                    "the stream `{}` exists with another configuration; choose another with `?stream=`",
                    config.stream
                ),
            });
        }
        let made = stream.create_consumer(pull::Config {
            durable_name: Some(CONSUMER.into()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: config.ack_wait,
            // The job's record limits its attempts.
            max_deliver: -1,
            // Delayed jobs must not block others.
            max_ack_pending: -1,
            ..pull::Config::default()
        });
        let consumer = made.await.map_err(|error| self.failed("find the consumer of", error))?;
        *self.cached_consumer() = Some(consumer.clone());
        Ok(consumer)
    }

    fn cached_consumer(&self) -> std::sync::MutexGuard<'_, Option<PullConsumer>> {
        self.inner.consumer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns true if connected; the client reconnects by itself.
    fn is_connected(&self) -> bool {
        self.inner.client.connection_state() == State::Connected
    }

    fn not_connected(&self, what: &str) -> Error {
        self.failed(what, "the connection is lost; the client is reconnecting")
    }

    /// Publishes ids; with `again`, deduplicated within [`DUPLICATE_WINDOW`].
    async fn publish(self, ids: Vec<String>, again: bool) -> Result<()> {
        // `apply` must not wait for an unreachable server.
        let lost = async {
            while self.is_connected() {
                tokio::time::sleep(CONNECTION_POLL).await;
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
        // A wiped server has no stream: create it and retry once.
        *self.cached_consumer() = None;
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
        let mut published = stream::iter(ids).map(publish).buffer_unordered(MAX_IN_FLIGHT);
        while let Some(published) = published.next().await {
            published.map_err(|error| self.failed("submit a job to", error))?;
        }
        Ok(())
    }

    /// Returns up to `most` available ids; if there are none, the first that arrives within `wait`.
    async fn fetch(self, most: usize, wait: Duration) -> Result<Vec<Delivery>> {
        if !self.is_connected() {
            tokio::time::sleep(wait).await;
            return Err(self.not_connected("ask for jobs at"));
        }
        let consumer = self.consumer().await?;
        let fetched = async {
            // Without an expiry, the server responds at once, even if there are no messages.
            let available = consumer.fetch().max_messages(most).messages().await?;
            let mut messages: Vec<Message> = available.try_collect().await?;
            if messages.is_empty() && !wait.is_zero() {
                let first = consumer.batch().max_messages(1).expires(wait).messages().await?;
                messages = first.try_collect().await?;
            }
            Ok::<_, BoxError>(messages)
        };
        match tokio::time::timeout(wait + REQUEST_TIMEOUT + EMPTY_GRACE, fetched).await {
            Ok(Ok(messages)) => Ok(messages.into_iter().filter_map(delivery).collect()),
            Ok(Err(error)) => {
                // The consumer may be missing: look it up again.
                *self.cached_consumer() = None;
                Err(self.failed("ask for jobs at", error))
            }
            // A message that arrives later is redelivered.
            Err(_) if self.is_connected() => Ok(Vec::new()),
            Err(_) => Err(self.not_connected("ask for jobs at")),
        }
    }
}

fn is_missing(error: &ConsumerInfoError) -> bool {
    matches!(error.kind(), ConsumerInfoErrorKind::NotFound | ConsumerInfoErrorKind::StreamNotFound)
}

async fn connect(config: &Config) -> Result<Client> {
    let failed = |error: BoxError| Error::store(format!("connect to {}", config.redacted()), error);
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
    options = options.name("larder").connection_timeout(CONNECT_TIMEOUT).require_tls(config.tls);
    if let Some(ca) = &config.ca {
        options = options.add_root_certificates(ca.clone());
    }
    let servers: Result<Vec<async_nats::ServerAddr>, _> =
        config.servers.iter().map(|server| server.parse()).collect();
    let servers = servers.map_err(|error| failed(error.into()))?;
    options.connect(servers).await.map_err(|error| failed(error.into()))
}

/// Parses the job id of a message; terminates an invalid message.
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
