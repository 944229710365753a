//! `verify --predict`: the examples that are stored with models.

use larder::Larder;
#[cfg(feature = "onnx")]
use larder::VersionInfo;

use super::verify::Args;
use crate::command_error::CommandError;
#[cfg(feature = "onnx")]
use crate::command_error::Exit;
use crate::output::Output;
#[cfg(feature = "onnx")]
use crate::text;

/// Predicts for the examples of each ONNX model, and compares.
#[cfg(feature = "onnx")]
pub(super) fn check(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let (mut models, mut examples, mut faults) = (0_u64, 0_u64, 0_u64);
    for version in versions(args, larder)? {
        if version.type_tag.as_str() != "larder/onnx" {
            continue;
        }
        models += 1;
        let reference = version.reference();
        let model = larder.load::<larder_models::OnnxModel>(reference.clone());
        match model.and_then(|model| model.check_examples()) {
            Ok(count) => examples += count as u64,
            Err(error) => {
                faults += 1;
                let causes =
                    std::iter::successors(Some(&error as &dyn std::error::Error), |error| {
                        error.source()
                    });
                let causes: Vec<_> = causes.map(ToString::to_string).collect();
                output.say(format_args!("{reference}: {}", text::clean(&causes.join(": "))));
            }
        }
    }
    let (models, examples) = (text::count(models, "ONNX model"), text::count(examples, "example"));
    output.say(format_args!("predicted for {examples} of {models}"));
    match faults {
        0 => Ok(()),
        _ => {
            let faults = text::count(faults, "model");
            Err(CommandError::new(Exit::Corrupt, format!("{faults} did not answer as before")))
        }
    }
}

/// The versions that are named, or all.
#[cfg(feature = "onnx")]
fn versions(args: &Args, larder: &Larder) -> larder::Result<Vec<VersionInfo>> {
    if !args.references.is_empty() {
        let shown = args.references.iter().map(|reference| Ok(larder.show(reference)?.version));
        return shown.collect();
    }
    let mut versions = Vec::new();
    for newest in larder.list() {
        versions.extend(larder.versions(&newest?.identifier)?);
    }
    Ok(versions)
}

#[cfg(not(feature = "onnx"))]
pub(super) fn check(_: &Args, _: &Larder, _: &mut Output) -> Result<(), CommandError> {
    Err(CommandError::without_feature("predict with ONNX models", "onnx"))
}
