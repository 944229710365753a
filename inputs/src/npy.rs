//! NumPy's format of one array, `.npy`.

use std::fmt::Write as _;

use crate::MAX_BYTES;

const MAGIC: &[u8] = b"\x93NUMPY";
const MAX_DIMS: usize = 32;

/// Converts an array to nested JSON arrays.
pub(crate) fn to_json(bytes: &[u8]) -> Result<String, String> {
    let (header, data) = split(bytes).ok_or("not a NumPy array, or truncated")?;
    let dtype = text_of(header, "'descr':").ok_or("its header has no element type")?;
    let fortran = header.contains("'fortran_order': True");
    let shape = shape_of(header).ok_or("its header has no shape")?;
    let element = Element::of(dtype)?;
    let count = shape.iter().try_fold(1_usize, |count, size| count.checked_mul(*size));
    let needed = count.and_then(|count| count.checked_mul(element.size));
    if needed != Some(data.len()) {
        return Err(format!(
            "it has {} bytes of data, which do not fit its shape {shape:?}",
            data.len()
        ));
    }
    // The distance between two elements along each dimension.
    let mut steps = vec![1; shape.len()];
    for axis in 1..shape.len() {
        if fortran {
            steps[axis] = steps[axis - 1] * shape[axis - 1];
        } else {
            let axis = shape.len() - axis;
            steps[axis - 1] = steps[axis] * shape[axis];
        }
    }
    let mut json = String::new();
    Array { data, element, shape: &shape, steps: &steps }.write(0, 0, &mut json)?;
    Ok(json)
}

/// Returns the header's text and the data.
fn split(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let rest = bytes.strip_prefix(MAGIC)?;
    let (version, rest) = rest.split_at_checked(2)?;
    let (len, rest) = match version[0] {
        1 => rest
            .split_at_checked(2)
            .map(|(len, rest)| (u32::from(u16::from_le_bytes([len[0], len[1]])), rest))?,
        _ => rest
            .split_at_checked(4)
            .map(|(len, rest)| (u32::from_le_bytes([len[0], len[1], len[2], len[3]]), rest))?,
    };
    let (header, data) = rest.split_at_checked(usize::try_from(len).ok()?)?;
    Some((std::str::from_utf8(header).ok()?, data))
}

/// The text in quotes after a key.
fn text_of<'a>(header: &'a str, key: &str) -> Option<&'a str> {
    header.split_once(key)?.1.trim_start().strip_prefix('\'')?.split('\'').next()
}

fn shape_of(header: &str) -> Option<Vec<usize>> {
    let (_, rest) = header.split_once("'shape':")?;
    let (sizes, _) = rest.split_once('(')?.1.split_once(')')?;
    let sizes = sizes.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Vec<usize> = sizes.map(|size| size.parse().ok()).collect::<Option<_>>()?;
    (sizes.len() <= MAX_DIMS).then_some(sizes)
}

/// An element type.
#[derive(Clone, Copy)]
struct Element {
    kind: char,
    size: usize,
    is_big: bool,
}

impl Element {
    fn of(dtype: &str) -> Result<Self, String> {
        let unknown = || {
            let advice = "convert it with `astype` to numbers, booleans or text";
            format!("its elements of the type `{dtype}` cannot be read; {advice}")
        };
        let mut characters = dtype.chars();
        let (Some(order), Some(kind)) = (characters.next(), characters.next()) else {
            return Err(unknown());
        };
        let width: usize = characters.as_str().parse().map_err(|_| unknown())?;
        let known = match kind {
            'f' => [2, 4, 8].contains(&width),
            'i' | 'u' => [1, 2, 4, 8].contains(&width),
            'b' => width == 1,
            'U' | 'S' => width <= 1 << 20,
            _ => false,
        };
        if !known || !['<', '>', '|', '='].contains(&order) {
            return Err(unknown());
        }
        let size = if kind == 'U' { 4 * width } else { width };
        Ok(Self { kind, size, is_big: order == '>' })
    }

