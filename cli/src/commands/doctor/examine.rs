//! Checks of a larder, in whatever state it is.

use larder::maintenance::LarderMaintenance;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use larder::maintenance::HealthReport;
use larder::versions::Status;
use larder::{Error, Larder, Registry, StoreUrl};

use super::{Finding, StoreState};
use crate::commands::serializers::{self, named};
use crate::output::Output;
use crate::text;

/// The clock skew that is tolerated.
const MAX_SKEW: Duration = Duration::from_secs(60);
/// The free disk space below which there is a warning.
const MIN_FREE: u64 = 256 << 20;

/// Examines the larder at `url`, and adds to `findings`.
pub(super) fn larder(
    url: &StoreUrl,
    registry: Registry,
    output: &Output,
    findings: &mut Vec<Finding>,
) -> Option<StoreState> {
    let store = match registry.find_store(url) {
        Ok(Some(store)) => store,
        Ok(None) => {
            let advice =
                "create one with `larder put NAME FILE`, or name another one with `--store URL`";
            findings.push(Finding::note(format!("there is no larder at {url}"), advice));
            return None;
        }
        Err(error) => {
            findings.push(unopened(&error));
            return None;
        }
    };
    let larder = Larder::new(store, registry);
    let survey = match larder.maintenance().health() {
        Ok(survey) => Some(survey),
        Err(error) => {
            let advice = "check the disk, then run `larder verify`";
            findings.push(Finding::warning(one_line(&error), advice));
            None
        }
    };
    // The URL of the store itself, whichever scheme it was opened by.
    let free = larder.store().url().parse().ok().as_ref().and_then(free);
    if let Some(free) = free.filter(|free| *free < MIN_FREE) {
        let advice = "free some space, or copy to another larder with `larder copy`";
        findings.push(Finding::warning(
            format!("only {} of disk space are free", text::size(free)),
            advice,
        ));
    }
    if let Some(survey) = &survey {
        records(survey, output, findings);
    }
    let is_sound = survey.as_ref().is_some_and(|survey| survey.damaged.is_empty());
    needs(&larder, is_sound, findings);
    Some(StoreState {
        url: larder.store().url(),
        format: larder::extend::manifest::FORMAT,
        atomic_commit: larder.store().capabilities().atomic_commit,
        free,
        survey,
    })
}

fn unopened(error: &Error) -> Finding {
    let advice = match error {
        Error::NewerFormat { .. } => "upgrade Larder",
        Error::NotLinked { .. } => "use a program with that store",
        Error::Corrupt { .. } => {
            "restore it from a copy, or name another larder with `--store URL`"
        }
        _ => "name another larder with `--store URL`",
    };
    Finding::warning(one_line(error), advice)
}

/// Formats an error and its causes on one line.
fn one_line(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |&cause| cause.source());
    let messages: Vec<_> =
        [error.to_string()].into_iter().chain(causes.map(ToString::to_string)).collect();
    messages.join(": ")
}

/// The free disk space at a local larder.
fn free(url: &StoreUrl) -> Option<u64> {
    let path = url.path().ok().filter(|_| matches!(url.scheme(), "sqlite" | "fs"))?;
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    fs4::available_space(folder.unwrap_or(Path::new("."))).ok()
}

/// Findings from the records.
fn records(survey: &HealthReport, output: &Output, findings: &mut Vec<Finding>) {
    for damaged in &survey.damaged {
        findings.push(Finding::warning(
            format!("{}: {}", damaged.what, damaged.fault),
            "restore it from a copy of the larder; `larder verify` lists all damage",
        ));
    }
    let latest = SystemTime::now() + MAX_SKEW;
    if let Some(newest) = survey.newest.filter(|newest| newest.as_system_time() > latest) {
        findings.push(Finding::warning(
            format!("the newest version has a time in the future: {}", text::time(newest)),
            "set the clock, here or where it was stored; the grace period of `larder gc` depends on it",
        ));
    }
    for unready in &survey.unready {
        let what = &unready.what;
        let (state, advice) = match unready.status {
            Status::Failed => ("failed", format!("see `larder show {what}`; ")),
            _ => ("is being prepared", "if no program is preparing it, ".to_owned()),
        };
        findings.push(Finding::note(
            format!("{what} {state}, since {}", output.time(unready.since)),
            format!("{advice}put or apply the same value again, or run `larder remove {what}`"),
        ));
    }
    for locked in &survey.locked {
        findings.push(Finding::note(
            format!("{} is locked, since {}", locked.what, output.time(locked.since)),
            format!("unlock it with `larder unlock {}`", locked.what),
        ));
    }
    if survey.marked > 0 {
        findings.push(Finding::note(
            format!("{} garbage", are(survey.marked, "blob")),
            "`larder gc` removes blobs after their grace period",
        ));
    }
    if survey.removed > 0 {
        findings.push(Finding::note(
            format!("{} removed", are(survey.removed, "version")),
            "`larder restore NAME@N` restores one, until `larder gc` removes its blobs",
        ));
    }
}

fn are(number: u64, thing: &str) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", text::count(number, thing))
}

/// Types and serializers of the newest versions that are not linked in.
fn needs(larder: &Larder, is_sound: bool, findings: &mut Vec<Finding>) {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // Unreadable versions were reported before.
    for version in larder.list().flatten() {
        let tag = version.type_tag.as_str();
        if larder.registry().find(tag).is_none() {
            let origin = version.origin.as_deref().map_or(String::new(), |it| format!(" of {it}"));
            let needed = types.entry(format!("`{tag}`{origin}")).or_default();
            needed.push(version.reference().to_string());
        }
    }
    for (tag, versions) in types {
        findings.push(Finding::note(
            format!("the type {tag}, used by {}, is not linked in", named(&versions)),
            "to load it, link the type into your own command line: https://docs.rs/larder-cli",
        ));
    }
    let (all, failure) = serializers::known_to(larder);
    for known in all.values().filter(|known| !known.linked) {
        let users = named(known.used_by.as_deref().unwrap_or_default());
        findings.push(Finding::note(
            format!("the serializer `{}`, used by {users}, is not linked in", known.name),
            format!("to load it, link it in: {}", known.whereabouts()),
        ));
    }
    if let Some(error) = failure.filter(|_| is_sound) {
        let advice = "`larder verify` lists all damage";
        findings.push(Finding::warning(one_line(&error), advice));
    }
}
