//! The hooks of components: when each runs, and what an error in it leaves.

mod create;
mod remove;
mod setup;

use larder::Selection;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use larder::bytes::Bytes;
use larder::maintenance::{CopyOptions, GcOptions};
use larder::prelude::*;
use larder::serializers::RawBytes;
use larder::store::Store;
use larder::store::{Hook, StoreExt};
use larder::{Error, Item, Registry};
use larder_tests::errors::message;

/// The behaviour and the calls of a probe's hooks, by its name.
#[derive(Default)]
struct Script {
    events: Vec<String>,
    /// Hooks that fail, or panic.
    fails: HashMap<&'static str, &'static str>,
}

static SCRIPTS: Mutex<Option<HashMap<String, Script>>> = Mutex::new(None);

fn script<R>(name: &str, run: impl FnOnce(&mut Script) -> R) -> R {
    let mut scripts = SCRIPTS.lock().unwrap_or_else(PoisonError::into_inner);
    run(scripts.get_or_insert_default().entry(name.to_owned()).or_default())
}

/// Lets a hook of `name` fail from now on: with an error, or by a panic if `how` says so.
fn let_fail(name: &str, hook: &'static str, how: &'static str) {
    script(name, |script| script.fails.insert(hook, how));
}

fn let_pass(name: &str, hook: &'static str) {
    script(name, |script| script.fails.remove(hook));
}

/// Returns the events of `name` since the last call.
fn events(name: &str) -> Vec<String> {
    script(name, |script| std::mem::take(&mut script.events))
}

/// A component with every hook.
#[derive(Debug, Clone, Serialize, Deserialize, Component)]
#[component(tag = "tests/probe", model, hooks)]
struct Probe {
    name: String,
    reading: f64,
    /// Made by `post_init`.
    doubled: f64,
    log: Artifact<Bytes, RawBytes>,
    /// Made by `setup`.
    #[serde(skip)]
    opened: std::sync::OnceLock<String>,
}

fn probe(name: &str, reading: f64) -> Probe {
    // Too large for a row of an SQLite store.
    let log = Artifact::<Bytes, RawBytes>::new(vec![reading as u8; 100_000].into());
    Probe { name: name.into(), reading, doubled: 0.0, log, opened: Default::default() }
}

impl Probe {
    fn happens(&self, hook: &'static str, detail: String) -> HookResult {
        let how = script(&self.name, |script| {
            script.events.push(if detail.is_empty() { hook.into() } else { detail });
            script.fails.get(hook).copied()
        });
        match how {
            Some("panic") => panic!("the probe fell"),
            Some("error") => Err("the tube is cracked".into()),
            Some(how) => Err(how.into()),
            None => Ok(()),
        }
    }
}

impl Hooks for Probe {
    fn post_init(&mut self) -> HookResult {
        self.doubled = 2.0 * self.reading;
        self.happens("post_init", String::new())
    }

    fn setup(&self, context: &HookContext) -> HookResult {
        let what = format!("{}@{}", context.identifier(), context.version.version.get());
        self.happens("setup", format!("setup {what}"))?;
        self.opened.set(what).map_err(|_| "it was set up twice".into())
    }

    fn on_create(&self, context: &HookContext) -> HookResult {
        let version = context.version.version.get();
        // It was committed, and no other version has its number.
        let there = context.larder.load::<Plain>("plain").is_ok();
        let listed = context.larder.versions(context.identifier().as_str())?;
        let listed = listed.iter().find(|it| it.version == context.version.version);
        let status = listed.ok_or("it is not there")?.status;
        self.happens("on_create", format!("on_create {version} {status} {there}"))
    }

    fn cleanup(&self, context: &HookContext) -> HookResult {
        self.happens("cleanup", format!("cleanup {}", context.version.version.get()))
    }
}

impl Predict for Probe {
    type Input = f64;
    type Output = f64;

    fn predict(&self, input: f64) -> larder::Result<f64> {
        self.opened.get().ok_or_else(|| Error::predict("it was not set up"))?;
        Ok(input * self.doubled)
    }
}

