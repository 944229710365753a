//! Components with `setup` on first use.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Larder;
use super::VersionInfo;
use super::hooks::run_hook;
use crate::child::ChildVersion;
use crate::component::Component;
use crate::error::{Error, Result};
use crate::hooks::HookContext;
use crate::model::{Model, Signature};
use crate::store::Hook;

/// A loaded component with `setup` on first use.
///
/// [`Hooks::setup`](crate::Hooks::setup) runs once; other threads wait. If it fails, the next use retries it.
///
/// ```
/// use larder_core::{HookContext, HookResult, Larder, Registry};
/// use larder_core::store::MemoryStore;
/// # use std::sync::Arc;
/// # fn see<T: larder_core::ComponentType>(larder: &Larder) -> larder_core::Result<()> {
/// let probe = larder.load_ready::<T>("cellar/probe")?; // not set up yet
/// let probe = probe.get()?; // set up
/// # Ok(())
/// # }
/// ```
pub struct Ready<T: ?Sized> {
    context: HookContext,
    is_set_up: OnceLock<()>,
    /// Held during `setup`, so that it runs once.
    setting_up: Mutex<()>,
    component: Box<T>,
}

impl<T: Component + ?Sized> Ready<T> {
    pub(crate) fn new(larder: &Larder, version: VersionInfo, component: Box<T>) -> Self {
        let is_set_up = OnceLock::new();
        if component.as_hooks().is_none() {
            let _ = is_set_up.set(());
        }
        let context = HookContext { larder: larder.clone(), version };
        Self { context, is_set_up, setting_up: Mutex::default(), component }
    }

    /// Creates it for a child.
    pub(crate) fn of(larder: &Larder, at: &ChildVersion, component: Box<T>) -> Self {
        Self::new(larder, VersionInfo::new(&at.name, &at.version), component)
    }

    /// Returns the component, set up.
    ///
    /// # Errors
    /// [`Error::Hook`] if its `setup` failed.
    pub fn get(&self) -> Result<&T> {
        if self.is_set_up.get().is_none() {
            // A panic in `setup` poisons the lock; the next use retries.
            let _setting_up = self.setting_up.lock().unwrap_or_else(PoisonError::into_inner);
            if self.is_set_up.get().is_none()
                && let Some(hooks) = self.component.as_hooks()
            {
                run_hook(Hook::Setup, || hooks.setup(&self.context)).map_err(|source| {
                    Error::Hook {
                        component: self.context.version.reference().to_string(),
                        hook: Hook::Setup,
                        left: "the component was not used; its next use retries",
                        source,
                    }
                })?;
                // The lock is held, so this is the first `set`.
                let _ = self.is_set_up.set(());
            }
        }
        Ok(&self.component)
    }

    /// Returns the component, set up or not.
    pub fn peek(&self) -> &T {
        &self.component
    }

    /// Returns its version.
    pub fn version(&self) -> &VersionInfo {
        &self.context.version
    }
}

impl<T: ?Sized> fmt::Debug for Ready<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let set_up = if self.is_set_up.get().is_some() { "set up" } else { "not set up" };
        write!(f, "Ready({}, {set_up})", self.context.version.reference())
    }
}

/// A component that is a model.
pub(super) struct ReadyModel(pub(super) Ready<dyn Component>);

impl ReadyModel {
    fn model(&self) -> Result<&dyn Model> {
        let model = self.0.get()?.as_model();
        model.ok_or_else(|| Error::predict("the component is no longer a model"))
    }
}

#[deny(clippy::missing_trait_methods)]
impl Model for ReadyModel {
    fn predict_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.model()?.predict_erased(input, output)
    }

    fn predict_batch_erased(
        &self,
        input: &mut dyn erased_serde::Deserializer<'_>,
        output: &mut dyn erased_serde::Serializer,
    ) -> Result<()> {
        self.model()?.predict_batch_erased(input, output)
    }

    fn predict_json_erased(&self, input: &str) -> Result<String> {
        self.model()?.predict_json_erased(input)
    }

    fn predict_batch_json_erased(&self, input: &str) -> Result<String> {
        self.model()?.predict_batch_json_erased(input)
    }

    fn predict_any(&self, input: &mut dyn Any, output: &mut dyn Any) -> Result<()> {
        self.model()?.predict_any(input, output)
    }

    fn predict_batch_any(&self, inputs: &mut dyn Any, outputs: &mut dyn Any) -> Result<bool> {
        self.model()?.predict_batch_any(inputs, outputs)
    }

    fn warm_up(&self) -> Result<()> {
        self.model()?.warm_up()
    }

    /// It needs no setup.
    fn signature(&self) -> Signature {
        match self.0.peek().as_model() {
            Some(model) => model.signature(),
            None => Signature::default(),
        }
    }
}
