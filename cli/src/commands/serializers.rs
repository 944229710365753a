//! `serializers`: linked and needed serializers.

use std::collections::BTreeMap;

use larder::serializers::{FormatTraits, SerializerInfo, SerializerRecord};
use larder::store::Digest;
use larder::{ComponentType, Error, Larder, Reference, Registry, VersionInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::open::Opened;
use crate::output::Output;

/// The maximum number of versions that a row names.
const MOST_NAMED: usize = 3;

/// Lists the serializers that are linked in, and those that the larder needs
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Serializers<'a> {
    serializers: Vec<&'a Known>,
}

/// A serializer that is linked in, needed, or recorded.
#[derive(Default, Serialize)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) linked: bool,
    #[serde(rename = "crate")]
    origin: Option<String>,
    /// The types that it serves; `None` for every serde type.
    types: Option<Vec<String>>,
    /// Its traits, if it is a format.
    traits: Option<FormatTraits>,
    /// Its record in the larder.
    record: Option<RecordInfo>,
    /// The newest versions that use it; `None` without a larder.
    pub(super) used_by: Option<Vec<String>>,
}

#[derive(Serialize)]
struct RecordInfo {
    reference: String,
    #[serde(rename = "crate")]
    origin: Option<String>,
    note: Option<String>,
    types: Vec<RecordedType>,
    #[serde(skip)]
    whereabouts: String,
}

#[derive(Serialize)]
struct RecordedType {
    rust_type: String,
    fingerprint: Option<Digest>,
}

/// The serializers by name.
pub(super) type All = BTreeMap<String, Known>;

pub(crate) fn run(opened: &Opened, output: &mut Output) -> Result<(), CommandError> {
    let (all, failure) = match opened {
        Opened::Larder(larder) => known_to(larder),
        Opened::Nothing { .. } => (linked(opened.registry()), None),
    };
    let printed = match output.is_json() {
        true => output.document(Serializers { serializers: all.values().collect() }),
        false => print(&all, output),
    };
    // A failure takes precedence over a closed stdout.
    match failure {
        None => Ok(printed?),
        Some(error) => Err(error.into()),
    }
}

fn linked(registry: &Registry) -> All {
    registry.serializers().map(|known| (known.name.clone(), Known::from(known))).collect()
}

/// The serializers that are linked in, and those that the newest version of every name needs. A damaged version does
/// not hide the others; the first error is returned.
pub(super) fn known_to(larder: &Larder) -> (All, Option<Error>) {
    let (mut all, mut failure) = (linked(larder.registry()), None);
    all.values_mut().for_each(|known| known.used_by = Some(Vec::new()));
    for version in larder.list() {
        let added = version.and_then(|version| add_version(larder, &version, &mut all));
        if let Err(error) = added {
            failure.get_or_insert(error);
        }
    }
    (all, failure)
}

fn add_version(larder: &Larder, version: &VersionInfo, all: &mut All) -> Result<(), Error> {
    let reference = version.reference();
    if version.type_tag.as_str() == SerializerRecord::TAG {
        let record: SerializerRecord = larder.load(&reference)?;
        let known = entry(all, &record.serializer);
        known.record = Some(RecordInfo::new(&reference, record));
        return Ok(());
    }
    for artifact in larder.show(&reference)?.manifest.artifacts() {
        let used_by = entry(all, &artifact.serializer).used_by.get_or_insert_default();
        let name = reference.to_string();
        if used_by.last() != Some(&name) {
            used_by.push(name);
        }
    }
    Ok(())
}

fn entry<'a>(all: &'a mut All, name: &str) -> &'a mut Known {
    all.entry(name.to_owned()).or_insert_with(|| Known {
        name: name.to_owned(),
        used_by: Some(Vec::new()),
        ..Known::default()
    })
}

fn print(all: &All, output: &mut Output) -> std::io::Result<()> {
    if output.is_quiet() {
        return all.keys().try_for_each(|name| output.line(name));
    }
    let linked = all.values().filter(|known| known.linked);
    if all.values().all(|known| known.used_by.is_none()) {
        let row =
            |known: &Known| [known.name.clone(), known.serves(), known.traits(), known.origin()];
        return output.table(["NAME", "SERVES", "TRAITS", "CRATE"], linked.map(row));
    }
    let row = |known: &Known| {
        [known.name.clone(), known.serves(), known.traits(), known.origin(), known.users()]
    };
    output.table(["NAME", "SERVES", "TRAITS", "CRATE", "USED BY"], linked.map(row))?;
    let missing: Vec<_> = all.values().filter(|known| !known.linked).collect();
    if missing.is_empty() {
        return Ok(());
    }
    output.line("\nnot linked in:")?;
    let row = |known: &Known| [known.name.clone(), known.users(), known.whereabouts()];
    output.table(["NAME", "USED BY", "WHERE TO GET IT"], missing.into_iter().map(row))
}

/// Formats the first few, and the number of others.
pub(super) fn named(users: &[String]) -> String {
    match users.len() {
        0 => "-".into(),
        n if n > MOST_NAMED => {
            format!("{} and {} more", users[..MOST_NAMED].join(", "), n - MOST_NAMED)
        }
        _ => users.join(", "),
    }
}

impl From<SerializerInfo> for Known {
    fn from(known: SerializerInfo) -> Self {
        let types = known.types.into_iter().map(str::to_owned).collect();
        Self {
            name: known.name,
            linked: true,
            origin: Some(known.origin),
            types: known.traits.is_none().then_some(types),
            traits: known.traits,
            ..Self::default()
        }
    }
}

impl Known {
    fn serves(&self) -> String {
        self.types.as_ref().map_or_else(|| "every serde type".into(), |types| types.join(", "))
    }

    /// Formats the traits of a format.
    fn traits(&self) -> String {
        let Some(traits) = self.traits else { return "-".into() };
        let traits = [
            (traits.self_describing, "self-describing"),
            (traits.fields_may_be_added, "fields may be added"),
            (traits.stable_specification, "stable specification"),
        ];
        let traits: Vec<_> = traits.iter().filter(|(has, _)| *has).map(|(_, name)| *name).collect();
        if traits.is_empty() { "-".into() } else { traits.join(", ") }
    }

    fn origin(&self) -> String {
        self.origin.clone().unwrap_or_else(|| "-".into())
    }

    fn users(&self) -> String {
        named(self.used_by.as_deref().unwrap_or_default())
    }

    pub(super) fn whereabouts(&self) -> String {
        let record = self.record.as_ref();
        record.map_or_else(
            || "unknown: the larder has no record of it".into(),
            |it| it.whereabouts.clone(),
        )
    }
}

impl RecordInfo {
    fn new(reference: &Reference, record: SerializerRecord) -> Self {
        let types = record.types.iter().map(|served| RecordedType {
            rust_type: served.rust_type.clone(),
            fingerprint: served.fingerprint(),
        });
        Self {
            reference: reference.to_string(),
            types: types.collect(),
            whereabouts: record.whereabouts(),
            origin: record.origin,
            note: record.note,
        }
    }
}
