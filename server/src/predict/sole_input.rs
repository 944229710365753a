//! The input of a request that has one, found without a parser.

/// Returns what stands between `{"input":` and the last `}`, if it begins and ends as one value of JSON.
///
/// It may be malformed inside: that is for its reader to find. `None` means nothing: a parser may find an input. Texts with
/// `N` or `I` outside of strings are left to it, because readers of numbers take the words `NaN` and `Infinity`, which are no JSON.
pub(super) fn sole_input(body: &[u8]) -> Option<&str> {
    let inner = body.strip_prefix(b"{\"input\":")?.strip_suffix(b"}")?;
    let (mut depth, mut at) = (0_usize, 0);
    while let Some(byte) = inner.get(at) {
        at += 1;
        if !IS_SPECIAL[usize::from(*byte)] {
            continue;
        }
        match byte {
            b'"' => at += text_length(&inner[at..])?,
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 && !inner[at..].iter().all(|b| b" \t\r\n".contains(b)) {
                    return None;
                }
            }
            // Beside a text, a number or a word, there is nothing at this depth.
            b',' | b':' if depth > 0 => {}
            _ => return None,
        }
    }
    let is_whole = depth == 0 && !inner.is_empty();
    if is_whole { std::str::from_utf8(inner).ok() } else { None }
}

/// The bytes outside of strings that decide: most are digits.
const IS_SPECIAL: [bool; 256] = {
    let mut special = [false; 256];
    let bytes = b"\"[]{},:NI";
    let mut at = 0;
    while at < bytes.len() {
        special[bytes[at] as usize] = true;
        at += 1;
    }
    let mut at = 0x80;
    while at < 256 {
        special[at] = true;
        at += 1;
    }
    special
};

/// Returns the length of a string of JSON to its closing quote; `None` if it has none.
fn text_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_is_found() {
        for value in [
            "[7.4,0.7]",
            "3",
            "null",
            "\"a, \\\"b]\"",
            "{\"a\":[1,{\"b\":\"}\"}]}",
            "[[1],[2]]",
            "[]",
        ] {
            let body = format!("{{\"input\":{value}}}");
            assert_eq!(sole_input(body.as_bytes()), Some(value));
            let body = format!("{{\"input\": {value}\n}}");
            assert_eq!(sole_input(body.as_bytes()), Some(&*format!(" {value}\n")));
        }
    }

    #[test]
    fn what_may_be_more_than_one_value_is_left_to_the_parser() {
        for body in [
            "",
            "{}",
            "{\"input\":}",
            "{\"inputs\":[1]}",
            "{\"input\":1,\"inputs\":[2]}",
            "{\"input\":[1],\"input\":[2]}",
            "{\"input\":\"a\",\"b\":1}",
            "{\"input\":[1}",
            "{\"input\":[NaN]}",
            "{\"input\":-Infinity}",
            "{\"input\":\"a}",
            "{\"input\":\"a\\\"}",
            "{\"input\":1]}",
            "{\"input\":[1]\u{c}}",
            "{\"input\":\u{feff}[1]}",
        ] {
            assert_eq!(sole_input(body.as_bytes()), None, "{body}");
        }
        assert_eq!(sole_input(b"{\"input\":\"\xff\"}"), None);
    }
}
