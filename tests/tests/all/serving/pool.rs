//! The pool of loaded models.

use std::sync::Barrier;

use larder::VersionInfo;
use larder::serving::ServeError;

use super::*;

fn version(larder: &Larder, reference: &str) -> VersionInfo {
    larder.show(reference).unwrap().version
}

#[test]
fn many_requests_load_a_model_once() {
    let larder = larder_with(1);
    let serving = start(&larder, &options());
    let version = version(&larder, "probe@1");
    let barrier = Barrier::new(8);
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    Arc::as_ptr(&serving.pool().get(&version).unwrap()) as usize
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]), "all got the same model");
    let (_, metrics) = serving.pool().metrics().remove(0);
    assert_eq!(metrics.loads().0, 1);
    assert_eq!(metrics.loaded_bytes(), version.size);
    assert_eq!(serving.pool().bytes(), version.size);
}

#[test]
fn the_model_that_was_unused_longest_makes_room() {
    let larder = larder_with(3);
    let versions: Vec<_> =
        (1..=3).map(|number| version(&larder, &format!("probe@{number}"))).collect();
    // Room for two of them.
    let serving = start(&larder, &options().memory(versions[0].size * 5 / 2));
    let pool = serving.pool();
    for version in [&versions[0], &versions[1], &versions[0]] {
        pool.get(version).unwrap();
    }
    pool.get(&versions[2]).unwrap();
    let is_loaded: Vec<_> = versions.iter().map(|it| pool.loaded(it).is_some()).collect();
    assert_eq!(is_loaded, [true, false, true]);
    assert!(pool.bytes() <= pool.limit());
    let unloaded = pool.metrics().into_iter().find(|(it, _)| *it == versions[1]).unwrap().1;
    assert_eq!((unloaded.loads().0, unloaded.loaded_bytes()), (1, 0), "its counters stay");
}

#[test]
fn a_model_in_use_is_never_dropped() {
    let larder = larder_with(2);
    let versions = [version(&larder, "probe@1"), version(&larder, "probe@2")];
    let serving = start(&larder, &options().memory(versions[0].size * 3 / 2));
    let pool = serving.pool();
    let used = pool.get(&versions[0]).unwrap();
    let error = pool.get(&versions[1]).unwrap_err();
    assert!(matches!(error, ServeError::Full { .. }), "{error}");
    assert!(error.retry_after().is_some());
    let pending = serving.request(&used, ask("gate:used"));
    drop(used);
    assert!(pool.get(&versions[1]).is_err(), "a request uses it");
    open_gate("used");
    assert_eq!(number(pending.wait()), 1.0);
    eventually("the request lets go of it", || pool.get(&versions[1]).is_ok());
    assert!(pool.loaded(&versions[0]).is_none());
}

#[test]
fn a_model_that_nobody_uses_is_dropped_after_a_while() {
    let larder = larder_with(1);
    let serving = start(&larder, &options().idle(Duration::from_millis(50)));
    let held = model(&serving, "probe");
    std::thread::sleep(Duration::from_millis(60));
    serving.pool().sweep();
    assert_eq!(serving.pool().models().len(), 1, "it is held");
    drop(held);
    eventually("it is dropped", || {
        serving.pool().sweep();
        serving.pool().bytes() == 0
    });
}

#[test]
fn the_error_of_a_broken_model_is_kept_for_a_moment() {
    let larder = larder_with(1);
    larder.apply("stone", &Stone { weight: 7 }).unwrap();
    let serving = start(&larder, &options().keep_errors(Duration::from_millis(300)));
    let stone = version(&larder, "stone");
    let load = || match serving.pool().get(&stone).unwrap_err() {
        ServeError::Load { source, .. } => source,
        other => panic!("{other}"),
    };
    let first = load();
    assert!(matches!(*first, Error::NotAModel { .. }), "{first}");
    assert!(Arc::ptr_eq(&first, &load()), "the same error: it was not loaded again");
    std::thread::sleep(Duration::from_millis(350));
    assert!(!Arc::ptr_eq(&first, &load()), "it was tried again");
    assert_eq!(serving.pool().bytes(), 0);
}

#[test]
fn a_version_under_another_digest_is_not_loaded() {
    let larder = larder_with(2);
    let serving = start(&larder, &options());
    let mut version = version(&larder, "probe@1");
    version.digest = larder.show("probe@2").unwrap().version.digest;
    let error = serving.pool().get(&version).unwrap_err();
    assert!(
        matches!(&error, ServeError::Load { source, .. } if
        matches!(**source, Error::NotFound { .. })),
        "{error}"
    );
}

#[test]
fn a_reference_is_resolved_again_after_a_moment() {
    let larder = larder_with(2);
    larder.tag("probe@1", "prod").unwrap();
    let serving = start(&larder, &options());
    assert_eq!(model(&serving, "probe:prod").version().version.get(), 1);
    let reference = "probe:prod".parse().unwrap();
    larder.tag("probe@2", "prod").unwrap();
    eventually("the tag is read again", || {
        serving.model(&reference).unwrap().version().version.get() == 2
    });
    assert!(serving.model_now(&reference).is_some());
    let error = serving.model(&"probe:none".parse().unwrap()).unwrap_err();
    assert!(matches!(error, ServeError::Model(Error::NotFound { .. })), "{error}");
}
