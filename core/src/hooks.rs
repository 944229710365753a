//! Hooks: code of a component that runs at set moments of its life.

use crate::error::BoxError;
use crate::larder::{Larder, VersionInfo};
use crate::name::Identifier;

/// What a hook gives; `?` works on any error in it.
pub type HookResult = Result<(), BoxError>;

/// What a component does at set moments of its life.
///
/// A type says that it has hooks: `#[component(tag = "…", hooks)]`. Each does nothing unless it is written. A panic in
/// one is an error like any other. What an error leaves is in `docs/hooks.md`.
///
/// | hook | when it runs |
/// | --- | --- |
/// | `post_init` | when `apply` has copied the component, and when it is loaded |
/// | `setup` | before the first use of a loaded component, once |
/// | `on_create` | right after a version was committed, before `latest` names it |
/// | `cleanup` | before a version is removed |
///
/// Listing, showing, verifying, copying and collecting garbage run none of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Hooks`",
    note = "write `impl larder::Hooks for {Self} {{ … }}`, or remove `hooks` from `#[component(…)]`"
)]
pub trait Hooks {
    /// Checks and completes the component.
    ///
    /// It runs on every value again that is loaded, so to run it twice must be the same as once. What it
    /// leaves is what is stored.
    ///
    /// # Errors
    /// Why there can be no such component: nothing is written then, or it is not loaded.
    fn post_init(&mut self) -> HookResult {
        Ok(())
    }

    /// Makes the component ready for use: opens what it needs and does not store.
    ///
    /// # Errors
    /// Why it cannot be used now; the next use tries again.
    fn setup(&self, context: &HookContext) -> HookResult {
        let _ = context;
        Ok(())
    }

    /// Does what goes with a new version. [`setup`](Hooks::setup) was not run before it.
    ///
    /// It may run more than once for one version: when the same is applied again after it failed, or after the
    /// program ended in the middle of it.
    ///
    /// # Errors
    /// Why the version is none to be used: it stays, with the status `failed`, and `latest` does not come to name it.
    fn on_create(&self, context: &HookContext) -> HookResult {
        let _ = context;
        Ok(())
    }

    /// Undoes what goes with a version that is about to be removed. [`setup`](Hooks::setup) was not run before it.
    ///
    /// It may run more than once for one version, and the version may stay all the same.
    ///
    /// # Errors
    /// Why it must not be removed: it is not, unless that is forced.
    fn cleanup(&self, context: &HookContext) -> HookResult {
        let _ = context;
        Ok(())
    }
}

/// What a hook knows of where it runs.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HookContext {
    /// The larder that the component is in.
    pub larder: Larder,
    /// The version that the component is.
    pub version: VersionInfo,
}

impl HookContext {
    /// The name that the component was applied under.
    pub fn identifier(&self) -> &Identifier {
        &self.version.identifier
    }
}
