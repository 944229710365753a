//! After the commit: `on_create`, and the status that it leaves a version with.

use super::Applied;
use super::commit::UnreadyComponent;
use crate::component::Component;
use crate::error::{Error, Result};
use crate::hooks::HookContext;
use crate::larder::hooks::run_hook;
use crate::larder::locks::refuse_locked_name;
use crate::larder::{Larder, VersionInfo};
use crate::participant::{Contribution, Transition};
use crate::record::{self, DigestRecord, NameRecord, Status, VersionRecord};
use crate::store::{Hook, Outcome};

/// Maximum characters of a recorded failure.
const MOST_FAILURE: usize = 1_000;

impl Larder {
    /// Runs `on_create` of the versions that are not ready, children first, and records the results.
    pub(super) fn create_all(
        &self,
        component: &dyn Component,
        mut applied: Applied,
        mut rest: Vec<UnreadyComponent>,
    ) -> Result<Applied> {
        rest.reverse();
        while let Some(UnreadyComponent { version, component: child, is_root }) = rest.pop() {
            let this = if is_root { Some(component) } else { child.as_deref() };
            let context = HookContext { larder: self.for_hooks(), version: version.clone() };
            let created = this
                .and_then(Component::as_hooks)
                .map_or(Ok(()), |hooks| run_hook(Hook::OnCreate, || hooks.on_create(&context)));
            if let Err(source) = created {
                // The hook's error matters more than an error of recording it.
                let _ = self.settle(&version, Some(failure_text(&*source)));
                let pin = version.reference().to_string();
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

    /// Records the result of `on_create`: the version is ready, and `latest` unless a newer one is; or it failed.
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
                // Another apply of the same content may have succeeded.
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
}

/// Returns an error and its causes on one line, truncated.
fn failure_text(error: &(dyn std::error::Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    let text = causes.map(ToString::to_string).collect::<Vec<_>>().join(": ");
    match text.char_indices().nth(MOST_FAILURE) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text,
    }
}
