//! Shell completion of names, tags and versions from the larder.

use std::collections::BTreeSet;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::Path;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter as _,
};
use clap_complete::env::{Bash, CompleteEnv, Elvish, EnvCompleter, Fish, Powershell, Shells, Zsh};
use larder::maintenance::LarderMaintenance as _;
use larder::{Identifier, Larder, Registry};

/// The environment variable that requests completions.
pub(crate) const VARIABLE: &str = "LARDER_COMPLETE";

/// The maximum number of candidates.
const MOST: usize = 1_000;

/// Maximum number of names whose tags are listed.
const MOST_NAMES: usize = 200;

/// The shells, without options where the word is none.
const SHELLS: Shells<'static> = Shells(&[
    &WithoutOptions(Bash),
    &WithoutOptions(Elvish),
    &WithoutOptions(Fish),
    &WithoutOptions(Powershell),
    &WithoutOptions(Zsh),
]);

/// Answers a request for completions. Returns whether there was one.
pub(crate) fn answered(args: &[OsString], command: fn() -> clap::Command) -> bool {
    let asked = CompleteEnv::with_factory(command).var(VARIABLE).shells(SHELLS);
    // Errors of completions are not shown.
    let folder = env::current_dir().ok();
    env::var_os(VARIABLE).is_some()
        && asked.try_complete(args.to_vec(), folder.as_deref()).unwrap_or(true)
}

/// A shell that offers options only for a word that begins with `-`. Otherwise, where options are all that is offered, a
/// shell inserts their common beginning, `--`.
struct WithoutOptions<S>(S);

impl<S: EnvCompleter> EnvCompleter for WithoutOptions<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn is(&self, name: &str) -> bool {
        self.0.is(name)
    }

    fn write_registration(
        &self,
        var: &str,
        name: &str,
        bin: &str,
        completer: &str,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        self.0.write_registration(var, name, bin, completer, buf)
    }

    fn write_complete(
        &self,
        command: &mut clap::Command,
        args: Vec<OsString>,
        folder: Option<&Path>,
        buf: &mut dyn Write,
    ) -> io::Result<()> {
        let index = env::var("_CLAP_COMPLETE_INDEX").ok().and_then(|index| index.parse().ok());
        let word = args.get(index.unwrap_or(args.len().saturating_sub(1)));
        let is_option = word.is_some_and(|word| word.as_encoded_bytes().starts_with(b"-"));
        let mut offered = Vec::new();
        self.0.write_complete(command, args, folder, &mut offered)?;
        if is_option {
            return buf.write_all(&offered);
        }
        let separator = env::var("_CLAP_IFS").unwrap_or_else(|_| "\n".into());
        let offered = String::from_utf8_lossy(&offered);
        let kept = offered.split(&separator).filter(|candidate| !candidate.starts_with('-'));
        buf.write_all(kept.collect::<Vec<_>>().join(&separator).as_bytes())
    }
}

/// `name`, `name:tag` and `name@7`.
pub(crate) fn references() -> ArgValueCompleter {
    of_larder(reference)
}

/// `name`.
pub(crate) fn names() -> ArgValueCompleter {
    of_larder(name)
}

/// Names of deployments.
#[cfg(feature = "serving")]
pub(crate) fn deployments() -> ArgValueCompleter {
    of_larder(|larder, word| {
        use larder::serving::LarderDeployments as _;

        let names = larder.deployments()?.into_iter().map(|it| it.name.to_string());
        Ok(matching(names, word))
    })
}

/// `name:tag` of tags that can be removed.
pub(crate) fn name_tags() -> ArgValueCompleter {
    of_larder(name_tag)
}

/// `name@7` of removed versions.
pub(crate) fn removed() -> ArgValueCompleter {
    of_larder(removed_version)
}

/// Tags of any name.
pub(crate) fn tags() -> ArgValueCompleter {
    of_larder(tag)
}

/// Types of the newest versions, and those that are linked in.
pub(crate) fn types() -> ArgValueCompleter {
    of_larder(type_tag)
}

/// The fields that a list is sorted by.
pub(crate) fn sort_fields() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let word = word.to_str().unwrap_or_default();
        let fields = ["name", "version", "created", "size", "metrics."];
        let fields = fields.into_iter().filter(|field| field.starts_with(word));
        fields.map(CompletionCandidate::new).collect::<Vec<_>>()
    })
}

