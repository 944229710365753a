//! `get`: a version becomes a file or folder again.

use std::path::{Path, PathBuf};

use larder::models::{OnnxModel, Script, WasmModel, WasmSerializer};
use larder::{ComponentType, Error, Larder, Tree};

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;

/// Writes back the file, folder or model that was `put`, checked
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// Where to write it; `-` writes a file to stdout
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,
    /// Replace the file or folder that is there, as a whole
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let tree = tree(larder, &args.reference)?;
    if args.output == Path::new("-") {
        let Some((_, file)) = tree.single_file() else {
            let message = format!("{} is a folder, which does not go to stdout", args.reference);
            return Err(CommandError::new(Exit::Usage, message).with_hint("write `-o FOLDER`"));
        };
        return Ok(output.bytes(&file.content.get()?.bytes()?)?);
    }
    let written = if args.force { tree.replace(&args.output) } else { tree.write(&args.output) };
    written.map_err(|error| {
        let there = matches!(error, Error::Refused { .. }) && !args.force;
        let error = CommandError::from(error);
        if there { error.with_hint("`--force` replaces it") } else { error }
    })?;
    output.say(format_args!("wrote {}", args.output.display()));
    Ok(())
}

/// What a component was before it was `put`.
fn tree(larder: &Larder, reference: &Qualified) -> larder::Result<Tree> {
    let version = larder.show(reference)?.version;
    let exactly = Larder::pin(&version);
    match version.type_tag.as_str() {
        OnnxModel::TAG => Tree::file("model.onnx", larder.load::<OnnxModel>(exactly)?.file()?),
        Script::TAG => Tree::file(
            "script.rhai",
            larder.load::<Script>(exactly)?.source().text.clone().into_owned(),
        ),
        WasmModel::TAG => Tree::file("model.wasm", larder.load::<WasmModel>(exactly)?.module()?),
        WasmSerializer::TAG => {
            Tree::file("serializer.wasm", larder.load::<WasmSerializer>(exactly)?.module()?)
        }
        _ => larder.load(exactly),
    }
}
