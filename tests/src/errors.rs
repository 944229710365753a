//! What tests assert of errors: the variant, and the rule that all messages keep.

use larder::Error;
use larder::store::{Corruption, with_causes};

/// Returns the message of an error with its causes.
///
/// # Panics
///
/// If the message does not read `cannot X: reason`, or `cannot X` with the reason as its cause, on one line and without a
/// full stop.
#[track_caller]
pub fn message(error: &Error) -> String {
    let (text, whole) = (error.to_string(), with_causes(error));
    assert!(text.starts_with("cannot "), "it does not say what cannot be done: {whole}");
    assert!(whole["cannot ".len()..].contains(": "), "it gives no reason: {whole}");
    assert!(!text.contains('\n'), "it has more than one line: {text:?}");
    assert!(!text.ends_with('.'), "it ends with a full stop: {text}");
    whole
}

/// Returns the action that is refused, and the reason.
///
/// # Panics
///
/// If it is another error.
#[track_caller]
pub fn refused(error: &Error) -> (&str, &str) {
    match error {
        Error::Refused { action, reason } => (action, reason),
        _ => panic!("it is not refused: {error:?}"),
    }
}

/// Returns the rule that a name, reference or URL breaks.
///
/// # Panics
///
/// If it is another error.
#[track_caller]
pub fn invalid(error: &Error) -> &str {
    match error {
        Error::InvalidName { reason, .. } => reason,
        _ => panic!("it is no invalid name: {error:?}"),
    }
}

/// Returns why stored bytes cannot be parsed.
///
/// # Panics
///
/// If it is another error.
#[track_caller]
pub fn unreadable(error: &Error) -> &str {
    match error {
        Error::Corrupt { fault: Corruption::Unreadable(reason), .. } => reason,
        _ => panic!("it is not unreadable: {error:?}"),
    }
}
