//! Time to push a blob to a larder behind a server, and to pull it, against the same with a larder on the disk.
//!
//! ```sh
//! cargo run --release -p larder-benches --features serve --bin push_pull [BYTES]
//! ```

use std::net::SocketAddr;
use std::sync::Arc;

use larder::Registry;
use larder::bytes::Bytes;
use larder::server::{Server, ServerOptions};
use larder::store::{Digest, FsStore, HttpStore, Store, StoreExt};
use larder_benches::{Outcome, compare, head, noise, peak_growth, say, timed, work_folder};

/// Size of the blob in bytes, unless the first argument says another.
const SIZE: usize = 1_000_000_000;
/// The part of the disk's speed that is the goal.
const GOAL: f64 = 0.85;
const ROUNDS: usize = 3;

fn main() -> Outcome {
    let size = std::env::args().nth(1).map_or(Ok(SIZE), |size| size.parse())?;
    let folder = work_folder()?;
    let path = |name: &str| folder.path().join(name);
    let (source, disk, target) = (
        FsStore::open(&path("source"))?,
        FsStore::open(&path("disk"))?,
        FsStore::open(&path("target"))?,
    );
    let served = Registry::linked()?.open(&format!("fs:{}", path("served").display()))?;
    let options = ServerOptions::new()
        .listen(SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .authenticate(false);
    let server = Server::start(served, &options)?;
    let client: Arc<dyn Store> = Arc::new(HttpStore::open(&server.url().parse()?)?);
    let digest = {
        let bytes = Bytes::from(noise(size, 1));
        let digest = Digest::of(&bytes);
        source.put_blob(&digest, bytes)?;
        digest
    };
    say(&format!(
        "a blob of {} MB, through a server (`larder`) and on the disk (`limit`)",
        size / 1_000_000
    ));
    head();
    let push = |to: &dyn Store| {
        to.remove_blobs(&[digest])?;
        timed(|| {
            let blob = source.get_blob(&digest)?.ok_or("the blob is missing")?;
            // As a copy does: what is sent is what it is called.
            if Digest::of(&blob) != digest {
                return Err("the blob differs".into());
            }
            Ok(to.put_blob(&digest, blob)?)
        })
    };
    compare("push", 1.0 / GOAL, ROUNDS, |_| push(&*client), |_| push(&disk))?;
    let pull = |from: &dyn Store| {
        target.remove_blobs(&[digest])?;
        timed(|| {
            let mut writer = target.write_blob()?;
            let what = || "the blob".to_owned();
            let take = |piece: &[u8]| {
                writer.write_all(piece).map_err(|error| larder::Error::store("write it", error))
            };
            from.copy_checked(&digest, size as u64, what, take)?;
            Ok(writer.finish(&digest)?)
        })
    };
    compare("pull", 1.0 / GOAL, ROUNDS, |_| pull(&*client), |_| pull(&disk))?;
    let mb = |bytes: u64| bytes as f64 / 1e6;
    let pushed = peak_growth(|| push(&*client).map(drop))?;
    let pulled = peak_growth(|| pull(&*client).map(drop))?;
    say(&format!(
        "    memory of client and server: {:.0} MB to push, {:.0} MB to pull",
        mb(pushed),
        mb(pulled)
    ));
    Ok(())
}
