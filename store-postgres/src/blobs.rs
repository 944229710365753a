//! Blobs as rows: small ones whole, large ones in pieces.

use std::collections::HashMap;
use std::io::Write;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_core::store::Digest;
use larder_core::store::files::Scratch;
use larder_core::{Error, Result};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error as Cause, Row};

use crate::failure::Failure;
use crate::pool::Pool;
use crate::records::{Param, most};

/// Blobs up to this many bytes are given to a commit.
pub(crate) const INLINE: usize = 64 * 1024;
/// Blobs up to this many bytes are one row, and larger ones are cut into pieces of so many.
pub(crate) const PIECE: usize = 1 << 20;
/// How many pieces of a blob are on their way at once.
const AT_ONCE: usize = 4;

const PUT: &str =
    "INSERT INTO blobs (digest, size, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const PUT_PIECE: &str = "INSERT INTO pieces (digest, at, bytes) VALUES ($1, $2, $3)";
const GET: &str = "SELECT digest, size, bytes FROM blobs WHERE digest = ANY($1)";
const GET_PIECE: &str = "SELECT bytes FROM pieces WHERE digest = $1 AND at = $2";
const STAT: &str = "SELECT digest, size FROM blobs WHERE digest = ANY($1)";
const LIST: &str = "SELECT digest, size FROM blobs WHERE digest > $1 ORDER BY digest LIMIT $2";
/// In the order in which all lock them.
const REMOVE: &str = "DELETE FROM blobs WHERE digest IN \
    (SELECT digest FROM blobs WHERE digest = ANY($1) ORDER BY digest FOR UPDATE)";

impl Pool {
    /// Keeps a blob, unless it is there.
    pub(crate) async fn keep(&self, digest: &Digest, bytes: &Bytes) -> Result<()> {
        let kept = self.retry(
            || format!("write the blob {} to {}", digest.short(), self.url()),
            || async move {
                let lease = self.get().await?;
                keep(&lease.client, digest, bytes).await?;
                lease.give_back();
                Ok(())
            },
        );
        kept.await
    }

    /// The bytes of blobs, in the order asked for.
    pub(crate) async fn get_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<Bytes>>> {
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let asked = &as_bytes(digests);
        let found = self.retry(
            || format!("read blobs from {}", self.url()),
            || async move {
                let lease = self.get().await?;
                let rows = lease.client.query_typed(GET, &[(asked, Type::BYTEA_ARRAY)]).await?;
                let mut found = HashMap::new();
                for row in rows {
                    let (digest, size): (&[u8], i64) = (row.get(0), row.get(1));
                    let bytes = match row.get::<_, Option<&[u8]>>(2) {
                        Some(bytes) => Some(Bytes::copy_from_slice(bytes)),
                        None => get_pieces(&lease.client, digest, size).await?,
                    };
                    found.insert(digest.to_vec(), bytes);
                }
                lease.give_back();
                Ok(found)
            },
        );
        let found = found.await?;
        Ok(asked.iter().map(|digest| found.get(*digest).cloned().flatten()).collect())
    }

