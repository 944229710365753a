//! Types with hooks.

use larder::maintenance::LarderMaintenance;
use std::sync::atomic::{AtomicBool, Ordering};

use larder::store::Hook;
use larder::{HookContext, HookResult, Hooks};

use super::*;

static FAILS: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Serialize, Deserialize, Component)]
#[component(tag = "tests/hooked", hooks)]
struct Hooked {
    number: u32,
    /// Made by `post_init`.
    doubled: u32,
    weights: Artifact<Bytes, RawBytes>,
}

impl Hooks for Hooked {
    fn post_init(&mut self) -> HookResult {
        self.doubled = self.number.checked_mul(2).ok_or("too large")?;
        Ok(())
    }

    fn on_create(&self, _: &HookContext) -> HookResult {
        if FAILS.load(Ordering::SeqCst) { Err("not now".into()) } else { Ok(()) }
    }
}

fn hooked(number: u32) -> Hooked {
    Hooked { number, doubled: 0, weights: Artifact::new(Bytes::from(vec![7; 200_000])) }
}

#[test]
fn a_plan_is_of_what_post_init_makes_and_runs_no_other_hook() {
    everywhere(|larder, folder| {
        larder.apply("hooked", &hooked(1)).unwrap();
        let before = state(larder, folder);
        assert!(!larder.plan("hooked", &hooked(1)).unwrap().created);
        FAILS.store(true, Ordering::SeqCst);
        let diff = larder.plan("hooked", &hooked(2)).unwrap().diff;
        assert_eq!(told(&diff), ["changed number", "changed doubled", "same weights"]);
        assert_eq!(diff.fields[1].new, json("4"));
        let error = larder.plan("hooked", &hooked(u32::MAX)).unwrap_err();
        assert!(matches!(error, Error::Hook { hook: Hook::PostInit, .. }), "{error}");
        assert_eq!(state(larder, folder), before);

        // What is there and not ready is tried again under its number.
        larder.apply("hooked", &hooked(2)).unwrap_err();
        let plan = larder.plan("hooked", &hooked(2)).unwrap();
        assert_eq!((plan.created, plan.stored, plan.diff.new.version.get()), (true, 0, 2));
        assert_eq!(larder.plan("hooked", &hooked(3)).unwrap().diff.new.version.get(), 3);
        FAILS.store(false, Ordering::SeqCst);
        let applied = larder.apply("hooked", &hooked(2)).unwrap();
        assert_eq!((applied.is_created(), applied.version().version.get()), (true, 2));
    });
}
