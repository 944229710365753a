//! A bounded pool of connections, and retries after transient failures.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_store::{Error, Result};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;

use crate::config::DatabaseLocation;
use crate::failure::Failure;
use crate::schema;

/// Delay before the first retry. It doubles with each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Maximum delay before a retry.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The connections to one database.
pub(crate) struct Pool {
    place: DatabaseLocation,
    permits: Semaphore,
    idle: Mutex<Vec<Client>>,
}

/// A connection in exclusive use. It is closed when dropped, unless it is given back.
pub(crate) struct Lease<'a> {
    pub(crate) client: Client,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Returns the connection to the pool. It must not be in a transaction or wait for an answer.
    pub(crate) fn give_back(self) {
        self.pool.idle().push(self.client);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.place.fmt(f)
    }
}

impl Pool {
    pub(crate) fn new(place: DatabaseLocation) -> Self {
        Self { permits: Semaphore::new(place.pool), idle: Mutex::default(), place }
    }

    /// Returns whether the schema contains anything.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        let looked = self.retry(
            || format!("open the larder at {}", self.url()),
            || async { schema::is_there(&connect(&self.place).await?, &self.place).await },
        );
        looked.await
    }

    /// Connects, and creates or checks the tables.
    pub(crate) async fn open(place: DatabaseLocation) -> Result<Self> {
        let pool = Self::new(place);
        let opened = pool.retry(
            || format!("open the larder at {}", pool.url()),
            || async {
                let mut client = connect(&pool.place).await?;
                schema::check_or_create(&mut client, &pool.place).await?;
                Ok(client)
            },
        );
        let first = opened.await?;
        pool.idle().push(first);
        Ok(pool)
    }

    pub(crate) fn url(&self) -> &str {
        &self.place.url
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Client>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a connection.
    pub(crate) async fn get(&self) -> Result<Lease<'_>, Failure> {
        let permit = self.permits.acquire().await;
        let _permit = permit.map_err(|_| Failure::Transient("the pool is closed"))?;
        loop {
            let idle = self.idle().pop();
            let client = match idle {
                Some(idle) if idle.is_closed() => continue,
                Some(idle) => idle,
                None => connect(&self.place).await?,
            };
            return Ok(Lease { client, pool: self, _permit });
        }
    }

    /// Runs `work` until it succeeds, fails permanently, or runs out of retries. `work` may take effect twice.
    pub(crate) async fn retry<T, F, W>(&self, action: impl Fn() -> String, work: W) -> Result<T>
    where
        W: Fn() -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let mut retries = self.retries();
        loop {
            match work().await {
                Ok(done) => return Ok(done),
                Err(failure) => retries.wait(failure, &action).await?,
            }
        }
    }

    /// Returns the retries of one call.
    pub(crate) fn retries(&self) -> Retries {
        Retries { left: self.place.retries, wait: FIRST_WAIT }
    }
}

/// The remaining retries of one call.
pub(crate) struct Retries {
    left: u32,
    wait: Duration,
}

impl Retries {
    /// Waits before the next attempt. Returns the error of `action` if the failure is permanent or no retry is left.
    pub(crate) async fn wait(
        &mut self,
        failure: Failure,
        action: impl Fn() -> String,
    ) -> Result<(), Error> {
        if self.left == 0 || !failure.is_transient() {
            return Err(failure.into_error(action()));
        }
        self.left -= 1;
        // Jitter, so that clients that failed together do not retry together.
        let share = RandomState::new().build_hasher().finish() % 512;
        tokio::time::sleep(self.wait.mul_f64(0.5 + share as f64 / 1024.0)).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Ok(())
    }
}

/// Opens and sets up a connection.
async fn connect(place: &DatabaseLocation) -> Result<Client, Failure> {
    let (client, connection) = place.config.connect(place.tls.clone()).await?;
    // The task ends with the client. Its errors are also returned by the client.
    tokio::spawn(connection);
    // The schema name was validated. A stricter setting of `synchronous_commit` is kept. The timeouts bound how long a
    // dead client can block others.
    let setup = format!(
        "SET search_path TO \"{}\"; SET client_min_messages TO warning; \
         SET default_transaction_isolation TO 'read committed'; \
         SET lock_timeout TO '60s'; SET idle_in_transaction_session_timeout TO '60s'; \
         SELECT set_config('synchronous_commit', 'on', false) \
         WHERE current_setting('synchronous_commit') IN ('off', 'local')",
        place.schema
    );
    client.batch_execute(&setup).await?;
    Ok(client)
}
