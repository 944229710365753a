//! Records as rows.

use std::collections::HashMap;

use bytes::Bytes;
use larder_store::Result;
use larder_store::{Digest, Record, RecordKey, Revision};
use tokio_postgres::Row;
use tokio_postgres::types::{ToSql, Type};

use crate::pool::Pool;

const GET: &str = "SELECT key, revision, value FROM records WHERE key = ANY($1)";
/// Maximum size of a page. With a limit above the estimated number of rows, which is low for a new table, the server would
/// read and sort all following rows instead of scanning the index.
const LARGEST_PAGE: usize = 500;
/// No character of a key sorts after `~`, which gives the upper bound of a prefix.
const LIST: &str = "SELECT key, revision, value FROM records \
    WHERE key >= $1 AND key < $1 || '~' AND key > $2 ORDER BY key LIMIT $3";

impl Pool {
    /// Returns records, in the order of `keys`.
    pub(crate) async fn get_records(&self, keys: &[RecordKey]) -> Result<Vec<Option<Record>>> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let texts: Vec<_> = keys.iter().map(RecordKey::as_str).collect();
        let texts = &texts;
        let rows = self.retry(
            || format!("read records from {}", self.url()),
            || async move {
                let lease = self.get().await?;
                let rows = lease.client.query_typed(GET, &[(texts, Type::TEXT_ARRAY)]).await?;
                lease.give_back();
                Ok(rows)
            },
        );
        let rows = rows.await?;
        let found: HashMap<&str, Record> =
            rows.iter().map(|row| (row.get(0), record(row))).collect();
        Ok(texts.iter().map(|key| found.get(key).cloned()).collect())
    }

    /// Lists up to `limit` records whose keys begin with `prefix`, in byte order, after `after`.
    pub(crate) async fn list_records(
        &self,
        prefix: &str,
        after: Option<&RecordKey>,
        limit: usize,
    ) -> Result<Vec<(RecordKey, Record)>> {
        let mut last = after.map_or("", RecordKey::as_str).to_owned();
        let most = &most(limit.min(LARGEST_PAGE));
        loop {
            let after = &last.as_str();
            let rows = self.retry(
                || format!("list records of {}", self.url()),
                || async move {
                    let lease = self.get().await?;
                    let params: [Param<'_>; 3] =
                        [(&prefix, Type::TEXT), (after, Type::TEXT), (most, Type::INT8)];
                    let rows = lease.client.query_typed(LIST, &params).await?;
                    lease.give_back();
                    Ok(rows)
                },
            );
            let rows = rows.await?;
            let Some(end) = rows.last() else { return Ok(Vec::new()) };
            // Rows whose keys are none do not belong to Larder.
            let read = |row| RecordKey::new(Row::get(row, 0)).ok().map(|key| (key, record(row)));
            let records: Vec<_> = rows.iter().filter_map(read).collect();
            if !records.is_empty() {
                return Ok(records);
            }
            last = end.get(0);
        }
    }
}

/// A parameter of a statement, with its type.
pub(crate) type Param<'a> = (&'a (dyn ToSql + Sync), Type);

/// Converts a limit for Postgres.
pub(crate) fn most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Reads the columns `revision` and `value`.
fn record(row: &Row) -> Record {
    let (revision, value): (i64, &str) = (row.get(1), row.get(2));
    Record {
        revision: self::revision(revision, value.as_bytes()),
        value: Bytes::copy_from_slice(value.as_bytes()),
    }
}

/// Returns a revision that tells whether a later value is the same.
pub(crate) fn revision(number: i64, value: &[u8]) -> Revision {
    Revision::new(format!("{number} {}", Digest::of(value).to_hex()))
}
