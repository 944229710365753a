//! NaN and infinities in JSON, which has no numbers for them: the texts `"NaN"`, `"Infinity"` and `"-Infinity"`.

use std::fmt;

use serde::de::{Deserializer, Error, Visitor};

/// Returns the text for a number that is not finite.
pub fn of_number(number: f64) -> Option<&'static str> {
    match number {
        _ if number.is_nan() => Some("NaN"),
        f64::INFINITY => Some("Infinity"),
        f64::NEG_INFINITY => Some("-Infinity"),
        _ => None,
    }
}

/// Returns the number for a text.
///
/// ```
/// use larder_guard::words;
///
/// assert_eq!(words::number("-Infinity"), Some(f64::NEG_INFINITY));
/// assert_eq!(words::number("nan"), None);
/// ```
pub fn number(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Quotes `NaN`, `Infinity` and `-Infinity` in JSON, as some writers print them; `None` if there is none.
///
/// ```
/// use larder_guard::words;
///
/// assert_eq!(words::quoted(r#"[NaN, "NaN", -Infinity]"#).unwrap(), r#"["NaN", "NaN", "-Infinity"]"#);
/// assert_eq!(words::quoted(r#"[1, "a \" NaN"]"#), None);
/// ```
pub fn quoted(json: &str) -> Option<String> {
    let mut out = String::new();
    let (mut start, mut at, mut in_text) = (0, 0, false);
    let bytes = json.as_bytes();
    while let Some(&byte) = bytes.get(at) {
        let word = if in_text { None } else { bare_word(&bytes[at..]) };
        match (byte, word) {
            (_, Some(word)) => {
                // Words and all that precedes them are whole characters.
                out.push_str(json.get(start..at)?);
                out.extend(["\"", word, "\""]);
                at += word.len();
                start = at;
                continue;
            }
            (b'\\', None) if in_text => at += 1,
            (b'"', None) => in_text = !in_text,
            _ => {}
        }
        at += 1;
    }
    if start == 0 {
        return None;
    }
    out.push_str(json.get(start..)?);
    Some(out)
}

fn bare_word(rest: &[u8]) -> Option<&'static str> {
    let is_end = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let words = ["NaN", "Infinity", "-Infinity"];
    words.into_iter().find(|word| rest.starts_with(word.as_bytes()) && is_end(rest.get(word.len())))
}

/// Reads a float by `plain`; with `words`, from a format for people, which describes itself, also a word.
pub(super) fn read<'de, D: Deserializer<'de>, V: Visitor<'de>>(
    words: bool,
    inner: D,
    visitor: V,
    plain: impl FnOnce(D, V) -> Result<V::Value, D::Error>,
) -> Result<V::Value, D::Error> {
    if words && inner.is_human_readable() {
        return inner.deserialize_any(FloatVisitor(visitor));
    }
    plain(inner, visitor)
}

/// Reads a number or its word.
struct FloatVisitor<V>(V);

macro_rules! visit {
    ($($method:ident: $type:ty,)*) => {
        $(fn $method<E: Error>(self, v: $type) -> Result<V::Value, E> {
            self.0.$method(v)
        })*
    };
}

impl<'de, V: Visitor<'de>> Visitor<'de> for FloatVisitor<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }

    visit! {
        visit_i64: i64,
        visit_i128: i128,
        visit_u64: u64,
        visit_u128: u128,
        visit_f32: f32,
        visit_f64: f64,
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<V::Value, E> {
        match number(v) {
            Some(number) => self.0.visit_f64(number),
            None => self.0.visit_str(v),
        }
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.0.visit_unit()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Serialize};

    use crate::{Guard, Rules};

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Row {
        single: f32,
        pair: (f64, Option<f64>),
        by_name: BTreeMap<String, Vec<f64>>,
        text: String,
    }

    fn read(json: &str) -> Result<Row, String> {
        let guard = Guard::new(Rules::INPUT);
        let mut source = serde_json::Deserializer::from_str(json);
        guard.read(&mut source).map_err(|error| guard.error(error).into_parts().1.to_string())
    }

    fn write(row: &Row, rules: Rules) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Guard::new(rules).value(row))
    }

    #[test]
    fn floats_are_words_in_both_directions_and_texts_stay_texts() {
        let json = r#"{"single":"-Infinity","pair":["Infinity","-Infinity"],"by_name":{"NaN":["Infinity",1.0]},"text":"NaN"}"#;
        let row = read(json).unwrap();
        assert_eq!(row.single, f32::NEG_INFINITY);
        assert_eq!((&*row.text, row.by_name["NaN"][0]), ("NaN", f64::INFINITY));
        assert_eq!(write(&row, Rules::OUTPUT).unwrap(), json);
        let nan = read(&json.replacen("\"-Infinity\"", "\"NaN\"", 1)).unwrap();
        assert!(nan.single.is_nan());
        assert!(write(&nan, Rules::JSON).is_err(), "manifests have no words");
    }

    #[test]
    fn other_texts_are_no_floats() {
        let json = r#"{"single":"nan","pair":[0,null],"by_name":{},"text":""}"#;
        assert_eq!(
            read(json).unwrap_err(),
            "invalid type: string \"nan\", expected f32 at line 1 column 15"
        );
        let json = r#"{"single":1e39,"pair":[0,null],"by_name":{},"text":""}"#;
        assert!(read(json).unwrap_err().contains("floating point `1e+39`"));
    }
}
