//! Tensors compared with plain bytes of the same size, and the cost of a fine-tuned version.
//!
//! ```sh
//! cargo run --release -p larder-benches --bin tensors
//! ```

use std::time::Duration;

use larder::bytes::Bytes;
use larder::prelude::*;
use larder::serializers::Dtype;
use larder::serializers::{RawBytes, SafeTensors, Tensor, Tensors};
use larder::store::StoreExt;
use larder_benches::{Outcome, compare, head, noise, say, timed, work_folder};

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/bytes")]
struct Plain {
    weights: Artifact<Bytes, RawBytes>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/file")]
struct OneFile {
    weights: Artifact<Tensors, SafeTensors>,
}

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "bench/shared")]
struct Shared {
    weights: Artifact<Tensors>,
}

const MB: usize = 1_000_000;
const TOTAL: usize = 100 * MB;

fn main() -> Outcome {
    let folder = work_folder()?;
    let larders = [
        ("sqlite", format!("sqlite:{}", folder.path().join("larder.db").display())),
        ("fs", format!("fs:{}", folder.path().join("larder").display())),
    ];
    head();
    for (name, url) in &larders {
        let larder = larder::open(url)?;
        for count in [10, 100] {
            let what = |action: &str, kind: &str| {
                format!("{action} 100 MB, {count} tensors {kind}, {name}")
            };
            let plain = |round| apply(&larder, "plain", &plain_of(round));
            let file =
                |round| apply(&larder, "file", &OneFile { weights: tensors(count, round)?.into() });
            compare(&what("apply", "(one file)"), 1.2, 9, file, plain)?;
            let shared = |round| {
                apply(&larder, "shared", &Shared { weights: tensors(count, round)?.into() })
            };
            compare(&what("apply", "(shared)"), 1.2, 9, shared, plain)?;

            larder.apply("plain", &plain_of(100))?;
            larder.apply("file", &OneFile { weights: tensors(count, 101)?.into() })?;
            larder.apply("shared", &Shared { weights: tensors(count, 102)?.into() })?;
            let plain = |_| load_plain(&larder);
            compare(&what("load+use", "(one file)"), 1.2, 30, |_| load_file(&larder), plain)?;
            compare(&what("load+use", "(shared)"), 1.2, 30, |_| load_shared(&larder), plain)?;
        }
    }
    say("");
    say("a second version with 1 of 100 tensors (100 MB) changed, loaded, tuned, applied");
    for (name, url) in &larders {
        fine_tune(name, &larder::open(url)?)?;
    }
    Ok(())
}

fn plain_of(round: usize) -> Plain {
    Plain { weights: Artifact::new(noise(TOTAL, round as u64).into()) }
}

/// Returns `count` tensors of 100 MB in total.
fn tensors(count: usize, round: usize) -> Outcome<Tensors> {
    let bytes = Bytes::from(noise(TOTAL, 1_000 + round as u64));
    let part = TOTAL / count;
    let tensor = |at: usize| -> Outcome<(String, Tensor)> {
        let bytes = bytes.slice(at * part..(at + 1) * part);
        Ok((format!("layers.{at}.weight"), Tensor::new(Dtype::F32, [part / 4], bytes)?))
    };
    (0..count).map(tensor).collect()
}

fn apply(larder: &Larder, name: &str, component: &dyn Component) -> Outcome<Duration> {
    let taken = timed(|| match larder.apply(name, component)? {
        Applied::Created(version) => Ok(version),
        Applied::Unchanged(_) => Err("no version was created".into()),
    })?;
    // Frees disk space.
    let shown = larder.show(name)?;
    let digests: Vec<_> = shown.manifest.artifacts().iter().map(|entry| entry.digest).collect();
    larder.store().remove_blobs(&digests)?;
    Ok(taken)
}

fn load_plain(larder: &Larder) -> Outcome<Duration> {
    timed(|| {
        let plain: Plain = larder.load("plain")?;
        Ok(first_and_last(plain.weights.get()?))
    })
}

fn load_file(larder: &Larder) -> Outcome<Duration> {
    timed(|| {
        let file: OneFile = larder.load("file")?;
        touch(file.weights.get()?)
    })
}

fn load_shared(larder: &Larder) -> Outcome<Duration> {
    timed(|| {
        let shared: Shared = larder.load("shared")?;
        touch(shared.weights.get()?)
    })
}

/// Reads one element of every tensor, so that each is loaded and verified.
fn touch(tensors: &Tensors) -> Outcome<f32> {
    tensors.iter().try_fold(0.0, |sum, (_, tensor)| {
        Ok(sum + tensor.as_slice::<f32>()?.first().copied().unwrap_or_default())
    })
}

fn first_and_last(bytes: &[u8]) -> (Option<u8>, Option<u8>) {
    (bytes.first().copied(), bytes.last().copied())
}

fn fine_tune(name: &str, larder: &Larder) -> Outcome {
    larder.apply("tuned", &Shared { weights: tensors(100, 200)?.into() })?;
    let stored = || -> Outcome<u64> { larder.store().blobs().map(|blob| Ok(blob?.1)).sum() };
    let before = stored()?;
    let taken = timed(|| {
        let mut model: Shared = larder.load("tuned")?;
        let weights = model.weights.get_mut()?;
        let old = weights.tensor("layers.42.weight")?;
        let tuned: Vec<f32> = old.as_slice::<f32>()?.iter().map(|weight| weight * 0.5).collect();
        weights.insert("layers.42.weight", tuned);
        Ok(larder.apply("tuned", &model)?)
    })?;
    let written = stored()? - before;
    let (millis, percent) = (taken.as_secs_f64() * 1e3, written as f64 / TOTAL as f64 * 100.0);
    say(&format!("  {name:<8} {millis:>8.1} ms   {written} bytes written, {percent:.2} %"));
    Ok(())
}
