//! Decoding: from a resolved version to a component.

use std::any::type_name;
use std::sync::Arc;

use serde::de::{DeserializeOwned, Error as _};

use super::hooks::post_init;
use super::objects::VALUE_TYPE;
use super::resolve::ResolvedVersion;
use super::{ArtifactReader, Larder};
use crate::component::{Component, ComponentType, no_migration};
use crate::error::{Error, Result};
use crate::guard::{Guard, Rules};
use crate::manifest::Manifest;
use crate::scope;

/// The result of a failed `post_init`.
const NOT_LOADED: &str = "it was not loaded";

impl Larder {
    /// Decodes a version as a `T`.
    pub(crate) fn decode_as<T: ComponentType>(&self, version: &ResolvedVersion) -> Result<T> {
        let ResolvedVersion { what, record, manifest, .. } = version;
        check_tag(what, manifest, T::TAG, T::ALIASES)?;
        self.check_strict(what, record)?;
        let mut component: T = self.decode(version, type_name::<T>(), |guard, fields| {
            match manifest.type_version() {
                wrote if wrote == T::VERSION => guard.read(fields),
                older => erased(guard, fields, |fields| T::migrate(older, fields)),
            }
        })?;
        component.set_cache(&self.cache);
        post_init(&mut component, || what.clone(), NOT_LOADED)?;
        Ok(component)
    }

    /// Decodes a version by the registered type of its tag.
    pub(crate) fn decode_component(&self, version: &ResolvedVersion) -> Result<Box<dyn Component>> {
        let ResolvedVersion { what, record, manifest, .. } = version;
        let tag = manifest.type_tag().as_str();
        if tag == VALUE_TYPE {
            return Err(Error::Refused {
                action: format!("load {what} as a component"),
                reason: "it is a plain value; use `load_object`".into(),
            });
        }
        self.check_strict(what, record)?;
        let found = self.registry.find_type(tag, what, record.origin.as_deref());
        let entry = found.map_err(|error| with_source(error, what, manifest))?;
        let mut component = self.decode(version, entry.rust_type(), |guard, fields| {
            erased(guard, fields, |fields| match manifest.type_version() {
                wrote if wrote == entry.version => (entry.read)(fields),
                older => (entry.migrate)(older, fields),
            })
        })?;
        component.set_cache(&self.cache);
        post_init(&mut *component, || what.clone(), NOT_LOADED)?;
        Ok(component)
    }

    /// Decodes the fields of a version of the type `tag`, which has only version 1.
    pub(crate) fn decode_fields<T: DeserializeOwned>(
        &self,
        version: &ResolvedVersion,
        tag: &str,
        type_name: &str,
    ) -> Result<T> {
        check_tag(&version.what, &version.manifest, tag, &[])?;
        self.check_strict(&version.what, &version.record)?;
        self.decode(version, type_name, |guard, fields| match version.manifest.type_version() {
            1 => guard.read(fields),
            other => Err(serde_json::Error::custom(no_migration(other, 1))),
        })
    }

    fn decode<T>(
        &self,
        ResolvedVersion { what, manifest, record, .. }: &ResolvedVersion,
        type_name: &str,
        read: impl FnOnce(
            &Guard,
            &mut serde_json::Deserializer<serde_json::de::StrRead<'_>>,
        ) -> serde_json::Result<T>,
    ) -> Result<T> {
        let reader = ArtifactReader::new(self, what.clone());
        reader.set_entries(manifest.artifacts(), manifest.children());
        reader.set_manifest(record.manifest);
        let guard = Guard::for_bytes(Rules::JSON, manifest.fields().len());
        let mut fields = serde_json::Deserializer::from_str(manifest.fields());
        let value = scope::with_reader(&Arc::new(reader), || {
            let value = read(&guard, &mut fields)?;
            fields.end().map(|()| value)
        });
        value.map_err(|error| {
            let (path, source) = guard.error(error).into_parts();
            let (what, type_name) = (what.clone(), type_name.to_owned());
            Error::Decode { what, type_name, path, source }
        })
    }
}

fn check_tag(what: &str, manifest: &Manifest, tag: &str, aliases: &[&str]) -> Result<()> {
    let found = manifest.type_tag().as_str();
    if found == tag || aliases.contains(&found) {
        return Ok(());
    }
    Err(Error::WrongType {
        reference: what.to_owned(),
        expected: tag.to_owned(),
        found: found.to_owned(),
    })
}

/// Decodes fields through `dyn Deserializer`.
pub(super) fn erased<'de, T, D: serde::Deserializer<'de>>(
    guard: &Guard,
    fields: D,
    read: impl FnOnce(&mut dyn erased_serde::Deserializer<'de>) -> Result<T, erased_serde::Error>,
) -> Result<T, D::Error> {
    let mut fields = <dyn erased_serde::Deserializer<'_>>::erase(guard.deserializer(fields));
    read(&mut fields).map_err(serde::de::Error::custom)
}

/// Adds the stored source, if any, to the error that a type is not linked.
fn with_source(error: Error, what: &str, manifest: &Manifest) -> Error {
    match (error, manifest.source()) {
        (Error::NotLinked { kind, name, needed_by, mut hint, known, .. }, Some(source)) => {
            let file = if source.file.is_empty() { "" } else { " of " };
            hint += &format!("; its source{file}{} is stored with {what}", source.file);
            Error::NotLinked { kind, name, needed_by, hint, has_source: true, known }
        }
        (error, _) => error,
    }
}
