//! Numbers of bytes as people write them.

/// Reads a number of bytes: `812`, `64GiB`, `1.5 GB`; letters may be of either case.
///
/// `None` for what is no such number, or more than a `u64` holds.
///
/// ```
/// assert_eq!(larder_store::parse_size("1.5 GB"), Some(1_500_000_000));
/// assert_eq!(larder_store::parse_size("64kib"), Some(65_536));
/// assert_eq!(larder_store::parse_size("much"), None);
/// ```
pub fn parse_size(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let (base, power) = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => (1_u64, 0),
        "kb" => (1000, 1),
        "mb" => (1000, 2),
        "gb" => (1000, 3),
        "tb" => (1000, 4),
        "kib" => (1024, 1),
        "mib" => (1024, 2),
        "gib" => (1024, 3),
        "tib" => (1024, 4),
        _ => return None,
    };
    let (digits, unit) = (digits.trim_end_matches(' '), base.pow(power));
    if let Ok(whole) = digits.parse::<u64>() {
        return whole.checked_mul(unit);
    }
    let bytes = digits.parse::<f64>().ok()? * unit as f64;
    (bytes >= 0.0 && bytes < u64::MAX as f64).then_some(bytes as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        let read = ["0", "812", "64GiB", "1.5 GB", "2kB", "16TiB", "1gib", "18446744073709551615"];
        let bytes = [0, 812, 64 << 30, 1_500_000_000, 2_000, 16 << 40, 1 << 30, u64::MAX];
        assert_eq!(read.map(parse_size), bytes.map(Some));
        let wrong =
            ["", "GiB", "-1", "1 GiB x", "inf", "nan", "1e400", "1e30", "1 parsec", "99999999TiB"];
        assert_eq!(wrong.map(parse_size), [None; 10]);
    }
}
