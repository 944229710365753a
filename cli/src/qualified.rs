//! `URL#REF`: references and names with their larder.

use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use clap::ArgMatches;
use clap::builder::{TypedValueParser, ValueParserFactory};
use larder::{Error, Identifier, QualifiedReference, Reference, Selection, StoreUrl};

use crate::command_error::{CommandError, Exit};

/// A reference or name, in the larder before its `#`, or in the one of `--store`.
#[derive(Debug, Clone)]
pub(crate) struct Qualified<T = Reference> {
    store: Option<StoreUrl>,
    what: T,
}

impl<T> Deref for Qualified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.what
    }
}

impl<T: FromStr<Err: Into<Error>>> FromStr for Qualified<T> {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let parse = |what: &str| what.parse().map_err(Into::into);
        if !is_qualified(text) {
            return Ok(Self { store: None, what: parse(text)? });
        }
        let qualified: QualifiedReference = text.parse()?;
        let what = text.rsplit_once('#').map_or("", |(_, what)| what);
        Ok(Self { store: Some(qualified.store().clone()), what: parse(what)? })
    }
}

impl<T: fmt::Display> fmt::Display for Qualified<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.what.fmt(f)
    }
}

impl From<&Qualified> for Reference {
    fn from(at: &Qualified) -> Self {
        at.what.clone()
    }
}

impl From<&Qualified<Identifier>> for Identifier {
    fn from(at: &Qualified<Identifier>) -> Self {
        at.what.clone()
    }
}

/// A reference that may be in another larder than the others of the command.
#[derive(Debug, Clone)]
pub(crate) struct IndependentReference(Qualified);

impl IndependentReference {
    /// The larder before its `#`.
    pub(crate) fn store(&self) -> Option<&StoreUrl> {
        self.0.store.as_ref()
    }
}

impl FromStr for IndependentReference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        text.parse().map(Self)
    }
}

impl From<&IndependentReference> for Reference {
    fn from(at: &IndependentReference) -> Self {
        at.0.what.clone()
    }
}

impl ValueParserFactory for IndependentReference {
    type Parser = Parser<Self>;

    fn value_parser() -> Parser<Self> {
        parser()
    }
}

/// Names contain neither.
fn is_qualified(text: &str) -> bool {
    text.contains('#') || text.contains("://")
}

/// The references or names, without their larders.
pub(crate) fn plain<T: Clone>(named: &[Qualified<T>]) -> Vec<T> {
    named.iter().map(|at| at.what.clone()).collect()
}

/// The versions that a command is about: those named, or everything if none is.
pub(crate) fn selection(references: &[Reference]) -> Selection {
    match references {
        [] => Selection::All,
        references => references.into(),
    }
}

/// The larder that the arguments name, if any does; `default` is the larder of those that do not.
pub(crate) fn larder(
    command: &ArgMatches,
    default: impl FnOnce() -> larder::Result<StoreUrl>,
) -> Result<Option<StoreUrl>, CommandError> {
    let mut stores = Vec::new();
    let mut command = command;
    // Some commands have commands of their own.
    while let Some((_, arguments)) = command.subcommand() {
        command = arguments;
        for id in arguments.ids() {
            stores.extend(stores_of::<Reference>(arguments, id.as_str()));
            stores.extend(stores_of::<Identifier>(arguments, id.as_str()));
            stores.extend(stores_of::<String>(arguments, id.as_str()));
        }
    }
    if stores.iter().all(Option::is_none) {
        return Ok(None);
    }
    let default = if stores.contains(&None) { Some(default()?) } else { None };
    one(stores.into_iter().filter_map(|store| store.or_else(|| default.clone()))).map(Some)
}

fn stores_of<T: Clone + Send + Sync + 'static>(
    arguments: &ArgMatches,
    id: &str,
) -> impl Iterator<Item = Option<StoreUrl>> {
    // Arguments of other types have none.
    let found = arguments.try_get_many::<Qualified<T>>(id).ok().flatten();
    found.into_iter().flatten().map(|at| at.store.clone())
}

/// The one larder that all arguments name.
pub(crate) fn one(mut stores: impl Iterator<Item = StoreUrl>) -> Result<StoreUrl, CommandError> {
    let missing = || CommandError::new(Exit::Usage, "cannot choose a larder: none is named");
    let first = stores.next().ok_or_else(missing)?;
    match stores.find(|store| *store != first) {
        None => Ok(first),
        Some(other) => {
            let message = format!("cannot use {first} and {other} in one command");
            let hint = "use the same larder before every `#`, or run the command once for each";
            Err(CommandError::new(Exit::Usage, message).with_hint(hint))
        }
    }
}

/// Parses arguments that may hold a URL. Invalid values are not printed, because they may hold secrets.
#[derive(Clone)]
pub(crate) struct Parser<T>(PhantomData<T>);

/// A parser for arguments that may hold a URL.
pub(crate) fn parser<T>() -> Parser<T> {
    Parser(PhantomData)
}

impl<T> TypedValueParser for Parser<T>
where
    T: FromStr<Err = Error> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        argument: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        let may_hold_secrets = |text: &str| is_qualified(text) || text.contains('?');
        let shown = match value.to_str() {
            Some(text) if may_hold_secrets(text) => OsStr::new("…"),
            _ => value,
        };
        let text = value.to_str().unwrap_or_default().to_owned();
        let parse = move |_: &str| text.parse::<T>();
        parse.parse_ref(command, argument, shown)
    }
}

impl<T> ValueParserFactory for Qualified<T>
where
    T: FromStr<Err: Into<Error>> + Clone + Send + Sync + 'static,
{
    type Parser = Parser<Self>;

    fn value_parser() -> Parser<Self> {
        parser()
    }
}
