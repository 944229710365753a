//! What `show` adds for collections, their listeners, and models that were trained on them.

use larder::collections::{LarderListeners, ListenerStatus};
use larder::{Identifier, Larder, VersionInfo};
use serde_json::Value;

use super::outputs::state;
use crate::text;

/// Returns the state of the listeners and indexes that a version is about: those of a collection, or one.
pub(crate) fn statuses(
    version: &VersionInfo,
    larder: &Larder,
) -> larder::Result<Vec<ListenerStatus>> {
    let name = version.identifier.as_str();
    let (collection, only): (Identifier, _) = match version.type_tag.as_str() {
        "larder/collection" => (version.identifier.clone(), None),
        "larder/listener" => match name.rsplit_once('/') {
            Some((folder, listener)) => {
                let stem =
                    folder.strip_suffix(".listeners").or_else(|| folder.strip_suffix(".indexes"));
                let Some(stem) = stem else { return Ok(Vec::new()) };
                (stem.parse()?, Some((listener, folder.ends_with(".indexes"))))
            }
            None => return Ok(Vec::new()),
        },
        _ => return Ok(Vec::new()),
    };
    let listeners = larder.listeners(collection)?;
    let mut all = listeners.status()?;
    all.extend(listeners.index_status()?);
    if let Some((name, is_index)) = only {
        all.retain(|it| it.name == name && it.measure.is_some() == is_index);
    }
    Ok(all)
}

/// Describes the state of a listener or an index in a line.
pub(crate) fn line(status: &ListenerStatus) -> (&'static str, String) {
    let key = status.key.join(", ");
    let (label, what) = match (&status.measure, &status.model) {
        (Some(measure), _) => ("index", format!("{measure} of {key}")),
        (None, Some(model)) => ("listener", format!("{model} reads {key}")),
        (None, None) => ("listener", key),
    };
    let counts = format!("{} of {} ok", status.ok, text::count(status.rows, "row"));
    let failed =
        if status.failed > 0 { format!(", {} failed", status.failed) } else { String::new() };
    let backlog = match status.backlog {
        0 => String::new(),
        backlog => format!(", {backlog} to be computed"),
    };
    (label, format!("{}: {what}; {counts}{failed}{backlog}; {}", status.name, state(status)))
}

/// Describes what a model was trained on, from its fields.
pub(crate) fn trained_on(fields: &str) -> Option<String> {
    let fields: Value = serde_json::from_str(fields).ok()?;
    let on = fields.get("trained_on")?.as_object()?;
    let name = on.get("collection")?.get("$component")?.as_str()?;
    let text = |key: &str| match on.get(key) {
        Some(Value::String(text)) => Some(format!("{key} {text}")),
        Some(Value::Number(number)) => Some(format!("{key} {number}")),
        _ => None,
    };
    let mut parts = vec![format!("{name}@{}", on.get("version")?)];
    parts.extend(["fold", "filter", "seed", "rows", "epochs", "job"].into_iter().filter_map(text));
    Some(text::clean(&parts.join(", ")).into_owned())
}
