//! Blobs as rows. Large ones are split into pieces.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder_store::files::collect_pieces;
use larder_store::runtime::prefetch;
use larder_store::{Blob, BlobSource};
use larder_store::{Corruption, Digest, Error, Result};
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Error as Cause, Row};

use crate::failure::Failure;
use crate::pool::Pool;
use crate::records::{Param, most};

/// Size in bytes up to which a blob is passed to a commit.
pub(crate) const INLINE: usize = 64 * 1024;
/// Size in bytes up to which a blob is one row. Larger ones are split into pieces of this size.
pub(crate) const PIECE: usize = 1 << 20;
/// Maximum number of concurrent requests for the pieces of one blob.
const AT_ONCE: usize = 4;

const PUT: &str =
    "INSERT INTO blobs (digest, size, bytes) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
const PUT_PIECE: &str = "INSERT INTO pieces (digest, at, bytes) VALUES ($1, $2, $3)";
const GET: &str = "SELECT digest, size, bytes FROM blobs WHERE digest = ANY($1)";
const GET_PIECE: &str = "SELECT bytes FROM pieces WHERE digest = $1 AND at = $2";
const STAT: &str = "SELECT digest, size FROM blobs WHERE digest = ANY($1)";
const LIST: &str = "SELECT digest, size FROM blobs WHERE digest > $1 ORDER BY digest LIMIT $2";
/// Locks rows in the order of their digests, like every other statement.
const REMOVE: &str = "DELETE FROM blobs WHERE digest IN \
    (SELECT digest FROM blobs WHERE digest = ANY($1) ORDER BY digest FOR UPDATE)";

impl Pool {
    /// Writes a blob, unless it exists.
    pub(crate) async fn put_blob(&self, digest: &Digest, bytes: &Bytes) -> Result<()> {
        let written = self.retry(
            || format!("write the blob {} to {}", digest.short(), self.url()),
            || async move {
                let lease = self.get().await?;
                put_whole(&lease.client, digest, bytes).await?;
                lease.give_back();
                Ok(())
            },
        );
        written.await
    }

    /// Finds blobs, in the order of `digests`. Small ones are read in one query.
    pub(crate) async fn read_blobs(
        self: &Arc<Self>,
        digests: &[Digest],
    ) -> Result<Vec<Option<Blob>>> {
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let asked = &as_bytes(digests);
        let rows = self.retry(
            || format!("read blobs from {}", self.url()),
            || async move {
                let lease = self.get().await?;
                let rows = lease.client.query_typed(GET, &[(asked, Type::BYTEA_ARRAY)]).await?;
                lease.give_back();
                Ok(rows)
            },
        );
        let rows = rows.await?;
        let found: HashMap<&[u8], &Row> = rows.iter().map(|row| (row.get(0), row)).collect();
        let blob = |digest: &Digest| {
            let row = found.get(&digest.as_bytes()[..])?;
            Some(match row.get::<_, Option<&[u8]>>(2) {
                Some(bytes) => Bytes::copy_from_slice(bytes).into(),
                None => Blob::from_source(PieceSource {
                    pool: Arc::clone(self),
                    digest: *digest,
                    size: row.get::<_, i64>(1).unsigned_abs(),
                }),
            })
        };
        Ok(digests.iter().map(blob).collect())
    }

    async fn get_piece(&self, digest: &Digest, at: i32) -> Result<Bytes> {
        let found = self.retry(
            || format!("read the blob {} from {}", digest.short(), self.url()),
            || async move {
                let lease = self.get().await?;
                let params: [Param<'_>; 2] =
                    [(&&digest.as_bytes()[..], Type::BYTEA), (&at, Type::INT4)];
                let row = lease.client.query_typed_opt(GET_PIECE, &params).await?;
                lease.give_back();
                Ok(row.map(|row| Bytes::copy_from_slice(row.get(0))))
            },
        );
        let missing = || Error::corrupt(format!("the blob {digest}"), Corruption::Missing);
        found.await?.ok_or_else(missing)
    }

    /// Returns the sizes of blobs, in the order of `digests`.
    pub(crate) async fn stat_blobs(&self, digests: &[Digest]) -> Result<Vec<Option<u64>>> {
        if digests.is_empty() {
            return Ok(Vec::new());
        }
        let asked = &as_bytes(digests);
        let rows = self.retry(
            || format!("stat blobs in {}", self.url()),
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

    /// Lists up to `limit` blobs and their sizes, ordered by digest, after `after`.
    pub(crate) async fn list_blobs(
        &self,
        after: Option<&Digest>,
        limit: usize,
    ) -> Result<Vec<(Digest, u64)>> {
        // The empty text sorts before every digest.
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
        // A constraint of the table guarantees 32 bytes.
        let blob = |row: &Row| {
            let digest = <[u8; 32]>::try_from(row.get::<_, &[u8]>(0)).ok()?;
            Some((Digest::from_bytes(digest), row.get::<_, i64>(1).unsigned_abs()))
        };
        Ok(rows.await?.iter().filter_map(blob).collect())
    }

    /// Removes blobs that exist.
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

/// Writes a blob in its own transaction. Waits for a concurrent writer of the same blob.
async fn put_whole(client: &Client, digest: &Digest, bytes: &Bytes) -> Result<(), Failure> {
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

/// Inserts the row of a blob, with its bytes unless it is large. Returns `false` if the row exists.
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

/// A large blob, read piece by piece.
struct PieceSource {
    pool: Arc<Pool>,
    digest: Digest,
    size: u64,
}

impl BlobSource for PieceSource {
    fn bytes(&self) -> Result<Bytes> {
        collect_pieces(|take| self.for_each_piece(take))
    }

    fn for_each_piece(&self, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let pieces = i32::try_from(self.size.div_ceil(PIECE as u64)).unwrap_or(i32::MAX);
        let get = |at| {
            let (pool, digest) = (Arc::clone(&self.pool), self.digest);
            async move { pool.get_piece(&digest, at).await }
        };
        prefetch((0..pieces).map(get), AT_ONCE).try_for_each(|piece| take(&piece?))
    }
}
