//! Upload and download of large artifacts.

use larder::Selection;
use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use larder::bytes::Bytes;
use larder::maintenance::CopyOptions;
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::StoreExt;
use larder_benches::{Outcome, noise, peak_growth_every, say, show, timed};
use larder_store_object::object_store::aws::AmazonS3Builder;
use larder_store_object::object_store::path::Path as Object;
use larder_store_object::object_store::{ObjectStore, ObjectStoreExt};

use super::{open, s3};

/// Part size of the baseline, in bytes; the same as Larder's.
const PART: usize = 8 << 20;
/// Number of concurrent parts of the baseline; the same as Larder's.
const CONCURRENCY: usize = 4;
/// Maximum memory of a push or pull, in bytes.
const MAX_MEMORY: u64 = 128 << 20;
/// Number of rounds.
const ROUNDS: usize = 3;
/// Interval of memory samples.
const SAMPLE_INTERVAL: Duration = Duration::from_millis(5);
/// Minimum speed relative to the baseline.
const MIN_SPEED: f64 = 0.9;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/layers")]
struct Layers {
    layers: Vec<Artifact<Bytes, RawBytes>>,
}

pub(super) fn large(bucket: &s3::Server, folder: &Path, megabytes: usize) -> Outcome {
    say(&format!(
        "(c) one artifact of {megabytes} MB, to S3 and back, compared with object_store: medians of {ROUNDS}"
    ));
    say(&format!(
        "{:<22} {:>9} {:>9} {:>6} {:>5} {:>11} {:>11}",
        "", "larder", "plain", "ratio", "goal", "memory", "plain"
    ));
    let here = open(&format!("fs:{}", folder.join("large").display()))?;
    {
        let layer = Artifact::new(Bytes::from(noise(megabytes * 1_000_000, 7)));
        here.apply("large", &Layers { layers: vec![layer] })?;
    }
    let digest = here.show("large")?.manifest.artifacts()[0].digest;
    let bytes = here.store().get_blob(&digest)?.ok_or("the blob is missing")?;
    let plain = Plain::new(bucket)?;
    let place = |round| open(&bucket.url(&format!("large/{round}")));
    let copy = |from: &Larder, to: &Larder| {
        Ok(from.maintenance().copy(Selection::All, to, &CopyOptions::new())?)
    };
    let mut push = Measurements::default();
    for round in 0..ROUNDS {
        let there = place(round)?;
        push.measure(round, || copy(&here, &there).map(drop), || plain.up(&bytes))?;
        // The server keeps objects in memory; the last one is read below.
        if round + 1 < ROUNDS {
            there.store().remove_blobs(&[digest])?;
        }
    }
    push.report("push");

    let there = place(ROUNDS - 1)?;
    let mut pull = Measurements::default();
    for round in 0..ROUNDS {
        let back = tempfile::tempdir_in(folder)?;
        let file = back.path().join("plain");
        let target = open(&format!("fs:{}", back.path().join("larder").display()))?;
        pull.measure(round, || copy(&there, &target).map(drop), || plain.down(&file))?;
    }
    pull.report("pull");

    let mut load = Measurements::default();
    for round in 0..ROUNDS {
        let cache = tempfile::tempdir_in(folder)?;
        let file = cache.path().join("plain");
        let cached = place(ROUNDS - 1)?.with_cache(cache.path());
        let into_cache = || {
            let read = cached.load::<Layers>("large")?;
            let read = read.layers[0].get()?.len();
            if read == bytes.len() { Ok(()) } else { Err("the loaded artifact is shorter".into()) }
        };
        load.measure(round, into_cache, || plain.down(&file))?;
    }
    load.report("load into the cache");
    Ok(())
}

/// Measurements of Larder and the baseline.
#[derive(Default)]
struct Measurements {
    ours: Vec<f64>,
    plain: Vec<f64>,
    memory: u64,
    plain_memory: u64,
}

impl Measurements {
    /// Measures both, in alternating order.
    fn measure(
        &mut self,
        round: usize,
        ours: impl FnOnce() -> Outcome,
        plain: impl FnOnce() -> Outcome,
    ) -> Outcome {
        let run = |work: &mut dyn FnMut() -> Outcome| {
            let mut took = Duration::ZERO;
            let memory = peak_growth_every(SAMPLE_INTERVAL, || {
                took = timed(work)?;
                Ok(())
            })?;
            Outcome::Ok((took.as_secs_f64(), memory))
        };
        let (mut ours, mut plain) = (Some(ours), Some(plain));
        for is_ours in [round.is_multiple_of(2), !round.is_multiple_of(2)] {
            if is_ours {
                let (took, memory) = run(&mut || ours.take().map_or(Ok(()), |ours| ours()))?;
                self.ours.push(took);
                self.memory = self.memory.max(memory);
            } else {
                let (took, memory) = run(&mut || plain.take().map_or(Ok(()), |plain| plain()))?;
                self.plain.push(took);
                self.plain_memory = self.plain_memory.max(memory);
            }
        }
        Ok(())
    }