/// URLs of larders in files and folders.
pub(crate) fn urls() -> ArgValueCompleter {
    ArgValueCompleter::new(|word: &OsStr| {
        let text = word.to_str().unwrap_or_default();
        let scheme =
            ["fs:", "file:", "sqlite:"].into_iter().find(|scheme| text.starts_with(scheme));
        let Some(scheme) = scheme else { return PathCompleter::any().complete(word) };
        let paths = PathCompleter::any().complete(OsStr::new(&text[scheme.len()..]));
        let with_scheme = |path: CompletionCandidate| {
            let mut url = OsString::from(scheme);
            url.push(path.get_value());
            CompletionCandidate::new(url)
        };
        paths.into_iter().map(with_scheme).collect()
    })
}

type Complete = fn(&Larder, &str) -> larder::Result<Vec<String>>;

fn of_larder(complete: Complete) -> ArgValueCompleter {
    ArgValueCompleter::new(move |word: &OsStr| candidates(word, complete).unwrap_or_default())
}

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
    let tags = tags_of(larder, &known)?;
    let latest = [format!("{known}:latest")];
    let versions = larder.versions(&known)?.into_iter().rev();
    let versions = versions.map(|version| version.reference().to_string());
    Ok(matching(tags.into_iter().chain(latest).chain(versions), word))
}

fn matching(all: impl IntoIterator<Item = String>, word: &str) -> Vec<String> {
    all.into_iter().filter(|candidate| candidate.starts_with(word)).take(MOST).collect()
}

fn tags_of(larder: &Larder, name: &Identifier) -> larder::Result<Vec<String>> {
    let tags = larder.tags().of(name)?.into_iter();
    Ok(tags.map(|tag| format!("{name}:{}", tag.tag)).collect())
}

/// The first names that begin like the name in `word`, or the only one before its `:` or `@`.
fn names_of(larder: &Larder, word: &str) -> larder::Result<Vec<Identifier>> {
    if let Some((known, _)) = word.split_once([':', '@']) {
        return Ok(vec![Identifier::new(known)?]);
    }
    let names = larder.list().map(|version| Ok(version?.identifier));
    let begins = |name: &larder::Result<Identifier>| {
        !name.as_ref().is_ok_and(|name| !name.as_str().starts_with(word))
    };
    names.filter(begins).take(MOST_NAMES).collect()
}

fn name_tag(larder: &Larder, word: &str) -> larder::Result<Vec<String>> {
    let mut tags = Vec::new();
    for name in names_of(larder, word)? {
        tags.extend(tags_of(larder, &name)?);
    }
    Ok(matching(tags, word))
}

/// A name whose versions are all removed is not listed, so that it must be written.
fn removed_version(larder: &Larder, word: &str) -> larder::Result<Vec<String>> {
    let mut versions = Vec::new();
    for name in names_of(larder, word)? {
        let removed = larder.maintenance().removed(&name)?;
        let removed = removed.iter().filter(|removed| removed.collected.is_none());
        versions.extend(removed.map(|removed| removed.version.reference().to_string()));
    }
    Ok(matching(versions, word))
}

fn tag(larder: &Larder, word: &str) -> larder::Result<Vec<String>> {
    let mut tags = BTreeSet::new();
    for name in names_of(larder, "")? {
        tags.extend(larder.tags().of(&name)?.into_iter().map(|tag| tag.tag.to_string()));
    }
    Ok(matching(tags, word))
}

fn type_tag(larder: &Larder, word: &str) -> larder::Result<Vec<String>> {
    let stored = larder.list().take(MOST).map(|version| Ok(version?.type_tag.to_string()));
    let linked = larder.registry().types().map(|(entry, _)| Ok(entry.tag().to_owned()));
    let types = stored.chain(linked).collect::<larder::Result<BTreeSet<_>>>()?;
    Ok(matching(types, word))
}

fn name(larder: &Larder, word: &str) -> larder::Result<Vec<String>> {
    let names = larder.list().map(|version| Ok(version?.identifier.to_string()));
    let begins =
        |name: &larder::Result<String>| !name.as_ref().is_ok_and(|name| !name.starts_with(word));
    names.filter(begins).take(MOST).collect()
}
