//! JSON for people, with long parts folded.

/// Elements of an array or object that are printed.
const MOST_ELEMENTS: usize = 12;
/// Characters of a text that are printed.
const MOST_CHARS: usize = 200;

/// Shortens valid JSON: long arrays, objects and texts end in `…`, with what is left out. Returns whether any was.
///
/// The result is for people; it is JSON only if nothing was folded.
pub fn fold(json: &str) -> (String, bool) {
    let mut out = Folded { text: String::with_capacity(json.len().min(1 << 16)), folded: false };
    // The number of elements of each open array or object.
    let mut open: Vec<usize> = Vec::new();
    // The depth whose elements are left out.
    let mut hidden: Option<usize> = None;
    let mut rest = json;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '"' => text_len(rest),
            _ => c.len_utf8(),
        };
        let (token, after) = rest.split_at(len.min(rest.len()));
        rest = after;
        match c {
            ',' => {
                let depth = open.len();
                if let Some(count) = open.last_mut() {
                    *count += 1;
                    if hidden.is_none() && *count > MOST_ELEMENTS {
                        hidden = Some(depth);
                    }
                }
                out.push(hidden, token);
            }
            '{' | '[' => {
                out.push(hidden, token);
                open.push(1);
            }
            '}' | ']' => {
                let depth = open.len();
                let count = open.pop().unwrap_or_default();
                if hidden == Some(depth) {
                    hidden = None;
                    out.folded = true;
                    out.text += &format!(",\"… {} more\"", count - MOST_ELEMENTS);
                }
                out.push(hidden, token);
            }
            '"' => out.push_text(hidden, token),
            _ => out.push(hidden, token),
        }
    }
    (out.text, out.folded)
}

struct Folded {
    text: String,
    folded: bool,
}

impl Folded {
    fn push(&mut self, hidden: Option<usize>, token: &str) {
        if hidden.is_none() {
            self.text += token;
        }
    }

    fn push_text(&mut self, hidden: Option<usize>, token: &str) {
        match token.char_indices().nth(MOST_CHARS) {
            Some((at, _)) if hidden.is_none() && token.chars().count() > 2 * MOST_CHARS => {
                // An escape is not cut in half.
                let kept = token[..at].trim_end_matches('\\');
                let more = token.chars().count() - kept.chars().count() - 1;
                self.text += &format!("{kept}… {more} more\"");
                self.folded = true;
            }
            _ => self.push(hidden, token),
        }
    }
}

/// The length of the text at the beginning, with its quotes.
fn text_len(json: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in json.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_json_is_unchanged() {
        for json in [r#"{"a":[1,2.50,"x,]"],"b":{}}"#, "[]", "1e400", r#""\"""#] {
            assert_eq!(fold(json), (json.to_owned(), false));
        }
    }

    #[test]
    fn long_arrays_objects_and_texts_are_folded_at_any_depth() {
        let numbers: Vec<_> = (0..1000).map(|number| number.to_string()).collect();
        let json = format!("{{\"w\":[{}],\"after\":[1]}}", numbers.join(","));
        let (text, folded) = fold(&json);
        assert!(folded);
        assert_eq!(text, r#"{"w":[0,1,2,3,4,5,6,7,8,9,10,11,"… 988 more"],"after":[1]}"#);
        let row = format!("[{}]", numbers.join(","));
        let (text, _) = fold(&format!("[{}]", vec![row; 50].join(",")));
        assert!(text.len() < 1000 && text.ends_with(",\"… 38 more\"]"), "{text}");
        let (text, folded) = fold(&format!("\"{}\"", "é".repeat(5000)));
        assert!(folded && text.ends_with(" more\"") && text.chars().count() < 250, "{text}");
    }
}
