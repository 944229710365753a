//! Cost of large blobs in the SQLite file (`sqlite:larder.db?inline=SIZE`), against blobs in its folder.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin inline
//! ```

use larder::bytes::Bytes;
use larder::store::{Digest, SqliteStore, StoreExt};
use larder_benches::{Outcome, compare, head, noise, peak_growth, say, timed, work_folder};

const MB: usize = 1_000_000;

fn main() -> Outcome {
    let folder = work_folder()?;
    let open = |name: &str| SqliteStore::open(&folder.path().join(name));
    let (files, rows) =
        (open("files.db")?, open("rows.db")?.with_inline(SqliteStore::MOST_INLINE)?);
    say("blobs in the SQLite file (`larder`), compared with blobs in its folder (`limit`)");
    head();
    for (size, rounds) in [(MB, 20), (10 * MB, 10), (100 * MB, 5)] {
        let blob = |round: usize| {
            let bytes = noise(size, (size + round) as u64);
            (Digest::of(&bytes), Bytes::from(bytes))
        };
        let put = |store: &SqliteStore, round| {
            let (digest, bytes) = blob(round);
            timed(|| Ok(store.put_blob(&digest, bytes)?))
        };
        let what = |verb: &str| format!("{verb} {} MB", size / MB);
        compare(&what("write"), f64::INFINITY, rounds, |at| put(&rows, at), |at| put(&files, at))?;
        let digests: Vec<_> = (0..=rounds).map(|round| blob(round).0).collect();
        let read = |store: &SqliteStore, round: usize| {
            timed(|| {
                let found = store.get_blob(&digests[round])?.ok_or("a blob is missing")?;
                // A mapped file is read when it is used.
                match Digest::of(&found) == digests[round] {
                    true => Ok(()),
                    false => Err("a blob differs".into()),
                }
            })
        };
        compare(
            &what("read and verify"),
            f64::INFINITY,
            rounds,
            |at| read(&rows, at),
            |at| read(&files, at),
        )?;
        let (digest, bytes) = blob(rounds + 1);
        let written = peak_growth(|| Ok(rows.put_blob(&digest, bytes)?))?;
        let found = peak_growth(|| Ok(rows.get_blob(&digest)?))?;
        let mb = |bytes: u64| bytes as f64 / MB as f64;
        say(&format!(
            "    memory to write one: {:.1} MB, to read one: {:.1} MB",
            mb(written),
            mb(found)
        ));
    }
    Ok(())
}
