//! `plan`: what an apply would do.

use std::collections::HashSet;

use serde::Serialize;

use super::{Diff, Side, add};
use crate::component::Component;
use crate::error::{Error, Result};
use crate::jobs::Event;
use crate::larder::apply::EncodedComponent;
use crate::larder::locks::refuse_locked_name;
use crate::larder::{Larder, VersionInfo};
use crate::manifest::Manifest;
use crate::name::Identifier;
use crate::record::{self, NameRecord};
use crate::store::StoreExt;

/// What [`Larder::apply`] would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// Whether it would write a new version, or run `on_create` again for one that is there and not ready.
    pub created: bool,
    /// The bytes of blobs that the store lacks and would be given.
    pub stored: u64,
    /// The version as it would be, compared with the newest one. Its number is the next, if no other writer is
    /// faster; that of the newest if nothing would be written.
    #[serde(flatten)]
    pub diff: Diff,
    /// The jobs that would be made: those of children first, of each component dependencies first.
    pub jobs: Vec<PlannedJob>,
}

/// A job that an apply would make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedJob {
    /// The name of its component.
    pub name: Identifier,
    /// The trigger that would run.
    pub trigger: String,
    /// Why it would be skipped, if it would.
    pub skipped: Option<String>,
}

impl Larder {
    /// What applying `component` as `name` would do: which version it would make, and how that differs from the
    /// newest one.
    ///
    /// Nothing is written, not a byte. Artifacts that have changed are encoded, to know their digests, and are
    /// encoded again by the apply. If its type has [`Hooks`](crate::Hooks), `post_init` runs on a copy, as it does in
    /// an apply, and no other hook.
    ///
    /// ```
    /// # use larder_core::{Component, ComponentType, Registry};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct Limit(f64);
    /// # #[typetag::serde(name = "doc/limit")]
    /// # impl Component for Limit {}
    /// # impl ComponentType for Limit { const TAG: &'static str = "doc/limit"; }
    /// let larder = Registry::linked()?.open("memory:")?;
    /// let plan = larder.plan("wine/limit", &Limit(0.7))?;
    /// assert!(plan.created);
    /// assert_eq!(plan.diff.new.reference().to_string(), "wine/limit@1");
    /// assert_eq!(larder.list().count(), 0);
    /// # Ok::<(), larder_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`apply`](Larder::apply), but for what other writers and the disk do to it.
    pub fn plan(
        &self,
        name: impl TryInto<Identifier, Error: Into<Error>>,
        component: &dyn Component,
    ) -> Result<Plan> {
        let name: Identifier = name.try_into().map_err(Into::into)?;
        let dry_run = Self { dry_run: true, ..self.clone() };
        let (tag, version) = (component.type_tag(), component.type_version());
        if component.as_hooks().is_none() {
            let packed = dry_run.pack(&name, tag, version, component)?;
            return self.plan_packed(&name, component, &packed);
        }
        let copy = self.prepared(&name, component)?;
        let packed = dry_run.pack(&name, tag, version, &*copy)?;
        self.plan_packed(&name, &*copy, &packed)
    }

    fn plan_packed(
        &self,
        name: &Identifier,
        component: &dyn Component,
        packed: &EncodedComponent,
    ) -> Result<Plan> {
        let head_key = record::name_key(name)?;
        let head = match self.store.get_record(&head_key)? {
            Some(found) => record::read(&head_key, &found)?,
            None => NameRecord::new(),
        };
        let manifest = Manifest::from_json(&packed.manifest, name.as_str())?;
        let mut new = Side {
            identifier: name.clone(),
            version: head.next,
            digest: packed.digest,
            type_tag: manifest.type_tag().clone(),
            type_version: manifest.type_version(),
            size: packed.size,
        };
        let newest = match &head.latest {
            Some(latest) => {
                let reference = Self::pin(&VersionInfo::new(name, latest));
                let (_, version, manifest) = self.open_version(&reference)?;
                Some((Side::new(&VersionInfo::new(name, &version), &manifest), manifest))
            }
            None => None,
        };
        let unchanged = newest.as_ref().filter(|(side, _)| side.digest == new.digest);
        match unchanged {
            Some((side, _)) => new = side.clone(),
            None => {
                refuse_locked_name(name, &head, || format!("commit a new version of {name}"))?;
                if let Some(unready) = self.unready(name, &head, &packed.digest)? {
                    new.version = unready.version;
                }
            }
        }
        let created = unchanged.is_none();
        let old = newest.as_ref().map(|(side, manifest)| (side.clone(), manifest));
        let diff = Diff::between(old, (new, &manifest))?;
        let mut jobs = Vec::new();
        if created {
            for child in &packed.nested {
                if self.find_child(&child.entry())?.is_none() {
                    jobs.extend_from_slice(&child.jobs);
                }
            }
            jobs.extend(self.planned_jobs(name, component));
        }
        Ok(Plan { created, stored: self.lacking(packed)?, diff, jobs })
    }

    /// The jobs that the apply of a component would make.
    pub(in crate::larder) fn planned_jobs(
        &self,
        name: &Identifier,
        component: &dyn Component,
    ) -> Vec<PlannedJob> {
        let mut jobs: Vec<PlannedJob> = Vec::new();
        let Some(table) = self.registry.triggers_of(component.type_tag()) else { return jobs };
        for entry in table.on(&Event::Apply).filter(|_| self.fires()) {
            let is_skipped = |needed: &&String| {
                jobs.iter().any(|job| job.trigger == **needed && job.skipped.is_some())
            };
            let unmet = entry.unmet(component).map(|field| format!("`{field}` is not set"));
            let skipped = unmet.or_else(|| {
                let needed = entry.depends_on().iter().find(is_skipped)?;
                Some(format!("`{needed}` would be skipped"))
            });
            let (name, trigger) = (name.clone(), entry.name().to_owned());
            jobs.push(PlannedJob { name, trigger, skipped });
        }
        jobs
    }

    /// The bytes of a version's blobs that the store lacks, and of what would be written with it.
    fn lacking(&self, packed: &EncodedComponent) -> Result<u64> {
        let all = packed.nested.iter().map(|nested| &nested.packed).chain([packed]);
        let blobs = all.flat_map(|packed| {
            let artifacts = packed.artifacts.iter().map(|entry| (entry.digest, entry.size));
            artifacts.chain([(packed.digest, packed.manifest.len() as u64)])
        });
        let mut seen = HashSet::new();
        let blobs: Vec<_> = blobs.filter(|(digest, _)| seen.insert(*digest)).collect();
        let digests: Vec<_> = blobs.iter().map(|(digest, _)| *digest).collect();
        let mut lacking = 0;
        for ((_, size), found) in blobs.iter().zip(self.store.stat_blobs(&digests)?) {
            if found.is_none() {
                add(&mut lacking, *size);
            }
        }
        Ok(lacking)
    }
}
