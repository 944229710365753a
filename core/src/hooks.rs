//! Hooks: methods that run when a component is applied, loaded, first used and removed.

use crate::error::BoxError;
use crate::larder::{Larder, VersionInfo};
use crate::name::Identifier;

/// The result of a hook; `?` converts any error.
pub type HookResult = Result<(), BoxError>;

/// Methods that run when a component is applied, loaded, first used and removed.
///
/// Enabled by `#[component(tag = "…", hooks)]`; the type must implement `Clone`. Each hook does nothing by default. A
/// panic in a hook becomes an error. `docs/hooks.md` describes the state after an error.
///
/// | hook | when it runs |
/// | --- | --- |
/// | `post_init` | in `apply`, on a clone; after loading |
/// | `setup` | once, before the first use of a loaded component |
/// | `on_create` | after a version is committed, before `latest` names it |
/// | `cleanup` | before a version is removed |
///
/// Listing, showing, verifying, copying and collecting garbage run none of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not implement `Hooks`",
    note = "write `impl larder::Hooks for {Self} {{ … }}`, or remove `hooks` from `#[component(…)]`"
)]
pub trait Hooks {
    /// Validates and completes the component. The resulting value is stored.
    ///
    /// It also runs after loading, so it must be idempotent.
    ///
    /// # Errors
    /// The component is invalid: nothing is written, or it is not loaded.
    fn post_init(&mut self) -> HookResult {
        Ok(())
    }

    /// Opens resources that are not stored.
    ///
    /// # Errors
    /// The component cannot be used now; the next use retries.
    fn setup(&self, context: &HookContext) -> HookResult {
        let _ = context;
        Ok(())
    }

    /// Runs after a version is committed, without [`setup`](Hooks::setup).
    ///
    /// It must be idempotent: applying the same content after an error or a crash runs it again.
    ///
    /// # Errors
    /// The version stays with the status `failed`, and `latest` does not name it.
    fn on_create(&self, context: &HookContext) -> HookResult {
        let _ = context;
        Ok(())
    }

    /// Runs before a version is removed, without [`setup`](Hooks::setup).
    ///
    /// It must be idempotent: it may run more than once, and the version may stay.
    ///
    /// # Errors
    /// The version is not removed, unless the removal is forced.
    fn cleanup(&self, context: &HookContext) -> HookResult {
        let _ = context;
        Ok(())
    }
}

/// The larder and version that a hook runs for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HookContext {
    /// The larder of the component.
    pub larder: Larder,
    /// The version of the component.
    pub version: VersionInfo,
}

impl HookContext {
    /// Returns the name of the component.
    pub fn identifier(&self) -> &Identifier {
        &self.version.identifier
    }
}