/// A component without hooks.
#[derive(Debug, Serialize, Deserialize, Component)]
#[component(tag = "tests/plain")]
struct Plain {
    number: u32,
}

fn everywhere(test: impl Fn(&Larder, &str)) {
    for scheme in ["sqlite", "fs", "memory"] {
        let here = tempfile::tempdir().unwrap();
        let place = here.path().join("larder").display().to_string();
        let place = if scheme == "memory" { "" } else { &place };
        test(&larder::open(&format!("{scheme}:{place}")).unwrap(), scheme);
    }
}

/// Everything that a store holds.
fn content(larder: &Larder) -> (Vec<String>, usize) {
    let records = larder.store().records("");
    (records.map(|record| record.unwrap().0.to_string()).collect(), larder.store().blobs().count())
}

#[test]
fn each_hook_runs_at_its_moment_and_no_other_does() {
    everywhere(|larder, scheme| {
        let name = &format!("moments-{scheme}");
        let applied = larder.apply(name.as_str(), &probe(name, 1.5)).unwrap();
        assert!(applied.is_created());
        assert!(applied.version().status.is_ready());
        assert_eq!(events(name), ["post_init", "on_create 1 preparing false"]);

        // The same again: what is stored is what `post_init` left.
        assert!(!larder.apply(name.as_str(), &probe(name, 1.5)).unwrap().is_created());
        assert_eq!(events(name), ["post_init"]);

        // What only looks runs none.
        larder.list().for_each(|it| drop(it.unwrap()));
        larder.versions(name.as_str()).unwrap();
        let shown = larder.show(name.as_str()).unwrap();
        assert!(
            shown.manifest.fields().contains(r#""doubled":3.0"#),
            "{}",
            shown.manifest.fields()
        );
        assert_eq!(larder.maintenance().verify(Selection::All).unwrap().findings, []);
        larder.maintenance().health().unwrap();
        let copy = larder::open("memory:").unwrap();
        larder.maintenance().copy(Selection::All, &copy, &CopyOptions::new()).unwrap();
        assert!(copy.versions(name.as_str()).unwrap()[0].status.is_ready());
        larder.maintenance().gc(&GcOptions::new()).unwrap();
        assert_eq!(events(name), [""; 0]);

        // Loaded, it is checked again; set up only when it is used, and then once.
        let loaded: Probe = larder.load(name.as_str()).unwrap();
        assert_eq!((loaded.doubled, loaded.log.get().unwrap().len()), (3.0, 100_000));
        assert_eq!(events(name), ["post_init"]);
        let model = larder.load_model(name.as_str()).unwrap();
        model.signature();
        assert_eq!(events(name), ["post_init"]);
        assert_eq!(model.predict_json("2").unwrap(), "6.0");
        assert_eq!(model.predict_batch_json("[1, 2]").unwrap(), "[3.0,6.0]");
        assert_eq!(model.predict_typed::<f64, f64>(3.0).unwrap(), 9.0);
        assert_eq!(events(name), [format!("setup {name}@1")]);

        larder.remove(format!("{name}@1").as_str()).unwrap();
        assert_eq!(events(name), ["post_init", "cleanup 1"]);
    });
}

#[test]
fn a_component_that_post_init_refuses_leaves_nothing_and_is_not_loaded() {
    everywhere(|larder, scheme| {
        let name = &format!("refused-{scheme}");
        larder.apply("plain", &Plain { number: 1 }).unwrap();
        let before = content(larder);
        for how in ["error", "panic"] {
            let_fail(name, "post_init", how);
            let error = larder.apply(name.as_str(), &probe(name, 1.0)).unwrap_err();
            let told = message(&error);
            let Error::Hook { hook: Hook::PostInit, component, source, .. } = error else {
                panic!("{told}");
            };
            let cause = if how == "panic" {
                "`post_init` panicked: the probe fell"
            } else {
                "the tube is cracked"
            };
            assert_eq!((&component, source.to_string().as_str()), (name, cause));
            assert_eq!(content(larder), before);
        }
        let_pass(name, "post_init");
        larder.apply(name.as_str(), &probe(name, 1.0)).unwrap();
        let_fail(name, "post_init", "error");
        for error in [
            larder.load::<Probe>(name.as_str()).unwrap_err(),
            larder.load_component(name.as_str()).unwrap_err(),
            larder.load_model(name.as_str()).unwrap_err(),
            larder.load_ready::<Probe>(name.as_str()).unwrap_err(),
        ] {
            let told = message(&error);
            let Error::Hook { hook: Hook::PostInit, component, .. } = error else {
                panic!("{told}");
            };
            assert_eq!(component, format!("{name}@1"));
        }
    });
}

/// Its `post_init` reads and changes artifacts.
#[derive(Debug, Clone, Serialize, Deserialize, Component)]
#[component(tag = "tests/scaled", hooks)]
struct Scaled {
    weights: Artifact<Vec<f64>>,
    inner: Artifact<Vec<Artifact<String>>>,
    added: Option<Artifact<String>>,
    as_they_are: Artifact<Vec<u8>>,
}

impl Hooks for Scaled {
    fn post_init(&mut self) -> HookResult {
        let largest = self.weights.get()?.iter().copied().fold(1.0, f64::max);
        if largest > 1.0 {
            self.weights.get_mut()?.iter_mut().for_each(|weight| *weight /= largest);
        }
        if self.inner.get()?.len() == 1 {
            self.inner.get_mut()?.push(Artifact::new("second".into()));
        }
        if self.added.is_none() {
            self.added = Some(Artifact::new("added".into()));
        }
        Ok(())
    }
}

#[test]
fn post_init_may_change_artifacts_and_the_callers_own_value_stays_as_it_was() {
    everywhere(|larder, _| {
        let given = Scaled {
            weights: Artifact::new(vec![2.0, 4.0]),
            inner: Artifact::new(vec![Artifact::new("first".into())]),
            added: None,
            as_they_are: Artifact::new(vec![7; 1000]),
        };
        larder.apply("scaled", &given).unwrap();
        assert_eq!(*given.weights.get().unwrap(), [2.0, 4.0]);
        assert_eq!(given.inner.get().unwrap().len(), 1);
        assert!(given.added.is_none());
        // What was not changed is shared, and knows now where it is stored.
        assert!(given.as_they_are.digest().is_some());
        assert!(given.weights.digest().is_none());
        let loaded: Scaled = larder.load("scaled").unwrap();
        assert_eq!(*loaded.weights.get().unwrap(), [0.5, 1.0]);
        assert_eq!(loaded.inner.get().unwrap()[1].get().unwrap(), "second");
        assert_eq!(loaded.added.as_ref().unwrap().get().unwrap(), "added");
        assert!(!larder.apply("scaled", &given).unwrap().is_created());
        assert!(!larder.apply("scaled", &loaded).unwrap().is_created());
    });
}

#[test]
fn a_value_that_json_cannot_hold_is_refused_after_post_init_and_leaves_nothing() {
    let larder = larder::open("memory:").unwrap();
    let error = larder.apply("inexact", &probe("inexact", f64::NAN)).unwrap_err();
    let told = error.to_string();
    assert!(matches!(error, Error::Lossy { path, .. } if path == "reading"), "{told}");
    assert_eq!(events("inexact"), ["post_init"]);
    assert_eq!(content(&larder), (vec![], 0));
}

#[test]
fn hooks_need_no_registry_to_be_applied() {
    let store: Arc<dyn Store> = Arc::new(larder::store::MemoryStore::new());
    let larder = Larder::new(Arc::clone(&store), Registry::new());
    assert!(larder.apply("bare", &probe("bare", 1.0)).unwrap().is_created());
    let mut registry = Registry::new();
    registry.register(Item::model::<Probe>()).unwrap();
    assert!(registry.find("tests/probe").unwrap().has_hooks());
    let larder = Larder::new(store, registry);
    assert_eq!(larder.load_model("bare").unwrap().predict_json("1").unwrap(), "2.0");
}
