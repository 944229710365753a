//! `doctor`: diagnostics of the program and its larder.

mod examine;

use std::io;

use larder::Registry;
use larder::maintenance::HealthReport;
use larder::versions::Toolchain;
use serde::Serialize;

use crate::command_error::{CommandError, Exit};
use crate::output::Output;
use crate::text;

/// Checks the program and the larder, and suggests what to do
///
/// Changes nothing, and does not read blobs; `verify` does. The exit code is 1 if there are warnings, and 0 if there are
/// only notes.
#[derive(clap::Args)]
pub(crate) struct Args {}

#[derive(Serialize)]
struct Report {
    program: Program,
    linked: Linked,
    larder: Option<StoreState>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Program {
    version: &'static str,
    rustc: Option<String>,
    target: Option<String>,
}

/// The names of linked items.
#[derive(Serialize)]
struct Linked {
    types: Vec<String>,
    serializers: Vec<String>,
    stores: Vec<String>,
    /// ONNX Runtime: version and place, or why there is none; absent if it is turned off.
    #[serde(skip_serializing_if = "Option::is_none")]
    onnxruntime: Option<String>,
}

#[derive(Serialize)]
struct StoreState {
    url: String,
    /// The newest format that this program reads.
    format: u64,
    atomic_commit: bool,
    /// The free disk space, for local larders.
    free: Option<u64>,
    #[serde(flatten)]
    survey: Option<HealthReport>,
}

#[derive(Serialize)]
struct Finding {
    level: Level,
    what: String,
    advice: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// A problem.
    Warning,
    /// Information.
    Note,
}

impl Finding {
    fn warning(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Warning, what: what.into(), advice: advice.into() }
    }

    fn note(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { level: Level::Note, what: what.into(), advice: advice.into() }
    }
}

pub(crate) fn run(
    store: &str,
    registry: Registry,
    output: &mut Output,
) -> Result<(), CommandError> {
    let here = Toolchain::here();
    let program = Program {
        version: env!("CARGO_PKG_VERSION"),
        rustc: here.as_ref().map(|here| here.rustc.clone()),
        target: here.map(|here| here.target),
    };
    let linked = Linked {
        types: registry.types().map(|(entry, _)| entry.tag().to_owned()).collect(),
        serializers: registry.serializers().map(|known| known.name).collect(),
        stores: registry.schemes().map(|(scheme, _)| scheme.to_owned()).collect(),
        onnxruntime: onnxruntime(),
    };
    let mut findings = Vec::new();
    let larder = examine::larder(&store.parse()?, registry, output, &mut findings);
    let report = Report { program, linked, larder, findings };
    let warnings = report.findings.iter().filter(|it| it.level == Level::Warning).count();
    let printed = if output.is_json() { output.document(&report) } else { print(&report, output) };
    match warnings as u64 {
        0 => Ok(printed?),
        // Warnings take precedence over a closed stdout.
        1 => Err(CommandError::new(Exit::Failure, "found 1 warning")),
        many => Err(CommandError::new(Exit::Failure, format!("found {many} warnings"))),
    }
}

#[cfg(feature = "onnxruntime")]
fn onnxruntime() -> Option<String> {
    if std::env::var_os("LARDER_ONNXRUNTIME").is_some_and(|path| path == "none") {
        return None;
    }
    Some(match larder_models::onnx::OnnxRuntime::find() {
        Ok(found) => format!("{} ({})", found.version, found.path.display()),
        Err(larder::Error::Refused { reason, .. }) => reason,
        Err(error) => error.to_string(),
    })
}

#[cfg(not(feature = "onnxruntime"))]
fn onnxruntime() -> Option<String> {
    None
}

fn print(report: &Report, output: &mut Output) -> io::Result<()> {
    let Program { version, rustc, target } = &report.program;
    let toolchain = [rustc.as_ref().map(|rustc| format!("rustc {rustc}")), target.clone()];
    let program = [format!("larder {version}")].into_iter().chain(toolchain.into_iter().flatten());
    let Linked { types, serializers, stores, onnxruntime } = &report.linked;
    let linked = [(types, "type"), (serializers, "serializer"), (stores, "store")]
        .map(|(names, thing)| text::count(names.len() as u64, thing));
    let mut rows = vec![
        ["program".into(), program.collect::<Vec<_>>().join(", ")],
        ["linked in".into(), linked.join(", ")],
    ];
    rows.extend(onnxruntime.clone().map(|found| ["ONNX Runtime".into(), found]));
    if let Some(StoreState { url, format, atomic_commit, free, survey }) = &report.larder {
        let commits = if *atomic_commit { "atomic commits" } else { "ordered commits" };
        rows.push(["larder".into(), format!("{url}, format {format}, {commits}")]);
        if let Some(survey) = survey {
            let counts =
                [(survey.names, "name"), (survey.versions, "version"), (survey.tags, "tag")];
            let counts = counts.map(|(number, thing)| text::count(number, thing)).join(", ");
            let (blobs, bytes) =
                (text::count(survey.blobs.count, "blob"), text::size(survey.blobs.bytes));
            rows.push(["holds".into(), format!("{counts}, {blobs} ({bytes})")]);
        }
        rows.extend(free.map(|free| ["free".into(), text::size(free)]));
    }
    if !output.is_quiet() {
        output.columns(rows)?;
    }
    for Finding { level, what, advice } in &report.findings {
        let level = if *level == Level::Warning { "warning" } else { "note" };
        output.line(&text::clean(&format!("{level}: {what}")))?;
        output.line(&text::clean(&format!("  {advice}")))?;
    }
    if report.findings.is_empty() {
        output.say("no problems found");
    }
    Ok(())
}
