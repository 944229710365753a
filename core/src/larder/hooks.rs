//! Running the hooks of components, and the status that `on_create` leaves a version with.

use super::commit::UnreadyComponent;
use super::locks::refuse_locked_name;
use super::{Applied, Larder, VersionInfo};
use crate::component::Component;
use crate::digest::Digest;
use crate::error::{Error, Result};
use crate::hooks::{HookContext, HookResult};
use crate::name::{Identifier, VersionNumber};
use crate::panics::catch_panic;
use crate::participant::{Contribution, Transition};
use crate::record::{self, DigestRecord, NameRecord, Status, VersionRecord};
use crate::store::Hook;
use crate::store::Outcome;

/// How many of the versions that are newer than the newest ready one are looked at for one to try again.
const MOST_UNREADY: u64 = 64;
/// How many characters of a failure are kept.
const MOST_FAILURE: usize = 1_000;

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

    /// Writes a component, whose `post_init` was run if it has one, as a new version, and runs the `on_create` of
    /// all that is new. If `onto` is given, only as the next one after the version with that manifest.
    pub(super) fn commit_component(
        &self,
        name: &Identifier,
        component: &dyn Component,
        onto: Option<Digest>,
    ) -> Result<Applied> {
        let (tag, version) = (component.type_tag(), component.type_version());
        let (mut applied, mut rest) = self.commit_packed(name, || {
            let mut packed = self.pack(name, tag, version, component)?;
            packed.hooks = component.as_hooks().is_some();
            packed.onto = onto;
            Ok(packed)
        })?;
        rest.reverse();
        while let Some(UnreadyComponent { version, component: child, is_root }) = rest.pop() {
            let this = if is_root { Some(component) } else { child.as_deref() };
            let context = HookContext { larder: self.for_hooks(), version: version.clone() };
            let created = this
                .and_then(Component::as_hooks)
                .map_or(Ok(()), |hooks| run_hook(Hook::OnCreate, || hooks.on_create(&context)));
            if let Err(source) = created {
                // That the hook failed says more than that it could not be written down.
                let _ = self.settle(&version, Some(told(&*source)));
                let pin = Self::pin(&version).to_string();
                while let Some(UnreadyComponent { version, .. }) = rest.pop() {
                    let _ = self.settle(&version, Some(format!("the `on_create` of {pin} failed")));
                }
                return Err(Error::Hook {
                    component: pin,
                    hook: Hook::OnCreate,
                    left: "the version stays, without `latest`; apply the same value to retry, or remove it",
                    source,
                });
            }
            let version = self.settle(&version, None)?;
            if is_root {
                applied = Applied::Created(version);
            }
        }
        Ok(applied)
    }

    /// The newest version that was written with this manifest and did not become ready, if it is newer than all that
    /// are.
    pub(crate) fn unready(
        &self,
        name: &Identifier,
        head: &NameRecord,
        manifest: &Digest,
    ) -> Result<Option<VersionRecord>> {
        let latest = head.latest.as_ref().map_or(0, |latest| latest.version.get());
        let first = latest.saturating_add(1).max(head.next.get().saturating_sub(MOST_UNREADY));
        let numbers = (first..head.next.get()).filter_map(VersionNumber::new);
        let keys = numbers.map(|number| record::version_key(name, number));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        if keys.is_empty() {
            return Ok(None);
        }
        for (key, found) in keys.iter().zip(self.store.get_records(&keys)?).rev() {
            let Some(found) = found else { continue };
            let version: VersionRecord = record::read(key, &found)?;
            let stays = version.removed.is_none() && !version.status.is_ready();
            if stays && version.manifest == *manifest {
                return Ok(Some(version));
            }
        }
        Ok(None)
    }

    /// Writes down what became of a version whose `on_create` was run: it is ready, and the newest if no newer one is;
    /// or it `failed`.
    fn settle(&self, version: &VersionInfo, failure: Option<String>) -> Result<VersionInfo> {
        let VersionInfo { identifier: name, version: number, .. } = version;
        let number = *number;
        let (key, head_key) = (record::version_key(name, number)?, record::name_key(name)?);
        let what = format!("{name}@{}", number.get());
        let (version, added) = self.transact(&what, |tx| {
            tx.get_each([&key, &head_key])?;
            let (version, head) = (tx.read(&key)?, tx.read(&head_key)?);
            let (Some::<VersionRecord>(mut version), Some::<NameRecord>(head)) = (version, head)
            else {
                return Err(Error::Conflict { what: what.clone() });
            };
            if version.removed.is_some() {
                return Err(Error::Refused {
                    action: format!("make {what} ready"),
                    reason: "it was removed in the meantime".into(),
                });
            }
            let mut added = Contribution::default();
            if failure.is_some() {
                // If another who applied the same was successful, so be it.
                if !version.status.is_ready() {
                    (version.status, version.failure) = (Status::Failed, failure.clone());
                    tx.put(key.clone(), &version)?;
                }
            } else {
                let newer = head.latest.as_ref().filter(|latest| latest.version > number).cloned();
                refuse_locked_name(name, &head, || format!("make {what} ready"))?;
                let was_ready = version.status.is_ready();
                (version.status, version.failure) = (Status::Ready, None);
                tx.put(key.clone(), &version)?;
                let digest_key = record::digest_key(name, &version.manifest, number)?;
                tx.put_any(digest_key, &DigestRecord::new(number))?;
                if !was_ready {
                    added = self.contributions(Transition::Ready, name, &version)?;
                    tx.extend(added.changes.drain(..));
                }
                let next = head.next.max(number.next());
                let head = head.with(next, Some(newer.unwrap_or_else(|| version.clone())));
                tx.put(head_key.clone(), &head)?;
            }
            Ok(Outcome::Commit((version, added)))
        })?;
        added.committed();
        Ok(VersionInfo::new(name, &version))
    }

    /// Runs the `cleanup` of a version that is about to be removed, if its type has hooks. If that is `forced`, what keeps
    /// it from running or makes it fail counts for nothing.
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
        let pin = Self::pin(&version);
        let component = match self.load_named(&pin) {
            Ok((_, component)) => component,
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

/// Runs the `post_init` of a component, if its type has hooks.
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

/// An error with its causes, on one line, cut where it is too long.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match text.char_indices().nth(MOST_FAILURE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
