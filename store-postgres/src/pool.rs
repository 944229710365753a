//! Connections: at most so many, made when they are needed, and tried again where that may help.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use larder_core::{Error, Result};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio_postgres::Client;

use crate::config::DatabaseLocation;
use crate::failure::Failure;
use crate::schema;

/// How long the first wait between two tries is; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// How long a wait is at most.
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// The connections to one database.
pub(crate) struct Pool {
    place: DatabaseLocation,
    permits: Semaphore,
    idle: Mutex<Vec<Client>>,
}

/// A connection that nobody else has. It goes back when it is said to be in order, and is closed otherwise.
pub(crate) struct Lease<'a> {
    pub(crate) client: Client,
    pool: &'a Pool,
    _permit: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// Hands the connection on: it is in no transaction, and waits for no answer.
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

    /// Whether anything is there.
    pub(crate) async fn is_there(&self) -> Result<bool> {
        let looked = self.retry(
            || format!("open the larder at {}", self.url()),
            || async { schema::is_there(&connect(&self.place).await?, &self.place).await },
        );
        looked.await
    }

    /// Connects, and makes or checks the tables.
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

    /// A connection, as soon as there is one.
    pub(crate) async fn get(&self) -> Result<Lease<'_>, Failure> {
        let permit = self.permits.acquire().await;
        let _permit = permit.map_err(|_| Failure::Passing("its connections were closed"))?;
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

    /// Does `work` until it is done, or fails for a reason that does not pass, or too often. It may be done twice.
    pub(crate) async fn retry<T, F, W>(&self, action: impl Fn() -> String, work: W) -> Result<T>
    where
        W: Fn() -> F,
        F: Future<Output = Result<T, Failure>>,
    {
        let mut tries = self.tries();
        loop {
            match work().await {
                Ok(done) => return Ok(done),
                Err(failure) => tries.again(failure, &action).await?,
            }
        }
    }

    /// Counts tries.
    pub(crate) fn tries(&self) -> Tries {
        Tries { left: self.place.retries, wait: FIRST_WAIT }
    }
}

/// How often something is still tried.
pub(crate) struct Tries {
    left: u32,
    wait: Duration,
}

impl Tries {
    /// Waits if it is worth another try, and gives the error of what was to do `action` otherwise.
    pub(crate) async fn again(
        &mut self,
        failure: Failure,
        action: impl Fn() -> String,
    ) -> Result<(), Error> {
        if self.left == 0 || !failure.is_passing() {
            return Err(failure.into_error(action()));
        }
        self.left -= 1;
        // Those that failed together are not to come back together.
        let share = RandomState::new().build_hasher().finish() % 512;
        tokio::time::sleep(self.wait.mul_f64(0.5 + share as f64 / 1024.0)).await;
        self.wait = (self.wait * 2).min(LONGEST_WAIT);
        Ok(())
    }
}

/// A new connection, set up as all of them are.
async fn connect(place: &DatabaseLocation) -> Result<Client, Failure> {
    let (client, connection) = place.config.connect(place.tls.clone()).await?;
    // It ends with the client. What it has to say, the client's answers say too.
    tokio::spawn(connection);
    // The name of a schema was checked. Who set commits to be waited for by others too is not overruled. A
    // client that died holds up nobody for longer than a minute.
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
