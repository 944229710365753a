//! The source text that a code model keeps.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// The source text of a model that was written as code.
///
/// `#[codemodel]` puts it into the component's field `source`, for people to read. It is never run: a
/// model runs where its function is linked in. A script of `larder-models` is run, in a sandbox.
///
/// Neither line nor folder of the machine is in it: it stays the same until the code changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Source {
    /// The language it is written in: `rust`, or `rhai` in a script.
    #[serde(rename = "$source")]
    pub language: Cow<'static, str>,
    /// The file it stood in, seen from the root of its package; empty if that is not known.
    pub file: Cow<'static, str>,
    /// The text, as it was written.
    pub text: Cow<'static, str>,
}

impl Source {
    /// Text in any language, and the file it stands in.
    pub fn new(
        language: &'static str,
        file: impl Into<Cow<'static, str>>,
        text: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { language: Cow::Borrowed(language), file: file.into(), text: text.into() }
    }

    /// Rust code, and the file it stands in.
    pub const fn rust(file: &'static str, text: &'static str) -> Self {
        Self {
            language: Cow::Borrowed("rust"),
            file: Cow::Borrowed(file),
            text: Cow::Borrowed(text),
        }
    }
}
