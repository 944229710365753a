//! Values as text: short ones whole, the beginning of long ones.

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use larder_collections::value_of;
use larder_text::{clean, size};
use serde_json::Value;

/// The maximum number of characters that are shown at once.
const MOST_SHOWN: usize = 120;
/// The maximum number of characters that can be unfolded.
const MOST_WHOLE: usize = 2_000;
/// Numbers of a vector that are shown at once.
const MOST_NUMBERS: usize = 4;

/// A value as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Text {
    /// What is shown at once, on one line.
    pub(super) short: String,
    /// The whole, or its beginning, if it is longer.
    pub(super) whole: Option<String>,
}

/// The bytes that the texts of a page may take beyond their beginnings.
#[derive(Debug)]
pub(super) struct Budget(usize);

impl Budget {
    /// The budget of a page.
    pub(super) fn new() -> Self {
        Self(64 << 10)
    }

    fn take(&mut self, text: String) -> Option<String> {
        self.0 = self.0.checked_sub(text.len())?;
        Some(text)
    }
}

/// Returns the text of a value; `None` for null.
pub(super) fn text(array: &dyn Array, row: usize, budget: &mut Budget) -> Option<Text> {
    // An array of nothing but nulls marks none of them.
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return None;
    }
    let mut begun = Begun { text: String::new(), left: MOST_WHOLE, is_cut: false };
    begun.write(array, row, true);
    let Begun { text, is_cut, .. } = begun;
    let length = text.chars().count();
    if let DataType::FixedSizeList(..) | DataType::List(_) = array.data_type()
        && let Some(items) = items_of(array, row)
        && (items.len() > MOST_NUMBERS || length > MOST_SHOWN)
    {
        let short = format!("{}: {}", counted(&items), first(&items));
        return Some(Text { short, whole: budget.take(ended(lines(&text), is_cut)) });
    }
    Some(folded(&text, is_cut, budget))
}

/// Folds a text that is long, or has several lines.
pub(super) fn folded(text: &str, is_cut: bool, budget: &mut Budget) -> Text {
    let is_long = is_cut || text.chars().count() > MOST_SHOWN || text.contains(['\n', '\r']);
    if !is_long {
        return Text { short: clean(text).into_owned(), whole: None };
    }
    let begun: String = text.chars().take(MOST_SHOWN - 20).collect();
    let line = begun.split_whitespace().collect::<Vec<_>>().join(" ");
    let (beginning, is_more) = beginning(text, MOST_WHOLE);
    let whole = ended(lines(beginning), is_cut || is_more);
    Text { short: format!("{}…", clean(&line)), whole: budget.take(whole) }
}

/// Returns at most a number of characters of a text, and whether there are more.
fn beginning(text: &str, most: usize) -> (&str, bool) {
    match text.char_indices().nth(most) {
        Some((at, _)) => (&text[..at], true),
        None => (text, false),
    }
}

fn ended(mut text: String, is_cut: bool) -> String {
    if is_cut {
        text.push('…');
    }
    text
}

/// Text without characters that hide or turn others; lines stay.
fn lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

fn items_of(array: &dyn Array, row: usize) -> Option<ArrayRef> {
    match array.data_type() {
        DataType::List(_) => Some(array.as_list::<i32>().value(row)),
        DataType::FixedSizeList(..) => Some(array.as_fixed_size_list().value(row)),
        _ => None,
    }
}

fn counted(items: &ArrayRef) -> String {
    let is_numbers = items.data_type().is_numeric();
    match (items.len(), is_numbers) {
        (1, true) => "1 number".into(),
        (count, true) => format!("{count} numbers"),
        (1, false) => "1 item".into(),
        (count, false) => format!("{count} items"),
    }
}