    fn write(self, bytes: &[u8], json: &mut String) -> Result<(), String> {
        let number = bytes.iter().enumerate().fold(0_u64, |number, (at, byte)| {
            let place = if self.is_big { bytes.len() - 1 - at } else { at };
            if place < 8 { number | u64::from(*byte) << (8 * place) } else { number }
        });
        let narrow = (number & u64::from(u32::MAX)) as u32;
        // The sign of a narrow integer.
        let unused = 64 - 8 * self.size.min(8) as u32;
        let written = match (self.kind, self.size) {
            ('f', 2) => return float(f64::from(half(number as u16)), json),
            ('f', 4) => {
                // The shortest text of the narrow number.
                let value = f32::from_bits(narrow);
                if !value.is_finite() {
                    return float(f64::from(value), json);
                }
                write!(json, "{value:?}")
            }
            ('f', _) => return float(f64::from_bits(number), json),
            ('i', _) => write!(json, "{}", ((number << unused) as i64) >> unused),
            ('u', _) => write!(json, "{number}"),
            ('b', _) => write!(json, "{}", number != 0),
            (kind, _) => {
                let text =
                    if kind == 'U' { wide_text(bytes, self.is_big)? } else { narrow_text(bytes)? };
                let text = serde_json::to_string(&text).map_err(|error| error.to_string())?;
                json.push_str(&text);
                return Ok(());
            }
        };
        written.map_err(|error| error.to_string())
    }
}

fn float(value: f64, json: &mut String) -> Result<(), String> {
    // JSON has no NaN and no infinities: models take these words.
    let word = match value {
        value if value.is_nan() => "\"NaN\"",
        f64::INFINITY => "\"Infinity\"",
        f64::NEG_INFINITY => "\"-Infinity\"",
        value => return write!(json, "{value:?}").map_err(|error| error.to_string()),
    };
    json.push_str(word);
    Ok(())
}

/// Converts a 16-bit float.
fn half(bits: u16) -> f32 {
    let sign = if bits >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f32::from(bits & 0x3ff));
    sign * match exponent {
        0 => fraction * 2_f32.powi(-24),
        0x1f if fraction == 0.0 => f32::INFINITY,
        0x1f => f32::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f32.powi(exponent - 15),
    }
}

/// Text of 32-bit characters, padded with NUL.
fn wide_text(bytes: &[u8], is_big: bool) -> Result<String, String> {
    let characters = bytes.chunks_exact(4).map(|part| {
        let part = [part[0], part[1], part[2], part[3]];
        if is_big { u32::from_be_bytes(part) } else { u32::from_le_bytes(part) }
    });
    let text: Option<String> = characters.map(char::from_u32).collect();
    Ok(text.ok_or("it has text that is not Unicode")?.trim_end_matches('\0').to_owned())
}

fn narrow_text(bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "it has text that is not UTF-8")?;
    Ok(text.trim_end_matches('\0').to_owned())
}

struct Array<'a> {
    data: &'a [u8],
    element: Element,
    shape: &'a [usize],
    steps: &'a [usize],
}

impl Array<'_> {
    /// Writes the part from the element `from`, at a depth of at most [`MAX_DIMS`].
    fn write(&self, depth: usize, from: usize, json: &mut String) -> Result<(), String> {
        if json.len() > MAX_BYTES {
            return Err(format!("it is larger than {MAX_BYTES} bytes of JSON"));
        }
        let Some(size) = self.shape.get(depth) else {
            let at = from * self.element.size;
            let bytes = self.data.get(at..at + self.element.size).ok_or("it is truncated")?;
            return self.element.write(bytes, json);
        };
        json.push('[');
        for at in 0..*size {
            if at > 0 {
                json.push(',');
            }
            self.write(depth + 1, from + at * self.steps[depth], json)?;
        }
        json.push(']');
        Ok(())
    }
}
