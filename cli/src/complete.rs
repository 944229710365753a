//! Shell completion of names, tags and versions from the larder.

use std::env;
use std::ffi::{OsStr, OsString};

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use larder::{Identifier, Larder, Registry};

/// The environment variable that requests completions.
pub(crate) const VARIABLE: &str = "LARDER_COMPLETE";

/// The maximum number of candidates.
const MOST: usize = 1_000;

/// Answers a request for completions. Returns whether there was one.
pub(crate) fn answered(args: &[OsString], command: fn() -> clap::Command) -> bool {
    let asked = CompleteEnv::with_factory(command).var(VARIABLE);
    // Errors of completions are not shown.
    env::var_os(VARIABLE).is_some() && asked.try_complete(args.to_vec(), None).unwrap_or(true)
}

/// `name`, `name:tag` and `name@7`.
pub(crate) fn references() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| candidates(word, reference).unwrap_or_default())
}

/// `name`.
pub(crate) fn names() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| candidates(word, name).unwrap_or_default())
}

type Complete = fn(&Larder, &str) -> larder::Result<Vec<String>>;

fn candidates(word: &OsStr, complete: Complete) -> Option<Vec<CompletionCandidate>> {
    let words: Vec<String> = env::args().collect();
    let mut given = words.iter().skip_while(|word| *word != "--store").skip(1);
    let of_option = words.iter().find_map(|word| word.strip_prefix("--store="));
    let store = of_option.map(str::to_owned).or_else(|| given.next().cloned());
    let store = store.or_else(|| env::var("LARDER_STORE").ok());
    let store = store.unwrap_or_else(|| crate::global::DEFAULT_STORE.into());
    let word = word.to_str()?;
    // The larder may precede the name.
    let (store, word, prefix) = match word.rsplit_once('#') {
        Some((store, name)) => (store.to_owned(), name, &word[..=store.len()]),
        None => (store, word, ""),
    };
    // Completions never create a larder.
    let url = store.parse().ok()?;
    let registry = Registry::linked().ok()?;
    let larder = Larder::new(registry.find_store(&url).ok()??, registry);
    let found = complete(&larder, word).ok()?;
    let candidate = |name| CompletionCandidate::new(format!("{prefix}{name}"));
    Some(found.into_iter().map(candidate).collect())
}

fn reference(larder: &Larder, word: &str) -> larder::Result<Vec<String>> {
    let Some((known, _)) = word.split_once([':', '@']) else { return name(larder, word) };
    let known = Identifier::new(known)?;
    let tags = larder.tags().of(&known)?.into_iter().map(|tag| format!("{known}:{}", tag.tag));
    let latest = [format!("{known}:latest")];
    let versions = larder.versions(&known)?.into_iter().rev();
    let versions = versions.map(|version| version.reference().to_string());
    let all = tags.chain(latest).chain(versions);
    Ok(all.filter(|candidate| candidate.starts_with(word)).take(MOST).collect())
}

fn name(larder: &Larder, word: &str) -> larder::Result<Vec<String>> {
    let names = larder.list().map(|version| Ok(version?.identifier.to_string()));
    let begins =
        |name: &larder::Result<String>| !name.as_ref().is_ok_and(|name| !name.starts_with(word));
    names.filter(begins).take(MOST).collect()
}
