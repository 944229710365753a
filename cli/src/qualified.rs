//! `URL#REF`: what is named together with the larder that it is in.

use std::ffi::OsStr;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

use clap::ArgMatches;
use clap::builder::{TypedValueParser, ValueParserFactory};
use larder::{Error, Identifier, QualifiedReference, Reference, StoreUrl};

use crate::command_error::{CommandError, Exit};

/// A reference or a name, in the larder that stands before its `#`, or in that of `--store`.
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
        if !is_located(text) {
            return Ok(Self { store: None, what: parse(text)? });
        }
        let located: QualifiedReference = text.parse()?;
        let what = text.rsplit_once('#').map_or("", |(_, what)| what);
        Ok(Self { store: Some(located.store().clone()), what: parse(what)? })
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

/// A version that a command does not ask to be in the same larder as the others that it names.
#[derive(Debug, Clone)]
pub(crate) struct IndependentReference(Qualified);

impl IndependentReference {
    /// The larder that it says it is in.
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

/// No name holds either.
fn is_located(text: &str) -> bool {
    text.contains('#') || text.contains("://")
}

/// What is named, without where it is.
pub(crate) fn plain<T: Clone>(named: &[Qualified<T>]) -> Vec<T> {
    named.iter().map(|at| at.what.clone()).collect()
}

/// The larder that the names on a command line are in, if one of them says so; `default` is that of those which
/// do not.
pub(crate) fn larder(
    command: &ArgMatches,
    default: impl FnOnce() -> larder::Result<StoreUrl>,
) -> Result<Option<StoreUrl>, CommandError> {
    let mut stores = Vec::new();
    if let Some((_, arguments)) = command.subcommand() {
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
    // An argument of another type has none.
    let found = arguments.try_get_many::<Qualified<T>>(id).ok().flatten();
    found.into_iter().flatten().map(|at| at.store.clone())
}

/// The larder that all of them name; one at least does.
pub(crate) fn one(mut stores: impl Iterator<Item = StoreUrl>) -> Result<StoreUrl, CommandError> {
    let missing = || CommandError::new(Exit::Usage, "no larder is named");
    let first = stores.next().ok_or_else(missing)?;
    match stores.find(|store| *store != first) {
        None => Ok(first),
        Some(other) => {
            let message = format!("a command works in one larder; {first} and {other} are named");
            let hint = "write the same larder before every `#`, or run the command for each";
            Err(CommandError::new(Exit::Usage, message).with_hint(hint))
        }
    }
}

/// Parses what may hold a URL. What does not parse is not printed: it may hold secrets.
#[derive(Clone)]
pub(crate) struct Parser<T>(PhantomData<T>);

/// A parser of what may hold a URL.
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
        let may_hold_secrets = |text: &str| is_located(text) || text.contains('?');
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
