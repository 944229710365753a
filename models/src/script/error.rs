//! How a script ends that does not end well.

use rhai::{EvalAltResult, ParseError, Position};

/// Why a script was refused or stopped, and where in its text.
///
/// It is the source of the [`Error::Predict`](larder_core::Error::Predict) of a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// It cannot be parsed.
    #[error("{}{message}", at(line, column))]
    Syntax {
        /// The line, from 1; 0 if it is not known.
        line: usize,
        /// The column, from 1; 0 if it is not known.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// It has more bytes than a script may have.
    #[error("it has more than {most} bytes")]
    TooLong {
        /// The most bytes of a script.
        most: u64,
    },
    /// It defines no `predict` of one parameter.
    #[error("it defines no `fn predict(input)`")]
    NoPredict,
    /// It took more steps than allowed: an endless loop, perhaps.
    #[error("{}it took more than {most} operations", at(line, column))]
    Operations {
        /// The line, from 1; 0 if it is not known.
        line: usize,
        /// The column, from 1; 0 if it is not known.
        column: usize,
        /// The limit.
        most: u64,
    },
    /// It took more time than allowed.
    #[error("{}it took more than {milliseconds} ms", at(line, column))]
    Time {
        /// The line, from 1; 0 if it is not known.
        line: usize,
        /// The column, from 1; 0 if it is not known.
        column: usize,
        /// The limit.
        milliseconds: u64,
    },
    /// Its functions called each other deeper than allowed.
    #[error("{}calls are nested deeper than {most}", at(line, column))]
    CallDepth {
        /// The line, from 1; 0 if it is not known.
        line: usize,
        /// The column, from 1; 0 if it is not known.
        column: usize,
        /// The limit.
        most: usize,
    },
    /// A text, an array or a map grew beyond its limit, or a function has more variables than allowed.
    #[error("{}{what} is over its limit", at(line, column))]
    TooLarge {
        /// The line, from 1; 0 if it is not known.
        line: usize,
        /// The column, from 1; 0 if it is not known.
        column: usize,
        /// What grew.
        what: String,
    },
    /// It failed, or it threw an error.
    #[error("{}{message}", at(line, column))]
    Failed {
        /// The line, from 1; 0 if it is not known.
        line: usize,
        /// The column, from 1; 0 if it is not known.
        column: usize,
        /// What it says.
        message: String,
    },
}

/// Where it is; the interpreter does not know it of every step.
fn at(line: &usize, column: &usize) -> String {
    if *line == 0 { String::new() } else { format!("line {line}, column {column}: ") }
}

fn place(position: Position) -> (usize, usize) {
    (position.line().unwrap_or(0), position.position().unwrap_or(0))
}

impl From<ParseError> for ScriptError {
    fn from(error: ParseError) -> Self {
        let (line, column) = place(error.position());
        Self::Syntax { line, column, message: error.err_type().to_string() }
    }
}

impl ScriptError {
    pub(super) fn of(error: EvalAltResult, limits: &super::Limits) -> Self {
        let (line, column) = place(innermost(&error).position());
        match error {
            // The place in the function is what helps, not that of its call.
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => Self::of(*inner, limits),
            EvalAltResult::ErrorTooManyOperations(_) => {
                Self::Operations { line, column, most: limits.operations }
            }
            EvalAltResult::ErrorTerminated(..) => {
                Self::Time { line, column, milliseconds: limits.milliseconds }
            }
            EvalAltResult::ErrorStackOverflow(_) => {
                Self::CallDepth { line, column, most: limits.call_depth }
            }
            EvalAltResult::ErrorDataTooLarge(what, _) => Self::TooLarge { line, column, what },
            EvalAltResult::ErrorTooManyVariables(_) => {
                Self::TooLarge { line, column, what: "the number of variables".into() }
            }
            mut error => {
                // Its place would be said twice.
                error.set_position(Position::NONE);
                Self::Failed { line, column, message: error.to_string() }
            }
        }
    }
}

fn innermost(error: &EvalAltResult) -> &EvalAltResult {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => innermost(inner),
        error => error,
    }
}
