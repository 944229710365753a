//! `predict`: predictions from JSON to JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use larder::{Error, Larder, Model};
use larder_inputs::{Format, Input};

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Predicts with a model, from JSON to JSON
///
/// The input may be a NumPy file (`.npy`, `.npz`) or a table with a header (`.csv`) too. The rows of a table are predicted
/// one by one: by input name if the columns are named so, else as arrays.
///
/// JSON has no NaN and no infinities. Where a model has floating-point numbers, they are the texts "NaN", "Infinity" and
/// "-Infinity", in inputs and outputs.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The model: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The input file; `-` is stdin
    #[arg(long, short, value_name = "FILE", default_value = "-", value_hint = clap::ValueHint::FilePath)]
    input: PathBuf,
    /// Read and print JSON Lines; empty lines are skipped, and a line that fails is answered by `{"error": …}`
    #[arg(long)]
    lines: bool,
    /// Fail where the output is NaN or an infinity, instead of printing it as a text
    #[arg(long)]
    strict: bool,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let model = larder.load_model(&args.reference)?;
    for difference in larder.show(&args.reference)?.differences {
        output.say(format_args!("warning: {} was built differently: {difference}", args.reference));
    }
    let model = Json { model: &*model, strict: args.strict };
    let source = Source::open(&args.input, output)?;
    let format = Format::of(&args.input);
    if args.lines {
        if format != Format::Json {
            let message = format!("cannot read {} line by line: it is not JSON Lines", source.name);
            return Err(CommandError::new(Exit::Usage, message).with_hint("leave out `--lines`"));
        }
        return each_line(&model, source, output);
    }
    once(&model, format, source, output)
}

fn once(
    model: &Json<'_>,
    format: Format,
    mut source: Source,
    output: &mut Output,
) -> Result<(), CommandError> {
    let mut input = Vec::new();
    let read = source.reader.read_to_end(&mut input);
    read.map_err(|error| CommandError::reading(&source.name, &error))?;
    if format != Format::Json {
        let predicted = from_file(model.model, format, &source.name, &input)?;
        return Ok(output.line(&text::clean_json(&predicted))?);
    }
    Ok(output.line(&model.predict(&input).map_err(|failed| failed.error)?)?)
}

/// Answers each line; a bad one by its error. Stops at an error that is not the line's, such as damage.
fn each_line(
    model: &Json<'_>,
    mut source: Source,
    output: &mut Output,
) -> Result<(), CommandError> {
    let mut line = Vec::new();
    let (mut answered, mut failed, mut first) = (0_u64, 0_u64, None);
    for number in 1_u64.. {
        // Interactive callers need each answer before they send the next line.
        if !source.reader.buffer().contains(&b'\n') {
            output.flush()?;
        }
        line.clear();
        let read = source.reader.read_until(b'\n', &mut line);
        if read.map_err(|error| CommandError::reading(&source.name, &error))? == 0 {
            break;
        }
        let text = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&line).trim_ascii();
        if text.is_empty() {
            continue;
        }
        answered += 1;
        match model.predict(text) {
            Ok(predicted) => output.line(&predicted)?,
            Err(Failed { error, of_input: false }) => {
                let what = format!("cannot predict line {number} of {}", source.name);
                return Err(error.context(what));
            }
            Err(Failed { error, of_input: true }) => {
                output.line(&error.line(number))?;
                failed += 1;
                first.get_or_insert((number, error));
            }
        }
    }
    let Some((number, error)) = first else { return Ok(()) };
    let lines = text::count(answered, "line");
    let what = match failed {
        1 => format!("cannot predict line {number} of {}", source.name),
        _ => format!(
            "cannot predict {failed} of {lines} of {}; the first is line {number}",
            source.name
        ),
    };
    Err(error.context(what))
}

/// A model from JSON to JSON.
struct Json<'a> {
    model: &'a dyn Model,
    strict: bool,
}

/// A prediction that failed.
struct Failed {
    error: CommandError,
    /// The input may be at fault; another one may succeed.
    of_input: bool,
}

impl Json<'_> {
    fn predict(&self, input: &[u8]) -> Result<String, Failed> {
        let input = std::str::from_utf8(input).map_err(|error| {
            let is_utf16 = input.starts_with(b"\xff\xfe") || input.starts_with(b"\xfe\xff");
            let error = CommandError::new(Exit::Failure, error.to_string())
                .context("cannot read the input as UTF-8");
            let hint = "the input is UTF-16; convert it to UTF-8";
            let error = if is_utf16 { error.with_hint(hint) } else { error };
            Failed { error, of_input: true }
        })?;
        let predicted = match self.strict {
            true => self.model.predict_json_strict(input),
            false => self.model.predict_json(input),
        };
        let predicted = predicted.map_err(|error| {
            let of_system = matches!(error, Error::Store { .. });
            let error = CommandError::from(error);
            let of_input = !of_system && error.exit() == Exit::Failure;
            Failed { error, of_input }
        })?;
        Ok(text::clean_json(&predicted).into_owned())
    }
}

/// The source of inputs.
struct Source {
    name: String,
    reader: BufReader<Box<dyn Read>>,
}

impl Source {
    fn open(path: &Path, output: &mut Output) -> Result<Self, CommandError> {
        let (name, reader): (_, Box<dyn Read>) = if path == Path::new("-") {
            if io::stdin().is_terminal() {
                output.say("reading JSON from the terminal; end it with Ctrl-D");
            }
            ("stdin".to_owned(), Box::new(io::stdin().lock()))
        } else {
            let name = path.display().to_string();
            let file = File::open(path).map_err(|error| CommandError::reading(&name, &error))?;
            (name, Box::new(file))
        };
        Ok(Self { name, reader: BufReader::with_capacity(64 * 1024, reader) })
    }
}

/// Predicts for a file that is not JSON.
fn from_file(
    model: &dyn Model,
    format: Format,
    name: &str,
    bytes: &[u8],
) -> Result<String, CommandError> {
    let read = larder_inputs::read(format, bytes, &model.signature().input).map_err(|reason| {
        CommandError::new(Exit::Failure, reason).context(format!("cannot read {name}"))
    })?;
    Ok(match read {
        Input::One(input) => model.predict_json(&input)?,
        Input::Rows(rows) => model.predict_batch_json(&rows)?,
    })
}
