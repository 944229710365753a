//! Laws for any two values: applying the reported differences turns one into the other, and back.

use larder::maintenance::LarderMaintenance;
use serde_json::{Map, Value, json};

use super::*;

#[derive(Serialize, Deserialize, Component)]
#[component(tag = "tests/anything")]
struct Anything(Value);

/// Numbers that look random and are the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    fn value(&mut self, depth: u64) -> Value {
        const KEYS: [&str; 6] = ["a", "b", "a.b", "", "x\"y", "[0]"];
        match self.below(if depth == 0 { 5 } else { 8 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.below(3)),
            3 => json!(self.below(3) as f64 / 2.0),
            4 => json!("x".repeat(self.below(100) as usize)),
            5 => Value::Array((0..self.below(25)).map(|_| self.value(depth - 1)).collect()),
            _ => {
                let key = |random: &mut Self| KEYS[random.below(6) as usize].to_owned();
                let entries = (0..self.below(5)).map(|_| (key(self), self.value(depth - 1)));
                Value::Object(entries.collect())
            }
        }
    }

    /// Changes something somewhere in a value.
    fn change(&mut self, value: &mut Value) {
        let further = self.below(4) > 0;
        match value {
            Value::Array(items) if !items.is_empty() => {
                let at = self.below(items.len() as u64) as usize;
                match self.below(4) {
                    0 => drop(items.remove(at)),
                    1 => items.insert(at, Value::Null),
                    _ => self.change(&mut items[at]),
                }
            }
            Value::Object(entries) if further && !entries.is_empty() => {
                let at = self.below(entries.len() as u64) as usize;
                entries.values_mut().nth(at).into_iter().for_each(|value| self.change(value));
            }
            other => *other = self.value(2),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Step {
    Key(String),
    Item(usize),
}

/// Reads a path as it is told.
fn steps(mut path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    while !path.is_empty() {
        if let Some(rest) = path.strip_prefix("[\"") {
            let mut texts = serde_json::Deserializer::from_str(&path[1..]).into_iter::<String>();
            let key = texts.next().unwrap().unwrap();
            let used = texts.byte_offset();
            assert!(rest.len() >= used);
            steps.push(Step::Key(key));
            path = path[1 + used..].strip_prefix(']').unwrap();
        } else if let Some(rest) = path.strip_prefix('[') {
            let (at, rest) = rest.split_once(']').unwrap();
            steps.push(Step::Item(at.parse().unwrap()));
            path = rest;
        } else {
            let plain = path.strip_prefix('.').unwrap_or(path);
            let end = plain.find(['.', '[']).unwrap_or(plain.len());
            steps.push(Step::Key(plain[..end].to_owned()));
            path = &plain[end..];
        }
    }
    steps
}

fn at<'a>(value: &'a Value, steps: &[Step]) -> &'a Value {
    steps.iter().fold(value, |value, step| match step {
        Step::Key(key) => &value[key.as_str()],
        Step::Item(at) => &value[*at],
    })
}

fn at_mut<'a>(value: &'a mut Value, steps: &[Step]) -> &'a mut Value {
    steps.iter().fold(value, |value, step| match step {
        Step::Key(key) => &mut value[key.as_str()],
        Step::Item(at) => &mut value[*at],
    })
}

/// `old` with the differences that are told, whose values are those of `new`.
fn patched(old: &Value, new: &Value, diff: &Diff) -> Value {
    let mut value = old.clone();
    let of = |state| {
        let fields = diff.fields.iter().filter(move |field| field.state == state);
        fields.map(|field| steps(&field.path)).collect::<Vec<_>>()
    };
    for path in of(FieldState::Changed) {
        assert_ne!(at(old, &path), at(new, &path), "{path:?} is told to have changed");
        *at_mut(&mut value, &path) = at(new, &path).clone();
    }
    // The last item of a list goes first.
    for path in of(FieldState::Removed).into_iter().rev() {
        let (last, around) = path.split_last().unwrap();
        let around = at_mut(&mut value, around);
        match last {
            Step::Key(key) => drop(around.as_object_mut().unwrap().remove(key).unwrap()),
            Step::Item(at) => drop(around.as_array_mut().unwrap().remove(*at)),
        }
    }
    for path in of(FieldState::Added) {
        let (last, around) = path.split_last().unwrap();
        let (added, around) = (at(new, &path).clone(), at_mut(&mut value, around));
        match last {
            Step::Key(key) => {
                let before = around.as_object_mut().unwrap().insert(key.clone(), added);
                assert_eq!(before, None, "{path:?} is told to be new");
            }
            Step::Item(at) => around.as_array_mut().unwrap().insert(*at, added),
        }
    }
    value
}

#[test]
fn what_is_told_turns_one_value_into_the_other() {
    let larder = larder();
    for seed in 1..=400_u64 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.wrapping_mul(seed));
        let old = random.value(4);
        let mut new = old.clone();
        match seed % 4 {
            0 => new = random.value(4),
            _ => random.change(&mut new),
        }
        let name = format!("anything/{seed}");
        larder.apply(name.as_str(), &Anything(old.clone())).unwrap();
        let there = larder.plan(name.as_str(), &Anything(new.clone())).unwrap().diff;
        assert_eq!(patched(&old, &new, &there), new, "seed {seed}: {old} to {new}: {there:?}");
        assert_eq!(there.changes().count() == 0, old == new, "seed {seed}: {old} to {new}");
        larder.apply(name.as_str(), &Anything(new.clone())).unwrap();
        let newest = format!("{name}@{}", there.new.version.get());
        let back = larder.diff(newest.as_str(), format!("{name}@1").as_str()).unwrap();
        assert_eq!(patched(&new, &old, &back), old, "seed {seed}, back: {new} to {old}: {back:?}");
        let (there, back) = (there.counts, back.counts);
        assert_eq!(
            (there.same, there.changed, there.added, there.removed),
            (back.same, back.changed, back.removed, back.added),
            "seed {seed}"
        );
    }
}

#[test]
fn the_order_of_keys_and_the_spelling_of_a_number_are_no_difference_of_fields() {
    let larder = larder();
    let map = |entries: &[(&str, Value)]| {
        let entries = entries.iter().map(|(key, value)| ((*key).to_owned(), value.clone()));
        Anything(Value::Object(entries.collect::<Map<_, _>>()))
    };
    larder.apply("anything", &map(&[("a", json!(1)), ("b", json!(-0.0))])).unwrap();
    let plan = larder.plan("anything", &map(&[("b", json!(-0.0)), ("a", json!(1))])).unwrap();
    assert_eq!(plan.diff.counts.differing(), 0);
    let plan = larder.plan("anything", &map(&[("b", json!(0.0)), ("a", json!(1.0))])).unwrap();
    assert_eq!(plan.diff.counts.changed, 2, "both zeros, and an integer, are others");
}
