//! Registered models and versions, as MLflow writes them.

use std::time::SystemTime;

use larder_core::extend::Records;
use larder_core::store::{Timestamp, VersionNumber};
use larder_core::versions::{Annotations, Status, TagInfo};
use larder_core::{Identifier, Larder, VersionInfo};
use larder_files::drafts::{About, LarderDrafts};
use larder_server::extend::Failure;
use serde_json::{Value, json};

use super::names::{self, MODEL, OWN, PARAMETER, RUN, SOURCE};
use super::wire::entries;

/// Milliseconds since 1970.
pub(super) fn milliseconds(time: Timestamp) -> u64 {
    let since = time.as_system_time().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// A version with what is said of it.
pub(super) struct Version {
    pub(super) info: VersionInfo,
    pub(super) annotations: Annotations,
    pub(super) aliases: Vec<String>,
}

impl Version {
    /// Reads the annotations of a version; `tags` are those of its name.
    pub(super) fn read(
        larder: &Larder,
        info: VersionInfo,
        tags: &[TagInfo],
    ) -> Result<Self, Failure> {
        let annotations = larder.annotations(info.reference())?;
        let of = |tag: &&TagInfo| tag.version == info.version;
        let aliases = tags.iter().filter(of).map(|tag| tag.tag.to_string()).collect();
        Ok(Self { info, annotations, aliases })
    }

    /// Finds a version by its number.
    pub(super) fn find(
        larder: &Larder,
        name: &Identifier,
        number: VersionNumber,
    ) -> Result<Self, Failure> {
        let record = larder.find(&names::version(name, number))?;
        Self::read(larder, VersionInfo::new(name, &record), &larder.tags().of(name)?)
    }

    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.annotations.labels.get(key).map(String::as_str)
    }

    /// Returns the labels that are tags for MLflow.
    pub(super) fn tags(&self) -> impl Iterator<Item = (&String, &String)> {
        let is_tag = |key: &str| !key.starts_with(OWN) && !key.starts_with(PARAMETER);
        self.annotations.labels.iter().filter(move |(key, _)| is_tag(key))
    }

    pub(super) fn json(&self) -> Value {
        let Self { info, annotations, aliases } = self;
        let created = milliseconds(info.created);
        let (status, message) = match (info.status, &info.failure) {
            (Status::Failed, failure) => ("FAILED_REGISTRATION", failure.clone()),
            (status, _) if status.is_ready() => ("READY", None),
            _ => ("PENDING_REGISTRATION", None),
        };
        json!({
            "name": names::written(&info.identifier),
            "version": info.version.get().to_string(),
            "creation_timestamp": created,
            "last_updated_timestamp": created,
            "current_stage": "None",
            "description": annotations.description.clone().unwrap_or_default(),
            "source": self.label(SOURCE).map_or_else(|| source(info), str::to_owned),
            "run_id": self.label(RUN).unwrap_or_default(),
            "model_id": self.label(MODEL).unwrap_or_default(),
            "status": status,
            "status_message": message.unwrap_or_default(),
            "run_link": "",
            "tags": entries(self.tags()),
            "aliases": aliases,
        })
    }
}

/// Where the files of a version are.
fn source(info: &VersionInfo) -> String {
    let name = names::written(&info.identifier);
    format!("mlflow-artifacts:/versions/{name}/{}", info.version.get())
}

/// Returns a registered model, if the name has versions or is reserved.
pub(super) fn model(larder: &Larder, name: &Identifier) -> Result<Option<Model>, Failure> {
    let about = larder.drafts().about(name)?;
    let latest = larder.head(name)?.and_then(|head| head.latest);
    if about.is_none() && latest.is_none() {
        return Ok(None);
    }
    let tags = larder.tags().of(name)?;
    let latest = latest.map(|record| Version::read(larder, VersionInfo::new(name, &record), &tags));
    Ok(Some(Model { name: name.clone(), about, latest: latest.transpose()?, tags }))
}

/// A registered model.
pub(super) struct Model {
    pub(super) name: Identifier,
    pub(super) about: Option<About>,
    pub(super) latest: Option<Version>,
    pub(super) tags: Vec<TagInfo>,
}

impl Model {
    pub(super) fn created(&self) -> Option<Timestamp> {
        let latest = self.latest.as_ref().map(|latest| latest.info.created);
        self.about.as_ref().map(|about| about.created).or(latest)
    }

    pub(super) fn updated(&self) -> Option<Timestamp> {
        let latest = self.latest.as_ref().map(|latest| latest.info.created);
        self.about.as_ref().map(|about| about.changed).max(latest)
    }

    pub(super) fn json(&self) -> Value {
        let alias = |tag: &TagInfo| json!({ "alias": tag.tag.as_str(), "version": tag.version.get().to_string() });
        let description = self.about.as_ref().and_then(|about| about.description.clone());
        let labels = self.about.iter().flat_map(|about| &about.labels);
        json!({
            "name": names::written(&self.name),
            "creation_timestamp": self.created().map(milliseconds),
            "last_updated_timestamp": self.updated().map(milliseconds),
            "description": description.unwrap_or_default(),
            "latest_versions": self.latest.iter().map(Version::json).collect::<Vec<_>>(),
            "tags": entries(labels),
            "aliases": self.tags.iter().map(alias).collect::<Vec<_>>(),
        })
    }
}

/// The error of a registered model that is not there.
pub(super) fn no_model(name: &Identifier) -> Failure {
    let name = names::written(name);
    Failure::not_found(format!("cannot find the registered model {name}: there is none"))
}
