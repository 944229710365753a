//! Patterns for names.

/// A pattern: `*` matches any number of characters, also `/`; `?` matches one.
///
/// ```
/// use larder_search::Glob;
///
/// assert!(Glob::new("wine/*").matches("wine/red/quality"));
/// assert!(!Glob::new("wine/?").matches("wine/red"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(String);

impl Glob {
    /// Creates a pattern; every text is valid.
    pub fn new(pattern: impl Into<String>) -> Self {
        Self(pattern.into())
    }

    /// Returns whether all of `text` matches.
    pub fn matches(&self, text: &str) -> bool {
        let (mut pattern, mut rest) = (self.0.as_str(), text);
        // Where to resume with the last `*` matching one character more.
        let mut again: Option<(&str, &str)> = None;
        loop {
            let mut chars = rest.chars();
            let (wanted, next) = (pattern.chars().next(), chars.next());
            match (wanted, next) {
                (Some('*'), _) => {
                    pattern = &pattern[1..];
                    again = Some((pattern, rest));
                    continue;
                }
                (None, None) => return true,
                (Some(wanted), Some(next)) if wanted == '?' || wanted == next => {
                    pattern = &pattern[wanted.len_utf8()..];
                    rest = chars.as_str();
                    continue;
                }
                _ => {}
            }
            let Some((after, from)) = again else { return false };
            let mut chars = from.chars();
            if chars.next().is_none() {
                return false;
            }
            (pattern, rest) = (after, chars.as_str());
            again = Some((after, rest));
        }
    }

    /// Returns the literal prefix of all matches.
    pub(crate) fn beginning(&self) -> &str {
        self.0.split(['*', '?']).next().unwrap_or_default()
    }
}

impl From<&str> for Glob {
    fn from(pattern: &str) -> Self {
        Self::new(pattern)
    }
}

impl From<String> for Glob {
    fn from(pattern: String) -> Self {
        Self::new(pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_glob_fits_the_whole_text_or_not() {
        let fits = [
            ("", ""),
            ("*", ""),
            ("*", "a/b"),
            ("a*c", "abcabc"),
            ("a?c*", "abc"),
            ("**b", "ab"),
            ("*a*b*", "xxaxxbxx"),
            ("gr?ße", "größe"),
        ];
        let fails =
            [("", "a"), ("?", ""), ("a*c", "abcab"), ("a", "ab"), ("*ab", "aab!"), ("a?", "a")];
        for (pattern, text) in fits {
            assert!(Glob::new(pattern).matches(text), "{pattern} fits {text}");
        }
        for (pattern, text) in fails {
            assert!(!Glob::new(pattern).matches(text), "{pattern} does not fit {text}");
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_the_texts_length_times_the_patterns() {
        let pattern = "*a".repeat(50) + "b";
        assert!(!Glob::new(pattern).matches(&"a".repeat(10_000)));
    }

    #[test]
    fn its_beginning_is_what_stands_before_the_first_wildcard() {
        assert_eq!(Glob::new("wine/r?d*").beginning(), "wine/r");
        assert_eq!(Glob::new("*").beginning(), "");
    }
}
