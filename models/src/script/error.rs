//! Errors of scripts.

use rhai::{EvalAltResult, ParseError, Position};

/// Error of a script, with its position.
///
/// The source of [`Error::Predict`](larder_core::Error::Predict) if a call fails. Lines and columns start at 1; 0 is
/// unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScriptError {
    /// Invalid syntax.
    #[error("{}{message}", at(line, column))]
    Syntax {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Message of the parser.
        message: String,
    },
    /// The script is too long.
    #[error("the script has more than {limit} bytes")]
    TooLong {
        /// Maximum size, in bytes.
        limit: u64,
    },
    /// The script has no function `predict` with one parameter.
    #[error("the script does not define `fn predict(input)`")]
    NoPredict,
    /// The call exceeded its number of operations.
    #[error("{}exceeded {limit} operations", at(line, column))]
    Operations {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Maximum number of operations.
        limit: u64,
    },
    /// The call timed out.
    #[error("{}timed out after {milliseconds} ms", at(line, column))]
    Time {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Maximum time, in milliseconds.
        milliseconds: u64,
    },
    /// The call depth exceeded its limit.
    #[error("{}calls are nested deeper than {limit}", at(line, column))]
    CallDepth {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Maximum depth.
        limit: usize,
    },
    /// A string, array, map or the number of variables exceeded its limit.
    #[error("{}{what} exceeds its limit", at(line, column))]
    TooLarge {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// The value that exceeded its limit.
        what: String,
    },
    /// The script failed or threw an error.
    #[error("{}{message}", at(line, column))]
    Failed {
        /// Line.
        line: usize,
        /// Column.
        column: usize,
        /// Message of the error.
        message: String,
    },
}

/// Formats a position; empty if unknown.
fn at(line: &usize, column: &usize) -> String {
    if *line == 0 { String::new() } else { format!("line {line}, column {column}: ") }
}

fn line_and_column(position: Position) -> (usize, usize) {
    (position.line().unwrap_or(0), position.position().unwrap_or(0))
}

impl From<ParseError> for ScriptError {
    fn from(error: ParseError) -> Self {
        let (line, column) = line_and_column(error.position());
        Self::Syntax { line, column, message: error.err_type().to_string() }
    }
}

impl ScriptError {
    pub(super) fn from_rhai(error: EvalAltResult, limits: &super::Limits) -> Self {
        let (line, column) = line_and_column(innermost(&error).position());
        match error {
            // Reports the position inside the function, not the position of the call.
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => Self::from_rhai(*inner, limits),
            EvalAltResult::ErrorTooManyOperations(_) => {
                Self::Operations { line, column, limit: limits.operations }
            }
            EvalAltResult::ErrorTerminated(..) => {
                Self::Time { line, column, milliseconds: limits.milliseconds }
            }
            EvalAltResult::ErrorStackOverflow(_) => {
                Self::CallDepth { line, column, limit: limits.call_depth }
            }
            EvalAltResult::ErrorDataTooLarge(what, _) => Self::TooLarge { line, column, what },
            EvalAltResult::ErrorTooManyVariables(_) => {
                Self::TooLarge { line, column, what: "the number of variables".into() }
            }
            mut error => {
                // The position is reported separately.
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
