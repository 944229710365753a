//! The source text of a code model.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The source text of a model that was written as code.
///
/// `#[codemodel]` stores it in the component's field `source`, for people to read. It is never executed: a code model
/// runs only where its function is linked in. A script of `larder-models` runs in a sandbox.
///
/// It contains no line number or absolute path, so it changes only with the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Source {
    /// The language it is written in: `rust`, or `rhai` in a script.
    #[serde(rename = "$source")]
    pub language: Cow<'static, str>,
    /// The file, relative to the root of its package; empty if unknown.
    pub file: Cow<'static, str>,
    /// The text.
    pub text: Cow<'static, str>,
}

impl Source {
    /// Creates source text in any language.
    pub fn new(
        language: &'static str,
        file: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { language: Cow::Borrowed(language), file: file.into(), text: text.into() }
    }

    /// Creates source text in Rust.
    pub const fn rust(file: &'static str, text: &'static str) -> Self {
        Self {
            language: Cow::Borrowed("rust"),
            file: Cow::Borrowed(file),
            text: Cow::Borrowed(text),
        }
    }
}
