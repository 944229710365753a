//! `collection create`.

use std::fs;
use std::path::{Path, PathBuf};

use larder::collections::formats::{self, FileFormat, Input};
use larder::collections::{Field, FieldType, NewCollection, Schema};
use larder::{Error, Identifier, Larder};
use serde::Serialize;

use super::collection;
use crate::command_error::{CommandError, Exit};
use crate::output::{Outcome, Output};
use crate::qualified::Qualified;
use crate::text;

/// Creates a collection without rows
///
/// The fields come from `--field`, from a schema file, or from a file of rows.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The name, such as `shop/rows`
    name: Qualified<Identifier>,
    /// A field, such as `price:float64?` or `image:vector<384>`; `?` allows null; may be repeated
    #[arg(long = "field", short = 'f', value_name = "NAME:TYPE")]
    fields: Vec<StatedField>,
    #[command(flatten)]
    schema: SchemaArgs,
    /// The fields of a file of rows, which are not inserted
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath, conflicts_with_all = ["fields", "schema"])]
    like: Option<PathBuf>,
    /// The field that names rows: an integer, a text, bytes, a date or a time
    #[arg(long, value_name = "FIELD")]
    key: Option<String>,
    /// The share of rows in the fold `valid`, in thousandths
    #[arg(long, value_name = "NUMBER", default_value_t = 100)]
    valid_permille: u16,
}

/// The schema of a collection that is created.
#[derive(clap::Args)]
pub(super) struct SchemaArgs {
    /// A JSON file with a list of fields: `[{"name": "price", "type": "float64", "nullable": true}]`
    #[arg(long, value_name = "FILE", value_hint = clap::ValueHint::FilePath)]
    pub(super) schema: Option<PathBuf>,
}

impl SchemaArgs {
    /// Reads the schema.
    pub(super) fn read(&self) -> Result<Option<Schema>, CommandError> {
        self.schema.as_deref().map(read_schema).transpose()
    }
}

fn read_schema(path: &Path) -> Result<Schema, CommandError> {
    let text =
        fs::read_to_string(path).map_err(|error| CommandError::reading(path.display(), &error))?;
    let wrong = |error: serde_json::Error| {
        CommandError::new(Exit::Usage, format!("cannot read the schema in {}: {error}", path.display()))
            .with_hint("it is a list of fields, each with `name` and `type`, and `nullable` where it may be null")
    };
    serde_json::from_str(text::without_mark(&text)).map_err(wrong)
}

/// A field as `NAME:TYPE`.
#[derive(Debug, Clone)]
pub(super) struct StatedField(Field);

impl std::str::FromStr for StatedField {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let Some((name, kind)) = text.split_once(':') else {
            return Err(Error::invalid(
                "field",
                text,
                "it is a name and a type, such as `price:float64`",
            ));
        };
        let (kind, nullable) = match kind.strip_suffix('?') {
            Some(kind) => (kind, true),
            None => (kind, false),
        };
        let field = Field::new(name, kind.parse::<FieldType>()?);
        Ok(Self(if nullable { field.nullable() } else { field }))
    }
}

#[derive(Serialize)]
struct Created {
    outcome: Outcome,
    fields: Vec<Field>,
    key: Option<String>,
}

pub(crate) fn run(
    args: &Args,
    larder: impl FnOnce() -> Result<Larder, CommandError>,
    output: &mut Output,
) -> Result<(), CommandError> {
    let stated: Vec<Field> = args.fields.iter().map(|stated| stated.0.clone()).collect();
    let schema = match (args.schema.read()?, &args.like) {
        (Some(schema), _) => Schema::new(schema.fields().iter().cloned().chain(stated))?,
        (None, Some(path)) => formats::schema_of(Input::File(path), FileFormat::of(path)?)?,
        (None, None) if stated.is_empty() => {
            let message = format!("cannot create {}: it has no fields", args.name);
            let hint = "state them with `--field NAME:TYPE`, `--schema FILE` or `--like FILE`; `collection insert` takes \
                        them from the rows";
            return Err(CommandError::new(Exit::Usage, message).with_hint(hint));
        }
        (None, None) => Schema::new(stated)?,
    };
    let mut fields = schema.fields().to_vec();
    if args.like.is_some() {
        // A file does not say that its key is never null.
        let is_key = |field: &&mut Field| Some(&field.name) == args.key.as_ref();
        fields.iter_mut().filter(is_key).for_each(|field| field.nullable = false);
    }
    let mut new =
        NewCollection::new(Schema::new(fields.clone())?).with_valid_permille(args.valid_permille);
    if let Some(key) = &args.key {
        new = new.with_key(key);
    }
    let version = collection(&larder()?, &args.name)?.create(new)?;
    let text = format!(
        "created {}, with {}",
        version.info().reference(),
        text::count(fields.len() as u64, "field")
    );
    let created = Created { outcome: Outcome::Created, fields, key: args.key.clone() };
    super::written(output, version.info(), &text, created)
}
