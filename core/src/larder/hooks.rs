//! Running hooks: `post_init` and `cleanup`.

use super::apply::refused;
use super::decode::erased;
use super::{Larder, VersionInfo};
use crate::caught::catch_panic;
use crate::component::Component;
use crate::error::{Error, Result};
use crate::guard::{Guard, Rules};
use crate::hooks::{HookContext, HookResult};
use crate::name::Identifier;
use crate::record::VersionRecord;
use crate::scope;
use crate::store::Hook;

/// Runs a hook; its panic becomes an error.
pub(super) fn run_hook(hook: Hook, run: impl FnOnce() -> HookResult) -> HookResult {
    catch_panic(&format!("`{hook}`"), run)?
}

impl Larder {
    /// A copy of a component whose type has hooks, as its `post_init` leaves it.
    pub(super) fn prepared(
        &self,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<Box<dyn Component>> {
        let mut copy = self.copied(name, component)?;
        post_init(&mut *copy, || name.to_string(), "nothing was written")?;
        Ok(copy)
    }

    /// A copy of a component as it would be if it were stored and loaded. It shares its artifacts.
    pub(super) fn copied(
        &self,
        name: &Identifier,
        component: &dyn Component,
    ) -> Result<Box<dyn Component>> {
        let tag = component.type_tag();
        let what = format!("{name} (a `{tag}`)");
        let entry = match component.type_entry() {
            Some(entry) => entry,
            None => self.registry.find_type(tag, &what, None)?.clone(),
        };
        let mut copy = scope::copying(|| {
            let guard = Guard::new(Rules::JSON);
            let mut json = Vec::new();
            let mut serializer = serde_json::Serializer::new(&mut json);
            erased_serde::serialize(component, guard.serializer(&mut serializer))
                .map_err(|error| refused(what.clone(), guard.error(error)))?;
            let guard = Guard::for_bytes(Rules::JSON, json.len());
            let mut fields = serde_json::Deserializer::from_slice(&json);
            erased(&guard, &mut fields, |fields| (entry.read)(fields)).map_err(|error| {
                let (path, source) = guard.error(error).into_parts();
                Error::Decode { what, type_name: entry.rust_type().to_owned(), path, source }
            })
        })?;
        copy.set_cache(&self.cache);
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
            Err(Error::NotLinked { kind, name, hint, known, .. }) => {
                let needed_by = format!("the `cleanup` of {pin}");
                let hint = format!("{hint}; or force the removal to skip it");
                return Err(Error::NotLinked { kind, name, needed_by, hint, known });
            }
            Err(error) => {
                return Err(Error::Refused {
                    action: format!("remove {pin}"),
                    reason: format!(
                        "it cannot be loaded to run its `cleanup` ({error}); force the removal to skip it"
                    ),
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