    fn report(&self, what: &str) {
        let ratios = self.plain.iter().zip(&self.ours).map(|(plain, ours)| plain / ours);
        let ratio = middle(ratios.clone().collect());
        let each: Vec<_> = ratios.map(|ratio| format!("{ratio:.2}")).collect();
        let (ours, plain) = (middle(self.ours.clone()), middle(self.plain.clone()));
        let met = if ratio >= MIN_SPEED && self.memory <= MAX_MEMORY { "met" } else { "MISSED" };
        let [memory, plain_memory] =
            [self.memory, self.plain_memory].map(|bytes| bytes as f64 / f64::from(1 << 20));
        say(&format!(
            "{what:<22} {ours:>7.2} s {plain:>7.2} s {ratio:>6.2} {MIN_SPEED:>5.2} {memory:>7.1} MiB {plain_memory:>7.1} MiB  {met}; rounds: {}",
            each.join(", ")
        ));
    }
}

fn middle(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_unstable_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

/// The baseline: `object_store` alone.
struct Plain {
    service: Arc<dyn ObjectStore>,
    runtime: tokio::runtime::Runtime,
}

impl Plain {
    fn new(bucket: &s3::Server) -> Outcome<Self> {
        let url = bucket.url("");
        let option = |name: &str| {
            let (_, rest) = url.split_once(&format!("{name}="))?;
            Some(rest.split('&').next().unwrap_or_default().to_owned())
        };
        let service = AmazonS3Builder::new()
            .with_endpoint(option("endpoint").ok_or("no endpoint")?)
            .with_region("us-east-1")
            .with_access_key_id("larder")
            .with_secret_access_key(s3::SECRET)
            .with_allow_http(true)
            .with_bucket_name("larder")
            .build()?;
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        let runtime = runtime.worker_threads(2).enable_all().build()?;
        Ok(Self { service: Arc::new(service), runtime })
    }

    /// Uploads bytes in concurrent parts.
    fn up(&self, bytes: &Bytes) -> Outcome {
        self.runtime.block_on(async {
            let mut upload = self.service.put_multipart(&Object::from("plain")).await?;
            let mut parts = tokio::task::JoinSet::new();
            for from in (0..bytes.len()).step_by(PART) {
                if parts.len() >= CONCURRENCY
                    && let Some(ended) = parts.join_next().await
                {
                    ended??;
                }
                let part = bytes.slice(from..bytes.len().min(from + PART));
                parts.spawn(upload.put_part(part.into()));
            }
            while let Some(ended) = parts.join_next().await {
                ended??;
            }
            upload.complete().await?;
            Ok(())
        })
    }

    /// Downloads concurrent ranges into a file.
    fn down(&self, file: &Path) -> Outcome {
        self.runtime.block_on(async {
            let object = Object::from("plain");
            let size = self.service.head(&object).await?.size;
            let mut file = File::create(file)?;
            let mut from = 0;
            let mut waiting = std::collections::VecDeque::new();
            while from < size || !waiting.is_empty() {
                while from < size && waiting.len() < CONCURRENCY {
                    let (service, object, to) =
                        (self.service.clone(), object.clone(), size.min(from + PART as u64));
                    waiting.push_back(tokio::spawn(async move {
                        service.get_range(&object, from..to).await
                    }));
                    from = to;
                }
                if let Some(part) = waiting.pop_front() {
                    file.write_all(&part.await??)?;
                }
            }
            Ok(file.sync_all()?)
        })
    }
}

pub(super) fn incremental(bucket: &mut s3::Server, megabytes: usize) -> Outcome {
    let larder = open(&bucket.url("layers"))?;
    let layer = |seed| Artifact::new(Bytes::from(noise(megabytes * 10_000, seed)));
    let mut layers = Layers { layers: (0..100).map(layer).collect() };
    larder.apply("layers", &layers)?;
    let total: u64 = larder.show("layers")?.version.size;
    bucket.tell("moved");
    layers.layers[50] = layer(1_000);
    let took = timed(|| Ok(larder.apply("layers", &layers).map(drop)?))?;
    let moved: u64 = bucket.tell("moved").parse()?;
    let percent = 100.0 * moved as f64 / total as f64;
    let met = if percent < 1.1 { "met" } else { "MISSED" };
    say(&format!(
        "(d) a version that shares 99 of 100 artifacts of {:.1} MB transfers {percent:.2} % of its bytes in {}; goal: about 1 %  {met}",
        megabytes as f64 / 100.0,
        show(took)
    ));
    Ok(())
}
