//! Values as short text, and the paths to them.

use super::node::Node;

/// The most characters of a value that are shown.
const MOST: usize = 60;
/// Number of characters shown before the first difference.
const BEFORE: usize = 16;

/// A value as JSON, not longer than fits a line.
pub(super) fn one(value: &Node) -> String {
    cut(&whole(value), 0)
}

/// Two values as JSON, both from shortly before the place where they differ, if they are long.
pub(super) fn two(old: &Node, new: &Node) -> (String, String) {
    let (old, new) = (whole(old), whole(new));
    let alike = old.chars().zip(new.chars()).take_while(|(a, b)| a == b).count();
    let is_long = |text: &str| text.chars().nth(MOST).is_some();
    let start = match is_long(&old) || is_long(&new) {
        true => alike.saturating_sub(BEFORE),
        false => 0,
    };
    (cut(&old, start), cut(&new, start))
}

/// A value as JSON.
pub(super) fn whole(value: &Node) -> String {
    // Nothing in it is unfit for JSON: it was JSON.
    serde_json::to_string(value).unwrap_or_default()
}

/// The text from the character `start` on, with marks where it was cut.
fn cut(text: &str, start: usize) -> String {
    let mut rest = text.chars().skip(start);
    let mut short: String = rest.by_ref().take(MOST).collect();
    if start > 0 {
        short.insert(0, '…');
    }
    if rest.next().is_some() {
        short.push('…');
    }
    short
}

/// The most characters of a path that are shown.
const MOST_PATH: usize = 2_000;

/// The way to a value.
#[derive(Default)]
pub(super) struct Path(String);

/// The previous point of a path.
pub(super) struct Step(usize);

impl Path {
    /// The path, for people.
    pub(super) fn shown(&self) -> String {
        match self.0.char_indices().nth(MOST_PATH) {
            Some((end, _)) => format!("{}…", &self.0[..end]),
            None => self.0.clone(),
        }
    }

    /// One key further in.
    pub(super) fn key(&mut self, key: &str) -> Step {
        let before = Step(self.0.len());
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if key.is_empty() || !key.chars().all(plain) {
            self.0.push_str(&format!("[{key:?}]"));
        } else {
            if !self.0.is_empty() {
                self.0.push('.');
            }
            self.0.push_str(key);
        }
        before
    }

    /// One item further in.
    pub(super) fn item(&mut self, at: usize) -> Step {
        let before = Step(self.0.len());
        self.0.push_str(&format!("[{at}]"));
        before
    }

    /// A path in a folder further in.
    pub(super) fn file(&mut self, path: &str) -> Step {
        let before = Step(self.0.len());
        self.0.push_str(path);
        before
    }

    /// Back to before a step.
    pub(super) fn back(&mut self, Step(before): Step) {
        self.0.truncate(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_shown_from_shortly_before_the_place_where_they_differ() {
        let text = |end: &str| Node::Text("a".repeat(500) + end + &"z".repeat(500));
        let (old, new) = two(&text("1"), &text("2"));
        assert!(old.starts_with("…aaaaaaaaaaaaaaaa1zzz") && old.ends_with("zzz…"), "{old}");
        assert!(new.starts_with("…aaaaaaaaaaaaaaaa2zzz"), "{new}");
        assert_eq!(old.chars().count(), MOST + 2);
        assert_eq!(two(&Node::Text("ü".into()), &Node::Null), ("\"ü\"".into(), "null".into()));
        assert_eq!(one(&text("")).chars().count(), MOST + 1);
    }

    #[test]
    fn paths_quote_what_is_no_plain_key() {
        let mut path = Path::default();
        let _ = path.key("layers");
        let step = path.item(3);
        let _ = path.key("bias-2");
        assert_eq!(path.shown(), "layers[3].bias-2");
        path.back(step);
        let _ = path.key("a.b\n");
        assert_eq!(path.shown(), "layers[\"a.b\\n\"]");
        let _ = path.key(&"k".repeat(10_000));
        assert_eq!(path.shown().chars().count(), MOST_PATH + 1);
    }
}
