//! Components that are set up before they are used.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Larder;
use super::VersionInfo;
use super::hooks::run_hook;
use crate::child::ChildVersion;
use crate::component::{Component, ComponentType};
use crate::error::{Error, Result};
use crate::hooks::HookContext;
use crate::model::{Model, Signature};
use crate::name::{Identifier, VersionNumber};
use crate::reference::{Reference, Selector};
use crate::store::Hook;

/// A loaded component that is set up when it is used first.
///
/// [`Hooks::setup`](crate::Hooks::setup) runs once, however many threads ask at the same time: the others wait. If it
/// fails, each that asks is told, and the next one tries again.
///
/// ```
/// use larder_core::{HookContext, HookResult, Larder, Registry};
/// use larder_core::store::MemoryStore;
/// # use std::sync::Arc;
/// # fn see<T: larder_core::ComponentType>(larder: &Larder) -> larder_core::Result<()> {
/// let probe = larder.load_ready::<T>("cellar/probe")?; // nothing was opened yet
/// let probe = probe.get()?; // now it is set up
/// # Ok(())
/// # }
/// ```
pub struct Ready<T: ?Sized> {
    context: HookContext,
    is_set_up: OnceLock<()>,
    /// Held while it is set up, so that it happens once.
    setting_up: Mutex<()>,
    component: Box<T>,
}

impl<T: Component + ?Sized> Ready<T> {
    pub(super) fn new(larder: &Larder, version: VersionInfo, component: Box<T>) -> Self {
        let is_set_up = OnceLock::new();
        if component.as_hooks().is_none() {
            let _ = is_set_up.set(());
        }
        let context = HookContext { larder: larder.clone(), version };
        Self { context, is_set_up, setting_up: Mutex::default(), component }
    }

    /// A child of another component.
    pub(crate) fn of(larder: &Larder, at: &ChildVersion, component: Box<T>) -> Self {
        Self::new(larder, VersionInfo::new(&at.name, &at.version), component)
    }

    /// The component, set up.
    ///
    /// # Errors
    /// [`Error::Hook`] if its `setup` failed.
    pub fn get(&self) -> Result<&T> {
        if self.is_set_up.get().is_none() {
            // A setup that panicked is tried again.
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
                // The lock is held, so nobody else sets it meanwhile.
                let _ = self.is_set_up.set(());
            }
        }
        Ok(&self.component)
    }

    /// The component as it was loaded, set up or not.
    pub fn peek(&self) -> &T {
        &self.component
    }

    /// The version that it is.
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

impl Larder {
    /// Loads the component that `reference` names, as its own type, to be set up when it is used first.
    ///
    /// [`load`](Larder::load) gives the plain value, and sets nothing up.
    ///
    /// # Errors
    /// As [`load`](Larder::load).
    pub fn load_ready<T: ComponentType>(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Ready<T>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let (version, component) = self.load_typed(&reference)?;
        let version = VersionInfo::new(reference.identifier(), &version);
        Ok(Ready::new(self, version, Box::new(component)))
    }

    /// Loads the component that `reference` names, of whatever type, to be set up when it is used first.
    ///
    /// # Errors
    /// As [`load_component`](Larder::load_component).
    pub fn load_component_ready(
        &self,
        reference: impl TryInto<Reference, Error: Into<Error>>,
    ) -> Result<Ready<dyn Component>> {
        let reference: Reference = reference.try_into().map_err(Into::into)?;
        let (version, component) = self.load_named(&reference)?;
        let version = VersionInfo::new(reference.identifier(), &version);
        Ok(Ready::new(self, version, component))
    }

    /// Loads the component of a version, also if it was removed and its bytes are still there.
    pub(crate) fn load_ready_version(
        &self,
        name: &Identifier,
        number: VersionNumber,
    ) -> Result<Ready<dyn Component>> {
        let Some(version) = self.version(name, number)? else {
            let reference = Reference::new(name.clone(), Selector::Version(number));
            return Err(self.not_found(&reference));
        };
        let component = self.load_at(name, &version)?;
        Ok(Ready::new(self, VersionInfo::new(name, &version), component))
    }
}

/// A component that is known to be a model.
pub(super) struct ReadyModel(pub(super) Ready<dyn Component>);

impl ReadyModel {
    fn model(&self) -> Result<&dyn Model> {
        let model = self.0.get()?.as_model();
        model.ok_or_else(|| Error::predict("the component is no longer a model"))
    }
}

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

    /// It needs no setup.
    fn signature(&self) -> Signature {
        match self.0.peek().as_model() {
            Some(model) => model.signature(),
            None => Signature::default(),
        }
    }
}
