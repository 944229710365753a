//! `collection update`.

use larder::collections::{Filter, Find, LarderListeners};
use larder::{Error, Identifier, Larder};
use serde::Serialize;
use serde_json::{Map, Value};

use super::collection;
use crate::command_error::{CommandError, Exit};
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Sets fields of the rows that match, as one version
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name, such as `shop/rows`
    name: Qualified<Identifier>,
    /// The rows that match, such as 'price < 10'; `_outputs.NAME` and `_status.NAME` are fields too
    #[arg(long = "where", value_name = "FILTER", required_unless_present = "all")]
    filter: Option<Filter>,
    /// All rows
    #[arg(long, conflicts_with = "filter")]
    all: bool,
    /// A field and its value, which is JSON or else a text; may be repeated
    #[arg(long = "set", value_name = "FIELD=VALUE", required = true)]
    set: Vec<Setting>,
}

/// A field and its value.
#[derive(Debug, Clone)]
struct Setting(String, String);

impl std::str::FromStr for Setting {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        match text.split_once('=') {
            Some((name, value)) => Ok(Self(name.trim().to_owned(), value.to_owned())),
            None => Err(Error::invalid(
                "setting",
                text,
                "it is a field and a value, such as `price=3.5`",
            )),
        }
    }
}

#[derive(Serialize)]
struct Document {
    outcome: Outcome,
    updated: u64,
    rows: u64,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let collection = collection(larder, &args.name)?;
    let version = collection.latest()?;
    let mut set = Map::new();
    for Setting(name, value) in &args.set {
        let field = version.schema().field(name)?;
        let is_text = field.kind.to_string() == "text";
        // `null` is null, and `"null"` a text.
        let read = serde_json::from_str(value)
            .ok()
            .filter(|read: &Value| !is_text || read.is_string() || read.is_null());
        if set.insert(name.clone(), read.unwrap_or_else(|| value.as_str().into())).is_some() {
            let message = format!("cannot set the field `{name}` twice");
            return Err(CommandError::new(Exit::Usage, message));
        }
    }
    let mut find = Find::default();
    find.scan.filter = args.filter.clone();
    let version = larder.listeners(collection.name())?.version_for(&find, &version)?;
    let edited = collection.update_of(&version, args.filter.as_ref(), &set)?;
    let rows = edited.version.rows();
    let reference = edited.version.info().reference();
    let text = format!(
        "changed {}: {reference} has {}",
        text::count(edited.rows, "row"),
        text::count(rows, "row")
    );
    let document =
        Document { outcome: Outcome::changed(edited.rows > 0), updated: edited.rows, rows };
    super::written(output, edited.version.info(), &text, document)
}
