//! `serializers`: the serializers that are linked in.

use larder::{Registry, SerializerInfo};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::Output;

/// Lists the serializers that are linked into this program
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Serializers<'a> {
    serializers: Vec<Known<'a>>,
}

#[derive(Serialize)]
struct Known<'a> {
    name: &'a str,
    #[serde(rename = "crate")]
    origin: &'a str,
    /// The types it serves; every serde type if it is not known.
    types: Option<&'a [&'static str]>,
    /// What it can bear, if it is a format.
    traits: Option<larder::Traits>,
}

pub(crate) fn run(registry: &Registry, output: &mut Output) -> Result<(), CommandError> {
    let serializers: Vec<_> = registry.serializers().collect();
    if output.is_json() {
        let known = |known| Known::from(known);
        output.document(Serializers { serializers: serializers.iter().map(known).collect() })?;
    } else {
        output.table(
            ["NAME", "SERVES", "TRAITS", "CRATE"],
            serializers.iter().map(|known| {
                [known.name.clone(), serves(known), traits(known), known.origin.clone()]
            }),
        )?;
    }
    Ok(())
}

impl<'a> From<&'a SerializerInfo> for Known<'a> {
    fn from(known: &'a SerializerInfo) -> Self {
        Self {
            name: &known.name,
            origin: &known.origin,
            types: known.traits.is_none().then_some(&known.types),
            traits: known.traits,
        }
    }
}

fn serves(known: &SerializerInfo) -> String {
    match known.traits {
        Some(_) => "every serde type".into(),
        None => known.types.join(", "),
    }
}

/// What a format can bear, in words.
fn traits(known: &SerializerInfo) -> String {
    let Some(traits) = known.traits else { return "-".into() };
    let words = [
        (traits.self_describing, "self-describing"),
        (traits.fields_may_be_added, "fields may be added"),
        (traits.stable_specification, "stable specification"),
    ];
    let words: Vec<_> = words.iter().filter(|(so, _)| *so).map(|(_, word)| *word).collect();
    if words.is_empty() { "-".into() } else { words.join(", ") }
}
