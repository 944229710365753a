//! A commit is one transaction, made once.

use std::str::Utf8Error;

use futures_util::future::{join, join_all};
use larder_store::{Change, Committed, Expected, RecordKey, Revision};
use larder_store::{Error, Result};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error as Cause};

use crate::blobs;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::records::{self, Param};

/// Locks the key until the transaction ends, even against other transactions that would create it.
const PUT_NEW: &str = "INSERT INTO records (key, revision, value) \
    VALUES ($1, nextval('revisions'), $2) ON CONFLICT DO NOTHING";
const PUT_ANY: &str = "INSERT INTO records (key, revision, value) \
    VALUES ($1, nextval('revisions'), $2) ON CONFLICT (key) \
    DO UPDATE SET revision = excluded.revision, value = excluded.value";
const PUT_OVER: &str = "UPDATE records SET revision = nextval('revisions'), value = $2 \
    WHERE key = $1 AND revision = $3";
const SHARE: &str = "SELECT FROM records WHERE key = $1 AND revision = $2 FOR SHARE";
const REMOVE_ANY: &str = "DELETE FROM records WHERE key = $1";
const REMOVE_AT: &str = "DELETE FROM records WHERE key = $1 AND revision = $2";

impl Pool {
    /// Makes all changes, or none.
    ///
    /// If the answer to `COMMIT` is lost, the outcome of the transaction is looked up by its ID before it is tried
    /// again.
    pub(crate) async fn commit(&self, changes: &[Change]) -> Result<Committed> {
        if changes.is_empty() {
            return Ok(Committed::All);
        }
        let texts = texts(changes).map_err(|error| {
            Error::store(format!("write a record that is not UTF-8 to {}", self.url()), error)
        })?;
        let order = order(changes);
        let mut retries = self.retries();
        let mut undecided = None;
        loop {
            let failure = match self.try_commit(changes, &texts, &order, &mut undecided).await {
                Ok(committed) => return Ok(committed),
                Err(failure) => failure,
            };
            let action = || match undecided {
                None => format!("commit to {}", self.url()),
                Some(_) => format!("tell whether a commit to {} was made", self.url()),
            };
            retries.wait(failure, action).await?;
        }
    }

    async fn try_commit(
        &self,
        changes: &[Change],
        texts: &[Option<&str>],
        order: &[usize],
        undecided: &mut Option<i64>,
    ) -> Result<Committed, Failure> {
        let lease = self.get().await?;
        let client = &lease.client;
        if let Some(transaction) = *undecided {
            let asked = [(&transaction as _, Type::INT8)];
            let ended = client.query_typed_one("SELECT txid_status($1)", &asked).await?;
            match ended.get::<_, Option<&str>>(0) {
                Some("committed") => {
                    lease.give_back();
                    return Ok(Committed::All);
                }
                Some("aborted") => *undecided = None,
                _ => {
                    lease.give_back();
                    return Err(Failure::Transient("the transaction is still in progress"));
                }
            }
        }
        // All statements are sent at once, and the server runs them in this order.
        let made = order.iter().map(|at| make(client, &changes[*at], texts[*at]));
        let (begun, (number, made)) = join(
            client.batch_execute("BEGIN"),
            join(client.query_typed_one("SELECT txid_current()", &[]), join_all(made)),
        )
        .await;
        begun?;
        let made = all_or_first_error(made)?;
        let failed = order.iter().zip(made).filter(|(_, made)| !made).map(|(at, _)| *at).min();
        if let Some(at) = failed {
            client.batch_execute("ROLLBACK").await?;
            lease.give_back();
            return Ok(Committed::Conflict { at, made: 0 });
        }
        *undecided = Some(number?.get(0));
        client.batch_execute("COMMIT").await?;
        *undecided = None;
        lease.give_back();
        Ok(Committed::All)
    }
}

