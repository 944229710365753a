//! Looking at a larder, whatever state it is in.

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

/// By how much the clocks of two machines may differ before it is worth a word.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);
/// With fewer bytes free, an apply may soon fail.
const LITTLE: u64 = 256 << 20;

/// What is at `url`, if it is a larder; what is to be said of it goes to `findings`.
pub(super) fn larder(
    url: &StoreUrl,
    registry: Registry,
    output: &Output,
    findings: &mut Vec<Finding>,
) -> Option<StoreState> {
    let store = match registry.find_store(url) {
        Ok(Some(store)) => store,
        Ok(None) => {
            let advice = "`larder put NAME FILE` makes one; `--store URL` names another";
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
            let advice = "look whether the disk is well, then run `larder verify`";
            findings.push(Finding::warning(told(&error), advice));
            None
        }
    };
    // The store says by itself where it is, by whichever scheme it was named.
    let free = larder.store().url().parse().ok().as_ref().and_then(free);
    if let Some(free) = free.filter(|free| *free < LITTLE) {
        let advice = "make room there, or `larder copy` to a larder elsewhere";
        findings.push(Finding::warning(format!("only {} are free", text::size(free)), advice));
    }
    if let Some(survey) = &survey {
        records(survey, output, findings);
    }
    let is_sound = survey.as_ref().is_some_and(|survey| survey.damaged.is_empty());
    needs(&larder, is_sound, findings);
    Some(StoreState {
        url: larder.store().url(),
        format: larder::manifest::FORMAT,
        atomic_commit: larder.store().capabilities().atomic_commit,
        free,
        survey,
    })
}

fn unopened(error: &Error) -> Finding {
    let advice = match error {
        Error::NewerFormat { .. } => "a newer Larder wrote it: use that one",
        Error::NotLinked { .. } => "a program with that store linked in opens it",
        Error::Corrupt { .. } => "name another larder with `--store URL`, if it is the wrong file",
        _ => "name another larder with `--store URL`",
    };
    Finding::warning(told(error), advice)
}

/// An error with its causes, on one line.
fn told(error: &Error) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |&cause| cause.source());
    let messages: Vec<_> =
        [error.to_string()].into_iter().chain(causes.map(ToString::to_string)).collect();
    messages.join(": ")
}

/// The bytes that are free where the larder is.
fn free(url: &StoreUrl) -> Option<u64> {
    let path = url.path().ok().filter(|_| matches!(url.scheme(), "sqlite" | "fs"))?;
    let folder = if path.is_dir() { Some(path) } else { path.parent() };
    let folder = folder.filter(|folder| !folder.as_os_str().is_empty());
    fs4::available_space(folder.unwrap_or(Path::new("."))).ok()
}

/// What the records tell.
fn records(survey: &HealthReport, output: &Output, findings: &mut Vec<Finding>) {
    for damaged in &survey.damaged {
        findings.push(Finding::warning(
            format!("{}: {}", damaged.what, damaged.fault),
            "restore it from a copy of the larder; `larder verify` lists all that is damaged",
        ));
    }
    let latest = SystemTime::now() + CLOCKS_DIFFER;
    if let Some(newest) = survey.newest.filter(|newest| newest.as_system_time() > latest) {
        findings.push(Finding::warning(
            format!("the newest version was applied in the future: {}", text::time(newest)),
            "set the clock, here or where it was applied: `gc` counts its grace period by it",
        ));
    }
    for unready in &survey.unready {
        let what = &unready.what;
        let (state, advice) = match unready.status {
            Status::Failed => ("failed", format!("`larder show {what}` says why; ")),
            _ => ("is being prepared", "if no program is at work on it, ".to_owned()),
        };
        findings.push(Finding::note(
            format!("{what} {state}, since {}", output.time(unready.since)),
            format!("{advice}apply the same again, or `larder remove {what}`"),
        ));
    }
    for locked in &survey.locked {
        findings.push(Finding::note(
            format!("{} is locked, since {}", locked.what, output.time(locked.since)),
            format!("`larder unlock {}` opens it to change", locked.what),
        ));
    }
    if survey.condemned > 0 {
        findings.push(Finding::note(
            format!("{} to be collected as garbage", are(survey.condemned, "blob")),
            "`larder gc` removes what has waited for its grace period",
        ));
    }
    if survey.removed > 0 {
        findings.push(Finding::note(
            format!("{} removed", are(survey.removed, "version")),
            "`larder restore NAME@N` takes a removal back, until `larder gc` takes the bytes",
        ));
    }
}

fn are(number: u64, thing: &str) -> String {
    let verb = if number == 1 { "is" } else { "are" };
    format!("{} {verb}", text::count(number, thing))
}

/// What the newest versions need and this program lacks.
fn needs(larder: &Larder, is_sound: bool, findings: &mut Vec<Finding>) {
    let mut types: BTreeMap<String, Vec<String>> = BTreeMap::new();
    // One that cannot be read was found already.
    for version in larder.list().flatten() {
        let tag = version.type_tag.as_str();
        if larder.registry().find(tag).is_none() {
            let origin = version.origin.as_deref().map_or(String::new(), |it| format!(" of {it}"));
            let needed = types.entry(format!("`{tag}`{origin}")).or_default();
            needed.push(Larder::pin(&version).to_string());
        }
    }
    for (tag, versions) in types {
        findings.push(Finding::note(
            format!("the type {tag} is not linked in; it is needed to load {}", named(&versions)),
            "a program of your own brings it: https://docs.rs/larder-cli; all else works without",
        ));
    }
    let (all, failure) = serializers::known_to(larder);
    for known in all.values().filter(|known| !known.linked) {
        let users = named(known.used_by.as_deref().unwrap_or_default());
        findings.push(Finding::note(
            format!("the serializer `{}` is not linked in; it is needed by {users}", known.name),
            format!("where to get it: {}", known.whereabouts()),
        ));
    }
    if let Some(error) = failure.filter(|_| is_sound) {
        let advice = "`larder verify` reads everything and lists what is damaged";
        findings.push(Finding::warning(told(&error), advice));
    }
}