/// The first items, shortened.
fn first(items: &ArrayRef) -> String {
    let mut shown = Vec::new();
    for at in 0..items.len().min(MOST_NUMBERS) {
        let mut begun = Begun { text: String::new(), left: 24, is_cut: false };
        begun.write(items, at, false);
        shown.push(ended(clean(&begun.text).into_owned(), begun.is_cut));
    }
    let more = if items.len() > MOST_NUMBERS { " …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

/// A text that is being written, up to a length: no value is converted as a whole before it is cut.
struct Begun {
    text: String,
    /// The characters that are left.
    left: usize,
    is_cut: bool,
}

impl Begun {
    fn push(&mut self, text: &str) {
        let (text, is_cut) = beginning(text, self.left);
        self.text.push_str(text);
        self.left -= text.chars().count();
        self.is_cut |= is_cut;
    }

    /// Writes a value as JSON; texts at the top as they are.
    fn write(&mut self, array: &dyn Array, row: usize, is_top: bool) {
        if self.is_cut {
            return;
        }
        if array.is_null(row) {
            return self.push("null");
        }
        match array.data_type() {
            DataType::Utf8 => {
                let (text, is_cut) = beginning(array.as_string::<i32>().value(row), self.left);
                match is_top {
                    true => self.push(text),
                    false => self.push(&Value::from(text).to_string()),
                }
                self.is_cut |= is_cut;
            }
            DataType::Binary => self.push(&bytes(array.as_binary::<i32>().value(row).len())),
            DataType::FixedSizeBinary(length) => {
                self.push(&bytes(usize::try_from(*length).unwrap_or_default()));
            }
            DataType::List(_) | DataType::FixedSizeList(..) => {
                let items = items_of(array, row);
                self.list(
                    items.iter().flat_map(|items| (0..items.len()).map(move |at| (items, at))),
                );
            }
            DataType::Struct(fields) => {
                self.push("{");
                for (at, (field, column)) in
                    fields.iter().zip(array.as_struct().columns()).enumerate()
                {
                    self.key(at, field.name());
                    self.write(column, row, false);
                }
                self.push("}");
            }
            DataType::Map(..) => {
                let entries = array.as_map().value(row);
                let (keys, values) = (entries.column(0).as_string::<i32>(), entries.column(1));
                self.push("{");
                for at in 0..entries.len() {
                    if self.is_cut {
                        return;
                    }
                    self.key(at, beginning(keys.value(at), self.left).0);
                    self.write(values, at, false);
                }
                self.push("}");
            }
            _ => match value_of(array, row) {
                Value::String(text) if is_top => self.push(&text),
                value => self.push(&value.to_string()),
            },
        }
    }

    fn key(&mut self, at: usize, name: &str) {
        self.push(if at == 0 { "" } else { ", " });
        self.push(&Value::from(name).to_string());
        self.push(": ");
    }

    fn list<'a>(&mut self, items: impl Iterator<Item = (&'a ArrayRef, usize)>) {
        self.push("[");
        for (index, (items, at)) in items.enumerate() {
            if self.is_cut {
                return;
            }
            self.push(if index == 0 { "" } else { ", " });
            self.write(items, at, false);
        }
        self.push("]");
    }
}

/// Bytes inside a value, by their size.
fn bytes(length: usize) -> String {
    format!("({})", size(length as u64))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::types::Float32Type;
    use arrow_array::{BinaryArray, FixedSizeListArray, Int64Array, StringArray, StructArray};
    use arrow_schema::Field;

    use super::*;

    fn shown(array: &dyn Array) -> Text {
        text(array, 0, &mut Budget::new()).unwrap()
    }

    #[test]
    fn short_values_are_whole_and_null_is_nothing() {
        let short = |text: &str| Text { short: text.into(), whole: None };
        assert_eq!(shown(&StringArray::from(vec!["<b>\u{202e}x"])), short("<b>\\u{202e}x"));
        assert_eq!(shown(&Int64Array::from(vec![-7])), short("-7"));
        assert_eq!(text(&Int64Array::from(vec![None]), 0, &mut Budget::new()), None);
        let inner: ArrayRef = Arc::new(StringArray::from(vec!["a\"b"]));
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"123"[..]]));
        let fields = vec![
            (Arc::new(Field::new("name", DataType::Utf8, false)), inner),
            (Arc::new(Field::new("raw", DataType::Binary, false)), bytes),
        ];
        let row = StructArray::from(fields);
        assert_eq!(shown(&row), short(r#"{"name": "a\"b", "raw": (3 B)}"#));
    }

    #[test]
    fn long_values_are_folded_and_cut() {
        let long = "word ".repeat(1_000);
        let folded = shown(&StringArray::from(vec![&*long]));
        assert!(folded.short.chars().count() <= MOST_SHOWN && folded.short.ends_with('…'));
        let whole = folded.whole.unwrap();
        assert_eq!(whole.chars().count(), MOST_WHOLE + 1);
        let lines = shown(&StringArray::from(vec!["one\ntwo"]));
        assert_eq!((&*lines.short, lines.whole.as_deref()), ("one two…", Some("one\ntwo")));
        let vector = vec![Some((0..384).map(|it| Some(it as f32 / 8.0)).collect::<Vec<_>>())];
        let vector = FixedSizeListArray::from_iter_primitive::<Float32Type, _, _>(vector, 384);
        let vector = shown(&vector);
        assert_eq!(vector.short, "384 numbers: 0.0, 0.125, 0.25, 0.375 …");
        assert!(vector.whole.unwrap().starts_with("[0.0, 0.125, "));
    }

    #[test]
    fn a_page_unfolds_no_more_than_its_budget() {
        let long = "x".repeat(1_500);
        let array = StringArray::from(vec![&*long; 100]);
        let mut budget = Budget::new();
        let texts: Vec<_> = (0..100).filter_map(|row| text(&array, row, &mut budget)).collect();
        let wholes: usize = texts.iter().filter_map(|it| it.whole.as_ref()).map(String::len).sum();
        assert!(wholes <= 64 << 10 && wholes > 60 << 10, "{wholes}");
        assert!(texts.iter().all(|it| it.short.ends_with('…')));
    }
}
