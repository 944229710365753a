//! `get`: writing a version to a file or folder.

use std::path::{Path, PathBuf};

#[cfg(any(feature = "onnx", feature = "script", feature = "wasm"))]
use larder::ComponentType as _;
use larder::files::Tree;
use larder::store::ItemKind;
use larder::{Error, Larder, VersionInfo};
#[cfg(feature = "onnx")]
use larder_models::OnnxModel;
#[cfg(feature = "script")]
use larder_models::Script;
#[cfg(feature = "wasm")]
use larder_models::{WasmModel, WasmSerializer};

use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;

/// Writes a stored file, folder or model to disk
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The version: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The path; `-` is stdout, for files
    #[arg(long, short, value_name = "PATH")]
    output: PathBuf,
    /// Replace an existing file or folder
    #[arg(long)]
    force: bool,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let version = larder.show(&args.reference)?.version;
    let tree = tree(larder, &version)?;
    if args.output == Path::new("-") {
        let Some((_, file)) = tree.single_file() else {
            let message = format!("cannot write {} to stdout: it is a folder", args.reference);
            return Err(CommandError::new(Exit::Usage, message).with_hint("use `-o FOLDER`"));
        };
        return Ok(output.bytes(&file.content.get()?.bytes()?)?);
    }
    let written = if args.force { tree.replace(&args.output) } else { tree.write(&args.output) };
    written.map_err(|error| {
        let exists = matches!(error, Error::Refused { .. }) && !args.force;
        let error = CommandError::from(error);
        if exists { error.with_hint("use `--force` to replace it") } else { error }
    })?;
    if output.is_json() {
        let path = args.output.display().to_string();
        return Ok(output.document(Written { path, version: &version })?);
    }
    output.say(format_args!("wrote {}", args.output.display()));
    Ok(())
}

#[derive(Serialize)]
struct Written<'a> {
    path: String,
    #[serde(flatten)]
    version: &'a VersionInfo,
}

/// The file or folder of a version.
fn tree(larder: &Larder, version: &VersionInfo) -> Result<Tree, CommandError> {
    let exactly = version.reference();
    let tree = match version.type_tag.as_str() {
        #[cfg(feature = "onnx")]
        OnnxModel::TAG => Tree::file("model.onnx", larder.load::<OnnxModel>(exactly)?.file()?),
        #[cfg(feature = "script")]
        Script::TAG => Tree::file(
            "script.rhai",
            larder.load::<Script>(exactly)?.source().text.clone().into_owned(),
        ),
        #[cfg(feature = "wasm")]
        WasmModel::TAG => Tree::file("model.wasm", larder.load::<WasmModel>(exactly)?.module()?),
        #[cfg(feature = "wasm")]
        WasmSerializer::TAG => {
            Tree::file("serializer.wasm", larder.load::<WasmSerializer>(exactly)?.module()?)
        }
        tag => {
            match (larder::features::feature_of(ItemKind::Type, tag), larder.registry().find(tag)) {
                (Some(feature), None) => {
                    return Err(CommandError::without_feature(format!("get {exactly}"), feature));
                }
                _ => match larder.load(exactly) {
                    Err(Error::WrongType { reference, found, .. }) => {
                        let message = format!(
                            "cannot get {reference}: its type `{found}` is not a file, a folder or a model in a file"
                        );
                        return Err(CommandError::new(Exit::Failure, message)
                            .with_hint("`larder show REF` prints its fields"));
                    }
                    loaded => loaded,
                },
            }
        }
    };
    Ok(tree?)
}
