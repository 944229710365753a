//! Larder inside an async runtime, as `docs/async.md` says. The remote stores and the queue have the same test beside
//! their servers: `object::opening`, `postgres::opening`, `jobs::nats`.

use larder::jobs::Worker;
use larder::prelude::*;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::task::spawn_blocking;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "test/async-scale", model)]
struct Scale {
    factors: Artifact<Vec<f64>>,
}

impl Predict for Scale {
    type Input = f64;
    type Output = f64;

    fn predict(&self, input: f64) -> larder::Result<f64> {
        Ok(self.factors.get()?.iter().product::<f64>() * input)
    }
}

#[triggers]
impl Scale {
    #[trigger(apply)]
    fn check(&self, _: &JobContext) -> larder::Result<()> {
        Ok(())
    }
}

fn runtimes() -> [Runtime; 2] {
    [
        Builder::new_current_thread().enable_all().build().unwrap(),
        Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap(),
    ]
}

/// Opens a larder, and does what an everyday program does.
fn everyday(url: &str) -> larder::Result<String> {
    let larder = larder::open(url)?;
    // Large enough for a blob of its own in every store.
    let mut factors = vec![1.0; 100_000];
    factors[0] = 2.0;
    larder.apply("scale", &Scale { factors: factors.into() })?;
    larder.tag("scale", "prod")?;
    larder.maintenance().verify(larder::Selection::All)?;
    larder.load_model("scale:prod")?.predict_json("3.0")
}

fn urls() -> (TempDir, [String; 3]) {
    let folder = TempDir::new().unwrap();
    let at = |kind: &str, name: &str| format!("{kind}:{}", folder.path().join(name).display());
    let urls = ["memory:".into(), at("sqlite", "larder.db"), at("fs", "larder")];
    (folder, urls)
}

#[test]
fn local_stores_work_inside_a_runtime_and_on_its_blocking_threads() {
    for runtime in runtimes() {
        let (_folder, urls) = urls();
        for url in urls {
            let (direct, blocking) = (url.clone(), url.clone());
            let spawned = runtime.block_on(async {
                let inside = everyday(&direct).unwrap();
                let blocking = spawn_blocking(move || everyday(&blocking)).await.unwrap().unwrap();
                let task = tokio::spawn(async move { everyday(&url) }).await.unwrap().unwrap();
                [inside, blocking, task]
            });
            assert_eq!(spawned, ["6.0", "6.0", "6.0"], "{direct}");
        }
    }
}

#[test]
fn a_handle_and_a_model_are_shared_between_tasks() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let larder = spawn_blocking(|| larder::open("memory:")).await.unwrap().unwrap();
            larder.apply("scale", &Scale { factors: vec![2.0].into() }).unwrap();
            let tasks: Vec<_> = (0..8)
                .map(|number| {
                    let larder = larder.clone();
                    spawn_blocking(move || {
                        larder.load_model("scale")?.predict_json(&format!("{number}.0"))
                    })
                })
                .collect();
            for (number, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await.unwrap().unwrap(), format!("{}.0", 2 * number));
            }
        });
    }
}

#[test]
fn a_worker_runs_beside_a_runtime() {
    for runtime in runtimes() {
        runtime.block_on(async {
            let larder = larder::open("memory:").unwrap();
            let worker = Worker::new(&larder).spawn().unwrap();
            let applied = larder.apply("scale", &Scale { factors: vec![2.0].into() }).unwrap();
            let done = spawn_blocking(move || larder.jobs().wait(&applied)).await.unwrap().unwrap();
            assert_eq!(done.len(), 1);
            spawn_blocking(move || worker.stop()).await.unwrap().unwrap();
        });
    }
}
