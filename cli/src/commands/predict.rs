//! `predict`: predictions from JSON to JSON.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read};
use std::path::{Path, PathBuf};

use larder::{Larder, Model};

use crate::command_error::{CommandError, Exit};
use crate::complete;
use crate::inputs::{self, Format};
use crate::output::Output;
use crate::qualified::Qualified;
use crate::text;

/// Predicts with a model, from JSON to JSON
///
/// The input may be a NumPy file (`.npy`, `.npz`) or a table with a header (`.csv`) too. The rows of a table are predicted
/// one by one: by input name if the columns are named so, else as arrays.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The model: `name`, `name:tag`, `name@7` or `name@b3:1f2e`
    #[arg(value_name = "REF", add = complete::references())]
    reference: Qualified,
    /// The input file; `-` is stdin
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    input: PathBuf,
    /// Read and print JSON Lines; empty lines are skipped
    #[arg(long)]
    lines: bool,
}

pub(crate) fn run(args: &Args, larder: &Larder, output: &mut Output) -> Result<(), CommandError> {
    let model = larder.load_model(&args.reference)?;
    for difference in larder.show(&args.reference)?.differences {
        output.say(format_args!("warning: {} was built differently: {difference}", args.reference));
    }
    let source = Source::open(&args.input, output)?;
    let format = Format::of(&args.input);
    if args.lines {
        if format != Format::Json {
            let message = format!("cannot read {} line by line: it is not JSON Lines", source.name);
            return Err(CommandError::new(Exit::Usage, message).with_hint("leave out `--lines`"));
        }
        return each_line(&*model, source, output);
    }
    once(&*model, format, source, output)
}

fn once(
    model: &dyn Model,
    format: Format,
    mut source: Source,
    output: &mut Output,
) -> Result<(), CommandError> {
    let mut input = Vec::new();
    let read = source.reader.read_to_end(&mut input);
    read.map_err(|error| CommandError::reading(&source.name, &error))?;
    if format != Format::Json {
        let predicted = inputs::predict(model, format, &source.name, &input)?;
        return Ok(output.line(&text::clean_json(&predicted))?);
    }
    Ok(output.line(&predict(model, &input)?)?)
}

fn each_line(
    model: &dyn Model,
    mut source: Source,
    output: &mut Output,
) -> Result<(), CommandError> {
    let mut line = Vec::new();
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
        if line.trim_ascii().is_empty() {
            continue;
        }
        let predicted = predict(model, &line);
        let failed = |error: CommandError| {
            error.context(format!("cannot predict line {number} of {}", source.name))
        };
        output.line(&predicted.map_err(failed)?)?;
    }
    Ok(())
}

fn predict(model: &dyn Model, input: &[u8]) -> Result<String, CommandError> {
    let input = std::str::from_utf8(input).map_err(|error| {
        CommandError::new(Exit::Failure, error.to_string())
            .context("cannot read the input as UTF-8")
    })?;
    let predicted = model.predict_json(input)?;
    Ok(text::clean_json(&predicted).into_owned())
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
