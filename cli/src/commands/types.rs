//! `types`: linked component types.

use larder::{Registry, Signature};
use serde::Serialize;

use crate::command_error::CommandError;
use crate::output::Output;

/// Lists the component types that are linked into this program
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Types<'a> {
    types: Vec<Type<'a>>,
}

#[derive(Serialize)]
struct Type<'a> {
    #[serde(rename = "type")]
    tag: &'a str,
    rust_type: &'a str,
    #[serde(rename = "crate")]
    origin: &'a str,
    /// The signature, if it is a model and all components have the same.
    signature: Option<Signature>,
    #[serde(skip)]
    is_model: bool,
}

pub(crate) fn run(registry: &Registry, output: &mut Output) -> Result<(), CommandError> {
    let types: Vec<_> = registry
        .types()
        .map(|(entry, origin)| Type {
            tag: entry.tag(),
            rust_type: entry.rust_type(),
            origin,
            signature: entry.signature(),
            is_model: entry.is_model(),
        })
        .collect();
    if output.is_json() {
        output.document(Types { types })?;
    } else if output.is_quiet() {
        types.iter().try_for_each(|known| output.line(known.tag))?;
    } else {
        if types.iter().all(|known| known.tag.starts_with("larder/")) {
            output.say(
                "only Larder's own component types are linked in; to link yours, see \
                 https://docs.rs/larder-cli",
            );
        }
        output.table(
            ["TYPE", "MODEL", "RUST TYPE", "CRATE"],
            types.iter().map(|known| {
                let model = if known.is_model { "yes" } else { "no" };
                [known.tag, model, known.rust_type, known.origin].map(str::to_owned)
            }),
        )?;
    }
    Ok(())
}