    /// The sizes of blobs, in the order asked for.
    pub(crate) async fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let asked = &as_bytes(digests);
        let rows = self.retry(
            || format!("look for blobs in {}", self.url()),
            || async move {
                let lease = self.get().await?;
                let rows = lease.client.query_typed(STAT, &[(asked, Type::BYTEA_ARRAY)]).await?;
                lease.give_back();
                Ok(rows)
            },
        );
        let rows = rows.await?;
        let found: HashMap<&[u8], u64> =
            rows.iter().map(|row| (row.get(0), row.get::<_, i64>(1).unsigned_abs())).collect();
        Ok(asked.iter().map(|digest| found.get(digest).copied()).collect())
    }

    /// Up to `limit` blobs and their sizes, in the order of their digests, after `after`.
    pub(crate) async fn list_blobs(
        &self,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<(Digest, u64)>> {
        // Every digest is greater than no bytes at all.
        let after: &&[u8] = &after.map_or(&[][..], |digest| digest.as_bytes());
        let most = &most(limit);
        let rows = self.retry(
            || format!("list blobs of {}", self.url()),
            || async move {
                let lease = self.get().await?;
                let params: [Param<'_>; 2] = [(after, Type::BYTEA), (most, Type::INT8)];
                let rows = lease.client.query_typed(LIST, &params).await?;
                lease.give_back();
                Ok(rows)
            },
        );
        // The table holds no other digests than those of 32 bytes.
        let blob = |row: &Row| {
            let digest = <[u8; 32]>::try_from(row.get::<_, &[u8]>(0)).ok()?;
            Some((Digest::from_bytes(digest), row.get::<_, i64>(1).unsigned_abs()))
        };
        Ok(rows.await?.iter().filter_map(blob).collect())
    }

    /// Removes blobs, as far as they are there.
    pub(crate) async fn remove_blobs(&self, digests: &[Digest]) -> Result<()> {
        let asked = &as_bytes(digests);
        let removed = self.retry(
            || format!("remove blobs from {}", self.url()),
            || async move {
                let lease = self.get().await?;
                lease.client.execute_typed(REMOVE, &[(asked, Type::BYTEA_ARRAY)]).await?;
                lease.give_back();
                Ok(())
            },
        );
        removed.await
    }
}

fn as_bytes(digests: &[Digest]) -> Vec<&[u8]> {
    digests.iter().map(|digest| &digest.as_bytes()[..]).collect()
}

/// Keeps a blob in a transaction of its own. One that is being written by another is waited for.
async fn keep(client: &Client, digest: &Digest, bytes: &Bytes) -> Result<(), Failure> {
    if bytes.len() <= PIECE {
        put(client, digest, bytes.len(), Some(bytes)).await?;
        return Ok(());
    }
    client.batch_execute("BEGIN").await?;
    if !put(client, digest, bytes.len(), None).await? {
        return Ok(client.batch_execute("ROLLBACK").await?);
    }
    let put = |(at, piece): (usize, &[u8])| {
        let (at, piece) = (at as i32, piece.to_vec());
        async move {
            let params: [Param<'_>; 3] =
                [(&&digest.as_bytes()[..], Type::BYTEA), (&at, Type::INT4), (&piece, Type::BYTEA)];
            client.execute_typed(PUT_PIECE, &params).await
        }
    };
    let mut pieces = stream::iter(bytes.chunks(PIECE).enumerate()).map(put).buffered(AT_ONCE);
    while pieces.try_next().await?.is_some() {}
    Ok(client.batch_execute("COMMIT").await?)
}

/// Puts the row of a blob, with its bytes if it is no large one; `false` if there is one.
pub(crate) async fn put(
    client: &Client,
    digest: &Digest,
    size: usize,
    bytes: Option<&[u8]>,
) -> Result<bool, Cause> {
    let size = i64::try_from(size).unwrap_or(i64::MAX);
    let params: [Param<'_>; 3] =
        [(&&digest.as_bytes()[..], Type::BYTEA), (&size, Type::INT8), (&bytes, Type::BYTEA)];
    Ok(client.execute_typed(PUT, &params).await? == 1)
}

/// Reads a large blob into a private file; `None` if it was removed meanwhile.
async fn get_pieces(client: &Client, digest: &[u8], size: i64) -> Result<Option<Bytes>, Failure> {
    let spilled = |error| {
        let folder = std::env::temp_dir();
        Error::store(format!("put a blob into a file in {}", folder.display()), error)
    };
    let mut file = Scratch::create(&std::env::temp_dir()).map_err(spilled)?;
    let pieces = usize::try_from(size).unwrap_or(usize::MAX).div_ceil(PIECE) as i32;
    let get = |at: i32| async move {
        let params: [Param<'_>; 2] = [(&digest, Type::BYTEA), (&at, Type::INT4)];
        client.query_typed_opt(GET_PIECE, &params).await
    };
    let mut found = stream::iter(0..pieces).map(get).buffered(AT_ONCE);
    while let Some(row) = found.try_next().await? {
        let Some(row) = row else { return Ok(None) };
        file.write_all(row.get(0)).map_err(spilled)?;
    }
    Ok(Some(file.into_bytes().map_err(spilled)?))
}