/// Returns the first error that caused the others: after it, all statements of the transaction fail.
fn all_or_first_error(made: Vec<Result<bool, Cause>>) -> Result<Vec<bool>, Cause> {
    let follows = |cause: &Cause| cause.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION);
    let mut all = Vec::with_capacity(made.len());
    let mut following = None;
    for made in made {
        match made {
            Ok(made) => all.push(made),
            Err(cause) if follows(&cause) => following = Some(cause),
            Err(cause) => return Err(cause),
        }
    }
    following.map_or(Ok(all), Err)
}

/// Returns the order in which changes are made: blobs by digest, then records by key. All writers use the same order,
/// which avoids deadlocks.
fn order(changes: &[Change]) -> Vec<usize> {
    let place = |at: &usize| match &changes[*at] {
        Change::PutBlob { digest, .. } => (Some(*digest), None),
        Change::PutRecord { key, .. } | Change::RemoveRecord { key, .. } => (None, Some(key)),
    };
    let (mut blobs, mut records): (Vec<usize>, Vec<usize>) =
        (0..changes.len()).partition(|at| matches!(changes[*at], Change::PutBlob { .. }));
    blobs.sort_by_key(place);
    records.sort_by_key(place);
    blobs.extend(records);
    blobs
}

/// Returns the values of the changes that put a record.
fn texts(changes: &[Change]) -> Result<Vec<Option<&str>>, Utf8Error> {
    changes.iter().map(text).collect()
}

fn text(change: &Change) -> Result<Option<&str>, Utf8Error> {
    match change {
        Change::PutRecord { value, .. } => str::from_utf8(value).map(Some),
        _ => Ok(None),
    }
}

/// Makes a change. Returns `false` if its precondition fails. The row, or the key without a row, stays locked until the
/// transaction ends.
async fn make(client: &Client, change: &Change, text: Option<&str>) -> Result<bool, Cause> {
    match change {
        Change::PutBlob { digest, bytes } => {
            blobs::put(client, digest, bytes.len(), Some(bytes)).await.map(|_| true)
        }
        Change::PutRecord { key, value, expected } => {
            let put: [Param<'_>; 2] = [(&key.as_str(), Type::TEXT), (&text, Type::TEXT)];
            let rows = match expected {
                Expected::Anything => client.execute_typed(PUT_ANY, &put).await?,
                Expected::Absent => client.execute_typed(PUT_NEW, &put).await?,
                // Written unchanged: commits that depend on the same record need not wait for each other.
                Expected::Revision(revision)
                    if *revision == records::revision(number(revision), value) =>
                {
                    let at: [Param<'_>; 2] =
                        [(&key.as_str(), Type::TEXT), (&number(revision), Type::INT8)];
                    client.query_typed(SHARE, &at).await?.len() as u64
                }
                Expected::Revision(revision) => {
                    let [key, text] = put;
                    let put = [key, text, (&number(revision) as _, Type::INT8)];
                    client.execute_typed(PUT_OVER, &put).await?
                }
            };
            Ok(rows == 1)
        }
        Change::RemoveRecord { key, expected } => remove(client, key, expected).await,
    }
}

async fn remove(client: &Client, key: &RecordKey, expected: &Expected) -> Result<bool, Cause> {
    let key = &key.as_str();
    let named: [Param<'_>; 1] = [(key, Type::TEXT)];
    match expected {
        Expected::Anything => client.execute_typed(REMOVE_ANY, &named).await.map(|_| true),
        Expected::Revision(revision) => {
            let at: [Param<'_>; 2] = [(key, Type::TEXT), (&number(revision), Type::INT8)];
            Ok(client.execute_typed(REMOVE_AT, &at).await? == 1)
        }
        // An invisible row keeps others from creating theirs before this transaction ends.
        Expected::Absent => {
            let held: [Param<'_>; 2] = [(key, Type::TEXT), (&"null", Type::TEXT)];
            let absent = client.execute_typed(PUT_NEW, &held).await? == 1;
            if absent {
                client.execute_typed(REMOVE_ANY, &named).await?;
            }
            Ok(absent)
        }
    }
}

/// Parses a revision. The revision of another store matches no row.
fn number(revision: &Revision) -> i64 {
    revision.as_str().split(' ').next().and_then(|text| text.parse().ok()).unwrap_or(-1)
}
