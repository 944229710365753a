//! Running hooks: `post_init` and `cleanup`.

use super::{Larder, VersionInfo};
use crate::component::Component;
use crate::error::{Error, Remedy, Result};
use crate::hooks::{HookContext, HookResult};
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::store::{Hook, catch_panic};

/// Runs a hook; its panic becomes an error.
pub(super) fn run_hook(hook: Hook, run: impl FnOnce() -> HookResult) -> HookResult {
    catch_panic(&format!("`{hook}`"), run)?
}

impl Larder {
    /// Clones a component whose type has hooks, and runs `post_init` on the clone.
    pub(super) fn prepared(
        &self,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<Box<dyn Component>> {
        let Some(mut copy) = component.clone_component() else {
            return Err(Error::Refused {
                action: format!("apply {name}"),
                reason: format!(
                    "the type `{}` has hooks, and its `Component::clone_component` returns no clone",
                    component.type_tag()
                ),
            });
        };
        copy.set_cache(&self.cache);
        post_init(&mut *copy, || name.to_string(), "nothing was written")?;
        Ok(copy)
    }

    /// Runs `cleanup` before a version is removed, if its type has hooks; errors are ignored if `forced`.
    pub(super) fn clean_up(
        &self,
        name: &Identifier,
        version: &VersionRecord,
        forced: bool,
    ) -> Result<()> {
        let linked = self.registry.find(version.type_tag.as_str());
        if !version.hooks && !linked.is_some_and(|known| known.hooks) {
            return Ok(());
        }
        match self.try_clean_up(name, version) {
            Err(_) if forced => Ok(()),
            done => done,
        }
    }

    fn try_clean_up(&self, name: &Identifier, version: &VersionRecord) -> Result<()> {
        let version = VersionInfo::new(name, version);
        let pin = version.reference();
        let component = match self.load_component(&pin) {
            Ok(component) => component,
            Err(Error::NotLinked { kind, name, hint, has_source, known, .. }) => {
                let needed_by = format!("the `cleanup` of {pin}");
                let hint = format!("{hint}; or force the removal to skip it");
                return Err(Error::NotLinked { kind, name, needed_by, hint, has_source, known });
            }
            Err(error) => {
                return Err(Error::Blocked {
                    action: format!("remove {pin}"),
                    reason: format!(
                        "it cannot be loaded to run its `cleanup` ({error}); force the removal to skip it"
                    ),
                    remedy: Remedy::Force,
                });
            }
        };
        let Some(hooks) = component.as_hooks() else { return Ok(()) };
        let context = HookContext { larder: self.for_hooks(), version };
        run_hook(Hook::Cleanup, || hooks.cleanup(&context)).map_err(|source| Error::Hook {
            component: pin.to_string(),
            hook: Hook::Cleanup,
            left: "the version was not removed; fix the hook, or force the removal",
            source,
        })
    }
}

/// Runs `post_init`, if the component has hooks.
pub(super) fn post_init(
    component: &mut dyn Component,
    what: impl FnOnce() -> String,
    left: &'static str,
) -> Result<()> {
    let Some(hooks) = component.as_hooks_mut() else { return Ok(()) };
    run_hook(Hook::PostInit, || hooks.post_init()).map_err(|source| Error::Hook {
        component: what(),
        hook: Hook::PostInit,
        left,
        source,
    })
}
